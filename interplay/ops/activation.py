"""Activations with the same bits in a vector's body and in its tail. Knows nothing of models."""

import torch
from jaxtyping import Float
from torch import Tensor


def silu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """x / (1 + exp(-x)), built from exact operations and exp only."""
    return x / (1 + torch.exp(-x))


def swiglu(gate_up: Float[Tensor, "*rows two_ff"]) -> Float[Tensor, "*rows ff"]:
    """silu(gate) * up, where `gate_up` holds gate and up side by side (Shazeer 2020)."""
    gate, up = gate_up.chunk(2, dim=-1)
    return silu(gate) * up
