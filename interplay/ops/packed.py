"""Weights as native products of a few rows read them: in panels of sixteen outputs, and in fewer
bytes where that loses nothing.

A live micro-turn is over when its weights have come from memory, so a weight whose every value is
a half-precision number is kept as those, and one that is int8 times a float32 per row, as int8
checkpoints are, as bytes. The native code (few_packed.cpp) makes the very same floats of them, so
no bit of a product depends on it. Knows nothing of layers or of models.
"""

import ctypes
from dataclasses import dataclass
from enum import IntEnum

import torch
from jaxtyping import Float
from torch import Tensor

PANEL = 16
FIRST_ROWS = 8  # of a weight, that are looked at before all the others: few weights are bytes
INT8_MAX = 127
ULPS = (0, 1, -1, 2, -2)  # a scale is the largest value over 127, give or take


class Kind(IntEnum):
    """How a packed weight is kept; `FewKind` of few_layers.h."""

    FULL = 0
    HALF = 1
    BYTE = 2


class Matrix(ctypes.Structure):
    """`FewMatrix` of few_layers.h."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("data", "scale")),
        *((name, ctypes.c_int64) for name in ("n", "k", "block", "kind")),
    ]


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A weight, or several of a shape. data: [..., panels, k, 16] of the kind's type. scale: of
    bytes, [..., panels * 16]."""

    data: Tensor
    scale: Tensor | None
    n: int
    kind: Kind

    def matrix(self, block: int) -> Matrix:
        """What native code takes; valid while this value lives. block: terms that a product adds
        up from zero."""
        scale = None if self.scale is None else self.scale.data_ptr()
        k = self.data.shape[-2]
        return Matrix(self.data.data_ptr(), scale, self.n, k, min(block, k), self.kind)

    @property
    def num_bytes(self) -> int:
        """What reading all of it takes from memory."""
        return sum(x.numel() * x.element_size() for x in (self.data, self.scale) if x is not None)


def pack(weight: Float[Tensor, "*num n k"]) -> Packed:
    """The float32 weight in panels, in the fewest bytes that hold every value of it."""
    weight = weight.detach()
    small = as_bytes(weight)
    if small is not None:
        values, scale = small
        n = weight.shape[-2]
        return Packed(data=_panels(values), scale=_padded(scale), n=n, kind=Kind.BYTE)
    half = weight.half()
    exact = torch.equal(half.float(), weight)
    return Packed(
        data=_panels(half if exact else weight),
        scale=None,
        n=weight.shape[-2],
        kind=Kind.HALF if exact else Kind.FULL,
    )


def as_bytes(weight: Float[Tensor, "*num n k"]) -> tuple[Tensor, Tensor] | None:
    """int8 values [..., n, k] and a float32 scale per row [..., n] whose products are the weight;
    None if there are none."""
    rows = weight.reshape(-1, weight.shape[-1])
    if len(rows) > FIRST_ROWS and _bytes_of(rows[:FIRST_ROWS]) is None:
        return None
    found = _bytes_of(rows)
    if found is None:
        return None
    return found[0].view(weight.shape), found[1].view(weight.shape[:-1])


def _bytes_of(rows: Float[Tensor, "n k"]) -> tuple[Tensor, Tensor] | None:
    peak = rows.abs().amax(-1) / INT8_MAX
    values = torch.zeros(rows.shape, dtype=torch.int8)
    scale, left = torch.zeros_like(peak), torch.arange(len(rows))
    for ulps in ULPS:
        tried = (peak[left].view(torch.int32) + ulps).clamp_min(0).view(torch.float32)
        mine = rows[left]
        whole = (mine / tried.clamp_min(torch.finfo(torch.float32).tiny)[:, None]).round()
        holds = ((whole * tried[:, None] == mine) & (whole.abs() <= INT8_MAX)).all(-1)
        if not holds.any():
            continue
        values[left[holds]], scale[left[holds]] = whole[holds].to(torch.int8), tried[holds]
        left = left[~holds]
        if not len(left):
            return values, scale
    return None


def _panels(weight: Tensor) -> Tensor:
    """[..., n, k] -> [..., panels, k, 16]"""
    n = weight.shape[-2]
    filled = torch.nn.functional.pad(weight, (0, 0, 0, -n % PANEL))
    return filled.unflatten(-2, (-1, PANEL)).transpose(-1, -2).contiguous()


def _padded(scale: Tensor) -> Tensor:
    return torch.nn.functional.pad(scale, (0, -scale.shape[-1] % PANEL)).contiguous()
