"""The Realtime protocol over WebRTC, against a really running server: aiortc as the client."""

import asyncio
import json
from collections.abc import Iterator

import httpx2
import pytest
from openai import AsyncOpenAI, NotFoundError
from websockets.exceptions import ConnectionClosed, InvalidStatus

from interplay.server.limits import Limits
from interplay.server.run import Serving
from tests.rtc_helpers import PATIENCE_S, Client, without_calls
from tests.server_helpers import kinds, server, url

CALLS = "/v1/realtime/calls"
SDP = {"Content-Type": "application/sdp"}


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Serving]:
    with server(2, Limits(start_s=PATIENCE_S)) as serving:
        yield serving


@pytest.fixture
def open_server(shared_server) -> Serving:
    return without_calls(shared_server)


async def talk(client: Client, sdp: str) -> list[dict]:
    """A conversation until the model has been heard once and was hushed."""
    await client.accept(sdp)
    await client.event("session.created")
    client.send("session.update", session={"type": "realtime", "instructions": "be kind"})
    await client.event("session.updated")
    client.send("response.create", response={"metadata": {"number": "one"}})
    created = await client.event("response.created")
    assert created["response"]["metadata"] == {"number": "one"}
    await client.event("output_audio_buffer.started")
    await client.until(lambda: client.loudest() > 1e-3)
    await client.event("response.output_audio_transcript.delta")  # may be later than the sound
    client.send("input_audio_buffer.append", audio="AAAA")
    error = (await client.event("error"))["error"]
    assert (error["code"], error["param"]) == ("unsupported_event", "type")
    client.send("output_audio_buffer.clear")
    await client.event("output_audio_buffer.cleared")
    return client.events


def test_an_offer_alone_makes_a_call(open_server):
    async def call() -> list[dict]:
        client = Client()
        try:
            async with httpx2.AsyncClient(timeout=PATIENCE_S, verify=False) as http:
                address = url(open_server, CALLS, "http")
                made = await http.post(address, content=await client.offer(), headers=SDP)
            assert (made.status_code, made.headers["content-type"]) == (201, "application/sdp")
            assert made.headers["Location"].startswith(f"{CALLS}/rtc_")
            return await talk(client, made.text)
        finally:
            await client.close()

    found = kinds(asyncio.run(call()))
    assert found[0] == "session.created" and "response.output_audio.delta" not in found


def test_the_openai_sdk_sends_a_form(open_server):
    async def call() -> list[dict]:
        client = Client()
        sdk = AsyncOpenAI(api_key="none", base_url=url(open_server, "/v1", "http"))
        try:
            async with sdk:
                made = await sdk.realtime.calls.create(
                    sdp=await client.offer(),
                    session={"type": "realtime", "instructions": "be short"},
                )
            events = await talk(client, made.text)
            assert events[0]["session"]["instructions"] == "be short"
            return events
        finally:
            await client.close()

    assert asyncio.run(call())


@pytest.mark.parametrize("has_begun", [True, False])
def test_the_openai_sdk_hangs_up(open_server, has_begun):
    async def call() -> list[dict]:
        client = Client()
        sdk = AsyncOpenAI(api_key="none", base_url=url(open_server, "/v1", "http"))
        try:
            async with sdk:
                offer = await client.offer()
                made = await sdk.realtime.calls.create(sdp=offer, session={"type": "realtime"})
                await client.accept(made.text)
                await client.event("session.created")
                if has_begun:
                    client.send("response.create")
                    await client.event("response.created")
                call_id = made.response.headers["Location"].rpartition("/")[2]
                await sdk.realtime.calls.hangup(call_id)
                async with asyncio.timeout(PATIENCE_S):
                    await client.is_over.wait()
                while open_server.calls._tasks:
                    await asyncio.sleep(0.02)
                with pytest.raises(NotFoundError, match="no such call"):
                    await sdk.realtime.calls.hangup(call_id)
            return client.events
        finally:
            await client.close()

    found = kinds(asyncio.run(call()))
    assert ("response.done" in found) == has_begun and not open_server.hub.sessions


def test_the_openai_sdk_has_a_sideband_until_the_client_hangs_up(open_server):
    async def call() -> tuple[list[dict], list[str], int]:
        client, seen = Client(), []
        sdk = AsyncOpenAI(api_key="none", base_url=url(open_server, "/v1", "http"))
        try:
            async with sdk:
                offer = await client.offer()
                made = await sdk.realtime.calls.create(sdp=offer, session={"type": "realtime"})
                call_id = made.response.headers["Location"].rpartition("/")[2]
                async with sdk.realtime.connect(call_id=call_id) as side:
                    seen.append((await side.recv()).type)
                    await side.session.update(session={"type": "realtime", "instructions": "sing"})
                    await client.accept(made.text)
                    await client.event("session.updated")
                    await side.response.create()
                    await client.event("response.created")
                    await client.until(lambda: client.loudest() > 1e-3)
                    events = [*client.events]
                    await client.close()
                    with pytest.raises(ConnectionClosed) as closed:
                        while True:
                            seen.append((await side.recv()).type)
                with pytest.raises(InvalidStatus) as unknown:
                    async with sdk.realtime.connect(call_id="rtc_nobody"):
                        pass
                assert unknown.value.response.status_code == 404
            return events, seen, closed.value.rcvd.code if closed.value.rcvd else 0
        finally:
            await client.close()

    events, seen, code = asyncio.run(call())
    assert events[1]["session"]["instructions"] == "sing" and code == 1001
    assert seen[: len(events)] == kinds(events), "what the client saw"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"json": {}}, 415, "unsupported_media_type"),
        (
            {"content": b"\xff", "headers": {"Content-Type": "application/sdp"}},
            400,
            "invalid_request",
        ),
        ({"content": b"v=0", "headers": {"Content-Type": "application/sdp"}}, 400, "invalid_sdp"),
        ({"files": {"sdp": (None, "v=0")}}, 400, "invalid_sdp"),
        ({"files": {"session": (None, "{}")}}, 400, "invalid_request"),
        ({"files": {"sdp": (None, "v=0"), "smell": (None, "")}}, 400, "invalid_request"),
        ({"files": {"sdp": (None, "v=0"), "session": (None, "{")}}, 400, "invalid_json"),
        ({"files": {"sdp": (None, "v=0"), "session": (None, '{"x": 1}')}}, 400, "invalid_value"),
        (
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=y"}},
            400,
            "invalid_request",
        ),
        ({"files": {"sdp": (None, "v" * 70_000)}}, 413, "body_too_big"),
    ],
)
def test_what_makes_no_call_is_refused(open_server, body, status, code):
    answer = httpx2.post(url(open_server, CALLS, "http"), timeout=PATIENCE_S, **body)
    assert answer.status_code == status, answer.text
    error = json.loads(answer.text)["error"]
    assert error["code"] == code and "\n" not in error["message"]
    assert not open_server.calls._tasks
