"""The serve suite over real sockets, at servers with an untrained model: a fault that is put in
shows in its row, and without one the row is clean. Nothing here depends on how fast the machine is.
"""

import asyncio
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread
from typing import Any

import msgspec
import numpy as np
import pytest
from bench_helpers import INTERRUPT, QUESTION, beep
from websockets.asyncio.server import ServerConnection, serve

from interplay.bench.scoring.rows import SERVE
from interplay.bench.serve import capacity, long, resuming, talker
from interplay.bench.serve.load import drive
from interplay.bench.serve.lockstep import GrantedClock, lockstep_serving
from interplay.bench.serve.long import drift_outcomes, long_session, memory_outcomes
from interplay.bench.serve.resuming import kill_and_resume
from interplay.bench.serve.suite import LOCKSTEP, ServeBench
from interplay.bench.serve.talker import talk
from interplay.cli import main
from interplay.clock import TURN_S
from interplay.errors import DeviceError
from interplay.server import served
from interplay.server.hub import Hub
from interplay.server.page_wire import FLUSHED, INPUT, OUTPUT, VERSION
from interplay.server.run import running
from tests.server_helpers import make_engine, server

USER = np.random.default_rng(0).integers(-3000, 3000, 24_000, np.int16)


@contextmanager
def lockstep(num_slots: int = 1, app_around=lambda app: app) -> Iterator[int]:
    serving = lockstep_serving(make_engine(num_slots))
    serving.server.config.app = app_around(serving.server.config.app)
    with running(serving):
        yield serving.port


# Pretended time


def test_a_granted_clock_goes_as_far_as_it_is_granted():
    clock = GrantedClock()
    clock.grant()
    clock.sleep_until(0.2)
    assert clock.now() == 0.2
    clock.is_over = lambda: True
    clock.sleep_until(0.4)
    assert clock.now() == 0.2, "nobody granted it"


def test_a_session_in_lockstep_has_no_gap_and_no_drift():
    with lockstep() as port:
        session = long_session(port, USER, 60)
    assert session.num_filled == 0
    assert session.clock_s.tolist() == pytest.approx(session.sent_s.tolist())
    assert session.clock_s[-1] == pytest.approx(60 * TURN_S)
    assert session.voiced.any() and not session.voiced.all()
    assert [outcome.value for outcome in drift_outcomes(session)] == [0]


def test_sound_that_is_short_is_drift(monkeypatch):
    push = served.PcmWriter.push
    monkeypatch.setattr(served.PcmWriter, "push", lambda self, sound: push(self, sound)[:-480])
    with lockstep() as port:
        [outcome] = drift_outcomes(long_session(port, USER, 40))
    assert outcome.value == pytest.approx(40 * 0.05)


def test_a_leak_is_growth(monkeypatch):
    monkeypatch.setattr(long, "SETTLED_S", 2)
    monkeypatch.setattr(long, "LOOK_TURNS", 10)
    leaked = []

    def leaking(app: Any) -> Any:
        async def around(scope, receive, send):
            async def keep() -> Any:
                message = await receive()
                leaked.append(b"x" * 2**21)
                return message

            await app(scope, keep, send)

        return around

    with lockstep(app_around=leaking) as port:
        session = long_session(port, USER, 40)
    [outcome] = memory_outcomes(session)
    grown = outcome.value * session.memory[session.clock_s >= 2][0]
    assert grown > 25 * 2**21, "30 micro-turns of 2 MiB, less what the allocator had at hand"


# Resuming


def quick(monkeypatch) -> None:
    monkeypatch.setattr(resuming, "TALK_S", (0.3, 0.5))
    monkeypatch.setattr(resuming, "AWAY_S", (0.0, 0.2))
    monkeypatch.setattr(resuming, "TALK_TURNS", 4)


def test_killed_connections_lose_and_double_nothing(monkeypatch):
    quick(monkeypatch)
    monkeypatch.setattr(resuming, "EARLY_SHARE", 0.5)
    with server(1) as serving:
        found = kill_and_resume(serving.port, USER, 4, seed=2)
    assert found.num_kills == 4 and found.num_words > 0
    assert [outcome.value for outcome in found.outcomes()] == [0, 0, 0, 0]


def test_a_server_that_sends_twice_is_found_out(monkeypatch):
    quick(monkeypatch)
    missed = served.ServedSession.missed
    monkeypatch.setattr(
        served.ServedSession, "missed", lambda self, last: missed(self, max(-1, last - 3))
    )
    with server(1) as serving:
        found = kill_and_resume(serving.port, USER, 2)
    assert found.num_doubled_turns > 0 and found.num_doubled_words > 0
    assert found.num_missing_turns == 0


def test_a_session_that_is_gone_is_lost(monkeypatch):
    quick(monkeypatch)
    monkeypatch.setattr(Hub, "lose", lambda self, session, outbox: self.close(session, "lost"))
    with server(1) as serving:
        found = kill_and_resume(serving.port, USER, 3)
    assert (found.num_lost, found.num_kills) == (1, 1)


# A client with a loudspeaker


class ScriptedPage:
    """A page server without a model: it speaks for five micro-turns and yields in the sixth. The
    first comes by itself, the others when it is spoken to. beats: whether any comes at all."""

    def __init__(self, *, beats: bool = True) -> None:
        self.beats = beats
        self.flushes: list[tuple[int, int]] = []
        self.port = 0

    async def __call__(self, connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type": "started"}')
        if self.beats:
            await connection.send(self._turn(0))
        turn = 1
        async for message in connection:
            if isinstance(message, str):
                return
            version, flags, _, played_ms, received_ms, _ = INPUT.unpack_from(message)
            assert version == VERSION
            if flags == FLUSHED:
                self.flushes.append((played_ms, received_ms))
            await connection.send(self._turn(turn))
            turn += 1

    def _turn(self, turn: int) -> bytes:
        is_on = turn < 6
        about = {"heard": [], "said": [[" a", 0, 1]], "voice_on": [is_on] * 4, "yields": turn == 5}
        about["compute_ms"] = 0.0
        text = msgspec.json.encode(about)
        sound = np.full(3200, 5000 if is_on else 0, "<i2").tobytes()
        return OUTPUT.pack(VERSION, 0, 0, turn, len(text)) + text + sound

    @contextmanager
    def running(self) -> Iterator[int]:
        loop = asyncio.new_event_loop()
        opened = loop.run_until_complete(self._open())
        thread = Thread(target=loop.run_forever)
        thread.start()
        try:
            yield self.port
        finally:
            asyncio.run_coroutine_threadsafe(self._end(opened), loop).result(30)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _open(self):
        opened = await serve(self, "127.0.0.1", 0)
        self.port = next(iter(opened.sockets)).getsockname()[1]
        return opened

    async def _end(self, opened) -> None:
        opened.close()
        await opened.wait_closed()


def test_a_client_throws_away_what_it_has_left_when_the_model_yields():
    page = ScriptedPage()
    with page.running() as port:
        [played] = talk(port, [replace(QUESTION, length_s=2.2)], beep, num_sessions=1)
    assert played.num_yields == 1
    [(played_ms, received_ms)] = page.flushes
    assert received_ms == 1200 and 0 < played_ms < 1200
    sounding = np.flatnonzero(played.trace.model)
    assert 0 < len(sounding) < 6 * 3200, "not all that was received was played"


def test_a_server_without_a_beat_ends_the_run_with_one_line(monkeypatch):
    monkeypatch.setattr(talker, "PATIENCE_S", 0.1)
    silent = pytest.raises(DeviceError, match=r"the server sent nothing for 0\.1 s")
    with ScriptedPage(beats=False).running() as port, silent:
        talk(port, [replace(QUESTION, length_s=2.2)], beep, num_sessions=1)


def test_items_are_played_side_by_side_in_real_time():
    items = [replace(QUESTION, length_s=1.6, seed=seed) for seed in (1, 2, 3)]
    done = []
    with server(2) as serving:
        played = talk(serving.port, items, beep, num_sessions=2, advance=done.append)
    assert done == [1, 2, 3] and len(played) == 3
    assert {one.trace.item.seed for one in played} == {1, 2, 3}
    assert all(one.trace.cues[0] == pytest.approx((0.5, 1.5)) for one in played)


def test_a_server_that_refuses_ends_the_run_with_one_line():
    with server(1) as serving:
        with pytest.raises(DeviceError, match="refused a session: all 1 sessions"):
            talk(serving.port, [replace(QUESTION, length_s=1.4)] * 2, beep, num_sessions=2)
        with pytest.raises(DeviceError, match="refused a session: all 1 sessions"):
            drive(serving.port, 2, 1.0, np.zeros(3200, np.float32))


# The whole suite

LATE_TICK = b"""Traceback, perhaps
{"message": "session started", "session": "s"}
{"message": "a tick was not done in time", "beat": 4, "sessions": 9, "ms": {"late": 3.0}, \
"model_cpu_ms": 80.0, "page_faults": 2, "preemptions": 7}
"""


def test_every_row_is_measured(monkeypatch):
    quick(monkeypatch)
    monkeypatch.setattr(capacity, "MAX_SESSIONS", 2)

    @contextmanager
    def program(model: str, num_slots: int, words=(), log=None) -> Iterator[int]:
        if log is not None:
            log.write(LATE_TICK)
        if words == LOCKSTEP:
            with lockstep(num_slots) as port:
                yield port
        else:
            with server(num_slots) as serving:
                yield serving.port

    items = {
        "answer": replace(QUESTION, length_s=1.2),
        "interrupt": replace(INTERRUPT, length_s=1.4),
    }
    bench = ServeBench(
        model="tiny",
        count=1,
        seconds=1.0,
        server=program,
        synthesize=beep,
        draw=lambda kind, count, seed: [items[kind]] * count,
        own_voice="own",
    )
    found = {row.name: entry for row, entry in bench.run(SERVE)}
    assert list(found) == [row.name for row in SERVE]
    # the system counts CPU time in steps of 10 ms: within a second the difference can be below 0
    assert math.isfinite(found["overhead_ms"]["value"])
    assert found["overhead_ms"]["about"]["sessions"] == 1
    late = {"sessions": 9, "ms": {"late": 3.0}, "model_cpu_ms": 80.0}
    late |= {"page_faults": 2, "preemptions": 7}
    assert found["overhead_ms"]["about"]["late_ticks"] == [late]
    assert late in found["sessions_no_miss"]["about"]["late_ticks"]
    assert found["long_drift_ticks"]["value"] == 0
    assert found["long_memory_growth"]["extra"] == {"session_too_short": 1.0}
    assert found["stop_sound_p50_s"]["baselines"]["silent"] is None
    assert found["resume_lost"]["about"]["kills"] == 1
    assert json.loads(json.dumps(found)) == found


@pytest.mark.slow
def test_the_command_measures_server_programs_of_its_own(tmp_path, capsys):
    file = tmp_path / "serve.json"
    rows = "overhead_ms,long_drift_ticks"
    words = ["bench", "serve", "--rows", rows, "--n", "1", "--seconds", "3", "--json", str(file)]
    assert main(words) == 0
    assert "overhead_ms" in capsys.readouterr().out
    report = json.loads(file.read_text())
    assert report["rows"]["overhead_ms"]["value"] > 0
    assert report["rows"]["long_drift_ticks"]["value"] == 0
    assert main(["bench", "report", "--json", str(file)]) == 0
    assert "| overhead_ms |" in capsys.readouterr().out
