"""What counts as said: words whose sound was thrown away do not."""

import pytest

from interplay.background.contract import Line
from interplay.server.said import MAX_LINE, MAX_LINES, MAX_RECENT, SaidLines
from interplay.server.transcript import Fragment
from interplay.turns.tokens import DELEGATE, END, STOP
from tests.realtime_helpers import ONE, SIX, TEN
from tests.responses_helpers import backed
from tests.server_helpers import advanced, send


def word(text: str, start_ms: int) -> Fragment:
    return Fragment(text=text, start_ms=start_ms, end_ms=start_ms + 300)


def texts(lines: SaidLines) -> list[tuple[str, str]]:
    return [(line.role, line.text) for line in lines.lines()]


def test_each_change_of_who_speaks_begins_a_line():
    lines = SaidLines()
    lines.add("user", [word(" ten", 100)], 3)
    lines.add("assistant", [word(" si", 800), word("x", 900)], 3)
    lines.add("assistant", [word(" one", 1200)], 5)
    lines.add("user", [], 6)
    lines.add("user", [word(" two", 1100)], 7)
    assert lines.lines() == [
        Line(role="user", text="ten", time_s=0.1),
        Line(role="assistant", text="six one", time_s=0.8),
        Line(role="user", text="two", time_s=1.1),
    ]


@pytest.mark.parametrize(
    ("played_ms", "flushed_ms", "left"),
    [
        (1000, 1000, "a and six"),  # all of the words made so far have been heard
        (899, 1000, "a and"),  # the last one sounds from 800 to 1100 of the session
        (499, 1000, "a"),
        (299, 1000, ""),
        (0, 600, "six"),  # what was made later was still under way
    ],
)
def test_a_word_counts_when_all_of_it_was_heard(played_ms, flushed_ms, left):
    lines = SaidLines()
    lines.add("user", [word(" ten", 100)], 0)
    for text, turn in ((" a", 0), (" and", 1), (" six", 3)):
        lines.add("assistant", [word(text, (turn + 1) * 200)], turn)
    lines.unsay(played_ms, flushed_ms)
    assert texts(lines) == [("user", "ten"), *([("assistant", left)] if left else [])]
    lines.add("assistant", [word(" one", 1400)], 6)
    assert texts(lines)[-1] == ("assistant", f"{left} one".strip())


def test_a_session_without_end_keeps_the_newest():
    lines = SaidLines()
    for turn in range(3 * MAX_LINE):
        lines.add("assistant", [word(" x", 200 * turn)], turn)
    lines.unsay(0, 200 * 3 * MAX_LINE)
    ((_, text),) = texts(lines)
    assert len(text) == MAX_LINE - 1 and set(text) == {"x", " "}, "what is old was said"
    for turn in range(2 * MAX_LINES):
        lines.add("user", [word(" y", turn)], turn)
        lines.add("assistant", [word(" z", turn)], turn)
    assert len(lines.lines()) == MAX_LINES and len(lines._recent) == MAX_RECENT


def test_the_background_model_is_not_told_what_the_user_did_not_hear():
    adapter, backend = backed("playback")
    session = adapter.session
    assert session
    for say in (TEN, SIX, (STOP,)):
        session.advance(advanced(session, True, say=say), 1.0)
    send(adapter, "interplay.playback.ack", played_ms=400, flushed_ms=600)
    session.advance(advanced(session, True, say=ONE, act=(DELEGATE, *TEN, END)), 1.0)
    assert [(line.role, line.text) for line in backend.lines] == [("assistant", "ten one")]
