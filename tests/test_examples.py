"""The programs in examples/: each talks to, or works for, a server that really runs."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from openai import AsyncOpenAI

from examples import talk_wav
from interplay.background.broker import Broker
from interplay.background.choose import open_named
from interplay.server.limits import Limits
from interplay.server.run import ServeConfig, Serving, running
from tests.realtime_helpers import ScriptedEngine
from tests.server_helpers import KEY, loaded, pcm, server, url

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "examples" / "mcp_tools.toml"


@contextmanager
def serving(*background: str, **config) -> Iterator[Serving]:
    """A server with the scripted model and a background model, as the command line names it."""
    opened = open_named(background)
    made = Serving(
        ScriptedEngine(loaded(), num_slots=1),
        ServeConfig(port=0, **config),
        limits=replace(Limits(), max_lag_s=60.0),
        delegations=lambda: Broker(opened.open()),
    )
    try:
        with running(made):
            yield made
    finally:
        opened.close()


def talk(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["talk_wav.py", *map(str, words)])
    return talk_wav.main()


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "user.wav"
    soundfile.write(path, np.frombuffer(pcm(0.5), np.int16), 24_000)
    return path


def test_talk_wav_plays_prints_and_writes_both_sides(wav, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INTERPLAY_KEY", KEY)
    out = tmp_path / "both.wav"
    with serving("echo-tools", keys=(KEY,)) as made:
        address = url(made, "/v1", "http")
        assert talk(monkeypatch, wav, "--out", out, "--url", address, "--wait", "2.1") == 0
    printed = capsys.readouterr().out
    lines = [line.split()[2:] for line in printed.splitlines()[:-1]]
    assert lines[:2] == [["user", "ten"], ["model", "ten"]]
    assert printed.splitlines()[-1] == f"{out}: 2.8 s, user left, model right"
    samples, rate_hz = soundfile.read(out)
    assert rate_hz == 16_000 and samples.shape == (14 * 3200, 2)
    user, model = samples.T
    assert np.abs(user[:8000]).mean() > 0.1 and not user[8000:].any()
    assert not model[: 10 * 3200].any(), "nine silent micro-turns, heard one later"
    assert model[10 * 3200 : 12 * 3200].mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("none.wav",), "none.wav does not exist"),
        (("wav", "--url", "http://127.0.0.1:9/v1"), "start `interplay serve`"),
        (("wav", "--url", "KEYS"), "HTTP 401.*INTERPLAY_KEY"),
        (("wav", "--out", "/nowhere/at/all.wav", "--url", "OPEN"), "/nowhere"),
    ],
)
def test_talk_wav_tells_in_one_line_what_is_wrong(
    wav, monkeypatch, capsys, words: tuple[str, ...], says: str
):
    monkeypatch.delenv("INTERPLAY_KEY", raising=False)
    keys = (KEY,) if "KEYS" in words else ()
    with serving("echo-tools", keys=keys) as made:
        address = url(made, "/v1", "http")
        places = {"wav": str(wav), "KEYS": address, "OPEN": address}
        assert talk(monkeypatch, *(places.get(w, w) for w in words), "--wait", "0") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("talk_wav: ")
    assert re.search(says, line), line


def test_talk_wav_passes_on_what_the_server_refuses(wav, monkeypatch, capsys):
    with server(1) as made:  # it has nobody for the work
        assert talk(monkeypatch, wav, "--url", url(made, "/v1", "http")) == 2
    assert "the server refused: this server has no background model" in capsys.readouterr().err


@pytest.fixture
def chat_model() -> Iterator[str]:
    """An endpoint whose model calls the tool of the example, as users name it."""
    program = str(Path(__file__).with_name("chat_server.py"))
    with subprocess.Popen(
        [sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as chat:
        assert chat.stdout and chat.stdin
        yield f"http://127.0.0.1:{int(chat.stdout.readline())}/v1#shop"
        chat.stdin.close()


def test_a_delegation_uses_the_tools_of_the_example(chat_model, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    with serving(chat_model, str(TOOLS.relative_to(ROOT))) as made:
        events = asyncio.run(conversation(url(made, "/v1", "http")))
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    (answer,) = [item for item in items if item["type"] == "message"]
    assert answer["content"][0]["text"] == "open from nine to five"


async def conversation(base_url: str) -> list[dict[str, Any]]:
    """What a client of the Live protocol is told of the work, until the model speaks about it."""
    session: Any = {
        "model": "any",
        "delegation": {"type": "responses", "responses": {"model": "any"}},
    }
    events, said = [], ""
    client = AsyncOpenAI(api_key="none", base_url=base_url)
    async with client, client.live.connect() as live, asyncio.timeout(120):
        await live.session.start(session=session)
        async for event in live:
            assert event.type != "error", event
            if event.type == "response.event":
                events.append(dict(event.event))  # type: ignore[arg-type]
            elif event.type == "session.output_transcript.delta":
                said += event.delta
            if "one" in said:  # the scripted model says so once it has read a result
                return events
    raise AssertionError("the session has ended")
