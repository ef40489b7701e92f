"""The Live protocol over WebRTC: what `POST /v1/live/sessions` asks for, and the adapter whose
sound takes another way than its messages. Knows nothing of connections or HTTP.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from interplay.clock import SAMPLE_RATE_HZ
from interplay.errors import RequestError
from interplay.server import live_wire as wire
from interplay.server.auth import Visitor
from interplay.server.events import Turn
from interplay.server.hub import Hub
from interplay.server.json_events import invalid
from interplay.server.live import LivePrimary
from interplay.server.media import Track
from interplay.server.outbox import Item, Outbox

RESPONSE = "response.event"

Names = Annotated[list[wire.Name], Meta(max_length=64)]


class Selector(Struct, forbid_unknown_fields=True, kw_only=True):
    """A server event; response_event: of a `response.event`, and of no other, the event inside."""

    type: wire.Name
    response_event: wire.Name | None = None

    def __post_init__(self) -> None:
        if (self.type == RESPONSE) != (self.response_event is not None):
            raise ValueError(f"response_event is needed with {RESPONSE}, and with nothing else")


class DataChannel(Struct, forbid_unknown_fields=True, kw_only=True):
    """What an untrusted client may send and receive. A trusted sideband is not held to it."""

    allowed_client_events: Literal["all"] | Names = "all"
    allowed_server_events: Literal["all"] | Annotated[list[Selector], Meta(max_length=64)] = "all"


class Permissions(Struct, forbid_unknown_fields=True, kw_only=True):
    data_channel: DataChannel


class Transport(Struct, forbid_unknown_fields=True, kw_only=True):
    type: Literal["webrtc"]
    sdp: str


class Create(Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of the request."""

    session: wire.SessionConfig
    transport: Transport


class _Inner(Struct):
    type: str


class _Kind(Struct):
    type: str
    event: _Inner | None = None


_decoder = msgspec.json.Decoder(Create)
_kinds = msgspec.json.Decoder(_Kind)


def read_create(body: bytes) -> Create:
    """The body of a request for a call. Raises RequestError, which names the wrong field."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid("invalid_request", str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise RequestError("invalid_json", f"not a JSON object: {str(error)[:200]}") from None


class _Tapped(Outbox):
    """Micro-turns also go to `tap`, at once: their sound does not wait for messages."""

    def __init__(self, max_items: int, tap: Callable[[Turn], object]) -> None:
        super().__init__(max_items)
        self._tap = tap

    def put(self, item: Item) -> None:
        if isinstance(item, Turn):
            self._tap(item)
        super().put(item)


class LiveCall(LivePrimary):
    """A client whose session is configured before it is connected."""

    on_track = True
    rate_hz = SAMPLE_RATE_HZ  # the engine's: the track has a rate of its own
    settle_s = 0.0

    def __init__(self, hub: Hub, visitor: Visitor, config: wire.SessionConfig) -> None:
        """Raises RequestError for permissions that make no sense."""
        super().__init__(hub, visitor)
        self.outbox: Outbox = _Tapped(hub.limits.outbox_items, self._play)
        self._config = config
        self._track: Track | None = None
        channel = _permissions(config).data_channel
        allowed = channel.allowed_client_events
        self._handlers = {
            kind: handler
            for kind, handler in self._handlers.items()
            if kind is not wire.AppendAudio
            and (allowed == "all" or kind.__struct_config__.tag in allowed)
        }
        selectors = channel.allowed_server_events
        self._sent = None if selectors == "all" else {(s.type, s.response_event) for s in selectors}

    @property
    def has_eyes(self) -> bool:
        """Whether the client has asked to be seen."""
        extras = self._config.interplay
        return extras is not None and "video" in extras.extensions

    def start(self, track: Track) -> "LiveCall":
        """Open the session, whose sound goes to `track`. Raises RequestError when it cannot be
        had."""
        self._track = track
        self._open(self._config, None)
        return self

    def hear(self, pcm: bytes) -> None:
        self._running().hear(pcm)

    def begin(self) -> None:
        """The session runs already."""

    def _play(self, turn: Turn) -> None:
        assert self._track is not None
        if turn.yields:
            self._track.flush()
        self._track.play(turn.pcm)

    def permits(self, message: str | bytes) -> bool:
        """Whether the client may receive this event."""
        if self._sent is None:
            return True
        kind = _kinds.decode(message)
        inner = kind.event.type if kind.event and kind.type == RESPONSE else None
        return (kind.type, inner) in self._sent

    def _audio(self, turn: Turn, stamp: dict[str, int]) -> list[str]:
        return []  # it is on the track


def _permissions(config: wire.SessionConfig) -> Permissions:
    if config.client is None:
        return Permissions(data_channel=DataChannel())
    try:
        return msgspec.convert(config.client, Permissions)
    except msgspec.ValidationError as error:
        found = invalid("invalid_request", str(error))
        param = f"session.client.{found.param or ''}".rstrip(".")
        raise RequestError(found.code, str(found), param=param) from None
