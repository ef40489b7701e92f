"""The mixture of experts as three Triton kernels: route, gate and up, down.

For few rows there is no sort and there are no atomics: in the last two a program belongs to one
(row, choice) pair and some columns; of the pairs that share an expert only the first does the work,
for all of them, so each expert's weights are read once. For many rows, as in training, pairs are
sorted by expert and a program has a tile of them. Either way sums along k have one order per weight
shape, so a row's bits are the same. The plain bodies with the same names are in
`interplay.ops.experts`. Knows nothing of models.
"""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int
from torch import Tensor

ROWS, COLUMNS, DEPTH = 64, 32, 64  # of one product; 64 rows: one kind of matrix instruction
MOST_PAIRS = 256  # (row, choice) pairs without a sort: a program holds all their experts


def route(
    rows: Float[Tensor, "n dim"], router: Float[Tensor, "experts dim"], num_chosen: int
) -> tuple[Float[Tensor, "n chosen"], Int[Tensor, "n chosen"]]:
    """Weights (fp32, each row sums to 1) and numbers of the experts, best first."""
    return _Route.apply(rows, router.to(rows.dtype), num_chosen)


def run_experts(
    rows: Float[Tensor, "n dim"],
    chosen: Int[Tensor, "n chosen"],
    gate_up: Float[Tensor, "experts two_ff dim"],
    down: Float[Tensor, "experts dim ff"],
) -> Float[Tensor, "n chosen dim"]:
    """SwiGLU outputs of every row's experts, before weighting; without gradients."""
    rows, chosen = rows.contiguous(), chosen.contiguous()
    gate_up, down = gate_up.to(rows.dtype), down.to(rows.dtype)
    (num_rows, num_chosen), dim, ff = chosen.shape, rows.shape[1], down.shape[2]
    pairs = num_rows * num_chosen
    hidden = torch.empty(pairs, ff, dtype=rows.dtype, device=rows.device)
    out = torch.empty(pairs, dim, dtype=rows.dtype, device=rows.device)
    if pairs:
        sort = pairs > MOST_PAIRS
        order, tiles = _tiles(chosen, len(down)) if sort else (chosen, chosen)
        num_programs = tiles.shape[1] if sort else pairs
        sizes = {"ROWS": ROWS, "COLUMNS": COLUMNS, "DEPTH": DEPTH, "SORTED": sort}
        sizes["WIDTH"] = 1 if sort else triton.next_power_of_2(pairs)
        _gate_up[(num_programs, triton.cdiv(ff, COLUMNS))](
            rows, chosen, order, tiles, gate_up, hidden, pairs, dim, ff, CHOSEN=num_chosen, **sizes
        )
        _down[(num_programs, triton.cdiv(dim, COLUMNS))](
            hidden, chosen, order, tiles, down, out, pairs, dim, ff, **sizes
        )
    return out.view(num_rows, num_chosen, dim)


def _tiles(chosen: Tensor, num_experts: int) -> tuple[Tensor, Tensor]:
    """Pairs in the order of their experts, and per tile (expert, first, last) in that order.

    As many tiles as there may be at most: nobody asks the device how many there are.
    """
    experts = torch.arange(num_experts, device=chosen.device)
    order = chosen.flatten().argsort(stable=True)
    counts = (chosen.flatten()[:, None] == experts).sum(0)
    last, tiles = counts.cumsum(0), (counts + ROWS - 1) // ROWS
    ends = tiles.cumsum(0)
    tile = torch.arange(triton.cdiv(chosen.numel(), ROWS) + num_experts, device=chosen.device)
    expert = torch.searchsorted(ends, tile, right=True)
    known = expert.clamp(max=num_experts - 1)
    first = (last - counts)[known] + (tile - (ends - tiles)[known]) * ROWS
    return order, torch.stack([known, first, torch.where(expert == known, last[known], 0)])


@triton.jit
def _route(
    rows_at, router_at, weights_at, chosen_at, probabilities_at, dim, num_experts,
    EXPERTS: tl.constexpr, CHOSEN: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    expert, depth = tl.arange(0, EXPERTS), tl.arange(0, DEPTH)
    there = expert < num_experts
    score = tl.zeros((EXPERTS,), tl.float32)
    for start in range(0, dim, DEPTH):
        at = start + depth
        x = tl.load(rows_at + row * dim + at, mask=at < dim, other=0.0).to(tl.float32)
        inside = there[:, None] & (at < dim)[None]
        weight = tl.load(router_at + expert[:, None] * dim + at[None], mask=inside, other=0.0)
        score += tl.sum(weight.to(tl.float32) * x[None], axis=1)
    score = tl.where(there, score, float("-inf"))
    share = tl.exp(score - tl.max(score, axis=0))
    share = share / tl.sum(share, axis=0)
    tl.store(probabilities_at + row * num_experts + expert, share, mask=there)
    left, total = tl.where(there, share, -1.0), 0.0
    for rank in tl.static_range(CHOSEN):
        best = tl.max(left, axis=0)
        number = tl.min(tl.where(left == best, expert, EXPERTS), axis=0)
        tl.store(chosen_at + row * CHOSEN + rank, number.to(tl.int64))
        tl.store(weights_at + row * CHOSEN + rank, best)
        total += best
        left = tl.where(expert == number, -1.0, left)
    for rank in tl.static_range(CHOSEN):
        at = weights_at + row * CHOSEN + rank
        tl.store(at, tl.load(at) / total)


@triton.jit
@no_type_check  # a checking wrapper would hide this file's names from the interpreter
def _work_of(
    me, chosen_at, tiles_at, num_pairs,
    WIDTH: tl.constexpr, ROWS: tl.constexpr, SORTED: tl.constexpr,
):  # fmt: skip
    """What program `me` does: its expert, the first pair of its tile (SORTED) and how many pairs;
    else which pairs are its own and the number of each; none where another one works for them."""
    pair = tl.arange(0, WIDTH)
    if SORTED:
        expert = tl.load(tiles_at + me)
        first = tl.load(tiles_at + tl.num_programs(0) + me)
        last = tl.load(tiles_at + 2 * tl.num_programs(0) + me)
        num = tl.minimum(last - first, ROWS).to(tl.int32)
        mine, number = pair < 0, pair
    else:
        expert = tl.load(chosen_at + me)
        first = expert * 0
        mine = tl.load(chosen_at + pair, mask=pair < num_pairs, other=-1) == expert
        leads = tl.min(tl.where(mine, pair, WIDTH), axis=0) == me
        number = tl.cumsum(mine.to(tl.int32), axis=0) - 1
        num = tl.where(leads, tl.sum(mine.to(tl.int32), axis=0), 0)
    return expert, first, num, mine, number


@triton.jit
@no_type_check  # a checking wrapper would hide this file's names from the interpreter
def _pairs(
    wanted, order_at, first, num, mine, number, WIDTH: tl.constexpr, SORTED: tl.constexpr
):  # fmt: skip
    """The pairs with the numbers `wanted` among a program's own; -1 where it has fewer."""
    if SORTED:
        return tl.load(order_at + first + wanted, mask=wanted < num, other=-1)
    else:
        is_it = (number[None] == wanted[:, None]) & mine[None]
        return tl.max(tl.where(is_it, tl.arange(0, WIDTH)[None], -1), axis=1)


@triton.jit(do_not_specialize=["num_pairs"])
@no_type_check  # as above
def _gate_up(
    rows_at, chosen_at, order_at, tiles_at, weight_at, out_at, num_pairs, dim, ff,
    CHOSEN: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr, SORTED: tl.constexpr,
):  # fmt: skip
    me, column = tl.program_id(0), tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    depth = tl.arange(0, DEPTH)
    expert, first, num, mine, number = _work_of(
        me, chosen_at, tiles_at, num_pairs, WIDTH, ROWS, SORTED
    )
    line = weight_at + expert * 2 * ff * dim + column[None].to(tl.int64) * dim
    for begin in range(0, num, ROWS):
        wanted = begin + tl.arange(0, ROWS)
        who = _pairs(wanted, order_at, first, num, mine, number, WIDTH, SORTED)
        gate = tl.zeros((ROWS, COLUMNS), tl.float32)
        up = tl.zeros((ROWS, COLUMNS), tl.float32)
        for start in range(0, dim, DEPTH):
            at = start + depth
            x = tl.load(
                rows_at + (who // CHOSEN).to(tl.int64)[:, None] * dim + at[None],
                mask=(who >= 0)[:, None] & (at < dim)[None], other=0.0,
            )  # fmt: skip
            inside = (column < ff)[None] & (at < dim)[:, None]
            weight = tl.load(line + at[:, None], mask=inside, other=0.0)
            gate = tl.dot(x, weight, gate, input_precision="ieee")
            weight = tl.load(line + ff.to(tl.int64) * dim + at[:, None], mask=inside, other=0.0)
            up = tl.dot(x, weight, up, input_precision="ieee")
        kind = out_at.dtype.element_ty
        gate, up = gate.to(kind).to(tl.float32), up.to(kind).to(tl.float32)
        value = gate / (1 + tl.exp(-gate)) * up
        target = out_at + who.to(tl.int64)[:, None] * ff + column[None]
        tl.store(target, value.to(kind), mask=(who >= 0)[:, None] & (column < ff)[None])


@triton.jit(do_not_specialize=["num_pairs"])
@no_type_check  # as above
def _down(
    hidden_at, chosen_at, order_at, tiles_at, weight_at, out_at, num_pairs, dim, ff,
    WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
    SORTED: tl.constexpr,
):  # fmt: skip
    me, column = tl.program_id(0), tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    depth = tl.arange(0, DEPTH)
    expert, first, num, mine, number = _work_of(
        me, chosen_at, tiles_at, num_pairs, WIDTH, ROWS, SORTED
    )
    line = weight_at + expert * dim * ff + column[None].to(tl.int64) * ff
    for begin in range(0, num, ROWS):
        wanted = begin + tl.arange(0, ROWS)
        who = _pairs(wanted, order_at, first, num, mine, number, WIDTH, SORTED)
        total = tl.zeros((ROWS, COLUMNS), tl.float32)
        for start in range(0, ff, DEPTH):
            at = start + depth
            x = tl.load(
                hidden_at + who.to(tl.int64)[:, None] * ff + at[None],
                mask=(who >= 0)[:, None] & (at < ff)[None], other=0.0,
            )  # fmt: skip
            inside = (column < dim)[None] & (at < ff)[:, None]
            weight = tl.load(line + at[:, None], mask=inside, other=0.0)
            total = tl.dot(x, weight, total, input_precision="ieee")
        target = out_at + who.to(tl.int64)[:, None] * dim + column[None]
        inside = (who >= 0)[:, None] & (column < dim)[None]
        tl.store(target, total.to(out_at.dtype.element_ty), mask=inside)


class _Route(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, router, num_chosen):
        rows, router = rows.contiguous(), router.contiguous()
        (num_rows, dim), num_experts = rows.shape, len(router)
        device = rows.device
        weights = torch.empty(num_rows, num_chosen, dtype=torch.float32, device=device)
        chosen = torch.empty(num_rows, num_chosen, dtype=torch.int64, device=device)
        shares = torch.empty(num_rows, num_experts, dtype=torch.float32, device=device)
        if num_rows:
            _route[(num_rows,)](
                rows, router, weights, chosen, shares, dim, num_experts,
                EXPERTS=triton.next_power_of_2(num_experts), CHOSEN=num_chosen, DEPTH=DEPTH,
            )  # fmt: skip
        ctx.save_for_backward(rows, router, weights, chosen, shares)
        ctx.mark_non_differentiable(chosen)
        return weights, chosen

    @staticmethod
    def backward(ctx, g, _chosen):
        """Through the renormalisation, then the softmax, then the product."""
        rows, router, weights, chosen, shares = ctx.saved_tensors
        total = shares.gather(1, chosen).sum(1, keepdim=True)
        slope = (g - (g * weights).sum(1, keepdim=True)) / total
        grad = torch.zeros_like(shares).scatter_(1, chosen, slope)
        grad = shares * (grad - (grad * shares).sum(1, keepdim=True))
        return (
            (grad @ router.float()).to(rows.dtype),
            (grad.mT @ rows.float()).to(router.dtype),
            None,
        )
