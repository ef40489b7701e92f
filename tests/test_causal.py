"""Tests of `ops.causal`: the forward bits are the stock kernel's, gradients are close to fp64's."""

import pytest
import torch
import torch.nn.functional as F

from interplay.ops.attention import attend


@pytest.mark.parametrize(("heads", "kv_heads", "rows"), [(3, 1, 512), (4, 2, 300)])
def test_causal_attention_has_stock_bits_and_close_gradients(heads, kv_heads, rows):
    generator = torch.Generator().manual_seed(rows)

    def draw(num_heads: int) -> torch.Tensor:
        values = torch.randn(2, rows, num_heads, 64, generator=generator).bfloat16()
        return values.transpose(1, 2).requires_grad_()

    q, k, v = draw(heads), draw(kv_heads), draw(kv_heads)
    g = torch.randn(2, heads, rows, 64, generator=generator).bfloat16()
    out = attend(q, k, v, None)
    with torch.no_grad():
        assert torch.equal(out, attend(q, k, v, None))
    exact = [x.detach().double().requires_grad_() for x in (q, k, v)]
    wide_k, wide_v = (x.repeat_interleave(heads // kv_heads, 1) for x in exact[1:])
    reference = F.scaled_dot_product_attention(exact[0], wide_k, wide_v, is_causal=True)
    for gradient, expected in zip(
        torch.autograd.grad(out, (q, k, v), g),
        torch.autograd.grad(reference, exact, g.double()),
        strict=True,
    ):
        assert (gradient - expected).norm() < 0.01 * expected.norm()
