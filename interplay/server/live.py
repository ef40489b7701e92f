"""The Live protocol (`/v1/live/sessions`) over the core: messages in, messages out.

Two adapters: `LivePrimary` has a session of its own, `LiveSideband` observes and controls one that
runs already. Order of events and traps: docs/protocol.md. Knows nothing of sockets.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from interplay.clock import TURN_MS, TURNS_PER_S
from interplay.errors import RequestError
from interplay.server import live_wire as wire
from interplay.server.auth import Visitor
from interplay.server.camera import Camera
from interplay.server.events import BackendEvent, Ended, Event, Notice, Turn, UserSound
from interplay.server.formats import PCM, SoundFormat
from interplay.server.guard import error_body
from interplay.server.history import cut_notice
from interplay.server.hub import Hub
from interplay.server.json_events import client_event_id, write
from interplay.server.later import Later
from interplay.server.live_delegation import (
    add_item,
    check_delegation,
    configure,
    describe_delegation,
)
from interplay.server.live_start import (
    beginning_of,
    describe,
    opening_of,
    remarks,
    sound_format,
)
from interplay.server.live_turns import ends, numbers, shown, usage
from interplay.server.outbox import Outbox
from interplay.server.pcm import PcmConverter
from interplay.server.served import ServedSession

USAGE_TURNS = 15 * TURNS_PER_S
SIDEBAND_HZ = 24_000
SIDEBAND_EXTENSIONS = ("turns", "ui", "delegations")  # the others are about a client's own sound
REASONS = {  # ours -> the five that the protocol has
    "asked": "close_requested",
    "expired": "expired",
    "idle": "expired",
    "drained": "expired",
    "lost": "connection_lost",
    "failed": "connection_lost",
    "replaced": "connection_lost",
}
KINDS = {  # of context -> how the model reads it, and the name in the answer
    wire.AppendInstructions: ("context", "instructions"),
    wire.AppendThinking: ("context", "thinking"),
    wire.AppendCommentary: ("speech", "commentary"),
}


class LiveConnection(ABC):
    """What both adapters share: control of a session, and its words and delegations."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.outbox = Outbox(hub.limits.outbox_items)
        self.session: ServedSession | None = None
        self.extensions: frozenset[str] = frozenset()
        self.about: dict[str, Any] = {}  # the `session` of the protocol
        self._num_events = 0
        self._close_id: str | None = None
        self._handlers: dict[type, Callable[[Any], Later | None]] = {
            wire.Update: self._update,
            wire.Mute: lambda event: self._mute(event, True),
            wire.Unmute: lambda event: self._mute(event, False),
            wire.Close: self._close,
            wire.CancelDelegation: self._cancel,
            wire.CreateItem: lambda event: self._remark(add_item(self._backed(), event.item)),
            wire.CreateResponse: lambda event: self._backed().respond(),
            **{kind: self._append for kind in KINDS},
        }

    def receive(self, message: str | bytes) -> Later | None:
        """One message of the client."""
        event = wire.parse(message)
        handler = self._handlers.get(type(event))
        if handler is None:
            kind = type(event).__struct_config__.tag
            raise RequestError("unsupported_event", f"{kind} is not possible here", param="type")
        return handler(event)

    def refusal(self, error: RequestError, message: str | bytes) -> str:
        event_id = client_event_id(message)
        body = error_body(error) | {"client_event_id": event_id}
        return self._event("error", {"error": body}, event_id)

    def encode(self, event: Event) -> Sequence[str]:
        if isinstance(event, Turn):
            return self._turn(event)
        if isinstance(event, Notice):
            return self._notice(event)
        if isinstance(event, Ended):
            return self._ended(event)
        if isinstance(event, BackendEvent):
            return [self._backend(event, {})]
        return []

    def _notice(self, notice: Notice) -> list[str]:
        """In prose, and where time is limited as the protocol tells that: `expires_at`."""
        messages = [self._event("info", {"code": notice.code, "message": notice.message})]
        if notice.left_s is not None and self.about:
            self.about["expires_at"] = int(time.time() + notice.left_s)
            messages.append(self._event("session.updated", {"session": self.about}))
        return messages

    def _event(self, kind: str, fields: dict[str, Any], client_event_id: str | None = None) -> str:
        self._num_events += 1
        fields = {"event_id": f"event_{self._num_events:08x}"} | fields
        if client_event_id:
            fields["client_event_id"] = client_event_id
        return write(kind, fields)

    def _answer(self, kind: str, event: Any, fields: dict[str, Any] | None = None) -> None:
        self.outbox.put(self._event(kind, fields or {}, event.event_id))

    def _running(self) -> ServedSession:
        if self.session is None or self.session.id not in self.hub.sessions:
            raise RequestError("not_started", "there is no running session; send session.start")
        return self.session

    def _backed(self) -> ServedSession:
        session = self._running()
        if session.backing is None:
            raise RequestError(
                "unsupported_event",
                "this needs the delegation type responses; here the client does the work",
                param="type",
            )
        return session

    def _now(self) -> dict[str, int]:
        now_ms = self._running().now_ms
        return {"start_ms": now_ms, "end_ms": now_ms}

    def _update(self, event: wire.Update) -> None:
        session, change = self._running(), event.session
        if change.triggers:
            raise RequestError(
                "unsupported_value", "triggers are not supported here", param="session.triggers"
            )
        if change.delegation and change.delegation.type != self.about["delegation"]["type"]:
            raise RequestError(
                "immutable_value",
                f"the delegation type is {self.about['delegation']['type']} and stays so",
                param="session.delegation.type",
            )
        check_delegation(change.delegation)
        ignored = configure(session, change.delegation)
        self.about["delegation"] = session.about["delegation"] = describe_delegation(session)
        self._answer("session.updated", event, {"session": self.about})
        self._remark(ignored)

    def _remark(self, remarks: list[tuple[str, str]]) -> None:
        for code, message in remarks:
            self.outbox.put(Notice(code=code, message=message))

    def _mute(self, event: wire.Mute | wire.Unmute, is_muted: bool) -> None:
        self._running().mute(is_muted)
        name = "muted" if is_muted else "unmuted"
        self._answer(f"session.input_audio.{name}", event)

    def _append(self, event: wire.Context) -> None:
        session, (kind, name) = self._running(), KINDS[type(event)]
        if event.delegation_id is None:
            session.tell(kind, event.content)
        elif session.backing:
            raise RequestError(
                "unsupported_value",
                "non-null ids are not accepted with the delegation type responses; send null",
                param="delegation_id",
            )
        elif kind == "speech":
            session.answer(event.delegation_id, event.content)
        else:
            session.progress(event.delegation_id, event.content)
        self._answer(f"session.{name}.appended", event, self._now())

    def _close(self, event: wire.Close) -> None:
        session, self._close_id = self._running(), event.event_id
        session.finish(lambda: self.hub.close(session, "asked"))

    def _need(self, extension: str) -> ServedSession:
        session = self._running()
        if extension not in self.extensions:
            raise RequestError(
                "extension_not_enabled",
                f"ask for {extension!r} in session.interplay.extensions at the start",
            )
        return session

    def _cancel(self, event: wire.CancelDelegation) -> None:
        """Answered by `interplay.delegation.ended`."""
        self._need("delegations").cancel_delegation(event.delegation_id)

    def _turn(self, turn: Turn) -> list[str]:
        stamp = {"turn": turn.index} if "resume" in self.extensions else {}
        messages = []
        for name, fragments in (("input", turn.heard), ("output", turn.said)):
            for piece in fragments:
                span = {"delta": piece.text, "start_ms": piece.start_ms, "end_ms": piece.end_ms}
                messages.append(self._event(f"session.{name}_transcript.delta", span | stamp))
        target = self.about["delegation"]["type"]
        for work in turn.delegations:
            about = {"id": work.id, "type": "delegation", "target": target}
            about |= {"response_id": work.response_id} if work.response_id else {}
            fields = {"offset_ms": work.offset_ms, "delegation": about} | stamp
            messages.append(self._event("session.delegation.created", fields))
        messages += [self._backend(event, stamp) for event in turn.backend]
        if "ui" in self.extensions:
            messages += [self._event("interplay.ui", about | stamp) for about in shown(turn)]
        if "delegations" in self.extensions:
            kind = "interplay.delegation.ended"
            messages += [self._event(kind, about | stamp) for about in ends(turn)]
        if "turns" in self.extensions:
            messages.append(self._event("interplay.turn", numbers(turn)))
        if (turn.index + 1) % USAGE_TURNS == 0:
            fields = {"usage": usage(turn.index + 1)}
            messages.append(self._event("session.usage.updated", fields))
        messages += self._audio(turn, stamp)  # last: who has it has the whole micro-turn
        return messages

    def _backend(self, event: BackendEvent, stamp: dict[str, int]) -> str:
        fields = {"delegation_id": event.delegation_id, "event": event.event}
        return self._event("response.event", fields | stamp)

    @abstractmethod
    def _audio(self, turn: Turn, stamp: dict[str, int]) -> list[str]:
        """The sound of a micro-turn, as this connection hears it."""

    def _ended(self, ended: Ended) -> list[str]:
        messages = []
        if ended.message:
            error = RequestError(ended.reason, ended.message)
            messages.append(self._event("error", {"error": error_body(error)}))
        if self.about and ended.reason in REASONS:
            fields = {
                "reason": REASONS[ended.reason],
                "session": self.about,
                "usage": usage(ended.num_turns),
            }
            messages.append(self._event("session.closed", fields, self._close_id))
        return messages


class LivePrimary(LiveConnection):
    """A client with its own session. on_track: its sound is not in messages."""

    on_track = False

    def __init__(self, hub: Hub, visitor: Visitor) -> None:
        super().__init__(hub)
        self._visitor, self._camera = visitor, Camera(hub.clock)
        self._format = SoundFormat()
        self._handlers |= {
            wire.Start: self._start,
            wire.Resume: self._resume,
            wire.AppendAudio: self._hear,
            wire.AppendText: self._type,
            wire.AppendVideo: self._look,
            wire.AckPlayback: self._played,
        }

    def _start(self, event: wire.Start) -> None:
        if self.session:
            raise RequestError("already_started", "this connection has a session already")
        self._open(event.session, event.event_id)

    def _open(self, config: wire.SessionConfig, event_id: str | None) -> None:
        self._visitor.check_may_open()
        hub, limits = self.hub, self.hub.limits
        begun = beginning_of(config, hub.tokenizer, limits)
        opening = opening_of(config, begun, has_eyes=hub.has_eyes, on_track=self.on_track)
        session = self.hub.open(opening, self.outbox)
        self._visitor.opened(session.id)
        self.extensions = frozenset(config.interplay.extensions if config.interplay else ())
        model = self.hub.engine.facts["model"]
        expires_at = int(time.time() + limits.session_s)
        self._format = sound_format(config.audio)
        ignored = configure(session, config.delegation)
        delegation = describe_delegation(session)
        self.about = describe(config, session.id, model, expires_at, delegation)
        if self.on_track:
            del self.about["audio"]["format"]
        session.about = self.about
        self.session = session
        fields = {"session": self.about | self._token()}
        self.outbox.put(self._event("session.started", fields, event_id))
        self._remark(remarks(config, model) + ignored)
        if begun.num_left_out:
            self.outbox.put(cut_notice(begun.num_left_out, limits.waiting_tokens))

    def _token(self) -> dict[str, Any]:
        if "resume" not in self.extensions or self.session is None:
            return {}
        extras = self.about["interplay"] | {"resume_token": self.hub.issue_token(self.session)}
        return {"interplay": extras}

    def _resume(self, event: wire.Resume) -> None:
        if self.session:
            raise RequestError("already_started", "this connection has a session already")
        session, missed = self.hub.resume(
            event.token, event.last_turn, self.outbox, self._visitor.only_session
        )
        known = session.about["audio"].get("format", {})
        self._format = SoundFormat(name=known.get("type", PCM), rate_hz=session.opening.rate_hz)
        sound = {"format": self._format.describe()}
        self.session = session
        self.about = session.about | {"audio": session.about["audio"] | sound}
        self.extensions = frozenset(self.about["interplay"]["extensions"])
        next_turn = missed[0].index if missed else session.num_turns
        fields = {
            "session": self.about | self._token(),
            "last_turn": event.last_turn,
            "num_lost_turns": next_turn - event.last_turn - 1,
        }
        self._answer("interplay.session.resumed", event, fields)
        self.outbox.preload([*missed])

    def _hear(self, event: wire.AppendAudio) -> None:
        self._running().hear(self._format.to_pcm(event.audio))

    def _audio(self, turn: Turn, stamp: dict[str, int]) -> list[str]:
        delta = self._format.from_pcm(turn.pcm)
        return [self._event("session.output_audio.delta", {"delta": delta} | stamp)]

    def _type(self, event: wire.AppendText) -> None:
        self._need("text").type(event.text)
        self._answer("interplay.input_text.appended", event, self._now())

    def _look(self, event: wire.AppendVideo) -> Later | None:
        session = self._need("video")
        if not self._camera.admits():
            return None
        return Later(work=lambda: self._camera.tiles(event.image), then=session.see)

    def _played(self, event: wire.AckPlayback) -> None:
        self._need("playback").played(event.played_ms, event.flushed_ms)


class LiveSideband(LiveConnection):
    """An observer of a running session, who may also control it. Sound is PCM at 24 kHz.
    extensions: that it asks for itself, whatever the session's client has. Raises RequestError
    for one that a sideband cannot have."""

    def __init__(self, hub: Hub, session: ServedSession, extensions: Sequence[str] = ()) -> None:
        super().__init__(hub)
        for name in extensions:
            if name not in SIDEBAND_EXTENSIONS:
                text = (
                    f"a sideband has no extension {name[:40]!r}; it may ask for "
                    f"{' and '.join(SIDEBAND_EXTENSIONS)}"
                )
                raise RequestError("unsupported_value", text, param="extensions")
        self.extensions = frozenset(extensions)
        self.session, self.about = session, session.about
        session.observers.append(self.outbox)
        rate_hz = session.opening.rate_hz
        self._in, self._out = (PcmConverter(rate_hz, SIDEBAND_HZ) for _ in range(2))

    def encode(self, event: Event) -> Sequence[str]:
        if isinstance(event, UserSound):
            return [write("session.input_audio.append", {"audio": self._in.push(event.pcm)})]
        return super().encode(event)

    def _audio(self, turn: Turn, stamp: dict[str, int]) -> list[str]:
        start_ms = (turn.index + 1) * TURN_MS
        fields = {
            "delta": self._out.push(turn.pcm),
            "start_ms": start_ms,
            "end_ms": start_ms + TURN_MS,
        }
        return [write("session.output_audio.delta", fields)]
