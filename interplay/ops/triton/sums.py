"""Sums along the last axis as a Triton kernel: a program sums one whole row.

The plain body with the same name is in `interplay.ops.sums`. Knows nothing of models.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor


def row_sum(x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows"]:
    """The sum of each row, in x's dtype; fp32 inside."""
    return _RowSum.apply(x)


@triton.jit
def _row_sum(x_at, out_at, width, WIDTH: tl.constexpr):
    row, column = tl.program_id(0).to(tl.int64), tl.arange(0, WIDTH)
    x = tl.load(x_at + row * width + column, mask=column < width, other=0.0).to(tl.float32)
    tl.store(out_at + row, tl.sum(x, axis=0).to(out_at.dtype.element_ty))


class _RowSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.width = x.shape[-1]
        out = torch.empty(x.shape[:-1], dtype=x.dtype, device=x.device)
        if out.numel():
            width = triton.next_power_of_2(ctx.width)
            _row_sum[(out.numel(),)](x.contiguous(), out, ctx.width, WIDTH=width)
        return out

    @staticmethod
    def backward(ctx, g):
        return g.unsqueeze(-1).expand(*g.shape, ctx.width)
