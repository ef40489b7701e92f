"""The suite delegate: what is asked, bridged, told early, said and kept quiet about, by hand."""

import json
from dataclasses import asdict, replace

import pytest
from bench_helpers import beep, hand_made, item, notes, numbers, oracle_trace, said, values

from interplay.bench.playing.logical_clock import play
from interplay.bench.suites import delegate as suite
from interplay.bench.suites.delegate_twin import FAMILIES, KINDS, Result, results_of, twin
from interplay.bench.systems.oracle import Oracle
from interplay.bench.traces.trace import Call, Trace
from interplay.data.item import Delegate, Item, Say, Speak, Type, When
from interplay.data.texts.questions import split_of

ASKED = "how far is it to rome"
POOL = ["five", "nine", "seven", "two"]
PIECES = (
    Result(cue=1, text="five hours", facts=("five",)),
    Result(cue=2, text="or seven", facts=("seven",)),
)
CUES = ((0.5, 2.0), (5.0, 5.4), (9.0, 9.4))  # the question, its first and its second result


def scripted(*results: Result, subset: str = "pieces", cues=None) -> Item:
    comes = [Type(text=r.text, at=When(seconds=0.0), control="<result>") for r in results]
    what = item(
        *(cues or [said(ASKED), *comes]),
        kind="delegate",
        length_s=14.0,
        expect=[Delegate(words=ASKED, after=0)],
    )
    about = {"results": [asdict(result) for result in results], "pool": POOL}
    assert all(isinstance(what.cues[result.cue], Type) for result in results)
    return replace(what, subset=subset, about=about)


def trace_of(*parts: tuple[str, float], act=(), what: Item | None = None, cues=CUES) -> Trace:
    """Texts that begin at times, 0.3 s a word; each sounds 0.1 s later."""
    words = [(word, at + 0.3 * k) for text, at in parts for k, word in enumerate(text.split())]
    voice = [(at + 0.1, at + 0.1 + 0.3 * len(text.split())) for text, at in parts]
    calls = [Call(name="<delegate>", text=text, start_s=at, end_s=at + 0.4) for text, at in act]
    return hand_made(what or scripted(*PIECES), say=words, voice=voice, cues=cues, act=calls)


def value(trace: Trace, row: str) -> float | None:
    return numbers(suite.SUITE, [trace])[f"delegate_{row}"]


RIGHT = trace_of(("let me check", 2.4), ("five hours", 5.3), ("or seven", 9.5), act=[(ASKED, 2.2)])


def test_all_that_is_right():
    assert [value(RIGHT, row) for row in ("recall", "precision", "words", "said")] == [1] * 4
    assert value(RIGHT, "early_facts") == 0 and value(RIGHT, "bridged") == 1
    assert value(RIGHT, "bridge_s") == pytest.approx(0.5)
    assert value(RIGHT, "said_pieces") == 1 and value(RIGHT, "said_late") is None
    assert value(RIGHT, "stale") is value(RIGHT, "over_user") is None


def test_a_question_is_handed_over_within_three_seconds_whatever_its_words():
    for at, wanted in ((2.2, 1), (5.0, 1), (5.1, 0), (0.4, 0)):
        assert value(trace_of(act=[(ASKED, at)]), "recall") == wanted, at
    wrong = trace_of(act=[("how far is it to paris", 2.2)])
    assert value(wrong, "recall") == 1 and value(wrong, "words") == 0
    assert value(trace_of(), "recall") == 0 and value(trace_of(), "words") is None


def test_what_is_handed_over_again_or_without_need_is_not_precise():
    twice = trace_of(act=[(ASKED, 2.2), (ASKED, 3.0)])
    assert value(twice, "precision") == 0.5 and value(trace_of(), "precision") is None
    assert notes(suite.score([twice])["delegate_precision"]) == ["asked_again"]
    cues = [said(ASKED), *(said("thank you"),), Type(text="x", at=When(seconds=0))]
    talk = scripted(Result(cue=2, text="x", facts=()), subset="late", cues=cues)
    thanked = trace_of(act=[(ASKED, 2.2), ("thank you", 6.0)], what=talk)
    assert value(thanked, "precision") == 0.5 and value(thanked, "unneeded") == 1
    assert value(trace_of(act=[(ASKED, 2.2)], what=talk), "unneeded") == 0


def test_an_item_that_needs_nothing_counts_in_two_rows_only():
    what = replace(scripted(PIECES[0], subset="none"), expect=())
    act = [("two plus two", 2.4)]
    asked = trace_of(("five hours", 3.0), act=act, what=what, cues=CUES[:2])
    found = {name for name, outcomes in suite.score([asked]).items() if outcomes}
    assert found == {"delegate_precision", "delegate_unneeded"}
    assert value(asked, "unneeded") == 1 and value(asked, "precision") == 0


def test_a_bridge_comes_before_the_result_and_not_into_the_question():
    late = trace_of(("let me check", 5.2))
    assert value(late, "bridged") == 0 and value(late, "bridge_s") is None
    into = trace_of(("let me check", 1.6))
    assert notes(suite.score([into])["delegate_bridged"]) == ["premature"]
    assert value(into, "bridge_s") is None
    assert value(trace_of(), "bridged") == 0


@pytest.mark.parametrize(
    ("parts", "early"),
    [
        ([("five hours", 4.0)], ["five"]),  # right, by chance
        ([("nine hours", 4.0)], ["nine"]),  # another that could have stood there
        ([("let me check", 2.4), ("one moment", 3.6)], []),
        ([("five hours", 5.0), ("or seven", 6.0)], ["seven"]),  # of the second piece
        ([("five hours", 5.0), ("or seven", 9.0)], []),
        ([("nine hours", 10.0)], []),  # wrong, but not early
    ],
)
def test_a_fact_is_early_before_its_own_result(parts, early):
    trace = trace_of(*parts, act=[(ASKED, 2.2)])
    assert suite.early_facts(trace) == early
    assert value(trace, "early_facts") == bool(early)


def test_where_no_result_comes_every_fact_is_made_up():
    trace = trace_of(("five hours", 12.0), cues=(CUES[0], None, None))
    assert value(trace, "early_facts") == 1
    assert notes(suite.score([trace])["delegate_said"]) == ["never_came"] * 2


def test_results_are_said_whole_and_in_time():
    def check(*parts):
        trace = trace_of(*parts, act=[(ASKED, 2.2)])
        outcomes = suite.score([trace])["delegate_said"]
        return values(outcomes)[0], notes(outcomes)[0]

    only = ("or seven", 9.5)
    assert value(trace_of(("well five hours then", 5.3), only), "said") == 1
    assert check(("five days", 5.3), only) == (0, "wrong_words")
    assert check(("five hours", 7.5), only) == (0, "late")  # sounds at 7.6, arrived at 5.4
    assert value(trace_of(("five hours", 7.2), only), "said") == 1
    assert value(trace_of(("let me check that for you", 4.2), ("five hours", 7.6), only), "said")
    assert values(suite.score([trace_of()])["delegate_said"]) == [0, 0]


def test_a_result_into_the_users_speech_waits_for_its_end():
    result = Result(cue=2, text="five hours", facts=("five",), waits=1)
    cues = [said(ASKED), said("my cat is black"), Type(text="five hours", at=When(seconds=0))]
    what = scripted(result, subset="into", cues=cues)
    times = ((0.5, 2.0), (5.0, 7.6), (5.5, 5.9))
    waits = trace_of(("five hours", 8.0), act=[(ASKED, 2.2)], what=what, cues=times)
    assert value(waits, "said_into") == 1 and value(waits, "over_user") == 0
    over = trace_of(("five hours", 6.0), act=[(ASKED, 2.2)], what=what, cues=times)
    assert value(over, "said_into") == 0 and value(over, "over_user") == 1
    late = trace_of(("five hours", 9.6), act=[(ASKED, 2.2)], what=what, cues=times)
    assert value(late, "said_into") == 0


def test_what_is_out_of_date_is_not_said():
    result = Result(cue=1, text="five hours", facts=("five",), wanted=False)
    what = scripted(result, subset="stale")
    cues = CUES[:2]
    assert value(trace_of(("five hours", 5.4), what=what, cues=cues), "stale") == 1
    assert value(trace_of(("five hours", 3.0), what=what, cues=cues), "stale") == 0, "early"
    assert value(trace_of(("okay", 5.4), what=what, cues=cues), "stale") == 0
    assert value(trace_of(what=what, cues=(CUES[0], None)), "stale") is None, "it never came"
    assert value(trace_of(what=what, cues=cues), "said") is None


def test_items_are_the_same_for_ever_and_hold_in_json():
    items = twin(2, 0)
    assert items == twin(2, 0) and items != twin(2, 1)
    assert [what.subset for what in items] == [name for name in FAMILIES for _ in range(2)]
    for what in items:
        stored = replace(what, about=json.loads(json.dumps(what.about)))
        assert results_of(stored) == results_of(what)


def test_questions_are_held_out_and_facts_are_told_apart():
    for what in twin(4, 1):
        spoken = [cue.text for cue in what.cues if isinstance(cue, Speak)]
        if what.subset == "none":
            assert not what.expect
            continue
        assert split_of(spoken[0]) == "test"
        assert any(spoken[0].startswith(kind.begins) for kind in KINDS)
        results = results_of(what)
        facts = [fact for result in results for fact in result.facts]
        assert len(set(facts)) == len(facts) and {*facts} <= {*what.about["pool"]}
        others = {e.text[0] for e in what.expect if isinstance(e, Say)} - {r.text for r in results}
        told = {word for text in (*others, spoken[0]) for word in text.split()}
        assert not told & {*what.about["pool"]}


@pytest.mark.parametrize(
    ("who", "wanted"),
    [
        ("always", {"recall": 0, "precision": None, "bridged": 0, "said": 0, "stale": None}),
        ("perfect", {"precision": 1, "unneeded": 0, "words": 1, "over_user": 0, "stale": 0}),
    ],
)
def test_trivial_systems(who, wanted):
    traces = list(play(twin(1, 0), Oracle(who, beep, "own"), beep))
    found = numbers(suite.SUITE, traces)
    for row, expected in wanted.items():
        assert found[f"delegate_{row}"] == pytest.approx(expected, abs=0.03), row


def test_an_oracle_hears_of_a_result_when_it_has_come():
    [what] = [each for each in twin(1, 0) if each.subset == "into"]
    trace = oracle_trace("perfect", what)
    [result] = results_of(what)
    speech = trace.cues[result.waits or 0]
    assert speech is not None
    arrived = trace.cues[result.cue]
    assert arrived is not None and speech[0] < arrived[0] < speech[1]
