"""The OpenAI Agents SDK for JavaScript on a page of somebody else, in a headless Chromium: over
WebRTC and over a WebSocket, with a client secret, it talks to a really running server.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import soundfile
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.sync.connection import Connection

from interplay.server.limits import Limits
from interplay.server.run import Serving
from tests.agents_js_helpers import (
    MISSING,
    PATIENCE_S,
    Talker,
    bundle,
    energy,
    is_installed,
    only,
    page_server,
    reasons,
    types,
    words,
)
from tests.browser_helpers import browser, microphone_file, wait_for
from tests.server_helpers import KEY, loaded, server, url

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not is_installed(), reason=MISSING),
    pytest.mark.skipif(
        not (shutil.which("chromium") or shutil.which("chromium-browser")),
        reason="needs Chromium; on Debian: apt install chromium",
    ),
]
SPEECH = Path(__file__).parents[2] / "examples" / "audio" / "count_to_ten.flac"
SPOKE = 0.02  # squared samples of full scale 1, in seconds: a sixth of a second of the tone
LIMITS = Limits(start_s=PATIENCE_S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return bundle(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory) -> Iterator[Any]:
    samples, rate_hz = soundfile.read(SPEECH, dtype="float32")
    assert rate_hz == 16_000
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    with browser(microphone_file(path, samples, 0.3)) as running:
        yield running


@contextmanager
def page_of(chromium: Any, folder: Path, host: str, *, may_complain: bool = False) -> Iterator[Any]:
    """The page, on a port of its own."""
    window = chromium.new_context(permissions=["microphone"])
    page, complaints = window.new_page(), []
    page.set_default_timeout(1000 * PATIENCE_S)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    with page_server(folder) as port:
        page.goto(f"http://{host}:{port}/index.html")
        page.wait_for_function("() => 'call' in window")
        try:
            yield page
        finally:
            window.close()
    assert may_complain or not complaints, complaints


def secret(serving: Serving) -> str:
    """What a page is given in the place of a key."""
    answer = httpx2.post(
        url(serving, "/v1/realtime/client_secrets", "http"),
        headers={"Authorization": f"Bearer {KEY}"},
        json={"expires_after": {"seconds": 600}, "session": {"type": "realtime"}},
    )
    return answer.json()["value"]


def told(page: Any) -> list[dict[str, Any]]:
    return page.evaluate("talk.seen")


def finish(page: Any, serving: Serving) -> list[dict[str, Any]]:
    """The client closes; everything that was told."""
    page.evaluate("talk.session.close()")
    wait_for(page, lambda: not serving.hub.sessions, "the end of the session")
    events = told(page)
    assert not only(events, "error")
    assert [event["status"] for event in only(events, "connection")][-1] == "disconnected"
    return events


def check_conversation(events: list[dict[str, Any]]) -> None:
    assert words(events)[:2] == [("user", "ten"), ("assistant", "ten")]
    assert [event["question"] for event in only(events, "asked")] == ["six"]
    assert [event["result"] for event in only(events, "tool_end")] == ["one"]
    assert ("assistant", "one") in words(events)
    assert reasons(events) == ["turn_detected", "client_cancelled"]
    assert "input_audio_buffer.speech_started" in types(events)


def test_over_webrtc_it_talks_calls_a_tool_is_interrupted_and_closes(chromium, folder):
    engine = Talker(loaded(), num_slots=1)
    about = {"engine": engine, "limits": LIMITS, "keys": (KEY,), "names": ("localhost",)}
    with server(**about) as serving, page_of(chromium, folder, "localhost") as page:
        address = url(serving, "/v1/realtime/calls", "http")
        page.evaluate("([url, key]) => call(url, key)", [address, secret(serving)])
        with sideband(serving, page.evaluate("talk.transport.callId")) as side:
            wait_for(page, lambda: page.evaluate("received()")[0] > SPOKE, "the model's voice")
            wait_for(page, lambda: "turn_detected" in reasons(told(page)), "the model's yielding")
            wait_for(page, lambda: num_started(page) == 3, "the model's next words")
            before, _ = page.evaluate("received()")
            wait_for(page, lambda: page.evaluate("received()")[0] > before + SPOKE, "their sound")
            page.evaluate("talk.session.interrupt()")
            wait_for(
                page, lambda: "client_cancelled" in reasons(told(page)), "the end of a response"
            )
            wait_for(page, lambda: is_quiet(page), "silence, though the model goes on")
            events = finish(page, serving)
            seen = seen_by(side)
    check_conversation(events)
    assert engine.loudest > 0.05, "the microphone was heard"
    assert types(events).count("output_audio_buffer.cleared") >= 2
    assert seen[0] == "session.created"
    assert seen.count("response.done") >= 3 and "response.function_call_arguments.done" in seen


def sideband(serving: Serving, call_id: str) -> ClientConnection:
    """A server of the page's owner, which has a key, on the same call."""
    return connect(
        url(serving, f"/v1/realtime?call_id={call_id}"),
        additional_headers={"Authorization": f"Bearer {KEY}"},
        max_queue=None,  # what is not read yet waits here
    )


def seen_by(side: Connection) -> list[str]:
    """Types of everything that came, once the call has ended."""
    found = []
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            found.append(json.loads(side.recv(PATIENCE_S))["type"])
    assert closed.value.rcvd and closed.value.rcvd.code == 1001, "the client is gone"
    return found


def num_started(page: Any) -> int:
    """How often the model has begun to speak."""
    return types(told(page)).count("output_audio_buffer.started")


def is_quiet(page: Any, num_packets: int = 25) -> bool:
    """Whether half a second of sound, which the browser has just received, has no energy."""
    before = page.evaluate("received()")
    wait_for(page, lambda: page.evaluate("received()")[1] >= before[1] + num_packets, "packets")
    return page.evaluate("received()")[0] - before[0] < 0.05 * SPOKE


def test_over_a_websocket_it_talks_calls_a_tool_is_interrupted_and_closes(chromium, folder):
    engine = Talker(loaded(), num_slots=1)
    about = {"engine": engine, "limits": LIMITS, "keys": (KEY,), "names": ("127.0.0.1",)}
    with server(**about) as serving, page_of(chromium, folder, "127.0.0.1") as page:
        address = url(serving, "/v1/realtime?model=any")
        page.evaluate("([url, key]) => connect(url, key)", [address, secret(serving)])
        wait_for(page, lambda: only(told(page), "audio_interrupted"), "the model's yielding")
        before = energy(told(page))
        wait_for(page, lambda: energy(told(page)) > before + SPOKE, "the model's voice")
        page.evaluate("talk.session.interrupt()")
        wait_for(page, lambda: "client_cancelled" in reasons(told(page)), "the end of a response")
        events = finish(page, serving)
    check_conversation(events)
    assert engine.loudest > 0.05, "the microphone was heard"
    done = [event.get("reason") for event in events].index("client_cancelled")
    assert not energy(events[done:]), "nothing is sent of what the client does not want to hear"
    assert types(events).count("conversation.item.truncated") == 2


def test_a_page_that_was_not_named_gets_nothing(chromium, folder):
    about = {"engine": Talker(loaded(), num_slots=1), "keys": (KEY,)}
    with (
        server(**about) as serving,
        page_of(chromium, folder, "localhost", may_complain=True) as page,
    ):
        key = secret(serving)
        tries = [
            ("call", url(serving, "/v1/realtime/calls", "http")),
            ("connect", url(serving, "/v1/realtime")),
        ]
        for name, address in tries:
            refused = "([n, url, key]) => window[n](url, key).then(() => '', (e) => `no: ${e}`)"
            assert page.evaluate(refused, [name, address, key]).startswith("no: ")
        assert not serving.hub.sessions
