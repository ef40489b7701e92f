"""A really running server on loopback: the openai SDK, raw WebSockets, keys, origins, logs, drain."""

import asyncio
import base64
import json
import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from interplay.errors import ConfigError, DeviceError
from interplay.server import logs
from interplay.server.auth import Auth, read_keys
from interplay.server.command import parse_bind
from interplay.server.events import Notice
from interplay.server.limits import Limits
from interplay.server.page_wire import INPUT, OUTPUT
from interplay.server.run import ServeConfig, Serving, running
from tests.server_helpers import make_engine, pcm, start

ROOT = Path(__file__).resolve().parent.parent
KEY = "k" * 32


@contextmanager
def server(num_slots: int = 2, limits: Limits | None = None, **config) -> Iterator[Serving]:
    serving = Serving(make_engine(num_slots), ServeConfig(port=0, **config), limits=limits)
    with running(serving):
        yield serving


@pytest.fixture(scope="module")
def open_server() -> Iterator[Serving]:
    """One for all tests that need no keys."""
    with server(3) as serving:
        yield serving


@pytest.fixture(scope="module")
def locked_server() -> Iterator[Serving]:
    with server(2, keys=(KEY,), names=("talk.example.org",)) as serving:
        yield serving


def url(serving: Serving, path: str, scheme: str = "ws") -> str:
    return f"{scheme}://127.0.0.1:{serving.port}{path}"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def next_of(connection, kind: str) -> dict:
    """The next message of a kind; the ones before it are skipped."""
    async with asyncio.timeout(10):
        while True:
            message = json.loads(await connection.recv())
            if message["type"] == kind:
                return message


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
    assert num_bytes in (7 * 9600, 8 * 9600)
    assert seconds > 1.2, "sound comes at the pace of the clock"


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
                    if "session.input_audio.append" in kinds and len(kinds) > 3:
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
    text = get(url(open_server, "/metrics", "http")).text
    for name in ("sessions_active", "slots_free", "tick_duration_seconds_bucket"):
        assert f"im_{name}" in text
    for name in ("tick_deadline_miss_total", "input_gap_total", "rejects_total", "ws_bytes_total"):
        assert f"im_{name}" in text


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://evil.example"}, "foreign_origin"),
        ({"Origin": "null"}, "foreign_origin"),
        ({"Origin": "http://localhost:1"}, "foreign_origin"),
        ({"Origin": "http://[::1"}, "foreign_origin"),
        ({"Host": "rebound.example"}, "foreign_host"),
    ],
)
def test_foreign_pages_and_rebound_names_are_refused(open_server, headers, code):
    for path in ("/healthz", "/metrics"):
        answer = httpx2.get(url(open_server, path, "http"), headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
    if "Origin" in headers:

        async def call() -> None:
            with pytest.raises(InvalidStatus) as refused:
                await connect(url(open_server, "/v1/page"), additional_headers=headers)
            assert refused.value.response.status_code == 403

        asyncio.run(call())


def test_own_pages_and_allowed_names_pass(open_server, locked_server):
    own = {"Origin": f"http://127.0.0.1:{open_server.port}"}
    assert httpx2.get(url(open_server, "/healthz", "http"), headers=own).status_code == 200
    named = {"Host": "talk.example.org", "Origin": "https://talk.example.org"}
    assert httpx2.get(url(locked_server, "/healthz", "http"), headers=named).status_code == 200


def test_without_a_key_there_is_no_session(locked_server):
    async def status(**headers: str) -> int:
        try:
            address = url(locked_server, "/v1/live/sessions")
            async with connect(address, additional_headers=headers):
                return 101
        except InvalidStatus as error:
            return error.response.status_code

    assert asyncio.run(status()) == 401
    assert asyncio.run(status(Authorization="Bearer wrong")) == 401
    assert asyncio.run(status(Authorization=f"Bearer {KEY}")) == 101
    assert httpx2.get(url(locked_server, "/metrics", "http")).status_code == 401
    assert httpx2.get(url(locked_server, "/healthz", "http")).status_code == 200


def test_a_client_secret_opens_one_session_and_nothing_else(locked_server):
    address = url(locked_server, "/v1/client_secrets", "http")
    key = {"Authorization": f"Bearer {KEY}"}
    made = httpx2.post(address, headers=key, json={"expires_after": {"seconds": 60}})
    secret = made.json()["value"]
    assert made.status_code == 201 and secret.startswith("ek_")
    bad = httpx2.post(address, headers=key, json={"expires_after": {"seconds": 5}})
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "invalid_value")
    assert httpx2.post(address, headers=key, content=b"x" * 70_000).status_code == 413
    secret_header = {"Authorization": f"Bearer {secret}"}
    assert httpx2.post(address, headers=secret_header).status_code == 403

    async def twice() -> tuple[str | None, str, int]:
        page = url(locked_server, "/v1/page")
        protocols = ["interplay", f"openai-insecure-api-key.{secret}"]
        async with connect(page, subprotocols=protocols) as first:  # type: ignore[arg-type]
            await first.send(json.dumps({"type": "start"}))
            started = json.loads(await first.recv())
            live = url(locked_server, "/v1/live/sessions")
            async with connect(live, additional_headers=secret_header) as second:
                await second.send(start())
                error = json.loads(await second.recv())["error"]["code"]
            side = url(locked_server, f"/v1/live/sessions/{started['session_id']}/attach")
            with pytest.raises(InvalidStatus) as refused:
                await connect(side, additional_headers=secret_header)
            await first.send(json.dumps({"type": "close"}))
            return first.subprotocol, error, refused.value.response.status_code

    assert asyncio.run(twice()) == ("interplay", "secret_used", 403)


def test_secrets_expire_and_weak_keys_are_refused(tmp_path):
    auth = Auth([KEY])
    secret = auth.issue(10, 100.0)
    auth.visit(f"Bearer {secret}", [], 109.0)
    for header in (f"Bearer {secret}", f"Basic {KEY}", "Bearer ", None):
        with pytest.raises(Exception, match="a valid key"):
            auth.visit(header, [], 111.0)
    with pytest.raises(ConfigError, match="at least 16"):
        Auth(["short"])
    file = tmp_path / "keys"
    file.write_text(f"# ours\n\n{KEY}\n")
    assert read_keys(file) == [KEY]
    file.write_text("# none\n")
    for path in (file, tmp_path / "nowhere", tmp_path):
        with pytest.raises(ConfigError, match="one key per line"):
            read_keys(path)


def test_other_machines_need_a_key():
    with pytest.raises(ConfigError, match="no keys are set"):
        ServeConfig(host="0.0.0.0")
    assert ServeConfig(host="0.0.0.0", keys=(KEY,)).port
    with pytest.raises(ConfigError, match="HOST:PORT"):
        parse_bind("8000")
    assert parse_bind("[::1]:80") == ("[::1]", 80)


def test_a_taken_port_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DeviceError, match="cannot listen"):
            Serving(make_engine(1), ServeConfig(port=taken.getsockname()[1]))


def test_messages_are_bounded_in_size_and_number():
    limits = Limits(events_per_s=5, events_burst=5, max_errors=3, start_s=0.3)

    async def talk(serving: Serving) -> tuple[int, list[str], list[str]]:
        address = url(serving, "/v1/live/sessions")
        async with connect(address) as big:
            await big.send("x" * (1 << 21))
            with pytest.raises(ConnectionClosed) as too_big:
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
        assert too_big.value.sent or too_big.value.rcvd
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
            async with asyncio.timeout(5):
                while session.id in serving.hub.sessions:
                    await asyncio.sleep(0.05)
            for _ in range(3):
                await next_of(fast, "session.output_audio.delta")
            slow.transport.abort()
        return int(serving.hub.metrics.output_overflows._value.get())

    with server(2) as serving:
        assert asyncio.run(talk(serving)) == 1


def test_logs_are_json_and_hold_no_secrets(capsys):
    root = logging.getLogger("interplay")
    before = root.handlers, root.level, root.propagate
    try:
        logs.start_logs(ticks=True)
        log = logging.getLogger("interplay.server.test")
        log.info("got Bearer %s and ek_%s", KEY, "abcdef", extra={"session": "live_1"})
        try:
            raise ValueError(f"openai-insecure-api-key.{KEY}")
        except ValueError:
            log.exception("failed")
    finally:
        root.handlers, root.level, root.propagate = before
        logging.getLogger("interplay.server.ticks").setLevel(logging.NOTSET)
    written = capsys.readouterr().err
    first, second = map(json.loads, written.splitlines())
    assert (first["level"], first["session"]) == ("info", "live_1")
    assert second["level"] == "error" and "ValueError" in second["error"]
    assert KEY not in written and "abcdef" not in written


def test_nothing_secret_is_logged_while_serving(locked_server, caplog):
    async def talk() -> None:
        address = url(locked_server, "/v1/live/sessions")
        headers = {"Authorization": f"Bearer {KEY}"}
        async with connect(address, additional_headers=headers) as connection:
            await connection.send(start(instructions="mysteryword"))
            await next_of(connection, "session.started")
            await connection.send('{"type": "mysteryword"}')
            await next_of(connection, "error")

    with caplog.at_level(logging.DEBUG, "interplay"):
        asyncio.run(talk())
    assert "session opened" in caplog.text
    everything = " ".join(str(vars(record)) for record in caplog.records)
    assert KEY not in everything and "mysteryword" not in everything


PROGRAM = """
import sys, logging
from interplay.model.untrained import untrained
from interplay.server import command
command.load_checkpoint = lambda name: untrained("tiny", seed=1)
import interplay.cli
sys.exit(interplay.cli.main(["serve", "--bind", "127.0.0.1:" + sys.argv[1], "--slots", "1"]))
"""


def test_sigterm_lets_sessions_finish_and_then_exits():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, "-c", PROGRAM, str(port)]
    pipe = subprocess.PIPE
    child = subprocess.Popen(program, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)

    async def talk() -> tuple[str, str]:
        address = f"ws://127.0.0.1:{port}/v1/live/sessions"
        for _ in range(300):
            try:
                connection = await connect(address)
                break
            except OSError:
                await asyncio.sleep(0.1)
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
    assert "base URL" in out
    messages = [json.loads(line)["message"] for line in err.splitlines()]
    assert {"session opened", "draining", "session ended"} <= set(messages)
