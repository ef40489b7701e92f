"""The course of delegated work in the events of OpenAI's Responses API, as `response.event`
carries them.

One piece of work is one response; when it calls functions of the client, that response ends and
another takes the work up again. Names and fields follow the public SDK types; snapshots have no
`output`, items come by themselves. Knows nothing of sessions or of who does the work.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from interplay.background.contract import FunctionCall, Status, Usage
from interplay.server.events import BackendEvent

MODEL = "background"  # a server has one, whatever a client calls it


@dataclass(kw_only=True)
class _Response:
    """One that is under way. num_items: output items so far."""

    id: str = field(default_factory=lambda: f"resp_{secrets.token_hex(12)}")
    created_at: int = field(default_factory=lambda: int(time.time()))
    num_events: int = 0
    num_items: int = 0

    def snapshot(self, status: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "model": MODEL,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": None,
        }


class ResponseLog:
    """Of one session. Every method tells something and returns the events of it."""

    def __init__(self) -> None:
        self._open: dict[str, _Response] = {}

    def begin(self, delegation_id: str) -> tuple[str, list[BackendEvent]]:
        """Work begins, or goes on after calls; also returns the id of its response."""
        response = self._open[delegation_id] = _Response()
        events = [
            self._event(delegation_id, f"response.{name}", response=response.snapshot(status))
            for name, status in (("created", "in_progress"), ("in_progress", "in_progress"))
        ]
        return response.id, events

    def text(self, delegation_id: str, text: str) -> list[BackendEvent]:
        """Words came; each time they are an item of their own."""
        if delegation_id not in self._open:
            return []
        item_id = f"msg_{secrets.token_hex(12)}"
        message = {"id": item_id, "type": "message", "role": "assistant"}
        part = {"type": "output_text", "text": text, "annotations": []}
        at = {"item_id": item_id, "content_index": 0}
        item = {**message, "status": "completed", "content": [part]}
        return self._item(
            delegation_id,
            {**message, "status": "in_progress", "content": []},
            [
                ("response.content_part.added", {**at, "part": {**part, "text": ""}}),
                ("response.output_text.delta", {**at, "delta": text, "logprobs": []}),
                ("response.output_text.done", {**at, "text": text, "logprobs": []}),
                ("response.content_part.done", {**at, "part": part}),
            ],
            item,
        )

    def calls(
        self, delegation_id: str, calls: Sequence[FunctionCall], usage: Usage | None = None
    ) -> list[BackendEvent]:
        """Functions of the client are to be called; with that this response is complete. The ids
        of the calls must be unique in the session. usage: of this response."""
        events: list[BackendEvent] = []
        for call in calls:
            item_id = f"fc_{secrets.token_hex(12)}"
            about = {
                "id": item_id,
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
            }
            at = {"item_id": item_id}
            events += self._item(
                delegation_id,
                {**about, "arguments": "", "status": "in_progress"},
                [
                    ("response.function_call_arguments.delta", {**at, "delta": call.arguments}),
                    (
                        "response.function_call_arguments.done",
                        {**at, "name": call.name, "arguments": call.arguments},
                    ),
                ],
                {**about, "arguments": call.arguments, "status": "completed"},
            )
        return events + self.end(delegation_id, "done", usage=usage)

    def end(
        self, delegation_id: str, status: Status, message: str = "", usage: Usage | None = None
    ) -> list[BackendEvent]:
        """Work has ended. message: for a person, where it failed. usage: of this response; null
        where nobody counts. There is no event for work that was cancelled: it is incomplete, and
        the snapshot says why."""
        response = self._open.get(delegation_id)
        if response is None:
            return []
        kind, state = {
            "done": ("completed", "completed"),
            "failed": ("failed", "failed"),
            "cancelled": ("incomplete", "cancelled"),
        }[status]
        snapshot = response.snapshot(state) | {"usage": _usage(usage)}
        if status == "failed":
            text = message or "the background model failed"
            snapshot["error"] = {"code": "server_error", "message": text}
        event = self._event(delegation_id, f"response.{kind}", response=snapshot)
        del self._open[delegation_id]
        return [event]

    def _item(
        self,
        delegation_id: str,
        begun: dict[str, Any],
        course: list[tuple[str, dict[str, Any]]],
        done: dict[str, Any],
    ) -> list[BackendEvent]:
        response = self._open[delegation_id]
        at = {"output_index": response.num_items}
        response.num_items += 1
        return [
            self._event(delegation_id, "response.output_item.added", item=begun, **at),
            *(self._event(delegation_id, kind, **at, **fields) for kind, fields in course),
            self._event(delegation_id, "response.output_item.done", item=done, **at),
        ]

    def _event(self, delegation_id: str, kind: str, **fields: Any) -> BackendEvent:
        response = self._open[delegation_id]
        event = {"type": kind, "sequence_number": response.num_events, **fields}
        response.num_events += 1
        return BackendEvent(delegation_id=delegation_id, event=event)


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
