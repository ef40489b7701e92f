"""The run of `s` in its smoke form: every stage, on a CPU, through the script that people start."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from interplay.engine.precision import choose_device
from interplay.errors import DeviceError
from interplay.model.checkpoint import load_checkpoint
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.model.vocoder import Vocoder
from interplay.train.loop import TrainConfig
from interplay.train.throughput import probe_throughput
from tests.test_train import an_example

ROOT = Path(__file__).resolve().parent.parent


def run_s(*words: str) -> str:
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [ROOT / "runs" / "s.sh", *words],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_smoke_run_ends_with_a_small_file(tmp_path: Path):
    out = tmp_path / "s"
    said = run_s("--smoke", "--out", str(out))
    assert "training on cpu in" in said and "s-smoke.safetensors: done" in said
    loaded = load_checkpoint(out / "s-smoke.safetensors")
    assert loaded.facts["name"] == "s-smoke"
    assert isinstance(loaded.vocoder, Vocoder)
    num_params = sum(p.numel() for m in (loaded.model, loaded.vocoder) for p in m.parameters())
    assert (out / "s-smoke.safetensors").stat().st_size < 1.3 * num_params


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "CPU"])
def test_a_device_that_is_not_there_is_one_line(name: str):
    with pytest.raises(DeviceError, match="use cpu"):
        choose_device(name)


def test_the_probe_says_who_waits_and_leaves_the_model_alone():
    torch.manual_seed(0)
    model = InteractionModel(model_config("tiny", vocab_size=96))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    config = TrainConfig(num_steps=1, dtype=torch.float32, num_threads=1)
    found = probe_throughput(config, lambda step, progress: [an_example(step)] * 2, model)
    assert found.positions_per_s > 0 and not found.is_input_bound
    assert "batches keep up" in str(found)
    slow = replace(found, batch_s=3 * found.step_s, num_workers=2)
    assert slow.is_input_bound and "steps wait for batches" in str(slow)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
