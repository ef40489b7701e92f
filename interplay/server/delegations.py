"""Work that the model hands to somebody else, kept until it has ended once.

Who does the work of a session is one object behind `Delegations`; without one, the client does.
Times are seconds on the session's clock. Knows nothing of protocols, background models or sound.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from interplay.background.contract import BackendSettings, Line, Result, Status, Ui
from interplay.errors import RequestError

MAX_ENDED = 64  # delegations that a late answer may still name


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """One piece of work. offset_ms: when, on the session timeline. response_id: where the server's
    background model does it, the first response of it."""

    id: str
    question: str
    offset_ms: int
    response_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Something that the background model has brought back.

    delegation_id: None for a notice that answers nothing. status: how it ended; None: it goes on.
    content: words that the model was given. ui: something to show, checked.
    """

    delegation_id: str | None
    content: str = ""
    status: Status | None = None
    ui: Ui | None = None


@runtime_checkable
class Delegations(Protocol):
    """Who does the work of one session, as `background.broker.Broker` does. Called between two
    micro-turns: no method may wait."""

    def delegate(self, question: str, now_s: float, conversation: Sequence[Line]) -> int:
        """Begin one piece of work and give it a number."""
        ...

    def poll(self, now_s: float, *, user_speaks: bool, model_speaks: bool) -> Sequence[Result]:
        """What may reach the model now. Every number comes back with a status once."""
        ...

    def close(self, now_s: float) -> object:
        """The session is over: nobody waits any more."""
        ...


@runtime_checkable
class FunctionDelegations(Delegations, Protocol):
    """A `Delegations` that a client may instruct, and that may call functions of the client."""

    def configure(self, settings: BackendSettings) -> bool:
        """False when the backend takes no wishes."""
        ...

    def give(self, delegation_id: int, outputs: Mapping[str, str], now_s: float) -> object:
        """What came of the calls of a result, all of them, by their ids."""
        ...


NewDelegations = Callable[[], Delegations]  # one for every session


class OpenDelegations:
    """The delegations of one session, from their start to their one end."""

    def __init__(self, max_open: int) -> None:
        self.max_open = max_open
        self._started_s: dict[str, float] = {}
        self._ended: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._started_s)

    @property
    def is_full(self) -> bool:
        return len(self) >= self.max_open

    def start(self, delegation_id: str, now_s: float) -> None:
        self._started_s[delegation_id] = now_s

    def end(self, delegation_id: str, now_s: float) -> float | None:
        """Seconds that it took; None when it had ended before. Raises RequestError when there
        never was one of that name."""
        begin_s = self._started_s.pop(delegation_id, None)
        if begin_s is None:
            if delegation_id in self._ended:
                return None
            raise RequestError(
                "unknown_delegation",
                f"there is no delegation {delegation_id[:40]!r}; use an id that was announced, or "
                "null",
                param="delegation_id",
            )
        self._ended[delegation_id] = None
        if len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        return now_s - begin_s

    def end_all(self, now_s: float) -> list[float]:
        """Seconds that each one left over has taken."""
        return [now_s - begin_s for begin_s in (self._started_s.pop(i) for i in [*self._started_s])]
