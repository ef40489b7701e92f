"""Causal attention for training on CPUs: the stock kernel forwards, our own products backwards.

The stock backward pass takes twice the time of these few batched products. The forward bits are
those of `scaled_dot_product_attention`; gradients need no row independence, so only speed and a
small error count here. Knows nothing of models.
"""

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 128  # query rows at once; keys after a block are never touched
NUM_EXTRA = 2  # columns that carry a row's own number through a product, high and low part


def causal_attention(
    q: Float[Tensor, "b h r d"], k: Float[Tensor, "b kvh r d"], v: Float[Tensor, "b kvh r d"]
) -> Float[Tensor, "b h r d"]:
    """Softmax attention of whole sequences in bfloat16; r is a multiple of 128."""
    return _CausalAttention.apply(q, k, v)


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        shape = q.shape
        groups = shape[1] // k.shape[1]
        wide_k, wide_v = (x.repeat_interleave(groups, 1) if groups > 1 else x for x in (k, v))
        out, log_sum = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, wide_k, wide_v, 0.0, True
        )
        ctx.save_for_backward(q, k, v, out, log_sum)
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
            probs = torch.bmm(q_part, k[:, :end].mT).exp_()
            probs[:, :, end - BLOCK :].mul_(keep)
            slope = torch.bmm(g_part, v[:, :end].mT).mul_(probs)
            dv[:, :end] += torch.bmm(probs.mT, g_part[..., :d])
            dk[:, :end] += torch.bmm(slope.mT, q_part[..., :d])
            dq[i] = torch.bmm(slope, k[:, :end, :d])
        dq = (dq * scale).view(r // BLOCK, num_kv, -1, BLOCK, d).permute(1, 2, 0, 3, 4)
        shape = (b, -1, r, d)
        return dq.reshape(shape), dk.to(k.dtype).view(shape), dv.to(k.dtype).view(shape)


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
