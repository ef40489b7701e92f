"""What both have said so far, as lines for a background model. Words whose sound was thrown away
were not said.

Knows nothing of sound, tokens or who reads the lines.
"""

import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from interplay.background.contract import Line
from interplay.clock import TURN_MS
from interplay.server.transcript import Fragment

MAX_LINES, MAX_LINE = 256, 2000  # of a session without end; letters
MAX_RECENT = 64  # words of the model that may still prove not to have been said

Role = Literal["user", "assistant"]


@dataclass(kw_only=True)
class _Growing:
    """A line: what is settled of its text. is_whole: no more words belong to it."""

    role: Role
    start_ms: int
    text: str = ""
    is_whole: bool = False


@dataclass(frozen=True, kw_only=True)
class _Recent:
    """A piece of what the model wrote after micro-turn `turn`, and the line that it belongs to."""

    turn: int
    piece: Fragment
    line: _Growing


class SaidLines:
    """The newest lines of one session, one for each change of who speaks; all of them when it is
    not `bounded`."""

    def __init__(self, *, bounded: bool = True) -> None:
        self._max_line = MAX_LINE if bounded else sys.maxsize
        self._lines: deque[_Growing] = deque(maxlen=MAX_LINES if bounded else None)
        self._recent: deque[_Recent] = deque()

    def write(self, line: Line) -> None:
        """A line that was written, or said before the session."""
        start_ms, text = round(1000 * line.time_s), line.text[-self._max_line :]
        whole = _Growing(role=line.role, start_ms=start_ms, text=text, is_whole=True)
        self._lines.append(whole)

    def add(self, role: Role, pieces: Sequence[Fragment], turn: int) -> None:
        """What came after micro-turn `turn`."""
        for piece in pieces:
            if not self._goes_on(role):
                self._lines.append(_Growing(role=role, start_ms=piece.start_ms))
            line = self._lines[-1]
            if role == "user":
                self._settle(line, piece.text)
            else:
                self._recent.append(_Recent(turn=turn, piece=piece, line=line))
        while len(self._recent) > MAX_RECENT:
            oldest = self._recent.popleft()
            self._settle(oldest.line, oldest.piece.text)

    def _goes_on(self, role: Role) -> bool:
        """Whether the newest line is still being said, by this side."""
        newest = self._lines[-1] if self._lines else None
        return newest is not None and newest.role == role and not newest.is_whole

    def _settle(self, line: _Growing, text: str) -> None:
        line.text = (line.text + text)[-self._max_line :]

    def unsay(self, played_ms: int, flushed_ms: int) -> None:
        """Of the first `flushed_ms` of the model's sound only `played_ms` were played. It plays
        one micro-turn after it was made, and a word counts when all of it was heard."""
        self._recent = deque(
            one
            for one in self._recent
            if (one.turn + 1) * TURN_MS > flushed_ms or one.piece.end_ms <= played_ms + TURN_MS
        )

    def lines(self) -> list[Line]:
        """Oldest first, with the time at which each began [s]."""
        return [
            Line(role=line.role, text=text, time_s=line.start_ms / 1000)
            for line in self._lines
            if (text := self._text(line))
        ]

    def _text(self, line: _Growing) -> str:
        recent = (one.piece.text for one in self._recent if one.line is line)
        return "".join([line.text, *recent])[-self._max_line :].strip()
