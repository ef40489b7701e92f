"""What the core tells whoever is connected to a session. Knows nothing of protocols: adapters turn
these values into messages.
"""

from dataclasses import dataclass, replace
from typing import Any

from interplay.server.delegations import Delegation, Outcome
from interplay.server.transcript import Fragment


@dataclass(frozen=True, kw_only=True)
class BackendEvent:
    """Something that the server's background model does, as an event of the Responses API."""

    delegation_id: str
    event: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Everything that came of one micro-turn.

    pcm: 200 ms of sound at the session's rate; it plays during the micro-turn after this one.
    voice_on: of the four slots. heard, said: words. act: tokens as a person would read them.
    outcomes: of delegations, and notices. backend: what the server's background model did, as
    clients of `responses` see it. yields: the model broke off what it was saying, by its own
    decision. is_gap: the user's sound had not come in time. compute_ms: of the whole tick.
    """

    index: int
    pcm: bytes
    voice_on: tuple[bool, ...] = ()
    heard: tuple[Fragment, ...] = ()
    said: tuple[Fragment, ...] = ()
    act: tuple[str, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    yields: bool = False
    backend: tuple[BackendEvent, ...] = ()
    is_gap: bool = False
    compute_ms: float = 0.0

    def without_charts(self) -> "Turn":
        """The same, with nothing to show."""
        outcomes = tuple(replace(outcome, ui=None) for outcome in self.outcomes)
        return replace(self, outcomes=outcomes)


@dataclass(frozen=True, kw_only=True)
class UserSound:
    """What the client sent during a micro-turn, at its rate, before muting; for observers."""

    pcm: bytes


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something worth knowing that changes nothing yet. left_s: time until the session ends, where
    that is what it tells."""

    code: str
    message: str
    left_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The session, or this connection's part in it, is over.

    reason: `asked`, `expired`, `idle`, `lost`, `failed`, `drained`, `replaced` or `refused`.
    close_code: of the WebSocket. message: one line for a person, "" when all is well.
    num_turns: length of the session.
    """

    reason: str
    close_code: int = 1000
    message: str = ""
    num_turns: int = 0


Event = Turn | UserSound | BackendEvent | Notice | Ended
