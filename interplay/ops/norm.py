"""Root-mean-square norms over the last axis, and rotary positions. Knows nothing of models.

Both are written as one autograd step each: they work through a few hundred rows at a time, in
fp32, so that every pass but the first and the last one stays in the processor's cache.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.ops.few_norms import FEW_NORMS
from interplay.ops.kernels import kernels_on

CHUNK = 131_072  # elements that are worked on at once


def rms_norm(
    x: Float[Tensor, "*rows dim"], weight: Float[Tensor, " dim"], eps: float
) -> Float[Tensor, "*rows dim"]:
    """RMSNorm (Zhang and Sennrich 2019) of each row: fp32 inside, x's dtype outside."""
    if kernels_on(x):
        from interplay.ops.triton import norm

        return norm.rms_norm(x, weight, eps)
    weight = weight.to(x.dtype)
    if torch.is_grad_enabled():
        return _RmsNorm.apply(x, weight, eps)
    if FEW_NORMS.takes(x, weight):
        return FEW_NORMS.norm(x, weight, eps)
    return stock_norm(x, weight, eps)


def stock_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """`rms_norm` without gradients, by torch's own operations."""
    return _normed(x.float(), weight, eps).to(x.dtype)


def add_and_norm(
    x: Float[Tensor, "*rows dim"],
    branch: Float[Tensor, "*rows dim"],
    weight: Float[Tensor, " dim"],
    eps: float,
) -> tuple[Float[Tensor, "*rows dim"], Float[Tensor, "*rows dim"]]:
    """(x + branch, the norm of that sum); the sum is rounded before it is normed."""
    if kernels_on(x):
        from interplay.ops.triton import norm

        return norm.add_and_norm(x, branch, weight, eps)
    total = x + branch
    return total, rms_norm(total, weight, eps)


def norm_and_rotate(
    x: Float[Tensor, "*rows heads d"],
    weight: Float[Tensor, "heads d"],
    cos: Float[Tensor, "*rows half"],
    sin: Float[Tensor, "*rows half"],
    eps: float,
) -> Float[Tensor, "*rows heads d"]:
    """RMSNorm of every head, then rotate the pairs (i, i + d / 2) by the row's angles.

    Half-rotation layout of RoPE (Su et al. 2021), norm on heads as in Qwen3. fp32 inside.
    """
    if kernels_on(x):
        from interplay.ops.triton import norm

        return norm.norm_and_rotate(x, weight, cos, sin, eps)
    weight = weight.to(x.dtype)
    if torch.is_grad_enabled():
        return _NormAndRotate.apply(x, weight, cos, sin, eps)
    if FEW_NORMS.takes(x, weight):
        return FEW_NORMS.rotate(x, weight, cos, sin, eps)
    return stock_norm_and_rotate(x, weight, cos, sin, eps)


def stock_norm_and_rotate(
    x: Tensor, weight: Tensor, cos: Tensor, sin: Tensor, eps: float
) -> Tensor:
    """`norm_and_rotate` without gradients, by torch's own operations."""
    cos, sin = (t.reshape(*x.shape[:-2], 1, x.shape[-1] // 2) for t in (cos, sin))
    return _rotate(_normed(x.float(), weight, eps), cos, sin).to(x.dtype)


def _inverse_rms(x: Tensor, eps: float) -> Tensor:
    """1 / rms of every row of x (fp32), with a last axis of 1."""
    return x.square().mean(-1, keepdim=True).add_(eps).rsqrt_()


def _normed(value: Tensor, weight: Tensor, eps: float) -> Tensor:
    """The same arithmetic in one piece, for the few rows of a live micro-turn: nothing is kept
    for a backward pass, which would take longer than the norm."""
    return (value * _inverse_rms(value, eps)).mul_(weight.float())


def _norm_backward(g: Tensor, normed: Tensor, inverse_rms: Tensor) -> Tensor:
    """Gradient through x -> x / rms(x); `g` is overwritten. All fp32."""
    slope = (g * normed).mean(-1, keepdim=True)
    return g.addcmul_(normed, slope, value=-1).mul_(inverse_rms)


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, eps):
        rows = x.reshape(-1, x.shape[-1])
        out = torch.empty_like(rows)
        scale = weight.float()
        step = max(1, CHUNK // rows.shape[1])
        inverse = []
        for source, target in zip(rows.split(step), out.split(step), strict=True):
            value = source.float()
            inverse.append(_inverse_rms(value, eps))
            target.copy_((value * inverse[-1]).mul_(scale))
        ctx.save_for_backward(rows, weight, torch.cat(inverse))
        return out.view(x.shape)

    @staticmethod
    def backward(ctx, g):
        rows, weight, inverse_rms = ctx.saved_tensors
        shape, scale = g.shape, weight.float()
        g = g.reshape(rows.shape)
        out = torch.empty_like(rows)
        grad_weight = torch.zeros_like(scale)
        step = max(1, CHUNK // rows.shape[1])
        parts = (x.split(step) for x in (rows, g, inverse_rms, out))
        for source, grad, inverse, target in zip(*parts, strict=True):
            normed = source.float() * inverse
            grad = grad.float()
            grad_weight += (grad * normed).sum(0)
            target.copy_(_norm_backward(grad * scale, normed, inverse))
        return out.view(shape), grad_weight.to(weight.dtype), None


class _NormAndRotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, cos, sin, eps):
        heads, dim = x.shape[-2:]
        rows = x.reshape(-1, heads, dim)
        cos, sin = (t.reshape(-1, 1, dim // 2) for t in (cos, sin))
        out = torch.empty(rows.shape, dtype=x.dtype, device=x.device)
        scale = weight.float()
        step = max(1, CHUNK // (heads * dim))
        inverse = []
        parts = (t.split(step) for t in (rows, cos, sin, out))
        for source, c, s, target in zip(*parts, strict=True):
            value = source.float()
            inverse.append(_inverse_rms(value, eps))
            target.copy_(_rotate((value * inverse[-1]).mul_(scale), c, s))
        ctx.save_for_backward(rows, weight, cos, sin, torch.cat(inverse))
        return out.view(x.shape)

    @staticmethod
    def backward(ctx, g):
        rows, weight, cos, sin, inverse_rms = ctx.saved_tensors
        shape, scale = g.shape, weight.float()
        g = g.reshape(rows.shape)
        out = torch.empty(rows.shape, dtype=g.dtype, device=g.device)
        grad_weight = torch.zeros_like(scale)
        step = max(1, CHUNK // rows[0].numel())
        parts = (t.split(step) for t in (rows, g, cos, sin, inverse_rms, out))
        for source, grad, c, s, inverse, target in zip(*parts, strict=True):
            normed = source.float() * inverse
            grad = _rotate(grad.float(), c, -s)
            grad_weight += (grad * normed).sum(0)
            target.copy_(_norm_backward(grad.mul_(scale), normed, inverse))
        return out.view(shape), grad_weight.to(weight.dtype), None, None, None


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    out = torch.empty_like(x)
    low, high = out.chunk(2, dim=-1)
    torch.mul(first, cos, out=low).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=high).addcmul_(first, sin)
    return out
