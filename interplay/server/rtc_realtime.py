"""The Realtime protocol over WebRTC: what `POST /v1/realtime/calls` asks for, the adapter whose
sound takes another way than its messages, and the sideband that somebody else has to the same
call. Knows nothing of connections.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from interplay.errors import RequestError
from interplay.server.auth import Visitor
from interplay.server.events import Ended, Event
from interplay.server.hub import Hub
from interplay.server.json_events import invalid
from interplay.server.later import Later
from interplay.server.limits import MAX_BODY_BYTES
from interplay.server.media import Track
from interplay.server.outbox import Item, Outbox
from interplay.server.realtime import BEGIN_S, RealtimeConnection
from interplay.server.realtime_settings import Settings, updated
from interplay.server.realtime_wire import SessionConfig
from interplay.server.served import ServedSession, encode_text

FORMS = "send the offer as application/sdp, or a form with the fields `sdp` and `session`"

_decoder = msgspec.json.Decoder(SessionConfig)


@dataclass(frozen=True, kw_only=True)
class CallRequest:
    """sdp: the offer. session: settings of the session; None: those of the secret, if any."""

    sdp: str
    session: SessionConfig | None


async def read_call(request: Request) -> CallRequest:
    """The offer as such, or a form with offer and session. Raises RequestError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/sdp":
        return CallRequest(sdp=_text(await request.body(), "sdp"), session=None)
    if kind != "multipart/form-data":
        raise RequestError("unsupported_media_type", f"the body is {kind[:80]!r}; {FORMS}")
    try:
        form = await request.form(max_files=2, max_fields=2, max_part_size=MAX_BODY_BYTES)
    except HTTPException as error:
        raise RequestError("invalid_request", f"no readable form; {FORMS}") from error
    strange = sorted(set(form) - {"sdp", "session"})
    if strange or "sdp" not in form:
        seen = (
            f"the field {strange[0][:40]!r} is unknown" if strange else "the field sdp is missing"
        )
        raise RequestError("invalid_request", f"{seen}; {FORMS}", param=None if strange else "sdp")
    session = await _field(form, "session") if "session" in form else None
    return CallRequest(sdp=await _field(form, "sdp"), session=_config(session))


async def _field(form: FormData, name: str) -> str:
    value = form[name]
    return _text(await value.read(), name) if isinstance(value, UploadFile) else value


def _text(data: bytes, param: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise RequestError("invalid_request", f"{param} is no UTF-8 text", param=param) from None


def _config(text: str | None) -> SessionConfig | None:
    if text is None:
        return None
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        found = invalid("invalid_value", str(error))
        param = f"session.{found.param or ''}".rstrip(".")
        raise RequestError(found.code, str(found), param=param) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        text = f"session is no JSON object: {str(error)[:200]}"
        raise RequestError("invalid_json", text, param="session") from None


class RealtimeCall(RealtimeConnection):
    """A client whose sound is on a media track. visitor: who has called. observers: its sidebands,
    which are told what it is told. is_over: nobody is there any more."""

    rate_hz = 24_000
    settle_s = BEGIN_S

    def __init__(
        self, hub: Hub, visitor: Visitor, config: SessionConfig | None, track: Track
    ) -> None:
        """Raises RequestError for settings that cannot be had."""
        if config:
            settings, _ = updated(Settings(), config, hub.engine.facts["model"], on_track=True)
            tokens = hub.limits.waiting_tokens
            encode_text(hub.tokenizer, settings.instructions, tokens, "session.instructions")
        self.visitor, self.is_over = visitor, False
        self.observers: list[Outbox] = []
        super().__init__(hub, visitor, config, track)

    def hang_up(self) -> None:
        """End the call in good form."""
        if self.session:
            self.hub.close(self.session, "asked")
        else:
            self.outbox.put(Ended(reason="asked"))

    def observe(self, outbox: Outbox) -> None:
        """From now on `outbox` gets what the client gets, the settings first."""
        outbox.put(self._event("session.created", {"session": self._about([])}))
        self.observers.append(outbox)

    def _begin(self, *, is_asked: bool = False) -> None:
        if self.session is None:
            super()._begin(is_asked=is_asked)
            assert self.session
            self.session.observers = self.observers  # also those who come and go later

    def _taken(self) -> list[Item]:
        items = super()._taken()
        for observer in self.observers:
            for messages in items:
                observer.put(messages)
        return items

    def _translate(self, event: Event) -> Sequence[Item]:
        items = super()._translate(event)
        if isinstance(event, Ended):
            self.is_over = True
            for observer in self.observers:
                observer.put(event)
        return items


class RealtimeSideband:
    """Somebody who observes a call and may control it like its client, without sound: a server
    that keeps instructions and functions to itself. Raises RequestError for who may not."""

    def __init__(self, hub: Hub, visitor: Visitor, call: RealtimeCall) -> None:
        if not (visitor.is_trusted or visitor.secret is call.visitor.secret):
            text = "a key is needed for this, or the client secret that the call was made with"
            raise RequestError("forbidden", text)
        self._call = call
        self.outbox = Outbox(hub.limits.outbox_items, _end_only)
        call.observe(self.outbox)

    @property
    def session(self) -> ServedSession | None:
        return self._call.session

    def receive(self, message: str | bytes) -> Later | None:
        """As a message of the call's client, who is told the answer, too."""
        return self._call.receive(message)

    def refusal(self, error: RequestError, message: str | bytes) -> str:
        return self._call.refusal(error, message)

    def encode(self, event: Event) -> Sequence[str]:
        """What there is to say, the call has put into words."""
        return []

    def leave(self) -> None:
        """Observe no longer."""
        if self.outbox in self._call.observers:
            self._call.observers.remove(self.outbox)


def _end_only(event: Event) -> Sequence[Item]:
    """Of a session's events; the words for the others come from the call."""
    return [event] if isinstance(event, Ended) else []
