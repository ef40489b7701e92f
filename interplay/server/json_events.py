"""Protocols whose messages are JSON objects with a `type`: strict reading, one-line errors, and
writing. Knows nothing of any one protocol.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from interplay.errors import RequestError

MAX_ID = 512  # letters of a client's event id
WHERE = re.compile(r" - at `\$\.?(.*)`$")


class _Envelope(Struct):
    type: Any = None
    event_id: Any = None


_envelope_decoder = msgspec.json.Decoder(_Envelope)


class EventReader:
    """Reads the client events of one protocol.

    events: a union of msgspec structs, tagged by `type`. unsupported: events that the protocol
    has but this server does not, and why.
    """

    def __init__(self, events: Any, unsupported: Mapping[str, str]) -> None:
        self.known = sorted(kind.__struct_config__.tag for kind in events.__args__)
        self.unsupported = unsupported
        self._decoder = msgspec.json.Decoder(events)

    def read(self, message: str | bytes) -> Any:
        """One event. Raises RequestError, which names the field that is wrong."""
        if isinstance(message, bytes):
            raise RequestError("invalid_json", "a binary message; this protocol is JSON as text")
        try:
            return self._decoder.decode(message)
        except msgspec.ValidationError as error:
            raise self._invalid(message, str(error)) from None
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            text = f"not a JSON object: {short(str(error))}"
            raise RequestError("invalid_json", text) from None

    def _invalid(self, message: str, reason: str) -> RequestError:
        envelope = _envelope(message)
        if envelope is None:
            return RequestError("invalid_json", f"not a JSON object: {short(reason)}")
        kind = envelope.type
        if isinstance(kind, str) and kind in self.unsupported:
            text = f"{kind} is not supported here: {self.unsupported[kind]}"
            return RequestError("unsupported_event", text, param="type")
        if kind not in self.known:
            known = ", ".join(self.known)
            text = f"the event type {short(repr(kind))} is unknown; known are {known}"
            return RequestError("unknown_event", text, param="type")
        return invalid("invalid_event", reason)


def invalid(code: str, reason: str) -> RequestError:
    """msgspec's reason as an error whose `param` is the field."""
    found = WHERE.search(reason)
    param = found.group(1) if found else None
    return RequestError(code, short(WHERE.sub("", reason)), param=param)


def client_event_id(message: str | bytes) -> str | None:
    """The id that a client gave to a message, as far as it can be read."""
    envelope = _envelope(message) if isinstance(message, str) else None
    event_id = envelope.event_id if envelope else None
    return event_id if isinstance(event_id, str) and len(event_id) <= MAX_ID else None


def _envelope(message: str) -> _Envelope | None:
    """None for what is no JSON object at all."""
    try:
        return _envelope_decoder.decode(message)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"


def write(kind: str, fields: dict[str, Any]) -> str:
    """A server event as JSON; bytes become base64."""
    return msgspec.json.encode({"type": kind} | fields).decode()
