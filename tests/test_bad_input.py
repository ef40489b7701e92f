"""What users get wrong: one line on stderr, exit code 2, nothing half-written.

Each case runs the command line as a user would, in this process.
"""

import json
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors import SafetensorError
from safetensors.numpy import save_file

from interplay import cli
from interplay.clock import FakeClock
from interplay.engine.engine import Engine
from interplay.engine.record import Recorder
from interplay.model.checkpoint import save_checkpoint
from interplay.model.untrained import untrained
from interplay.talk import script
from interplay.turns.types import InputHalf

TONE = np.sin(np.arange(4800) / 8).astype(np.float32) / 4


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    loaded = untrained("tiny", speaks="never")
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(path, loaded.model, None, loaded.tokenizer, loaded.facts)
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder in which a talk is soon over."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(script, "QUIET_S", 0.4)
    return tmp_path


def refusal(capsys: pytest.CaptureFixture, *words: str) -> str:
    """The one line that a command ends with. Nothing may have appeared on disk."""
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    folders = {path for path in Path().rglob("*") if path.is_dir()}
    assert cli.main(words) == 2
    told = capsys.readouterr()
    assert told.err.startswith("interplay: ") and told.err.count("\n") == 1, told.err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    assert {path for path in Path().rglob("*") if path.is_dir()} == folders
    return told.err


def sound(path: str, samples: np.ndarray = TONE, rate_hz: int = 16000, **kwargs) -> str:
    soundfile.write(path, samples, rate_hz, **kwargs)
    return path


def truncated(path: str) -> str:
    data = Path(sound(path)).read_bytes()
    Path(path).write_bytes(data[: len(data) // 2])
    return path


def written(path: str, data: bytes) -> str:
    Path(path).write_bytes(data)
    return path


SOUNDS = {
    "missing": (lambda: "none.wav", "does not exist"),
    "empty": (lambda: written("a.wav", b""), "is empty (0 bytes)"),
    "a folder": (lambda: ".", "is a folder"),
    "no sound": (lambda: sound("a.wav", TONE[:0]), "holds no sound"),
    "truncated": (lambda: truncated("a.wav"), "is truncated"),
    "not sound": (lambda: written("a.wav", b"a shopping list" * 99), "not a sound file"),
    "NaN": (lambda: sound("a.wav", TONE * np.nan, subtype="FLOAT"), "NaN"),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_that_cannot_be_played(place, capsys, weights, name):
    make, seen = SOUNDS[name]
    assert seen in refusal(capsys, "talk", make(), "--model", str(weights))


FORMS = {
    "8-bit": ({"subtype": "PCM_U8"}, 1, 16000),
    "24-bit": ({"subtype": "PCM_24"}, 1, 16000),
    "96000 Hz": ({}, 1, 96000),
    "stereo": ({}, 2, 44100),
    "8 channels": ({}, 8, 48000),
}


@pytest.mark.parametrize("name", FORMS)
def test_sound_of_another_form_is_converted_and_told(place, capsys, weights, name):
    kwargs, num_channels, rate_hz = FORMS[name]
    sound("a.wav", np.tile(TONE[:, None], num_channels), rate_hz, **kwargs)
    assert cli.main(["talk", "a.wav", "--model", str(weights), "--fast"]) in (0, 1)
    told = capsys.readouterr()
    assert name in told.out and "-> mono 16000 Hz" in told.out and told.err == ""
    heard, _ = soundfile.read("talk-out/conversation.wav")
    assert np.abs(heard[: int(0.9 * 4800 * 16000 / rate_hz), 0]).max() > 0.2


def foreign(path: str) -> str:
    save_file({"layer.weight": np.ones((2, 3), np.float32)}, path)
    return path


CHECKPOINTS = {
    "empty": (lambda: written("m.safetensors", b""), "is empty (0 bytes)"),
    "foreign": (lambda: foreign("m.safetensors"), "not an interplay model"),
    "damaged": (lambda: written("m.safetensors", b"\xff" * 999), "m.safetensors is damaged"),
    "missing": (lambda: "gone.safetensors", "does not exist"),
    "a folder": (lambda: ".", "is a folder"),
    "unknown": (lambda: "gpt", "installed models: "),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
@pytest.mark.parametrize("command", ["talk", "demo"])
def test_a_model_that_is_none(place, capsys, command, name):
    make, seen = CHECKPOINTS[name]
    words = [command, *([sound("a.wav")] if command == "talk" else []), "--model", make()]
    assert seen in refusal(capsys, *words)


def test_an_unknown_model_lists_those_there_are(place, capsys, weights, monkeypatch):
    monkeypatch.setattr("interplay.model.checkpoint.WEIGHT_FOLDERS", (weights.parent,))
    told = refusal(capsys, "talk", sound("a.wav"), "--model", "tinny")
    assert "'tinny'" in told and "installed models: tiny" in told


@pytest.mark.parametrize("out", ["taken", "taken/below"])
@pytest.mark.parametrize("command", ["talk", "demo"])
def test_a_folder_that_cannot_be_made(place, capsys, weights, command, out):
    Path("taken").write_text("a file")
    words = [command, *([sound("a.wav")] if command == "talk" else [])]
    told = refusal(capsys, *words, "--model", str(weights), "--out", out)
    assert f"cannot write to {out}" in told and "--out" in told


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(place, capsys, weights):
    Path("locked").mkdir(mode=0o500)
    words = ["talk", sound("a.wav"), "--model", str(weights), "--out", "locked/out"]
    assert "cannot write to locked/out" in refusal(capsys, *words)


def test_a_picture_that_could_not_be_written_is_refused_before_the_talk(place, capsys):
    assert "no folder" in refusal(capsys, "demo", "--picture", "nowhere/session.svg")


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        ),
    ],
)
def test_a_disk_that_is_full_leaves_nothing(place, capsys, weights, monkeypatch, error):
    def full(*_args: object) -> None:
        raise error

    monkeypatch.setattr("interplay.engine.record.save_file", full)
    told = refusal(capsys, "talk", sound("a.wav"), "--model", str(weights), "--fast")
    assert "No space left on device" in told


@pytest.mark.parametrize("words", [["talk"], ["talk", "a.wav", "--mic"]])
def test_neither_or_both_of_file_and_microphone(place, capsys, words):
    assert "either a sound file" in refusal(capsys, *words)


def without_devices(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    """A `sounddevice` on a machine without sound; None: a machine without the module."""
    if error is None:
        monkeypatch.setitem(sys.modules, "sounddevice", None)
        return
    module = types.ModuleType("sounddevice")

    def stream(**_kwargs: object) -> None:
        raise error

    module.__dict__.update(PortAudioError=type(error), Stream=stream)
    monkeypatch.setitem(sys.modules, "sounddevice", module)


def test_no_audio_device(place, capsys, weights, monkeypatch):
    without_devices(monkeypatch, RuntimeError("Error querying device -1"))
    told = refusal(capsys, "talk", "--mic", "--model", str(weights))
    assert "no microphone" in told and "Error querying device -1" in told


def test_the_mic_extra_is_missing(place, capsys, weights, monkeypatch):
    without_devices(monkeypatch, None)
    told = refusal(capsys, "talk", "--mic", "--model", str(weights))
    assert "pip install 'interplay[mic]'" in told


def test_the_sound_library_is_missing(place, capsys, weights, monkeypatch):
    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    told = refusal(capsys, "talk", "--mic", "--model", str(weights))
    assert "libportaudio2" in told


def recorded(folder: str, weights: Path) -> Path:
    from interplay.model.checkpoint import load_checkpoint

    session = Engine(load_checkpoint(weights)).open()
    half = InputHalf(hear=np.resize(TONE, 3200))
    with Recorder(folder, session) as recorder:
        for _ in range(3):
            recorder.add(half, session.push(half))
    return Path(folder)


def changed(record: Path, name: str, data: bytes) -> Path:
    (record / name).write_bytes(data)
    return record


RECORDS = {
    "missing": (lambda _: "none", "is not a folder"),
    "not a record": (lambda _: ".", "no record.json"),
    "damaged": (lambda w: changed(recorded("r", w), "record.json", b"{"), "record.json is damaged"),
    "foreign": (lambda w: changed(recorded("r", w), "record.json", b"[]"), "not a record"),
    "cut": (
        lambda w: changed(recorded("r", w), "streams-00000.safetensors", b"\x00" * 50),
        "is damaged",
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_is_none(place, capsys, weights, name):
    make, seen = RECORDS[name]
    assert seen in refusal(capsys, "replay", str(make(weights)))


def test_a_record_of_another_model(place, capsys, weights):
    other = untrained("tiny", seed=5)
    save_checkpoint(Path("other.safetensors"), other.model, None, other.tokenizer, {})
    record = recorded("r", weights)
    told = refusal(capsys, "replay", str(record), "--model", "other.safetensors")
    assert "is not the model that made" in told
    about = json.loads((record / "record.json").read_text())
    (record / "record.json").write_text(json.dumps(about | {"model": "gone.safetensors"}))
    assert "does not exist" in refusal(capsys, "replay", str(record))


def test_an_unknown_recipe_lists_those_there_are(place, capsys):
    told = refusal(capsys, "train", "huge")
    assert "huge" in told and "xs" in told


def test_a_script_that_is_no_script(place, capsys, monkeypatch):
    monkeypatch.setattr("interplay.talk.command.RealClock", FakeClock)
    Path("demo.json").write_text("{}")
    assert "has no 'seconds'" in refusal(capsys, "demo", "--script", "demo.json")
    Path("demo.json").write_text("[")
    assert "not a script" in refusal(capsys, "demo", "--script", "demo.json")
    assert "does not exist" in refusal(capsys, "demo", "--script", "none.json")
