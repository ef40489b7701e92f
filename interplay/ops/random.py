"""Random numbers that depend on a seed and a position only. Knows nothing of sessions.

Counter-based: nothing is drawn from a stream, so a batch, its order and its cuts cannot change
a number. The mixing step is the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)  # as signed 64-bit numbers: torch has no unsigned ones
MULTIPLIERS = (0xBF58476D1CE4E5B9 - (1 << 64), 0x94D049BB133111EB - (1 << 64))


def uniform(
    seed: int | Int[Tensor, "*#shape"], position: Int[Tensor, "*shape"], n: int
) -> Float[Tensor, "*shape n"]:
    """`n` float64 numbers in (0, 1) per position; `seed` is one number or one per position."""
    lanes = torch.arange(n, dtype=torch.int64, device=position.device)
    seeds = torch.as_tensor(seed, dtype=torch.int64, device=position.device)
    key = _mix(_mix(seeds + GOLDEN) + position * GOLDEN)
    bits = _shift(_mix(key[..., None] + (lanes + 1) * GOLDEN), 11)
    return (bits.double() + 0.5) * 2.0**-53


def normal(
    seed: int | Int[Tensor, "*#shape"], position: Int[Tensor, "*shape"], n: int
) -> Float[Tensor, "*shape n"]:
    """`n` standard normal fp32 numbers per position (Box and Muller 1958, in float64)."""
    half = (n + 1) // 2
    radius, angle = uniform(seed, position, 2 * half).split(half, dim=-1)
    radius = (-2 * radius.log()).sqrt()
    angle = 2 * math.pi * angle
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=-1)[..., :n].float()


def _shift(x: Tensor, by: int) -> Tensor:
    """Shift right without the sign."""
    return (x >> by) & ((1 << (64 - by)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * MULTIPLIERS[0]
    x = (x ^ _shift(x, 27)) * MULTIPLIERS[1]
    return x ^ _shift(x, 31)
