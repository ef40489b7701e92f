"""Causal attention for training on CPUs, under a window or without one: the stock kernel forwards,
our own products backwards.

The stock backward pass takes twice the time of these few batched products. The forward bits are
those of `scaled_dot_product_attention`; gradients need no row independence, so only speed and a
small error count here. Knows nothing of models.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 128  # query rows at once; keys after a block are never touched
Forward = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
NUM_EXTRA = 2  # columns that carry a row's own number through a product, high and low part


def causal_attention(
    q: Float[Tensor, "b h r d"], k: Float[Tensor, "b kvh r d"], v: Float[Tensor, "b kvh r d"]
) -> Float[Tensor, "b h r d"]:
    """Softmax attention of whole sequences in bfloat16; r is a multiple of 128."""
    return _CausalAttention.apply(q, k, v, _whole, k.shape[2])


def windowed_attention(
    q: Float[Tensor, "b h r d"],
    k: Float[Tensor, "b kvh r d"],
    v: Float[Tensor, "b kvh r d"],
    forward: Forward,
    window: int,
) -> Float[Tensor, "b h r d"]:
    """The same where a position sees itself and `window` - 1 before it; r and `window` are
    multiples of 128. forward: what is attended to, and the logarithms of the sums of
    exponentials."""
    return _CausalAttention.apply(q, k, v, forward, window)


def _whole(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    groups = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(groups, 1) if groups > 1 else x for x in (k, v))
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, True)


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, forward, window):
        out, log_sum = forward(q, k, v)
        ctx.save_for_backward(q, k, v, out, log_sum)
        ctx.window = window
        return out

    @staticmethod
    def backward(ctx, g):
        q, k, v, out, log_sum = ctx.saved_tensors
        b, h, r, d = q.shape
        num_kv, scale = b * k.shape[1], d**-0.5
        delta = (g.float() * out).sum(-1)
        q, g = (_blocks(*pair, num_kv) for pair in ((q * scale, -log_sum), (g, -delta)))
        k, v = (_with_ones(x.reshape(num_kv, r, d)) for x in (k, v))
        dq = torch.empty(r // BLOCK, num_kv, q.shape[2], d, dtype=k.dtype)
        dk, dv = torch.zeros(num_kv, r, d), torch.zeros(num_kv, r, d)
        keep = torch.ones(BLOCK, BLOCK, dtype=k.dtype).tril().repeat(h // (num_kv // b), 1)
        for i, (q_part, g_part) in enumerate(zip(q, g, strict=True)):
            end = (i + 1) * BLOCK
            start = max(0, end - BLOCK - ctx.window)
            seen = slice(start, end)
            probs = torch.bmm(q_part, k[:, seen].mT).exp_()
            probs[:, :, -BLOCK:].mul_(keep)
            if end - BLOCK >= ctx.window:
                probs[:, :, :BLOCK].mul_(1 - keep)
            slope = torch.bmm(g_part, v[:, seen].mT).mul_(probs)
            dv[:, seen] += torch.bmm(probs.mT, g_part[..., :d])
            dk[:, seen] += torch.bmm(slope.mT, q_part[..., :d])
            dq[i] = torch.bmm(slope, k[:, seen, :d])
        dq = (dq * scale).view(r // BLOCK, num_kv, -1, BLOCK, d).permute(1, 2, 0, 3, 4)
        shape = (b, -1, r, d)
        return dq.reshape(shape), dk.to(k.dtype).view(shape), dv.to(k.dtype).view(shape), None, None


def _blocks(x: Tensor, row_number: Tensor, num_kv: int) -> Tensor:
    """x [b, h, r, d] and fp32 numbers [b, h, r] -> [r / 128, b * kvh, groups * 128, d + 2].

    Against keys with two ones at their ends a product adds the row's number to every value, before
    the only rounding.
    """
    high = row_number.to(x.dtype)
    low = (row_number - high).to(x.dtype)
    wide = torch.cat([x, high[..., None], low[..., None]], dim=-1)
    wide = wide.view(num_kv, -1, x.shape[2] // BLOCK, BLOCK, wide.shape[-1])
    return wide.permute(2, 0, 1, 3, 4).flatten(2, 3)


def _with_ones(x: Tensor) -> Tensor:
    return torch.cat([x, x.new_ones(*x.shape[:-1], NUM_EXTRA)], dim=-1)
