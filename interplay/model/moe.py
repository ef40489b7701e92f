"""The mixture of experts, with the semantics of Qwen3-MoE. Knows nothing of attention.

A row's result must not depend on which other rows chose the same expert: every expert pads its
own rows, and a row adds up its experts in the order of its choice, in fp32.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.model.feed_forward import FeedForward
from interplay.ops.activation import swiglu
from interplay.ops.linear import linear


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
        weights, chosen = self.route(rows)
        outputs = self._run_experts(rows, chosen).float()
        total = outputs[:, 0] * weights[:, :1]
        for rank in range(1, self.num_chosen):
            total = total + outputs[:, rank] * weights[:, rank : rank + 1]
        if self.shared is not None:
            total = total + self.shared(rows).float()
        return total.to(x.dtype).view(x.shape)

    def route(
        self, rows: Float[Tensor, "n dim"]
    ) -> tuple[Float[Tensor, "n chosen"], Int[Tensor, "n chosen"]]:
        """Weights (fp32, each row sums to 1) and numbers of the experts, best first.

        Equal probabilities go to the lower number.
        """
        probabilities = linear(rows.float(), self.router.to(rows.dtype)).softmax(dim=-1)
        ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
        best = ordered[:, : self.num_chosen]
        return best / best.sum(-1, keepdim=True), order[:, : self.num_chosen]

    def _run_experts(self, rows: Tensor, chosen: Tensor) -> Tensor:
        """Outputs [n, chosen, dim] of every row's experts, before weighting."""
        order = chosen.reshape(-1).argsort(stable=True)
        counts = torch.bincount(chosen.reshape(-1), minlength=len(self.router)).tolist()
        outputs = []
        for expert, mine in enumerate(rows[order // self.num_chosen].split(counts)):
            if len(mine):
                hidden = swiglu(linear(mine, self.gate_up[expert]))
                outputs.append(linear(hidden, self.down[expert]))
        back = order.argsort()
        return torch.cat(outputs)[back].view(len(rows), self.num_chosen, -1)
