"""What is handed to a background model and what comes back: the words both sides agree on.

Times are seconds on the session's clock. Knows nothing of tokens, protocols, tools or any
particular backend.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from interplay.errors import BackgroundError, ConfigError

UNREACHABLE = "sorry, i cannot reach my helper"  # what is said when a backend is dead,
TOO_LATE = "sorry, that took too long"  # when its time is over,
TOO_MANY = "sorry, i am busy with too many things"  # when there is too much of it already,
NO_ANSWER = "sorry, i found no answer"  # and when it comes to nothing
Urgency = Literal["silent", "when_idle", "interrupt"]
Status = Literal["done", "failed", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """Some words of the conversation and when they began [s]."""

    role: Literal["user", "assistant"]
    text: str
    time_s: float


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one session may ask of its background model.

    max_seconds: from the delegation to its end, waiting included. max_parallel: in work at the
    same time; max_queued more wait for a place. max_content_chars: longer words are cut.
    Raises ConfigError when one of them is not positive (max_queued and max_tool_rounds may be 0).
    """

    max_seconds: float = 60.0
    max_tool_rounds: int = 8
    max_parallel: int = 4
    max_queued: int = 8
    max_content_chars: int = 2000

    def __post_init__(self) -> None:
        for name in ("max_seconds", "max_parallel", "max_content_chars"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be more than 0")
        for name in ("max_tool_rounds", "max_queued"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be 0 or more")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of a language model, as its server counts them. cached: of the input; reasoning: of
    the output."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """One piece of work. It ends exactly once: done, failed or cancelled.

    id: unique within its session. conversation: what was said so far, oldest first; both sides
    may overlap. deadline_s: when it counts as failed. max_tool_rounds: how often the backend may
    call tools before it must answer.
    """

    id: int
    question: str
    created_at_s: float
    conversation: Sequence[Line] = ()
    deadline_s: float = float("inf")
    max_tool_rounds: int = 8


@dataclass(frozen=True, kw_only=True)
class Ui:
    """Something to show beside the words. kind: how to read `spec`. id: the same id replaces."""

    id: str
    kind: Literal["vega-lite"]
    spec: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class FunctionCall:
    """A function of the client that the backend wants to have called. id: unique within its
    delegation. arguments: JSON, as the language model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, kw_only=True)
class BackendSettings:
    """What a client wishes of its session's backend.

    instructions: beside the backend's own. functions: of the client, each with `name` and maybe
    `description` and `parameters`, a JSON schema. function_choice: `auto`, `none`, `required` or
    the name of one that must be called first; None: as the backend likes. parallel_calls: whether
    several at once. max_tokens: of one reply.
    """

    instructions: str = ""
    functions: Sequence[Mapping[str, Any]] = ()
    function_choice: str | None = None
    parallel_calls: bool | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """Something that came back. Results of one delegation add up: each carries new words only.

    delegation_id: None for a notice that answers no delegation, such as a timer that rings.
    status: how the delegation ended; None while the work goes on (a partial result).
    urgency: `silent` is not to be said, `when_idle` when nobody speaks, `interrupt` at the user's
        next pause.
    supersedes: id of a delegation whose results are out of date now. Its own id replaces its own
        partial results that nobody has been given yet.
    expires_at_s: after this it is not worth saying; None: its delegation's deadline.
    calls: functions of the client; the work waits for what comes of all of them.
    usage: tokens since the result before that had it; None where nobody counts them.
    reason: for the log, never said.

    Raises BackgroundError on a notice with a status.
    """

    delegation_id: int | None
    content: str = ""
    status: Status | None = "done"
    urgency: Urgency = "when_idle"
    supersedes: int | None = None
    expires_at_s: float | None = None
    ui: Ui | None = None
    calls: Sequence[FunctionCall] = ()
    usage: Usage | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.delegation_id is None and self.status is not None:
            raise BackgroundError(
                "a notice answers no delegation and ends none: its status is None"
            )

    @property
    def final(self) -> bool:
        """Whether it ends its delegation."""
        return self.status is not None

    def is_expired(self, now_s: float) -> bool:
        return self.expires_at_s is not None and now_s >= self.expires_at_s


def notice(content: str, urgency: Urgency = "when_idle") -> Result:
    """Words that answer no delegation."""
    return Result(delegation_id=None, content=content, status=None, urgency=urgency)


@runtime_checkable  # the tests check signatures while they run
class Backend(Protocol):
    """A background model in one session.

    No method may wait: all are called between two micro-turns. A backend that is dead raises
    BackgroundError or sends a failed result; it may die, be late, or talk too much, the broker
    keeps the promises.
    """

    def delegate(self, delegation: Delegation, now_s: float) -> None:
        """Begin this work."""
        ...

    def cancel(self, delegation_id: int) -> None:
        """Nobody wants it any more; unknown and finished ids are no error."""
        ...

    def results(self, now_s: float) -> list[Result]:
        """What has come since the last call."""
        ...

    def close(self) -> None:
        """The session is over: drop everything."""
        ...


@runtime_checkable
class FunctionBackend(Backend, Protocol):
    """A backend that a client may instruct, and that may call functions of the client."""

    def configure(self, settings: BackendSettings) -> None:
        """From now on; what is in work goes on as it began."""
        ...

    def give(self, delegation_id: int, outputs: Mapping[str, str]) -> None:
        """What came of the calls of a result, all of them, by their ids."""
        ...


@runtime_checkable
class BudgetedBackend(Backend, Protocol):
    """A backend that says what a session may ask of it."""

    budget: Budget


@runtime_checkable
class Background(Protocol):
    """A background model in the whole process: what is expensive to make or shared by sessions."""

    def open(self) -> Backend:
        """A backend for one more session."""
        ...

    def close(self) -> None: ...
