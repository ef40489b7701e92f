"""The messages of our own page: one binary message per micro-turn each way, JSON for the rest.

Little-endian, 16 and 12 bytes of header; the layout is drawn in docs/protocol.md. Knows nothing of
sessions.
"""

import struct
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from interplay.errors import RequestError
from interplay.server.events import Turn
from interplay.server.transcript import Fragment

VERSION = 1
FLUSHED = 1  # flag of a client message
INPUT = struct.Struct("<BBHIII")  # version, flags, 0, played_ms, received_ms, bytes of sound
OUTPUT = struct.Struct("<BBHII")  # version, 0, 0, micro-turn, bytes of JSON

Text = Annotated[str, Meta(max_length=100_000)]
Name = Annotated[str, Meta(max_length=256)]


@dataclass(frozen=True, kw_only=True)
class Input:
    """What the page captured in some time, up to 200 ms. played_ms: of the output so far.
    flushed_ms: of the first so many the page threw away what was not played; None: nothing."""

    pcm: bytes
    picture: bytes
    played_ms: int
    flushed_ms: int | None


class _Message(Struct, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    pass


class Start(_Message, tag="start", kw_only=True):
    rate: int = 16_000
    instructions: Text = ""
    record: bool = False


class Resume(_Message, tag="resume", kw_only=True):
    token: Name
    last_turn: Annotated[int, Meta(ge=-1, le=2**53)]


class Say(_Message, tag="text", kw_only=True):
    text: Text


class Mute(_Message, tag="mute", kw_only=True):
    on: bool


class Answer(_Message, tag="answer", kw_only=True):
    delegation_id: Name
    text: Text


class Close(_Message, tag="close"):
    pass


Control = Start | Resume | Say | Mute | Answer | Close
_decoder = msgspec.json.Decoder(Control)


def parse(message: str | bytes) -> Control | Input:
    """One message of the page. Raises RequestError when it is malformed."""
    if isinstance(message, bytes):
        return _parse_input(message)
    try:
        return _decoder.decode(message)
    except msgspec.ValidationError as error:
        raise RequestError("invalid_event", str(error)[:200]) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise RequestError("invalid_json", f"not a JSON object: {str(error)[:200]}") from None


def _parse_input(message: bytes) -> Input:
    if len(message) < INPUT.size:
        text = f"{len(message)} bytes; a binary message has a header of {INPUT.size}"
        raise RequestError("invalid_message", text)
    version, flags, zero, played_ms, received_ms, num_bytes = INPUT.unpack_from(message)
    if version != VERSION or flags not in (0, FLUSHED) or zero:
        text = f"version {version}, flags {flags}; this server speaks version {VERSION}"
        raise RequestError("invalid_message", text)
    body = message[INPUT.size :]
    if num_bytes > len(body):
        text = f"{num_bytes} bytes of sound are announced, {len(body)} came"
        raise RequestError("invalid_message", text)
    return Input(
        pcm=body[:num_bytes],
        picture=body[num_bytes:],
        played_ms=played_ms,
        flushed_ms=received_ms if flags == FLUSHED else None,
    )


def write_turn(turn: Turn) -> bytes:
    """Everything of one micro-turn in one message."""
    about = {
        "heard": _spans(turn.heard),
        "said": _spans(turn.said),
        "act": turn.act,
        "voice_on": turn.voice_on,
        "delegations": [
            {"id": work.id, "question": work.question, "offset_ms": work.offset_ms}
            for work in turn.delegations
        ],
        "outcomes": turn.outcomes,
        "yields": turn.yields,
        "is_gap": turn.is_gap,
        "compute_ms": turn.compute_ms,
    }
    text = msgspec.json.encode(about)
    return OUTPUT.pack(VERSION, 0, 0, turn.index, len(text)) + text + turn.pcm


def _spans(fragments: tuple[Fragment, ...]) -> list[tuple[str, int, int]]:
    return [(piece.text, piece.start_ms, piece.end_ms) for piece in fragments]


def write(kind: str, **fields: Any) -> str:
    return msgspec.json.encode({"type": kind} | fields).decode()
