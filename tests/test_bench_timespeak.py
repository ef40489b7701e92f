"""TimeSpeak-open: content by rule, binding, scores by hand, items, trivial systems, export."""

import hashlib
import json
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import soundfile
from bench_helpers import INTERRUPT, Fixed, beep, hand_made, item, said, value_in
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.bench import publish
from interplay.bench.playing.logical_clock import play
from interplay.bench.scoring import moments
from interplay.bench.suites import timespeak as suite
from interplay.bench.systems.oracle import Oracle
from interplay.bench.traces.trace import Trace
from interplay.bench.wording import rules, spelling
from interplay.data import timespeak
from interplay.data.families.timers import parse_every, parse_timer
from interplay.data.item import Item, Speak
from interplay.data.moments import Moment, Plan, Stretch, plan_of, window_hi_s
from interplay.data.speech import Utterance
from interplay.data.texts.questions import split_of
from interplay.errors import ConfigError, DeviceError

QUIET = Stretch(after=0, from_s=4.0)
CUE_END_S = 1.5  # of the first cue in hand-made traces


def due(text: str, due_s: float, **kwargs) -> Moment:
    window: dict[str, Any] = {"lo_s": -0.5, "hi_s": window_hi_s(due_s)}
    words = tuple(text.split())
    return Moment(after=0, due_s=due_s, any=(words,), meaning=text, **window | kwargs)


def planned(*dues: Moment, probe: int | None = 0, family: str = "F1", **kwargs) -> Item:
    plan = Plan(family=family, moments=dues, probe=probe, **kwargs)
    base = item(said("say it"), said("stop"), length_s=40.0, kind="timespeak")
    return replace(base, subset=family, about=plan.about())


def spoken(what: Item, *said_at: tuple[str, float], **kwargs) -> Trace:
    """Every text sounds for 0.4 s; its words come out 0.2 s before."""
    say = [(word, at - 0.2) for text, at in said_at for word in text.split()]
    voice = [(at, at + 0.4) for _, at in said_at]
    cues = {"cues": ((0.5, CUE_END_S), None)} | kwargs
    return hand_made(what, say=say, voice=voice, **cues)


def value(traces: Trace | list[Trace], row: str) -> float | None:
    traces = traces if isinstance(traces, list) else [traces]
    [found] = [r for r in suite.ROWS if r.name == row]
    return value_in(found, suite.score(traces)[row])


# Content


@pytest.mark.parametrize(
    ("words", "wanted", "fuzzy", "right"),
    [
        ("okay the kettle is ready now", [["kettle"], ["water", "ready"]], False, True),
        ("your water is ready", [["kettle"], ["water", "ready"]], False, True),
        ("your water is", [["kettle"], ["water", "ready"]], False, False),
        ("8", [["eight"]], False, True),
        ("eight", [["8"]], False, True),
        ("twenty-one", [["21"]], False, True),
        ("twenty one seconds", [["twenty"]], False, False),
        ("one hundred and five", [["105"]], False, True),
        ("five four", [["four"]], False, True),
        ("gray", [["grey"]], False, True),
        ("The color, please!", [["colour"]], False, True),
        ("helena", [["helen"]], True, True),
        ("helena", [["helen"]], False, False),
        ("cap", [["cat"]], True, False),  # too short to be near
        ("", [["tea"]], False, False),
        ("tea", [[]], False, False),
    ],
)
def test_content_by_rule(words, wanted, fuzzy, right):
    assert rules.says(words.split(), wanted, fuzzy=fuzzy) is right


def test_numbers_are_one_token_each():
    assert spelling.canonical("forty two minus nineteen is 23") == ["42", "minus", "19", "is", "23"]
    assert spelling.canonical("one hundred two hundred") == ["102", "100"]
    assert spelling.canonical("twenty eleven") == ["20", "11"]


@settings(deadline=None)
@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_one_edit_is_edit_distance(one: str, other: str):
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    assert spelling.one_edit(one, other) == (row[-1] <= 1)


# Time


def test_the_window_is_half_a_second_early_and_one_and_a_half_late():
    tea = planned(due("tea", 8.0))
    for at_s, hit in [(9.0, 1), (8.97, 0), (9.5, 1), (11.0, 1), (11.03, 0)]:
        assert value(spoken(tea, ("tea", at_s)), "timespeak_probe") == 100 * hit, at_s
    assert [window_hi_s(seconds) for seconds in (1, 10, 20, 30)] == [1.5, 1.5, 3.0, 4.5]
    late = planned(due("tea", 20.0))
    assert value(spoken(late, ("tea", 24.4)), "timespeak_probe") == 100
    assert value(spoken(late, ("tea", 24.6)), "timespeak_probe") == 0


def test_why_a_probe_was_missed_is_told():
    tea = planned(due("tea", 8.0))
    for said_at, note in [
        ([], "no_response"),
        ([("milk", 9.5)], "wrong_words"),
        ([("tea", 4.0)], "too_early"),
        ([("tea", 14.0)], "too_late"),
        ([("tea", 4.0), ("tea", 14.0)], "at_another_time"),
    ]:
        [outcome] = suite.score([spoken(tea, *said_at)])["timespeak_probe"]
        assert (outcome.value, outcome.notes, outcome.group) == (0, (note,), "F1")
    [outcome] = suite.score([spoken(tea, cues=(None, None))])["timespeak_probe"]
    assert outcome.notes == ("cue_never_came",)


def test_silence_of_more_than_half_a_second_parts_utterances():
    tea = planned(due("tea", 8.0))
    near = hand_made(tea, voice=[(8.0, 8.4), (8.9, 9.3)], cues=((0.5, 1.5), None))
    far = hand_made(tea, voice=[(8.0, 8.4), (8.92, 9.3)], cues=((0.5, 1.5), None))
    assert len(moments.utterances(near, 0.5)) == 1 and len(moments.utterances(far, 0.5)) == 2
    assert len(moments.utterances(near, 0.3)) == 2
    # one utterance that began too early, although the word itself comes in time
    joined = spoken(tea, ("well", 8.7), ("tea", 9.4))
    assert value(joined, "timespeak_probe") == 0


def test_moments_and_utterances_are_bound_one_to_one_the_nearest_first():
    beats = planned(due("tea", 4.0), due("tea", 6.0), probe=1)
    reading = moments.read(spoken(beats, ("tea", 7.4)))  # 5.5 and 7.5 are due
    assert reading.bound == (None, 0)
    reading = moments.read(spoken(beats, ("tea", 6.9), ("tea", 7.9)))
    assert reading.bound == (0, 1)
    assert [reading.error_s(k) for k in (0, 1)] == [pytest.approx(1.4), pytest.approx(0.4)]


def test_jitter_of_an_oracle_is_scored_as_the_normal_distribution_says():
    rng, tea = np.random.default_rng(5), replace(planned(due("tea", 2.0)), length_s=6.0)
    traces = [spoken(tea, ("tea", 3.5 + 0.3 * error)) for error in rng.standard_normal(600)]
    outcomes, normal = suite.score(traces), NormalDist(sigma=0.3)
    for row, low, high in [
        ("timespeak_probe", -0.5, 1.5),
        ("timespeak_within_025_s", -0.25, 0.25),
        ("timespeak_within_05_s", -0.5, 0.5),
        ("timespeak_within_1_s", -1, 1),
    ]:
        share = normal.cdf(high) - normal.cdf(low)
        spread = 100 * (share * (1 - share) / 600) ** 0.5
        shown = next(r for r in suite.ROWS if r.name == row)
        found = value_in(shown, outcomes[row])
        assert found is not None and abs(found - 100 * share) < 3.5 * spread + 0.5, row


def test_errors_and_drift_by_hand():
    dues = [due("tea", 3.0 * k, beat=k, hi_s=1.5) for k in (1, 2, 3, 4)]
    played = planned(*dues, family="F2", probe=1)
    at_s = [(CUE_END_S + 3.0 * k + 0.1 * k) for k in (1, 2, 3, 4)]  # 0.1 s later with every beat
    trace = spoken(played, *(("tea", t) for t in at_s))
    assert value(trace, "timespeak_drift") == pytest.approx(0.1, abs=0.005)
    assert value(trace, "timespeak_error_median_s") == pytest.approx(0.25, abs=0.01)
    assert value(trace, "timespeak_all") == 100
    two = spoken(played, *(("tea", t) for t in at_s[:2]))
    assert value(two, "timespeak_drift") is None and value(two, "timespeak_all") == 50


def test_strict_wants_everything_and_nothing_else():
    ack = Stretch(after=0, until=0, to_s=2.5)
    quiet = Stretch(after=1, from_s=2.0)
    what = planned(
        due("tea", 8.0),
        due("milk", 12.0),
        acks=(ack, Stretch(after=1, until=1, to_s=2.5)),
        quiet=(quiet,),
        taken_back=(due("milk", 16.0),),
    )
    cues = ((0.5, 1.5), (15.0, 15.4))
    right = [("tea", 9.5), ("milk", 13.6)]
    for extra, strict in [
        ([], 100),
        ([("okay", 2.0)], 100),  # acknowledged
        ([("tea", 2.0)], 0),  # acknowledged with the content itself
        ([("okay", 6.0)], 0),  # out of nothing
        ([("well", 9.0 + 1.9)], 100),  # in a window
        ([("okay", 16.0)], 100),  # the stop is acknowledged
        ([("milk", 17.3)], 0),  # cancelled
        ([("okay", 18.0)], 0),  # where silence is wanted
    ]:
        trace = spoken(what, *sorted([*right, *extra], key=lambda pair: pair[1]), cues=cues)
        assert value(trace, "timespeak_probe") == 100
        assert value(trace, "timespeak_strict") == strict, extra
    assert value(spoken(what, right[0], cues=cues), "timespeak_strict") == 0
    obeyed = [
        value(spoken(what, *right, *extra, cues=cues), "timespeak_obeys")
        for extra in ([], [("milk", 17.3)], [("no", 18.0)])
    ]
    assert obeyed == [1, 0, 0]
    assert value(spoken(what, ("tea", 2.0), cues=cues), "timespeak_premature") == 1


# Items


def test_items_are_the_same_for_ever_and_hold_in_json():
    items = timespeak.items(4, 0)
    assert items == timespeak.items(4, 0) and items != timespeak.items(4, 1)
    assert timespeak.items(2, 0)[:2] == items[:2], "more items do not change the first ones"
    assert len({i.seed for i in items}) == len(items) == 44
    assert {i.subset for i in items} == {*suite.FAMILIES, *suite.BESIDE, "NEG"}
    for what in items:
        again = json.loads(json.dumps(what.about))
        plan = plan_of(replace(what, about=again))
        assert plan == plan_of(what) and plan.family == what.subset
        if plan.family == "NEG":
            assert plan.probe is None and not plan.moments and plan.taken_back and plan.quiet
            continue
        assert plan.probe is not None and plan.probe < len(plan.moments)
        assert all(m.after < len(what.cues) - 1 for m in plan.moments)


def test_half_of_the_first_families_is_in_the_wording_of_the_training():
    trained = {"F1": 0, "F2": 0}
    for what in timespeak.items(40, 0)[:80]:
        cue, plan = what.cues[0], plan_of(what)
        assert isinstance(cue, Speak)
        first = plan.moments[0]
        known = first.due_s <= 20  # there is no word for more in the small vocabulary
        if cue.text.startswith("say ") and plan.family == "F1" and known:
            words, seconds = parse_timer(cue.text)
            trained["F1"] += 1
            assert (words, seconds) == (first.meaning, first.due_s) and split_of(words) == "test"
        if cue.text.startswith("remind me to ") and cue.text.endswith(" seconds"):
            trained["F2"] += 1
            assert parse_every(cue.text) == (first.meaning, first.due_s)
    assert 8 <= trained["F1"] <= 25 and 12 <= trained["F2"] <= 28


def test_every_text_can_be_spoken():
    for what in timespeak.items(6, 2):
        for cue in what.cues:
            if isinstance(cue, Speak):
                assert all(word.isalpha() and word.islower() for word in cue.text.split())


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, float | None]]:
    all_items = suite.twin(2, 0)
    few = all_items[::2] + [what for what in all_items[1::2] if what.subset == "F8"]
    found = {}
    for name in ("silent", "echo", "immediate", "half_duplex", "perfect"):
        items = all_items if name == "perfect" else few  # a turn-taker answers one of two of F8
        outcomes = suite.score(list(play(items, Oracle(name, beep, "own"), beep)))
        assert set(outcomes) == {row.name for row in suite.ROWS}
        found[name] = {row.name: value_in(row, outcomes[row.name]) for row in suite.ROWS}
    return found


def test_a_perfect_system_has_everything(tables):
    perfect = tables["perfect"]
    for row in ("probe", "micro", "strict", "all", *(name.lower() for name in suite.FAMILIES)):
        assert perfect[f"timespeak_{row}"] == 100, row
    assert perfect["timespeak_longer"] == 100
    assert perfect["timespeak_premature"] == 0
    assert perfect["timespeak_obeys"] == perfect["timespeak_neg"] == 1
    assert abs(perfect["timespeak_drift"]) < 0.01


def test_trivial_systems_have_nothing_that_is_not_theirs(tables):
    for name in ("silent", "echo"):
        assert tables[name]["timespeak_probe"] == tables[name]["timespeak_strict"] == 0, name
    assert tables["silent"]["timespeak_no_response"] == tables["silent"]["timespeak_neg"] == 1
    assert tables["silent"]["timespeak_error_median_s"] is None
    assert all(tables[name]["timespeak_longer"] == 0 for name in tables if name != "perfect")
    for name in ("half_duplex", "immediate"):  # only answers to the questions of F8
        assert tables[name]["timespeak_f8"] == 50
        assert tables[name]["timespeak_probe"] == pytest.approx(50 / 9)


def test_jitter_is_the_same_for_ever_and_has_its_size():
    items = timespeak.items(4, 0)[:4]  # F1: one due utterance each
    errors = []
    for _ in range(2):
        traces = play(items, Oracle("jitter", beep, "own"), beep)
        errors.append(sorted(suite.moments.read(trace).error_s(0) or 0.0 for trace in traces))
    assert errors[0] == errors[1] and len(set(errors[0])) == 4
    assert 0.05 < max(map(abs, errors[0])) < 1.2


# Judged


def test_a_judge_decides_about_the_meaning_and_the_rule_about_the_time():
    what = planned(due("the kettle is ready", 8.0))
    judge = Fixed('{"meaning": true, "timing": false}')
    judged = suite.judged(judge)
    cases = [("your water boils", 9.5, 100), ("your water boils", 5.0, 0)]
    for text, at_s, wanted in cases:
        found = judged.score([spoken(what, (text, at_s))])
        assert [o.value for o in found["timespeak_probe_judged"]] == [wanted]
        assert [o.value for o in found["timespeak_micro_judged"]] == [wanted]
        assert [o.value for o in found["timespeak_probe"]] == [0], "other words, by rule"
    [asked] = judge.asked
    assert "* 9.50 your water boils" in asked and "Span: 9.00 to 11.00" in asked
    assert list(found) == [row.name for row in judged.rows]
    [outcome] = suite.judged(Fixed("?")).score([spoken(what, ("a", 9.5))])["timespeak_probe_judged"]
    assert outcome.of == 0 and "judge_nonsense" in outcome.notes
    assert {each.row for each in suite.SUITE.published} == {"timespeak_probe_judged"}


def test_a_cancelled_timer_wants_silence():
    back = due("tea", 8.0)
    what = planned(family="NEG", probe=None, taken_back=(back,), quiet=(QUIET,))
    for said_at, right in (((), 1), ((("okay", 2.0),), 1), ((("tea", 9.5),), 0)):
        found = suite.score([spoken(what, *said_at)])
        assert [o.value for o in found["timespeak_neg"]] == [right], said_at
        assert found["timespeak_probe"] == found["timespeak_obeys"] == []
    assert suite.judged(Fixed("?")).score([spoken(what)])["timespeak_probe_judged"] == []


def test_the_mean_error_has_its_sign():
    what = planned(due("tea", 4.0), due("cake", 8.0))
    played = spoken(what, ("tea", 5.3), ("cake", 9.9))
    assert value(played, "timespeak_error_mean_s") == pytest.approx(0.1, abs=0.011)


# Export


def with_pauses(text: str, voice: str) -> Utterance:
    made = beep(text, voice)
    return Utterance(
        text=text, voice=voice, engine="beep", samples=made.samples, words=made.words, phones=[]
    )


def test_items_become_files_that_anybody_can_read(tmp_path):
    items = timespeak.items(1, 0)
    paths = publish.export(items, tmp_path, with_pauses)
    assert len(paths) == len(items) == len(list(tmp_path.rglob("*.wav"))) > 0
    for path, what in zip(paths, items, strict=True):
        read = json.loads(path.read_text())
        sound, rate = soundfile.read(path.parent / read["audio"], dtype="int16")
        assert rate == read["sr"] == 16_000 and len(sound) >= what.length_s * rate
        assert read["family"] == what.subset and read["seed"] == what.seed
        assert [line["text"] for line in read["script"]] == [
            c.text for c in what.cues if isinstance(c, Speak)
        ]
        for line in read["script"]:
            assert [word for word, *_ in line["words"]] == line["text"].split()
        if what.subset == "NEG":
            assert read["probe"] is None and read["expect"] == []
            continue
        probe = read["expect"][read["probe"]]
        assert probe["t"] == pytest.approx(
            read["anchor"] + plan_of(what).moments[read["probe"]].due_s, abs=1e-3
        )
    first = json.loads(paths[0].read_text())
    assert first["ack_until"] == pytest.approx(first["script"][0]["end"] + 2.5, abs=1e-3)
    before = {path: path.stat().st_mtime_ns for path in paths}
    assert publish.export(items, tmp_path, with_pauses) == paths
    assert before == {path: path.stat().st_mtime_ns for path in paths}


def test_what_cannot_be_exported_is_one_clear_line(tmp_path):
    with pytest.raises(ConfigError, match="waits for the system"):
        publish.rendered(INTERRUPT, with_pauses)
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match="name another folder"):
        publish.export(timespeak.items(1, 0)[:1], tmp_path / "file", with_pauses)


def test_a_hidden_seed_comes_from_a_secret_that_was_committed_to():
    secret = "not the real one"
    digest = hashlib.sha256(b"seed:not the real one").digest()
    assert publish.seed_of(secret) == int.from_bytes(digest, "big") >> (256 - 31)
    commitment = publish.commitment_of(secret)
    assert commitment == hashlib.sha256(b"commitment:not the real one").hexdigest()
    assert commitment != publish.commitment_of("not the real one ")
    assert timespeak.items(1, publish.seed_of(secret))[0].seed < 2**63
