"""What the tests with the OpenAI Agents SDK for JavaScript share: where it is installed, how its
programs and its page run, and models that speak with a tone. Knows nothing of what is expected.
"""

import functools
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN
from interplay.engine.session import Session
from interplay.turns.types import InputHalf, OutputHalf
from tests.realtime_helpers import TEN, ScriptedEngine

FOLDER = Path(__file__).parent / "clients" / "js"
PAGE_FILES = ("index.html", "microphone.js")
PATIENCE_S = 600  # for anything: the machine may be busy with something else
TONE = 0.5 * np.sin(2 * np.pi * 440 / SAMPLE_RATE_HZ * np.arange(SAMPLES_PER_TURN))
MISSING = (
    "@openai/agents is not installed; where node 20 or newer is (Debian 13: apt install nodejs "
    "npm) `make test-clients` installs it"
)


def is_installed() -> bool:
    return bool(shutil.which("node")) and (FOLDER / "node_modules" / "@openai" / "agents").is_dir()


class Listener(ScriptedEngine):
    """The script alone, without the model under it, so that a browser beside it has time; its voice
    is a tone of 440 Hz. loudest: of what its sessions heard."""

    loudest = 0.0

    def tick(self, inputs: dict[Session, InputHalf]) -> dict[Session, OutputHalf]:
        for half in inputs.values():
            self.loudest = max(self.loudest, float(np.abs(half.hear).max()))
        return {session: self._said(session, half) for session, half in inputs.items()}

    def _said(self, session: Session, half: InputHalf) -> OutputHalf:
        out = super()._said(session, half)
        return replace(out, voice=TONE.astype(np.float32)) if out.voice_on.any() else out


class Talker(Listener):
    """After it has yielded it speaks again, and does not stop by itself."""

    ANSWER = (
        *ScriptedEngine.ANSWER,
        {"speaks": True, "say": TEN},
        *({"speaks": True},) * 1000,
    )


def events_of(output: str) -> list[dict[str, Any]]:
    """What a program told, line by line."""
    return [json.loads(line) for line in output.splitlines()]


def command(program: str, *words: str | Path) -> list[str]:
    return ["node", str(FOLDER / program), *map(str, words)]


def run(program: str, *words: str | Path) -> list[dict[str, Any]]:
    """The events that a program told until it ended by itself."""
    done = subprocess.run(
        command(program, *words), capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return events_of(done.stdout)


def only(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


def types(events: list[dict[str, Any]]) -> list[str]:
    """Of the server's events."""
    return [event["type"] for event in only(events, "server")]


def reasons(events: list[dict[str, Any]]) -> list[str]:
    """Why the responses ended that were not completed."""
    ends = [event for event in only(events, "server") if event["type"] == "response.done"]
    return [event["reason"] for event in ends if event["status"] != "completed"]


def words(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Who said what, as the SDK has it in the end."""
    *_, last = only(events, "history")
    return [(role, text) for role, text in last["words"]]


def energy(events: list[dict[str, Any]]) -> float:
    """Of all the sound that came, full scale 1 squared, in seconds."""
    return sum(event["energy"] for event in only(events, "audio"))


def bundle(folder: Path) -> Path:
    """The page with the SDK in it, as a folder of files."""
    builder = FOLDER / "node_modules" / ".bin" / "esbuild"
    target = f"--outfile={folder / 'page.js'}"
    options = ["--bundle", "--format=esm", "--log-level=warning", target]
    subprocess.run([builder, FOLDER / "page.mjs", *options], check=True, timeout=PATIENCE_S)
    for name in PAGE_FILES:
        shutil.copy(FOLDER / name, folder / name)
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def page_server(folder: Path) -> Iterator[int]:
    """Serves the files of a folder on a port of this machine."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, name="page")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
