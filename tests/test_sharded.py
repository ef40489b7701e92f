"""Training on several processes gives what one process gives, whoever goes on with it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sharded_program import (
    ALONE_UNTIL,
    INTERRUPT_AT,
    NUM_STEPS,
    VOCAB,
    Batches,
    a_model,
    a_run,
    fp32_products,
    main,
    meet,
    no_curves,
    noting,
)
from torch import Tensor

from interplay.errors import CheckpointError, ConfigError
from interplay.model.interaction import InteractionModel
from interplay.train import loop, optim
from interplay.train.loop import Trainer, train
from interplay.train.snapshots import snapshots
from interplay.train.texts import TextConfig, Texts

PROGRAM = Path(__file__).with_name("sharded_program.py")
TOLERANCE = 1e-6
STOPPED = f"step_{INTERRUPT_AT + 1:08d}.dcp"


@pytest.fixture(scope="module", autouse=True)
def exact_products() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optim, "has_bfloat16", fp32_products)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """With the same run twice: of one process in `one`, of two in `two`, which were stopped and
    went on; `copy` is as they were stopped, and in `more` one goes on from there, and then two.
    Losses and weights are in `alone`, `rank0`, `rank1`."""
    folder = tmp_path_factory.mktemp("sharded")
    notes = folder / "alone"
    notes.mkdir()
    words = (sys.executable, str(PROGRAM), "1", str(folder))
    other = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "draw_curves", no_curves)
        one = train(a_run(), Batches(), a_model(), folder / "one", kind=noting(Trainer, notes))
        torch.save(one.state_dict(), notes / "weights.pt")
        try:
            main(0, folder)
            _, errors = other.communicate(timeout=600)
        finally:
            other.kill()
    assert other.returncode == 0, errors
    return folder


@pytest.fixture(scope="module")
def sharded_trainer() -> type[Trainer]:
    """What it needs of torch loads for seconds: only in the worker that trains with it."""
    from interplay.train.sharded import ShardedTrainer

    return ShardedTrainer


@pytest.fixture
def alone(tmp_path) -> Iterator[None]:
    """A group of one process, this one."""
    meet(tmp_path, 0, 1)
    yield
    torch.distributed.destroy_process_group()


def losses_in(notes: Path) -> list[float]:
    return [float(line) for line in (notes / "losses").read_text().splitlines()]


def differ(losses: list[float], wanted: list[float]) -> float:
    """Relative: the losses are fp32 numbers of about 27, whose steps are 2e-6."""
    return max(abs(a / b - 1) for a, b in zip(losses, wanted, strict=True))


def assert_close(weights: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    for name, weight in wanted.items():
        torch.testing.assert_close(weights[name], weight, rtol=0, atol=TOLERANCE)


def test_two_processes_give_the_losses_and_weights_of_one(folder):
    wanted, trained = losses_in(folder / "alone"), torch.load(folder / "alone" / "weights.pt")
    assert len(wanted) == NUM_STEPS
    for name, weight in a_model().state_dict().items():
        has_moved = float((trained[name] - weight).abs().max()) > 1000 * TOLERANCE
        assert has_moved != name.startswith(("voice.flow_", "voice.mel_")), name
    for rank in ("rank0", "rank1"):
        assert differ(losses_in(folder / rank)[:NUM_STEPS], wanted) <= TOLERANCE
        assert_close(torch.load(folder / rank / "weights.pt"), trained)
    steps = [
        json.loads(line)["step"] for line in (folder / "two" / "log.jsonl").read_text().splitlines()
    ]
    assert steps == list(range(1, NUM_STEPS + 1))


def test_what_two_processes_saved_one_goes_on_with(
    folder, alone, sharded_trainer, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(loop, "draw_curves", no_curves)
    assert [path.name for path in snapshots(folder / "copy")] == [STOPPED]
    kind = noting(sharded_trainer, tmp_path)
    trained = train(a_run(), Batches(), a_model(7), folder / "copy", resume=True, kind=kind)
    wanted = losses_in(folder / "alone")[INTERRUPT_AT + 1 :]
    assert differ(losses_in(tmp_path), wanted) <= TOLERANCE
    assert_close(trained.state_dict(), torch.load(folder / "alone" / "weights.pt"))
    capsys.readouterr()


def test_what_one_process_saved_two_go_on_with(folder):
    saved = [path.name for path in snapshots(folder / "more")]
    assert saved == [f"step_{ALONE_UNTIL + 1:08d}.dcp", f"step_{NUM_STEPS:08d}.dcp"]
    wanted, trained = losses_in(folder / "alone"), torch.load(folder / "alone" / "weights.pt")
    for rank, since in (("rank0", INTERRUPT_AT), ("rank1", ALONE_UNTIL)):
        losses = losses_in(folder / rank)[NUM_STEPS:]
        assert differ(losses, wanted[since + 1 :]) <= TOLERANCE
        assert_close(torch.load(folder / rank / "more.pt"), trained)


def test_replayed_texts_give_the_same_gradients(alone, sharded_trainer):
    class SomeTexts(Texts):
        def __init__(self):
            self.config = TextConfig(num_rows=2)
            self.kept = np.random.default_rng(0).integers(1, VOCAB, (5, 17))

    config = replace(a_run(), warm=None)
    trainers = [kind(config, a_model(), SomeTexts()) for kind in (Trainer, sharded_trainer)]
    for trainer in trainers:
        losses = trainer._accumulate(Batches()(0, 0.0))
        assert "text" in losses.parts
    one, sharded = ([weight.grad for weight in t.optimizer.weights] for t in trainers)
    for wanted, found in zip(one, sharded, strict=True):
        if wanted is not None:
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


def test_experts_are_moved_as_one_process_moves_them(alone, sharded_trainer):
    config, experts = replace(a_run(), warm=None), {"num_experts": 3, "expert_ff_dim": 64}
    trainers = []
    for kind in (Trainer, sharded_trainer):
        sizes = a_model().config
        torch.manual_seed(0)
        backbone = replace(sizes.backbone, ff_dim=0, **experts)
        trainers.append(kind(config, InteractionModel(replace(sizes, backbone=backbone))))
        trainers[-1].advance(Batches()(0, 0.0))
    one, sharded = (trainer._own for trainer in trainers)
    experts = [name for name, weight in one.items() if weight.ndim == 3]
    assert len(experts) == 2
    for name in experts:
        torch.testing.assert_close(sharded[name], one[name], rtol=0, atol=1e-5)


def test_snapshots_of_the_other_kind_say_how_to_go_on(folder, alone, sharded_trainer):
    sharded = sharded_trainer(a_run(), a_model())
    with pytest.raises(CheckpointError, match="saved by one process; go on without torchrun"):
        sharded.restore(snapshots(folder / "one")[-1])
    with pytest.raises(CheckpointError, match="saved under torchrun; go on with `torchrun -m"):
        Trainer(a_run(), a_model()).restore(snapshots(folder / "two")[-1])
    damaged = folder / "two" / STOPPED
    (damaged / ".metadata").write_bytes(b"")
    with pytest.raises(CheckpointError, match="delete it to go on from the snapshot before"):
        sharded.restore(damaged)


def test_threads_that_cannot_be_shared_are_refused(sharded_trainer, monkeypatch):
    monkeypatch.setattr("interplay.train.ranks.num_ranks", lambda: 3)
    with pytest.raises(ConfigError, match=r"3 processes cannot share 2 threads .* --threads 3"):
        sharded_trainer(a_run(), a_model())


def test_other_devices_are_refused(alone, sharded_trainer):
    with pytest.raises(ConfigError, match="the device is cuda; several processes train on CPUs"):
        sharded_trainer(replace(a_run(), device=torch.device("cuda")), a_model())
