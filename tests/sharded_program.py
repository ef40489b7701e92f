"""One of several processes that train a tiny model together; test_sharded.py is another."""

import contextlib
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from interplay.data.example import Example
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.train import loop, optim
from interplay.train.loop import TrainConfig, Trainer, train
from interplay.train.losses import LossConfig, Losses
from interplay.train.optim import OptimConfig
from interplay.train.warm import WarmConfig
from interplay.turns.types import PAD, Streams

VOCAB, NUM_STEPS, INTERRUPT_AT, ALONE_UNTIL = 96, 100, 88, 92


def an_example(seed: int, num_turns: int = 3) -> Example:
    """Random sound and words; the odd ones never speak."""
    rng = np.random.default_rng(seed)
    streams = Streams.empty(num_turns, subframes=4, first_turn=7)
    streams.hear[:] = rng.integers(0, 16, streams.hear.shape)
    for name in ("heard", "say", "act"):
        tokens = rng.integers(1, VOCAB, (num_turns, 4))
        getattr(streams, name)[:] = np.where(rng.random((num_turns, 4)) < 0.4, tokens, PAD)
    if seed % 2 == 0:
        streams.voice_on[1:] = True
        shape = streams.voice[streams.voice_on].shape
        streams.voice[streams.voice_on] = rng.normal(-3, 1, shape).astype(np.float32)
    phones = rng.integers(-1, 44, (num_turns, 4)).astype(np.int8)
    known = np.ones(num_turns, bool)
    return Example(streams=streams, phones_user=phones, phones_own=phones, heard_known=known)


class Batches:
    """Two sessions, of which the second, another process's share, is silent; while the batch
    `interrupt_at` is made the user presses Ctrl-C."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self.interrupt_at = interrupt_at

    def __call__(self, step: int, progress: float) -> list[Example]:
        if step == self.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        return [an_example(4 * step), an_example(4 * step + 1)]


def a_model(seed: int = 0) -> InteractionModel:
    torch.manual_seed(seed)
    config = model_config("tiny", vocab_size=VOCAB)
    return InteractionModel(replace(config, backbone=replace(config.backbone, num_layers=1)))


def a_run() -> TrainConfig:
    """In fp32; the backbone rests for the first ten steps, and the flow head has no turn."""
    return TrainConfig(
        num_steps=NUM_STEPS,
        dtype=torch.float32,
        num_threads=2,
        num_workers=0,
        log_every=1,
        save_minutes=1e6,
        losses=LossConfig(flow_from=2.0),
        optim=OptimConfig(warmup_steps=5),
        warm=WarmConfig(new_until=0.1, rate=0.5),
    )


class Noting(Trainer):
    """Notes the loss of every step in full: logs round."""

    notes: Path

    def advance(self, examples: Sequence[Example]) -> Losses:
        losses = super().advance(examples)
        with (self.notes / "losses").open("a") as file:
            file.write(f"{float(losses.total)}\n")
        return losses


def noting(kind: type[Trainer], notes: Path) -> type[Trainer]:
    """A trainer of that kind that notes its losses in the folder `notes`."""
    return type("Noting", (Noting, kind), {"notes": notes})


def fp32_products(device: torch.device) -> bool:
    """In the place of `has_bfloat16`: rounded so, sums of two shares differ by more than 1e-6."""
    return False


def no_curves(log: Path, picture: Path) -> None:
    """In the place of `draw_curves`, which takes longer than such runs."""


def meet(folder: Path, rank: int, num_ranks: int, name: str = "meet") -> None:
    """Become one of the processes that use `folder`; every meeting there has a name of its own."""
    method = f"file://{folder}/{name}"
    torch.distributed.init_process_group(
        "gloo", init_method=method, rank=rank, world_size=num_ranks
    )


def main(rank: int, folder: Path) -> None:
    """A run of two that is stopped by the second process's user, copied, and gone on with. Of the
    copy the first process alone makes some steps, and then both the rest."""
    from interplay.train.sharded import ShardedTrainer

    warnings.simplefilter("error")
    loop.draw_curves = no_curves
    optim.has_bfloat16 = fp32_products
    torch.set_num_threads(1)
    meet(folder, rank, 2)
    out, interrupt_at = folder / "two", INTERRUPT_AT if rank == 1 else None
    notes = folder / f"rank{rank}"
    notes.mkdir()
    kind = noting(ShardedTrainer, notes)
    try:
        train(a_run(), Batches(interrupt_at), a_model(), out, kind=kind)
    except KeyboardInterrupt:
        if rank == 0:
            shutil.copytree(out, folder / "copy")
            shutil.copytree(out, folder / "more")
    torch.distributed.barrier()
    trained = train(a_run(), Batches(), a_model(9), out, resume=True, kind=kind)
    torch.save(trained.state_dict(), notes / "weights.pt")
    torch.distributed.destroy_process_group()
    _one_then_two(rank, folder, kind)


def _one_then_two(rank: int, folder: Path, kind: type[Trainer]) -> None:
    """Losses go behind those of the whole run, but the first process's alone."""
    out = folder / "more"
    if rank == 0:
        meet(folder, 0, 1, "meet_alone")
        with contextlib.suppress(KeyboardInterrupt):
            train(a_run(), Batches(ALONE_UNTIL), a_model(8), out, resume=True, kind=kind)
        torch.distributed.destroy_process_group()
    meet(folder, rank, 2, "meet_again")
    trained = train(a_run(), Batches(), a_model(7), out, resume=True, kind=kind)
    torch.save(trained.state_dict(), folder / f"rank{rank}" / "more.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
