"""The processes of one run: which of them this is, and how they agree. Knows nothing of training.

`torchrun` starts n processes, the ranks, and tells each of them so; without it there is one, which
is the first and agrees with itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")


@contextmanager
def together() -> Iterator[None]:
    """What the processes of `torchrun` do in here they can do together."""
    if not dist.is_torchelastic_launched():
        yield
        return
    dist.init_process_group("gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def are_many() -> bool:
    """Whether the run belongs to `torchrun`, even if it has started one process only."""
    return dist.is_initialized()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def num_ranks() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this is the process that writes, prints and does what one alone can do."""
    return rank() == 0


def wait() -> None:
    """Until all are here."""
    if dist.is_initialized():
        dist.barrier()


def of_first(value: T) -> T:
    """The first process's value, for all."""
    if not dist.is_initialized():
        return value
    box: list = [value]
    dist.broadcast_object_list(box)
    return box[0]


def of_all(value: T) -> list[T]:
    """Everybody's value, in the order of the ranks."""
    if not dist.is_initialized():
        return [value]
    box: list = [None] * num_ranks()
    dist.all_gather_object(box, value)
    return box


def most_of_all(*values: float) -> list[float]:
    """Of each value the greatest that one of them has."""
    most = torch.tensor(values, dtype=torch.float64)
    if dist.is_initialized():
        dist.all_reduce(most, dist.ReduceOp.MAX)
    return most.tolist()
