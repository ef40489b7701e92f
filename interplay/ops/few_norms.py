"""Norms and rotations in one call each, with the bits of the many stock operations they replace.

Nine operations for a norm and twenty for a rotation cost a live micro-turn more than its products
do. The C++ code (few_norms.cpp) follows the order in which torch adds up a row; every width is
compared at start-up and stays with the stock operations if a bit differs. Knows nothing of models.
"""

import ctypes
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.ops.native import load

SOURCE = Path(__file__).with_name("few_norms.cpp")
MULTIPLE, MAX_WIDTH = 32, 8192  # what the code follows
TRIED_ROWS, TRIED_HEADS = 5, 3
Stock = Callable[..., Tensor]


@dataclass(kw_only=True)
class FewNorms:
    """The code and the widths that it is proven for. enabled: False takes the stock operations."""

    widths: set[int] = field(default_factory=set)
    enabled: bool = True
    _library: Any = None

    def prepare(self, widths: Iterable[int], norm: Stock, rotate: Stock) -> None:
        """Prove rows of these widths against the stock `norm(x, weight, eps)` and
        `rotate(x, weight, cos, sin, eps)`. Raises NativeError where nothing can be compiled."""
        if self._library is None:
            self._library = load(SOURCE)
            pointer, number, eps = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
            self._library.rms_norm.argtypes = [*[pointer] * 3, *[number] * 2, eps]
            self._library.norm_and_rotate.argtypes = [
                *(pointer, number),
                *[pointer] * 4,
                *[number] * 3,
                eps,
            ]
        self.widths |= {w for w in set(widths) - self.widths if self._holds(w, norm, rotate)}

    def takes(self, x: Tensor, weight: Tensor) -> bool:
        """Whether `norm` and `rotate` may compute this one."""
        return (
            self.enabled
            and x.shape[-1] in self.widths
            and x.dtype == weight.dtype == torch.float32
            and x.device.type == "cpu"
        )

    def norm(
        self, x: Float[Tensor, "*rows dim"], weight: Float[Tensor, " dim"], eps: float
    ) -> Float[Tensor, "*rows dim"]:
        """RMSNorm of every row."""
        x, weight = x.contiguous(), weight.contiguous()
        out, width = torch.empty(x.shape), x.shape[-1]
        self._library.rms_norm(
            x.data_ptr(), weight.data_ptr(), out.data_ptr(), x.numel() // width, width, eps
        )
        return out

    def rotate(
        self,
        x: Float[Tensor, "*rows heads d"],
        weight: Float[Tensor, "heads d"],
        cos: Float[Tensor, "*rows half"],
        sin: Float[Tensor, "*rows half"],
        eps: float,
    ) -> Float[Tensor, "*rows heads d"]:
        """RMSNorm of every head, then its rotation."""
        heads, width = x.shape[-2:]
        rows = x.flatten(0, -3)
        if rows.stride()[1:] != (width, 1):
            rows = rows.contiguous()
        weight, cos, sin = weight.contiguous(), cos.contiguous(), sin.contiguous()
        out = torch.empty(x.shape)
        self._library.norm_and_rotate(
            *(rows.data_ptr(), rows.stride(0), weight.data_ptr(), cos.data_ptr(), sin.data_ptr()),
            *(out.data_ptr(), len(rows), heads, width, eps),
        )
        return out

    def _holds(self, width: int, norm: Stock, rotate: Stock) -> bool:
        if width % MULTIPLE or width > MAX_WIDTH:
            return False
        generator = torch.Generator().manual_seed(width)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        x, weight = draw(TRIED_ROWS, TRIED_HEADS, width), draw(TRIED_HEADS, width)
        cos, sin = draw(TRIED_ROWS, width // 2), draw(TRIED_ROWS, width // 2)
        with torch.no_grad():
            return torch.equal(
                self.norm(x, weight[0], 1e-6), norm(x, weight[0], 1e-6)
            ) and torch.equal(
                self.rotate(x, weight, cos, sin, 1e-6), rotate(x, weight, cos, sin, 1e-6)
            )


FEW_NORMS = FewNorms()
