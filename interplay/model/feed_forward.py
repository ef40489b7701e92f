"""The dense feed-forward block. Knows nothing of attention or streams."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.ops.activation import swiglu
from interplay.ops.linear import linear


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020); gate and up are one matrix."""

    def __init__(self, dim: int, ff_dim: int):
        super().__init__()
        self.gate_up = nn.Parameter(torch.empty(2 * ff_dim, dim))
        self.down = nn.Parameter(torch.empty(dim, ff_dim))

    def forward(self, x: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows dim"]:
        """x [..., dim] -> [..., dim]."""
        return linear(swiglu(linear(x, self.gate_up)), self.down)
