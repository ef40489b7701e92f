"""`--background` of talk and demo: names, and talks that go on whatever the backend does."""

import argparse
import logging
import threading

import numpy as np
import pytest
import soundfile

from interplay.background.choose import open_named
from interplay.background.contract import UNREACHABLE, Backend, Result
from interplay.background.echo import EchoTools
from interplay.background.scripted import ANSWERS, ScriptedBackend
from interplay.clock import SAMPLES_PER_TURN
from interplay.engine.engine import Engine
from interplay.errors import BackgroundError, ConfigError
from interplay.model.checkpoint import save_checkpoint
from interplay.model.untrained import untrained
from interplay.talk import command, script
from interplay.talk.live import RECORD, SkippingClock, Talk
from interplay.talk.script import RecordedUser
from interplay.turns.tokens import DELEGATE, END
from interplay.turns.types import OutputHalf

LOADED = untrained("tiny", seed=1, speaks="never")


class Dead:
    """A backend that cannot be reached, and says so with every method."""

    def __init__(self) -> None:
        self.is_closed = False

    def delegate(self, delegation, now_s: float) -> None:
        raise BackgroundError("connection refused")

    def cancel(self, delegation_id: int) -> None:
        raise BackgroundError("connection refused")

    def results(self, now_s: float) -> list[Result]:
        raise BackgroundError("connection refused")

    def close(self) -> None:
        self.is_closed = True


class NoView:
    """Shows nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, talk) -> None:
        pass


def talk_of(
    backend: Backend | None, sound: np.ndarray, tmp_path, monkeypatch, words: str = "six"
) -> Talk:
    """A talk in which the model hands something over in its third micro-turn."""
    session = Engine(LOADED).open(seed=0)
    talk = Talk(session, RecordedUser(sound), NoView(), backend)
    push, count = session.push, iter(range(10**6))
    act = [DELEGATE, *LOADED.tokenizer.encode(words), END]

    def pushed(half):
        out, turn = push(half), next(count)
        mine = tuple(act[4 * (turn - 2) : 4 * (turn - 1)]) if turn >= 2 else ()
        pad = (*mine, 0, 0, 0, 0)[:4]
        return OutputHalf(
            heard=out.heard, say=out.say, act=pad, voice_on=out.voice_on, voice=out.voice
        )

    monkeypatch.setattr(session, "push", pushed)
    talk.run(SkippingClock(), tmp_path / RECORD)
    return talk


def arrived(talk: Talk) -> list[tuple[str, float]]:
    return [(event.text, event.time_s) for event in talk.conversation.read.events]


@pytest.fixture(autouse=True)
def soon_over(monkeypatch) -> None:
    monkeypatch.setattr(script, "QUIET_S", 3.0)
    monkeypatch.setattr(script, "MAX_QUIET_S", 3.0)


def quiet(num_turns: int) -> np.ndarray:
    return np.zeros(num_turns * SAMPLES_PER_TURN, np.float32)


def test_a_dead_backend_is_said_and_logged_and_the_talk_goes_on(tmp_path, monkeypatch, caplog):
    backend = Dead()
    with caplog.at_level(logging.WARNING):
        talk = talk_of(backend, quiet(5), tmp_path, monkeypatch)
    assert [text for text, _ in arrived(talk)] == [UNREACHABLE]
    assert "connection refused" in caplog.text and "failed after" in caplog.text
    assert talk.conversation.num_turns > 15, "it went on to its end"
    assert backend.is_closed


def test_results_wait_for_the_user_to_finish(tmp_path, monkeypatch):
    ready = ScriptedBackend({"weather": "wet"}, delay_s=0.2)
    loud = quiet(15)
    loud[: 10 * SAMPLES_PER_TURN] = 0.2
    talk = talk_of(ready, loud, tmp_path, monkeypatch, "weather")
    [(text, time_s)] = arrived(talk)
    assert text == "wet" and time_s >= 2.0


def test_the_script_of_the_demo_comes_when_its_time_has_come(tmp_path, monkeypatch):
    loud = quiet(25)
    loud[:] = 0.2
    talk = talk_of(None, loud, tmp_path, monkeypatch, "weather")
    [(text, time_s)] = arrived(talk)
    assert text == ANSWERS["weather"] and time_s < 4.0


def test_what_is_named_is_opened_in_any_order(tmp_path):
    (tmp_path / "tea.md").write_text("tea is hot")
    for words in ([], ["echo-tools"], [str(tmp_path)], [str(tmp_path), "echo-tools"]):
        background = open_named(words)
        tools = background.open()
        assert isinstance(tools, EchoTools)
        assert ("search_documents" in tools._registry) == (str(tmp_path) in words)
        background.close()
    (tmp_path / "mcp.toml").write_text("")
    for words, text in (
        (["a", "b"], "both 'a' and 'b'"),
        ([str(tmp_path), str(tmp_path)], "one folder"),
        (["echo-tools", str(tmp_path / "mcp.toml")], "cannot use MCP"),
        (["nobody"], "allowed: echo-tools, URL#model, a folder"),
        ([str(tmp_path / "missing.toml")], "mcp|MCP"),
    ):
        with pytest.raises(ConfigError, match=text):
            open_named(words)


def arguments(which: str, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    getattr(command, f"add_{which}_arguments")(parser)
    return parser.parse_args(words)


def test_without_a_name_the_demo_has_its_script_and_fast_talks_have_no_language_model():
    assert arguments("talk", "x.wav").background == arguments("demo").background == []
    before = threading.active_count()
    with command.open_backend(["echo-tools"], True) as backend:
        assert isinstance(backend, EchoTools)
    assert threading.active_count() == before, "no thread is left"
    with command.open_backend([], True) as backend:
        assert backend is None
    with pytest.raises(ConfigError, match="--fast"), command.open_backend(["http://h/v1#m"], True):
        pass


@pytest.mark.parametrize("words", [[], ["--background", "echo-tools"]])
def test_a_recording_is_talked_with(tmp_path, capsys, words):
    model, sound = tmp_path / "tiny.safetensors", tmp_path / "hello.wav"
    save_checkpoint(model, LOADED.model, None, LOADED.tokenizer, LOADED.facts)
    soundfile.write(sound, np.sin(np.arange(3200) / 5) / 4, 16000)
    out = str(tmp_path / "out")
    args = arguments("talk", str(sound), "--model", str(model), "--fast", "--out", out, *words)
    assert command.run_talk(args) == 0  # nobody waits, so no machine is too slow
    told = capsys.readouterr().out
    assert "interplay replay" in told and "no deadlines: as fast as it computes" in told
    page = (tmp_path / "out" / "timeline.html").read_text()
    assert "played as fast as it computes: hello.wav" in page and "deadlines met" not in page
