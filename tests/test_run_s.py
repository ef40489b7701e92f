"""The run of `s` in its smoke form: every stage, on a CPU; and the script that people start."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from interplay.cli import EXIT_INTERRUPTED, main
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data import bank, rehearsal
from interplay.data.speech import Utterance
from interplay.data.texts.speakers import draw_pools
from interplay.engine.precision import choose_device
from interplay.errors import DeviceError
from interplay.model.checkpoint import load_checkpoint
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.model.vocoder import Vocoder
from interplay.recipes import run
from interplay.train import loop
from interplay.train.feed import PlainFeed
from interplay.train.loop import TrainConfig, Trainer
from interplay.train.snapshots import snapshots
from interplay.train.throughput import probe_throughput
from tests.test_train import an_example

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "runs" / "s.sh"
WORD_S = 0.1


def speak(text: str, voice: str) -> Utterance:
    """In place of an engine: noise, as long as its words are many."""
    words = text.lower().split()
    num_samples = round(len(words) * WORD_S * SAMPLE_RATE_HZ)
    rng = np.random.default_rng(len(text))
    return Utterance(
        text=text,
        voice=voice,
        engine=voice.split(":")[0],
        samples=rng.integers(-3000, 3000, num_samples).astype(np.int16),
        words=[(word, k * WORD_S, (k + 1) * WORD_S) for k, word in enumerate(words)],
        phones=[(1 + k % 3, k * WORD_S, (k + 1) * WORD_S) for k in range(len(words))],
    )


def few_texts(rng: np.random.Generator, **counts: int) -> dict[str, list[str]]:
    """Of each kind a twentieth."""
    return draw_pools(rng, **{kind: count // 20 for kind, count in counts.items()})


@pytest.mark.parametrize(
    "words, recipe", [([], "s"), (["--smoke"], "s-smoke"), (["s-moe"], "s-moe")]
)
def test_the_script_names_the_recipe_and_passes_options_on(words: list[str], recipe: str):
    done = subprocess.run(
        [SCRIPT, *words, "--resume"],
        env={**os.environ, "PYTHON": "/bin/echo"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["-m", "interplay", "train", recipe, "--resume"]


def test_a_run_that_is_stopped_and_moved_goes_on_and_ends_with_eyes(
    tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.setattr(bank, "synthesize", speak)
    monkeypatch.setattr(rehearsal, "draw_pools", few_texts)
    monkeypatch.setattr(run, "SHORTEST_MINUTES", 0.01)
    monkeypatch.setattr(loop, "draw_curves", lambda log, picture: None)
    monkeypatch.setattr(loop, "WorkerFeed", lambda batches, *_: PlainFeed(batches))
    folder, moved = tmp_path / "here", tmp_path / "there"
    command = ["train", "s-smoke", "--minutes", "0.01", "--threads", "1", "--out"]
    advance, note_check = Trainer.advance, loop.note_check
    checked = []

    def noted(log, at, model, groups, dtype):
        checked.append(groups)
        note_check(log, at, model, groups, dtype)

    monkeypatch.setattr(loop, "note_check", noted)

    def stopped(trainer: Trainer, examples):
        if trainer.step == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return advance(trainer, examples)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", stopped)
        assert main([*command, str(folder)]) == EXIT_INTERRUPTED
    assert f"{folder} is kept; go on with the same command and --resume" in capsys.readouterr().out
    assert [path.stem for path in snapshots(folder / "model")] == ["step_00000002"]
    assert not list(folder.glob("*.safetensors"))
    shutil.move(folder, moved)
    assert main([*command, str(moved), "--resume"]) == 0
    said = capsys.readouterr().out
    assert "synthesising" not in said and "s-smoke.safetensors: done" in said
    assert checked and all("eyes" in groups for groups in checked)
    loaded = load_checkpoint(moved / "s-smoke.safetensors")
    assert loaded.facts["name"] == "s-smoke" and loaded.config.see is not None
    assert isinstance(loaded.vocoder, Vocoder)
    num_params = sum(p.numel() for m in (loaded.model, loaded.vocoder) for p in m.parameters())
    assert (moved / "s-smoke.safetensors").stat().st_size < 1.3 * num_params


@pytest.mark.slow
def test_the_script_runs_all_stages_with_real_voices_and_processes(tmp_path: Path):
    out = tmp_path / "s"
    done = subprocess.run(
        [SCRIPT, "--smoke", "--out", str(out)],
        env={**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "training on cpu in" in done.stdout and "s-smoke.safetensors: done" in done.stdout
    assert load_checkpoint(out / "s-smoke.safetensors").config.see is not None


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
