"""Load on a server: many clients that talk in real time over WebSockets, and what it costs.

Wall clock only. Knows nothing of the model behind the server or of how it was started.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from interplay.bench.serve.program import Numbers, change, first_error, read_numbers
from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN, TURN_S
from interplay.errors import DeviceError
from interplay.server.page_wire import INPUT, VERSION

FLOOR = 10 ** (-60 / 20)  # a microphone is never digitally silent
PAUSE_TURNS = 40  # 8 s between questions
LOOK_EVERY_S = 10  # at the misses, where one is enough


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What a server did under `num_sessions` sessions of `seconds`.

    model_cpu_s, cpu_s: of its engine's thread inside the model, and of the whole program.
    num_misses: ticks that were not done in time. num_gaps: micro-turns whose input came late.
    late: where the time of the first such ticks went, as the server's log says.
    """

    num_sessions: int
    seconds: float
    num_session_ticks: int
    num_misses: int
    num_gaps: int
    cpu_s: float
    model_cpu_s: float
    late: tuple[dict[str, Any], ...] = ()

    @property
    def overhead_ms(self) -> float:
        """CPU time outside the model, per session and micro-turn."""
        return 1000 * (self.cpu_s - self.model_cpu_s) / max(1, self.num_session_ticks)

    @property
    def model_ms(self) -> float:
        return 1000 * self.model_cpu_s / max(1, self.num_session_ticks)

    @staticmethod
    def of(numbers: Numbers, num_sessions: int, seconds: float) -> "LoadReport":
        """From how far the server's own numbers went meanwhile."""
        return LoadReport(
            num_sessions=num_sessions,
            seconds=seconds,
            num_session_ticks=round(numbers["im_session_ticks_total"]),
            num_misses=round(numbers["im_tick_deadline_miss_total"]),
            num_gaps=round(numbers["im_input_gap_total"]),
            cpu_s=numbers["process_cpu_seconds_total"],
            model_cpu_s=numbers["im_model_cpu_seconds_total"],
        )


def drive(
    port: int,
    num_sessions: int,
    seconds: float,
    question: np.ndarray,
    *,
    seed: int = 0,
    until_miss: bool = False,
    advance: Callable[[int], None] = lambda second: None,
) -> LoadReport:
    """Talk to a server on this machine in `num_sessions` sessions at once: a question, then 8 s
    of nothing, again and again.

    question: float32 samples at 16 kHz. The clients begin spread over one micro-turn; what is
    counted begins when all have begun. until_miss: end soon after the first deadline is missed.
    Raises DeviceError when the server refuses a session.
    """
    clients = [_Client(question, k * TURN_S / num_sessions, seed + k) for k in range(num_sessions)]
    with first_error():
        numbers, lasted_s = asyncio.run(_run_clients(port, clients, seconds, until_miss, advance))
    return LoadReport.of(numbers, num_sessions, lasted_s)


async def _run_clients(
    port: int,
    clients: list["_Client"],
    seconds: float,
    until_miss: bool,
    advance: Callable[[int], None],
) -> tuple[Numbers, float]:
    """How far the server's numbers went from when all sessions had begun until the first ended,
    and how many seconds that were."""
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.run(port))
        await asyncio.gather(*(client.started.wait() for client in clients))
        before = await asyncio.to_thread(read_numbers, port)
        for second in range(1, int(seconds) + 1):
            await asyncio.sleep(1.0)
            advance(second)
            if until_miss and second % LOOK_EVERY_S == 0:
                numbers = change(before, await asyncio.to_thread(read_numbers, port))
                if numbers["im_tick_deadline_miss_total"]:
                    seconds = float(second)
                    break
        await asyncio.sleep(seconds % 1)
        after = await asyncio.to_thread(read_numbers, port)
        for client in clients:
            client.is_over = True
    return change(before, after), seconds


class _Client:
    """Sends 200 ms every 200 ms until `is_over`."""

    def __init__(self, question: np.ndarray, phase_s: float, seed: int) -> None:
        self.started, self.is_over = asyncio.Event(), False
        self._question, self._phase_s = question, phase_s
        self._random = np.random.default_rng(seed)

    async def run(self, port: int) -> None:
        await asyncio.sleep(self._phase_s)
        async with connect(f"ws://127.0.0.1:{port}/v1/page") as connection:
            await connection.send(json.dumps({"type": "start", "rate": SAMPLE_RATE_HZ}))
            about = json.loads(await connection.recv())
            if about["type"] != "started":
                raise DeviceError(f"the server refused a session: {about['error']['message']}")
            listening = asyncio.create_task(_listen(connection))
            try:
                await self._speak(connection, listening)
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _speak(self, connection: ClientConnection, listening: asyncio.Task) -> None:
        loop = asyncio.get_running_loop()
        begin_s, turn = loop.time(), 0
        while not self.is_over:
            await asyncio.sleep(begin_s + (turn + 1) * TURN_S - loop.time())
            if listening.done():
                raise DeviceError("the server ended a session under load; see its log")
            pcm = self._sound(turn)
            await connection.send(INPUT.pack(VERSION, 0, 0, 0, 0, len(pcm)) + pcm)
            self.started.set()
            turn += 1

    def _sound(self, turn: int) -> bytes:
        samples = self._random.standard_normal(SAMPLES_PER_TURN) * FLOOR
        length = -(-len(self._question) // SAMPLES_PER_TURN)
        place = turn % (length + PAUSE_TURNS) - 1
        if 0 <= place < length:
            part = self._question[place * SAMPLES_PER_TURN :][:SAMPLES_PER_TURN]
            samples[: len(part)] += part
        return np.clip(samples * 32767, -32768, 32767).astype("<i2").tobytes()


async def _listen(connection: ClientConnection) -> None:
    async for _ in connection:
        pass
