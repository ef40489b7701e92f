"""Plays items at a server in real time, as a client with a microphone and a loudspeaker would.

What comes of an item is the same kind of trace as on the logical clock, so the same scorers read
it; its times are those of this client's clock: the user's sound when the microphone took it, the
model's when the loudspeaker played it. Knows nothing of scores or of how the server was started.
"""

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from interplay.bench.playing.stage import Stage, Synthesizer
from interplay.bench.serve.playback import Playback
from interplay.bench.serve.program import first_error
from interplay.bench.traces.trace import Trace, to_int16
from interplay.clock import SAMPLE_RATE_HZ, TURN_S
from interplay.data.item import Item
from interplay.errors import DeviceError, RecordError
from interplay.server.page_wire import FLUSHED, INPUT, OUTPUT, VERSION

GUARD_S = 0.020  # before a beat a message leaves: our page aims at 25 ms and has blocks of 10
PATIENCE_S = 5.0  # for the first beat

Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Played:
    """trace: of one item. num_underruns, jitter_s, held_s: of the playback. num_yields: how often
    the model said that it breaks off. compute_s: of every micro-turn with voice."""

    trace: Trace
    num_underruns: int
    jitter_s: float
    held_s: list[float]
    num_yields: int
    compute_s: list[float]


def talk(
    port: int,
    items: Sequence[Item],
    synthesize: Synthesizer,
    *,
    num_sessions: int,
    seed: int = 0,
    advance: Advance = lambda done: None,
) -> list[Played]:
    """Play all items, each in a session of its own, `num_sessions` at a time.

    Raises DeviceError when the server ends a session.
    """
    for item in items:  # now: making speech takes longer than it may while the clock runs
        Stage(item, synthesize)
        for cue in item.cues:
            if hasattr(cue, "voice"):
                synthesize(cue.text, cue.voice)  # type: ignore[union-attr]
    with first_error():
        return asyncio.run(_talk(port, items, synthesize, num_sessions, seed, advance))


async def _talk(
    port: int,
    items: Sequence[Item],
    synthesize: Synthesizer,
    num_sessions: int,
    seed: int,
    advance: Advance,
) -> list[Played]:
    free, done = asyncio.Semaphore(num_sessions), []
    phases_s = np.random.default_rng(seed).uniform(0, TURN_S, len(items))

    async def one(item: Item, phase_s: float) -> None:
        async with free:
            await asyncio.sleep(phase_s)  # sessions begin anywhere between two ticks
            async with connect(f"ws://127.0.0.1:{port}/v1/page") as connection:
                done.append(await converse(connection, Stage(item, synthesize)))
                advance(len(done))

    async with asyncio.TaskGroup() as group:
        for item, phase_s in zip(items, phases_s, strict=True):
            group.create_task(one(item, float(phase_s)))
    return done


async def converse(connection: ClientConnection, stage: Stage) -> Played:
    """Play one item over an open connection of the page.

    Raises DeviceError when the server ends the session.
    """
    return await _Conversation(stage).run(connection)


class _Conversation:
    """One item at one session. begin_s: the item's time 0 on this client's clock."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.playback = stage, Playback()
        self._num_yields = 0
        self._compute_s: list[float] = []
        self._begin_s = 0.0
        self._session: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._flushed: tuple[int, int] | None = None  # played, received, in ms

    async def run(self, connection: ClientConnection) -> Played:
        await connection.send(json.dumps({"type": "start", "rate": SAMPLE_RATE_HZ}))
        about = json.loads(await connection.recv())
        if about["type"] != "started":
            raise DeviceError(f"the server refused a session: {about['error']['message']}")
        listening = asyncio.create_task(self._listen(connection))
        try:
            await self._speak(connection, listening)
            await connection.send('{"type": "close"}')
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        self._hear_back()
        return Played(
            trace=self.stage.trace(),
            num_underruns=self.playback.num_underruns,
            jitter_s=self.playback.jitter_s,
            held_s=self.playback.held_s,
            num_yields=self._num_yields,
            compute_s=self._compute_s,
        )

    async def _speak(self, connection: ClientConnection, listening: asyncio.Task) -> None:
        """A message is sent when the microphone has all of it, in time for a beat."""
        loop, stage = asyncio.get_running_loop(), self.stage
        first = [self._session, listening]
        await asyncio.wait(first, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        _check_open(listening)
        if not self._session.done():
            raise DeviceError(f"the server sent nothing for {PATIENCE_S:g} s; see its log")
        due_s = self._session.result() - GUARD_S
        self._begin_s = due_s + TURN_S * math.ceil((loop.time() - due_s) / TURN_S)
        while not stage.done:
            self._hear_back()
            stage.begin_turn(_nothing_typed)
            sound = to_int16(stage.hear).astype("<i2")
            await asyncio.sleep(self._begin_s + (stage.turn + 1) * TURN_S - loop.time())
            _check_open(listening)
            await connection.send(self._message(sound.tobytes(), loop.time()))
            stage.turn += 1

    def _message(self, sound: bytes, now_s: float) -> bytes:
        """Sound, and what was played or thrown away meanwhile."""
        flushed, self._flushed = self._flushed, None
        played_ms = self.playback.played_ms(now_s)
        marks = (FLUSHED, 0, *flushed) if flushed else (0, 0, played_ms, 0)
        return INPUT.pack(VERSION, *marks, len(sound)) + sound

    async def _listen(self, connection: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        async for message in connection:
            if isinstance(message, str):
                continue
            now_s = loop.time()
            *_, turn, size = OUTPUT.unpack_from(message)
            about = msgspec.json.decode(message[OUTPUT.size : OUTPUT.size + size])
            sound = np.frombuffer(message[OUTPUT.size + size :], "<i2").astype(np.int16)
            if not self._session.done():  # the beat was as long ago as it computed
                beat_s = now_s - about["compute_ms"] / 1000
                self._session.set_result(beat_s - (turn + 1) * TURN_S)
            is_voiced = any(about["voice_on"])
            if is_voiced:
                self._compute_s.append(about["compute_ms"] / 1000)
            self.playback.receive(turn, sound, voiced=is_voiced, now_s=now_s)
            for name, pieces in (("heard", about["heard"]), ("say", about["said"])):
                for text, start_ms, _ in pieces:
                    at_s = self._session.result() + start_ms / 1000 - self._begin_s
                    self.stage.pieces[name].append((text, at_s))
            if about["yields"]:
                self._num_yields += 1
                self._flushed = (self.playback.played_ms(now_s), self.playback.received_ms)
                self.playback.flush(now_s)

    def _hear_back(self) -> None:
        """The item sees what the loudspeaker plays, as far as it is known."""
        self.stage.model[:] = self.playback.track(self._begin_s, len(self.stage.model))


def _check_open(listening: asyncio.Task) -> None:
    if listening.done():
        raise DeviceError("the server ended a session before its time; see its log")


def _nothing_typed(control: str, text: str) -> list:
    raise RecordError(f"an item types {text!r}; only speech is played at a server")
