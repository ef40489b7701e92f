"""One live conversation: a slot of the engine and what it remembers. Knows nothing of clocks.

Sessions are made by `Engine.open` and `Engine.restore`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from interplay.engine.emit import Numbers, SamplingConfig
from interplay.engine.past import Past, Said, SessionState
from interplay.model.checkpoint import Loaded
from interplay.turns.types import InputHalf, OutputHalf


@runtime_checkable
class Host(Protocol):
    """What a session, and whoever records it, needs of `engine.Engine`."""

    loaded: Loaded
    dtype: torch.dtype
    sampling: SamplingConfig
    runs_on: str
    facts: dict[str, str]

    def tick(self, halves: "Mapping[Session, InputHalf]") -> "dict[Session, OutputHalf]": ...

    def state(self, session: "Session") -> SessionState: ...

    def restore(self, state: SessionState) -> "Session": ...

    def close(self, session: "Session") -> None: ...


@dataclass(frozen=True, kw_only=True)
class Correction:
    """The newest output half as history now has it: what was not played counts as silence."""

    said: Said
    numbers: Numbers


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What one micro-turn read and emitted, for records.

    turn: index on the phase clock. hear: uint8 [4, S, 80] bins. read: the 4 tokens read.
    correction: of the output half before this micro-turn, if it was not wholly played.
    """

    turn: int
    hear: np.ndarray
    read: tuple[int, ...]
    said: Said
    numbers: Numbers
    correction: Correction | None = None


class Session:
    """A live conversation. `turn` is the index of its next micro-turn on the phase clock."""

    def __init__(self, engine: Host, slot: int, past: Past) -> None:
        self.engine = engine
        self.slot: int | None = slot
        self.past = past
        self.trace: Trace | None = None

    @property
    def turn(self) -> int:
        return self.past.turn

    @property
    def num_turns(self) -> int:
        """Micro-turns since the session began."""
        return self.past.num_turns

    @property
    def is_open(self) -> bool:
        return self.slot is not None

    def push(self, half: InputHalf) -> OutputHalf:
        """Advance this session alone by one micro-turn."""
        return self.engine.tick({self: half})[self]

    def state(self) -> SessionState:
        """The whole session as a value; later micro-turns do not change it."""
        return self.engine.state(self)

    def copy(self) -> "Session":
        """A second session with the same past, in another slot."""
        return self.engine.restore(self.state())

    def close(self) -> None:
        """Give the slot back. Closing twice is allowed."""
        self.engine.close(self)


def slot_of(session: Session) -> int:
    """The slot of a session that is known to be open."""
    assert session.slot is not None, "checked before"
    return session.slot
