"""Matrix products whose rows do not depend on how many rows there are. Knows nothing of models.

A BLAS picks its recipe by the number of rows, so the same row can get other bits in another
batch. Padding the row count to a safe minimum (found by `interplay.ops.probe`) pins the recipe;
where `interplay.ops.few_rows` is proven to follow it, few rows need no padding.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from interplay.ops.few_rows import FEW_ROWS
from interplay.ops.kernels import kernels_on


@dataclass(kw_only=True)
class RowContract:
    """The smallest row count per dtype from which a product's rows are independent of it.

    library_shapes: (n, k, dtype) of the products that a GPU's library computes row by row alike
    (`ops.probe.safe_shapes`); all others are kernels there.
    """

    min_rows: dict[torch.dtype, int] = field(
        default_factory=lambda: {torch.bfloat16: 2, torch.float32: 16}
    )
    library_shapes: set[tuple[int, int, torch.dtype]] = field(default_factory=set)

    def padding(self, num_rows: int, dtype: torch.dtype) -> int:
        """How many rows to add to `num_rows` rows of `dtype`."""
        return max(0, self.min_rows.get(dtype, 1) - num_rows)


CONTRACT = RowContract()


def linear(x: Float[Tensor, "*rows k"], weight: Float[Tensor, "n k"]) -> Float[Tensor, "*rows n"]:
    """`x @ weight.T` in x's dtype, each row's bits independent of the other rows.

    The weight is cast to x.dtype when it differs (fp32 master weights while training).
    """
    rows = x.reshape(-1, x.shape[-1])
    weight = weight.to(x.dtype)
    if kernels_on(rows) and (*weight.shape, x.dtype) not in CONTRACT.library_shapes:
        from interplay.ops.triton import linear

        return linear.linear(x, weight)
    out = FEW_ROWS.product(rows, weight)
    if out is not None:
        return out.view(*x.shape[:-1], weight.shape[0])
    padding = CONTRACT.padding(rows.shape[0], x.dtype)
    if padding:
        out = F.linear(F.pad(rows, (0, 0, 0, padding)), weight)[: rows.shape[0]]
    else:
        out = F.linear(rows, weight)
    return out.view(*x.shape[:-1], weight.shape[0])
