"""The stress suite: what the line does to the sound, and how its questions are judged."""

from dataclasses import replace

import numpy as np
import pytest
from bench_helpers import RATE, beep, hand_made, item, notes, oracle_trace, said, values

from interplay.bench.playing.bad_line import ECHO_DELAY, arriving
from interplay.bench.playing.logical_clock import play
from interplay.bench.playing.stage import Stage
from interplay.bench.scoring.score import summarize
from interplay.bench.suites.stress import LINES, SUITE
from interplay.bench.systems.oracle import Oracle
from interplay.data.item import Say, Speak

TURN = 3200
USER = np.linspace(0.1, 0.5, 5 * TURN, dtype=np.float32)
SILENT = np.zeros(5 * TURN, np.int16)


def chunk(turn: int) -> np.ndarray:
    return USER[turn * TURN : (turn + 1) * TURN]


def test_a_clean_line_changes_nothing():
    for turn in range(5):
        assert np.array_equal(arriving({}, turn, USER, SILENT), chunk(turn))


def test_a_lost_chunk_is_silence():
    assert not arriving({"lost": [2]}, 2, USER, SILENT).any()
    assert np.array_equal(arriving({"lost": [2]}, 3, USER, SILENT), chunk(3))


def test_a_late_chunk_takes_the_place_of_the_next():
    heard = [arriving({"late": [1]}, turn, USER, SILENT) for turn in range(4)]
    assert np.array_equal(heard[0], chunk(0)) and not heard[1].any()
    assert np.array_equal(heard[2], chunk(1)) and np.array_equal(heard[3], chunk(3))
    twice = [arriving({"late": [1, 2]}, turn, USER, SILENT) for turn in range(4)]
    assert np.array_equal(twice[2], chunk(1)) and np.array_equal(twice[3], chunk(2))


@pytest.mark.parametrize("level_db", [-20.0, -30.0, -40.0])
def test_the_echo_comes_50_ms_late_and_so_much_lower(level_db: float):
    model = np.full(5 * TURN, 16384, np.int16)
    quiet = np.zeros_like(USER)
    found = arriving({"echo_db": level_db}, 0, quiet, model)
    assert not found[:ECHO_DELAY].any() and ECHO_DELAY == 0.05 * RATE
    assert found[ECHO_DELAY:] == pytest.approx(0.5 * 10 ** (level_db / 20), rel=1e-5)
    assert len(arriving({"echo_db": level_db}, 5, quiet, model)) == 0


def test_a_stage_streams_the_echo_of_what_was_said():
    what = item(said("what is two plus two"), expect=[Say(text=("four",), after=0)])
    clean = oracle_trace("perfect", what)
    echoing = oracle_trace("perfect", replace(what, about={"echo_db": -20.0}))
    [(start, end)] = clean.voice
    assert echoing.voice == clean.voice
    added = echoing.user.astype(int) - clean.user
    at = slice(int((start + 0.06) * RATE), int(end * RATE))
    assert added[at].std() == pytest.approx(clean.model[at].astype(float).std() / 10, rel=0.05)
    assert not added[: int(start * RATE)].any()
    stage = Stage(replace(what, about={"lost": [0]}), beep)
    stage.begin_turn(lambda control, text: [])
    assert not stage.hear.any()


QUESTION = item(
    said("one"), said("two"), kind="stress", expect=[Say(text=("four",), after=0)], length_s=9.0
)
CUES = ((0.5, 1.5), (6.0, 6.4))


@pytest.mark.parametrize(
    ("say", "voice", "right", "note"),
    [
        ([("four", 2.0)], [(2.0, 2.3)], 1, None),
        ([("five", 2.0)], [(2.0, 2.3)], 0, "wrong_words"),
        ([("four", 4.0)], [(4.0, 4.3)], 0, "late"),
        ([("four", 2.0)], [(2.0, 2.3), (4.0, 4.3)], 0, "spoke_again"),
        ([("four", 2.0)], [(2.0, 2.3), (3.0, 3.4)], 1, None),
        ([], [(2.0, 2.3)], 0, "wrong_words"),
        ([("four", 7.0)], [(7.0, 7.3)], 0, "no_response"),
        ([], [], 0, "no_response"),
    ],
)
def test_a_question_counts_when_its_answer_is_all_that_is_said(say, voice, right, note):
    played = hand_made(replace(QUESTION, subset="clean"), say=say, voice=voice, cues=CUES)
    outcomes = SUITE.score([played])
    assert values(outcomes["stress_clean"]) == [right]
    assert notes(outcomes["stress_clean"]) == ([note] if note else [])
    assert values(outcomes["stress_no_response"]) == [float(note == "no_response")]


def test_a_question_of_the_long_session_counts_in_its_minute():
    long = replace(QUESTION, subset="long", length_s=600.0)
    played = hand_made(long, say=[("four", 122.0)], voice=[(122.0, 122.3)], cues=((121.0, 121.5),))
    outcomes = SUITE.score([played])
    assert {name for name, found in outcomes.items() if found} == {
        "stress_minute_3",
        "stress_no_response",
    }


def test_the_twin_plays_the_same_questions_on_every_line():
    items = SUITE.twin(2, 0)
    assert [one.subset for one in items] == [*(line for line in LINES for _ in range(2)), "long"]
    assert len({items[2 * k].cues for k in range(len(LINES))}) == 1
    assert items == SUITE.twin(2, 0) and items[0].cues != SUITE.twin(2, 1)[0].cues
    assert items[0].about == {} and items[2].about == {"echo_db": -20.0}
    drawn = SUITE.twin(100, 0)
    for line, key, wanted in (
        ("drop_1", "lost", 0.01),
        ("drop_5", "lost", 0.05),
        ("late_1", "late", 0.01),
        ("late_5", "late", 0.05),
    ):
        many = [one for one in drawn if one.subset == line]
        share = sum(len(one.about[key]) for one in many) / sum(one.length_s / 0.2 for one in many)
        assert share == pytest.approx(wanted, abs=0.2 * wanted), line
        assert all(turn < one.length_s / 0.2 for one in many for turn in one.about[key])
    long = items[-1]
    minutes = [int(cue.at.seconds // 60) for cue in long.cues if isinstance(cue, Speak)]
    assert [minutes.count(minute) for minute in range(10)] == [6] * 10


# clean, every other line, any minute, no response
EXPECTED = {"silent": (0, 0, 0, 1), "always": (0, 0, 0, 0), "half_duplex": (1, 1, 1, 0)}
EXPECTED["perfect"] = EXPECTED["half_duplex"]


@pytest.mark.parametrize("name", EXPECTED)
def test_trivial_systems_get_what_they_must(name: str):
    items = [
        one for one in SUITE.twin(1, 0) if one.subset in ("clean", "echo_20", "late_5", "long")
    ]
    items[-1] = replace(items[-1], length_s=130.0)
    outcomes = SUITE.score(list(play(items, Oracle(name, beep, "own"), beep)))
    scores = {row.name: summarize(outcomes[row.name], row.statistic, 0) for row in SUITE.rows}
    clean, other, minute, silence = EXPECTED[name]
    assert scores["stress_clean"].value == clean
    assert scores["stress_echo_20"].value == scores["stress_late_5"].value == other
    assert scores["stress_minute_1"].value == scores["stress_minute_2"].value == minute
    assert scores["stress_minute_9"].value is None and scores["stress_no_response"].value == silence
