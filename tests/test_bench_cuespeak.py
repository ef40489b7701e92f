"""CueSpeak-open: windows, overlap and alarms by hand, items, trivial systems."""

import json
from dataclasses import replace

import pytest
from bench_helpers import Fixed, beep, hand_made, item, said, value_in

from interplay.bench import publish
from interplay.bench.playing.logical_clock import play
from interplay.bench.scoring import moments
from interplay.bench.suites import cuespeak as suite
from interplay.bench.systems.oracle import Oracle
from interplay.bench.traces.trace import Trace
from interplay.data import cuespeak
from interplay.data.item import Item, Speak
from interplay.data.moments import Moment, Plan, Stretch, plan_of
from interplay.data.speech import synthesize
from interplay.data.texts import claims, cuewords, vocabulary

CUES = ((0.5, 2.0), (5.0, 8.0), (8.1, 9.5), (9.6, 14.0))  # instruction, talk, second cue, talk
SPEECH = tuple(("word", start_s, end_s) for start_s, end_s in CUES)
ACK = Stretch(after=0, until=0, to_s=2.5)
MONOLOGUE = Stretch(after=0, from_s=2.5, until=3)


def cue(after: int, text: str = "yellow", again: bool = False) -> Moment:
    return Moment(
        after=after, due_s=0.0, lo_s=-0.1, hi_s=2.0, any=((text,),), meaning=text, again=again
    )


def planned(*dues: Moment, family: str = "C1") -> Item:
    plan = Plan(
        family=family,
        moments=dues,
        probe=None if family.startswith("NEG") else 0,
        acks=(ACK,),
        gap_s=0.3,
        monologue=MONOLOGUE,
    )
    base = item(*[said("word")] * 4, length_s=20.0, kind="cuespeak")
    return replace(base, subset=family, about=plan.about())


def spoken(what: Item, *said_at: tuple[str, float, float]) -> Trace:
    """(text, start, end) of what sounds."""
    trace = hand_made(
        what,
        say=[(word, start_s) for text, start_s, _ in said_at for word in text.split()],
        voice=[(start_s, end_s) for _, start_s, end_s in said_at],
        cues=CUES,
    )
    return replace(trace, user_words=SPEECH)


def value(traces: Trace | list[Trace], row: str) -> float | None:
    traces = traces if isinstance(traces, list) else [traces]
    [found] = [r for r in suite.ROWS if r.name == suite.named(row)]
    return value_in(found, suite.score(traces)[found.name])


def test_the_window_runs_from_a_tenth_before_to_two_seconds_after_the_cue():
    one = planned(cue(1))  # its cue ends at 8.0
    for start_s, hit in [(7.88, 0), (7.91, 1), (8.4, 1), (10.0, 1), (10.03, 0)]:
        trace = spoken(one, ("yellow", start_s, start_s + 0.5))
        assert value(trace, suite.HEADLINE) == 100 * hit, start_s
        assert value(trace, "c1") == value(trace, "micro") == 100 * hit
    assert value(spoken(one, ("purple", 8.4, 8.9)), suite.HEADLINE) == 0
    assert value(spoken(one, ("yellow", 8.4, 8.9)), "latency_p50_s") == pytest.approx(0.4)
    late = [spoken(one, ("yellow", 8.0 + k / 10, 9.9)) for k in range(11)]
    assert value(late, "latency_p90_s") == pytest.approx(0.9, abs=0.011)


def test_a_judge_decides_about_the_meaning_of_what_is_over_the_user():
    one, judge = planned(cue(1)), Fixed('{"meaning": true, "timing": true}')
    judged = suite.judged(judge)
    for start_s, wanted, num_asked in ((8.4, 100, 1), (10.3, 0, 1)):
        found = judged.score([spoken(one, ("golden", start_s, start_s + 0.5))])
        assert [o.value for o in found["cuespeak_judged"]] == [wanted], start_s
        assert [o.value for o in found["cuespeak"]] == [0]
        assert len(judge.asked) == num_asked
    assert list(found) == [row.name for row in judged.rows]
    after = replace(spoken(one, ("golden", 9.7, 9.9)), user_words=SPEECH[:3])
    [outcome] = judged.score([after])["cuespeak_judged"]
    assert (outcome.value, outcome.notes) == (0, ("nothing_in_time",)), "the user had finished"
    assert {each.row for each in suite.SUITE.published} == {"cuespeak_judged"}


def test_a_hit_sounds_over_the_users_speech():
    last = planned(cue(2))  # ends at 9.5; the user then speaks from 9.6 to 14
    early = replace(spoken(last, ("yellow", 10.0, 10.5)), user_words=(("word", 9.0, 10.15),))
    [outcome] = suite.score([early])["cuespeak"]
    assert (outcome.value, outcome.notes) == (0, ("not_over_the_user",))
    assert value(early, "overlap") == 0 and value(early, "post_turn") == 0
    enough = replace(early, user_words=(("word", 9.0, 10.21),))
    assert value(enough, suite.HEADLINE) == 100 and value(enough, "overlap") == 1
    short = spoken(last, ("yellow", 10.0, 10.12))
    assert value(short, suite.HEADLINE) == 100, "all of a short word is enough"


def test_gaps_in_the_users_speech_are_closed_below_three_tenths():
    trace = spoken(planned(cue(1)))
    assert moments.user_speech(trace) == [(0.5, 2.0), (5.0, 14.0)]
    apart = replace(trace, user_words=(("a", 0.0, 1.0), ("b", 1.31, 2.0), ("c", 2.29, 3.0)))
    assert moments.user_speech(apart) == [(0.0, 1.0), (1.31, 3.0)]


def test_answers_after_the_turn_are_no_hits_but_are_counted():
    two = planned(cue(1), cue(2))
    late = spoken(two, ("yellow", 14.9, 15.4))  # one utterance for both cues
    assert value(late, "post_turn") == 1 and value(late, "hit") == 0
    assert value(spoken(two, ("yellow", 8.4, 8.9), ("yellow", 14.9, 15.4)), "post_turn") == 0.5
    assert value(spoken(two, ("yellow", 13.0, 13.5)), "post_turn") == 0


def test_strict_wants_every_cue_and_nothing_else():
    two = planned(cue(1), cue(2))
    right = [("yellow", 8.4, 8.9), ("yellow", 9.9, 10.4)]
    assert value(spoken(two, *right), "strict") == value(spoken(two, *right), "hit") == 100
    assert value(spoken(two, ("okay", 2.4, 2.8), *right), "strict") == 100
    assert value(spoken(two, ("yellow", 2.4, 2.8), *right), "strict") == 0
    assert value(spoken(two, *right, ("okay", 12.0, 12.5)), "strict") == 0
    assert value(spoken(two, right[0]), "strict") == 0 and value(spoken(two, right[0]), "hit") == 50


def test_a_cue_during_an_own_utterance_shows_whether_the_system_listens():
    pair = planned(cue(1), cue(2, again=True))
    both = spoken(pair, ("yellow", 8.4, 8.9), ("yellow", 9.9, 10.4))
    deaf = spoken(pair, ("yellow", 8.4, 8.9))
    slow = spoken(pair, ("yellow", 9.9, 10.4))  # never spoke before: says nothing about hearing
    assert [value(t, "still_listening") for t in (both, deaf)] == [1, 0]
    assert suite.score([slow])["cuespeak_still_listening"] == []
    assert value([both, deaf, slow], "still_listening") == 0.5


def test_false_alarms_per_minute_by_hand():
    """The turn without a cue is from 4.5 to 14.0: 9.5 s."""
    nothing = planned(family="NEG1")
    quiet = spoken(nothing, ("okay", 2.3, 2.9))
    one = spoken(nothing, ("yellow", 6.0, 6.5))
    all_the_time = spoken(nothing, ("la", 0.0, 19.9))
    for trace, alarms, over_s in [(quiet, 0, 0), (one, 1, 0.5), (all_the_time, 1, 9.5)]:
        assert value(trace, "false_alarms_per_min") == pytest.approx(alarms * 60 / 9.5)
        assert value(trace, "talks_over") == pytest.approx(over_s / 9.5, abs=0.002)
        assert value(trace, "neg1") == float(not alarms)
        assert suite.score([trace])["cuespeak"] == []
    assert value([quiet, one], "false_alarms_per_min") == pytest.approx(60 / 19)
    revoked = planned(cue(1), family="NEG3")
    assert value(spoken(revoked, ("yellow", 8.4, 8.9)), "neg3") == 1, "that one was asked for"


# Items


def test_items_are_the_same_for_ever_and_hold_in_json():
    items = cuespeak.items(3, 0)
    assert items == cuespeak.items(3, 0) and items != cuespeak.items(3, 1)
    assert len({what.seed for what in items}) == len(items) == 45
    assert {what.subset for what in items} == {*suite.FAMILIES, *suite.NEGATIVE, *suite.OF_A_KIND}
    for what in items:
        plan = plan_of(replace(what, about=json.loads(json.dumps(what.about))))
        assert plan == plan_of(what) and plan.monologue is not None
        assert (plan.probe is None) == plan.family.startswith("NEG")


def test_things_of_a_kind_are_counted_and_others_are_not():
    for what in cuespeak.items(6, 0):
        plan = plan_of(what)
        if plan.family not in suite.OF_A_KIND:
            continue
        asked, *texts = [cue.text for cue in what.cues if isinstance(cue, Speak)]
        [kind] = [k for k, s in claims.PLURAL.items() if {k, s} & set(asked.split())]
        members = claims.KINDS_OF_THINGS[kind]
        named = [number for number, text in enumerate(texts, 1) if set(text.split()) & set(members)]
        right = [moment.meaning for moment in plan.moments]
        if plan.family == "QUIET":
            assert right == [vocabulary.NUMBERS[len(named)]]
            assert plan.moments[0].after == len(texts) > named[-1]
        else:
            assert [moment.after for moment in plan.moments] == named
            assert not set(right) & {*members}
        if plan.family == "STORY":
            assert right == ["one", "two", "three"]


def test_what_is_said_besides_counts_against_things_of_a_kind():
    counted = planned(cue(1), family="STORY")  # its cue ends at 8.0
    assert value(spoken(counted, ("yellow", 8.4, 8.9)), "story") == 100
    assert value(spoken(counted, ("yellow", 8.4, 8.9), ("two", 11.0, 11.4)), "story") == 50
    late = spoken(planned(cue(2), family="STORY"), ("yellow", 14.5, 14.9))
    assert value(late, "story") == 0
    found = suite.score([spoken(counted, ("yellow", 8.4, 8.9))])
    assert not found["cuespeak"] and not found["cuespeak_strict"]


def test_near_misses_are_no_cues_and_answers_are_not_said_by_the_user():
    assert set(cuewords.NEAR_MISS) == {word for word, _ in cuewords.KEYWORDS}
    for word, others in cuewords.NEAR_MISS.items():
        assert word not in others and len(others) == 3
    for what in cuespeak.items(8, 0):
        plan = plan_of(what)
        texts = [cue.text for cue in what.cues if isinstance(cue, Speak)]
        if plan.family == "NEG1":
            word = texts[0].split()[3]
            assert not any(word in text.split() for text in texts[1:])
        if plan.family in ("C1", "C4", "C7"):
            for moment in plan.moments:
                assert not set(moment.any[0]) & set(texts[moment.after].split()), texts


def test_every_cue_lies_well_inside_the_turn():
    """With real voices: three seconds of speech follow, without a pause of 0.3 s."""
    for what in cuespeak.items(1, 5):
        trace = publish.rendered(what, synthesize)
        speech, plan = moments.user_speech(trace), plan_of(what)
        if plan.family == "QUIET":  # a question, which ends the turn
            continue
        assert max(end_s for _, end_s in speech) < trace.length_s - 2.0
        for moment in plan.moments:
            span = trace.cues[moment.after]
            assert span is not None
            [turn] = [(s, e) for s, e in speech if s < span[1] <= e]
            assert turn[1] - span[1] >= 3.0, plan.family
            if moment.again:
                before = trace.cues[plan.moments[plan.moments.index(moment) - 1].after]
                assert before is not None and span[1] - before[1] < 2.0


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, float | None]]:
    items = suite.twin(1, 0)
    found = {}
    for name in ("silent", "always", "metronome", "half_duplex", "perfect"):
        outcomes = suite.score(list(play(items, Oracle(name, beep, "own"), beep)))
        assert set(outcomes) == {row.name for row in suite.ROWS}
        found[name] = {
            row.name.removeprefix("cuespeak").removeprefix("_"): value_in(row, outcomes[row.name])
            for row in suite.ROWS
        }
    return found


def test_a_perfect_system_has_everything(tables):
    perfect = tables["perfect"]
    for row in (
        suite.HEADLINE,
        "micro",
        "strict",
        "hit",
        *(name.lower() for name in suite.FAMILIES),
    ):
        assert perfect[row] == 100, row
    assert [perfect[name.lower()] for name in suite.OF_A_KIND] == [100] * 3
    assert perfect["overlap"] == 1 and perfect["post_turn"] == 0
    assert perfect["false_alarms_per_min"] == perfect["talks_over"] == 0
    assert 0.3 < perfect["latency_p50_s"] < 0.5


def test_a_turn_taker_answers_everything_too_late(tables):
    turn_taker = tables["half_duplex"]
    assert turn_taker[suite.HEADLINE] == turn_taker["strict"] == turn_taker["hit"] == 0
    assert turn_taker["story"] == turn_taker["category"] == 0
    assert turn_taker["quiet"] == 100, "that one is a question"
    assert turn_taker["post_turn"] == 1 and turn_taker["false_alarms_per_min"] == 0


def test_trivial_systems_have_nothing_that_is_not_theirs(tables):
    for name in ("silent", "always"):
        assert tables[name][suite.HEADLINE] == tables[name]["strict"] == 0
        assert {tables[name][part.lower()] for part in suite.OF_A_KIND} == {0}
    assert tables["silent"]["no_response"] == 1 and tables["silent"]["neg2"] == 1
    assert tables["always"]["talks_over"] > 0.97 and tables["always"]["neg1"] == 0
    assert tables["metronome"]["false_alarms_per_min"] > 25
    assert tables["metronome"]["strict"] == 0
