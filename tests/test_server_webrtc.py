"""WebRTC against a really running server: aiortc as the client, on loopback, in this process."""

import asyncio
import base64
import json
import re
import sys
import threading
from collections.abc import Iterator

import httpx2
import numpy as np
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect

import interplay.server
from interplay.server.limits import Limits
from interplay.server.rtc import INSTALL, Calls
from interplay.server.run import Serving
from interplay.server.served import ServedSession
from tests.rtc_helpers import PATIENCE_S, Client, called, create_body, post, without_calls
from tests.server_helpers import KEY, b64, kinds, make_engine, make_hub, next_of, pcm, server, url

AUDIBLE = 1e-3  # the voice of a model that was never trained is quiet, but it is not silence
PATIENT = Limits(start_s=PATIENCE_S)
RESUME = {"extensions": ["resume", "turns"]}


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Serving]:
    """One for all tests that need no keys."""
    with server(3, PATIENT) as serving:
        yield serving


@pytest.fixture
def open_server(shared_server) -> Serving:
    return without_calls(shared_server)


async def session_of(serving: Serving, client: Client) -> ServedSession:
    started = await client.event("session.started")
    return serving.hub.sessions[started["session"]["id"]]


async def until(is_true) -> None:
    """For what tells nobody when it happens."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_true():
            await asyncio.sleep(0.02)


def test_a_whole_call(open_server):
    async def talk() -> Client:
        async with called(open_server, instructions="be kind") as client:
            session = await session_of(open_server, client)
            attach = url(open_server, f"/v1/live/sessions/{session.id}/attach")
            async with connect(attach) as side:
                loudest = 0
                while loudest < 2000:
                    user = await next_of(side, "session.input_audio.append")
                    sound = np.frombuffer(base64.b64decode(user["audio"]), np.int16)
                    loudest = np.abs(sound).max(initial=0)
            await client.until(lambda: client.loudest() > AUDIBLE)
            client.send("session.thinking.append", content="ten", delegation_id=None)
            await client.event("session.thinking.appended")
            client.send("session.close", event_id="bye")
            closed = await client.event("session.closed")
            assert (closed["reason"], closed["client_event_id"]) == ("close_requested", "bye")
            async with asyncio.timeout(PATIENCE_S):
                await client.is_over.wait()
        return client

    client = asyncio.run(talk())
    found = kinds(client.events)
    assert found[0] == "session.started" and found[-1] == "session.closed"
    assert "format" not in client.events[0]["session"]["audio"]
    assert {k for k in found if k.endswith("transcript.delta")}
    assert not {"session.output_audio.delta", "error"} & set(found)


def test_the_openai_sdk_creates_a_call(open_server):
    async def talk() -> str:
        client = Client()
        sdk = AsyncOpenAI(api_key="none", base_url=url(open_server, "/v1", "http"))
        try:
            async with sdk:
                made = await sdk.live.create(
                    session={"model": "gpt-live-1"},
                    transport={"type": "webrtc", "sdp": await client.offer()},
                )
            await client.accept(made.transport.sdp)
            started = await client.event("session.started")
            assert started["session"]["id"] == made.session.id
            return made.transport.sdp
        finally:
            await client.close()

    answer = asyncio.run(talk())
    assert set(re.findall(r"a=candidate:(?:\S+ ){4}(\S+)", answer)) == {"127.0.0.1"}
    assert "opus/48000" in answer and "PCMU" not in answer


def test_a_camera_is_seen():
    async def talk(serving: Serving) -> np.ndarray:
        async with called(serving, video=True, interplay={"extensions": ["video"]}) as client:
            session = await session_of(serving, client)
            await until(lambda: session.seat._camera is not None)
            assert session.seat._camera is not None
            return session.seat._camera[:, 1].mean(axis=(0, 1, 2))

    with server(1, PATIENT, engine=make_engine(1, camera=True)) as serving:
        red, green, blue = asyncio.run(talk(serving))
    assert red > 150 and green < 60 and blue < 60


def test_a_peer_that_hangs_up_gives_its_slot_back(open_server):
    async def talk() -> None:
        async with called(open_server) as client:
            session = await session_of(open_server, client)
        await until(lambda: session.id not in open_server.hub.sessions)
        await until(lambda: not open_server.calls._tasks)

    asyncio.run(talk())
    assert open_server.hub.num_free == 3


def test_a_lost_call_goes_on_over_a_websocket(open_server):
    async def talk() -> tuple[dict, list[int]]:
        async with called(open_server, interplay=RESUME) as client:
            session = await session_of(open_server, client)
            token = client.events[0]["session"]["interplay"]["resume_token"]
            await client.event("interplay.turn")
            last = [e["turn"] for e in client.events if e["type"] == "interplay.turn"][-1]
        await until(lambda: session.lost_s is not None)
        async with connect(url(open_server, "/v1/live/sessions")) as again:
            resume = {"type": "interplay.session.resume", "token": token, "last_turn": last}
            await again.send(json.dumps(resume))
            resumed = await next_of(again, "interplay.session.resumed")
            sounds = [await next_of(again, "session.output_audio.delta") for _ in range(3)]
            await again.send('{"type": "session.close"}')
            await next_of(again, "session.closed")
        assert len(base64.b64decode(sounds[0]["delta"])) == 6400
        return resumed, [sound["turn"] - last for sound in sounds]

    resumed, turns = asyncio.run(talk())
    assert resumed["num_lost_turns"] == 0 and turns == [1, 2, 3]
    assert resumed["session"]["audio"]["format"] == {"type": "audio/pcm", "rate": 16_000}


def test_what_a_call_cannot_have_is_answered_on_its_channel(open_server):
    async def talk() -> list[str]:
        async with called(open_server) as client:
            await client.event("session.started")
            client.send("session.input_audio.append", audio=b64(pcm(0.1)), event_id="a")
            client.send("session.start", session={"model": "any"})
            client.channel.send(b"\0\1")
            client.channel.send("{")
            client.peer.createDataChannel("another")
            await client.until(lambda: kinds(client.events).count("error") == 5)
            return [e["error"]["code"] for e in client.events if e["type"] == "error"]

    codes = asyncio.run(talk())
    assert sorted(codes) == [
        "already_started",
        "invalid_json",
        "invalid_json",
        "second_channel",
        "unsupported_event",
    ]


def test_a_channel_that_loses_messages_is_refused(open_server):
    async def talk() -> dict:
        client = Client(ordered=False, maxRetransmits=0)
        try:
            answer = await post(open_server, create_body(await client.offer()))
            await client.accept(answer.json()["transport"]["sdp"])
            error = await client.event("error")
            async with asyncio.timeout(PATIENCE_S):
                await client.is_over.wait()
            return error["error"]
        finally:
            await client.close()

    error = asyncio.run(talk())
    assert error["code"] == "unsupported_value" and "in order" in error["message"]


def test_an_untrusted_client_is_held_to_its_permissions(open_server):
    channel = {
        "allowed_client_events": ["session.input_audio.mute"],
        "allowed_server_events": [{"type": "session.input_audio.muted"}, {"type": "error"}],
    }

    async def talk() -> tuple[list[dict], str]:
        async with called(open_server, client={"data_channel": channel}) as client:
            client_is_in = open_server.hub.sessions
            await until(lambda: client.channel.readyState == "open" and client_is_in)
            client.send("session.close")
            client.send("session.input_audio.mute")
            await client.event("session.input_audio.muted")
            return client.events, (await client.event("error"))["error"]["code"]

    events, code = asyncio.run(talk())
    assert {e["type"] for e in events} == {"error", "session.input_audio.muted"}
    assert code == "unsupported_event"


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"audio": {"format": {"type": "audio/pcm"}}}, "unsupported_value", "session.audio.format"),
        ({"interplay": {"extensions": ["playback"]}}, "unsupported_value", "extensions"),
        ({"interplay": {"extensions": ["video"]}}, "unsupported_value", "extensions"),
        ({"client": {"data_channel": {"allowed": 1}}}, "invalid_request", "client.data_channel"),
        ({"client": {}}, "invalid_request", "session.client"),
        ({"wake_policy": {"type": "speech"}}, "invalid_request", "session"),
        ({"instructions": "ten " * 3000}, "too_many_tokens", "session.instructions"),
    ],
)
def test_a_session_that_cannot_be_had_is_refused_with_its_field(open_server, session, code, param):
    async def ask() -> httpx2.Response:
        client = Client()
        try:
            return await post(open_server, create_body(await client.offer(), **session))
        finally:
            await client.close()

    answer = asyncio.run(ask())
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, code) and param in error["param"]
    assert not open_server.calls._tasks


def test_broken_requests_disturb_nobody(open_server):
    async def talk() -> list[tuple[int, str, str | None]]:
        async with called(open_server) as client:
            session = await session_of(open_server, client)
            offer = client.peer.localDescription.sdp
            bodies = [
                create_body(""),
                create_body("v=0"),
                create_body(offer[: len(offer) // 2]),
                create_body(offer.replace("a=ice-pwd", "a=ice-pw")),
                create_body(offer.replace("m=audio", "m=video")),
                create_body(offer + "a=x\r\n" * 8000),
                {"session": {"model": "any"}},
                {"session": {"model": "any"}, "transport": {"type": "sip", "sdp": offer}},
                "offer",
            ]
            answers = []
            for body in bodies:
                answers.append(await post(open_server, body))
            async with httpx2.AsyncClient() as http:
                address = url(open_server, "/v1/live/sessions", "http")
                answers.append(await http.post(address, content=b"\xff{"))
                answers.append(await http.post(address, content=b"[" * 60_000))
                answers.append(await http.post(address, content=b"x" * 70_000))
            reached = session.num_turns
            await until(lambda: session.num_turns > reached + 1)
            assert session.id in open_server.hub.sessions
        errors = [answer.json()["error"] for answer in answers]
        assert not any("\n" in error["message"] for error in errors)
        return [
            (a.status_code, e["code"], e["param"]) for a, e in zip(answers, errors, strict=True)
        ]

    found = asyncio.run(talk())
    assert found[:5] == [(400, "invalid_sdp", "transport.sdp")] * 5
    assert found[5] == (413, "sdp_too_big", "transport.sdp")
    assert [(status, code) for status, code, _ in found[6:]] == [
        (400, "invalid_request"),
        (400, "invalid_request"),
        (400, "invalid_request"),
        (400, "invalid_json"),
        (400, "invalid_request"),
        (413, "body_too_big"),
    ]


def test_keys_secrets_and_slots_hold_for_calls_too():
    async def talk(serving: Serving) -> list[tuple[int, str]]:
        key = {"Authorization": f"Bearer {KEY}"}
        secret = serving_secret(serving)
        found = []

        async def ask(client: Client, **headers: str) -> httpx2.Response:
            answer = await post(serving, create_body(await client.offer()), headers=headers)
            found.append((answer.status_code, answer.json().get("error", {}).get("code", "")))
            return answer

        clients = [Client() for _ in range(4)]
        try:
            await ask(clients[0])
            await ask(clients[0], **key, Origin="https://evil.example")
            made = await ask(clients[1], Authorization=f"Bearer {secret}")
            await clients[1].accept(made.json()["transport"]["sdp"])
            await ask(clients[2], Authorization=f"Bearer {secret}")
            full = await ask(clients[3], **key)
            assert int(full.headers["Retry-After"]) > 0
            await clients[1].event("session.started")
        finally:
            for client in clients:
                await client.close()
        return found

    def serving_secret(serving: Serving) -> str:
        address = url(serving, "/v1/client_secrets", "http")
        about = {"headers": {"Authorization": f"Bearer {KEY}"}, "timeout": PATIENCE_S}
        return httpx2.post(address, **about).json()["value"]

    with server(1, PATIENT, keys=(KEY,)) as serving:
        found = asyncio.run(talk(serving))
    assert found == [
        (401, "unauthorized"),
        (403, "foreign_origin"),
        (201, ""),
        (403, "secret_used"),
        (503, "no_free_slot"),
    ]


def test_pages_under_an_allowed_name_may_ask_from_elsewhere():
    origin = {"Origin": "https://talk.example.org"}
    asks = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-openai-agents-sdk",
    }
    with server(1, names=("talk.example.org",)) as serving:
        address = url(serving, "/v1/live/sessions", "http")
        may = httpx2.options(address, headers=origin | asks)
        answer = httpx2.post(address, headers=origin, json={})
        other = httpx2.options(address, headers=asks | {"Origin": "https://evil.example"})
    allowed = "access-control-allow-origin"
    assert may.status_code == 200 and may.headers[allowed] == origin["Origin"]
    assert "x-openai-agents-sdk" in may.headers["access-control-allow-headers"]
    assert answer.status_code == 400 and answer.headers[allowed] == origin["Origin"]
    assert other.status_code == 403 and allowed not in other.headers


def test_a_peer_that_vanishes_is_noticed(open_server, monkeypatch):
    monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", 0.1)
    monkeypatch.setattr("aioice.ice.CONSENT_FAILURES", 1)

    async def talk() -> None:
        async with called(open_server) as client:
            session = await session_of(open_server, client)
            assert client.peer.sctp is not None
            await client.peer.sctp.transport.transport.stop()  # no goodbye
            await until(lambda: session.id not in open_server.hub.sessions)

    asyncio.run(talk())


def test_a_peer_that_never_comes_loses_its_session():
    async def talk(serving: Serving) -> None:
        client = Client()
        try:
            answer = await post(serving, create_body(await client.offer()))
            assert answer.status_code == 201 and serving.hub.sessions
            await until(lambda: not serving.hub.sessions)
        finally:
            await client.close()

    with server(1, Limits(start_s=0.5)) as serving:
        asyncio.run(talk(serving))


def test_a_server_that_stops_hangs_up():
    async def talk(serving: Serving) -> None:
        async with called(serving) as client:
            await client.event("session.started")
            assert serving.loop is not None
            serving.loop.call_soon_threadsafe(serving.hub.drain)
            await client.until(lambda: "server_draining" in str(client.events))
            serving.server.should_exit = True
            async with asyncio.timeout(PATIENCE_S):
                await client.is_over.wait()

    with server(1, PATIENT) as serving:
        asyncio.run(talk(serving))
    assert not serving.calls._tasks
    assert not [thread for thread in threading.enumerate() if "decoder" in thread.name]


def test_without_the_extra_the_answer_says_what_to_install(monkeypatch):
    monkeypatch.delattr(interplay.server, "rtc_call")
    monkeypatch.delitem(sys.modules, "interplay.server.rtc_call")
    monkeypatch.setitem(sys.modules, "aiortc", None)
    calls = Calls(make_hub(), "127.0.0.1")
    assert not calls.is_possible
    with server(1) as serving:
        assert not serving.calls.is_possible
        body = create_body("v=0")
        answer = httpx2.post(url(serving, "/v1/live/sessions", "http"), json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (501, "webrtc_missing")
    assert INSTALL in error["message"]
