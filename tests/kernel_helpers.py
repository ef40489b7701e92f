"""Triton's interpreter made fit to stand for a GPU: products whose rows do not see each other.

Its own product is a BLAS call, whose bits depend on where in the tile a row lies, and it multiplies
bfloat16 numbers as if they were integers. Knows nothing of the kernels.
"""

import numpy as np
import pytest
import torch

pytest.importorskip("triton", reason="pip install 'interplay[gpu]'")

from triton.runtime import interpreter

from interplay.ops import kernels

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])


def _numbers(handle) -> np.ndarray:
    if handle.dtype.scalar.is_bf16():
        return (handle.data.astype(np.uint32) << 16).view(np.float32)
    return handle.data.astype(np.float32)


def _dot(_self, a, b, d, _precision, _max_imprecise):
    products = _numbers(a)[:, :, None] * _numbers(b)[None]
    return interpreter.TensorHandle(products.sum(1) + d.data, d.dtype.scalar)


@pytest.fixture
def exact_dot(monkeypatch):
    """Without a GPU: every value of a product is the same sum, in whatever row it lies."""
    if not GPU:
        monkeypatch.setattr(interpreter.InterpreterBuilder, "create_dot", _dot)


@pytest.fixture
def kernels_chosen(monkeypatch, exact_dot):
    """The whole model runs on the kernels, as it would on a GPU."""
    monkeypatch.setattr(kernels, "_chosen", {DEVICE.type})
