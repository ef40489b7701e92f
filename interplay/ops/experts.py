"""The mixture of experts in three steps: route, gate and up, down. Knows nothing of models.

These are the plain bodies; kernels with the same names and shapes are in `ops.triton.experts`.
A row's result must not depend on which other rows chose the same expert: every expert pads its
own rows, and whoever adds the outputs up does it in the order of the row's choice, in fp32.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.ops.activation import swiglu
from interplay.ops.kernels import kernels_on
from interplay.ops.linear import linear


def route(
    rows: Float[Tensor, "n dim"], router: Float[Tensor, "experts dim"], num_chosen: int
) -> tuple[Float[Tensor, "n chosen"], Int[Tensor, "n chosen"]]:
    """Weights (fp32, each row sums to 1) and numbers of the experts, best first.

    Softmax of all experts, the best renormalised (Qwen3-MoE); equal probabilities go to the lower
    number.
    """
    if kernels_on(rows):
        from interplay.ops.triton import experts

        return experts.route(rows, router, num_chosen)
    return choose(linear(rows.float(), router.to(rows.dtype)), num_chosen)


def choose(
    logits: Float[Tensor, "n experts"], num_chosen: int
) -> tuple[Float[Tensor, "n chosen"], Int[Tensor, "n chosen"]]:
    """What `route` makes of the router's product."""
    probabilities = logits.softmax(dim=-1)
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    best = ordered[:, :num_chosen]
    return best / best.sum(-1, keepdim=True), order[:, :num_chosen]


def run_experts(
    rows: Float[Tensor, "n dim"],
    chosen: Int[Tensor, "n chosen"],
    gate_up: Float[Tensor, "experts two_ff dim"],
    down: Float[Tensor, "experts dim ff"],
) -> Float[Tensor, "n chosen dim"]:
    """SwiGLU outputs of every row's experts, before weighting."""
    if kernels_on(rows):
        return _Experts.apply(rows, chosen, gate_up, down)
    return _run_plain(rows, chosen, gate_up, down)


def _run_plain(rows: Tensor, chosen: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
    num_chosen = chosen.shape[1]
    order = chosen.reshape(-1).argsort(stable=True)
    counts = torch.bincount(chosen.reshape(-1), minlength=len(gate_up)).tolist()
    outputs = []
    for expert, mine in enumerate(rows[order // num_chosen].split(counts)):
        if len(mine):
            hidden = swiglu(linear(mine, gate_up[expert]))
            outputs.append(linear(hidden, down[expert]))
    back = order.argsort()
    return torch.cat(outputs)[back].view(len(rows), num_chosen, -1)


class _Experts(torch.autograd.Function):
    """The kernels forwards; backwards the plain body once more, whose gradients meet no sampler."""

    @staticmethod
    def forward(ctx, rows, chosen, gate_up, down):
        from interplay.ops.triton import experts

        ctx.save_for_backward(rows, chosen, gate_up, down)
        return experts.run_experts(rows, chosen, gate_up, down)

    @staticmethod
    def backward(ctx, g):
        rows, chosen, gate_up, down = ctx.saved_tensors
        leaves = [x.detach().requires_grad_() for x in (rows, gate_up, down)]
        with torch.enable_grad():
            out = _run_plain(leaves[0], chosen, *leaves[1:])
        d_rows, d_gate_up, d_down = torch.autograd.grad(out, leaves, g)
        return d_rows, None, d_gate_up, d_down
