"""The operations: right values, right gradients, and rows that do not see each other."""

import pytest
import torch
import torch.nn.functional as F

from interplay.errors import ConfigError
from interplay.ops import probe
from interplay.ops.activation import silu, swiglu
from interplay.ops.attention import attend
from interplay.ops.linear import CONTRACT, linear
from interplay.ops.norm import norm_and_rotate, rms_norm
from interplay.ops.random import normal, uniform

DTYPES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])


def gradients(function, *inputs):
    """The value and the gradients of a fixed weighting of it."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    out = function(*leaves)
    weighting = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
    return out.detach(), *torch.autograd.grad(out, leaves, weighting)


def plain_rotate(x, weight, cos, sin):
    normed = F.rms_norm(x, x.shape[-1:], eps=1e-6) * weight
    first, second = normed.chunk(2, dim=-1)
    cos, sin = cos[..., None, :], sin[..., None, :]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def test_rms_norm_equals_its_definition():
    x, weight = torch.randn(3, 701, 192), torch.randn(192)
    ours = gradients(lambda x, w: rms_norm(x, w, 1e-6), x, weight)
    plain = gradients(lambda x, w: F.rms_norm(x, (192,), w, 1e-6), x, weight)
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)


def test_norm_and_rotate_equals_its_definition():
    x, weight, angles = torch.randn(2, 601, 3, 64), torch.randn(3, 64), torch.randn(2, 601, 32)
    cos, sin = angles.cos(), angles.sin()
    ours = gradients(lambda x, w: norm_and_rotate(x, w, cos, sin, 1e-6), x, weight)
    plain = gradients(lambda x, w: plain_rotate(x, w, cos, sin), x, weight)
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)


def test_swiglu_equals_its_definition():
    x = torch.randn(5, 301, 256)
    ours = gradients(swiglu, x)
    plain = gradients(lambda x: F.silu(x[..., :128]) * x[..., 128:], x)
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)


def test_silu_survives_large_values():
    x = torch.tensor([-200.0, -1.0, 0.0, 1.0, 200.0])
    torch.testing.assert_close(silu(x), F.silu(x))


@DTYPES
def test_rows_do_not_depend_on_their_number(dtype):
    x, weight, norm = torch.randn(67, 192).to(dtype), torch.randn(320, 192), torch.randn(192)
    cos = torch.randn(67, 32)

    def run(rows, cos):
        mixed = linear(rms_norm(rows, norm, 1e-6), weight)
        heads = norm_and_rotate(mixed.view(-1, 5, 64), torch.ones(5, 64), cos, cos, 1e-6)
        return swiglu(torch.cat([heads.flatten(1), mixed], dim=-1))

    whole = run(x, cos)
    for first, num_rows in ((0, 1), (3, 2), (5, 3), (8, 7), (11, 16), (30, 37)):
        part = slice(first, first + num_rows)
        assert torch.equal(run(x[part], cos[part]), whole[part]), num_rows


def test_linear_pads_to_the_contract(monkeypatch):
    seen = []
    monkeypatch.setattr(F, "linear", lambda x, w: seen.append(x.shape[0]) or x @ w.T)
    monkeypatch.setitem(CONTRACT.min_rows, torch.float32, 16)
    out = linear(torch.ones(1, 3, 64), torch.ones(128, 64))
    assert seen == [16] and out.shape == (1, 3, 128) and (out == 64).all()


@DTYPES
def test_probe_finds_a_safe_row_count(dtype):
    rows = probe.probe_rows([(192, 192), (320, 192), (192, 512)], dtype)
    assert 1 <= rows <= CONTRACT.min_rows[dtype]


def test_probe_names_the_product_it_cannot_keep(monkeypatch):
    monkeypatch.setattr(probe.F, "linear", lambda x, w: x @ w.T + x.shape[0])
    with pytest.raises(ConfigError, match="128 x 64 product"):
        probe.probe_rows([(128, 64)], torch.float32)


def test_causal_attention_with_shared_heads_equals_its_definition():
    q, k, v = torch.randn(2, 4, 37, 64), torch.randn(2, 2, 37, 64), torch.randn(2, 2, 37, 64)
    mask = torch.ones(37, 37).tril().bool()

    def plain(q, k, v):
        k, v = k.repeat_interleave(2, dim=1), v.repeat_interleave(2, dim=1)
        scores = (q @ k.transpose(-1, -2) / 8).masked_fill(~mask, float("-inf"))
        return scores.softmax(-1) @ v

    ours = gradients(lambda q, k, v: attend(q, k, v, None), q, k, v)
    torch.testing.assert_close(ours, gradients(plain, q, k, v), rtol=1e-4, atol=1e-4)


def test_random_numbers_depend_on_seed_and_position_only():
    positions = torch.arange(50)
    whole = normal(7, positions, 5)
    for first, last in ((0, 1), (3, 10), (49, 50)):
        assert torch.equal(normal(7, positions[first:last], 5), whole[first:last])
    seeds = torch.tensor([7, 8])
    two = normal(seeds[:, None], positions.expand(2, 50), 5)
    assert torch.equal(two[0], whole) and not torch.equal(two[1], whole)
    assert torch.equal(normal(7, positions, 6)[:, :3], whole[:, :3])


def test_random_numbers_are_distributed_as_promised():
    positions = torch.arange(20_000)
    numbers = normal(3, positions, 4)
    assert numbers.dtype == torch.float32
    assert numbers.mean(0).abs().max() < 0.03 and (numbers.std(0) - 1).abs().max() < 0.03
    assert (torch.corrcoef(numbers.T) - torch.eye(4)).abs().max() < 0.03
    flat = uniform(-1, positions, 1)[:, 0]
    assert flat.min() > 0 and flat.max() < 1
    assert (torch.histc(flat, 10, 0, 1) / 2_000 - 1).abs().max() < 0.1
