"""Products of one to eight rows at the speed of memory, with the bits of large stock products.

Stock products of few rows take another recipe than those of many, so `ops.linear` pads them to a
safe number of rows, which costs four times what the weights' way from memory does. The kernel here
(few_rows.cpp) follows the recipe of the many: fused multiply-adds in the order of k, in blocks. How
long a block is, the BLAS does not tell: it is found for every weight shape at start-up, by equality
with a large product, and shapes that no block explains stay with the stock products. So nothing
here can change a bit. Knows nothing of models.
"""

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from interplay.ops.native import NativeError, load

MAX_ROWS = 8  # above, padding to the stock recipe is as fast
REFERENCE_ROWS = 64
BLOCKS = (192, 256, 320, 336, 384, 448, 512, 768)  # and half of k, and all of it at once
LANES = 8
SOURCE = Path(__file__).with_name("few_rows.cpp")


@dataclass(kw_only=True)
class FewRows:
    """The kernel and the weight shapes (n, k) that it is proven for, each with its block.

    enabled: False sends every product to the stock path, with the same bits.
    """

    blocks: dict[tuple[int, int], int] = field(default_factory=dict)
    enabled: bool = True
    _function: Any = None

    def prepare(self, shapes: Iterable[tuple[int, int]]) -> str:
        """Prove the kernel for weight shapes (n, k) in fp32; says for how many it holds.

        Raises NativeError where it cannot be used at all.
        """
        if torch.get_num_threads() > 1:
            raise NativeError(f"torch has {torch.get_num_threads()} threads, the kernel has one")
        if self._function is None:
            self._function = load(SOURCE).few_rows
            self._function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64] * 4
            self._function.restype = None
        shapes = set(shapes)
        for n, k in shapes - set(self.blocks):
            block = self.find_block(n, k)
            if block:
                self.blocks[n, k] = block
        num_proven = len(shapes & set(self.blocks))
        if not num_proven:
            raise NativeError("no weight shape of the model has a recipe that the kernel knows")
        return f"native kernel for {num_proven} of {len(shapes)} weight shapes"

    def takes(self, rows: Tensor, weight: Tensor) -> bool:
        """Whether `product` may compute this one."""
        return (
            rows.shape[0] <= MAX_ROWS
            and self.enabled
            and tuple(weight.shape) in self.blocks
            and rows.dtype == torch.float32
            and weight.device.type == "cpu"
            and not torch.is_grad_enabled()
            and weight.is_contiguous()
        )

    def product(
        self, rows: Float[Tensor, "r k"], weight: Float[Tensor, "n k"]
    ) -> Float[Tensor, "r n"]:
        """`rows @ weight.T` where `takes` says so."""
        n, k = weight.shape
        return self._product(rows.contiguous(), weight, self.blocks[n, k])

    def _product(self, rows: Tensor, weight: Tensor, block: int) -> Tensor:
        assert self._function is not None, "proven shapes have a function"
        (num_rows, k), n = rows.shape, weight.shape[0]
        out = torch.empty(num_rows, n)
        self._function(
            rows.data_ptr(), weight.data_ptr(), out.data_ptr(), num_rows, n, k, min(block, k)
        )
        return out

    def find_block(self, n: int, k: int) -> int | None:
        """The block with which every number of rows gives the bits of a large product."""
        if k % LANES:
            return None
        generator = torch.Generator().manual_seed(n * 65_537 + k)
        x = torch.randn(REFERENCE_ROWS, k, generator=generator)
        weight = torch.randn(n, k, generator=generator)
        with torch.no_grad():
            reference = F.linear(x, weight)
            tried = (*BLOCKS, LANES * -(-(k // 2) // LANES), k)
            for block in (block for block in tried if block <= k):
                if all(
                    torch.equal(self._product(x[:r], weight, block), reference[:r])
                    for r in range(1, MAX_ROWS + 1)
                ):
                    return block
        return None


FEW_ROWS = FewRows()
