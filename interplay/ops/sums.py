"""Sums along the last axis whose order does not depend on how many rows there are. Knows nothing
of models.
"""

from jaxtyping import Float
from torch import Tensor

from interplay.ops.kernels import kernels_on


def row_sum(x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows"]:
    """The sum of each row, in x's dtype; fp32 inside.

    On a CPU torch's own, which is row-invariant as it is. On a GPU torch shares rows out among
    threads by how many there are, so there it is a kernel.
    """
    if kernels_on(x):
        from interplay.ops.triton import sums

        return sums.row_sum(x)
    return x.sum(-1)
