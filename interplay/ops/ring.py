"""Attention over a ring of keys: a sliding window and a pinned prefix, one session per slot.

The first `prefix_columns` columns (whole blocks) hold the positions with the same numbers; position
p after them lies in column prefix_columns + (p - prefix_columns) % ring. Nothing moves when the
window does, so the columns of a pass are a pure function of the positions: a CUDA graph can find
them by itself. Blocks are visited in the order of their positions, never of their columns.
This is the plain body; the kernel with the same names is in `ops.triton.ring`.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from interplay.ops.attention import BLOCK, attend, round_up, visible
from interplay.ops.kernels import kernels_on


def ring_columns(
    positions: Int[Tensor, "b r"], prefix_columns: int, ring: int
) -> Int[Tensor, "b r"]:
    """The column of each absolute position."""
    later = prefix_columns + (positions - prefix_columns) % ring
    return torch.where(positions < prefix_columns, positions, later)


def attend_ring(
    q: Float[Tensor, "b h r d"],
    k: Float[Tensor, "slots kvh columns d"],
    v: Float[Tensor, "slots kvh columns d"],
    slots: Int[Tensor, " b"],
    first: Int[Tensor, " b"],
    *,
    window: int,
    prefix: int,
    prefix_columns: int,
    block: int = BLOCK,
) -> Float[Tensor, "b h r d"]:
    """Softmax attention of rows at positions first, first + 1, ..., whose keys are written.

    A row at p sees the keys p - window < key <= p, and every key < prefix. The ring must hold
    window + r positions, rounded up to blocks. The plain body keeps the contract of
    `ops.attention`, so it gives the bits of a whole sequence on a CPU.
    """
    if kernels_on(q):
        from interplay.ops.triton import ring

        return ring.attend_ring(
            q, k, v, slots, first,
            window=window, prefix=prefix, prefix_columns=prefix_columns, block=block,
        )  # fmt: skip
    num_rows = q.shape[2]
    positions = first[:, None] + torch.arange(num_rows, device=q.device)
    oldest = (first - window + 1).clamp(min=prefix_columns) // block * block
    num_near = (window + num_rows - 2) // block + 2
    near = oldest[:, None] + torch.arange(num_near * block, device=q.device)
    pinned = torch.arange(prefix_columns, device=q.device).expand(len(near), -1)
    keys = torch.cat([pinned, near], dim=1)  # absolute positions, in order
    seen = visible(positions[:, :, None], keys[:, None], window, prefix)
    columns = ring_columns(keys, prefix_columns, k.shape[2] - prefix_columns)
    written = (keys <= positions[:, -1:])[:, None, :, None]
    k, v = (torch.where(written, x[slots[:, None], :, columns].transpose(1, 2), 0) for x in (k, v))
    seen = F.pad(seen, (0, -seen.shape[-1] % BLOCK))
    return attend(q, k, v, seen[:, None])


def attend_whole(
    q: Float[Tensor, "b h r d"],
    k: Float[Tensor, "b kvh r d"],
    v: Float[Tensor, "b kvh r d"],
    *,
    window: int,
    prefix: int,
) -> Float[Tensor, "b h r d"]:
    """Whole sequences by the kernels of `attend_ring`, with gradients: for training on GPUs."""
    return _Whole.apply(q, k, v, window, prefix)


class _Whole(torch.autograd.Function):
    """The ring's kernels forwards; torch's own attention once more backwards, whose gradients meet
    no sampler."""

    @staticmethod
    def forward(ctx, q, k, v, window, prefix):
        k, v = k.contiguous(), v.contiguous()
        slots = torch.arange(len(q), device=q.device)
        ctx.save_for_backward(q, k, v)
        ctx.window, ctx.prefix = window, prefix
        from interplay.ops.triton import ring

        return ring.attend_ring(
            q, k, v, slots, torch.zeros_like(slots), window=window, prefix=prefix,
            prefix_columns=round_up(prefix, BLOCK), block=BLOCK,
        )  # fmt: skip

    @staticmethod
    def backward(ctx, g):
        q, k, v = (x.detach().requires_grad_() for x in ctx.saved_tensors)
        at = torch.arange(q.shape[2], device=q.device)
        mask = visible(at[:, None], at[None], ctx.window, ctx.prefix)
        causal = q.shape[2] <= ctx.window
        with torch.enable_grad():
            out = F.scaled_dot_product_attention(
                q, k, v, attn_mask=None if causal else mask, is_causal=causal,
                enable_gqa=k.shape[1] != q.shape[1],
            )  # fmt: skip
        return *torch.autograd.grad(out, (q, k, v), g), None, None
