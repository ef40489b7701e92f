"""The suite long-timer: the window, what is said again, acknowledgements; items."""

from dataclasses import replace

import pytest
from bench_helpers import hand_made, item, notes, numbers, oracle_trace, said

from interplay.bench.suites import long_timer as suite
from interplay.bench.traces.trace import Trace
from interplay.data.item import At, Item, Noise, Say, Speak
from interplay.data.texts.questions import facts, split_of

CUES = ((0.5, 2.0), (5.0, 6.0))  # a timer, and a question meanwhile
TIMER = At(text=("red river",), after=0, due_s=20.0, tol_s=1.0)
ITEM = item(
    said("say red river in four minutes"),
    said("what is two plus two"),
    expect=[TIMER, Say(text=("four",), after=1)],
    length_s=30.0,
)


def spoken(*parts: tuple[str, float]) -> Trace:
    """Texts that begin to sound at times, 0.3 s a word; `say` runs 0.1 s ahead."""
    words = [
        (word, at - 0.1 + 0.3 * k) for text, at in parts for k, word in enumerate(text.split())
    ]
    voice = [(at, at + 0.3 * len(text.split())) for text, at in parts]
    return hand_made(ITEM, say=words, voice=voice, cues=CUES)


def value(row: str, *parts: tuple[str, float]) -> float | None:
    return numbers(suite.SUITE, [spoken(*parts)])[f"long_timer_{row}"]


@pytest.mark.parametrize(
    ("parts", "hit", "why"),
    [
        ([("red river", 22.0)], 1, []),
        ([("red river", 21.0)], 1, []),
        ([("red river", 23.0)], 1, []),
        ([("red river", 20.98)], 0, ["at_another_time"]),
        ([("red river", 23.02)], 0, ["at_another_time"]),
        ([("it is time for the red river", 22.0)], 1, []),
        ([("red", 22.0)], 0, ["missed"]),
        ([], 0, ["missed"]),
        ([("red river", 12.0), ("red river", 22.0)], 0, ["said_again"]),
        ([("okay red river then", 4.4), ("red river", 22.0)], 1, []),  # acknowledges the request
        ([("red river", 4.6), ("red river", 22.0)], 0, ["said_again"]),
    ],
)
def test_the_words_begin_within_a_second_and_once(parts, hit, why):
    [outcome] = suite.score([spoken(*parts)])["long_timer_hit"]
    assert outcome.value == hit and notes([outcome]) == why


def test_how_far_off_it_was():
    assert value("error_s", ("red river", 22.5)) == pytest.approx(0.5)
    assert value("error_s", ("red river", 12.0), ("red river", 21.8)) == pytest.approx(0.2)
    assert value("error_s") is None
    assert value("said", ("red river", 9.0)) == 1 and value("said", ("four", 9.0)) == 0


def test_questions_of_the_session_are_answers_of_their_own():
    assert value("answers", ("four", 6.5)) == 1 and value("answers", ("five", 6.5)) == 0
    assert value("answers", ("four", 6.5), ("red river", 22.0)) == 1


def asked_of(what: Item) -> tuple[int, Speak, At]:
    [due] = [expect for expect in what.expect if isinstance(expect, At)]
    cue = what.cues[due.after]
    assert isinstance(cue, Speak)
    return due.after, cue, due


def test_sessions_are_the_same_for_ever():
    assert suite.twin(3, 0) == suite.twin(3, 0) != suite.twin(3, 1)
    assert len({what.seed for what in [*suite.twin(3, 0), *suite.twin(3, 1)]}) == 6


@pytest.fixture(scope="module")
def sessions() -> list[Item]:
    return suite.twin(12, 2)


@pytest.mark.parametrize("number", range(12))
def test_a_session_holds_the_timer_and_talk_all_the_time(sessions, number):
    what = sessions[number]
    _, request, due = asked_of(what)
    [words] = due.text
    assert words in request.text and "four minutes" in request.text and split_of(words) == "test"
    assert (due.due_s, due.tol_s, what.length_s) == (240, 1, 600)
    starts = [cue.at.seconds for cue in what.cues if isinstance(cue, Speak)]
    assert starts == sorted(starts) and 50 <= len(starts) <= 60
    due_s = request.at.seconds + 240
    assert request.at.seconds > 5 and due_s < 590
    answers = {question.text: question.answer for question in facts("test")}
    for expect in what.expect:
        if isinstance(expect, Say):
            cue = what.cues[expect.after]
            assert isinstance(cue, Speak) and answers[cue.text] == expect.text[0]
            assert not {*expect.text[0].split()} & {*words.split()}
            assert not due_s - 8 < cue.at.seconds < due_s + 1, "an answer would cover the timer"


def test_requests_are_said_in_one_breath():
    assert all(ask.format(x="x").count("four minutes") == 1 for ask in suite.ASKS)


@pytest.mark.parametrize(("who", "hit"), [("half_duplex", 0), ("perfect", 1)])
def test_who_speaks_only_when_spoken_to_keeps_no_time(who, hit):
    [what] = suite.twin(1, 0)
    *cues, noise = what.cues
    assert isinstance(noise, Noise)
    what = replace(what, cues=tuple(cues))  # who knows the script need not hear; noise takes time
    found = numbers(suite.SUITE, [oracle_trace(who, what)])
    assert found["long_timer_hit"] == hit and found["long_timer_answers"] == 1
