"""Going on from a trained model: its weights into a new one that may be wider in places.

Where a weight grew, the old one fills the first rows and columns; new columns that are added to a
sum begin at zero, so that the new model begins as the old one was. Knows nothing of files or
optimizers.
"""

import torch
from torch import Tensor, nn

from interplay.errors import ConfigError

SUMS = ("mean_out",)  # of the weights that may grow, those whose columns are summands


@torch.no_grad()
def start_from(model: nn.Module, old: nn.Module) -> list[str]:
    """Fill `model` with the weights of `old`; returns the names of those that grew.

    Raises ConfigError where a weight is missing, has more dimensions or is smaller than the old.
    """
    target, source = model.state_dict(), old.state_dict()
    grown = []
    for name, value in source.items():
        into = target.get(name)
        if into is None or into.ndim != value.ndim or not _fits(value, into):
            seen = "is not there" if into is None else f"has shape {list(into.shape)}"
            raise ConfigError(
                f"cannot start from these weights: {name} has shape {list(value.shape)} and "
                f"{seen} in the new model; start from a model of the same size"
            )
        if into.shape != value.shape:
            grown.append(name)
            if name.rsplit(".", 1)[-1] in SUMS:
                into.zero_()
        into[tuple(slice(size) for size in value.shape)] = value
    if missing := set(target) - set(source):
        raise ConfigError(f"cannot start from these weights: they lack {min(missing)}")
    return grown


def _fits(value: Tensor, into: Tensor) -> bool:
    return all(a <= b for a, b in zip(value.shape, into.shape, strict=True))
