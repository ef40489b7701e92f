"""A backbone's pass over a few rows in one native call: its weights packed, its cache as places.
Knows nothing of how the call computes (ops.few_layers), nor of streams or tokens.

Weights are packed once and looked up at every pass: a model may be filled or cast anew. What torch
does not count as a change (`Tensor._version`: a fused optimizer's step) is not noticed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.model.cache import Append
from interplay.ops.few_layers import FEW_LAYERS, Arenas, PackedLayers, StackShape

NESTED = {  # where a layer keeps what `StackShape.weights` names, if not under that name
    **{name: f"attention.{name}" for name in ("qkv", "out", "q_norm", "k_norm")},
    **{name: f"ff.{name}" for name in ("gate_up", "down", "router")},
    **{f"shared_{name}": f"ff.shared.{name}" for name in ("gate_up", "down")},
}


@dataclass(kw_only=True)
class _Weights:
    """Where the layers' weights are kept, and, packed, those that were there the last time."""

    places: list[tuple[dict[str, Tensor], str]]
    stamps: list[tuple[int, int]] = field(default_factory=list)
    packed: PackedLayers | None = None

    def current(self, shape: StackShape) -> PackedLayers | None:
        """The weights, None if one is not what the call expects."""
        weights = [tensors[name] for tensors, name in self.places]
        try:
            stamps = [(weight.data_ptr(), weight._version) for weight in weights]
        except RuntimeError:  # of inference mode, whose changes nobody counts
            return None
        if stamps != self.stamps:
            self.stamps, self.packed = stamps, None
            names = list(shape.weights)
            layers = [
                dict(zip(names, weights[first : first + len(names)], strict=True))
                for first in range(0, len(weights), len(names))
            ]
            if all(_fits(layer, shape) for layer in layers):
                self.packed = FEW_LAYERS.pack(shape, layers)
        return self.packed


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
    packed = pack_layers(layers, shape)
    if packed is None:
        return None
    bases = cache.base.tolist()
    places = [
        (slot, column, length, bases[slot], past.seen.start)
        for slot, column, length in zip(past.slots, past.columns, past.lengths, strict=True)
    ]
    return FEW_LAYERS.run(shape, packed, norm, arenas, places, x, rope)


def pack_layers(
    layers: nn.ModuleList, shape: StackShape, *, anew: bool = False
) -> PackedLayers | None:
    """The layers' weights as the call reads them, packed if they have changed, or `anew`; None if
    they are not what it expects."""
    weights = None if anew else _WEIGHTS.get(layers)
    if weights is None:
        weights = _WEIGHTS[layers] = _Weights(places=list(_places(layers, shape)))
    return weights.current(shape)


def _places(layers: nn.ModuleList, shape: StackShape) -> Iterator[tuple[dict[str, Tensor], str]]:
    for layer in layers:
        for weight in shape.weights:
            module, _, name = NESTED.get(weight, weight).rpartition(".")
            yield layer.get_submodule(module)._parameters, name  # type: ignore[misc]


def _fits(weights: Mapping[str, Tensor], shape: StackShape) -> bool:
    return all(
        tuple(weight.shape) == shape.weights[name]
        and weight.dtype == torch.float32
        and weight.device.type == "cpu"
        and weight.is_contiguous()
        for name, weight in weights.items()
    )
