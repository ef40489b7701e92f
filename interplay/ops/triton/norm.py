"""Root-mean-square norms and rotary positions as Triton kernels. Knows nothing of models.

One program computes a fixed number of rows (of norms) or of rows of one head (of rotations), each
over its whole width at once: the order of a row's sum depends on the width alone. The plain bodies
with the same names are in `interplay.ops.norm`.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

ROWS = 4  # of one program, however many there are


def rms_norm(
    x: Float[Tensor, "*rows dim"], weight: Float[Tensor, " dim"], eps: float
) -> Float[Tensor, "*rows dim"]:
    """RMSNorm of each row: fp32 inside, x's dtype outside."""
    return _RmsNorm.apply(x, weight.to(x.dtype), eps)


def add_and_norm(
    x: Float[Tensor, "*rows dim"],
    branch: Float[Tensor, "*rows dim"],
    weight: Float[Tensor, " dim"],
    eps: float,
) -> tuple[Float[Tensor, "*rows dim"], Float[Tensor, "*rows dim"]]:
    """(x + branch, the norm of that sum) in one pass; the sum is rounded before it is normed."""
    return _AddAndNorm.apply(x, branch, weight.to(x.dtype), eps)


def norm_and_rotate(
    x: Float[Tensor, "*rows heads d"],
    weight: Float[Tensor, "heads d"],
    cos: Float[Tensor, "*rows half"],
    sin: Float[Tensor, "*rows half"],
    eps: float,
) -> Float[Tensor, "*rows heads d"]:
    """RMSNorm of every head, then rotate the pairs (i, i + d / 2) by the row's angles."""
    return _NormAndRotate.apply(x, weight.to(x.dtype), cos, sin, eps)


@triton.jit(do_not_specialize=["num_rows"])
def _norm_forward(
    x_at, branch_at, weight_at, sum_at, out_at, inverse_at, num_rows, eps,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr, ADD: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    inside = (row < num_rows)[:, None] & (column < WIDTH)[None]
    at = row[:, None] * WIDTH + column[None]
    x = tl.load(x_at + at, mask=inside, other=0.0).to(tl.float32)
    if ADD:
        x += tl.load(branch_at + at, mask=inside, other=0.0).to(tl.float32)
        rounded = x.to(sum_at.dtype.element_ty)
        tl.store(sum_at + at, rounded, mask=inside)
        x = rounded.to(tl.float32)
    inverse = 1 / tl.sqrt(tl.sum(x * x, axis=1) / WIDTH + eps)
    tl.store(inverse_at + row, inverse, mask=row < num_rows)
    weight = tl.load(weight_at + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    normed = x * inverse[:, None] * weight[None]
    tl.store(out_at + at, normed.to(out_at.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["num_rows"])
def _norm_backward(
    g_at, sum_grad_at, x_at, weight_at, inverse_at, out_at, num_rows,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr, ADD: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    inside = (row < num_rows)[:, None] & (column < WIDTH)[None]
    at = row[:, None] * WIDTH + column[None]
    inverse = tl.load(inverse_at + row, mask=row < num_rows, other=0.0)[:, None]
    normed = tl.load(x_at + at, mask=inside, other=0.0).to(tl.float32) * inverse
    weight = tl.load(weight_at + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    g = tl.load(g_at + at, mask=inside, other=0.0).to(tl.float32) * weight[None]
    slope = tl.sum(g * normed, axis=1) / WIDTH
    grad = (g - normed * slope[:, None]) * inverse
    if ADD:
        grad += tl.load(sum_grad_at + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out_at + at, grad.to(out_at.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["num_rows"])
def _rotate_forward(
    x_at, weight_at, cos_at, sin_at, out_at, inverse_at, num_rows, eps, stride, num_heads,
    HALF: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    head, column = tl.program_id(1), tl.arange(0, HALF)
    there = row < num_rows
    inside = there[:, None] & (column >= 0)[None]
    source = x_at + (row * stride + head * 2 * HALF)[:, None] + column[None]
    low = tl.load(source, mask=inside, other=0.0).to(tl.float32)
    high = tl.load(source + HALF, mask=inside, other=0.0).to(tl.float32)
    inverse = 1 / tl.sqrt(tl.sum(low * low + high * high, axis=1) / (2 * HALF) + eps)
    tl.store(inverse_at + row * num_heads + head, inverse, mask=there)
    scale = weight_at + head * 2 * HALF + column
    low = low * inverse[:, None] * tl.load(scale).to(tl.float32)[None]
    high = high * inverse[:, None] * tl.load(scale + HALF).to(tl.float32)[None]
    angle = row[:, None] * HALF + column[None]
    cos = tl.load(cos_at + angle, mask=inside, other=0.0)
    sin = tl.load(sin_at + angle, mask=inside, other=0.0)
    target = out_at + ((row * num_heads + head) * 2 * HALF)[:, None] + column[None]
    tl.store(target, (low * cos - high * sin).to(out_at.dtype.element_ty), mask=inside)
    tl.store(target + HALF, (high * cos + low * sin).to(out_at.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["num_rows"])
def _rotate_backward(
    g_at, x_at, weight_at, cos_at, sin_at, inverse_at, out_at, turned_at, num_rows, stride,
    num_heads, HALF: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    head, column = tl.program_id(1), tl.arange(0, HALF)
    inside = (row < num_rows)[:, None] & (column >= 0)[None]
    at = ((row * num_heads + head) * 2 * HALF)[:, None] + column[None]
    angle = row[:, None] * HALF + column[None]
    cos = tl.load(cos_at + angle, mask=inside, other=0.0)
    sin = tl.load(sin_at + angle, mask=inside, other=0.0)
    g_low = tl.load(g_at + at, mask=inside, other=0.0).to(tl.float32)
    g_high = tl.load(g_at + at + HALF, mask=inside, other=0.0).to(tl.float32)
    low, high = g_low * cos + g_high * sin, g_high * cos - g_low * sin
    inverse = tl.load(inverse_at + row * num_heads + head, mask=row < num_rows, other=0.0)[:, None]
    source = x_at + (row * stride + head * 2 * HALF)[:, None] + column[None]
    x_low = tl.load(source, mask=inside, other=0.0).to(tl.float32) * inverse
    x_high = tl.load(source + HALF, mask=inside, other=0.0).to(tl.float32) * inverse
    tl.store(turned_at + at, low * x_low, mask=inside)  # summed over rows: the weight's gradient
    tl.store(turned_at + at + HALF, high * x_high, mask=inside)
    scale = weight_at + head * 2 * HALF + column
    low *= tl.load(scale).to(tl.float32)[None]
    high *= tl.load(scale + HALF).to(tl.float32)[None]
    slope = (tl.sum(low * x_low + high * x_high, axis=1) / (2 * HALF))[:, None]
    low, high = (low - x_low * slope) * inverse, (high - x_high * slope) * inverse
    tl.store(out_at + at, low.to(out_at.dtype.element_ty), mask=inside)
    tl.store(out_at + at + HALF, high.to(out_at.dtype.element_ty), mask=inside)


def _forward(rows: Tensor, branch: Tensor | None, weight: Tensor, eps: float):
    """(the sum or the rows themselves, their norm, one inverse RMS per row)."""
    rows = rows.contiguous()
    total = rows if branch is None else torch.empty_like(rows)
    out = torch.empty_like(rows)
    inverse = torch.empty(len(rows), dtype=torch.float32, device=rows.device)
    width = rows.shape[1]
    if len(rows):
        _norm_forward[(triton.cdiv(len(rows), ROWS),)](
            rows, rows if branch is None else branch.contiguous(), weight, total, out, inverse,
            len(rows), eps, WIDTH=width, BLOCK=triton.next_power_of_2(width), ROWS=ROWS,
            ADD=branch is not None,
        )  # fmt: skip
    return total, out, inverse


def _backward(g: Tensor, sum_grad: Tensor | None, rows: Tensor, weight: Tensor, inverse: Tensor):
    """Gradients of the rows and of the weight."""
    g, width = g.reshape(rows.shape).contiguous(), rows.shape[1]
    other = g if sum_grad is None else sum_grad.reshape(rows.shape).contiguous()
    out = torch.empty_like(rows)
    if len(rows):
        _norm_backward[(triton.cdiv(len(rows), ROWS),)](
            g, other, rows, weight, inverse, out, len(rows), WIDTH=width,
            BLOCK=triton.next_power_of_2(width), ROWS=ROWS, ADD=sum_grad is not None,
        )  # fmt: skip
    grad_weight = (g.float() * rows.float() * inverse[:, None]).sum(0)
    return out, grad_weight.to(weight.dtype)


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, eps):
        rows, out, inverse = _forward(x.reshape(-1, x.shape[-1]), None, weight, eps)
        ctx.save_for_backward(rows, weight, inverse)
        return out.view(x.shape)

    @staticmethod
    def backward(ctx, g):
        rows, weight, inverse = ctx.saved_tensors
        grad, grad_weight = _backward(g, None, rows, weight, inverse)
        return grad.view(g.shape), grad_weight, None


class _AddAndNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, branch, weight, eps):
        width = x.shape[-1]
        total, out, inverse = _forward(x.reshape(-1, width), branch.reshape(-1, width), weight, eps)
        ctx.save_for_backward(total, weight, inverse)
        return total.view(x.shape), out.view(x.shape)

    @staticmethod
    def backward(ctx, sum_grad, g):
        rows, weight, inverse = ctx.saved_tensors
        grad, grad_weight = _backward(g, sum_grad, rows, weight, inverse)
        return grad.view(g.shape), grad.view(g.shape), grad_weight, None


class _NormAndRotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, cos, sin, eps):
        heads, dim = x.shape[-2:]
        rows = x.reshape(-1, heads, dim)
        if rows.stride(1) != dim or rows.stride(2) != 1:
            rows = rows.contiguous()
        cos, sin = (t.reshape(-1, dim // 2).contiguous() for t in (cos, sin))
        out = torch.empty(rows.shape, dtype=x.dtype, device=x.device)
        inverse = torch.empty(rows.shape[:2], dtype=torch.float32, device=x.device)
        weight = weight.contiguous()
        if len(rows):
            _rotate_forward[(triton.cdiv(len(rows), ROWS), heads)](
                rows, weight, cos, sin, out, inverse, len(rows), eps, rows.stride(0), heads,
                HALF=dim // 2, ROWS=ROWS,
            )  # fmt: skip
        ctx.save_for_backward(rows, weight, cos, sin, inverse)
        return out.view(x.shape)

    @staticmethod
    def backward(ctx, g):
        rows, weight, cos, sin, inverse = ctx.saved_tensors
        num_rows, heads, dim = rows.shape
        grad = g.reshape(rows.shape).contiguous()
        out = torch.empty(rows.shape, dtype=g.dtype, device=g.device)
        turned = torch.empty(rows.shape, dtype=torch.float32, device=g.device)
        if num_rows:
            _rotate_backward[(triton.cdiv(num_rows, ROWS), heads)](
                grad, rows, weight, cos, sin, inverse, out, turned, num_rows, rows.stride(0),
                heads, HALF=dim // 2, ROWS=ROWS,
            )  # fmt: skip
        return out.view(g.shape), turned.sum(0).to(weight.dtype), None, None, None
