"""How fast this machine trains, before it does: what a step takes, what a batch takes, who waits.

Nothing of the run is touched: the steps are made on a copy. Knows nothing of recipes.
"""

import copy
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from interplay.model.interaction import InteractionModel
from interplay.train.feed import Batches
from interplay.train.loop import TrainConfig, Trainer
from interplay.train.parcel import Examples, Parcel

NUM_WARM_UP = 3  # steps that load kernels and do not count
NUM_STEPS = 5
NUM_BATCHES = 4  # some may be films
LATE = 0.9  # progress at which all losses are on and sessions are long
SPARE_CORES = 2  # for the trainer itself and for the system


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """step_s: one step of training. batch_s: one worker, one batch. positions_per_s of training.
    num_workers: as many as keep up with the steps, or as there are cores for. heard_s: the part of
    a step that brings a parcel to the device and hears it."""

    step_s: float
    batch_s: float
    positions_per_s: float
    num_workers: int
    heard_s: float = 0.0

    @property
    def is_input_bound(self) -> bool:
        """Whether steps wait for batches: fewer threads per batch, or more cores, would help."""
        return self.batch_s / self.num_workers > self.step_s

    def __str__(self) -> str:
        verdict = "steps wait for batches" if self.is_input_bound else "batches keep up"
        return (
            f"{self.positions_per_s:,.0f} positions/s, a step takes {1000 * self.step_s:.0f} ms "
            f"({1000 * self.heard_s:.0f} ms of it to move and hear a batch), a "
            f"batch {1000 * self.batch_s:.0f} ms in each of {self.num_workers} workers: {verdict}"
        )


def probe_throughput(config: TrainConfig, batches: Batches, model: InteractionModel) -> Throughput:
    """Time a few batches and a few steps; takes under a minute."""
    made = [batches(0, LATE)]  # it opens the corpus
    began = time.perf_counter()
    made += [batches(step, LATE) for step in range(1, NUM_BATCHES + 1)]
    batch_s = (time.perf_counter() - began) / NUM_BATCHES
    trainer = Trainer(replace(config, minutes=None, num_steps=1000), copy.deepcopy(model))
    _advance(trainer, made, NUM_WARM_UP)
    began = time.perf_counter()
    _advance(trainer, made, NUM_STEPS)
    step_s = (time.perf_counter() - began) / NUM_STEPS
    cores = len(os.sched_getaffinity(0)) - SPARE_CORES
    return Throughput(
        step_s=step_s,
        batch_s=batch_s,
        positions_per_s=trainer.num_positions / step_s,
        num_workers=max(1, min(cores, int(1.2 * batch_s / step_s) + 1)),
        heard_s=_time_hearing(made, config.device),
    )


def _time_hearing(made: Sequence[Examples], device: torch.device) -> float:
    """Seconds in which the parcels of a batch, if it is some, are there and heard."""
    began = time.perf_counter()
    for examples in made:
        for part in examples:
            if isinstance(part, Parcel):
                part.to(device).open().heard()
    _wait_for(device)
    return (time.perf_counter() - began) / len(made)


def _advance(trainer: Trainer, made: Sequence[Examples], num_steps: int) -> None:
    """Steps whose end is waited for: the norm of the gradient comes back from the device."""
    for step in range(num_steps):
        trainer.advance(made[step % len(made)])
    _wait_for(trainer.config.device)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
