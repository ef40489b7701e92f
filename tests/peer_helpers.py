"""Programs of other people's frameworks (examples/), each in an environment of its own, talking to
a server of the test: what they printed and what they played.
"""

import json
import os
import signal
import subprocess
import threading
import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from interplay.background.broker import Broker, Budget
from interplay.background.contract import FunctionCall, Result
from interplay.engine.session import Session
from interplay.server.limits import Limits
from interplay.turns.tokens import STOP
from interplay.turns.types import InputHalf, OutputHalf
from tests.realtime_helpers import ONE, SIX, TOKENIZER, ScriptedEngine
from tests.responses_helpers import Backend
from tests.server_helpers import KEY, loaded, server, url

ROOT = Path(__file__).resolve().parent.parent
SPEECH = ROOT / "examples" / "audio" / "hello_there.flac"
PATIENCE_S = 600.0  # of machines that are busy with something else
LIMITS = Limits(start_s=PATIENCE_S, outbox_items=10_000)  # so are the programs


class ListeningEngine(ScriptedEngine):
    """Is interrupted by `six` in the middle of its answer, which it gives after two seconds. Also
    remembers how loud the loudest micro-turn was that it heard, of 1, and what it read."""

    ANSWER = (
        *({},) * 10,
        {"speaks": True, "say": ONE},
        *({"speaks": True},) * 3,
        {"speaks": True, "heard": SIX},
        {"say": (STOP,)},
        *({},) * 12,
    )
    loudest, read = 0.0, ()

    def tick(self, inputs: dict[Session, InputHalf]) -> dict[Session, OutputHalf]:
        for half in inputs.values():
            self.loudest = max(self.loudest, float(np.sqrt(np.square(half.hear).mean())))
            self.read += half.read
        return super().tick(inputs)


class CallingBackend(Backend):
    """Calls the function `ask` of the client with each question, and says what comes of it."""

    def delegate(self, delegation, now_s: float) -> None:
        super().delegate(delegation, now_s)
        (function,) = self.settings.functions
        arguments = json.dumps({"question": delegation.question})
        call = FunctionCall(id="call", name=function["name"], arguments=arguments)
        self.ready.append(Result(delegation_id=delegation.id, status=None, calls=[call]))

    def give(self, delegation_id: int, outputs) -> None:
        super().give(delegation_id, outputs)
        self.ready.append(Result(delegation_id=delegation_id, content=outputs["call"]))


@dataclass
class Talk:
    """lines: printed by the program. sound: played by it, of 1. loudest, read: by the model.
    ended: why the server's sessions ended."""

    lines: list[str] = field(default_factory=list)
    sound: np.ndarray = field(default_factory=lambda: np.zeros(0))
    loudest: float = 0.0
    read: str = ""
    ended: list[str] = field(default_factory=list)

    def has(self, *wanted: str) -> bool:
        """Whether there are lines that begin so, in this order."""
        rest = iter(self.lines)
        return all(any(line.startswith(begin) for line in rest) for begin in wanted)


def python_of(name: str) -> Path:
    """The interpreter of a framework's environment; the test is skipped where there is none."""
    python = ROOT / f".venv-{name}" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no .venv-{name} here: `make test-clients` makes it")
    return python


def work() -> Broker:
    """Who does the work of a session whose client has no function for it."""
    return Broker(CallingBackend(), Budget(max_seconds=PATIENCE_S))


def talk(name: str, program: str, protocol: str, folder: Path, caplog, wanted: list[str]) -> Talk:
    """Run examples/`program` until it has printed the `wanted` lines in order, then interrupt it
    as a user would."""
    python, result, saved = python_of(name), Talk(), folder / "out.wav"
    caplog.set_level("INFO", "interplay.server")
    engine = ListeningEngine(loaded(), num_slots=1)
    with server(engine=engine, limits=LIMITS, keys=(KEY,), delegations=work) as serving:
        words = ["--url", url(serving, "", "http" if name == "livekit" else "ws")]
        words += ["--protocol", protocol, "--wav", str(SPEECH), "--save", str(saved)]
        words += ["--quiet", str(PATIENCE_S)]
        child = subprocess.Popen(
            [python, ROOT / "examples" / program, *words],
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=os.environ | {"INTERPLAY_KEY": KEY, "PYTHONPATH": ""},
        )
        killer = threading.Timer(PATIENCE_S, child.kill)
        killer.start()
        with child:
            assert child.stdout
            has_seen_all = False
            for line in child.stdout:
                result.lines.append(line.strip())
                if not has_seen_all and result.has(*wanted):
                    has_seen_all = True
                    child.send_signal(signal.SIGINT)
        killer.cancel()
    assert child.returncode == 0, result.lines
    result.loudest, result.read = engine.loudest, TOKENIZER.decode(engine.read)
    result.ended = [r.reason for r in caplog.records if r.message == "session ended"]
    with wave.open(str(saved)) as file:
        frames = file.readframes(file.getnframes())
    result.sound = np.frombuffer(frames, np.int16) / 32768
    return result
