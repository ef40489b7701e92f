"""The OpenAI Agents SDK for JavaScript in node talks to a really running server over a WebSocket:
a whole session, a tool call, interruptions of both sides, and how sessions end.
"""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from interplay.server.limits import Limits
from interplay.server.run import Serving
from tests.agents_js_helpers import (
    MISSING,
    PATIENCE_S,
    Listener,
    Talker,
    command,
    energy,
    events_of,
    is_installed,
    only,
    reasons,
    run,
    types,
    words,
)
from tests.server_helpers import KEY, loaded, pcm, server, url

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not is_installed(), reason=MISSING),
]


def address(serving: Serving) -> str:
    return url(serving, "/v1/realtime?model=any")


def until(condition: Callable[[], object]) -> None:
    """Waits for something that another thread does."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, "waited too long"
        time.sleep(0.02)


def test_sound_goes_in_and_sound_and_both_transcripts_come_out(tmp_path: Path):
    wav = tmp_path / "noise.wav"
    soundfile.write(wav, np.frombuffer(pcm(1.0), np.int16), 24_000, subtype="PCM_16")
    engine = Listener(loaded(), num_slots=1)
    with server(engine=engine, keys=(KEY,)) as serving:
        events = run("talk.mjs", address(serving), KEY, wav)
        until(lambda: not serving.hub.sessions)
    assert not only(events, "error")
    assert engine.loudest > 0.2, "the model has heard the wav"
    assert words(events)[:2] == [("user", "ten"), ("assistant", "ten")]
    sound = only(events, "audio")
    assert {event["ms"] for event in sound} == {200}
    assert energy(events) > 0.9 * 0.5**2 / 2 * 0.4, "two micro-turns of the tone at least"
    assert [event["status"] for event in only(events, "connection")] == [
        "connecting",
        "connected",
        "disconnected",
    ]


def test_the_model_calls_a_tool_and_speaks_about_its_result():
    with server(engine=Listener(loaded(), num_slots=1), keys=(KEY,)) as serving:
        events = run("tool.mjs", address(serving), KEY)
    assert not only(events, "error")
    assert only(events, "asked") == [{"event": "asked", "question": "six"}]
    assert only(events, "tool_end") == [{"event": "tool_end", "result": "one"}]
    assert ("assistant", "one") in words(events), "it was read: nothing else makes the model say so"
    assert "response.function_call_arguments.done" in types(events)


def test_the_model_yields_and_the_client_interrupts():
    with server(engine=Talker(loaded(), num_slots=1), keys=(KEY,)) as serving:
        events = run("interrupt.mjs", address(serving), KEY)
    assert not only(events, "error")
    names = [event["event"] for event in events]
    yields = names.index("audio_interrupted")
    interrupts = names.index("interrupts")
    assert yields < interrupts
    assert "input_audio_buffer.speech_started" in types(events[: yields + 1])
    assert "audio_interrupted" in names[interrupts:]
    assert reasons(events) == ["turn_detected", "client_cancelled"]
    cuts = [e for e in only(events, "server") if e["type"] == "conversation.item.truncated"]
    assert len(cuts) == 2 and len({cut["item_id"] for cut in cuts}) == 2
    done = [event.get("reason") for event in events].index("client_cancelled")
    assert "audio" not in names[done:], "nothing is sent of what the client does not want to hear"
    assert ("user", "six") in words(events)


def test_either_side_may_close():
    engine, limits = Listener(loaded(), num_slots=1), Limits(drain_s=0.1)
    with (
        server(engine=engine, limits=limits, keys=(KEY,)) as serving,
        subprocess.Popen(
            command("close.mjs", address(serving), KEY),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as program,
    ):
        assert program.stdin and program.stdout
        first = []
        while not first or first[-1].get("status") != "disconnected":
            first += events_of(program.stdout.readline())
        until(lambda: not serving.hub.sessions)
        program.stdin.write("again\n")
        program.stdin.flush()
        until(lambda: serving.hub.sessions)
        assert serving.loop
        serving.loop.call_soon_threadsafe(serving.hub.drain)
        second, _ = program.communicate(timeout=PATIENCE_S)
        assert program.returncode == 0
    events = events_of(second)
    assert not only(first, "error")
    (why,) = [e["error"]["code"] for e in only(events, "server") if e["type"] == "error"]
    assert why == "drained"
    assert [event["status"] for event in only(events, "connection")] == [
        "connecting",
        "connected",
        "disconnected",
    ]
