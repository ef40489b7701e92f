"""Plays items at a server in real time, whatever protocol it speaks.

The user's sound goes out in steps of 200 ms when the microphone would have it; what comes back is
stamped when it is played, so that the trace is the same kind as on the logical clock. Knows
nothing of scores, nor of any one protocol.
"""

import asyncio
import io
import json
import os
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from interplay.bench.clients.loudspeaker import Loudspeaker
from interplay.bench.clients.wall import speak_ahead, walls_of
from interplay.bench.playing.stage import Stage, Synthesizer
from interplay.bench.traces.trace import SLOT_S, Trace
from interplay.clock import SAMPLE_RATE_HZ, TURN_S
from interplay.data.item import Item
from interplay.errors import DeviceError, InterplayError
from interplay.media.audio import StreamingResampler

KEY = "OPENAI_API_KEY"  # sent as a bearer token where it is set
FATAL = {"authentication_error", "permission_error", "unauthorized", "invalid_api_key"}
OPEN_S = 20.0  # for a connection, and for the session to begin


@runtime_checkable  # the tests check signatures while they run
class Wire(Protocol):
    """One connection's side of a protocol. Messages are JSON texts.

    rate_hz: of sound, both ways. cuts_silence: as of Loudspeaker.
    """

    rate_hz: int
    cuts_silence: bool

    def opening(self, item: Item) -> list[str]:
        """What begins a session."""
        ...

    def is_open(self, event: dict[str, Any]) -> bool:
        """Whether this event says that the session has begun."""
        ...

    def sound(self, pcm: bytes, ears: "Ears") -> list[str]:
        """The user's sound, and what was played meanwhile."""
        ...

    def typed(self, control: str, text: str) -> list[str]:
        """Text that the user types, the result of a delegation, or (control "") what the model is
        taken to have said."""
        ...

    def picture(self, jpeg: bytes, turn: int) -> list[str]:
        """What the user's camera sees in micro-turn `turn`."""
        ...

    def take(self, event: dict[str, Any], ears: "Ears") -> list[str]:
        """What the server sent goes to the ears; answers with messages to it."""
        ...


class Ears:
    """What one session has sent, with times of the item. now_s, begin_s: of this client's clock."""

    def __init__(self, stage: Stage, wire: Wire) -> None:
        self.stage = stage
        self.speaker = Loudspeaker(cuts_silence=wire.cuts_silence)
        self.now_s = 0.0
        self.begin_s = 0.0
        self.errors: list[str] = []  # what the server reported and went on
        self.handed_s: list[float] = []  # when the user's sound of each micro-turn went out
        same = wire.rate_hz == SAMPLE_RATE_HZ
        self._resampler = None if same else StreamingResampler(wire.rate_hz, SAMPLE_RATE_HZ)

    def sound(self, pcm: bytes, part: str = "") -> None:
        samples = np.frombuffer(pcm, "<i2")
        if self._resampler is not None:
            floats = self._resampler.push(samples.astype(np.float32) / np.float32(32768))
            samples = np.clip(np.rint(floats * 32768), -32768, 32767)
        self.speaker.receive(samples.astype(np.int16), self.now_s, part)

    def say(self, text: str, offset_s: float = 0.0) -> None:
        """Words of the system; they sound with what it sends next."""
        self._add("say", text, self.speaker.next_s(self.now_s) + offset_s)

    def heard(self, text: str) -> None:
        self._add("heard", text, self.now_s)

    def act(self, pieces: Sequence[str]) -> None:
        for slot, piece in enumerate(pieces):
            self._add("act", piece, self.now_s + slot * SLOT_S)

    def call(self, name: str, arguments: str) -> None:
        """A function is called, and the call is complete now. arguments: JSON; what is no object
        counts as none."""
        given = arguments.strip()
        given = given if given.startswith("{") and given.endswith("}") else "{}"
        for piece in ("<call>", f" {name} {given}", "<end>"):
            self._add("act", piece, self.now_s - SLOT_S)

    def hear_back(self) -> None:
        """The item hears what has been played, as far as it is known."""
        self.stage.model[:] = self.speaker.track(self.begin_s, len(self.stage.model))

    def trace(self) -> Trace:
        """Once the item has ended."""
        self.hear_back()
        return replace(
            self.stage.trace(),
            errors=tuple(self.errors),
            pace=self.speaker.pace(),
            walls=walls_of(self.handed_s, self.speaker, self.begin_s),
        )

    def _add(self, stream: str, piece: str, time_s: float) -> None:
        if piece:
            self.stage.pieces[stream].append((piece, time_s - self.begin_s))


def play_remote(
    url: str,
    wires: Sequence[Callable[[], Wire]],
    items: Sequence[Item],
    synthesize: Synthesizer,
    *,
    num_sessions: int = 1,
) -> Iterator[Trace]:
    """Play every item once, each in a session of its own; traces come as items end.

    wires: ways to speak to the server, the best one first; the next one is tried where a server
    refuses. Raises DeviceError when the server cannot be reached, refuses, or ends a session.
    """
    for item in items:
        speak_ahead(item, synthesize)
    ended: queue.SimpleQueue[Trace | BaseException | None] = queue.SimpleQueue()
    client = _Client(url, list(wires), synthesize, ended)
    thread = threading.Thread(target=client.run, args=(items, num_sessions), daemon=True)
    thread.start()
    try:
        while (found := ended.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        client.stop()
        thread.join()


class _Client:
    """All sessions, in an event loop of its own: scoring and writing must not delay a message."""

    def __init__(
        self,
        url: str,
        wires: list[Callable[[], Wire]],
        synthesize: Synthesizer,
        ended: "queue.SimpleQueue[Trace | BaseException | None]",
    ) -> None:
        self._url, self._wires, self._synthesize, self._ended = url, wires, synthesize, ended
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False

    def run(self, items: Sequence[Item], num_sessions: int) -> None:
        try:
            self._task = self._loop.create_task(self._play(items, num_sessions))
            if self._is_stopped:
                self._task.cancel()
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # the other thread raises it
            self._ended.put(_first(error))
        finally:
            self._loop.close()
            self._ended.put(None)

    def stop(self) -> None:
        self._is_stopped = True
        task = self._task
        if task is not None and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # it ended just now
                return

    async def _play(self, items: Sequence[Item], num_sessions: int) -> None:
        waiting = list(reversed(items))

        async def work() -> None:
            while waiting:
                self._ended.put(await self._one(waiting.pop()))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(num_sessions, len(items))):
                group.create_task(work())

    async def _one(self, item: Item) -> Trace:
        while True:
            wire = self._wires[0]()
            ears = Ears(Stage(item, self._synthesize), wire)
            try:
                async with _dial(self._url) as connection:
                    return await _converse(connection, wire, ears)
            except _Refused as refused:
                if len(self._wires) == 1:
                    text = f"{self._url} refused a session: {refused}"
                    raise DeviceError(text) from None
                self._wires.pop(0)
            except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as error:
                raise DeviceError(
                    f"cannot open {self._url}: {str(error) or type(error).__name__}; is the server "
                    f"running, and is its key in {KEY}?"
                ) from None
            except ConnectionClosed as error:
                why = error.rcvd.reason or error.rcvd.code if error.rcvd else "without a word"
                why = f"{why}; its last error: {ears.errors[-1]}" if ears.errors else why
                raise DeviceError(
                    f"{self._url} ended a session before its time ({why}); see the server's log"
                ) from None


class _Refused(Exception):
    """The server answers the opening with an error."""


def _first(error: BaseException) -> BaseException:
    """Of tasks that ran side by side, the user's error that came first."""
    while isinstance(error, BaseExceptionGroup):
        known = error.split(InterplayError)[0] or error
        error = known.exceptions[0]
    return error


def _dial(url: str) -> connect:
    key = os.environ.get(KEY)
    headers = {"Authorization": f"Bearer {key}"} if key else None
    return connect(url, max_size=None, additional_headers=headers, open_timeout=OPEN_S)


async def _converse(connection: ClientConnection, wire: Wire, ears: Ears) -> Trace:
    """One item. Raises DeviceError when the server refuses the key, ConnectionClosed when it ends
    the session; any other error that it reports is kept with the trace."""
    await asyncio.wait_for(_open(connection, wire, ears.stage.item), OPEN_S)
    ears.begin_s = asyncio.get_running_loop().time()
    listening = asyncio.create_task(_listen(connection, wire, ears))
    try:
        await _speak(connection, wire, ears, listening)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    return ears.trace()


async def _open(connection: ClientConnection, wire: Wire, item: Item) -> None:
    for message in wire.opening(item):
        await connection.send(message)
    async for event in _events(connection):
        if event.get("type") == "error":
            raise _Refused(_message(event))
        if wire.is_open(event):
            return
    raise _Refused("the connection was closed")


async def _speak(
    connection: ClientConnection, wire: Wire, ears: Ears, listening: asyncio.Task
) -> None:
    loop, stage = asyncio.get_running_loop(), ears.stage
    rate_hz = wire.rate_hz
    resampler = None if rate_hz == SAMPLE_RATE_HZ else StreamingResampler(SAMPLE_RATE_HZ, rate_hz)
    typed: list[str] = []

    def encode(control: str, text: str) -> list[str]:
        typed.extend(wire.typed(control, text))
        return [*([control] if control else []), *text.split(), "<end>"]

    while not stage.done:
        ears.hear_back()
        stage.begin_turn(encode)
        sound = stage.hear if resampler is None else resampler.push(stage.hear)
        pcm = np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2").tobytes()
        messages, typed[:] = list(typed), []
        frame = stage.frame
        if frame is not None:
            messages += wire.picture(jpeg_of(frame), stage.turn)
        for message in messages:
            await connection.send(message)
        left_s = ears.begin_s + (stage.turn + 1) * TURN_S - loop.time()
        done, _ = await asyncio.wait([listening], timeout=max(0.0, left_s))
        if done:
            listening.result()  # raises what ended it
            raise DeviceError("the server ended a session before its time; see its log")
        ears.now_s = loop.time()
        ears.handed_s.append(ears.now_s)
        for message in wire.sound(pcm, ears):
            await connection.send(message)
        stage.turn += 1


def jpeg_of(frame: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """A camera picture as servers take it."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


async def _listen(connection: ClientConnection, wire: Wire, ears: Ears) -> None:
    loop = asyncio.get_running_loop()
    async for event in _events(connection):
        ears.now_s = loop.time()
        if event.get("type") == "error":
            if _is_fatal(event):
                raise DeviceError(f"the server answered: {_message(event)}")
            ears.errors.append(_message(event))
        for message in wire.take(event, ears):
            await connection.send(message)


async def _events(connection: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    while True:
        event = json.loads(await connection.recv())
        if isinstance(event, dict):
            yield event


def _is_fatal(event: dict[str, Any]) -> bool:
    """Whether nothing can be had from this server; most errors only say what it did not take."""
    error = event.get("error")
    return isinstance(error, dict) and bool(FATAL & {error.get("type"), error.get("code")})


def _message(event: dict[str, Any]) -> str:
    error = event.get("error")
    text = error.get("message") if isinstance(error, dict) else None
    return " ".join(str(text or error or event).split())[:300]
