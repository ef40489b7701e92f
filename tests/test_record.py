"""Records: what is on disk after every micro-turn, after a crash, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors import SafetensorError

from interplay.clock import TURN_S, FakeClock
from interplay.engine import record as record_module
from interplay.engine.engine import Engine
from interplay.engine.record import Recorder, read_record
from interplay.engine.scheduler import run_live
from interplay.engine.session import Session
from interplay.errors import DeviceError, RecordError
from interplay.model.untrained import untrained
from interplay.turns.types import InputHalf, OutputHalf

SPEAKING = untrained("tiny", seed=2, speaks="always")
TURNS_PER_FILE = 6  # here


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a short session fills."""
    assert record_module.TURNS_PER_FILE * TURN_S == 5, "what a crash may lose"
    monkeypatch.setattr(record_module, "TURNS_PER_FILE", TURNS_PER_FILE)


def session() -> Session:
    return Engine(SPEAKING).open(seed=6, first_turn=11)


def half(turn: int, **kwargs) -> InputHalf:
    noise = np.random.default_rng(turn).standard_normal(3200) * 0.05
    return InputHalf(hear=noise.astype(np.float32), **kwargs)


def record(folder: Path, num_turns: int, num_played: dict[int, int] | None = None):
    """A short session; returns its inputs and outputs, and the recorder still open."""
    live = session()
    recorder = Recorder(folder, live)
    pairs = []
    for turn in range(num_turns):
        given = half(turn, num_played=(num_played or {}).get(turn))
        pairs.append((given, live.push(given)))
        recorder.add(*pairs[-1], compute_ms=1.5)
    return pairs, recorder


def test_a_record_holds_what_happened(tmp_path):
    pairs, recorder = record(tmp_path / "r", TURNS_PER_FILE + 3)
    recorder.close()
    recorder.close()
    stored = read_record(tmp_path / "r")
    assert len(stored) == len(pairs) and len(stored.parts) == 1
    streams, numbers = stored.parts[0].streams, stored.parts[0].numbers
    assert streams.first_turn == 11 and streams.see is None
    for i, (_, output) in enumerate(pairs):
        assert tuple(streams.say[i]) == output.say and tuple(streams.heard[i]) == output.heard
        assert np.array_equal(streams.voice_on[i], output.voice_on)
    assert streams.voice.any() and streams.voice.dtype == np.float32
    assert numbers.log_probs.shape == (len(pairs), 4, 3) and (numbers.log_probs < 0).all()
    assert stored.about["seed"] == 6 and stored.about["dtype"] in ("float32", "bfloat16")


def test_the_sound_is_on_one_clock_as_it_was_played(tmp_path):
    pairs, recorder = record(tmp_path / "r", 5, num_played={3: 1000})
    recorder.close()
    sound, rate_hz = soundfile.read(tmp_path / "r" / "audio.wav", dtype="float32")
    assert rate_hz == 16_000 and sound.shape == (6 * 3200, 2)
    user, own = sound[:, 0].reshape(6, 3200), sound[:, 1].reshape(6, 3200)
    assert not own[0].any() and not user[5].any()
    for i, (given, output) in enumerate(pairs):
        assert np.abs(user[i] - given.hear).max() < 1e-4
        num_played = 1000 if i == 2 else 3200
        assert np.abs(own[i + 1] - output.voice)[:num_played].max() < 1e-4
        assert not own[i + 1][num_played:].any()


def test_every_micro_turn_is_a_line_at_once(tmp_path):
    pairs, recorder = record(tmp_path / "r", 3, num_played={2: 3200})
    lines = [json.loads(line) for line in (tmp_path / "r" / "turns.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 2]
    assert lines[2]["turn"] == 13 and lines[2]["num_played"] == 3200
    assert lines[1]["say"] == list(pairs[1][1].say) and lines[1]["compute_ms"] == 1.5
    assert isinstance(lines[1]["say_text"], str)
    recorder.close()


def test_a_crash_loses_no_more_than_the_last_seconds(tmp_path):
    _, recorder = record(tmp_path / "r", TURNS_PER_FILE + 4)
    stored = read_record(tmp_path / "r")  # nothing was closed
    assert len(stored) == TURNS_PER_FILE
    info = soundfile.info(tmp_path / "r" / "audio.wav")
    assert info.frames == (TURNS_PER_FILE + 4) * 3200
    recorder.close()


def test_a_correction_replaces_the_half_even_at_the_edge_of_a_file(tmp_path):
    first = TURNS_PER_FILE  # corrects the last micro-turn that the first file could have held
    _, recorder = record(tmp_path / "r", first + 3, num_played={3: 900, first: 0})
    recorder.close()
    voice_on = read_record(tmp_path / "r").parts[0].streams.voice_on
    assert voice_on[2].tolist() == [True, False, False, False]
    assert not voice_on[first - 1].any() and voice_on[first].all()


def test_a_full_disk_is_told_in_one_line(tmp_path, monkeypatch):
    def refuse(*_):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    _, recorder = record(tmp_path / "r", 2)
    monkeypatch.setattr(record_module, "save_file", refuse)
    with pytest.raises(DeviceError, match=r"cannot write the record .*No space left.*choose a"):
        recorder.close()


def test_an_old_session_or_a_used_folder_is_refused(tmp_path):
    _, recorder = record(tmp_path / "r", 2)
    with pytest.raises(RecordError, match="holds a record already"):
        Recorder(tmp_path / "r", session())
    old = session()
    old.push(half(0))
    with pytest.raises(RecordError, match="1 micro-turns old"):
        Recorder(tmp_path / "new", old)
    (tmp_path / "file").touch()
    with pytest.raises(DeviceError, match="cannot write the record"):
        Recorder(tmp_path / "file" / "r", session())
    recorder.close()


def _rewrite(folder: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("record.json", None, "holds no record.json"),
        ("record.json", b"{", "is damaged"),
        ("record.json", b"[]", "not a record"),
        ("record.json", b'{"format": "interplay record 99"}', "not a record"),
        ("streams-00000.safetensors", b"abc", "is damaged"),
        ("streams-00000.safetensors", None, "ended before its first"),
    ],
)
def test_damaged_records_are_refused_in_one_line(tmp_path, name, content, message):
    _, recorder = record(tmp_path / "r", 2)
    recorder.close()
    _rewrite(tmp_path / "r", name, content)
    with pytest.raises(RecordError, match=message) as error:
        read_record(tmp_path / "r")
    assert "\n" not in str(error.value)


def test_missing_folders_and_files_are_refused(tmp_path):
    with pytest.raises(RecordError, match="is not a folder"):
        read_record(tmp_path / "none")
    _, recorder = record(tmp_path / "r", 2)
    recorder.close()
    path = tmp_path / "r" / "streams-00000.safetensors"
    path.rename(path.with_name("streams-00001.safetensors"))
    with pytest.raises(RecordError, match="lacks some"):
        read_record(tmp_path / "r")


def test_the_loop_keeps_deadlines_and_counts_misses():
    clock, seen = FakeClock(100.0), []
    slow = {2: 0.5}  # seconds that the source of this micro-turn takes

    def source(turn: int) -> InputHalf | None:
        clock.advance(slow.get(turn, 0.0))
        return half(turn) if turn < 6 else None

    def sink(given: InputHalf, output: OutputHalf, compute_ms: float) -> None:
        seen.append((clock.now(), len(output.say), given.read, compute_ms))

    report = run_live(session(), source, sink, clock)
    assert (report.num_turns, report.num_misses, report.stopped) == (6, 2, False)
    assert report.compute_ms == [0.0] * 6 and report.worst_ms == 0.0
    times = [round(when - 100.0, 6) for when, *_ in seen]
    assert times == [0.2, 0.4, 1.1, 1.1, 1.1, 1.2], "late ones catch up, the schedule stays"


def test_ctrl_c_ends_the_loop_cleanly():
    def source(turn: int) -> InputHalf:
        if turn == 2:
            raise KeyboardInterrupt
        return half(turn)

    live = session()
    report = run_live(live, source, lambda *_: None, FakeClock())
    assert report.stopped and report.num_turns == live.num_turns == 2
    live.push(half(2))
