"""Activations with the same bits in a vector's body and in its tail. Knows nothing of models."""

import torch
from jaxtyping import Float
from torch import Tensor

CHUNK = 262_144  # elements that are worked on at once, so that all but the first pass hit cache


def silu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """x / (1 + exp(-x)), built from exact operations and exp only."""
    return x / (1 + torch.exp(-x))


def swiglu(gate_up: Float[Tensor, "*rows two_ff"]) -> Float[Tensor, "*rows ff"]:
    """silu(gate) * up, where `gate_up` holds gate and up side by side (Shazeer 2020)."""
    if torch.is_grad_enabled():
        return _SwiGlu.apply(gate_up)
    gate, up = gate_up.chunk(2, dim=-1)  # few rows, and nothing is kept for a backward pass
    return (gate / gate.neg().exp_().add_(1)).mul_(up)


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gate_up):
        rows = gate_up.reshape(-1, gate_up.shape[-1])
        num_rows, width = rows.shape
        out = rows.new_empty(num_rows, width // 2)
        step = max(1, CHUNK // width)
        for source, target in zip(rows.split(step), out.split(step), strict=True):
            gate, up = source.chunk(2, dim=-1)
            denominator = gate.neg().exp_().add_(1)
            torch.div(gate, denominator, out=target).mul_(up)
        ctx.save_for_backward(rows)
        return out.view(*gate_up.shape[:-1], width // 2)

    @staticmethod
    def backward(ctx, g):
        (rows,) = ctx.saved_tensors
        num_rows, width = rows.shape
        grad = g.reshape(num_rows, width // 2)
        out = torch.empty_like(rows)
        step = max(1, CHUNK // width)
        parts = (t.split(step) for t in (rows, grad, out))
        for source, dy, target in zip(*parts, strict=True):
            gate, up = source.chunk(2, dim=-1)
            d_gate, d_up = target.chunk(2, dim=-1)
            gate_sigmoid = torch.sigmoid(gate)
            silu_gate = gate * gate_sigmoid
            torch.mul(dy, silu_gate, out=d_up)
            # d silu = sigmoid + silu * (1 - sigmoid)
            slope = silu_gate.addcmul_(silu_gate, gate_sigmoid, value=-1).add_(gate_sigmoid)
            torch.mul(slope.mul_(dy), up, out=d_gate)
        return out.view(*g.shape[:-1], width)
