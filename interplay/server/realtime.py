"""The Realtime protocol (GA, `/v1/realtime`) over the core: messages in, messages out.

A full-duplex model has no turns: every burst of its speech becomes a response, and the user has
"started to speak" when the model yields. Order of events and traps: docs/protocol.md. Knows
nothing of sockets: with a `Track`, sound goes past the events, as over WebRTC.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from interplay.background.contract import UNREACHABLE
from interplay.errors import RequestError
from interplay.server import realtime_wire as wire
from interplay.server.auth import Visitor
from interplay.server.delegations import calls_functions
from interplay.server.events import BackendEvent, Ended, Event, Notice, Turn
from interplay.server.guard import error_body
from interplay.server.history import beginning, cut_notice
from interplay.server.hub import Hub
from interplay.server.json_events import client_event_id, write
from interplay.server.later import Later
from interplay.server.media import Track
from interplay.server.outbox import Item as Sent
from interplay.server.outbox import Outbox
from interplay.server.pcm import SAMPLE_BYTES, length_s
from interplay.server.realtime_content import check_response
from interplay.server.realtime_history import History
from interplay.server.realtime_items import Conversation, new_id
from interplay.server.realtime_replies import Replies
from interplay.server.realtime_requests import ItemRequests, call_of, is_history
from interplay.server.realtime_settings import Remark, Settings, describe, updated
from interplay.server.realtime_sound import HeldSound, SentAgain
from interplay.server.realtime_user import UserSpeech
from interplay.server.served import Opening, ServedSession, encode_text

BEGIN_S = 2.0  # after connecting, at the latest, the session's time begins
REFUSED = {"secret_used": 1008}  # close codes of those who are not let in, else 1013


class RealtimeConnection:
    """A client with its own session.

    The session's time begins with the first message that is neither `session.update` nor an item
    of words, or with `begin`: what was set and told before is its pinned beginning. config:
    settings that were agreed before the connection. track: None for a transport whose sound is in
    events. model: the one that the client has asked for, "" for none.
    """

    def __init__(
        self,
        hub: Hub,
        visitor: Visitor,
        config: wire.SessionConfig | None = None,
        track: Track | None = None,
        model: str = "",
    ) -> None:
        self.hub, self.track = hub, track
        self.outbox = Outbox(hub.limits.outbox_items, self._translate)
        self.session: ServedSession | None = None
        self.id = new_id("sess")
        self._visitor = visitor
        self._expires_at = int(time.time() + hub.limits.session_s)
        self._settings = Settings(has_caller=calls_functions(hub.delegations))
        self._held, self._again = HeldSound(hub.limits.held_s), SentAgain()
        self._conversation, self._history = Conversation(), History(hub.limits.history_items)
        self._replies = Replies(self._conversation, self._emit, sends_sound=track is None)
        self._user = UserSpeech(self._conversation, self._emit)
        items = ItemRequests(
            hub, self._running, self._conversation, self._history, self._replies, self._emit
        )
        self._has_sound = False  # since the last commit
        self._num_events = 0
        self._ready: list[str] = []  # messages of what is going on right now
        self._handlers: dict[type, Callable[[Any], Later | None]] = {
            wire.Update: self._update,
            wire.AppendAudio: self._append,
            wire.Commit: self._commit,
            wire.ClearInput: self._clear_input,
            wire.ClearOutput: self._clear_output,
            wire.CreateItem: items.create,
            wire.RetrieveItem: items.retrieve,
            wire.TruncateItem: items.truncate,
            wire.DeleteItem: items.delete,
            wire.CreateResponse: self._create_response,
            wire.CancelResponse: self._cancel_response,
        }
        self._greet(config, model)

    def _greet(self, config: wire.SessionConfig | None, model: str) -> None:
        try:
            remarks: list[Remark] = []
            if model:
                remarks += self._set(wire.SessionConfig(model=model))
            if config:
                remarks += self._set(config)
            self._visitor.check_may_open()
            self.hub.check_admits()
        except RequestError as error:
            self._give_up(error)
        else:
            self._emit("session.created", {"session": self._about(remarks)})
            self._send()

    def begin(self) -> None:
        """Begin the session's time, unless it has begun. When nobody is let in, the client is
        told and the connection ends."""
        try:
            self._begin()
        except RequestError as error:
            self._give_up(error)

    def _begin(self, *, is_asked: bool = False) -> None:
        """is_asked: a response is wanted, to what the user has typed. Raises RequestError when
        nobody is let in."""
        if self.session:
            return
        self._visitor.check_may_open()
        told, most = self._history.told(is_asked=is_asked), self.hub.limits.waiting_tokens
        begun = beginning(self._settings.instructions, told, self.hub.tokenizer, most)
        opening = Opening(
            instructions=begun.text,
            history=begun.history,
            rate_hz=self._settings.sound_in.rate_hz,
            record=self._settings.records,
            client_delegations=self.hub.delegations is None,
        )
        self.session = self.hub.open(opening, self.outbox)
        self._history.is_open = False
        self._tune()
        self._visitor.opened(self.session.id)
        self._choose_worker()
        if begun.num_left_out:
            self.outbox.put(cut_notice(begun.num_left_out, most))

    def _choose_worker(self) -> None:
        """A background model that calls functions gets the client's. Otherwise a function of the
        client goes before the server's background model, whenever it comes."""
        if self.session is None:
            return
        backing, settings = self.session.backing, self._settings
        is_called = backing is not None and backing.configure(settings.backend)
        has_function = not is_called and settings.target is not None
        self.session.work.client_works = has_function or backing is None

    def _give_up(self, error: RequestError) -> None:
        self.hub.metrics.rejects.labels(error.code).inc()
        self.outbox.put(self.refusal(error, ""))
        self.outbox.put(Ended(reason="refused", close_code=REFUSED.get(error.code, 1013)))

    def receive(self, message: str | bytes) -> Later | None:
        """One message of the client."""
        event = wire.READER.read(message)
        try:
            if not (isinstance(event, wire.Update) or is_history(event)):
                self._begin(is_asked=isinstance(event, wire.CreateResponse))
            later = self._handlers[type(event)](event)
        finally:
            self._send()
        if later is None:
            return None
        return Later(work=later.work, then=lambda result: self._finish(later, result))

    def _finish(self, later: Later, result: Any) -> None:
        try:
            later.then(result)
        finally:
            self._send()

    def refusal(self, error: RequestError, message: str | bytes) -> str:
        body = error_body(error) | {"event_id": client_event_id(message)}
        return self._event("error", {"error": body})

    def encode(self, event: Event) -> Sequence[str]:
        """Nothing is left to be said: `_translate` did, when the event came."""
        return []

    def _emit(self, kind: str, fields: dict[str, Any]) -> None:
        self._ready.append(self._event(kind, fields))

    def _event(self, kind: str, fields: dict[str, Any]) -> str:
        self._num_events += 1
        return write(kind, {"event_id": f"event_{self._num_events:08x}"} | fields)

    def _taken(self) -> list[Sent]:
        """The messages that are ready, as one thing to be sent."""
        messages, self._ready = tuple(self._ready), []
        return [messages] if messages else []

    def _send(self) -> None:
        for messages in self._taken():
            self.outbox.put(messages)

    def _translate(self, event: Event) -> Sequence[Sent]:
        if isinstance(event, Turn):
            self._advance(event)
        elif isinstance(event, Notice):
            self._notice(event)
        elif isinstance(event, Ended):
            self._replies.finish("incomplete")
            if event.message:
                error = RequestError(event.reason, event.message)
                self._emit("error", {"error": error_body(error) | {"event_id": None}})
            return [*self._taken(), event]
        return self._taken()

    def _notice(self, notice: Notice) -> None:
        """As a remark in the settings, which every client knows and none breaks off at; where time
        is limited, with another `expires_at`."""
        if notice.left_s is not None:
            self._expires_at = int(time.time() + notice.left_s)
        remark = {"code": notice.code, "message": call_of(notice.message)}  # its name here
        self._emit("session.updated", {"session": self._about([remark])})

    def _advance(self, turn: Turn) -> None:
        self.hub.metrics.input_dropped.inc(self._held.advance(self._hears))
        self._user.hear(turn)
        yields = turn.yields and self._replies.speaks
        if yields:
            self._user.interrupt(turn)
            self._replies.finish("cancelled", "turn_detected")
        else:
            self._replies.hear(turn)
        cut_ms = self._replies.cut_ms
        if cut_ms is not None:
            session = self._running()
            session.played(cut_ms, session.now_ms)
        if self.track:
            if yields:
                self.track.flush()
            is_silent = yields or cut_ms is not None
            self.track.play(bytes(len(turn.pcm)) if is_silent else turn.pcm)
        for work in turn.delegations:
            if work.response_id is None:
                self._delegate(work.id, work.question)
        for event in turn.backend:
            self._call(event)

    def _call(self, event: BackendEvent) -> None:
        """The background model wants a function of the client called, or something else happens."""
        item = event.event.get("item", {})
        if event.event["type"] == "response.output_item.done" and item["type"] == "function_call":
            self._replies.call(item["name"], item["arguments"], item["call_id"])

    def _delegate(self, delegation_id: str, question: str) -> None:
        target = self._settings.target
        if target and self._replies.may_call:
            tool, place = target
            arguments = msgspec.json.encode({place: question} if place else {}).decode()
            self._replies.call(tool.name, arguments, call_of(delegation_id))
        else:
            self._running().fail_delegation(delegation_id, UNREACHABLE)

    def _running(self) -> ServedSession:
        if self.session is None or self.session.id not in self.hub.sessions:
            raise RequestError("session_ended", "this session has ended; connect again")
        return self.session

    def _about(self, remarks: Sequence[Remark]) -> dict[str, Any]:
        return describe(
            self._settings,
            session_id=self.id,
            model=self._model,
            expires_at=self._expires_at,
            remarks=remarks,
        )

    @property
    def _model(self) -> str:
        return self.hub.engine.facts["model"]

    def _update(self, event: wire.Update) -> None:
        remarks = self._set(event.session)
        self._emit("session.updated", {"session": self._about(remarks)})

    def _set(self, config: wire.SessionConfig) -> list[Remark]:
        """All of it or, when RequestError is raised, nothing."""
        on_track = self.track is not None
        settings, remarks = updated(self._settings, config, self._model, on_track=on_track)
        if settings.records != self._settings.records:
            self._check_record()
        if settings.instructions != self._settings.instructions:
            self._instruct(settings.instructions)
        if settings.sound_in != self._settings.sound_in:
            self._held.clear()
        self._settings = settings
        self._user.transcribes = settings.transcribes
        self._tune()
        self._choose_worker()
        return remarks

    def _check_record(self) -> None:
        """Raises RequestError where a session cannot be kept, or not from its beginning on."""
        param = "session.interplay.extensions"
        if self.hub.record_root is None:
            raise RequestError(
                "unsupported_value",
                "this server keeps no recordings; leave record out",
                param=param,
            )
        if self.session:
            text = "recording is settled when time begins; ask before anything else is sent"
            raise RequestError("immutable_value", text, param=param)

    def _tune(self) -> None:
        """Sound comes and goes as the settings say, from now on."""
        sound_in, sound_out = self._settings.sound_in, self._settings.sound_out
        self._replies.sound = sound_out
        if self.session:
            self.session.set_rates(sound_in.rate_hz, sound_out.rate_hz)

    def _instruct(self, text: str) -> None:
        """Before the session begins, instructions are its beginning; later, they are read."""
        param, limits = "session.instructions", self.hub.limits
        if self.session is None:
            encode_text(self.hub.tokenizer, text, limits.waiting_tokens, param)
        elif text.strip():
            self._running().tell("context", text, param)

    def hear(self, pcm: bytes) -> None:
        """Sound of the user. Raises RequestError as `receive` does."""
        self._begin()
        self._running().hear(pcm)
        self._has_sound = True

    def _append(self, event: wire.AppendAudio) -> None:
        if self.track:
            text = "sound comes on the media track of the call, not in events"
            raise RequestError("unsupported_event", text, param="type")
        pcm, rate_hz = self._settings.sound_in.to_pcm(event.audio), self._settings.sound_in.rate_hz
        length_s(pcm, rate_hz)
        self._begin()
        pcm = self._again.fresh(pcm)
        if pcm and (self._held or not self._hears(pcm)) and not self._held.add(pcm, rate_hz):
            text = f"more than {self._held.max_s:g} s of sound would wait; send it later"
            raise RequestError("input_backpressure", text, param="audio")
        self._has_sound = True

    def _hears(self, pcm: bytes) -> bool:
        """False when it is too far ahead of real time."""
        try:
            self.hear(pcm)
        except RequestError as error:
            if error.code != "input_backpressure":
                raise
            return False
        return True

    def _commit(self, event: wire.Commit) -> None:
        self._running()
        if not self._has_sound:
            text = "no sound has come since the last commit; append some first"
            raise RequestError("input_audio_buffer_commit_empty", text)
        self._has_sound = False
        self._user.commit()

    def _clear_input(self, event: wire.ClearInput) -> None:
        rate_hz = self._settings.sound_in.rate_hz
        unheard = SAMPLE_BYTES * round(rate_hz * self._running().seat.unhear())
        self._again.cleared(unheard + self._held.clear())
        self._has_sound = False
        self._emit("input_audio_buffer.cleared", {})

    def _clear_output(self, event: wire.ClearOutput) -> None:
        if self.track is None:
            text = "output_audio_buffer.clear is for WebRTC; here the buffer is the client's own"
            raise RequestError("unsupported_event", text, param="type")
        self.track.flush()
        if self._replies.speaks:
            self._replies.cancel(self._running().now_ms)
        else:
            self._replies.cleared()

    def _create_response(self, event: wire.CreateResponse) -> None:
        wanted = event.response or wire.ResponseConfig()
        check_response(wanted, self._settings.sound_out)
        for text in self._history.take_typed():
            self._running().type(text, "item.content")
        if (wanted.instructions or "").strip():
            self._running().tell("context", wanted.instructions or "", "response.instructions")
        self._replies.ask(wanted.metadata, may_call=wanted.tool_choice != "none")

    def _cancel_response(self, event: wire.CancelResponse) -> None:
        response = self._replies.current
        if response is None or event.response_id not in (None, response.id):
            text = "Cancellation failed: no such response is active"
            raise RequestError("response_cancel_not_active", text, param="response_id")
        if self.track and self._replies.speaks:
            self.track.flush()
        self._replies.cancel(self._running().now_ms)
