"""Matrix products whose sums have one order per weight shape, as a Triton kernel. Knows nothing of
models.

Every program computes ROWS x COLUMNS values and walks along k in steps of DEPTH, whatever the
number of rows is: no split of k, no other instruction for few rows. For products that the library
cannot pin (`ops.probe`); the plain body with the same name is in `interplay.ops.linear`.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

ROWS, COLUMNS, DEPTH = 64, 64, 64  # 64 rows: one kind of matrix instruction for all row counts


def linear(x: Float[Tensor, "*rows k"], weight: Float[Tensor, "n k"]) -> Float[Tensor, "*rows n"]:
    """`x @ weight.T` in x's dtype, summed in fp32."""
    rows = x.reshape(-1, x.shape[-1])
    return _Linear.apply(rows, weight.to(x.dtype)).view(*x.shape[:-1], len(weight))


@triton.jit(do_not_specialize=["num_rows"])
def _linear(
    x_at, weight_at, out_at, num_rows, n, k,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    depth = tl.arange(0, DEPTH)
    x_line, weight_line = x_at + row[:, None] * k, weight_at + column[None].to(tl.int64) * k
    total = tl.zeros((ROWS, COLUMNS), dtype=tl.float32)
    for start in range(0, k, DEPTH):
        at = start + depth
        x = tl.load(x_line + at[None], mask=(row < num_rows)[:, None] & (at < k)[None], other=0.0)
        weight = tl.load(
            weight_line + at[:, None], mask=(column < n)[None] & (at < k)[:, None], other=0.0
        )
        total = tl.dot(x, weight, total, input_precision="ieee")
    tl.store(
        out_at + row[:, None] * n + column[None],
        total.to(out_at.dtype.element_ty),
        mask=(row < num_rows)[:, None] & (column < n)[None],
    )


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, weight):
        rows, weight = rows.contiguous(), weight.contiguous()
        (num_rows, k), n = rows.shape, len(weight)
        out = torch.empty(num_rows, n, dtype=rows.dtype, device=rows.device)
        if num_rows:
            _linear[(triton.cdiv(num_rows, ROWS), triton.cdiv(n, COLUMNS))](
                rows, weight, out, num_rows, n, k, ROWS=ROWS, COLUMNS=COLUMNS, DEPTH=DEPTH
            )
        ctx.save_for_backward(rows, weight)
        return out

    @staticmethod
    def backward(ctx, g):
        """The library's products: gradients never meet the sampler."""
        rows, weight = ctx.saved_tensors
        return g @ weight, g.mT @ rows
