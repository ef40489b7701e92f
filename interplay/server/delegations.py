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

    def cancel(self, delegation_id: int, now_s: float) -> bool:
        """Nobody wants it any more: it ends as cancelled. False when it had ended before."""
        ...

    def interrupt(self) -> object:
        """The user broke into the model's speech. Work goes on, words on the way to the end of it
        are not said any more."""
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


def calls_functions(new: NewDelegations | None) -> bool:
    """Whether what this makes calls functions of clients; asks one that is thrown away."""
    if new is None:
        return False
    one = new()
    does = isinstance(one, FunctionDelegations) and one.configure(BackendSettings())
    one.close(0.0)
    return does


@dataclass(kw_only=True)
class _Open:
    started_s: float
    deadline_s: float


class OpenDelegations:
    """The delegations of one session, from their start to their one end."""

    def __init__(self, max_open: int) -> None:
        self.max_open = max_open
        self._open: dict[str, _Open] = {}
        self._ended: dict[str, Status] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def is_full(self) -> bool:
        return len(self) >= self.max_open

    def start(self, delegation_id: str, now_s: float, deadline_s: float = float("inf")) -> None:
        self._open[delegation_id] = _Open(started_s=now_s, deadline_s=deadline_s)

    def postpone(self, delegation_id: str, deadline_s: float) -> None:
        """There was a sign of life; of no use when it has ended."""
        if delegation_id in self._open:
            self._open[delegation_id].deadline_s = deadline_s

    def overdue(self, now_s: float) -> list[str]:
        """Whose deadline has come."""
        return [name for name, one in self._open.items() if now_s >= one.deadline_s]

    def status(self, delegation_id: str) -> Status | None:
        """How it has ended; None while it is open. Raises RequestError when there never was one of
        that name."""
        if delegation_id in self._open:
            return None
        if delegation_id not in self._ended:
            raise RequestError(
                "unknown_delegation",
                f"there is no delegation {delegation_id[:40]!r}; use an id that was announced, or "
                "null",
                param="delegation_id",
            )
        return self._ended[delegation_id]

    def end(self, delegation_id: str, status: Status, now_s: float) -> float | None:
        """Seconds that it took; None when it had ended before. Raises RequestError as `status`."""
        if self.status(delegation_id):
            return None
        self._ended[delegation_id] = status
        if len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        return now_s - self._open.pop(delegation_id).started_s

    def end_all(self, now_s: float) -> list[float]:
        """Seconds that each one left over has taken."""
        left, self._open = self._open, {}
        return [now_s - one.started_s for one in left.values()]
