"""What the server needs of an engine: that of a model, or another system that keeps the same beat.

Knows nothing of how either of them works.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from interplay.turns.tokens import Tokenizer
from interplay.turns.types import InputHalf, OutputHalf


@runtime_checkable  # the tests check signatures while they run
class AnySession(Protocol):
    """One conversation at an engine; it is also the key under which it is advanced."""

    @property
    def num_turns(self) -> int:
        """Micro-turns since it began."""
        ...

    def close(self) -> None:
        """Give the slot back. Closing twice is allowed."""
        ...


@runtime_checkable
class AnyEngine(Protocol):
    """Up to `num_slots` sessions. facts: what was chosen and why; `model` is its name. tokenizer:
    of the text streams. has_eyes: whether `see` is read."""

    facts: dict[str, str]

    @property
    def num_slots(self) -> int: ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def has_eyes(self) -> bool: ...

    def open(self, *, seed: int, prefix: str) -> Any:
        """A new session. prefix: instructions. Raises SessionError when every slot is taken."""
        ...

    def tick(self, halves: Mapping[Any, InputHalf]) -> Mapping[Any, OutputHalf]:
        """Advance these sessions by one micro-turn: all of them or, when it raises, none."""
        ...


@runtime_checkable
class Staged(Protocol):
    """An engine that may tell when each stage of a tick is over; one on a device, which would have
    to wait for that, never does."""

    on_stage: Callable[[str], object]
