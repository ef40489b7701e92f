"""Tests of `ops.causal`: the forward bits are the stock kernel's, gradients are close to fp64's."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from interplay.ops.attention import attend, attend_windowed, round_up, visible


@pytest.mark.parametrize(
    ("heads", "kv_heads", "rows", "window"),
    [(3, 1, 512, None), (4, 2, 300, None), (4, 2, 1500, 1024), (3, 1, 900, 128), (2, 2, 700, 640)],
)
def test_causal_attention_has_stock_bits_and_close_gradients(heads, kv_heads, rows, window):
    generator = torch.Generator().manual_seed(rows)

    def draw(num_heads: int) -> torch.Tensor:
        values = torch.randn(2, rows, num_heads, 64, generator=generator).bfloat16()
        return values.transpose(1, 2).requires_grad_()

    q, k, v = draw(heads), draw(kv_heads), draw(kv_heads)
    g = torch.randn(2, heads, rows, 64, generator=generator).bfloat16()
    both = (
        partial(attend_windowed, window=window, prefix=0) if window else partial(attend, mask=None)
    )
    out = both(q, k, v)
    at, keys = torch.arange(rows), torch.arange(round_up(rows))
    seen = visible(at[:, None], keys[None], window or rows, 0)[None, None]
    with torch.no_grad():
        assert torch.equal(out, attend(q, k, v, seen))
    exact = [x.detach().double().requires_grad_() for x in (q, k, v)]
    wide_k, wide_v = (x.repeat_interleave(heads // kv_heads, 1) for x in exact[1:])
    mask = seen[..., :rows]
    reference = F.scaled_dot_product_attention(exact[0], wide_k, wide_v, attn_mask=mask)
    for gradient, expected in zip(
        torch.autograd.grad(out, (q, k, v), g),
        torch.autograd.grad(reference, exact, g.double()),
        strict=True,
    ):
        assert (gradient - expected).norm() < 0.01 * expected.norm()
