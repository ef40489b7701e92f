"""The work that the model of one session hands over, from its start to its one end: who does it,
until when, and what the model is told of it.

Knows nothing of protocols, tokens or sound; times are seconds on the session's clock.
"""

import logging
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from interplay.background.charts import check_spec
from interplay.background.contract import TOO_LATE, TOO_MANY, Line, Result, Status, Ui
from interplay.errors import RequestError, ToolError
from interplay.server.backing import Backing
from interplay.server.delegations import Delegation, OpenDelegations, Outcome
from interplay.server.events import Notice
from interplay.server.limits import Limits
from interplay.server.metrics import Metrics

log = logging.getLogger("interplay.server")

Kind = Literal["context", "result"]  # how the model reads it


@dataclass(frozen=True, kw_only=True)
class _Came:
    """Something that has come back, until the model has its words."""

    outcome: Outcome
    kind: Kind
    since_s: float


class Work:
    """Of one session.

    backing: the server's background model; None: the client does all of it. client_works: whether
    the client does what is handed over next; what is under way stays where it is. tell(kind,
    text): gives words to the model, of too many the beginning; raises RequestError when it cannot
    take them now. notify(notice): tells clients.
    """

    def __init__(
        self,
        backing: Backing | None,
        limits: Limits,
        metrics: Metrics,
        tell: Callable[[Kind, str], None],
        notify: Callable[[Notice], None],
    ) -> None:
        self.backing = backing
        self.client_works = backing is None
        self._limits, self._metrics = limits, metrics
        self._tell, self._notify = tell, notify
        self._open = OpenDelegations(limits.open_delegations)
        self._begun: list[Delegation] = []
        self._came: deque[_Came] = deque()
        self._outcomes: list[Outcome] = []

    def begin(self, question: str, now_s: float, lines: Sequence[Line], offset_ms: int) -> None:
        """The model hands something over; of too much it is told that it failed."""
        backing = None if self.client_works else self.backing
        if backing is None and self._open.is_full:
            self._metrics.delegation.labels("failed").observe(0)
            text = f"{len(self._open)} delegations are open already; one was dropped"
            self._notify(Notice(code="delegation_dropped", message=text))
            self._come(Outcome(delegation_id=None, content=TOO_MANY), "result", now_s)
            return
        work = Delegation(id=f"dlg_{secrets.token_hex(8)}", question=question, offset_ms=offset_ms)
        deadline_s = float("inf") if backing else now_s + self._limits.answer_s
        self._open.start(work.id, now_s, deadline_s)
        self._metrics.delegations_inflight.inc()
        if backing:
            work = replace(work, response_id=backing.begin(work.id, question, now_s, lines))
        self._begun.append(work)

    def take_begun(self) -> tuple[Delegation, ...]:
        """What has begun since the last call."""
        begun, self._begun = tuple(self._begun), []
        return begun

    def answer(self, delegation_id: str) -> Kind:
        """A client has brought what came of its work: how the model is to read that. Late answers
        are context only. Raises RequestError for an id that was never given out, and for work
        that the server does."""
        if self.backing and self.backing.has(delegation_id):
            raise RequestError(
                "unsupported_value",
                "this server's background model does this work; leave its id out",
                param="delegation_id",
            )
        return "result" if self._open.status(delegation_id) in (None, "done") else "context"

    def postpone(self, delegation_id: str, now_s: float) -> None:
        """The client is still at it: its time begins anew."""
        self._open.postpone(delegation_id, now_s + self._limits.answer_s)

    def end(self, delegation_id: str, status: Status, now_s: float) -> bool:
        """Nobody works on it any more. False when it had ended before. Raises RequestError for an
        id that was never given out."""
        took_s = self._open.end(delegation_id, status, now_s)
        if took_s is None:
            return False
        self._metrics.delegations_inflight.dec()
        self._metrics.delegation.labels(status).observe(took_s)
        return True

    def fail(self, delegation_id: str, text: str, now_s: float) -> None:
        """It comes to nothing, and the model is told so."""
        if self.end(delegation_id, "failed", now_s):
            outcome = Outcome(delegation_id=delegation_id, content=text, status="failed")
            self._come(outcome, "result", now_s)

    def cancel(self, delegation_id: str, now_s: float) -> None:
        """Nobody wants it any more. Raises RequestError for an id that was never given out or has
        ended."""
        status: Status | None = self._open.status(delegation_id)
        if self.backing and self.backing.has(delegation_id):
            status = None if self.backing.cancel(delegation_id, now_s) else "done"
        elif self.end(delegation_id, "cancelled", now_s):
            self._outcomes.append(Outcome(delegation_id=delegation_id, status="cancelled"))
        if status:
            raise RequestError(
                "delegation_ended",
                f"the delegation {delegation_id[:40]!r} has ended already",
                param="delegation_id",
            )

    def collect(
        self, now_s: float, *, user_speaks: bool, model_speaks: bool
    ) -> tuple[Outcome, ...]:
        """At the end of a micro-turn: what has come back, as far as the model could take it."""
        for delegation_id in self._open.overdue(now_s):
            text = (
                f"{delegation_id} had no answer for {self._limits.answer_s:g} s; the model was "
                "told that it failed"
            )
            self._notify(Notice(code="delegation_expired", message=text))
            self.fail(delegation_id, TOO_LATE, now_s)
        if self.backing:
            came = self.backing.poll(now_s, user_speaks=user_speaks, model_speaks=model_speaks)
            for delegation_id, result in came:
                kind = "context" if result.urgency == "silent" else "result"
                self._come(self._outcome(delegation_id, result), kind, now_s)
        self._read(now_s)
        outcomes, self._outcomes = tuple(self._outcomes), []
        return outcomes

    def _outcome(self, delegation_id: str | None, result: Result) -> Outcome:
        return Outcome(
            delegation_id=delegation_id,
            content=result.content,
            status=result.status,
            ui=self._checked(result.ui),
        )

    def _checked(self, ui: Ui | None) -> Ui | None:
        """What is shown to the user comes from a stranger, whichever backend passed it on."""
        if ui is None:
            return None
        try:
            return replace(ui, spec=check_spec(ui.spec))
        except ToolError as error:
            log.warning("a chart was refused")
            self._notify(Notice(code="chart_refused", message=str(error)))
            return None

    def _come(self, outcome: Outcome, kind: Kind, now_s: float) -> None:
        self._came.append(_Came(outcome=outcome, kind=kind, since_s=now_s))
        self._read(now_s)

    def _read(self, now_s: float) -> None:
        """Give the model what has come, in order, until it can take no more."""
        while self._came:
            came = self._came[0]
            outcome, status = came.outcome, came.outcome.status
            try:
                if outcome.content:
                    self._tell(came.kind, outcome.content)
            except RequestError as error:
                is_full = error.code == "read_backpressure"
                if is_full and now_s - came.since_s < self._limits.answer_s:
                    return
                log.warning("a result was not read: %s", error.code)
                status = "failed" if is_full and status == "done" else status
            self._came.popleft()
            if status and outcome.delegation_id is not None:
                self.end(outcome.delegation_id, status, now_s)
            self._outcomes.append(replace(outcome, status=status))

    def close(self, now_s: float) -> None:
        """The session is over: what is open is cancelled."""
        for took_s in self._open.end_all(now_s):
            self._metrics.delegations_inflight.dec()
            self._metrics.delegation.labels("cancelled").observe(took_s)
        if self.backing:
            self.backing.close(now_s)
