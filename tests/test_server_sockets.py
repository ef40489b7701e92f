"""A really running server on loopback: the openai SDK, raw WebSockets, limits and drain."""

import asyncio
import base64
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from interplay.cli import main
from interplay.model.untrained import untrained
from interplay.server.events import Notice
from interplay.server.limits import Limits
from interplay.server.page_wire import INPUT, OUTPUT
from interplay.server.run import Serving
from tests.server_helpers import KEY, b64, next_of, pcm, server, start, url

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = {  # that dashboards are built on
    **dict.fromkeys(["im_sessions_active", "im_slots_free", "im_tick_lag_seconds"], "gauge"),
    **dict.fromkeys(["im_batch_sessions", "im_kv_tokens", "im_delegations_inflight"], "gauge"),
    **dict.fromkeys(["im_tick_duration_seconds", "im_stage_seconds"], "histogram"),
    **dict.fromkeys(["im_playback_delay_seconds", "im_first_audio_seconds"], "histogram"),
    "im_delegation_seconds": "histogram",
    **dict.fromkeys(["im_tick_deadline_miss_total", "im_input_gap_total"], "counter"),
    **dict.fromkeys(["im_output_underrun_total", "im_ws_bytes_total"], "counter"),
    "im_rejects_total": "counter",
}
LABELS = {"stage": "stage", "delegation": "status", "rejects": "reason", "message_bytes": "dir"}


@pytest.fixture(scope="module")
def open_server() -> Iterator[Serving]:
    """One for all tests that need no keys."""
    with server(3) as serving:
        yield serving


def test_the_openai_sdk_runs_a_whole_session_in_real_time(open_server):
    async def talk() -> tuple[list[str], int, float]:
        client = AsyncOpenAI(api_key="none", base_url=url(open_server, "/v1", "http"))
        kinds, num_bytes, begin_s = [], 0, time.monotonic()
        async with client, client.live.connect() as connection:
            about = {"model": "gpt-live-1", "delegation": {"type": "client"}}
            await connection.send({"type": "session.start", "session": about})  # type: ignore[arg-type]
            async for event in connection:
                kinds.append(event.type)
                if event.type == "session.output_audio.delta":
                    num_bytes += len(base64.b64decode(event.delta))
                    sound = b64(pcm(0.2, seed=len(kinds)))
                    await connection.session.input_audio.append(audio=sound)
                if kinds.count("session.output_audio.delta") == 3 and "asked" not in kinds:
                    kinds.append("asked")
                    await connection.session.input_audio.mute()
                    await connection.session.thinking.append(content="ten", delegation_id=None)
                if kinds.count("session.output_audio.delta") == 7:
                    await connection.session.close()
                    kinds.append("session.output_audio.delta")
        return kinds, num_bytes, time.monotonic() - begin_s

    kinds, num_bytes, seconds = asyncio.run(talk())
    assert kinds[0] == "session.started" and kinds[-1] == "session.closed"
    assert {"session.input_audio.muted", "session.thinking.appended"} <= set(kinds)
    assert num_bytes >= 7 * 9600 and num_bytes % 9600 == 0
    assert seconds > 0.9, "sound comes at the pace of the clock"


def test_the_openai_sdk_attaches_a_sideband(open_server):
    async def talk() -> tuple[list[str], str]:
        client = AsyncOpenAI(api_key="none", base_url=url(open_server, "/v1", "http"))
        async with client, client.live.connect() as connection:
            await connection.send({"type": "session.start", "session": {"model": "gpt-live-1"}})
            session_id = (await connection.recv()).session.id  # type: ignore[union-attr]
            kinds = []
            async with client.live.sideband.connect(session_id=session_id) as side:
                await connection.session.input_audio.append(audio=b64(pcm(0.2)))
                async for event in side:
                    kinds.append(event.type)
                    if {"session.input_audio.append", "session.output_audio.delta"} <= set(kinds):
                        await side.session.close()
                        break
            async for event in connection:
                last = event
            return kinds, getattr(last, "reason", "")

    kinds, reason = asyncio.run(talk())
    assert "session.output_audio.delta" in kinds and reason == "close_requested"


def test_the_page_socket_talks_loses_its_connection_and_resumes(open_server):
    async def talk() -> tuple[str | None, list[int], dict]:
        address, turns = url(open_server, "/v1/page"), []
        protocols = ["interplay", f"openai-insecure-api-key.{KEY}"]
        async with connect(address, subprotocols=protocols) as page:  # type: ignore[arg-type]
            await page.send(json.dumps({"type": "start"}))
            started = json.loads(await page.recv())
            while len(turns) < 2:
                await page.send(INPUT.pack(1, 0, 0, 0, 0, 6400) + pcm(0.2, 16_000))
                turns.append(OUTPUT.unpack_from(await page.recv())[3])  # type: ignore[arg-type]
            page.transport.abort()  # no goodbye
        await asyncio.sleep(0.5)
        async with connect(address) as page:
            resume = {"type": "resume", "token": started["resume_token"], "last_turn": turns[-1]}
            await page.send(json.dumps(resume))
            resumed = json.loads(await page.recv())
            while len(turns) < 6:
                turns.append(OUTPUT.unpack_from(await page.recv())[3])  # type: ignore[arg-type]
            await page.send(json.dumps({"type": "close"}))
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await page.recv()
        assert closed.value.rcvd and closed.value.rcvd.code == 1000
        return protocols[0], turns, resumed

    _, turns, resumed = asyncio.run(talk())
    assert turns == [0, 1, 2, 3, 4, 5] and resumed["num_lost_turns"] == 0


def test_operators_see_health_readiness_and_numbers(open_server):
    get = httpx2.get
    assert get(url(open_server, "/healthz", "http")).json() == {"status": "ok"}
    ready = get(url(open_server, "/readyz", "http"))
    assert ready.status_code == 200 and ready.json()["slots_free"] >= 1
    assert ready.json()["records"] is False
    text = get(url(open_server, "/metrics", "http")).text
    kinds = dict(re.findall(r"^# TYPE (im_\w+) (\w+)$", text, re.M))
    assert {name: kinds.get(name) for name in NUMBERS} == NUMBERS
    for name, label in LABELS.items():
        assert getattr(open_server.hub.metrics, name)._labelnames == (label,)
    edges = re.findall(r'^im_tick_duration_seconds_bucket\{le="([^"]+)"', text, re.M)
    edges_ms = [round(1000 * float(edge)) for edge in edges[:-1]]
    assert edges_ms == [5, 10, 20, 40, 80, 120, 160, 200, 300, 500]


def test_messages_are_bounded_in_size_and_number():
    limits = Limits(events_per_s=5, events_burst=5, max_errors=3, start_s=2.0)

    async def talk(serving: Serving) -> tuple[int, list[str], list[str]]:
        address = url(serving, "/v1/live/sessions")
        async with connect(address) as big:
            await big.send("x" * (1 << 21))
            error = (await next_of(big, "error"))["error"]
            assert error["code"] == "event_too_big" and str(1 << 20) in error["message"]
            with pytest.raises(ConnectionClosed) as too_big:
                await big.send("x" * (5 << 20))
                await big.recv()
        async with connect(address) as many:
            for _ in range(9):
                await many.send(start())
            codes = []
            with pytest.raises(ConnectionClosed) as flood:
                while True:
                    message = json.loads(await many.recv())
                    codes += [message["error"]["code"]] if "error" in message else []
        assert flood.value.rcvd and flood.value.rcvd.code == 1008
        async with connect(address) as idle:
            late = [json.loads(await idle.recv())["error"]["code"]]
        code = too_big.value.rcvd.code if too_big.value.rcvd else 0
        return code, codes, late

    with server(2, limits) as serving:
        code, codes, late = asyncio.run(talk(serving))
    assert code == 1009
    assert set(codes) <= {"already_started", "rate_limited"} and len(codes) == 3
    assert late == ["start_timeout"]


def test_a_slow_reader_is_closed_and_the_clock_goes_on():
    notice = Notice(code="test", message="x" * 300_000)

    async def talk(serving: Serving) -> int:
        address = url(serving, "/v1/live/sessions")
        async with connect(address) as fast:
            await fast.send(start())
            await next_of(fast, "session.started")
            (first,) = serving.hub.sessions
            slow = await connect(address, max_queue=1)
            await slow.send(start())
            await next_of(slow, "session.started")
            session = next(s for s in serving.hub.sessions.values() if s.id != first)
            assert session.primary is not None and serving.loop is not None
            for _ in range(2 * serving.hub.limits.outbox_items):
                serving.loop.call_soon_threadsafe(session.tell_all, notice)
            async with asyncio.timeout(20):
                while session.id in serving.hub.sessions:
                    await asyncio.sleep(0.05)
            for _ in range(3):
                await next_of(fast, "session.output_audio.delta")
            slow.transport.abort()
        return int(serving.hub.metrics.output_overflows._value.get())

    with server(2) as serving:
        assert asyncio.run(talk(serving)) == 1


PROGRAM = """
import sys
from interplay.model.untrained import untrained
from interplay.server import command, hub
from interplay.server.limits import Limits
hub.Limits = lambda: Limits(max_lag_s=60.0)
command.load_checkpoint = lambda name: untrained("tiny", seed=1)
import interplay.cli
words = ["--bind", "127.0.0.1:" + sys.argv[1], "--device", sys.argv[2], "--slots", "1"]
sys.exit(interplay.cli.main(["serve", *words]))
"""


async def reach(address: str) -> ClientConnection:
    """Connect as soon as the program listens."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await connect(address)
            except OSError:
                await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "there is no cuda here"),
        (["--ray", "2"], "--ray runs the plain loop; leave --device cuda out"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(words, line, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("interplay.server.command.load_checkpoint", lambda name: untrained("tiny"))
    assert main(["serve", "--device", "cuda", *words]) == 2
    told = capsys.readouterr().err
    assert line in told and told.count("\n") == 1


@pytest.mark.parametrize("device", ["cpu", "static"])
def test_sigterm_lets_sessions_finish_and_then_exits(device):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, "-c", PROGRAM, str(port), device]
    pipe = subprocess.PIPE
    child = subprocess.Popen(program, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)

    async def talk() -> tuple[str, str]:
        address = f"ws://127.0.0.1:{port}/v1/live/sessions"
        connection = await reach(address)
        async with connection:
            await connection.send(start())
            await next_of(connection, "session.started")
            child.send_signal(signal.SIGTERM)
            notice = await next_of(connection, "info")
            while notice["code"] != "server_draining":
                notice = await next_of(connection, "info")
            await next_of(connection, "session.output_audio.delta")
            await connection.send('{"type": "session.close"}')
            closed = await next_of(connection, "session.closed")
        return notice["code"], closed["reason"]

    try:
        assert asyncio.run(talk()) == ("server_draining", "close_requested")
        out, err = child.communicate(timeout=20)
    finally:
        child.kill()
    assert child.returncode == 0, err
    assert "base URL" in out and ("ticks of fixed shapes" in out) == (device == "static")
    messages = [json.loads(line)["message"] for line in err.splitlines()]
    assert {"session opened", "draining", "session ended"} <= set(messages)
