"""What is measured and who listens to it: replies given as context, the cascade's voice and ears,
suites that a system cannot play, recognisers."""

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bench_helpers import SMALL, beep, small_score, small_twin

from interplay.bench import suites
from interplay.bench.listening import recognisers
from interplay.bench.playing.stage import Stage
from interplay.bench.results import report
from interplay.bench.running import main as bench_main
from interplay.bench.running import run
from interplay.bench.running.endpoints import open_system, parse_endpoint
from interplay.bench.staged_user import StagedUser
from interplay.bench.systems.cascade import system as cascade_system
from interplay.bench.systems.cascade.ear import Ear
from interplay.bench.systems.cascade.engine import CascadeEngine
from interplay.bench.systems.cascade.system import Cascade, Talk
from interplay.bench.systems.local import LocalSystem
from interplay.bench.systems.oracle import Oracle
from interplay.cli import main
from interplay.data.item import Item, Noise, Type, When
from interplay.data.speech import synthesize
from interplay.errors import ConfigError, UnsupportedError
from interplay.turns.tokens import END, TEXT
from interplay.turns.types import InputHalf

QUIET = np.random.default_rng(0).normal(0, 1e-3, 3200).astype(np.float32)


class Mute(Ear):
    """Ears that are not opened; args: what they were asked for with."""

    args: tuple = ()

    def __init__(self, *args) -> None:
        type(self).args = args

    def words(self, samples: np.ndarray) -> str:
        return ""


class Listening:
    """Replies to everything typed; keeps what it is taken to have said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def reply(self, text: str, begin_s: float, end_s: float) -> str:
        return ""

    def read(self, text: str) -> str:
        return "yes"

    def has_said(self, text: str) -> None:
        self.said.append(text)


# Replies that are given as context


def test_a_reply_of_its_own_reaches_a_model_without_an_opening_token():
    spelled: Any = SimpleNamespace(_tokenizer=SimpleNamespace(encode=lambda text: [90, 91]))
    assert LocalSystem.encode(spelled, "", "a b") == [90, 91, END]
    assert StagedUser._encode(spelled, "", "a b") == [90, 91, END]
    assert LocalSystem.encode(spelled, "<text>", "a b") == [TEXT, 90, 91, END]
    oracle = Oracle("silent", beep, "own")
    assert oracle.encode("", "a b") == ["a", "b", "<end>"]
    given = Type(text="one two three four five", at=When(seconds=0.0), control="")
    stage = Stage(
        Item(kind="x", seed=0, length_s=1.0, cues=(given, Noise(level_db=-60)), expect=()), beep
    )
    stage.begin_turn(oracle.encode)
    assert stage.read == ("one", "two", "three", "four")


def test_the_cascade_takes_it_for_its_own_and_says_nothing():
    replies = Listening()
    talk = Talk(Mute(), replies, beep, voice="own")
    for control, said in (((), []), (("<text>",), [" yes"])):
        emitted = [talk.push(QUIET, [*control, "all", "right", "<end>"])]
        emitted += [talk.push(QUIET) for _ in range(3)]
        assert [piece for each in emitted for piece in each.say if piece] == said
    assert replies.said == ["all right"]


def test_the_served_cascade_does_not_answer_context(monkeypatch):
    monkeypatch.setattr(cascade_system, "Ear", Mute)
    engine = CascadeEngine(Cascade(synthesize=beep, replies=Listening), num_slots=1)
    session = engine.open(seed=0, prefix="")
    words = engine.tokenizer.encode("four apples")
    for opener, is_answered in (((), False), ((TEXT,), True), ((), False)):
        halves = [session.push(InputHalf(hear=QUIET, read=(*opener, *words[:2], END)))]
        halves += [session.push(InputHalf(hear=QUIET)) for _ in range(3)]
        assert any(half.voice_on.any() for half in halves) == is_answered


# The cascade as an endpoint


def test_the_cascade_has_one_voice_and_two_ears(monkeypatch):
    monkeypatch.setattr(cascade_system, "Ear", Mute)
    options: Any = {"seed": 0, "synthesize": beep, "own_voice": "flite:slt"}
    for text, ears in (("cascade", (beep, "espeak:en-us")), ("cascade:general", ())):
        endpoint = parse_endpoint(text)
        made: Any = open_system(endpoint, **options)
        assert (str(endpoint), made.name, made._voice) == (text, text, "espeak:en-us")
        assert Mute.args == ears


def test_the_general_ear_knows_what_our_vocabulary_lacks():
    pad = np.random.default_rng(0).integers(-8, 9, 6000).astype(np.int16)
    spoken = synthesize("the president of the united states", "flite:slt").samples
    found = Ear().words(np.concatenate([pad, spoken, pad]))
    assert {"president", "states"} & set(found.split()), found


# A suite that a system cannot play


@pytest.fixture
def two(monkeypatch):
    """Two suites, of which the second has typed items; speech is tones."""

    def typed_twin(num_items: int, seed: int) -> list[Item]:
        return [replace(item, kind="typed") for item in small_twin(num_items, seed)]

    typed = replace(
        SMALL,
        name="typed",
        rows=(replace(SMALL.rows[0], name="typed_right"),),
        twin=typed_twin,
        score=lambda traces: {"typed_right": small_score(traces)["small_right"]},
        published=(),
    )
    for suite in (typed, SMALL):
        module = ModuleType(f"interplay.bench.suites.{suite.name}")
        module.SUITE = suite  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(suites, "NAMES", ("typed", "small"))
    monkeypatch.setattr(bench_main, "synthesize", beep)
    monkeypatch.setattr(bench_main, "current_commit", lambda: "abc")
    opened = run.open_endpoint

    def opening(*args, **kwargs):
        play = opened(*args, **kwargs)

        def refusing(items):
            for item in items:
                if item.kind == "typed":
                    raise UnsupportedError("this server takes no text")
            yield from play(items)

        return refusing

    monkeypatch.setattr(run, "open_endpoint", opening)


def test_a_suite_that_cannot_be_played_is_left_out_with_its_reason(two, tmp_path, capsys):
    path = tmp_path / "r.json"
    assert main(["bench", "behaviours", "--n", "1", "--model", "perfect", "--json", str(path)]) == 0
    rows = report.read_json(path)["rows"]
    assert rows["typed_right"]["value"] is None and rows["typed_right"]["n"] == 0
    assert rows["typed_right"]["about"] == {"why": "this server takes no text"}
    assert rows["small_right"]["value"] == 1
    assert "takes no text" in report.markdown(report.read_json(path), "again")
    capsys.readouterr()
    assert main(["bench", "typed", "--n", "1", "--model", "perfect"]) == 2
    assert "takes no text" in capsys.readouterr().err


# Recognisers


def test_whisper_comes_by_name_and_size(monkeypatch):
    asked: dict[str, Any] = {}

    class Model:
        def __init__(self, size: str) -> None:
            asked["size"] = size

        def transcribe(self, sound: np.ndarray, **options: Any):
            asked.update(options, sound=sound)
            words = [SimpleNamespace(word=" Four", start=0.2, end=0.5)]
            return iter([SimpleNamespace(words=words)]), None

    monkeypatch.setitem(sys.modules, "faster_whisper", SimpleNamespace(WhisperModel=Model))
    for name, size in (("faster-whisper", "small.en"), ("faster-whisper:tiny", "tiny")):
        source = recognisers.recogniser(name)
        assert (source.name, asked["size"]) == (f"faster-whisper:{size}", size)
    assert source.words(np.full(1600, 16384, np.int16)) == [("Four", 0.2, 0.5)]
    assert asked["sound"].dtype == np.float32 and asked["sound"].max() == 0.5
    assert asked["word_timestamps"] and asked["language"] == "en"
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(ConfigError, match=r"interplay\[whisper\]"):
        recognisers.recogniser("faster-whisper")
