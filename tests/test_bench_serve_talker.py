"""The client with a loudspeaker on pretended time: exact, whatever the machine does."""

import asyncio
from typing import Any

import msgspec
import numpy as np
import pytest
from bench_helpers import INTERRUPT, QUESTION, beep

from interplay.bench.playing.stage import Stage
from interplay.bench.scoring.answering import answer_latency
from interplay.bench.serve.playback import BLOCK_S
from interplay.bench.serve.stopping import stop_time
from interplay.bench.serve.talker import GUARD_S, Played, converse
from interplay.clock import TURN_S
from interplay.data.item import Item
from interplay.errors import DeviceError
from interplay.server.page_wire import FLUSHED, INPUT, OUTPUT

PHASE_S = 0.13  # of the beats, after the session began
BEGIN_S = PHASE_S + TURN_S - GUARD_S  # the client's: so long before the second beat
ANSWER_BEATS = 2  # after the beat that has heard the question end
YIELD_BEATS = 2  # after the beat that has heard the user


class PretendedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next thing that is due."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def jump(timeout: float | None) -> list:
            self.now_s += timeout or 0.0
            return select(0)

        self._selector.select = jump  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now_s


class Model:
    """A page's server and its model: it speaks when the user has become silent, and yields to a
    user who speaks. Stands for the connection, too."""

    def __init__(self, *, says_that_it_yields: bool = True, ends_early: bool = False) -> None:
        self.says_that_it_yields, self.ends_early = says_that_it_yields, ends_early
        self.flushes: list[tuple[int, int]] = []
        self.yielded_s = 0.0
        self._to_client: asyncio.Queue[Any] = asyncio.Queue()
        self._heard: list[bool] = []  # whether the user sounded, by message
        self._tasks: list[asyncio.Task] = []

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            _, flags, _, played_ms, received_ms, size = INPUT.unpack_from(message)
            if flags == FLUSHED:
                self.flushes.append((played_ms, received_ms))
            sound = np.frombuffer(message[INPUT.size :], "<i2")
            assert len(sound) * 2 == size == 6400
            self._heard.append(bool(np.abs(sound.astype(int)).max() > 1000))
        elif "start" in message:
            self._to_client.put_nowait('{"type": "started"}')
            self._tasks.append(asyncio.create_task(self._beat()))

    async def recv(self) -> Any:
        return await self._to_client.get()

    async def __aiter__(self):
        while (message := await self._to_client.get()) is not None:
            yield message

    async def _beat(self) -> None:
        loop, is_on, since = asyncio.get_running_loop(), False, 0
        await asyncio.sleep(PHASE_S)
        for turn in range(1000):
            recent = self._heard[-1 - ANSWER_BEATS :]
            has_ended = len(recent) > ANSWER_BEATS and recent[0] and not any(recent[1:])
            yields = is_on and self._heard[-1 - YIELD_BEATS :][:1] == [True] and since > 2
            since += 1
            if yields:
                self.yielded_s = loop.time()
                is_on = False
            elif has_ended:
                is_on, since = True, 0
            sound = np.full(3200, 9000 if is_on or yields else 0, "<i2").tobytes()
            about = {
                "heard": [],
                "said": [],
                "voice_on": [is_on or yields] * 4,
                "yields": yields and self.says_that_it_yields,
                "compute_ms": 0.0,
            }
            text = msgspec.json.encode(about)
            if self.ends_early and turn == 3:
                self._to_client.put_nowait(None)
            self._to_client.put_nowait(OUTPUT.pack(1, 0, 0, turn, len(text)) + text + sound)
            await asyncio.sleep(TURN_S)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()


def play_at(model: Model, what: Item) -> Played:
    async def run() -> Played:
        try:
            return await converse(model, Stage(what, beep))  # type: ignore[arg-type]
        finally:
            model.close()

    with asyncio.Runner(loop_factory=PretendedLoop) as runner:
        return runner.run(run())


def test_first_sound_is_counted_from_the_end_of_the_question_to_the_loudspeaker():
    played = play_at(Model(), QUESTION)
    assert played.trace.cues[0] == pytest.approx((0.5, 1.5))
    [latency] = answer_latency(played.trace)
    # the question ends at 1.5; its message goes at 1.6, two silent ones at 1.8 and 2.0; the beat
    # after them comes when the client expects it, and a block later it sounds
    assert latency.value == pytest.approx(GUARD_S + 2.0 + BLOCK_S - 1.5, abs=0.011)
    assert played.num_underruns == 0 and played.jitter_s == pytest.approx(0, abs=1e-6)


def test_the_sound_stops_when_the_yield_arrives():
    model = Model()
    played = play_at(model, INTERRUPT)
    [stop] = stop_time(played.trace)
    cue = played.trace.cues[1]
    assert cue is not None and played.num_yields == 1
    assert stop.value == pytest.approx(model.yielded_s - BEGIN_S - cue[0], abs=0.011)
    assert 0 < model.yielded_s - BEGIN_S - cue[0] < 0.9
    [(played_ms, received_ms)] = model.flushes
    assert received_ms - played_ms == pytest.approx(200 + 1000 * BLOCK_S, abs=1)


def test_a_client_that_is_not_told_plays_what_it_has():
    model = Model(says_that_it_yields=False)
    played = play_at(model, INTERRUPT)
    [stop] = stop_time(played.trace)
    cue = played.trace.cues[1]
    assert cue is not None and not model.flushes
    late_s = model.yielded_s - BEGIN_S + TURN_S + BLOCK_S
    assert stop.value == pytest.approx(late_s - cue[0], abs=0.011)


def test_a_session_that_ends_before_its_time_is_an_error():
    with pytest.raises(DeviceError, match="ended a session before its time"):
        play_at(Model(ends_early=True), QUESTION)
