"""The server's background model at work for one session: delegations that it does, functions of
the client that it wants called, and what came of them.

Knows nothing of protocols, sound or the model that talks; times are seconds on the session's
clock.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from interplay.background.contract import BackendSettings, Line, Result
from interplay.errors import RequestError
from interplay.server.delegations import Delegations, FunctionDelegations
from interplay.server.events import BackendEvent
from interplay.server.responses import ResponseLog

MAX_QUESTION = 2000  # letters of a question that a client asks by itself


class Came(NamedTuple):
    """Something that came back. delegation_id: as clients know it, None for a notice."""

    delegation_id: str | None
    result: Result


@dataclass(kw_only=True)
class _Calls:
    """What one delegation waits for: wire id of a call -> the backend's, and what came of them."""

    ids: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        return [call_id for call_id in self.ids if call_id not in self.outputs]


class Backing:
    """Of one session; `work` does it."""

    def __init__(self, work: Delegations) -> None:
        self.settings = BackendSettings()
        self._work = work
        self._log = ResponseLog()
        self._events: list[BackendEvent] = []
        self._ids: dict[int, str] = {}
        self._calls: dict[str, _Calls] = {}
        self._questions: list[str] = []

    def begin(
        self, delegation_id: str, question: str, now_s: float, conversation: Sequence[Line]
    ) -> str:
        """Hand over one piece of work; returns the id of its response."""
        response_id, events = self._log.begin(delegation_id)
        self._events += events
        self._ids[self._work.delegate(question, now_s, conversation)] = delegation_id
        return response_id

    def poll(self, now_s: float, *, user_speaks: bool, model_speaks: bool) -> list[Came]:
        """What came back and may reach the model now."""
        results = self._work.poll(now_s, user_speaks=user_speaks, model_speaks=model_speaks)
        return [self._take(result) for result in results]

    def has(self, delegation_id: str) -> bool:
        """Whether it is at work on this."""
        return delegation_id in self._ids.values()

    def cancel(self, delegation_id: str, now_s: float) -> bool:
        """End what it is at work on; the end comes with `poll`. False when that is on its way."""
        return self._work.cancel(self._number(delegation_id), now_s)

    def interrupt(self) -> None:
        """The user broke into the model's speech."""
        self._work.interrupt()

    def close(self, now_s: float) -> None:
        """The session is over; the events of that are to be taken."""
        self._work.close(now_s)
        for delegation_id in self._ids.values():
            self._events += self._log.end(delegation_id, "cancelled")
        self._ids, self._calls = {}, {}

    def take_events(self) -> tuple[BackendEvent, ...]:
        """What has happened since the last call."""
        events, self._events = tuple(self._events), []
        return events

    def configure(self, settings: BackendSettings) -> bool:
        """What the client wishes of the backend; False when it takes no wishes."""
        self.settings = settings
        return isinstance(self._work, FunctionDelegations) and self._work.configure(settings)

    def add_output(self, call_id: str, output: str) -> None:
        """What came of a call. Raises RequestError for a call that nobody waits for."""
        delegation_id = self.owner(call_id)
        if delegation_id is None:
            raise RequestError(
                "unknown_call",
                f"no function call {call_id[:40]!r} waits for its output",
                param="item.call_id",
            )
        self._calls[delegation_id].outputs[call_id] = output

    def owner(self, call_id: str) -> str | None:
        """The delegation that waits for this call; None: nobody does."""
        return next((i for i, calls in self._calls.items() if call_id in calls.ids), None)

    def add_question(self, text: str) -> None:
        """A message to the backend. Raises RequestError when there are too many letters."""
        if len(text) + sum(map(len, self._questions)) > MAX_QUESTION:
            raise RequestError(
                "too_many_tokens",
                f"messages to the backend have more than {MAX_QUESTION} letters; send fewer",
                param="item.content",
            )
        self._questions.append(text)

    def respond(self, now_s: float) -> str:
        """Go on with the work whose calls have all been answered. Returns the question to begin
        new work with, "" when there is none. Raises RequestError when there is nothing to do."""
        ready = self.go_on(now_s)
        question, self._questions = "\n".join(self._questions), []
        if ready or question:
            return question
        missing = [call_id for calls in self._calls.values() for call_id in calls.missing]
        if missing:
            raise RequestError(
                "missing_output",
                f"these calls have no output yet: {', '.join(missing)}; create the items first",
            )
        raise RequestError(
            "nothing_to_answer", "there is neither a call to go on from nor a message to answer"
        )

    def go_on(self, now_s: float) -> bool:
        """Go on with the work whose calls have all been answered. False when there is none."""
        ready = [i for i, calls in self._calls.items() if not calls.missing]
        for delegation_id in ready:
            calls = self._calls.pop(delegation_id)
            _, events = self._log.begin(delegation_id)
            self._events += events
            outputs = {calls.ids[call_id]: text for call_id, text in calls.outputs.items()}
            assert isinstance(self._work, FunctionDelegations), "it has called functions"
            self._work.give(self._number(delegation_id), outputs, now_s)
        return bool(ready)

    def _number(self, delegation_id: str) -> int:
        return next(number for number, i in self._ids.items() if i == delegation_id)

    def _take(self, result: Result) -> Came:
        delegation_id = None
        if result.delegation_id is not None:
            delegation_id = self._ids.get(result.delegation_id)
        if delegation_id is not None:
            self._tell(delegation_id, result)
        if delegation_id is not None and result.delegation_id is not None and result.status:
            del self._ids[result.delegation_id]
        return Came(delegation_id, result)

    def _tell(self, delegation_id: str, result: Result) -> None:
        log = self._log
        if result.content and result.status != "failed":
            self._events += log.text(delegation_id, result.content)
        if result.calls:
            calls = [replace(c, id=f"call_{secrets.token_hex(12)}") for c in result.calls]
            self._events += log.calls(delegation_id, calls, result.usage)
            ids = {ours.id: c.id for ours, c in zip(calls, result.calls, strict=True)}
            self._calls[delegation_id] = _Calls(ids=ids)
        if not result.status:
            return
        if self._calls.pop(delegation_id, None):
            _, events = log.begin(delegation_id)  # it ended while it waited for the client
            self._events += events
        self._events += log.end(delegation_id, result.status, result.content, result.usage)
