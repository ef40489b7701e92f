"""Replay: the engine's numbers are the trainer's numbers, bit for bit."""

import copy
import functools
import json
import resource
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from interplay.cli import main
from interplay.engine.emit import SamplingConfig
from interplay.engine.engine import Engine
from interplay.engine.precision import cast_weights, choose_dtype
from interplay.engine.record import Recorder, read_record
from interplay.engine.replay import _forward, replay
from interplay.engine.static.engine import DeviceEngine
from interplay.errors import RecordError
from interplay.model.checkpoint import Loaded, save_checkpoint
from interplay.model.untrained import untrained
from interplay.model.vocoder import Vocoder
from interplay.turns.types import InputHalf

TINY = untrained("tiny", seed=1)
SEEING = untrained("tiny", seed=1, camera=True)


def make(
    folder,
    loaded: Loaded,
    num_turns: int,
    camera=lambda turn: False,
    kind: Callable[..., Engine] = Engine,
    **kwargs,
):
    """Record a session in which now and then less is played than was said."""
    session = kind(loaded, **kwargs).open(seed=6, first_turn=290, prefix="tell me yes")
    rng = np.random.default_rng(0)
    with Recorder(folder, session) as recorder:
        for turn in range(num_turns):
            half = InputHalf(
                hear=(rng.standard_normal(3200) * 10.0 ** rng.uniform(-4, -0.5)).astype(np.float32),
                see=rng.integers(0, 255, (12, 2, 40, 40, 3), np.uint8) if camera(turn) else None,
                num_played=int(rng.integers(0, 3201)) if turn % 5 == 3 else None,
            )
            recorder.add(half, session.push(half))
    return read_record(folder)


def with_flow(loaded: Loaded) -> Loaded:
    loaded = copy.copy(loaded)
    loaded.model = copy.deepcopy(loaded.model)
    loaded.model.voice.config = replace(loaded.model.voice.config, sampler="flow")
    return loaded


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_session_is_one_forward_pass(tmp_path, dtype):
    sampling = SamplingConfig(say_temperature=0.8, say_top_k=20)
    record = make(tmp_path / "r", TINY, 30, dtype=dtype, sampling=sampling)
    voice_on = record.parts[0].streams.voice_on
    assert 0 < voice_on.mean() < 1
    report = replay(record, TINY)
    assert report.num_values == 30 * 4 * (3 + 1) + voice_on.sum() * 320
    assert report.num_differing_bits == 0, str(report)
    assert "one forward pass over 240 positions" in report.passes


def test_flow_voices_and_cameras_too(tmp_path):
    seeing = with_flow(SEEING)
    record = make(tmp_path / "r", seeing, 12, camera=lambda turn: True, dtype=torch.bfloat16)
    report = replay(record, seeing)
    assert report.num_differing_bits == 0 and "one forward pass over 240" in report.passes


def test_the_camera_may_go_on_and_off(tmp_path):
    record = make(tmp_path / "r", SEEING, 12, camera=lambda turn: turn in (3, 4, 9))
    assert [len(part.streams) for part in record.parts] == [3, 2, 4, 1, 2]
    report = replay(record, SEEING)
    assert report.num_differing_bits == 0 and "one forward pass over 132" in report.passes


# 8 positions a micro-turn: the window is full at 64 of them, the ring begins anew at 128.
@pytest.mark.parametrize(("num_turns", "dtype"), [(20, torch.bfloat16), (140, torch.float32)])
def test_ticks_of_fixed_shapes_are_one_forward_pass_too(tmp_path, num_turns, dtype):
    static = functools.partial(DeviceEngine, device=torch.device("cpu"))
    record = make(tmp_path / "r", TINY, num_turns, kind=static, dtype=dtype)
    assert record.device == "static" and "CPU" in record.about["operations"]
    report = replay(record, TINY)
    assert report.num_differing_bits == 0, str(report)
    assert f"one forward pass over {8 * num_turns:,}" in report.passes


# 20 positions a micro-turn: the window is full at 26 of them, the cache moves down at 76.
@pytest.mark.parametrize(("num_turns", "dtype"), [(29, torch.bfloat16), (79, torch.float32)])
def test_a_session_longer_than_the_window(tmp_path, monkeypatch, num_turns, dtype):
    record = make(tmp_path / "r", SEEING, num_turns, camera=lambda turn: True, dtype=dtype)
    assert SEEING.config.backbone.window == 512
    assert replay(record, SEEING).num_differing_bits == 0
    monkeypatch.setattr("interplay.engine.replay.MAX_POSITIONS", 100)
    report = replay(record, SEEING)
    assert report.num_differing_bits == 0 and "in halves" in report.passes


@pytest.mark.slow
def test_two_thousand_micro_turns_take_no_more_memory_than_two_hundred():
    session = Engine(TINY).open()
    hear = np.random.default_rng(0).standard_normal(3200).astype(np.float32)
    peaks = []
    for turn in range(2000):
        session.push(InputHalf(hear=hear * 0.1))
        if turn % 200 == 199:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert peaks[-1] - peaks[0] < 2_000, "kB"


def test_every_differing_bit_is_counted(tmp_path):
    record = make(tmp_path / "r", TINY, 6)
    gate = record.parts[0].numbers.gate.view(torch.int32)
    gate[4, 1] ^= 0b101
    report = replay(record, TINY)
    assert (report.num_differing_values, report.num_differing_bits) == (1, 2)
    assert "first in gate of micro-turn 4" in str(report)


def test_another_model_gives_other_bits_or_does_not_fit(tmp_path):
    record = make(tmp_path / "r", TINY, 4)
    assert replay(record, untrained("tiny", seed=9)).num_differing_values > 10
    seen = make(tmp_path / "s", SEEING, 3, camera=lambda turn: True)
    with pytest.raises(RecordError, match="another model"):
        replay(seen, TINY)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_keeping_gradients_changes_no_bit(tmp_path, dtype):
    streams = make(tmp_path / "r", TINY, 5).parts[0].streams
    with_gradients = _forward(TINY, streams, dtype)
    assert with_gradients.requires_grad
    with torch.inference_mode():
        assert torch.equal(with_gradients.detach(), _forward(TINY, streams, dtype))


def test_cast_weights_give_the_bits_of_the_master_weights():
    cast = cast_weights(TINY.model, torch.bfloat16)
    assert cast.words.dtype == torch.bfloat16 and TINY.model.words.dtype == torch.float32
    assert cast_weights(TINY.model, torch.float32) is TINY.model


def test_the_number_format_has_a_reason():
    assert choose_dtype(torch.float32) == (torch.float32, "as asked for")
    dtype, reason = choose_dtype(None)
    assert dtype in (torch.bfloat16, torch.float32) and "CPU" in reason


@pytest.fixture
def recorded(tmp_path):
    """A record of a model that has a file."""
    path = tmp_path / "tiny.safetensors"
    assert isinstance(TINY.vocoder, Vocoder)
    save_checkpoint(path, TINY.model, TINY.vocoder, TINY.tokenizer, {"name": "t"})
    make(tmp_path / "r", replace(TINY, path=path), 5)
    return tmp_path / "r"


def test_the_command_says_how_many_bits_differ(recorded, capsys):
    assert main(["replay", str(recorded)]) == 0
    out = capsys.readouterr().out
    assert "values, 0 differing bits (5 micro-turns, made on cpu" in out and out.count("\n") == 1


def test_the_command_computes_with_as_many_threads_as_the_session(recorded, capsys):
    before = torch.get_num_threads()
    try:
        made = read_record(recorded).num_threads
        torch.set_num_threads(made + 1)
        assert main(["replay", str(recorded)]) == 0
        assert torch.get_num_threads() == made
    finally:
        torch.set_num_threads(before)


def test_the_command_exits_with_1_when_bits_differ(recorded, capsys):
    path = recorded / "streams-00000.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    assert main(["replay", str(recorded)]) in (0, 1)
    assert "differing bits" in capsys.readouterr().out


def test_the_command_refuses_another_model(recorded, tmp_path, capsys):
    other = untrained("tiny", seed=9)
    save_checkpoint(tmp_path / "o.safetensors", other.model, None, other.tokenizer, {})
    assert main(["replay", str(recorded), "--model", str(tmp_path / "o.safetensors")]) == 2
    assert "is not the model that made" in capsys.readouterr().err
    about = json.loads((recorded / "record.json").read_text())
    (recorded / "record.json").write_text(json.dumps(about | {"model": None}))
    assert main(["replay", str(recorded)]) == 2
    assert "give one with --model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "changed", "told"),
    [
        (
            [],
            {"device": "cuda", "hardware": "NVIDIA H200"},
            "was made on NVIDIA H200 (--device cuda); there is none here",
        ),
        (
            ["NVIDIA A10"],
            {"device": "cuda", "hardware": "NVIDIA H200"},
            "NVIDIA H200 (--device cuda), and here is NVIDIA A10: only the same GPU",
        ),
        ([], {"operations": "triton"}, "was made with triton, and here operations are torch"),
    ],
    ids=["no GPU", "another GPU", "other kernels"],
)
def test_the_command_refuses_another_path(recorded, monkeypatch, capsys, names, changed, told):
    monkeypatch.setattr("torch.cuda.device_count", lambda: len(names))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: names[device.index or 0])
    about = json.loads((recorded / "record.json").read_text())
    assert about["device"] == "cpu"
    (recorded / "record.json").write_text(json.dumps(about | changed))
    assert main(["replay", str(recorded)]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_the_command_refuses_what_is_not_a_record(tmp_path, capsys):
    assert main(["replay", str(tmp_path)]) == 2
    assert "record.json" in capsys.readouterr().err
