"""The Realtime protocol of a really running server, with the openai SDK; who gets in."""

import asyncio
import json
from collections.abc import Iterator

import httpx2
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from interplay.server.run import Serving
from tests.realtime_helpers import ASK, ScriptedEngine
from tests.server_helpers import KEY, b64, loaded, next_of, pcm, server, url


@pytest.fixture(scope="module")
def scripted() -> Iterator[Serving]:
    engine = ScriptedEngine(loaded(), num_slots=3)
    with server(engine=engine, keys=(KEY,)) as serving:
        yield serving


def sdk(serving: Serving, key: str = KEY) -> AsyncOpenAI:
    return AsyncOpenAI(api_key=key, base_url=url(serving, "/v1", "http"))


SESSION = {
    "type": "realtime",
    "instructions": "be kind",
    "output_modalities": ["audio"],
    "audio": {
        "input": {"turn_detection": {"type": "semantic_vad"}, "transcription": {"model": "any"}},
        "output": {"voice": "marin"},
    },
    "tools": [ASK],
}
FLOW = [  # what a client must see, in this order, beside other things
    "session.created",
    "session.updated",
    "conversation.item.added",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "response.created",
    "response.output_item.added",
    "response.output_audio.delta",
    "response.function_call_arguments.done",
    "response.done",
    "response.output_audio.delta",
    "input_audio_buffer.speech_started",
    "response.done",
    "conversation.item.truncated",
]


def in_order(seen: list[str], wanted: list[str]) -> list[str]:
    """What of `wanted` was not found in this order."""
    rest = iter(seen)
    return [kind for kind in wanted if not any(kind == other for other in rest)]


def test_the_openai_sdk_runs_a_whole_session(scripted):
    async def talk() -> tuple[list[str], dict[str, str]]:
        seen, told = [], {}
        async with sdk(scripted) as client, client.realtime.connect(model="gpt-realtime") as c:
            await c.session.update(session=SESSION)  # type: ignore[arg-type]
            await c.input_audio_buffer.append(audio=b64(pcm(0.4)))
            async for event in c:
                seen.append(event.type)
                if event.type == "response.output_audio_transcript.delta":
                    told["said"] = told.get("said", "") + event.delta
                elif event.type == "conversation.item.input_audio_transcription.completed":
                    told["heard"] = event.transcript
                elif event.type == "response.function_call_arguments.done":
                    told |= {event.name: event.arguments}
                    output = {"type": "function_call_output", "call_id": event.call_id}
                    await c.conversation.item.create(item=output | {"output": "one"})  # type: ignore[arg-type]
                elif event.type == "response.output_audio.delta":
                    told["item"] = event.item_id
                elif event.type == "input_audio_buffer.speech_started":
                    item_id = told.pop("item")
                    await c.conversation.item.truncate(
                        item_id=item_id, content_index=0, audio_end_ms=100
                    )
                elif event.type == "conversation.item.truncated":
                    break
                elif event.type == "error":
                    raise AssertionError(event.error.message)
        return seen, told

    seen, told = asyncio.run(talk())
    assert in_order(seen, FLOW) == []
    assert told == {"said": "tenone", "heard": "ten", "ask": '{"question":"six"}'}


def test_a_secret_opens_one_session_as_it_was_settled(scripted):
    async def talk() -> list[str]:
        codes = []
        async with sdk(scripted) as client:
            secret = await client.realtime.client_secrets.create(
                expires_after={"anchor": "created_at", "seconds": 60},
                session=SESSION,  # type: ignore[arg-type]
            )
            assert secret.session.type == "realtime" and secret.session.instructions == "be kind"
            protocols = ["realtime", f"openai-insecure-api-key.{secret.value}"]
            address = url(scripted, "/v1/realtime?model=any")
            async with connect(address, subprotocols=protocols) as browser:  # type: ignore[arg-type]
                assert browser.subprotocol == "realtime"
                created = await next_of(browser, "session.created")
                assert created["session"]["instructions"] == "be kind"
                await browser.send(json.dumps({"type": "response.create"}))
                await next_of(browser, "response.created")
                async with connect(address, subprotocols=protocols) as again:  # type: ignore[arg-type]
                    codes.append((await next_of(again, "error"))["error"]["code"])
                    with pytest.raises(ConnectionClosed) as closed:
                        await again.recv()
                    assert closed.value.rcvd and closed.value.rcvd.code == 1008
        return codes

    assert asyncio.run(talk()) == ["secret_used"]


def test_without_keys_the_session_of_a_secret_is_as_it_was_settled():
    async def talk(serving: Serving) -> None:
        async with sdk(serving) as client:
            secret = await client.realtime.client_secrets.create(session=SESSION)  # type: ignore[arg-type]
            browser = client.with_options(api_key=secret.value)
            async with browser.realtime.connect(model="any") as connection:
                created = await connection.recv()
                assert created.type == "session.created"
                assert created.session.type == "realtime"
                assert created.session.instructions == "be kind" and created.session.tools

    with server(1) as serving:
        asyncio.run(talk(serving))


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/v1/realtime", "wrong" * 8, 401),
        ("/v1/realtime?intent=transcription", KEY, 400),
        ("/v1/realtime?call_id=rtc_x", KEY, 404),
    ],
)
def test_what_is_not_served_is_refused_before_it_opens(scripted, path, key, status):
    async def call() -> None:
        headers = {"Authorization": f"Bearer {key}"}
        with pytest.raises(InvalidStatus) as refused:
            await connect(url(scripted, path), additional_headers=headers)
        assert refused.value.response.status_code == status

    asyncio.run(call())


def test_secrets_are_for_holders_of_a_key(scripted):
    address = url(scripted, "/v1/realtime/client_secrets", "http")
    assert httpx2.post(address).status_code == 401
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = httpx2.post(address, headers=headers, json={"session": {"voice": "a"}})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "session")
    value = httpx2.post(address, headers=headers).json()["value"]
    assert httpx2.post(address, headers={"Authorization": f"Bearer {value}"}).status_code == 403


def test_a_silent_client_is_let_in_too(scripted):
    """Its session begins by itself."""

    async def listen() -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with connect(url(scripted, "/v1/realtime"), additional_headers=headers) as quiet:
            assert (await next_of(quiet, "response.created"))["response"]["output"] == []

    asyncio.run(listen())
