"""Triton kernels against the plain bodies, on odd sizes; without a GPU in Triton's interpreter."""

import pytest
import torch

from interplay.ops import experts, kernels, norm, sums
from interplay.ops import linear as plain_linear
from interplay.ops import sample as plain_sample
from interplay.ops.triton import experts as k_experts
from interplay.ops.triton import linear as k_linear
from interplay.ops.triton import norm as k_norm
from interplay.ops.triton import sample as k_sample
from interplay.ops.triton import sums as k_sums
from tests.kernel_helpers import DEVICE, DTYPES, exact_dot  # noqa: F401

pytestmark = pytest.mark.usefixtures("exact_dot")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def randn(*shape, dtype=torch.float32):
    return torch.randn(shape, device=DEVICE).to(dtype)


def gradients(function, *inputs):
    """The values and the gradients of a fixed weighting of them."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    out = function(*leaves)
    outs = out if isinstance(out, tuple) else (out,)
    weights = [torch.linspace(-1, 1, o.numel(), device=DEVICE).view(o.shape) for o in outs]
    parts = [(o.float() * w).sum() for o, w in zip(outs, weights, strict=True)]
    total = torch.stack(parts).sum()
    return *(o.detach() for o in outs), *torch.autograd.grad(total, leaves)


def alike(ours, plain, dtype=torch.float32):
    assert all(x.isfinite().all() for x in ours)
    error = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(ours, plain, rtol=error, atol=error)


def test_the_kernel_that_is_tried_first_runs(monkeypatch):
    kernels.try_kernel(DEVICE)
    monkeypatch.setattr(k_norm, "_norm_forward", None)
    with pytest.raises(TypeError):
        kernels.try_kernel(DEVICE)


@DTYPES
def test_norm(dtype):
    x, weight = randn(1, 7, 70, dtype=dtype), randn(70, dtype=dtype)
    ours, plain = (
        gradients(lambda x, w, m=m: m.rms_norm(x, w, 1e-6), x, weight) for m in (k_norm, norm)
    )
    alike(ours, plain, dtype)


@DTYPES
def test_add_and_norm(dtype):
    x, branch, weight = randn(5, 70, dtype=dtype), randn(5, 70, dtype=dtype), randn(70)
    ours, plain = (
        gradients(lambda x, y, w, m=m: m.add_and_norm(x, y, w, 1e-6), x, branch, weight)
        for m in (k_norm, norm)
    )
    alike(ours, plain, dtype)


@DTYPES
def test_norm_and_rotate(dtype):
    fused, weight, angles = randn(1, 5, 4, 64, dtype=dtype), randn(3, 64), randn(1, 5, 32)
    x = fused[:, :, :3]  # queries and keys of a fused product: rows are not contiguous
    cos, sin = angles.cos(), angles.sin()
    ours, plain = (
        gradients(lambda x, w, m=m: m.norm_and_rotate(x, w, cos, sin, 1e-6), x, weight)
        for m in (k_norm, norm)
    )
    alike(ours, plain, dtype)
    assert torch.equal(k_norm.norm_and_rotate(x, weight, cos, sin, 1e-6), ours[0])


@DTYPES
def test_linear(dtype):
    x, weight = randn(2, 33, 130, dtype=dtype), randn(70, 130)
    ours, plain = (
        gradients(lambda x, w, m=m: m.linear(x, w), x, weight) for m in (k_linear, plain_linear)
    )
    alike(ours, plain, torch.bfloat16)  # sums of 130 products round apart


def test_rows_do_not_see_each_other():
    x, weight = randn(70, 130), randn(66, 130)
    whole = k_linear.linear(x, weight)
    assert all(
        torch.equal(k_linear.linear(x[a:b], weight), whole[a:b]) for a, b in ((0, 1), (3, 8))
    )
    whole = k_norm.rms_norm(x[:9], weight[0], 1e-6)
    assert torch.equal(k_norm.rms_norm(x[3:4], weight[0], 1e-6), whole[3:4])


@DTYPES
def test_row_sum(dtype):
    x = randn(2, 5, 70, dtype=dtype)
    ours, plain = (gradients(m.row_sum, x) for m in (k_sums, sums))
    alike(ours, plain, dtype)
    assert torch.equal(k_sums.row_sum(x[1, 3:4]), ours[0][1, 3:4])


@pytest.fixture
def mixture():
    """(rows, router, gate_up, down) of 5 experts on 7 rows; experts 1 and 2 always tie."""
    rows, router = randn(7, 96), randn(5, 96)
    router[2] = router[1]
    return rows, router, randn(5, 2 * 40, 96) * 0.1, randn(5, 96, 40) * 0.1


def test_route(mixture):
    rows, router, *_ = mixture
    ours, plain = (m.route(rows, router, 2) for m in (k_experts, experts))
    assert torch.equal(ours[1], plain[1]) and 1 in ours[1]
    grads = [
        gradients(lambda x, r, m=m: m.route(x, r, 2)[0], rows, router) for m in (k_experts, experts)
    ]
    alike(grads[0], grads[1])


@DTYPES
def test_experts(mixture, dtype, monkeypatch):
    rows, router, gate_up, down = (x.to(dtype) for x in mixture)
    chosen = experts.route(rows, router, 2)[1]
    whole = k_experts.run_experts(rows, chosen, gate_up, down)
    alike(whole, experts.run_experts(rows, chosen, gate_up, down), dtype)
    one = k_experts.run_experts(rows[3:4], chosen[3:4], gate_up, down)
    assert torch.equal(one, whole[3:4])
    monkeypatch.setattr(k_experts, "MOST_PAIRS", 8)  # more: sorted, as in training
    assert torch.equal(k_experts.run_experts(rows, chosen, gate_up, down), whole)


def test_experts_have_the_gradients_of_the_plain_body(mixture, monkeypatch):
    rows, router, gate_up, down = mixture
    chosen = experts.route(rows, router, 2)[1].clamp(max=3)  # nobody chooses the last one

    def run(*leaves):
        return experts.run_experts(leaves[0], chosen, *leaves[1:])

    plain = gradients(run, rows, gate_up, down)
    monkeypatch.setattr(kernels, "_chosen", {DEVICE.type})
    ours = gradients(run, rows, gate_up, down)
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)
    assert not ours[2][4].any() and ours[2][:4].any()


def test_an_expert_with_more_rows_than_a_tile(mixture, monkeypatch):
    rows, _, gate_up, down = mixture
    monkeypatch.setattr(k_experts, "ROWS", 16)
    rows = rows.repeat(3, 1)
    chosen = torch.full((21, 1), 4, device=DEVICE)
    ours = k_experts.run_experts(rows, chosen, gate_up, down)
    alike(ours, experts.run_experts(rows, chosen, gate_up, down))


def test_sample():
    logits = randn(3, 1500)
    logits[1, 700] = logits[1, 1400] = 9.0
    seeds, at = torch.tensor([1, 2**62, -5]).to(DEVICE), torch.tensor([0, 7, 2**40]).to(DEVICE)
    for temperature, top_k in ((0.0, 0), (0.8, 0), (2.0, 40)):
        limited = logits
        if top_k:
            least = logits.topk(top_k, dim=-1).values[:, -1:]
            limited = logits.masked_fill(logits < least, -torch.inf)
        ours = k_sample.sample(limited, seeds, at, temperature=temperature)
        plain = plain_sample.sample(logits, seeds, at, temperature=temperature, top_k=top_k)
        assert torch.equal(ours, plain), (temperature, ours, plain)
