"""A batch as one block of bytes, made by the process that composed it.

Between processes a block is passed as shared memory and not copied, and to a GPU it goes in one
transfer; what is left to the process that trains costs it no arithmetic. Knows nothing of models.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from interplay.data.example import Example
from interplay.errors import DeviceError
from interplay.train.batch import Batch, HistoryNoise, assemble, each_tensor
from interplay.train.feed import Batches
from interplay.turns import layout

T = TypeVar("T")
ALIGNED = 64  # bytes, where every tensor begins


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """block: uint8, all tensors one after the other. shapes: the batch, its tensors without
    memory. num_positions: of all sessions."""

    block: Tensor
    shapes: Batch
    num_positions: int

    @staticmethod
    def of(batch: Batch, num_positions: int) -> "Parcel":
        parts: list[Tensor] = []

        def noted(part: Tensor) -> Tensor:
            parts.append(part.contiguous())
            return torch.empty(part.shape, dtype=part.dtype, device="meta")

        shapes = each_tensor(batch, noted)
        block = _shared(sum(map(_room, parts)))
        at = 0
        for part in parts:
            _view(block, at, part).copy_(part)
            at += _room(part)
        return Parcel(block=block, shapes=shapes, num_positions=num_positions)

    def __len__(self) -> int:
        return len(self.shapes.scored)

    def to(self, device: torch.device) -> "Parcel":
        """The same on `device`."""
        if self.block.device.type == device.type:
            return self
        block = self.block.pin_memory().to(device, non_blocking=True)
        return replace(self, block=block)

    def open(self) -> Batch:
        """The batch where the block is, which is its memory."""
        at = 0

        def found(part: Tensor) -> Tensor:
            nonlocal at
            at += _room(part)
            return _view(self.block, at - _room(part), part)

        return each_tensor(self.shapes, found)


@dataclass(frozen=True)
class Parcels:
    """Batches as parcels, one for each share that is computed by itself, as a trainer assembles
    them from examples (train.loop). seed: of the trainer."""

    batches: Batches
    num_shares: int
    mel_mean: np.ndarray
    mel_std: np.ndarray
    noise: HistoryNoise
    seed: int

    def __call__(self, step: int, progress: float) -> Sequence[Parcel]:
        return [
            Parcel.of(self._assembled(share, step, number), num_positions(share))
            for number, share in enumerate(cut(self.batches(step, progress), self.num_shares))
        ]

    def _assembled(self, share: Sequence[Example], step: int, number: int) -> Batch:
        return assemble(
            share,
            mel_mean=self.mel_mean,
            mel_std=self.mel_std,
            noise=self.noise,
            seed=(self.seed, step, number),
        )


Examples = Sequence[Example] | Sequence[Parcel]  # a batch: parcels are its shares
Share = Sequence[Example] | Parcel


def shares_of(examples: Examples, number: int) -> Sequence[Share]:
    """What is computed by itself: parcels are, examples are cut."""
    parcels = [part for part in examples if isinstance(part, Parcel)]
    return parcels or cut([part for part in examples if isinstance(part, Example)], number)


def cut(examples: Sequence[T], number: int) -> list[Sequence[T]]:
    """Up to `number` shares of a batch, as equal as can be."""
    size = -(-len(examples) // number)
    return [examples[start : start + size] for start in range(0, len(examples), size)]


def num_positions(examples: Examples) -> int:
    """Of all sessions of a batch."""
    return sum(
        part.num_positions if isinstance(part, Parcel) else layout.num_positions(part.streams)
        for part in examples
    )


def to_device(examples: Examples, device: torch.device) -> Examples:
    """Parcels on `device`; examples as they are."""
    return [part.to(device) for part in examples if isinstance(part, Parcel)] or examples


def _shared(num_bytes: int) -> Tensor:
    """Memory that is passed between processes as it is. Raises DeviceError where there is none."""
    try:
        storage = torch.UntypedStorage._new_shared(num_bytes)  # as torch's own loader has it
    except RuntimeError:
        raise DeviceError(
            f"no shared memory for a batch of {num_bytes / 1e6:.0f} MB; make /dev/shm larger, in a "
            "container with `docker run --shm-size=16g`"
        ) from None
    return torch.empty(0, dtype=torch.uint8).set_(storage)


def _room(part: Tensor) -> int:
    """Bytes, rounded up."""
    return -(-part.numel() * part.element_size() // ALIGNED) * ALIGNED


def _view(block: Tensor, at: int, part: Tensor) -> Tensor:
    """The bytes from `at` on as a tensor such as `part`."""
    size = part.numel() * part.element_size()
    return block[at : at + size].view(part.dtype).view(part.shape)
