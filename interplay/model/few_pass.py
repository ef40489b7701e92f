"""A backbone's pass over a few rows in one native call: its weights as pointers, its cache as
places. Knows nothing of how the call computes (ops.few_layers), nor of streams or tokens.

Weights stay where they are. They are looked up at every pass: a model may be filled or cast anew.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.model.cache import Append
from interplay.ops.few_layers import FEW_LAYERS, Arenas, StackShape

OF_A_LAYER = (  # in the order that `FewLayers.run` wants
    "attention_norm",
    "attention.qkv",
    "attention.q_norm",
    "attention.k_norm",
    "attention.out",
    "ff_norm",
    "ff.gate_up",
    "ff.down",
)


@dataclass(kw_only=True)
class _Weights:
    """Where the layers' weights are kept, and pointers to those that were there the last time."""

    places: list[tuple[dict[str, Tensor], str]]
    pointers: list[int] = field(default_factory=list)
    array: ctypes.Array | None = None

    def current(self, shape: StackShape) -> ctypes.Array | None:
        """Pointers to the weights, None if one is not what the call expects."""
        pointers = [tensors[name].data_ptr() for tensors, name in self.places]
        if pointers != self.pointers:
            self.pointers, self.array = pointers, None
            if all(_fits(tensors[name], name, shape) for tensors, name in self.places):
                self.array = (ctypes.c_void_p * len(pointers))(*pointers)
        return self.array


_WEIGHTS: "WeakKeyDictionary[nn.Module, _Weights]" = WeakKeyDictionary()


def few_pass(
    layers: nn.ModuleList,
    norm: Float[Tensor, " dim"],
    shape: StackShape,
    x: Float[Tensor, "b r dim"],
    rope: tuple[Float[Tensor, "b r half"], Float[Tensor, "b r half"]],
    past: Append,
) -> Float[Tensor, "b r dim"] | None:
    """Hidden states behind the final norm, or None where the stock operations have to do it."""
    cache = past.cache
    arenas = Arenas(
        k=cache.k,
        v=cache.v,
        prefix_columns=cache.prefix_columns,
        window=cache.window,
        prefix=cache.prefix,
    )
    if norm.dtype != torch.float32 or not FEW_LAYERS.takes(shape, x, arenas):
        return None
    weights = _WEIGHTS.get(layers)
    if weights is None:
        weights = _WEIGHTS[layers] = _Weights(places=list(_places(layers)))
    pointers = weights.current(shape)
    if pointers is None:
        return None
    bases = cache.base.tolist()
    places = [
        (slot, column, length, bases[slot], past.seen.start)
        for slot, column, length in zip(past.slots, past.columns, past.lengths, strict=True)
    ]
    return FEW_LAYERS.run(shape, pointers, norm, arenas, places, x, rope)


def _places(layers: nn.ModuleList) -> Iterator[tuple[dict[str, Tensor], str]]:
    for layer in layers:
        for path in OF_A_LAYER:
            module, _, name = path.rpartition(".")
            yield layer.get_submodule(module)._parameters, name  # type: ignore[misc]


def _fits(weight: Tensor, name: str, shape: StackShape) -> bool:
    norms = {"q_norm": shape.head_dim, "k_norm": shape.head_dim}
    expected = shape.products.get(name) or (norms.get(name, shape.dim),)
    return (
        tuple(weight.shape) == expected
        and weight.dtype == torch.float32
        and weight.device.type == "cpu"
        and weight.is_contiguous()
    )
