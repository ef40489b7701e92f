"""The broker: owns all delegations of a session and keeps their promises.

Every delegation ends exactly once, whatever a backend does; nothing out of date is said; nobody
is talked over. Time is an argument, in seconds on the session's clock. Knows nothing of tokens,
protocols or what backends do.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from interplay.background.contract import (
    NO_ANSWER,
    TOO_LATE,
    TOO_MANY,
    UNREACHABLE,
    Backend,
    BackendSettings,
    Budget,
    BudgetedBackend,
    Delegation,
    FunctionBackend,
    Line,
    Result,
)
from interplay.errors import BackgroundError

MAX_WAITING = 64  # partial results and notices that wait to be said; ends always find a place

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(kw_only=True)
class _Work:
    """An open delegation: queued until `is_started`."""

    delegation: Delegation
    is_started: bool = False
    is_superseded: bool = False


class Broker:
    """Delegations of one session, in `backend`, within `budget` (None: the backend's own).

    `poll` gives every delegation's final result exactly once; before it any number of partial
    ones, after it none. What happens while results wait to be said is decided here.
    """

    def __init__(self, backend: Backend, budget: Budget | None = None) -> None:
        self.num_delegations = 0
        self._backend = backend
        own = backend.budget if isinstance(backend, BudgetedBackend) else Budget()
        self._budget = budget or own
        self._open: dict[int, _Work] = {}  # in order of arrival
        self._waiting: deque[Result] = deque()  # accepted, not yet given out
        self._is_closed = False

    @property
    def open(self) -> list[Delegation]:
        """What is being worked on or waits for its place, oldest first."""
        return [work.delegation for work in self._open.values()]

    def delegate(self, question: str, now_s: float, conversation: Sequence[Line] = ()) -> int:
        """Hand over one piece of work; returns its id. Too much at once fails, by a result.
        Open work with the same words is superseded: whoever asks again wants one answer.

        Raises BackgroundError after `close`.
        """
        if self._is_closed:
            raise BackgroundError("this session's broker is closed; open a new session")
        delegation = Delegation(
            id=self.num_delegations,
            question=question,
            created_at_s=now_s,
            conversation=tuple(conversation),
            deadline_s=now_s + self._budget.max_seconds,
            max_tool_rounds=self._budget.max_tool_rounds,
        )
        self.num_delegations += 1
        is_full = len(self._open) >= self._budget.max_parallel + self._budget.max_queued
        if not is_full:
            for same in [w.delegation.id for w in self._open.values() if _same(w, question)]:
                self._supersede(same, delegation.id)
        self._open[delegation.id] = _Work(delegation=delegation)
        if is_full:
            self._fail(delegation.id, now_s, TOO_MANY, f"{len(self._open) - 1} are open already")
        else:
            self._start(now_s)
        return delegation.id

    def cancel(self, delegation_id: int, now_s: float) -> bool:
        """End it as cancelled, and drop its words that nobody has been given yet.

        Returns False when it is unknown or has ended before.
        """
        work = self._open.get(delegation_id)
        if work is None:
            return False
        self._drop_partials(delegation_id)
        self._stop(work)
        self._end(Result(delegation_id=delegation_id, status="cancelled", urgency="silent"))
        self._start(now_s)
        return True

    def configure(self, settings: BackendSettings) -> bool:
        """What the client wishes of the backend; False when this backend takes no wishes."""
        if not isinstance(self._backend, FunctionBackend):
            return False
        self._call(self._backend.configure, settings)
        return True

    def give(self, delegation_id: int, outputs: Mapping[str, str], now_s: float) -> None:
        """What came of the calls of one of its results; of no use when it has ended."""
        if delegation_id in self._open and isinstance(self._backend, FunctionBackend):
            _, fault = self._call(self._backend.give, delegation_id, outputs)
            if fault:
                self._fail(delegation_id, now_s, UNREACHABLE, fault)

    def interrupt(self) -> None:
        """The user broke into the model's speech. Work goes on and final results stay; progress
        words that wait to be said are not said any more."""
        self._waiting = deque(
            r if r.final or r.delegation_id is None else replace(r, urgency="silent")
            for r in self._waiting
        )

    def poll(
        self, now_s: float, *, user_speaks: bool = False, model_speaks: bool = False
    ) -> list[Result]:
        """What may reach the model at `now_s`, in order. Never waits."""
        for result in self._collect(now_s):
            self._accept(result, now_s)
        for delegation in self.open:
            if now_s >= delegation.deadline_s:
                self._stop(self._open[delegation.id])
                seconds = now_s - delegation.created_at_s
                self._fail(delegation.id, now_s, TOO_LATE, f"not finished after {seconds:.1f} s")
        self._start(now_s)
        return self._give(now_s, user_speaks, model_speaks)

    def close(self, now_s: float) -> list[Result]:
        """End of the session: what is open is cancelled, what waits is given out silently."""
        for delegation_id in list(self._open):
            self._drop_partials(delegation_id)
            self._end(Result(delegation_id=delegation_id, status="cancelled", urgency="silent"))
        if not self._is_closed:
            self._is_closed = True
            self._call(self._backend.close)
        self._waiting = deque(replace(result, urgency="silent") for result in self._waiting)
        return self._give(now_s, False, False)

    def _start(self, now_s: float) -> None:
        """Begin what has waited longest, while there are places."""
        for work in list(self._open.values()):
            if sum(other.is_started for other in self._open.values()) >= self._budget.max_parallel:
                return
            if not work.is_started:
                work.is_started = True
                _, fault = self._call(self._backend.delegate, work.delegation, now_s)
                if fault:
                    self._fail(work.delegation.id, now_s, UNREACHABLE, fault)

    def _stop(self, work: _Work) -> None:
        if work.is_started:
            self._call(self._backend.cancel, work.delegation.id)

    def _collect(self, now_s: float) -> list[Result]:
        """Results of the backend; a dead one fails everything that it has in work."""
        if self._is_closed:
            return []
        results, fault = self._call(self._backend.results, now_s)
        if fault:
            for delegation_id in [i for i, work in self._open.items() if work.is_started]:
                self._fail(delegation_id, now_s, UNREACHABLE, fault)
        return results or []

    def _call(self, method: Callable[..., T], *args: object) -> tuple[T | None, str]:
        """What a method of the backend returns, and its fault, "" when there is none.

        A backend is a plug-in: any error of it ends the work it had, never the session. One that
        says that it is dead gets a line in the log, one with a bug its traceback.
        """
        try:
            return method(*args), ""
        except BackgroundError as error:
            _log.warning("the background model: %s", error)
            return None, str(error)
        except Exception as error:  # of code that is not ours
            _log.exception("the background model has a bug")
            return None, f"{type(error).__name__}: {error}"

    def _accept(self, result: Result, now_s: float) -> None:
        """Take a result in, unless it comes too late to mean anything."""
        work = None if result.delegation_id is None else self._open.get(result.delegation_id)
        if result.delegation_id is not None and not (work and work.is_started):
            _log.info("dropped a result for delegation %d, not in work", result.delegation_id)
            return
        if result.supersedes is not None:
            self._supersede(result.supersedes, result.delegation_id)
        if work and result.expires_at_s is None:
            result = replace(result, expires_at_s=work.delegation.deadline_s)
        if work and work.is_superseded:
            result = replace(result, urgency="silent")
        if result.delegation_id is None:
            self._wait(result)
        elif result.status == "failed":
            self._fail(result.delegation_id, now_s, result.content or NO_ANSWER, result.reason)
        elif result.final:
            self._end(result)
        else:
            self._wait(result)

    def _supersede(self, old: int, by: int | None) -> None:
        self._drop_partials(old)
        if old == by:
            return
        if old in self._open:
            self._open[old].is_superseded = True
        self._waiting = deque(
            replace(r, urgency="silent") if r.delegation_id == old else r for r in self._waiting
        )

    def _drop_partials(self, delegation_id: int) -> None:
        self._waiting = deque(
            r for r in self._waiting if r.final or r.delegation_id != delegation_id
        )

    def _fail(self, delegation_id: int, now_s: float, content: str, reason: str) -> None:
        work = self._open[delegation_id]
        seconds = now_s - work.delegation.created_at_s
        _log.warning("delegation %d failed after %.1f s: %s", delegation_id, seconds, reason)
        self._end(
            Result(
                delegation_id=delegation_id,
                content=content,
                status="failed",
                urgency="silent" if work.is_superseded else "when_idle",
                reason=reason,
            )
        )

    def _end(self, result: Result) -> None:
        assert result.delegation_id is not None and result.final
        del self._open[result.delegation_id]
        self._wait(result)

    def _wait(self, result: Result) -> None:
        """Queue it; an urgent one hurries up its delegation's earlier words as well."""
        if not result.final and len(self._waiting) >= MAX_WAITING:
            _log.warning("dropped words of delegation %s: too many wait", result.delegation_id)
            return
        limit = self._budget.max_content_chars
        if len(result.content) > limit:
            result = replace(result, content=result.content[: limit - 1] + "…")
        if result.urgency == "interrupt" and result.delegation_id is not None:
            self._waiting = deque(
                replace(r, urgency="interrupt")
                if r.delegation_id == result.delegation_id and r.urgency == "when_idle"
                else r
                for r in self._waiting
            )
        self._waiting.append(result)

    def _give(self, now_s: float, user_speaks: bool, model_speaks: bool) -> list[Result]:
        """Take out what may go now. Words of one delegation never overtake each other, and its end
        comes last."""
        if not self._waiting:  # mostly
            return []
        given: list[Result] = []
        kept: deque[Result] = deque()
        blocked: set[int | None] = set()
        for result in self._waiting:
            if result.is_expired(now_s) and result.urgency != "silent":
                if not result.final and not result.ui:
                    continue  # nothing of it is of use any more
                result = replace(result, urgency="silent")
            keeps_order = result.final or result.urgency != "silent"
            must_wait = keeps_order and result.delegation_id in blocked
            if _may_go(result, user_speaks, model_speaks) and not must_wait:
                given.append(result)
            else:
                blocked.add(result.delegation_id)
                kept.append(result)
        self._waiting = kept
        return given


def _same(work: _Work, question: str) -> bool:
    return work.delegation.question.casefold().split() == question.casefold().split()


def _may_go(result: Result, user_speaks: bool, model_speaks: bool) -> bool:
    if result.urgency == "when_idle":
        return not (user_speaks or model_speaks)
    return result.urgency == "silent" or not user_speaks
