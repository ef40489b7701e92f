"""The Realtime protocol over WebRTC: what `POST /v1/realtime/calls` asks for, and the adapter whose
sound takes another way than its messages. Knows nothing of connections.
"""

from dataclasses import dataclass

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from interplay.errors import RequestError
from interplay.server.auth import Visitor
from interplay.server.events import Ended
from interplay.server.hub import Hub
from interplay.server.json_events import invalid
from interplay.server.limits import MAX_BODY_BYTES
from interplay.server.media import Track
from interplay.server.realtime import BEGIN_S, RealtimeConnection
from interplay.server.realtime_settings import Settings, updated
from interplay.server.realtime_wire import SessionConfig
from interplay.server.served import encode_text

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
    """A client whose sound is on a media track."""

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
        super().__init__(hub, visitor, config, track)

    def hang_up(self) -> None:
        """End the call in good form."""
        if self.session:
            self.hub.close(self.session, "asked")
        else:
            self.outbox.put(Ended(reason="asked"))
