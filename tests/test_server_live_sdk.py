"""The Live protocol of a really running server with the openai SDK: work that the client does, a
function of the client in work that the server does, and an interruption."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI

from interplay.background.broker import Broker
from interplay.background.contract import Delegation, FunctionCall, Result
from interplay.engine.session import Session
from interplay.server.run import Serving
from interplay.turns.tokens import STOP
from interplay.turns.types import InputHalf, OutputHalf
from tests.realtime_helpers import TEN, ScriptedEngine
from tests.responses_helpers import WEATHER, Backend
from tests.server_helpers import b64, emitted, loaded, pcm, server, url

QUIET, LOUD = b64(bytes(9600)), b64(pcm(0.2))


class Scripted(ScriptedEngine):
    """Goes on talking after its answer until the user is loud, and stops then."""

    ANSWER = (*({},) * 2, {"speaks": True, "say": TEN}, *({"speaks": True},) * 1000)

    def _said(self, session: Session, half: InputHalf) -> OutputHalf:
        out = super()._said(session, half)
        if out.voice_on.any() and np.abs(half.hear).max() > 0.1:
            self.plans[session] = []
            return emitted(say=(STOP,))
        return out


class Asking(Backend):
    """Calls the client's function, and answers with its output."""

    def delegate(self, delegation: Delegation, now_s: float) -> None:
        super().delegate(delegation, now_s)
        call = FunctionCall(id="call_1", name="weather", arguments='{"city": "oslo"}')
        self.ready.append(Result(delegation_id=delegation.id, status=None, calls=(call,)))

    def give(self, delegation_id: int, outputs: Mapping[str, str]) -> None:
        super().give(delegation_id, outputs)
        self.ready.append(Result(delegation_id=delegation_id, content=outputs["call_1"]))


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    engine = Scripted(loaded(), num_slots=2)
    with server(engine=engine, delegations=lambda: Broker(Asking())) as made:
        yield made


@asynccontextmanager
async def live(serving: Serving, **session: Any) -> AsyncIterator[Any]:
    """A connection whose session has been started by the SDK's own method."""
    base_url = url(serving, "/v1", "http")
    about: Any = {"model": "gpt-live-1", **session}
    client = AsyncOpenAI(api_key="none", base_url=base_url)
    async with asyncio.timeout(60), client, client.live.connect() as connection:
        await connection.session.start(session=about)
        assert (await connection.recv()).type == "session.started"
        yield connection


def is_loud(delta: str) -> bool:
    return bool(np.abs(np.frombuffer(base64.b64decode(delta), np.int16).astype(int)).max() > 3000)


async def finish(connection: Any) -> str:
    """Close, and read to the end."""
    await connection.session.close()
    last: Any = None
    async for event in connection:
        last = event
    assert last.type == "session.closed"
    return last.reason


def test_the_client_does_the_work_and_the_user_interrupts(serving):
    async def talk() -> tuple[list[str], list[bool], str]:
        said, sounds, is_answered, has_talked = [], [], False, False
        async with live(serving, delegation={"type": "client"}) as connection:
            async for event in connection:
                assert event.type != "error", event
                if event.type == "session.delegation.created":
                    about = event.delegation
                    assert about.target == "client"
                    await connection.session.commentary.append(
                        content="ten", delegation_id=about.id
                    )
                    is_answered = True
                elif event.type == "session.output_transcript.delta" and is_answered:
                    said.append(event.delta.strip())
                elif event.type == "session.output_audio.delta":
                    sounds.append(is_loud(event.delta))
                    talks = "ten" in said and sounds[-3:] == [True] * 3
                    has_talked = has_talked or talks
                    await connection.session.input_audio.append(audio=LOUD if talks else QUIET)
                    if has_talked and sounds[-3:] == [False] * 3:
                        return said, sounds, await finish(connection)
        raise AssertionError("it ended before it was interrupted")

    _, sounds, reason = asyncio.run(talk())
    assert reason == "close_requested"
    stop = len(sounds) - 3
    assert all(sounds[stop - 3 : stop]) and not any(sounds[stop:]), "it spoke, and then was silent"


def test_a_function_of_the_client_in_the_work_of_the_server(serving):
    responses = {"model": "any", "tools": [WEATHER]}

    async def talk() -> tuple[list[str], str]:
        kinds: list[str] = []
        async with live(
            serving, delegation={"type": "responses", "responses": responses}
        ) as connection:
            async for event in connection:
                assert event.type != "error", event
                if event.type == "session.output_audio.delta":
                    await connection.session.input_audio.append(audio=QUIET)
                if event.type != "response.event":
                    continue
                inner = dict(event.event)
                kinds.append(inner["type"])
                if inner["type"] == "response.output_item.done":
                    item = inner["item"]
                    if item["type"] == "function_call":
                        assert (item["name"], item["arguments"]) == ("weather", '{"city": "oslo"}')
                        output = {"type": "function_call_output", "call_id": item["call_id"]}
                        await connection.response.item.create(item={**output, "output": "ten"})
                        await connection.response.create()
                    else:
                        assert item["content"][0]["text"] == "ten"
                if kinds.count("response.completed") == 2:
                    return kinds, await finish(connection)
        raise AssertionError("it ended before the work was done")

    kinds, reason = asyncio.run(talk())
    assert kinds.count("response.created") == 2 and reason == "close_requested"
    assert "response.function_call_arguments.done" in kinds and "response.output_text.done" in kinds
