"""Full-Duplex-Bench as suites: our own items, the rule judge, what trivial systems must get."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from bench_helpers import RATE, Tone, hand_made, item, said, value_in, values

from interplay.bench.listening.vad import energy_spans
from interplay.bench.playing.logical_clock import play
from interplay.bench.scoring.score import summarize
from interplay.bench.suites import fdb1, fdb15, fdb15_clean, fdb15_twin, fdb_judge, fdb_twin
from interplay.bench.systems.oracle import Oracle
from interplay.data import overheard
from interplay.data.item import Clip, Noise, Speak

WORD_S = 0.4
SUITES = {"fdb1": fdb1.SUITE, "fdb15": fdb15.SUITE}


def slow(text: str, voice: str) -> Tone:
    """A stand-in for a synthesiser: every word is 0.4 s of a tone."""
    words = text.split()
    time = np.arange(int(WORD_S * RATE) * len(words)) / RATE
    times = [(word, WORD_S * i, WORD_S * (i + 1)) for i, word in enumerate(words)]
    return Tone(samples=(4000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16), words=times)


@cache
def result(suite: str, name: str) -> dict[str, Any]:
    """Row -> value of a trivial system on one of our own items per part."""
    made = SUITES[suite]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fdb_twin, "spoken", slow)
        items = made.twin(1, 0)
    outcomes = made.score(list(play(items, Oracle(name, slow, "own"), slow)))
    assert list(outcomes) == [row.name for row in made.rows]
    return {row.name: value_in(row, outcomes[row.name]) for row in made.rows}


# V1


def test_v1_of_who_is_silent():
    got = result("fdb1", "silent")
    takeovers = ("pause_takeover", "backchannel_takeover", "takeover", "interrupt_takeover")
    for row in (*takeovers, "backchannel_freq"):
        assert got[f"fdb1_{row}"] == 0, row
    for row in ("latency_s", "interrupt_latency_s", "turn_negative", "interrupt_stop_s"):
        assert got[f"fdb1_{row}"] is None, row
    assert got["fdb1_backchannel_jsd"] == got["fdb1_no_response"] == 1


def test_v1_of_who_always_talks():
    got = result("fdb1", "always")
    takeovers = ("pause_takeover", "takeover", "interrupt_takeover")
    for row in (*takeovers, "turn_negative", "interrupt_talking"):
        assert got[f"fdb1_{row}"] == 1, row
    assert got["fdb1_latency_s"] == 0  # the clamp
    assert got["fdb1_latency_positive_s"] is None  # what it hides
    assert got["fdb1_interrupt_latency_s"] == 0
    assert got["fdb1_backchannel_takeover"] == got["fdb1_backchannel_jsd"] == 1
    assert got["fdb1_backchannel_freq"] == got["fdb1_no_response"] == 0
    assert got["fdb1_interrupt_stop_s"] > 1  # all of the interruption


def test_v1_of_who_does_everything_right():
    got = result("fdb1", "perfect")
    for row in ("takeover", "interrupt_takeover", "interrupt_talking"):
        assert got[f"fdb1_{row}"] == 1, row
    for row in ("pause_takeover", "backchannel_takeover", "turn_negative", "no_response"):
        assert got[f"fdb1_{row}"] == 0, row
    assert 0.2 <= got["fdb1_latency_s"] <= 0.6
    assert 0.1 <= got["fdb1_interrupt_stop_s"] <= 0.6
    assert got["fdb1_backchannel_freq"] > 0 and got["fdb1_backchannel_jsd"] < 0.8


def test_v1_of_a_turn_taker():
    got = result("fdb1", "half_duplex")
    assert got["fdb1_takeover"] == 1
    assert got["fdb1_latency_s"] == pytest.approx(0.9, abs=0.11)  # its timeout and 0.2 s
    assert got["fdb1_backchannel_freq"] == 0 and got["fdb1_backchannel_jsd"] == 1


def test_v1_pauses_of_the_published_sets_have_rows_of_their_own():
    about = {"part": "pause"}
    what = replace(item(said("hi")), about=about, subset="candor_pause_handling")
    other = replace(what, subset="synthetic_pause_handling")
    traces = [hand_made(what, voice=[(1, 3)]), hand_made(other, voice=[])]
    got = fdb1.score(traces)
    assert values(got["fdb1_pause_takeover"]) == [1, 0]
    assert values(got["fdb1_pause_takeover_candor"]) == [1]
    assert values(got["fdb1_pause_takeover_synthetic"]) == [0]


def test_v1_latency_by_hand():
    what = replace(item(said("hi"), length_s=9.0), about={"part": "turn", "cue": 0})
    cases = [
        ([(3.4, 5.0)], 0.4, 0.4, 0),
        ([(2.5, 5.0)], 0.0, None, 1),
        ([(3.4, 3.9)], None, None, None),  # too short for a turn
    ]
    for voice, clamped, positive, negative in cases:
        got = fdb1.score([hand_made(what, voice=voice, cues=((1.0, 3.0),))])
        for row, wanted in (("latency_s", clamped), ("latency_positive_s", positive)):
            value = summarize(got[f"fdb1_{row}"], "ratio", 0).value
            assert value == (wanted if wanted is None else pytest.approx(wanted)), (voice, row)
        assert values(got["fdb1_turn_negative"]) == ([] if negative is None else [negative])


# V1.5


@pytest.mark.parametrize(
    ("name", "average", "balanced"),
    [
        ("silent", 0, 0),
        ("always", 75, 50),
        ("deaf", 75, 50),
        ("always_yields", 25, 50),
        ("metronome", 0, 0),
        ("perfect", 100, 100),
    ],
)
def test_v15_of_trivial_systems(name, average, balanced):
    got = result("fdb15", name)
    assert got["fdb15_average"] == pytest.approx(average)
    assert got["fdb15_balanced"] == pytest.approx(balanced)
    assert got["fdb15_no_response"] == (1 if name == "silent" else pytest.approx(0, abs=0.76))


def test_v15_latencies_of_trivial_systems():
    perfect, deaf = result("fdb15", "perfect"), result("fdb15", "deaf")
    assert 0.1 <= perfect["fdb15_stop_latency_s"] <= 0.6 < deaf["fdb15_stop_latency_s"]
    assert 0.2 <= perfect["fdb15_response_latency_s"] <= 0.6
    assert deaf["fdb15_response_latency_s"] is None


def test_v15_average_needs_all_four_scenarios():
    traces = [hand_made(asked("user_backchannel"), voice=[(2, 9)], cues=((0.5, 1.5), (4, 4.4)))]
    got = fdb15.score(traces)
    assert values(got["fdb15_backchannel_resume"]) == [1]
    for row in fdb15.ROWS:
        score = summarize(got[row.name], row.statistic, 0, weights=row.weights)
        assert row.name not in ("fdb15_average", "fdb15_balanced") or score.value is None


TASK = "one two three four five six seven eight"


def asked(part: str = "user_interruption", *, keys=(), task=TASK):
    about = {"part": part, "cue": 1, "keys": list(keys), "task": task}
    return replace(item(said("count"), said("x"), length_s=14.0), about=about, subset=part)


def label(*, voice, say, keys=("blue",), task=TASK, window=(4.0, 5.5)):
    what = asked(keys=keys, task=task)
    return fdb_judge.judge(hand_made(what, voice=voice, say=say, cues=((0.5, 1.5), window)))


def counted(first: int, last: int, start: float) -> list[tuple[str, float]]:
    return [(word, start + 0.5 * k) for k, word in enumerate(TASK.split()[first:last])]


def test_responds_who_stops_and_takes_up_what_was_said():
    say = [*counted(0, 5, 2.0), ("it", 6.0), ("is", 6.2), ("blue", 6.4)]
    assert label(voice=[(2, 4.4), (6, 7)], say=say).label == "respond"
    late = [*counted(0, 8, 2.0), ("blue", 9.0)]
    assert label(voice=[(2, 8.9), (9.3, 9.8)], say=late).label == "unknown"  # 3.8 s afterwards


def test_numbers_are_found_in_any_spelling():
    say = [*counted(0, 4, 2.0), ("14", 6.0)]
    assert label(voice=[(2, 4.4), (6, 7)], say=say, keys=["fourteen"]).label == "respond"


def test_words_from_before_the_overlap_address_nothing():
    say = [("blue", 2.0), ("one", 3.0), *counted(1, 8, 4.5)]
    assert label(voice=[(2, 8.5)], say=say).label == "resume"


def test_resumes_who_goes_on_or_comes_to_the_end_or_takes_up_its_task():
    assert label(voice=[(2, 9)], say=[("la", 2.0)]).label == "resume"
    assert (
        label(voice=[(2, 5.2)], say=counted(0, 8, 2.0)[:-2] + counted(6, 8, 4.6)).label == "resume"
    )
    again = [*counted(0, 4, 2.0), *counted(3, 8, 7.0)]
    assert label(voice=[(2, 4.4), (7, 9.5)], say=again).label == "resume"


def test_unknown_is_silence_and_anything_else():
    stopped = label(voice=[(2, 4.4)], say=counted(0, 5, 2.0))
    assert stopped.label == "unknown" and stopped.notes == ("silent_afterwards",)
    other = [*counted(0, 4, 2.0), ("good", 7.0), ("morning", 7.5)]
    assert label(voice=[(2, 4.4), (7, 9.5)], say=other).label == "unknown"
    never = label(voice=[], say=[], window=None)
    assert never.label == "unknown" and never.notes == ("overlap_never_came",)


def test_a_slow_stop_is_no_resuming():
    assert label(voice=[(2, 7.5)], say=counted(0, 5, 2.0)).label == "unknown"  # 2 s after the end


def test_uncertain_by_phrases():
    say = [*counted(0, 4, 2.0), ("say", 6.0), ("that", 6.2), ("again", 6.4)]
    assert label(voice=[(2, 4.4), (6, 7)], say=say).label == "uncertain"


def test_without_a_known_task_a_second_past_the_overlap_resumes():
    assert label(voice=[(2, 6.6)], say=[("a", 2.0)], task="").label == "resume"
    assert label(voice=[(2, 6.4)], say=[("a", 2.0)], task="").label == "unknown"
    assert label(voice=[(2, 4.5), (7, 8)], say=[("a", 2.0)], task="").label == "resume"
    idle = label(voice=[(7, 8)], say=[("a", 7.0)], task="")
    assert idle.label == "resume" and idle.notes == ("was_not_talking",)


# Our own items


def test_keys_and_texts_keep_apart(monkeypatch):
    monkeypatch.setattr(fdb_twin, "spoken", slow)
    for made in fdb15_twin.items(8, 1)[::2]:
        recited = set(made.about["task"].split())
        assert not recited & {word for key in made.about["keys"] for word in key.split()}
        assert bool(made.about["keys"]) == (made.subset != "user_backchannel")
        overlap, noise = made.cues[1], made.cues[-1]
        assert isinstance(noise, Noise) and not isinstance(overlap, Noise)
        assert overlap.at.after == "voice" and overlap.at.cue == 0
        dry = made.subset in ("user_interruption", "user_backchannel")
        assert isinstance(overlap, Speak if dry else Clip)
        if isinstance(overlap, Speak):
            request = made.cues[0]
            assert isinstance(request, Speak) and overlap.voice == request.voice


def test_an_overlap_is_followed_by_the_same_without_it(monkeypatch):
    monkeypatch.setattr(fdb_twin, "spoken", slow)
    items = fdb15_twin.items(2, 1)
    assert len(items) == 2 * 2 * len(fdb15.WANTED)
    for overlapped, clean in zip(items[::2], items[1::2], strict=True):
        assert fdb15.SUITE.together
        assert fdb15.SUITE.together(overlapped) == fdb15.SUITE.together(clean)
        request, _, noise = overlapped.cues
        assert clean.cues == (request, noise) and clean.length_s == overlapped.length_s
        assert clean.expect == overlapped.expect[:1]
    assert len({fdb15_clean.together(item) for item in items}) == len(items) / 2


def test_an_aside_is_softer_duller_and_reflected():
    impulse = np.zeros(RATE, np.float32)
    impulse[0] = 1
    heard = overheard.aside(impulse)
    assert len(heard) == RATE + 1920
    direct = overheard.high_shelf(impulse) * 10 ** (-8 / 20)
    assert np.allclose(heard[:720], direct[:720], atol=1e-7)
    later = heard[:RATE] - direct
    assert np.allclose(later[720:1920], direct[:1200] * 10 ** (-6 / 20), atol=1e-6)
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(overheard.high_shelf(impulse))))
    assert gain_db[[100, 4000, 7900]] == pytest.approx([0, -2.5, -5], abs=0.1)


def test_a_voice_behind_has_nothing_above_3_khz():
    impulse = np.zeros(RATE, np.float32)
    impulse[0] = 1
    heard = overheard.behind(impulse)
    assert len(heard) == RATE + 1600
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(heard[:1600], RATE)))
    assert gain_db[[500, 3000]] == pytest.approx([-15, -18], abs=0.2)
    assert gain_db[6000] < -40
    assert heard[1600:1700] == pytest.approx(heard[:100] * 10 ** (-10 / 20), abs=1e-4)


def test_items_are_the_same_for_ever_and_their_overlaps_are_heard():
    first, again = fdb15_twin.items(1, 5), fdb15_twin.items(1, 5)
    for one, two in zip(first, again, strict=True):
        assert one.about == two.about and one.length_s == two.length_s
    for trace in play(first[::2], Oracle("deaf", fdb_twin.spoken, "flite:slt"), fdb_twin.spoken):
        start, end = trace.cues[1] or (0.0, 0.0)
        spans = energy_spans(trace.user)
        assert any(s < end - 0.1 and e > start + 0.1 for s, e in spans), trace.item.subset
    pauses = [made for made in fdb1.SUITE.twin(1, 5) if made.subset == "pause"]
    [trace] = play(pauses, Oracle("silent", fdb_twin.spoken, "own"), fdb_twin.spoken)
    [turn, *_] = trace.cues
    assert turn and 0 <= trace.length_s - turn[1] < 0.25  # the item ends with the turn
    [(start, end)] = trace.pauses.values()
    assert 0.4 <= end - start <= 1.1
