"""Load on a server: many clients that talk in real time over WebSockets, and what it costs.

Wall clock only. `measure` starts a server program of its own and drives it from this process;
`drive` uses one that runs already. Knows nothing of the model behind the server.
"""

import asyncio
import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN, SLOT_MS, TURN_S
from interplay.errors import DeviceError
from interplay.server.page_wire import INPUT, OUTPUT, VERSION

FLOOR = 10 ** (-60 / 20)  # a microphone is never digitally silent
PAUSE_TURNS = 40  # 8 s between questions
START_S = 120.0  # for a server program on a busy machine
SOUND = 300  # of 32767: louder than this the model sounds
BLOCK = SAMPLE_RATE_HZ * SLOT_MS // 1000


@dataclass(kw_only=True)
class ClientReport:
    """What one client saw. first_sound_s: from the end of a question to the first sound."""

    num_turns: int = 0
    num_questions: int = 0
    first_sound_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """overhead_ms: CPU time of the server outside the model, per session and micro-turn.
    num_misses: ticks that were not done in time. num_gaps: micro-turns whose input came late."""

    num_sessions: int
    seconds: float
    num_session_ticks: int
    num_misses: int
    num_gaps: int
    overhead_ms: float
    model_ms: float
    num_questions: int
    first_sound_s: tuple[float, ...]

    def rows(self) -> dict[str, dict[str, Any]]:
        """By the names of the bench's rows."""
        sounds = {
            f"first_sound_p{p}_s": round(float(np.percentile(self.first_sound_s, p)), 3)
            if self.first_sound_s
            else None
            for p in (50, 95)
        }
        values = {
            "sessions_no_miss": 0 if self.num_misses else self.num_sessions,
            "overhead_ms": round(self.overhead_ms, 3),
            **sounds,
        }
        about = {
            "sessions": self.num_sessions,
            "seconds": round(self.seconds, 1),
            "misses": self.num_misses,
            "gaps": self.num_gaps,
            "model_ms": round(self.model_ms, 3),
            "answered": f"{len(self.first_sound_s)}/{self.num_questions}",
        }
        return {name: {"value": value, **about} for name, value in values.items()}


class _Client:
    """Sends 200 ms every 200 ms: a question, then 8 s of nothing, again and again."""

    def __init__(self, question: np.ndarray, phase_s: float, seed: int) -> None:
        self.report = ClientReport()
        self._question, self._phase_s = question, phase_s
        self._random = np.random.default_rng(seed)
        self._asked_s: float | None = None

    async def run(self, port: int, seconds: float) -> None:
        await asyncio.sleep(self._phase_s)
        async with connect(f"ws://127.0.0.1:{port}/v1/page") as connection:
            await connection.send(json.dumps({"type": "start", "rate": SAMPLE_RATE_HZ}))
            await connection.recv()
            listening = asyncio.create_task(self._listen(connection))
            try:
                await self._speak(connection, round(seconds / TURN_S))
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _speak(self, connection: ClientConnection, num_turns: int) -> None:
        loop = asyncio.get_running_loop()
        begin_s, length = loop.time(), -(-len(self._question) // SAMPLES_PER_TURN)
        for turn in range(num_turns):
            await asyncio.sleep(begin_s + (turn + 1) * TURN_S - loop.time())
            samples = self._random.standard_normal(SAMPLES_PER_TURN) * FLOOR
            place = turn % (length + PAUSE_TURNS) - 1
            if 0 <= place < length:
                part = self._question[place * SAMPLES_PER_TURN :][:SAMPLES_PER_TURN]
                samples[: len(part)] += part
                if place == length - 1:
                    silent = (SAMPLES_PER_TURN - len(part)) / SAMPLE_RATE_HZ
                    self._asked_s = begin_s + (turn + 1) * TURN_S - silent
                    self.report.num_questions += 1
            pcm = np.clip(samples * 32767, -32768, 32767).astype("<i2").tobytes()
            await connection.send(INPUT.pack(VERSION, 0, 0, 0, 0, len(pcm)) + pcm)

    async def _listen(self, connection: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        async for message in connection:
            if isinstance(message, str):
                continue
            self.report.num_turns += 1
            size = OUTPUT.unpack_from(message)[-1]
            sound = np.frombuffer(message[OUTPUT.size + size :], "<i2").reshape(-1, BLOCK)
            loud = np.flatnonzero(np.abs(sound.astype(np.int32)).max(1) > SOUND)
            if len(loud) and self._asked_s is not None:
                heard_s = loop.time() + loud[0] * SLOT_MS / 1000
                if heard_s > self._asked_s:
                    self.report.first_sound_s.append(heard_s - self._asked_s)
                    self._asked_s = None


async def _run_clients(port: int, clients: list[_Client], seconds: float) -> None:
    await asyncio.gather(*(client.run(port, seconds) for client in clients))


def drive(
    port: int, num_sessions: int, seconds: float, question: np.ndarray, seed: int = 0
) -> LoadReport:
    """Talk to a server on this machine in `num_sessions` sessions at once.

    question: float32 samples at 16 kHz. The clients begin spread over one micro-turn.
    """
    clients = [_Client(question, k * TURN_S / num_sessions, seed + k) for k in range(num_sessions)]
    before = read_numbers(port)
    asyncio.run(_run_clients(port, clients, seconds))
    after = read_numbers(port)
    change = {name: after[name] - before.get(name, 0.0) for name in after}
    ticks = max(1.0, change["im_session_ticks_total"])
    model_s, cpu_s = change["im_model_cpu_seconds_total"], change["process_cpu_seconds_total"]
    return LoadReport(
        num_sessions=num_sessions,
        seconds=seconds,
        num_session_ticks=round(ticks),
        num_misses=round(change["im_tick_deadline_miss_total"]),
        num_gaps=round(change["im_input_gap_total"]),
        overhead_ms=1000 * (cpu_s - model_s) / ticks,
        model_ms=1000 * model_s / ticks,
        num_questions=sum(client.report.num_questions for client in clients),
        first_sound_s=tuple(s for client in clients for s in client.report.first_sound_s),
    )


def read_numbers(port: int) -> dict[str, float]:
    """The numbers without labels that the server's `/metrics` shows."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = [line.split() for line in lines if not line.startswith("#") and "{" not in line]
    return {name: float(value) for name, value in pairs}


@contextmanager
def server_program(model: str, num_slots: int) -> Iterator[int]:
    """`interplay serve` on a free port of this machine, which is given; ended afterwards.

    Raises DeviceError when it does not come up.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--model", model, "--bind", f"127.0.0.1:{port}", "--slots", str(num_slots)]
    child = subprocess.Popen(
        [sys.executable, "-m", "interplay", "serve", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        asyncio.run(_wait_for(port, child))
        yield port
    finally:
        child.terminate()
        child.wait()


async def _wait_for(port: int, child: subprocess.Popen) -> None:
    loop = asyncio.get_running_loop()
    give_up_s = loop.time() + START_S
    while child.poll() is None and loop.time() < give_up_s:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.2)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise DeviceError(
        f"the server did not come up on port {port}; run `interplay serve` to see what it says"
    )


def measure(model: str, num_sessions: int, seconds: float, question: np.ndarray) -> LoadReport:
    """Load on a server program of its own."""
    with server_program(model, num_sessions) as port:
        return drive(port, num_sessions, seconds, question)
