"""What a transport with media tracks and a protocol are to each other: sound passes beside the
messages. Knows nothing of either.
"""

from typing import Protocol, runtime_checkable

from interplay.server.sockets import Adapter


@runtime_checkable
class Track(Protocol):
    """Where a protocol puts the model's sound."""

    def play(self, pcm: bytes) -> object:
        """The next 200 ms, silence included: 16-bit PCM at the adapter's rate."""
        ...

    def flush(self) -> object:
        """Drop what was not sent yet."""
        ...


@runtime_checkable
class MediaAdapter(Adapter, Protocol):
    """A protocol for a connection with media tracks. rate_hz: of its sound, both ways. settle_s:
    between the first moment when messages can be exchanged and `begin`."""

    rate_hz: int
    settle_s: float

    def hear(self, pcm: bytes) -> None:
        """Sound of the user. Raises RequestError when it is refused."""
        ...

    def begin(self) -> None:
        """The session begins now, unless it has."""
        ...
