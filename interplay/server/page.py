"""The adapter of our own page (`/v1/page`): sound, camera frame and playback in one binary message
per micro-turn, always resumable. Knows nothing of sockets.
"""

from collections.abc import Callable, Sequence
from typing import Any

from interplay.clock import TURN_MS
from interplay.errors import RequestError
from interplay.server import page_wire as wire
from interplay.server.auth import Visitor
from interplay.server.camera import Camera
from interplay.server.events import Ended, Event, Notice, Turn
from interplay.server.guard import error_body
from interplay.server.hub import Hub
from interplay.server.later import Later
from interplay.server.outbox import Outbox
from interplay.server.pcm import check_rate
from interplay.server.served import Opening, ServedSession, encode_text

SUBPROTOCOL = "interplay"


class PageConnection:
    """One page with its session."""

    def __init__(self, hub: Hub, visitor: Visitor) -> None:
        self.hub = hub
        self.outbox = Outbox(hub.limits.outbox_items)
        self.session: ServedSession | None = None
        self._visitor, self._camera = visitor, Camera(hub.clock)
        self._handlers: dict[type, Callable[[Any], Later | None]] = {
            wire.Input: self._hear,
            wire.Start: self._start,
            wire.Resume: self._resume,
            wire.Say: lambda message: self._running().type(message.text),
            wire.Mute: self._mute,
            wire.Answer: self._answer,
            wire.Close: lambda message: self.hub.close(self._running(), "asked"),
        }

    def receive(self, message: str | bytes) -> Later | None:
        parsed = wire.parse(message)
        return self._handlers[type(parsed)](parsed)

    def refusal(self, error: RequestError, message: str | bytes) -> str:
        return wire.write("error", error=error_body(error))

    def encode(self, event: Event) -> Sequence[str | bytes]:
        if isinstance(event, Turn):
            return [wire.write_turn(event)]
        if isinstance(event, Notice):
            return [wire.write("notice", code=event.code, message=event.message)]
        if isinstance(event, Ended):
            seconds = event.num_turns * TURN_MS / 1000
            about = {"reason": event.reason, "message": event.message, "seconds": seconds}
            return [wire.write("ended", **about)]
        return []

    def _running(self) -> ServedSession:
        if self.session is None or self.session.id not in self.hub.sessions:
            raise RequestError("not_started", "there is no running session; send start")
        return self.session

    def _start(self, message: wire.Start) -> None:
        self._check_new()
        self._visitor.check_may_open()
        hub, text = self.hub, message.instructions
        encode_text(hub.tokenizer, text, hub.limits.waiting_tokens, "instructions")
        opening = Opening(
            instructions=text,
            rate_hz=check_rate(message.rate),
            resumable=True,
            record=message.record,
            client_delegations=hub.delegations is None,
        )
        self.session = hub.open(opening, self.outbox)
        self._visitor.opened(self.session.id)
        self.outbox.put(wire.write("started", **self._about()))

    def _about(self) -> dict[str, Any]:
        session = self._running()
        return {
            "session_id": session.id,
            "model": self.hub.engine.facts["model"],
            "rate": session.opening.rate_hz,
            "turn_ms": TURN_MS,
            "has_eyes": self.hub.has_eyes,
            "client_delegations": session.opening.client_delegations,
            "records": session.opening.record,
            "resume_token": self.hub.issue_token(session),
            "resume_s": self.hub.limits.resume_s,
        }

    def _check_new(self) -> None:
        if self.session:
            raise RequestError("already_started", "this connection has a session already")

    def _resume(self, message: wire.Resume) -> None:
        self._check_new()
        self.session, missed = self.hub.resume(
            message.token, message.last_turn, self.outbox, self._visitor.only_session
        )
        next_turn = missed[0].index if missed else self.session.num_turns
        num_lost = next_turn - message.last_turn - 1
        self.outbox.put(wire.write("resumed", num_lost_turns=num_lost, **self._about()))
        self.outbox.preload([*missed])

    def _hear(self, message: wire.Input) -> Later | None:
        """Sound first: it is heard whatever is wrong with the rest of the message."""
        session = self._running()
        if message.pcm:
            session.hear(message.pcm)
        session.played(message.played_ms, message.flushed_ms)
        if not message.picture:
            return None
        if not self.hub.has_eyes:
            raise RequestError("unsupported_value", "this model has no eyes", param="picture")
        if not self._camera.admits():
            return None
        return Later(work=lambda: self._camera.tiles(message.picture), then=session.see)

    def _mute(self, message: wire.Mute) -> None:
        self._running().mute(message.on)

    def _answer(self, message: wire.Answer) -> None:
        self._running().answer(message.delegation_id, message.text)
