"""Several servers as one: places in ids; and a cluster of two replicas on this machine, where Ray
is installed."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from interplay.cli import main
from interplay.errors import ConfigError
from interplay.model.checkpoint import save_checkpoint
from interplay.server.auth import Auth, Visitor, without_key
from interplay.server.limits import CLOSE_BYTES, MAX_MESSAGE_BYTES
from interplay.server.live import LivePrimary
from interplay.server.outbox import Outbox
from interplay.server.places import place_in, place_of, placed
from interplay.server.rtc import call_address
from tests.server_helpers import (
    KEY,
    b64,
    client,
    loaded,
    make_hub,
    pcm,
    received,
    refused,
    send,
    start,
)

ROOT = Path(__file__).resolve().parent.parent
HEADERS = {"Authorization": f"Bearer {KEY}"}
SETTINGS = {  # of Ray; the second: tests run on busy machines
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
}
needs_ray = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]


def test_ids_tokens_and_secrets_name_their_place():
    hub = make_hub(place="abc123")
    auth = Auth([KEY], place="abc123")
    adapter = client(hub, "resume")
    about = received(adapter)[0]["session"]
    secret = auth.issue(60, 0.0)
    for text in (about["id"], about["interplay"]["resume_token"], secret):
        assert "_abc123." in text
    path = f"/v1/live/sessions/{about['id']}/attach"
    assert place_of(path, "", {}) == "abc123"
    assert place_of("/v1/page", "replica=abc123", {}) == "abc123"
    call_id = placed("rtc", "abc123", "def")
    assert place_of("/v1/realtime", f"call_id={call_id}", {}) == "abc123"
    assert place_of("/", "", {"authorization": f"Bearer {secret}"}) == "abc123"
    offered = f"realtime, openai-insecure-api-key.{secret}"
    assert place_of("/", "", {"sec-websocket-protocol": offered}) == "abc123"
    assert auth.visit(f"Bearer {secret}", [], 1.0).secret


def test_calls_come_to_the_machine_that_a_replica_runs_on():
    node = "10.0.0.7"
    for host, address in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("[::1]", "::1")):
        assert call_address(host, node) == address
    assert call_address("localhost", node) == "127.0.0.1"
    assert call_address("192.0.2.1", node) == node, "an address of nobody: of another machine"


def test_a_token_of_another_server_is_answered_with_where_to_go():
    adapter = client(make_hub(place="abc123"), "resume")
    token = received(adapter)[0]["session"]["interplay"]["resume_token"]
    other = LivePrimary(make_hub(place="def456"), Visitor())
    error = refused(send, other, "interplay.session.resume", token=token, last_turn=-1)
    assert error.code == "unknown_token" and "?replica=abc123" in str(error)
    for hub in (make_hub(), make_hub(place="abc123")):
        error = refused(hub.resume, token, -1, Outbox(1))
        assert error.code == "unknown_token" and "replica" not in str(error)


@pytest.mark.parametrize(
    ("path", "query", "headers"),
    [
        ("/v1/live/sessions", "", {}),
        (f"/v1/live/sessions/{placed('live', '', 'abc')}/attach", "", {}),
        ("/", "replica=../../etc", {}),
        ("/", "replica=" + "a" * 5000, {}),
        ("/", "%", {"authorization": "Bearer ek_abc"}),
        ("/", "", {"authorization": f"Bearer {KEY}"}),
    ],
)
def test_a_server_that_is_alone_has_no_place(path, query, headers):
    assert place_of(path, query, headers) == ""


def test_a_key_may_be_given_by_its_digest():
    line = without_key(f"{KEY} sessions=2")
    assert KEY not in line and line.endswith(" sessions=2") and without_key(line) == line
    visitor = Auth([line]).visit(f"Bearer {KEY}", [], 0.0)
    assert visitor.account and visitor.account.max_sessions == 2
    with pytest.raises(ConfigError, match="at least 16"):
        without_key("short")


def test_strict_reaches_the_engines_of_the_replicas(monkeypatch):
    ray = ModuleType("ray")
    ray.serve = SimpleNamespace(ingress=lambda: lambda replica: replica)  # type: ignore[attr-defined]
    serving = ModuleType("interplay.server.ray_serve")
    plans: list[Any] = []
    serving.RayConfig = SimpleNamespace  # type: ignore[attr-defined]
    serving.serve_until_stopped = lambda plan, _: plans.append(plan)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "interplay.server.ray_serve", serving)
    monkeypatch.delitem(sys.modules, "interplay.server.ray_replica", raising=False)
    monkeypatch.setattr("interplay.server.command.load_checkpoint", lambda _: loaded())
    for words in ([], ["--strict"]):
        assert main(["serve", "--ray", "2", *words]) == 0
    replicas = sys.modules.pop("interplay.server.ray_replica")
    asked: list[bool] = []

    def engine(_: object, *, strict: bool, **__: object) -> None:
        asked.append(strict)
        raise ConfigError("enough")

    monkeypatch.setattr(replicas, "Engine", engine)
    monkeypatch.setattr(replicas, "load_checkpoint", lambda _: loaded())
    monkeypatch.setattr(replicas, "start_logs", lambda **_: None)
    delattr(replicas.Replica, "__del__")  # Ray's, who awaits it
    for plan in plans:
        with pytest.raises(ConfigError, match="enough"):
            replicas.Replica(plan)
    assert asked == [False, True]


class Cluster:
    """The program, and how to talk to it."""

    def __init__(self, process: subprocess.Popen, port: int) -> None:
        self.process, self.port = process, port

    def until(self, word: str) -> None:
        assert self.process.stdout
        while (line := self.process.stdout.readline()) and line.strip() != word:
            pass
        assert line, f"it ended before it was {word}"

    def tell(self, word: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def connect(self, path: str = "/v1/live/sessions", headers: dict[str, str] = HEADERS):
        address = f"ws://127.0.0.1:{self.port}{path}"
        return connect(address, additional_headers=headers, open_timeout=120)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    model = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    tiny = loaded()
    save_checkpoint(model, tiny.model, None, tiny.tokenizer, tiny.facts)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "tests.ray_program", str(model), str(port), without_key(KEY)]
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **SETTINGS}
    env.pop("RAY_ADDRESS", None)
    with open(model.with_name("log"), "w") as log:
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        made = Cluster(process, port)
        try:
            made.until("ready")
            yield made
            assert process.stdin
            process.stdin.close()
            made.until("stopped")
            assert process.wait(120) == 0
        finally:
            process.kill()
            process.wait()
            assert process.stdin and process.stdout
            process.stdin.close()
            process.stdout.close()


async def next_of(connection: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(120):
        while True:
            message = json.loads(await connection.recv())
            if message["type"] == kind:
                return message


async def next_text(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a kind on a page's line, sound aside."""
    async with asyncio.timeout(120):
        while True:
            data = await connection.recv()
            if isinstance(data, str) and (message := json.loads(data))["type"] == kind:
                return message


async def begin(connection: ClientConnection, *extensions: str) -> dict[str, Any]:
    extra = {"interplay": {"extensions": extensions}} if extensions else {}
    await connection.send(start(**extra))
    return (await next_of(connection, "session.started"))["session"]


def place(about: dict[str, Any]) -> str:
    return place_of(f"/{about['id']}/", "", {})


async def talk(connection: ClientConnection) -> None:
    """Some micro-turns and the end of a session."""
    for _ in range(3):
        sound = {"type": "session.input_audio.append", "audio": b64(pcm(0.2))}
        await connection.send(json.dumps(sound))
        await next_of(connection, "session.output_audio.delta")
    await connection.send(json.dumps({"type": "session.close"}))
    closed = await next_of(connection, "session.closed")
    assert closed["reason"] == "close_requested"


class TestCluster:
    pytestmark = needs_ray

    def test_sessions_go_where_there_is_room_and_stay(self, cluster):
        async def run() -> list[str]:
            async with cluster.connect() as one, cluster.connect() as two:
                places = [place(await begin(one)), place(await begin(two))]
                async with cluster.connect() as three, cluster.connect() as four:
                    places += [place(await begin(three)), place(await begin(four))]
                    async with cluster.connect() as five:
                        await five.send(start())
                        error = (await next_of(five, "error"))["error"]
                    assert error["code"] == "no_free_slot" and error["retry_after_s"] > 0
                    for connection in (one, two, three, four):
                        await talk(connection)
            return places

        places = asyncio.run(run())
        assert sorted(places.count(name) for name in set(places)) == [2, 2]
        assert places[0] != places[1], "the second goes to the empty one"

    def test_a_sideband_and_a_lost_connection_find_their_replica(self, cluster):
        async def run() -> None:
            sessions = []
            for _ in range(2):  # one on each
                connection = await cluster.connect()
                sessions.append((connection, await begin(connection, "resume")))
            assert len({place(about) for _, about in sessions}) == 2
            for connection, about in sessions:
                async with cluster.connect(f"/v1/live/sessions/{about['id']}/attach") as side:
                    await next_of(side, "session.output_audio.delta")
                connection.transport.abort()
            for _, about in reversed(sessions):
                path = f"/v1/live/sessions?replica={place(about)}"
                async with cluster.connect(path) as again:
                    token = about["interplay"]["resume_token"]
                    resume = {"type": "interplay.session.resume", "token": token, "last_turn": 0}
                    await again.send(json.dumps(resume))
                    resumed = await next_of(again, "interplay.session.resumed")
                    assert resumed["session"]["id"] == about["id"]
                    assert resumed["num_lost_turns"] == 0
                    sound = await next_of(again, "session.output_audio.delta")
                    assert sound["turn"] == 1
                    await again.send(json.dumps({"type": "session.close"}))
                    await next_of(again, "session.closed")

        asyncio.run(run())

    def test_the_page_finds_its_replica_again(self, cluster):
        async def run() -> None:
            pages = []
            for _ in range(2):  # one on each
                connection = await cluster.connect("/v1/page")
                await connection.send(json.dumps({"type": "start"}))
                pages.append((connection, await next_text(connection, "started")))
            places = [place_in(about["resume_token"]) for _, about in pages]
            assert len(set(places)) == 2 and "" not in places
            for connection, _ in pages:
                connection.transport.abort()
            for mine, other, (_, about) in zip(places, reversed(places), pages, strict=True):
                resume = {"type": "resume", "token": about["resume_token"], "last_turn": -1}
                async with cluster.connect(f"/v1/page?replica={other}") as wrong:
                    await wrong.send(json.dumps(resume))
                    error = (await next_text(wrong, "error"))["error"]
                    assert (
                        error["code"] == "unknown_token" and f"?replica={mine}" in error["message"]
                    )
                async with cluster.connect(f"/v1/page?replica={mine}") as again:
                    await again.send(json.dumps(resume))
                    resumed = await next_text(again, "resumed")
                    assert resumed["session_id"] == about["session_id"]
                    await again.send(json.dumps({"type": "close"}))
                    await next_text(again, "ended")

        asyncio.run(run())

    def test_who_may_come_in_is_the_same_as_on_one_server(self, cluster):
        async def run() -> None:
            for headers in ({}, {**HEADERS, "Origin": "https://evil.example"}):
                with pytest.raises((InvalidStatus, ConnectionClosed)):
                    async with cluster.connect(headers=headers) as foreign:
                        await foreign.recv()
            for _ in range(4):
                asked = httpx2.post(
                    f"http://127.0.0.1:{cluster.port}/v1/client_secrets", headers=HEADERS
                )
                secret = asked.json()["value"]
                bearer = {"Authorization": f"Bearer {secret}"}
                async with cluster.connect(headers=bearer) as connection:
                    about = await begin(connection)
                    assert f"_{place(about)}." in secret, "the replica that knows the secret"
                    await talk(connection)
            async with cluster.connect() as big:
                await begin(big)
                await big.send("x" * (MAX_MESSAGE_BYTES + 1))
                assert (await next_of(big, "error"))["error"]["code"] == "event_too_big"
                await big.send("x" * (CLOSE_BYTES + 1))
                with pytest.raises(ConnectionClosed) as closed:
                    await next_of(big, "session.closed")
                assert closed.value.rcvd and closed.value.rcvd.code == 1009

        asyncio.run(run())

    def test_replaced_replicas_drain_while_new_ones_admit(self, cluster):
        async def run() -> None:
            async with cluster.connect() as old:
                about = await begin(old)
                cluster.tell("redeploy")
                notice: dict[str, Any] = {}
                while notice.get("code") != "server_draining":
                    notice = await next_of(old, "info")
                await next_of(old, "session.output_audio.delta")
                async with cluster.connect() as new:
                    assert place(await begin(new)) != place(about)
                    await talk(new)
                await talk(old)
            await asyncio.to_thread(cluster.until, "redeployed")

        asyncio.run(run())
