"""Whether native SwiGLU and routing give the bits of the stock operations here.

Asked once per shape at start-up (ops.few_layers). Knows nothing of models or caches.
"""

import ctypes
from typing import Any

import torch

from interplay.ops.activation import swiglu
from interplay.ops.experts import choose

TRIED_ROWS = 64
TRIED_NUMBERS = (0.0, -0.0, 1e-30, -1e-30, 80.0, -80.0, 88.8, -88.8, 1e4, -1e4)


def swiglu_holds(library: Any, stack: ctypes.Structure, width: int) -> bool:
    """Whether the exponential that `stack` names is the one that torch's SwiGLU calls."""
    generator = torch.Generator().manual_seed(width)
    sizes = torch.tensor([0.1, 1.0, 5.0, 30.0])[:, None].repeat(5, 1)
    gate_up = torch.randn(20, 2 * width, generator=generator) * sizes
    gate_up[-1, : len(TRIED_NUMBERS)] = torch.tensor(TRIED_NUMBERS)
    expected = swiglu(gate_up)
    for part in (slice(0, 20), slice(0, 1), slice(17, 20)):
        rows = gate_up[part]
        out = torch.full((len(rows), width), torch.nan)
        address = ctypes.addressof(stack)
        library.few_swiglu(address, rows.data_ptr(), out.data_ptr(), len(rows), width)
        if not torch.equal(out, expected[part]):
            return False
    return True


def route_holds(library: Any, stack: ctypes.Structure, num_experts: int, num_chosen: int) -> bool:
    """Whether experts are chosen and weighted as `ops.experts.choose` does, equal ones too."""
    generator = torch.Generator().manual_seed(num_experts)
    sizes = torch.tensor([0.1, 1.0, 5.0, 30.0])[:, None].repeat(TRIED_ROWS // 4, 1)
    logits = torch.randn(TRIED_ROWS, num_experts, generator=generator) * sizes
    logits[0] = 0
    logits[1::2, 1::2] = logits[1::2, : num_experts // 2 * 2 : 2]
    weights, chosen = choose(logits, num_chosen)
    made = torch.full(weights.shape, torch.nan), torch.full(chosen.shape, -1)
    library.few_route(
        *(ctypes.addressof(stack), logits.data_ptr()),
        *(made[0].data_ptr(), made[1].data_ptr(), len(logits)),
    )
    return torch.equal(made[0], weights) and torch.equal(made[1], chosen)
