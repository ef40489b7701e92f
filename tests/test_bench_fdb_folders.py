"""Published folders of Full-Duplex-Bench: what is read from them, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from bench_helpers import RATE, Tone

from interplay.bench.playing.logical_clock import play
from interplay.bench.playing.stage import Stage
from interplay.bench.suites import fdb1, fdb15, fdb15_folder
from interplay.bench.suites.fdb1_folder import PEOPLE
from interplay.bench.systems.oracle import Oracle
from interplay.errors import AudioError, RecordError

V1: Any = fdb1.SUITE  # both have a `load`
V15: Any = fdb15.SUITE


def beep(text: str, voice: str) -> Tone:
    words = text.split()
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(3200 * len(words)) / RATE)
    times = [(word, 0.2 * i, 0.2 * (i + 1)) for i, word in enumerate(words)]
    return Tone(samples=wave.astype(np.int16), words=times)


def sound(path: Path, length_s: float, *spans, rate: int = RATE, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(length_s * rate)) / rate
    wave = np.zeros(len(time))
    for start, end in spans:
        wave += np.where((time >= start) & (time < end), 0.2 * np.sin(2 * np.pi * 300 * time), 0)
    soundfile.write(path, np.stack([wave] * channels, 1), rate, subtype="PCM_16")


def write(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture
def v1(tmp_path) -> Path:
    """One or two items of every part of V1, in different rates."""
    root = tmp_path / "v1_0"
    for part in ("candor_pause_handling", "synthetic_pause_handling"):
        sound(root / part / "3" / "input.wav", 4, (0.5, 2), (2.8, 3.9), rate=48_000)
        write(root / part / "3" / "pause.json", [{"text": "[PAUSE]", "timestamp": [2.0, 2.8]}])
    for index in ("2", "10"):
        folder = root / "candor_turn_taking" / index
        sound(folder / "input.wav", 7, (0.5, 2), rate=24_000, channels=2)
        write(folder / "turn_taking.json", [{"text": "[TURN-TAKING]", "timestamp": [2.01, 2.4]}])
    sound(root / "icc_backchannel" / "0" / "input.wav", 10, (0.2, 9.8))
    people = [0.0] * 50
    people[10] = people[30] = 0.5
    write(root / PEOPLE, {"0": people})
    folder = root / "synthetic_user_interruption" / "7"
    sound(folder / "input.wav", 20, (0.5, 2), (6, 8))
    about = {"context": "tell me about cats", "interrupt": "what about dogs", "timestamp": [6, 8]}
    write(folder / "interrupt.json", [about])
    return root


@pytest.fixture
def v15(tmp_path) -> Path:
    root = tmp_path / "v1_5"
    for part in fdb15_folder.PARTS:
        folder = root / part / "1"
        sound(folder / "input.wav", 16, (0.5, 2), (5, 6.5))
        sound(folder / "clean_input.wav", 14, (0.5, 2))
        about = {"context_text": "tell me about cats", "timestamps": [5.0, 6.5]}
        about["current_turn_text"] = "And what about big dogs and horses?"
        write(folder / "metadata.json", about)
    return root


def heard(item) -> np.ndarray:
    """What the player lets a system hear, without the noise floor's last bits."""
    stage = Stage(item, beep)
    parts = []
    while not stage.done:
        stage.begin_turn(lambda control, text: [])
        parts.append(stage.hear.copy())
        stage.turn += 1
    return np.concatenate(parts)


def test_v1_is_read_and_played_sample_for_sample(v1):
    items = V1.load(v1, None)
    assert [item.about["part"] for item in items] == [
        *("pause", "pause", "turn", "turn", "backchannel", "interrupt")
    ]
    assert [item.about["id"] for item in items] == ["3", "3", "2", "10", "0", "7"]
    interrupted = items[-1]
    samples, _ = soundfile.read(v1 / "synthetic_user_interruption/7/input.wav", dtype="float32")
    assert np.abs(heard(interrupted)[: len(samples)] - samples).max() < 0.006  # noise at -60 dB
    assert [item.length_s for item in items] == pytest.approx([4, 4, 7, 7, 10, 20], abs=1e-3)


def test_only_the_first_items_of_each_part(v1):
    assert len(V1.load(v1, 1)) == 5
    assert len(V1.load(v1 / "candor_turn_taking", 1)) == 1
    assert len(V1.load(v1 / "candor_turn_taking", None)) == 2


def test_times_of_turns_and_overlaps_are_the_published_ones(v1, v15):
    items = V1.load(v1, 1)
    for trace in play(items, Oracle("silent", beep, "own"), beep):
        part = trace.item.about["part"]
        spans: Any = trace.cues
        if part == "turn":
            assert spans[0] == pytest.approx((0, 2.01), abs=1e-4)
        if part == "interrupt":
            assert spans[1] == pytest.approx((6, 8), abs=1e-4)
            assert spans[0][1] == pytest.approx(2, abs=0.03)  # where the context ends
    for item in V15.load(v15, 1)[::2]:
        assert item.about["keys"] == (
            [] if item.subset == "user_backchannel" else ["dogs", "horses"]
        )


def test_every_overlap_is_played_again_without_it(v15):
    items = V15.load(v15, None)
    for overlapped, clean in zip(items[::2], items[1::2], strict=True):
        assert V15.together(overlapped) == V15.together(clean)
        assert not overlapped.about.get("clean") and clean.about["clean"]
        assert (overlapped.length_s, clean.length_s) == pytest.approx((16, 14), abs=1e-3)
        assert len(overlapped.cues) == 4 and len(clean.cues) == 2  # in clips without a gap
    assert len({V15.together(item) for item in items}) == len(fdb15_folder.PARTS)
    samples, _ = soundfile.read(v15 / "user_interruption/1/clean_input.wav", dtype="float32")
    assert np.abs(heard(items[1])[: len(samples)] - samples).max() < 0.006
    (v15 / "background_speech" / "1" / "clean_input.wav").unlink()
    with pytest.raises(RecordError, match=r"1 lacks clean_input.wav; items of background_speech"):
        V15.load(v15, None)


def test_oracles_on_published_items(v1, v15):
    def score(suite, items, name):
        return suite.score(list(play(items, Oracle(name, beep, "own"), beep)))

    items = V1.load(v1, 1)
    perfect, silent = (score(V1, items, name) for name in ("perfect", "silent"))
    assert [o.value for o in perfect["fdb1_takeover"] + perfect["fdb1_interrupt_takeover"]] == [
        1,
        1,
    ]
    assert [o.value for o in silent["fdb1_takeover"] + silent["fdb1_interrupt_takeover"]] == [0, 0]
    [nods] = perfect["fdb1_backchannel_freq"]
    assert nods.value == pytest.approx(0.2)  # two in ten seconds
    [near], [far] = perfect["fdb1_backchannel_jsd"], silent["fdb1_backchannel_jsd"]
    assert near.value < far.value == 1
    items = V15.load(v15, None)
    for name, average in (("perfect", 100), ("silent", 0)):
        values = [o.value for o in score(V15, items, name)["fdb15_average"]]
        assert np.mean(values) == average


def test_what_is_missing_is_named(v1, tmp_path):
    with pytest.raises(RecordError, match="is not a folder; give the one that holds candor_pause"):
        V1.load(tmp_path / "nowhere", None)
    (tmp_path / "other" / "cats").mkdir(parents=True)
    with pytest.raises(RecordError, match="holds cats, but none of candor_pause_handling"):
        V1.load(tmp_path / "other", None)
    (tmp_path / "empty" / "icc_backchannel").mkdir(parents=True)
    with pytest.raises(RecordError, match="holds no folder of an item"):
        V1.load(tmp_path / "empty", None)
    (v1 / PEOPLE).unlink()
    with pytest.raises(RecordError, match=f"{PEOPLE} is neither in .*icc_backchannel nor beside"):
        V1.load(v1, None)
    (v1 / "candor_turn_taking" / "10" / "turn_taking.json").unlink()
    with pytest.raises(RecordError, match=r"10 lacks turn_taking.json; items of candor_turn"):
        V1.load(v1 / "candor_turn_taking", None)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([{"context": "a", "timestamp": [6, 8]}], "lacks interrupt; it has context, timestamp"),
        ([], "holds no annotation"),
        ([{"context": "a", "interrupt": "b", "timestamp": [6, 28]}], "lasts 20.00 s; the two"),
        ([{"context": "a", "interrupt": "b", "timestamp": 6}], r"6 is not a time span"),
        ([{"context": "a", "interrupt": "b", "timestamp": [8, 6]}], "does not lie in input.wav"),
        ([{"context": "a", "interrupt": "b", "timestamp": [0, 6]}], "leaves no room"),
        ([{"context": "a", "interrupt": "b", "timestamp": [6, None]}], "is not a time span"),
    ],
)
def test_annotations_that_cannot_be_are_refused(v1, value, message):
    write(v1 / "synthetic_user_interruption" / "7" / "interrupt.json", value)
    with pytest.raises(RecordError, match=message) as caught:
        V1.load(v1 / "synthetic_user_interruption", None)
    assert "interrupt.json" in str(caught.value) and "\n" not in str(caught.value)


def test_broken_files_are_refused(v15):
    folder = v15 / "talking_to_other" / "1"
    (folder / "metadata.json").write_text("{")
    with pytest.raises(RecordError, match=r"metadata.json is not readable JSON"):
        V15.load(v15, None)
    shutil.rmtree(v15 / "user_backchannel")
    (v15 / "user_interruption" / "1" / "input.wav").write_bytes(b"")
    with pytest.raises(AudioError, match=r"input.wav is empty"):
        V15.load(v15, None)
