"""The mixture of experts, with the semantics of Qwen3-MoE. Knows nothing of attention.

A row's result must not depend on which other rows chose the same expert (`ops.experts`), and a row
adds up its experts in the order of its choice, in fp32.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.model.feed_forward import FeedForward
from interplay.ops.experts import route, run_experts


class MoeFeedForward(nn.Module):
    """Softmax router, the best `num_chosen` of `num_experts` with renormalised weights.

    shared_ff_dim > 0 adds one expert that every row passes through with weight 1.
    """

    def __init__(
        self, dim: int, ff_dim: int, *, num_experts: int, num_chosen: int, shared_ff_dim: int = 0
    ):
        super().__init__()
        self.num_chosen = num_chosen
        self.router = nn.Parameter(torch.empty(num_experts, dim))
        self.gate_up = nn.Parameter(torch.empty(num_experts, 2 * ff_dim, dim))
        self.down = nn.Parameter(torch.empty(num_experts, dim, ff_dim))
        self.shared = FeedForward(dim, shared_ff_dim) if shared_ff_dim else None

    def forward(self, x: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows dim"]:
        """x [..., dim] -> [..., dim]."""
        rows = x.reshape(-1, x.shape[-1])
        weights, chosen = route(rows, self.router, self.num_chosen)
        outputs = run_experts(rows, chosen, self.gate_up, self.down).float()
        total = outputs[:, 0] * weights[:, :1]
        for rank in range(1, self.num_chosen):
            total = total + outputs[:, rank] * weights[:, rank : rank + 1]
        if self.shared is not None:
            total = total + self.shared(rows).float()
        return total.to(x.dtype).view(x.shape)
