"""The messages of the Live protocol: what a client may send, strictly, and how events are written.

Structs follow the client events of OpenAI's Live API (its public SDK types); what begins with
`interplay.` is an extension of ours. Knows nothing of sessions.
"""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from interplay.errors import RequestError

EventId = Annotated[str, Meta(max_length=512)]
Text = Annotated[str, Meta(max_length=100_000)]
Name = Annotated[str, Meta(max_length=256)]
Count = Annotated[int, Meta(ge=-1, le=2**53)]
Extension = Literal["text", "video", "playback", "resume", "turns"]


class _Strict(Struct, forbid_unknown_fields=True):
    pass


class AudioFormat(_Strict, kw_only=True):
    type: Name
    rate: int | None = None


class AudioOutput(_Strict, kw_only=True):
    voice: Name | dict[str, Any] | None = None


class Audio(_Strict, kw_only=True):
    format: AudioFormat | None = None
    output: AudioOutput | None = None


class DelegationConfig(_Strict, kw_only=True):
    type: Name = "client"
    acknowledgement_delay_ms: int | None = None
    responses: dict[str, Any] | None = None
    decisions: dict[str, Any] | None = None


class HistoryPart(_Strict, kw_only=True):
    text: Text
    type: Literal["input_text", "output_text", "text"] | None = None


class HistoryItem(_Strict, kw_only=True):
    role: Literal["developer", "user", "assistant"]
    content: Annotated[list[HistoryPart], Meta(min_length=1, max_length=1)]
    id: Name | None = None
    status: Literal["incomplete", "completed"] | None = None
    type: Literal["message"] | None = None


class Extensions(_Strict, kw_only=True):
    """Ours. text: typed text. video: camera frames. playback: acknowledgements of what was
    played. resume: a token for lost connections. turns: `interplay.turn` events."""

    extensions: Annotated[list[Extension], Meta(max_length=16)] = []


class SessionConfig(_Strict, kw_only=True):
    model: Name
    instructions: Text | None = None
    audio: Audio | None = None
    delegation: DelegationConfig | None = None
    input: list[HistoryItem] | None = None
    store: bool | None = None
    triggers: list[Any] | None = None
    safety_identifier: Name | None = None
    client: dict[str, Any] | None = None
    interplay: Extensions | None = None


class SessionUpdate(_Strict, kw_only=True):
    delegation: DelegationConfig | None = None
    triggers: list[Any] | None = None


class _Event(_Strict, kw_only=True, tag_field="type"):
    event_id: EventId | None = None


class _Append(_Event, kw_only=True):
    content: Text
    delegation_id: Name | None


class Start(_Event, tag="session.start", kw_only=True):
    session: SessionConfig


class Update(_Event, tag="session.update", kw_only=True):
    session: SessionUpdate


class AppendAudio(_Event, tag="session.input_audio.append", kw_only=True):
    audio: bytes


class Mute(_Event, tag="session.input_audio.mute"):
    pass


class Unmute(_Event, tag="session.input_audio.unmute"):
    pass


class AppendInstructions(_Append, tag="session.instructions.append"):
    pass


class AppendThinking(_Append, tag="session.thinking.append"):
    pass


class AppendCommentary(_Append, tag="session.commentary.append"):
    pass


class Close(_Event, tag="session.close"):
    pass


class AppendText(_Event, tag="interplay.input_text.append", kw_only=True):
    text: Text


class AppendVideo(_Event, tag="interplay.input_video.append", kw_only=True):
    image: bytes


class AckPlayback(_Event, tag="interplay.playback.ack", kw_only=True):
    played_ms: Count
    flushed_ms: Count | None = None


class Resume(_Event, tag="interplay.session.resume", kw_only=True):
    token: Name
    last_turn: Count


Context = AppendInstructions | AppendThinking | AppendCommentary
ClientEvent = (
    Start
    | Update
    | AppendAudio
    | Mute
    | Unmute
    | Context
    | Close
    | AppendText
    | AppendVideo
    | AckPlayback
    | Resume
)
KNOWN = sorted(kind.__struct_config__.tag for kind in ClientEvent.__args__)
UNSUPPORTED = (
    "session.output_audio.fixture.play",
    "response.item.create",
    "response.create",
    "decision.create",
    "decision.item.create",
    "decision.item.delete",
    "transport.dtmf.send",
)
WHERE = re.compile(r" - at `\$\.?(.*)`$")

_decoder = msgspec.json.Decoder(ClientEvent)


class _Envelope(Struct):
    type: Any = None
    event_id: Any = None


_envelope_decoder = msgspec.json.Decoder(_Envelope)


def parse(message: str | bytes) -> ClientEvent:
    """One client event. Raises RequestError, which names the field that is wrong."""
    if isinstance(message, bytes):
        raise RequestError("invalid_json", "a binary message; this protocol is JSON as text")
    try:
        return _decoder.decode(message)
    except msgspec.ValidationError as error:
        raise _invalid(message, str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        text = f"not a JSON object: {_short(str(error))}"
        raise RequestError("invalid_json", text) from None


def _invalid(message: str, reason: str) -> RequestError:
    envelope = _envelope(message)
    if envelope is None:
        return RequestError("invalid_json", f"not a JSON object: {_short(reason)}")
    kind = envelope.type
    if kind in UNSUPPORTED:
        return RequestError("unsupported_event", f"{kind} is not supported here", param="type")
    if kind not in KNOWN:
        text = f"the event type {_short(repr(kind))} is unknown; known are {', '.join(KNOWN)}"
        return RequestError("unknown_event", text, param="type")
    found = WHERE.search(reason)
    return RequestError(
        "invalid_event", _short(WHERE.sub("", reason)), param=found.group(1) if found else None
    )


def client_event_id(message: str | bytes) -> str | None:
    """The id that a client gave to a message, as far as it can be read."""
    envelope = _envelope(message) if isinstance(message, str) else None
    event_id = envelope.event_id if envelope else None
    return event_id if isinstance(event_id, str) and len(event_id) <= 512 else None


def _envelope(message: str) -> _Envelope | None:
    """None for what is no JSON object at all."""
    try:
        return _envelope_decoder.decode(message)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"


def write(kind: str, fields: dict[str, Any]) -> str:
    """A server event as JSON; bytes become base64."""
    return msgspec.json.encode({"type": kind} | fields).decode()
