"""Batches as one block of bytes: the same bits as assembled by the trainer, from any process."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from interplay.data.dry import Dry, Track
from interplay.data.example import Example
from interplay.data.surroundings import draw_surroundings
from interplay.errors import DeviceError
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.train import loop
from interplay.train.batch import Batch, HistoryNoise, each_tensor
from interplay.train.feed import WorkerFeed
from interplay.train.loop import TrainConfig, Trainer, train
from interplay.train.parcel import Parcel, Parcels, _shared, num_positions
from interplay.train.snapshots import snapshots
from interplay.train.throughput import probe_throughput
from interplay.turns.types import NUM_TILES, TILE_PX
from tests.train_helpers import VOCAB, Batches, an_example


class FilmsAndDry:
    """Two sessions, one of them with a camera in two of its micro-turns; or two dry ones."""

    def __call__(self, step: int, progress: float) -> Sequence[Example]:
        if step % 2:
            return DryBatches()(step, progress)
        blind, seen = Batches()(step, progress)
        rng = np.random.default_rng(step)
        seen.streams.see = rng.integers(0, 256, (3, NUM_TILES, 2, TILE_PX, TILE_PX, 3), np.uint8)
        seen.streams.see_on = np.array([False, True, True])
        return [blind, seen]


class DryBatches:
    """Two dry sessions per step."""

    def __call__(self, step: int, progress: float) -> Sequence[Example]:
        return [replace(an_example(2 * step + row), dry=_dry((step, row))) for row in range(2)]


def _dry(seed: tuple[int, int]) -> Dry:
    rng = np.random.default_rng(seed)
    user, own = (Track.of(0.1 * rng.standard_normal(9600, np.float32)) for _ in range(2))
    around = draw_surroundings(rng, 9600, 0.8, has_own=True, as_seeds=True)
    return Dry(user=user, own=own, around=around, filters=3)


def parcels(batches, num_shares: int = 1, seed: int = 0) -> Parcels:
    model = a_model()
    mean, std = model.voice.mel_mean.numpy(), model.voice.mel_std.numpy()
    return Parcels(batches, num_shares, mean, std, HistoryNoise(), seed)


def a_model() -> InteractionModel:
    torch.manual_seed(1)
    return InteractionModel(model_config("tiny", vocab_size=VOCAB))


def tensors(batch: Batch) -> list[Tensor]:
    found: list[Tensor] = []

    def noted(part: Tensor) -> Tensor:
        found.append(part)
        return part

    each_tensor(batch, noted)
    return found


def assert_equal(one: Batch, other: Batch) -> None:
    for a, b in zip(tensors(one), tensors(other), strict=True):
        assert a.dtype == b.dtype and torch.equal(a, b)


def test_a_parcel_holds_the_batch_and_so_it_arrives_from_another_process():
    batches = FilmsAndDry()
    made = parcels(batches)
    with WorkerFeed(made, 1) as feed:
        for step, num_tiles in ((4, 2 * NUM_TILES), (5, 0)):
            feed.ask(step, 0.5)
            examples = batches(step, 0.5)
            assembled = made._assembled(examples, step, 0)
            (parcel,) = made(step, 0.5)
            assert len(parcel) == 2 and parcel.num_positions == num_positions(examples)
            assert parcel.num_positions == 2 * 3 * 8 + num_tiles
            assert_equal(parcel.open(), assembled)
            (arrived,) = feed.take()
            assert isinstance(arrived, Parcel) and arrived.block.is_shared()
            assert_equal(arrived.open(), assembled)


def test_too_little_shared_memory_is_one_line():
    with pytest.raises(DeviceError, match=r"batch of \d+ MB; make /dev/shm larger"):
        _shared(1 << 50)


def test_dry_sessions_are_heard_from_a_parcel_as_without_one():
    made = parcels(DryBatches())
    heard = made(2, 0.5)[0].open().heard()
    assert heard.sounds is None and heard.inputs.hear.float().std() > 0
    assert_equal(heard, made._assembled(DryBatches()(2, 0.5), 2, 0).heard())


def test_a_trainer_learns_the_same_from_parcels_as_from_examples():
    config = TrainConfig(num_steps=3, num_threads=2, dtype=torch.float32)
    trainers = [Trainer(config, a_model()) for _ in range(2)]
    for step in range(2):
        trainers[0].advance(Batches()(step, 0.5))
        trainers[1].advance(parcels(Batches(), num_shares=2)(step, 0.5))
    one, other = (trainer.model.state_dict() for trainer in trainers)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert trainers[0].num_positions == trainers[1].num_positions == 48


def test_a_resumed_run_hears_the_same(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(loop, "draw_curves", lambda log, picture: None)

    def run(folder: Path, until: int | None = None) -> dict[str, Tensor]:
        made = parcels(DryBatches())
        config = TrainConfig(
            num_steps=4, num_threads=1, num_workers=0, dtype=torch.float32, save_minutes=1e-9
        )

        def batches(step: int, progress: float):
            if step == until:
                raise KeyboardInterrupt
            return made(step, progress)

        resume = bool(snapshots(folder))
        return train(config, batches, a_model(), folder, resume=resume).state_dict()

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", until=2)
    assert [path.stem for path in snapshots(tmp_path / "parts")][-1] == "step_00000002"
    parts = run(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    capsys.readouterr()


def test_the_probe_tells_what_hearing_takes():
    config = TrainConfig(num_steps=1, dtype=torch.float32, num_threads=1)
    found = probe_throughput(config, parcels(DryBatches()), a_model())
    assert 0 < found.heard_s < found.step_s
    assert f"({1000 * found.heard_s:.0f} ms of it to move and hear a batch)" in str(found)
