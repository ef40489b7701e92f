"""A whole conversation of the OpenAI Agents SDK for Python with a really running server: it hears
the model, runs a tool for it, is interrupted, types and closes.
"""

import asyncio

import pytest

from tests.realtime_helpers import ScriptedEngine
from tests.server_helpers import KEY, loaded, pcm, server, url

agents = pytest.importorskip("agents", reason="needs the clients extra")
realtime = pytest.importorskip("agents.realtime")

pytestmark = pytest.mark.clients
FLOW = ["agent_start", "history_added", "audio", "tool_start", "tool_end", "agent_end", "audio"]


async def talk(address: str) -> tuple[list[str], list[str], list[dict], list[str]]:
    """Kinds of the SDK's events and of the server's, the history, and what the tool was asked."""
    asked, seen, raw = [], [], []

    @agents.function_tool
    def ask(question: str) -> str:
        """Answers questions."""
        asked.append(question)
        return "one"

    agent = realtime.RealtimeAgent(name="helper", instructions="be kind", tools=[ask])
    session = await realtime.RealtimeRunner(agent).run(
        model_config={"url": address, "api_key": KEY}
    )
    history: list[dict] = []
    async with session, asyncio.timeout(120):
        await session.send_audio(pcm(0.4))
        async for event in session:
            seen.append(event.type)
            if event.type == "raw_model_event":
                if event.data.type == "raw_server_event":
                    raw.append(event.data.data["type"])
            elif event.type == "error":
                raise AssertionError(event.error)
            elif event.type == "history_updated":
                history = [item.model_dump() for item in event.history]
            elif event.type == "history_added":
                history.append(event.item.model_dump())
            elif event.type == "audio_interrupted":
                await session.send_message("ten")
            if "conversation.item.retrieved" in raw and raw.count("response.created") == 3:
                break
    return seen, raw, history, asked


def test_the_agents_sdk_hears_helps_yields_and_types():
    agents.set_tracing_disabled(True)  # it would report to its maker
    engine = ScriptedEngine(loaded(), num_slots=2)
    with server(engine=engine, keys=(KEY,)) as serving:
        seen, raw, history, asked = asyncio.run(talk(url(serving, "/v1/realtime?model=any")))
    rest = iter(seen)
    assert [kind for kind in (*FLOW, "audio_interrupted") if kind not in rest] == []
    assert asked == ["six"]
    assert "conversation.item.truncated" in raw
    words = [
        (item["role"], part.get("transcript") or part.get("text"))
        for item in history
        if item["type"] == "message"
        for part in item["content"]
    ]
    assert words[:2] == [("user", "ten"), ("assistant", "ten")]
    assert ("user", "ten") in words[2:], "what was typed"
