"""A plain client of the Live protocol, for measuring: connect, start, send, receive, die.

Sound is 24 kHz both ways, the protocol's default. Knows nothing of what is measured.
"""

import base64
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from interplay.errors import DeviceError

RATE_HZ = 24_000
AUDIO = "session.output_audio.delta"


def dial(port: int, path: str = "") -> connect:
    """A connection to the server on this machine: to be awaited, or entered."""
    return connect(f"ws://127.0.0.1:{port}/v1/live/sessions{path}", max_size=None)


async def start(connection: ClientConnection, *extensions: str) -> dict[str, Any]:
    """Begin a session; returns it as the server describes it. Raises DeviceError if refused."""
    session = {"model": "any", "interplay": {"extensions": extensions}}
    await send(connection, "session.start", session=session)
    return (await wait_for(connection, "session.started"))["session"]


async def send(connection: ClientConnection, kind: str, **fields: Any) -> None:
    await connection.send(json.dumps({"type": kind} | fields))


async def send_sound(connection: ClientConnection, pcm: bytes) -> None:
    await send(connection, "session.input_audio.append", audio=base64.b64encode(pcm).decode())


async def receive(connection: ClientConnection) -> dict[str, Any]:
    """The next event. Raises DeviceError for an error of the server."""
    event = json.loads(await connection.recv())
    if event["type"] == "error":
        raise DeviceError(f"the server answered: {event['error']['message']}")
    return event


async def wait_for(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of a kind; those before it are skipped. Raises DeviceError as `receive`."""
    while (event := await receive(connection))["type"] != kind:
        pass
    return event


async def kill(connection: ClientConnection) -> None:
    """End the connection without a word to the server, as a network does."""
    connection.transport.abort()
    await connection.wait_closed()


def sound_of(event: dict[str, Any]) -> bytes:
    """Of an audio event."""
    return base64.b64decode(event["delta"])
