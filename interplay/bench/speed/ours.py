"""Our own backbone as a runtime, and its ablations. Knows nothing of other runtimes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.bench.speed.workload import Workload
from interplay.model import moe
from interplay.model.cache import Cache
from interplay.model.few_pass import pack_layers
from interplay.ops.activation import swiglu
from interplay.ops.few_layers import FEW_LAYERS
from interplay.ops.few_norms import FEW_NORMS
from interplay.ops.few_rows import FEW_ROWS
from interplay.ops.linear import CONTRACT, linear


class Ours:
    """The backbone with its cache, as the engine uses it."""

    def __init__(self, work: Workload) -> None:
        self.work = work
        self.cache = work.backbone.new_cache(1)

    def reset(self) -> None:
        self.cache.reset_slot(0)

    @torch.inference_mode()
    def append(self, rows: Float[Tensor, "r dim"]) -> Float[Tensor, " vocab"]:
        positions = self.cache.length[0] + torch.arange(len(rows))
        hidden = self.work.backbone(rows[None], positions[None], self.cache)
        return linear(hidden[0, -1:], self.work.head)[0]

    def follow(self, other: "Ours") -> None:
        """Go on from where `other` is."""
        self.cache.write_slot(0, other.cache.read_slot(0))

    def weight_bytes(self) -> int:
        """Of the matrices of all layers as a pass over a few rows reads them."""
        backbone = self.work.backbone
        shape = backbone.config.stack_shape
        packed = pack_layers(backbone.layers, shape) if shape in FEW_LAYERS.recipes else None
        return packed.num_bytes if packed else self.work.weight_bytes()

    def state_bytes(self) -> int:
        """What one session needs, whatever its age."""
        return sum(x.numel() * x.element_size() for x in (self.cache.k, self.cache.v))


class Stock(Ours):
    """The same with stock operations, padded: the plain way, the same bits."""

    def append(self, rows: Tensor) -> Tensor:
        with _products(native=False, padded=True):
            return super().append(rows)


class PassWindow(Stock):
    """The window of all rows of a pass begins where that of its first row does, as in llama.cpp,
    which has no other: what its logits are compared with."""

    def __init__(self, work: Workload) -> None:
        super().__init__(work)
        assert isinstance(self.cache, Cache)
        mask = self.cache.mask
        self.cache.mask = lambda slots, num_rows, seen: (
            mask(slots, num_rows, seen) | mask(slots, 1, seen)
        )


class Unpinned(Ours):
    """Stock operations of as many rows as there are: bits depend on the company."""

    def append(self, rows: Tensor) -> Tensor:
        with unpinned_products():
            return super().append(rows)


class Gathered(Ours):
    """A mixture whose experts' weights are gathered per row and multiplied in one batch."""

    def append(self, rows: Tensor) -> Tensor:
        original = moe.run_experts
        moe.run_experts = _gather_and_multiply
        try:
            return super().append(rows)
        finally:
            moe.run_experts = original


class Again(Ours):
    """No cache: every pass computes the whole window again."""

    def reset(self) -> None:
        self.past = torch.empty(0, self.work.config.dim)

    @torch.inference_mode()
    def append(self, rows: Tensor) -> Tensor:
        # what a row sees reaches back a window per layer; the last window is what others would keep
        self.past = torch.cat([self.past, rows])[-self.work.config.window :]
        positions = torch.arange(len(self.past))
        hidden = self.work.backbone(self.past[None], positions[None])
        return linear(hidden[0, -1:], self.work.head)[0]


@contextmanager
def unpinned_products() -> Iterator[None]:
    """Within it, products take as many rows as there are, by the recipe that the BLAS chooses."""
    with _products(native=False, padded=False):
        yield


@contextmanager
def _products(*, native: bool, padded: bool) -> Iterator[None]:
    enabled, rows = FEW_ROWS.enabled, dict(CONTRACT.min_rows)
    FEW_ROWS.enabled = FEW_NORMS.enabled = native
    if not padded:
        CONTRACT.min_rows.clear()
    try:
        yield
    finally:
        FEW_ROWS.enabled = FEW_NORMS.enabled = enabled
        CONTRACT.min_rows.update(rows)


def _gather_and_multiply(
    rows: Float[Tensor, "n dim"],
    chosen: Int[Tensor, "n chosen"],
    gate_up: Float[Tensor, "experts two_ff dim"],
    down: Float[Tensor, "experts dim ff"],
) -> Float[Tensor, "n chosen dim"]:
    flat = chosen.flatten()
    wide = rows.repeat_interleave(chosen.shape[1], dim=0).unsqueeze(-1)
    hidden = swiglu(torch.bmm(gate_up[flat], wide).squeeze(-1))
    return torch.bmm(down[flat], hidden.unsqueeze(-1)).view(*chosen.shape, -1)
