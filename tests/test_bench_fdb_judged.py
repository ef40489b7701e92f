"""Full-Duplex-Bench with a language model: ratings of replies (V1), labels of behaviour (V1.5)."""

import json
from dataclasses import replace

import pytest
from bench_helpers import Fixed, hand_made, item, said

from interplay.bench.scoring.score import summarize
from interplay.bench.suites import fdb1, fdb1_rating, fdb15, fdb15_label, load_suite

CUES = ((0.5, 1.5), (4.0, 5.5))  # the request, and what comes in
WORDS = [("one", 2.0), ("two", 3.0), ("three", 4.2), ("it", 6.0), ("is", 6.4), ("blue", 6.8)]
GOES_ON = {"voice": [(2, 4.4), (6, 7.5)], "say": WORDS, "cues": CUES}


def overlapped(part: str):
    about = {"part": part, "cue": 1, "keys": ["blue"], "task": "one two three four five"}
    what = item(said("count"), said("what colour"), length_s=12.0)
    return replace(what, about=about, subset=part)


# V1


def test_replies_to_interruptions_are_rated_where_the_turn_was_taken():
    judge = Fixed('{"analysis": "fits", "rating": 4}')
    suite = fdb1.judged(judge)
    taken = hand_made(overlapped("interrupt"), **GOES_ON)
    silent = hand_made(overlapped("interrupt"), cues=CUES)
    found = suite.score([taken, silent])
    assert list(found) == [row.name for row in suite.rows]
    assert summarize(found["fdb1_interrupt_rating_judged"], "ratio", 0).value == 4
    assert [o.notes for o in found["fdb1_interrupt_rating_judged"]] == [(), ("no_turn",)]
    [asked] = judge.asked
    assert asked == "First: count\nInterruption: what colour\nReply: it is blue"
    turn = replace(overlapped("interrupt"), about={"part": "turn", "cue": 0})
    assert suite.score([hand_made(turn)])["fdb1_interrupt_rating_judged"] == []
    assert "fdb1_interrupt_rating_judged" not in {row.name for row in load_suite("fdb1").rows}


def test_recordings_are_rated_by_their_own_texts():
    judge = Fixed('{"rating": 0}')
    what = overlapped("interrupt")
    what = replace(what, about={**what.about, "context": "who is it", "interrupt": "stop that"})
    fdb1.judged(judge).score([hand_made(what, **GOES_ON)])
    assert judge.asked[0].startswith("First: who is it\nInterruption: stop that\n")


@pytest.mark.parametrize(
    ("reply", "rating"),
    [
        ('{"rating": 4.5}', 4.5),
        ('{"rating": 0}', 0),
        ('{"rating": 6}', None),
        ('{"rating": true}', None),
        ("I would rate it 4", None),
    ],
)
def test_only_numbers_from_0_to_5_are_ratings(reply, rating):
    assert fdb1_rating.read_rating(reply) == rating


# V1.5


def test_labels_of_a_language_model_have_rows_of_their_own():
    judge = Fixed('{"behaviour": ["C_RESUME"]}')
    suite = fdb15.judged(judge)
    traces = [hand_made(overlapped(part), **GOES_ON) for part in fdb15.WANTED]
    found = suite.score(traces)
    assert list(found) == [row.name for row in suite.rows]
    values = {
        row.name: summarize(found[row.name], row.statistic, 0, weights=row.weights).value
        for row in suite.rows
    }
    assert values["fdb15_average_judged"] == pytest.approx(75)
    assert values["fdb15_balanced_judged"] == pytest.approx(50)
    assert values["fdb15_interrupt_respond"] == 1 and values["fdb15_interrupt_respond_judged"] == 0
    assert values["fdb15_backchannel_resume_judged"] == 1 and values["fdb15_unknown_judged"] == 0
    asked = json.loads(judge.asked[0])
    assert asked["overlap_s"] == [4.0, 5.5]
    assert asked["input_clean"] == [["count", 0.5, 1.5]]
    assert asked["input_noisy"] == [["count", 0.5, 1.5], ["what colour", 4.0, 5.5]]
    assert [word for word, *_ in asked["output_noisy"]] == [word for word, _ in WORDS]


def test_the_judge_reads_what_is_said_when_nobody_overlaps_it():
    judge = Fixed('{"behaviour": ["C_RESPOND"]}')
    what = overlapped("user_interruption")
    about = {"part": "user_interruption", "clean": True, "task": what.about["task"]}
    alone = replace(what, cues=what.cues[:1], about=about)
    clean = hand_made(alone, voice=[(2, 5)], say=[("one", 2.0), ("two", 3.0)], cues=CUES[:1])
    suite = fdb15.judged(judge)
    found = suite.score([hand_made(what, **GOES_ON), clean])
    assert len(found["fdb15_average_judged"]) == 1, "the second run is no item of its own"
    [asked] = map(json.loads, judge.asked)
    assert asked["output_clean"] == [["one", 2.0, 3.0], ["two", 3.0, 5.0]]
    assert list(asked) == [
        *("overlap_s", "input_clean", "input_noisy", "output_clean", "output_noisy")
    ]
    suite.score([hand_made(what, **GOES_ON)])  # traces of older runs
    assert "output_clean" not in json.loads(judge.asked[-1])
    [changed] = found["fdb15_wpm_after_clean_judged"]
    assert changed.value == pytest.approx(60 * 3 / 1.5 - 60 * 2 / 3)


def test_what_needs_no_judge_is_not_asked_and_nonsense_weighs_nothing():
    judge = Fixed("C_RESPOND")
    suite = fdb15.judged(judge)
    stopped = hand_made(overlapped("user_interruption"), voice=[(2, 3.9)], say=WORDS[:2], cues=CUES)
    never = hand_made(overlapped("user_interruption"), cues=(CUES[0], None))
    for trace, why in ((stopped, "silent_afterwards"), (never, "overlap_never_came")):
        [outcome] = suite.score([trace])["fdb15_interrupt_respond_judged"]
        assert (outcome.value, outcome.of, outcome.notes) == (0, 1, ("unknown", why))
    assert judge.asked == []
    trace = hand_made(overlapped("user_interruption"), **GOES_ON)
    [outcome] = suite.score([trace])["fdb15_interrupt_respond_judged"]
    assert outcome.of == 0 and "judge_nonsense" in outcome.notes


def test_recordings_are_labelled_by_their_own_texts():
    what = overlapped("talking_to_other")
    about = {**what.about, "context": "tell me a story", "overlap": "dinner is ready"}
    lists = fdb15_label.lists_of(hand_made(replace(what, about=about), **GOES_ON))
    assert lists["input_noisy"] == [["tell me a story", 0.5, 1.5], ["dinner is ready", 4.0, 5.5]]


def test_published_rates_stand_beside_judged_ones_alone():
    rows = {published.row for published in fdb15.SUITE.published}
    rates = {row for row in rows if "latency" not in row}
    assert rates and all(row.endswith("_judged") for row in rates)
    assert rates <= {row.name for row in fdb15.judged(Fixed("")).rows}


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ('{"behaviour": ["C_UNCERTAIN_HANDLING"]}', "uncertain"),
        ('{"behaviour": "C_UNKNOWN"}', "unknown"),
        ('{"behaviour": ["C_RESPOND", "C_RESUME"]}', None),
        ('{"behaviour": ["C_OTHER"]}', None),
        ("nothing", None),
    ],
)
def test_a_label_is_one_of_four(reply, label):
    assert fdb15_label.read_label(reply) == label
