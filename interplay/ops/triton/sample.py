"""Which token to take from logits, as a Triton kernel: one program per row.

The random numbers are those of `ops.random`, made where they are used; the plain body with the same
name is in `interplay.ops.sample`. Knows nothing of streams or sessions.
"""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int
from torch import Tensor

TOKENS = 1024  # looked at together
GOLDEN = tl.constexpr(0x9E3779B97F4A7C15)
FIRST, SECOND = tl.constexpr(0xBF58476D1CE4E5B9), tl.constexpr(0x94D049BB133111EB)


def sample(
    logits: Float[Tensor, "b V"],
    seeds: Int[Tensor, " b"],
    positions: Int[Tensor, " b"],
    *,
    temperature: float,
) -> Int[Tensor, " b"]:
    """One token per row: the likeliest if `temperature` is 0, else Gumbel-max."""
    logits = logits.contiguous()
    out = torch.empty(len(logits), dtype=torch.int64, device=logits.device)
    if len(logits):
        _sample[(len(logits),)](
            logits, seeds.contiguous(), positions.contiguous(), out, logits.shape[1],
            temperature or 1.0, DRAW=temperature > 0, TOKENS=TOKENS,
        )  # fmt: skip
    return out


@triton.jit
@no_type_check  # a checking wrapper would hide this file's names from the interpreter
def _mix(x):
    x = (x ^ (x >> 30)) * FIRST
    x = (x ^ (x >> 27)) * SECOND
    return x ^ (x >> 31)


@triton.jit
@no_type_check  # a checking wrapper would hide this file's names from the interpreter
def _sample(
    logits_at, seeds_at, positions_at, out_at, num_tokens, temperature,
    DRAW: tl.constexpr, TOKENS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    seed = tl.load(seeds_at + row).to(tl.uint64)
    position = tl.load(positions_at + row).to(tl.uint64)
    key = _mix(_mix(seed + GOLDEN) + position * GOLDEN)
    top, best = float("-inf"), row * 0
    for start in range(0, num_tokens, TOKENS):
        token = start + tl.arange(0, TOKENS)
        value = tl.load(logits_at + row * num_tokens + token, mask=token < num_tokens, other=0.0)
        if DRAW:
            bits = _mix(key + (token + 1).to(tl.uint64) * GOLDEN) >> 11
            random = (bits.to(tl.float64) + 0.5) * (1.0 / (1 << 53))
            value = value / temperature - tl.log(-tl.log(random)).to(tl.float32)
        value = tl.where(token < num_tokens, value, float("-inf"))
        highest = tl.max(value, axis=0)
        first = tl.min(tl.where(value == highest, token, num_tokens), axis=0)
        best = tl.where(highest > top, first.to(tl.int64), best)
        top = tl.maximum(top, highest)
    tl.store(out_at + row, best)
