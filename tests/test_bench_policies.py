"""The trivial systems, one by one: what each does on items worked out by hand."""

import numpy as np
import pytest
from bench_helpers import (
    BACKCHANNEL,
    DELEGATE,
    INTERRUPT,
    PAUSE,
    QUESTION,
    RATE,
    TIMER,
    beep,
    item,
    oracle_trace,
    said,
)

from interplay.bench.scoring.overlap import backchannel_continue, interrupt_stop
from interplay.bench.scoring.rows import BASELINES
from interplay.bench.systems.oracle import LONG_TEXT, Oracle
from interplay.bench.systems.policies import POLICIES
from interplay.data.item import At, Say, When
from interplay.errors import ConfigError


def words(trace) -> list[str]:
    return [word.text for word in trace.say]


def test_all_trivial_systems_play_every_kind_of_item():
    assert set(BASELINES) < set(POLICIES)
    items = (QUESTION, PAUSE, INTERRUPT, BACKCHANNEL, TIMER, DELEGATE)
    quiet = {
        (name, what.kind)
        for name in POLICIES
        for what in items
        if not oracle_trace(name, what).voice
    }
    expected = {("silent", what.kind) for what in items}
    expected |= {(name, "timer") for name in ("deaf", "half_duplex", "always_yields")}
    assert quiet == expected | {("deaf", "delegate")}


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match="metronome"):
        Oracle("metronom", beep, "own")


def test_the_deaf_one_answers_once_and_then_nothing_reaches_it():
    twice = item(
        said("one question"),
        said("another question", When(seconds=3.0)),
        expect=[Say(text=("four",), after=0), Say(text=("five",), after=1)],
    )
    assert words(oracle_trace("deaf", twice)) == ["four"]
    assert words(oracle_trace("perfect", twice)) == ["four", "five"]
    played = oracle_trace("deaf", INTERRUPT)
    assert " ".join(words(played)) == LONG_TEXT
    assert interrupt_stop(played)[0].notes == ("went_on",)
    assert backchannel_continue(oracle_trace("deaf", BACKCHANNEL))[0].value == 1


def test_the_echo_gives_the_user_back_after_0_6_s():
    played = oracle_trace("echo", QUESTION)
    assert " ".join(words(played)) == "what is two plus two"
    assert played.voice == (pytest.approx((1.1, 2.1), abs=0.011),)
    late = int(0.6 * RATE)
    user, model = played.user[RATE // 2 : RATE].astype(int), played.model
    assert np.abs(model[RATE // 2 + late : RATE + late] - user)[1:].max() <= 1
    assert not model[: RATE // 2 + late].any(), "the floor between words is not given back"
    assert [word.start_s for word in played.say] == pytest.approx(
        [1.1, 1.3, 1.5, 1.7, 1.9], abs=0.05
    )


def test_the_metronome_counts_whatever_happens():
    played = oracle_trace("metronome", item(length_s=7.0))
    assert words(played) == ["one", "two", "three"]
    assert [start for start, _ in played.voice] == pytest.approx([2.0, 4.0, 6.0], abs=0.011)
    long = oracle_trace("metronome", item(length_s=43.0))
    assert words(long)[19:21] == ["twenty", "one"]


def test_the_immediate_one_knows_what_but_not_when():
    played = oracle_trace("immediate", TIMER)
    assert words(played) == ["tea", "tea"]
    assert played.voice[0][0] == pytest.approx(1.5 + 0.4, abs=0.011)


def test_what_was_wanted_while_the_user_spoke_comes_when_the_turn_is_over():
    cue = item(
        said("say ding whenever i name a fruit"),  # 0.5 .. 1.9
        said("an apple", When(seconds=3.0)),
        said("and so on it goes", When(seconds=0.1, after="cue_end", cue=1)),  # 3.5 .. 4.5
        expect=[At(text=("ding",), after=1, due_s=0.3)],
    )
    assert oracle_trace("perfect", cue).voice[0][0] == pytest.approx(3.7, abs=0.011)
    assert oracle_trace("half_duplex", cue).voice[0][0] == pytest.approx(5.4, abs=0.011)
    assert words(oracle_trace("deaf", cue)) == []


def test_one_that_always_yields_stops_for_a_nod_and_for_a_word():
    nod, word = oracle_trace("always_yields", BACKCHANNEL), oracle_trace("always_yields", INTERRUPT)
    for played in (nod, word):
        cue = played.cues[1]
        assert cue and 0.19 <= played.voice[0][1] - cue[0] <= 0.41
    assert len(nod.voice) == 1, "it does not take up what it dropped"
    assert backchannel_continue(nod)[0].value == 0 and interrupt_stop(word)[0].value == 1
    assert words(word)[-1] == "four"


def test_one_that_always_yields_takes_every_sound_for_a_turn():
    cough = item(said("hm"), expect=[])
    assert words(oracle_trace("always_yields", cough)) == ["yes"]
    assert words(oracle_trace("half_duplex", cough)) == []


def test_a_long_pause_fools_a_turn_taker_who_then_answers_again():
    played = oracle_trace("always_yields", PAUSE)  # sounds 0.5-0.9, pause to 2.1, sounds to 2.7
    starts = [start for start, _ in played.voice]
    assert starts == pytest.approx([1.8, 2.7 + 0.9], abs=0.011)
    assert words(played) == ["four", "four"]
