"""Random numbers that are a function of (seed, counter, stream, index). Knows nothing of sessions.

Counter-based, so that a session draws the same numbers whatever else runs in its batch and
wherever it is taken up again. The mixing function is splitmix64's finalizer (Steele et al. 2014).
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
_FIRST = 0xBF58476D1CE4E5B9 - (1 << 64)
_SECOND = 0x94D049BB133111EB - (1 << 64)
_BITS = 24  # of a float32 in [0, 1)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of int64."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = x + _GOLDEN
    x = (x ^ _shift(x, 30)) * _FIRST
    x = (x ^ _shift(x, 27)) * _SECOND
    return x ^ _shift(x, 31)


def uniform(
    seeds: Int[Tensor, " b"], counters: Int[Tensor, " b"], num: int, *, stream: int
) -> Float[Tensor, "b num"]:
    """`num` numbers in (0, 1), fp32, per (seed, counter)."""
    key = _mix(_mix(_mix(seeds.long()) ^ counters.long()) ^ stream)
    bits = _shift(_mix(key.unsqueeze(1) ^ _mix(torch.arange(num))), 64 - _BITS)
    return (bits.float() + 0.5) * 2.0**-_BITS


def normal(
    seeds: Int[Tensor, " b"], counters: Int[Tensor, " b"], num: int, *, stream: int
) -> Float[Tensor, "b num"]:
    """`num` standard normal numbers, fp32, per (seed, counter) (Box and Muller 1958)."""
    half = -(-num // 2)
    radius, angle = uniform(seeds, counters, 2 * half, stream=stream).split(half, dim=1)
    radius, angle = torch.sqrt(-2 * torch.log(radius)), 2 * math.pi * angle
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)[:, :num]
