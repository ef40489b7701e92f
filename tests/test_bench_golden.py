"""Whole tables of published programs, worked out by hand from a few answers each.

The other tests of suites hold single rules; these hold what a program prints at its end: means,
denominators, what is left out. They need nothing but this repository; comparing with the programs
themselves needs checkouts (docs/bench.md).
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from bench_helpers import TYPED, Fixed, hand_made, item, numbers, said, value_in

from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.suites import fdb1, fdb3, fdb15, fdb15_clean, harmbench, repcount
from interplay.bench.traces.spoken import Chunk
from interplay.data.item import Type, When


def mean(suite, traces, row: str) -> float | None:
    found = {each.name: each for each in suite.rows}[row]
    return value_in(found, suite.score(traces)[row])


def part(name: str, *, cues=((1.0, 3.0),), length_s: float = 12.0, **kwargs):
    """What a system did; the user's turn ends at 3 s."""
    about = {"part": name, "cue": len(cues) - 1, **kwargs.pop("about", {})}
    what = item(*[said("hi")] * len(cues), length_s=length_s)
    return hand_made(replace(what, about=about), cues=cues, **kwargs)


# eval_pause_handling.py, eval_smooth_turn_taking.py (V1) and FLEXI's version of it

TURNS = [  # voice, words: taken or not, latency
    ([(3.5, 5.0)], []),  # 1.5 s of sound: taken, 0.5 s late
    ([(3.2, 3.9)], ["a", "b", "c", "d"]),  # four words: taken, 0.2 s
    ([(3.2, 3.9)], ["a", "b", "c"]),  # 0.7 s and three words: not taken
    ([(2.4, 4.0)], []),  # taken, 0.6 s before the end
    ([(3.1, 3.3), (9.0, 9.2)], []),  # first to last 6.1 s: taken, 0.1 s
    ([], []),
]


def turns(name: str) -> list:
    return [
        part(name, voice=voice, say=[(word, voice[0][0] + 0.1 * k) for k, word in enumerate(words)])
        for voice, words in TURNS
    ]


def test_turns_and_pauses():
    assert mean(fdb1.SUITE, turns("pause"), "fdb1_pause_takeover") == pytest.approx(4 / 6)
    taken = turns("turn")
    assert mean(fdb1.SUITE, taken, "fdb1_takeover") == pytest.approx(4 / 6)
    # of those taken: 0.5, 0.2, -0.6 -> 0, 0.1
    latency_s = mean(fdb1.SUITE, taken, "fdb1_latency_s")
    assert latency_s == pytest.approx((0.5 + 0.2 + 0 + 0.1) / 4)
    # FLEXI leaves the negative one out of the mean and reports its share
    without_s = mean(fdb1.SUITE, taken, "fdb1_latency_positive_s")
    assert without_s == pytest.approx((0.5 + 0.2 + 0.1) / 3)
    assert mean(fdb1.SUITE, taken, "fdb1_turn_negative") == pytest.approx(1 / 4)
    assert mean(fdb1.SUITE, taken, "fdb1_no_response") == pytest.approx(1 / 6)


# evaluate.py --task user_interruption (V1): words after the end of the interruption alone


def test_interruptions():
    cues = ((1.0, 2.0), (5.0, 6.0))  # the interruption ends at 6 s
    traces = [
        part("interrupt", cues=cues, voice=[(3, 5.2), (7, 9)]),  # stopped; taken, 1 s
        part("interrupt", cues=cues, voice=[(3, 8)]),  # goes on: taken, 0
        part("interrupt", cues=cues, voice=[(3, 5.9)]),  # nothing after it: not taken
        part("interrupt", cues=cues, voice=[(6.4, 7.0)]),  # 0.6 s and no words: not taken
        part("interrupt", cues=cues, voice=[(3, 3.5), (6.5, 8)]),  # taken, 0.5 s
    ]
    got = numbers(fdb1.SUITE, traces)
    assert got["fdb1_interrupt_takeover"] == pytest.approx(3 / 5)
    assert got["fdb1_interrupt_latency_s"] == pytest.approx((1.0 + 0 + 0.5) / 3)
    assert got["fdb1_interrupt_latency_positive_s"] == pytest.approx((1.0 + 0.5) / 2)
    assert got["fdb1_interrupt_talking"] == pytest.approx(3 / 5)
    assert got["fdb1_no_response"] == pytest.approx(1 / 5)
    judge = Fixed('{"rating": 3}')
    rated = fdb1.judged(judge)
    assert mean(rated, traces, "fdb1_interrupt_rating_judged") == pytest.approx(3)
    assert len(judge.asked) == 3, "only who took the turn is rated"


# eval_backchannel.py (V1)


def test_backchannels():
    people = {"about": {"people": [0.5, 0.5]}}
    nods = part("backchannel", length_s=10.0, voice=[(1.1, 1.5), (6.1, 6.5)], **people)
    talks = part("backchannel", length_s=10.0, voice=[(1.1, 1.5), (3, 7)], **people)
    silent = part("backchannel", length_s=10.0, **people)
    got = numbers(fdb1.SUITE, [nods, talks, silent])
    assert got["fdb1_backchannel_takeover"] == pytest.approx(1 / 3)
    assert got["fdb1_backchannel_freq"] == pytest.approx((2 / 10 + 1 / 10 + 0) / 3)
    # 51 bins of 0.2 s for 10 s; a nod from 1.1 to 1.5 s lies in three.
    # n bins of 51: KL(p|m) + KL(q|m), each halved, p = 1/n in n bins, q = 1/51 in all
    distances = []
    for n in (6, 3):
        p, q = 1 / n, 1 / 51
        m = (p + q) / 2
        js = 0.5 * n * p * np.log(p / m)
        js += 0.5 * (n * q * np.log(q / m) + (51 - n) * q * np.log(2))
        distances.append(np.sqrt(js))
    wanted = (distances[0] + distances[1] + 1) / 3
    assert got["fdb1_backchannel_jsd"] == pytest.approx(wanted, abs=1e-6)


# evaluate.py --task behavior (V1.5): four rates and the average that is quoted


@pytest.mark.parametrize(
    ("rates", "average", "balanced"),
    [  # as published for Nova Sonic, Gemini Live, GPT-4o Realtime (x of 100); averages as published
        ((24, 98, 90, 98), 77.5, 100 * (0.24 + (0.98 + 0.90 + 0.98) / 3) / 2),
        ((33, 93, 99, 30), 63.75, 100 * (0.33 + (0.93 + 0.99 + 0.30) / 3) / 2),
        ((78, 70, 2, 4), 38.5, 100 * (0.78 + (0.70 + 0.02 + 0.04) / 3) / 2),
    ],
)
def test_behaviour(rates, average, balanced):
    found: dict[str, list[Outcome]] = {}
    for (name, (_, wanted)), rate in zip(fdb15.WANTED.items(), rates, strict=True):
        for index in range(100):
            label = wanted if index < rate else "unknown"
            for row, outcome in fdb15._labelled(name, label, ()):
                found.setdefault(row, []).append(outcome)
    rows = {row.name: row for row in fdb15.ROWS}

    def value(name: str) -> float | None:
        return value_in(rows[name], found[name])

    assert [value(row) for row, _ in fdb15.WANTED.values()] == [rate / 100 for rate in rates]
    assert value("fdb15_average") == pytest.approx(average)
    assert value("fdb15_balanced") == pytest.approx(balanced)
    unknown = sum(100 - rate for rate in rates) / 400
    assert value("fdb15_unknown") == pytest.approx(unknown)


# get_timing.py (V1.5)


def test_latencies_of_overlaps():
    cues = ((0.5, 1.5), (4.0, 5.5))
    traces = []
    for voice in ([(2, 4.4), (6, 7.5)], [(2, 4.8), (6.5, 8)], [(2, 3.5)]):
        made = part("user_interruption", cues=cues, voice=voice, about={"keys": [], "task": "one"})
        user = np.zeros_like(made.model)
        for start, end in cues:
            user[round(16_000 * start) : round(16_000 * end)] = 3000
        traces.append(replace(made, user=user))
    # both sound 0.4, 0.8 s, and never; after 5.5 s the next start is 0.5, 1.0 s later, and never
    assert mean(fdb15.SUITE, traces, "fdb15_stop_latency_s") == pytest.approx(0.6)
    assert mean(fdb15.SUITE, traces, "fdb15_response_latency_s") == pytest.approx(0.75)


# eval_general_before_after.py and significance_test.py (V1.5), --metrics wpm


def spoken(*times: float) -> list[Chunk]:
    """Words that begin at these times; the last one ends at the last time."""
    return [Chunk(text="w", start_s=s, end_s=e) for s, e in pairwise(times)]


def test_words_are_split_where_the_first_begins_that_outlasts_the_overlap():
    words = spoken(2, 3, 4.4, 6, 7, 8)
    for end_s, num_before in ((1.0, 0), (4.4, 2), (4.5, 2), (6.0, 3), (7.9, 4), (8.0, 5)):
        before, after = fdb15_clean.split(words, end_s)
        assert (len(before), len(after)) == (num_before, 5 - num_before), end_s
    assert fdb15_clean.split([], 3.0) == ([], [])
    assert fdb15_clean.words_per_minute(words) == pytest.approx(5 / 0.1)  # in 6 s
    assert fdb15_clean.words_per_minute([]) == 0
    silent = [Chunk(text="", start_s=0, end_s=9)]
    assert fdb15_clean.words_per_minute(silent) == 0


def test_speech_after_an_overlap_is_compared_with_before_and_without():
    cues, about = ((0.5, 1.5), (4.0, 5.5)), {"keys": ["blue"], "task": "one"}
    say = [("one", 2.0), ("two", 3.0), ("it", 6.0), ("is", 6.4), ("blue", 6.8)]
    voice = [(2, 4), (6, 7.5)]
    first = part("user_interruption", cues=cues, voice=voice, say=say, about=about)
    alone = part("user_interruption", cues=cues[:1], voice=[(2, 5)], say=say[:2])
    alone = replace(alone, item=replace(alone.item, about={**alone.item.about, "clean": True}))
    # 2 words in 2 s, then 3 in 1.5 s; undisturbed 2 in 3 s
    found = fdb15.SUITE.score([first, alone])
    assert [o.value for o in found["fdb15_wpm_after_before"]] == [pytest.approx(60)]
    assert [o.value for o in found["fdb15_wpm_after_clean"]] == [pytest.approx(80)]
    [outcome] = fdb15.SUITE.score([first])["fdb15_wpm_after_clean"]
    assert outcome.of == 0 and outcome.notes == ("no_clean_run",)
    mute = replace(alone, voice=(), say=())
    found = fdb15.SUITE.score([first, mute])
    assert all(found[row][0].of == 0 for row in fdb15_clean.CHANGES), "as published, left out whole"
    resumed = replace(first, item=replace(first.item, about={**first.item.about, "keys": []}))
    assert fdb15.SUITE.score([resumed])["fdb15_wpm_after_before"] == [], "who did not answer"


def test_a_mean_without_outliers():
    values = [10.0, 12.0, 11.0, 9.0, 13.0, 500.0]
    # median 11.5, deviations 1.5 0.5 0.5 2.5 1.5 488.5: their median 1.5; far is beyond 7.8
    found = summarize([Outcome(value=v) for v in values], "trimmed", 0)
    assert found.value == pytest.approx(11) and found.n == 6
    assert found.ci95 and 9 <= found.ci95[0] < 11 < found.ci95[1] <= 13
    alike = [Outcome(value=v) for v in (1.0, 1.0, 1.0, 9.0)]
    assert summarize(alike, "trimmed", 0).value == 3  # no deviation, nothing is far


# evaluate_pass_rate.py (V3), whose own --dry-run has these cases


def test_pass_rate():
    search = {"function": "search", "args": {"to": "London"}}
    book = {"function": "book", "args": {"name": "Alice"}}
    good = (' search {"to": "london "}', ' book {"name": "ALICE"}')
    cases = [good, good[:1], (), (*good, ' track {"id": "1"}'), (good[1], good[0]),
             (' search {"to": "Paris"}', good[1])]  # fmt: skip
    traces = []
    for texts in cases:
        pieces = [
            (piece, 4.0 + k) for k, text in enumerate(texts) for piece in ("<call>", text, "<end>")
        ]
        made = part("x", about={"calls": [search, book]})
        traces.append(replace(made, act_pieces=tuple(pieces)))
    verdicts = [outcome.value for outcome in fdb3.SUITE.score(traces)["fdb3_pass1"]]
    assert verdicts == [1, 0, 0, 0, 1, 0], "all of them, no other, in any order, arguments right"
    assert mean(fdb3.SUITE, traces, "fdb3_pass1") == pytest.approx(2 / 6)


# VoiceBench's harm.py: a refusal is a phrase, and an empty reply is one


def test_refusals():
    what = replace(TYPED, subset="standard", cues=(Type(text="Do x", at=When(seconds=0.4)),))
    replies = ["I'm sorry, I can't.", "Sure: first, ...", "", "I cannot help with that."]
    traces = [hand_made(what, say=[(text, 2.0)] if text else ()) for text in replies]
    got = numbers(harmbench.SUITE, traces)
    assert got["harmbench_refusal"] == pytest.approx(3 / 4)
    assert got["harmbench_empty"] == pytest.approx(1 / 4), "so many of them are silence"


# TransRAC's test_looping.py: MAE is relative to the count and a tenth, OBO is within one


@pytest.mark.parametrize(
    ("number", "count", "error", "is_near"),
    [(3, 3, 0, True), (4, 3, 1 / 3.1, True), (5, 3, 2 / 3.1, False), (1, 2, 1 / 2.1, True),
     (0, 1, 1 / 1.1, True), (12, 10, 2 / 10.1, False)],
)  # fmt: skip
def test_counts(number, count, error, is_near):
    assert repcount.relative_error(number, count) == pytest.approx(error, abs=1e-12)
    assert repcount.off_by_one(number, count) == 100 * is_near
