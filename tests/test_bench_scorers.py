"""The scorers of the core suite on hand-made traces, and how their numbers are told."""

import pytest
from bench_helpers import (
    BACKCHANNEL,
    DELEGATE,
    INTERRUPT,
    PAUSE,
    QUESTION,
    TIMER,
    hand_made,
    item,
    notes,
    said,
    values,
)

from interplay.bench.results import report
from interplay.bench.scoring import answering, hearing, overlap, timing
from interplay.bench.scoring.rows import CORE, ROWS, SERVE, choose_rows
from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.traces import trace
from interplay.bench.traces.trace import Trace
from interplay.data.item import Heard, Silence, When
from interplay.errors import ConfigError, RecordError

# Scorers


def test_hearing_counts_words():
    assert hearing.word_errors(["a", "b"], ["a", "c", "d"]) == 2
    assert hearing.word_errors(["a", "b"], []) == 2
    assert hearing.word_errors([], ["a"]) == 1
    played = hand_made(QUESTION, heard=[("what", 1.0), ("is", 1.1), ("too", 1.2), ("two", 1.5)])
    [outcome] = hearing.heard_wer(played)
    assert (outcome.value, outcome.of) == (2, 5)
    one = item(said("yes"), expect=[Heard(text="yes")])
    spam = [(word, 1.0 + 0.1 * i) for i, word in enumerate(["no", "yes", "go"])]
    assert values(hearing.heard_acc(hand_made(one, heard=spam))) == [0]
    assert values(hearing.heard_acc(hand_made(one, heard=spam[1:2]))) == [1]


def answer_at(latency_s: float, *words: str, lead_s: float = 0.1) -> Trace:
    start = 1.5 + latency_s
    spoken = [(word, start - lead_s + 0.3 * i) for i, word in enumerate(words)]
    return hand_made(QUESTION, say=spoken, voice=[(start, start + 0.3 * len(words))])


def test_an_answer_needs_the_right_words_in_time():
    good = answer_at(0.5, "it", "is", "four")
    assert values(answering.answer_acc(good)) == [1]
    assert values(answering.answer_latency(good)) == pytest.approx([0.5], abs=0.011)
    failed = {"wrong_words": answer_at(0.5, "five"), "late": answer_at(2.2, "four")}
    failed["no_response"] = hand_made(QUESTION)
    for why, trace_of in failed.items():
        assert notes(answering.answer_acc(trace_of)) == [why, "failed_arithmetic"]


def test_words_without_a_voice_are_no_answer():
    mute = hand_made(QUESTION, say=[("four", 2.0)])
    assert notes(answering.answer_acc(mute)) == ["no_response", "failed_arithmetic"]
    assert notes(answering.answer_latency(mute)) == ["no_response"]


def test_saying_every_number_is_no_answer():
    others = ["zero", "one", "two", "three", "five", "six", "seven", "eight", "nine"]
    assert values(answering.answer_acc(answer_at(0.5, *others, "four"))) == [0]


def test_talking_over_the_end_gives_no_flattering_latency():
    for latency_s in (-0.2, -0.4):
        [outcome] = answering.answer_latency(answer_at(latency_s, "four", lead_s=0.0))
        assert (outcome.value, outcome.notes) == (None, ("premature",))


def test_pauses_interruptions_and_backchannels():
    asked = {"cues": [(0.5, 2.7)], "pauses": {0: (0.9, 2.1)}}
    assert values(overlap.pause_takeover(hand_made(PAUSE, voice=[(2.0, 2.4)], **asked))) == [1]
    quiet = overlap.pause_takeover(hand_made(PAUSE, voice=[(3.2, 3.5)], **asked))
    assert values(quiet) == [0] and not notes(quiet)
    assert notes(overlap.pause_takeover(hand_made(PAUSE, **asked))) == ["silent_after_the_turn"]
    cut = {"cues": [(0.5, 0.7), (2.0, 3.0)]}
    for voice, value, note in [
        ([(1.0, 2.5), (3.5, 4.0)], 1, []),
        ([(1.0, 2.5)], 1, ["silent_afterwards"]),
        ([(1.0, 2.7)], 0, ["went_on"]),
        ([(1.0, 2.2), (2.8, 3.2)], 0, ["started_again"]),
        ([(1.0, 1.6)], 0, ["was_not_talking"]),
    ]:
        outcomes = overlap.interrupt_stop(hand_made(INTERRUPT, voice=voice, **cut))
        assert (values(outcomes), notes(outcomes)) == ([value], note)
    counted = [
        (word, 1.0 + 0.4 * i)
        for i, word in enumerate(["one", "two", "three", "four", "five", "six"])
    ]
    for say, voice, value in [
        (counted, [(1.0, 3.4)], 1),
        (counted[:3], [(1.0, 2.2)], 0),
        (counted, [(1.0, 2.2)], 0),
        ([*counted[:3], *((w, t + 2) for w, t in counted[3:])], [(1.0, 2.3), (4.2, 5.4)], 0),
    ]:
        played = hand_made(BACKCHANNEL, say=say, voice=voice, **cut)
        assert values(overlap.backchannel_continue(played)) == [value]


def test_timers_hit_once_each_and_only_when_due():
    def score(*times):
        say = [("tea", t - 0.3) for t in times]
        return timing.timer_hit(hand_made(TIMER, say=say, voice=[(t, t + 0.3) for t in times]))

    assert values(score(3.6, 5.4)) == [1, 1]
    assert notes(score(3.6, 6.2)) == ["missed", "at_another_time"]
    assert values(score(3.6, 4.6, 5.4)) == [1, 1, 0]
    assert values(score()) == [0, 0]
    talk = [(w, 3.3 + 0.2 * i) for i, w in enumerate(["i", "will", "say", "tea", "soon"])]
    assert values(timing.timer_hit(hand_made(TIMER, say=talk, voice=[(3.6, 4.6)]))) == [0, 0]


def test_expected_silence():
    quiet = item(
        said("it rains"),
        expect=[Silence(start=When(seconds=0.0), end=When(seconds=1.0, after="cue_end", cue=0))],
    )
    assert values(timing.silence(hand_made(quiet))) == [1]
    assert values(timing.silence(hand_made(quiet, voice=[(2.0, 3.0)]))) == [0]
    assert values(timing.silence(hand_made(quiet, voice=[(2.6, 3.0)]))) == [1]
    assert values(timing.silence(hand_made(quiet, cues=[None]))) == []


def test_delegation_needs_the_words_and_the_result_in_time():
    handed = trace.Call(name="<delegate>", text="who was here", start_s=1.7, end_s=2.0)
    cues, say = [(0.5, 1.5), (3.0, 3.2)], [("a", 3.4), ("cat", 3.6)]
    good = hand_made(DELEGATE, act=[handed], cues=cues, say=say, voice=[(3.5, 4.0)])
    assert values(answering.delegate_acc(good)) == [1]
    late = hand_made(DELEGATE, act=[handed], cues=cues, say=say, voice=[(4.3, 4.8)])
    assert notes(answering.delegate_acc(late)) == ["result_not_spoken"]
    other = trace.Call(name="<delegate>", text="who was", start_s=1.7, end_s=2.0)
    wrong = hand_made(DELEGATE, act=[other], cues=cues, say=say, voice=[(3.5, 4.0)])
    assert notes(answering.delegate_acc(wrong)) == ["not_delegated"]


# Numbers


def test_statistics_and_intervals():
    wer = summarize([Outcome(value=1, of=4), Outcome(value=0, of=6)] * 50, "ratio", seed=0)
    assert wer.value == pytest.approx(0.1) and wer.n == 100
    assert wer.ci95 and 0.06 < wer.ci95[0] < 0.1 < wer.ci95[1] < 0.14
    times = [Outcome(value=v) for v in (0.4, 0.5, 9.0)]
    late = summarize([*times, Outcome(value=None, notes=("no_response",))], "median", seed=0)
    assert (late.value, late.n, late.extra) == (0.5, 4, {"no_response": 0.25})
    assert summarize([], "ratio", seed=0).value is None
    assert summarize([Outcome(value=3.0), Outcome(value=2.0)], "sum", seed=0).value == 5
    again = summarize([Outcome(value=1, of=4), Outcome(value=0, of=6)] * 50, "ratio", seed=0)
    assert again == wer


def test_rows_pass_on_their_own_side():
    assert ROWS["heard_wer"].passes(0.05) and not ROWS["heard_wer"].passes(0.07)
    assert ROWS["answer_acc"].passes(0.95) and not ROWS["answer_acc"].passes(None)
    assert ROWS["read_aloud_acc_unseen"].passes(0.1) is None
    assert choose_rows(None) == list(CORE) and {*ROWS} == {row.name for row in (*CORE, *SERVE)}
    with pytest.raises(ConfigError, match=r"no row x.*heard_wer, "):
        choose_rows(["x"])


def test_reports_are_written_whole_and_read_back(tmp_path):
    score = summarize([Outcome(value=1), Outcome(value=0)], "ratio", seed=0)
    rows = {"answer_acc": report.entry(ROWS["answer_acc"], score, {"silent": 0.0, "perfect": 1.0})}
    made = {"suite": "core", "model": "xs", "seed": 1, "num_items": 2, "commit": "abc"}
    made["rows"] = rows
    report.write_json(tmp_path / "r.json", made)
    assert report.read_json(tmp_path / "r.json") == made
    page = report.markdown(made, "interplay bench")
    assert "| answer_acc | 50 % | 0 – 100 | ≥ 90 % | fail | 2 | 0 % |" in page
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(RecordError, match="lacks suite"):
        report.read_json(tmp_path / "bad.json")


def test_macro_averages_groups_not_items():
    outcomes = [Outcome(value=1, group="a")] * 9 + [Outcome(value=0, group="b")]
    assert summarize(outcomes, "ratio", 0).value == pytest.approx(0.9)
    score = summarize(outcomes, "macro", 0)
    assert score.value == pytest.approx(0.5) and score.ci95 == pytest.approx((0.5, 0.5))
    assert summarize(outcomes, "macro", 0, weights={"a": 3, "b": 1}).value == pytest.approx(0.75)
    assert summarize([], "macro", 0).value is None
    mixed = [Outcome(value=k % 2, group="a") for k in range(40)]
    low, high = summarize(mixed, "macro", 0).ci95 or (0, 0)
    assert low < 0.45 and high > 0.55
