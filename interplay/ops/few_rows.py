"""Products of a few rows at the speed of memory, with the bits of large stock products.

Stock products of few rows take another recipe than those of many, so `ops.linear` pads them to a
safe number of rows, which costs four times what the weights' way from memory does. The kernels here
follow the recipe of the many: fused multiply-adds in the order of k, in blocks. How long a block
is, the BLAS does not tell: it is found for every weight shape at start-up, by equality with a large
product, and shapes that no block explains stay with the stock products. So nothing here can change
a bit. Weights that `keep` was told of are packed (`ops.packed`, few_packed.cpp), the others are
read as they lie (few_rows.cpp). Knows nothing of models.
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
from torch.utils.weak import WeakTensorKeyDictionary

from interplay.ops.native import NativeError, load
from interplay.ops.packed import INT8_MAX, Kind, Matrix, Packed, pack

MAX_ROWS = 64  # of packed weights; above, the stock recipe may be as fast (measured, docs/log.md)
MAX_ROWS_IN_PLACE = 8
REFERENCE_ROWS = 64
TRIED_ROWS = (1, 2, 3, 4, 5, 6, 7, 8, 61)
BLOCKS = (192, 256, 320, 336, 384, 448, 512, 768)  # and half of k, and all of it at once
LANES = 8
HERE = Path(__file__).parent
SOURCES = tuple(  # all native parts of a pass of few rows are one library
    HERE / f"few_{name}"
    for name in (
        *("layers.cpp", "packed.cpp", "experts.cpp", "attention.cpp", "rows.cpp", "norms.cpp"),
        *("layers.h", "vector.h"),
    )
)


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """A packed weight, and what it was made of. source: holds its address."""

    packed: Packed
    matrix: Matrix
    source: Tensor
    version: int


@dataclass(kw_only=True)
class FewRows:
    """The kernels and the weight shapes (n, k) that they are proven for, each with its block.

    enabled: False sends every product to the stock path, with the same bits.
    """

    blocks: dict[tuple[int, int], int] = field(default_factory=dict)
    enabled: bool = True
    _library: Any = None
    _kept: WeakTensorKeyDictionary = field(default_factory=WeakTensorKeyDictionary)

    def prepare(self, shapes: Iterable[tuple[int, int]]) -> str:
        """Prove the kernels for weight shapes (n, k) in fp32; says for how many they hold.

        Raises NativeError where they cannot be used at all.
        """
        if torch.get_num_threads() > 1:
            raise NativeError(f"torch has {torch.get_num_threads()} threads, the kernel has one")
        if self._library is None:
            self._library = load(*SOURCES)
            pointer, number = ctypes.c_void_p, ctypes.c_int64
            self._library.few_rows.argtypes = [*[pointer] * 3, *[number] * 4]
            self._library.few_product.argtypes = [*[pointer] * 3, number]
            self._library.few_rows.restype = self._library.few_product.restype = None
        shapes = set(shapes)
        for n, k in shapes - set(self.blocks):
            block = self.find_block(n, k)
            if block:
                self.blocks[n, k] = block
        num_proven = len(shapes & set(self.blocks))
        if not num_proven:
            raise NativeError("no weight shape of the model has a recipe that the kernel knows")
        return f"native kernel for {num_proven} of {len(shapes)} weight shapes"

    def keep(self, weights: Iterable[Tensor]) -> None:
        """Pack float32 weights of proven shapes, for as long as they live; one that torch has
        counted as changed since is packed anew."""
        for weight in weights:
            if (
                tuple(weight.shape) in self.blocks
                and weight.dtype == torch.float32
                and weight.device.type == "cpu"
                and not weight.is_inference()
            ):
                self._pack(weight)

    def product(
        self, rows: Float[Tensor, "r k"], weight: Float[Tensor, "n k"]
    ) -> Float[Tensor, "r n"] | None:
        """`rows @ weight.T`, or None where the stock product has to do it."""
        block = self.blocks.get(tuple(weight.shape))  # type: ignore[arg-type]
        if (
            block is None
            or not self.enabled
            or rows.shape[0] > MAX_ROWS
            or rows.dtype != torch.float32
            or weight.device.type != "cpu"
            or torch.is_grad_enabled()
        ):
            return None
        kept = self._kept.get(weight)
        if kept is not None:
            if (weight.data_ptr(), weight._version) != (kept.source.data_ptr(), kept.version):
                kept = self._pack(weight)
            return self._packed(rows.contiguous(), kept.matrix)
        in_place = rows.shape[0] <= MAX_ROWS_IN_PLACE and weight.shape[1] % LANES == 0
        if in_place and weight.is_contiguous():
            return self._in_place(rows.contiguous(), weight, block)
        return None

    def find_block(self, n: int, k: int) -> int | None:
        """The block with which every number of rows gives the bits of a large product, whichever
        way the weight is kept."""
        generator = torch.Generator().manual_seed(n * 65_537 + k)
        x = torch.randn(REFERENCE_ROWS, k, generator=generator)
        weight = torch.randn(n, k, generator=generator)
        scale = weight.abs().amax(-1, keepdim=True) / INT8_MAX
        small = (weight / scale).round() * scale
        with torch.no_grad():
            weights = {Kind.FULL: weight, Kind.HALF: weight.half().float(), Kind.BYTE: small}
            large = {kind: F.linear(x, value) for kind, value in weights.items()}
            packed = {kind: pack(value) for kind, value in weights.items()}
            assert all(each.kind == kind for kind, each in packed.items()), "they are what they are"
            tried = (*BLOCKS, LANES * -(-(k // 2) // LANES), k)
            for block in (block for block in tried if block <= k):
                matrices = {kind: each.matrix(block) for kind, each in packed.items()}
                if all(
                    torch.equal(self._packed(x[:r], matrices[kind]), large[kind][:r])
                    for kind in Kind
                    for r in TRIED_ROWS
                ) and (
                    k % LANES
                    or all(
                        torch.equal(self._in_place(x[:r], weight, block), large[Kind.FULL][:r])
                        for r in range(1, MAX_ROWS_IN_PLACE + 1)
                    )
                ):
                    return block
        return None

    def _pack(self, weight: Tensor) -> _Kept:
        n, k = weight.shape
        packed = pack(weight)
        kept = self._kept[weight] = _Kept(
            packed=packed,
            matrix=packed.matrix(self.blocks[n, k]),
            source=weight.detach(),
            version=weight._version,
        )
        return kept

    def _packed(self, rows: Tensor, matrix: Matrix) -> Tensor:
        out = torch.empty(rows.shape[0], matrix.n)
        self._library.few_product(
            rows.data_ptr(), ctypes.addressof(matrix), out.data_ptr(), rows.shape[0]
        )
        return out

    def _in_place(self, rows: Tensor, weight: Tensor, block: int) -> Tensor:
        (num_rows, k), n = rows.shape, weight.shape[0]
        out = torch.empty(num_rows, n)
        self._library.few_rows(
            *(rows.data_ptr(), weight.data_ptr(), out.data_ptr()),
            *(num_rows, n, k, min(block, k)),
        )
        return out


FEW_ROWS = FewRows()
