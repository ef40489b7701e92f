"""A stack of layers over a few rows in one native call, with the bits of the many stock
operations it replaces.

A small torch operation costs more than the few rows it works on: fifteen of them a layer are most
of a live micro-turn. The C++ code (few_layers.cpp, few_attention.cpp) goes from the rows' vectors
to the final norm, on the products of packed weights that `ops.few_rows` and the norms that
`ops.few_norms` have proven. What comes on top, SwiGLU, the choice of experts and attention, is
compared with the stock operations at start-up, for every shape of a stack; a shape with a bit that
differs stays with them. Whether torch adds up a softmax in eight lanes, as on AVX2, or in sixteen,
as on AVX-512, is found by equality, as blocks are. The exponential of SwiGLU is the very function
that torch calls. Knows nothing of models or caches.
"""

import ctypes
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.ops.attention import BLOCK, attend, round_up, visible
from interplay.ops.few_norms import FEW_NORMS
from interplay.ops.few_proofs import route_holds, swiglu_holds
from interplay.ops.few_rows import BLOCKS, FEW_ROWS, MAX_ROWS, SOURCES
from interplay.ops.native import NativeError, load
from interplay.ops.packed import Kind, Matrix, Packed, pack

HEAD_MULTIPLE, MAX_HEAD = 64, 256  # widths of a head that the code can take
EXPONENTIAL_MODE = 0x2 | 0x140000 | 0x100  # torch's: high accuracy, denormals kept, errors ignored
TORCH_LANES = (8, 16)  # in which torch adds up a softmax: on AVX2, on AVX-512
TRIED_WINDOW, TRIED_PREFIX = BLOCK, 100
TRIED_LENGTHS = (1, 509, BLOCK + 200, 1300)

NORMS, OF_HEADS = ("attention_norm", "q_norm", "k_norm", "ff_norm"), ("q_norm", "k_norm")
MATRICES = ("qkv", "out", "gate_up", "down", "router", "shared_gate_up", "shared_down")

_POINTER, _NUMBER, _REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float


class _Attention(ctypes.Structure):
    _fields_ = [
        *((name, _NUMBER) for name in ("heads", "kv_heads", "width", "window", "prefix")),
        *((name, _NUMBER) for name in ("prefix_columns", "capacity", "score_block", "value_block")),
        ("lanes", _NUMBER),
        ("scale", _REAL),
    ]


class _Layer(ctypes.Structure):
    _fields_ = [*((name, _POINTER) for name in NORMS), *((name, Matrix) for name in MATRICES)]


class _Stack(ctypes.Structure):
    _fields_ = [
        ("attention", _Attention),
        *((name, _NUMBER) for name in ("num_layers", "num_slots", "dim")),
        *((name, _NUMBER) for name in ("num_experts", "num_chosen")),
        ("eps", _REAL),
        ("exponential", _POINTER),
        ("mode", _NUMBER),
    ]


@dataclass(frozen=True, kw_only=True)
class StackShape:
    """What a stack of layers is made of, all layers alike.

    ff_dim: of the feed-forward, or of each of `num_experts` experts, of which a row chooses
    `num_chosen`; all rows pass through a shared one as well if shared_ff_dim > 0.
    """

    dim: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    ff_dim: int
    eps: float
    num_experts: int = 0
    num_chosen: int = 0
    shared_ff_dim: int = 0

    @property
    def products(self) -> dict[str, tuple[int, int]]:
        """Weight shapes (n, k) of a layer; gate_up and down are those of one expert."""
        heads = self.num_heads * self.head_dim
        shapes = {
            "qkv": (heads + 2 * self.num_kv_heads * self.head_dim, self.dim),
            "out": (self.dim, heads),
            "gate_up": (2 * self.ff_dim, self.dim),
            "down": (self.dim, self.ff_dim),
        }
        if self.num_experts:
            shapes["router"] = self.num_experts, self.dim
        if self.shared_ff_dim:
            shapes["shared_gate_up"] = 2 * self.shared_ff_dim, self.dim
            shapes["shared_down"] = self.dim, self.shared_ff_dim
        return shapes

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all weights of a layer by name."""
        norms = {name: (self.head_dim if name in OF_HEADS else self.dim,) for name in NORMS}
        shapes: dict[str, tuple[int, ...]] = {**norms, **self.products}
        if self.num_experts:
            for name in ("gate_up", "down"):
                shapes[name] = self.num_experts, *shapes[name]
        return shapes


@dataclass(frozen=True, kw_only=True)
class PackedLayers:
    """The weights of a stack as the native code reads them. kept: the weights themselves, so that
    their addresses tell whether they are still the same."""

    array: ctypes.Array
    packed: Sequence[Packed]
    kept: Sequence[Tensor]

    @property
    def num_bytes(self) -> int:
        """Of all matrices."""
        return sum(each.num_bytes for each in self.packed)

    @property
    def kinds(self) -> set[Kind]:
        return {each.kind for each in self.packed}


@dataclass(frozen=True, kw_only=True)
class Arenas:
    """Where keys and values of all layers and sessions lie, k and v
    [layers, slots, kv_heads, columns, head_dim], and what a position sees of them.

    prefix_columns: before the window area; the column of a position there is the position.
    """

    k: Tensor
    v: Tensor
    prefix_columns: int
    window: int
    prefix: int


Place = tuple[int, int, int, int, int]
"""Of one session: slot, column of its first row, position of that row, position of the window
area's first column, first column to look at (a multiple of 512)."""


@dataclass(kw_only=True)
class FewLayers:
    """The code and the shapes that it is proven for, each with how its sums go: `lanes`, and the
    block of every product (by name, `score` and `value` too). enabled: False takes the stock
    operations."""

    recipes: dict[StackShape, dict[str, int]] = field(default_factory=dict)
    enabled: bool = True
    _library: Any = None
    _exponential: Any = None

    def prepare(self, shape: StackShape) -> None:
        """Prove a stack of this shape, whose products and norms are proven already. Raises
        NativeError with what cannot be followed."""
        if shape in self.recipes:
            return
        self._load()
        recipe = {}
        for name, (n, k) in shape.products.items():
            if (n, k) not in FEW_ROWS.blocks:
                raise NativeError(f"{n} x {k} products are stock")
            recipe[name] = FEW_ROWS.blocks[n, k]
        for width in (shape.dim, shape.head_dim):
            if width not in FEW_NORMS.widths:
                raise NativeError(f"norms {width} wide are stock")
        if shape.head_dim % HEAD_MULTIPLE or shape.head_dim > MAX_HEAD:
            raise NativeError(f"heads are {shape.head_dim} wide")
        score = FEW_ROWS.find_block(BLOCK, shape.head_dim)
        if score is None:
            raise NativeError("scores have a recipe that the code does not know")
        with torch.no_grad():
            stack = self._stack(shape)
            for width in {shape.ff_dim, shape.shared_ff_dim or shape.ff_dim}:
                if not swiglu_holds(self._library, stack, width):
                    raise NativeError("torch's exponential is another one")
            lanes = [each for each in TORCH_LANES if self._route_holds(shape, each)]
            if not lanes:
                raise NativeError(f"{shape.num_experts} experts are chosen in another way")
            recipe |= self._find_sums(shape, score, lanes)
        self.recipes[shape] = recipe

    def pack(self, shape: StackShape, layers: Sequence[Mapping[str, Tensor]]) -> PackedLayers:
        """The weights of a proven shape, by the names and in the shapes of `StackShape.weights`,
        contiguous and in float32."""
        array, packed, kept = (_Layer * len(layers))(), [], []
        for into, weights in zip(array, layers, strict=True):
            kept.extend(weights[name].detach() for name in shape.weights)
            for name in NORMS:
                setattr(into, name, weights[name].data_ptr())
            for name in shape.products:
                packed.append(pack(weights[name]))
                setattr(into, name, packed[-1].matrix(self.recipes[shape][name]))
        return PackedLayers(array=array, packed=packed, kept=kept)

    def takes(self, shape: StackShape, x: Float[Tensor, "b r dim"], arenas: Arenas) -> bool:
        """Whether `run` may compute this one."""
        return (
            self.enabled
            and FEW_ROWS.enabled
            and FEW_NORMS.enabled
            and x.shape[0] * x.shape[1] <= MAX_ROWS
            and shape in self.recipes
            and x.dtype == arenas.k.dtype == torch.float32
            and x.device.type == "cpu"
            and not torch.is_grad_enabled()
        )

    def run(
        self,
        shape: StackShape,
        layers: PackedLayers,
        norm: Float[Tensor, " dim"],
        arenas: Arenas,
        places: Sequence[Place],
        x: Float[Tensor, "b r dim"],
        rope: tuple[Float[Tensor, "b r half"], Float[Tensor, "b r half"]],
    ) -> Float[Tensor, "b r dim"]:
        """The rows behind the final norm; their keys and values are written to the arenas."""
        x, cos, sin = x.contiguous(), rope[0].contiguous(), rope[1].contiguous()
        out = torch.empty(x.shape)
        recipe = self.recipes[shape]
        stack = self._stack(shape, recipe["lanes"])
        stack.attention = _attention(shape, arenas, recipe)
        stack.num_layers, stack.num_slots = arenas.k.shape[:2]
        self._library.few_layers(
            *(ctypes.addressof(stack), ctypes.addressof(layers.array), norm.data_ptr()),
            *(_sessions(places), len(places), x.shape[1]),
            *(x.data_ptr(), cos.data_ptr(), sin.data_ptr()),
            *(arenas.k.data_ptr(), arenas.v.data_ptr(), out.data_ptr()),
        )
        return out

    def _stack(self, shape: StackShape, lanes: int = 0) -> _Stack:
        return _Stack(
            attention=_Attention(lanes=lanes),
            dim=shape.dim,
            num_experts=shape.num_experts,
            num_chosen=shape.num_chosen,
            eps=shape.eps,
            exponential=self._exponential,
            mode=EXPONENTIAL_MODE,
        )

    def _load(self) -> None:
        if self._library is not None:
            return
        library = load(*SOURCES)
        library.few_layers.argtypes = [
            *[_POINTER] * 3,
            *(_POINTER, _NUMBER, _NUMBER),
            *[_POINTER] * 6,
        ]
        library.few_swiglu.argtypes = [*[_POINTER] * 3, *[_NUMBER] * 2]
        library.few_route.argtypes = [*[_POINTER] * 4, _NUMBER]
        library.few_attention.argtypes = [*[_POINTER] * 3, _NUMBER, *[_POINTER] * 3, _NUMBER]
        for name in ("layers", "swiglu", "route", "attention"):
            getattr(library, f"few_{name}").restype = None
        try:
            torch_library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib/libtorch_cpu.so"))
            exponential = ctypes.cast(torch_library.vmsExp, _POINTER).value
        except (OSError, AttributeError):
            raise NativeError("this torch build has no vmsExp") from None
        self._library, self._exponential = library, exponential

    def _route_holds(self, shape: StackShape, lanes: int) -> bool:
        stack = self._stack(shape, lanes)
        return not shape.num_experts or route_holds(
            self._library, stack, shape.num_experts, shape.num_chosen
        )

    def _find_sums(self, shape: StackShape, score: int, lanes: Sequence[int]) -> dict[str, int]:
        """In which of `lanes` attention adds up, and how many keys a product with the values sums
        at once."""
        blocks = (*(block for block in BLOCKS if block < BLOCK), BLOCK)
        for each, block in itertools.product(lanes, blocks):
            sums = {"score": score, "value": block, "lanes": each}
            if all(
                self._attention_holds(shape, sums, length, prefix)
                for length in TRIED_LENGTHS
                for prefix in (0, TRIED_PREFIX)
            ):
                return sums
        raise NativeError("attention has a recipe that the code does not know")

    def _attention_holds(
        self, shape: StackShape, sums: Mapping[str, int], length: int, prefix: int
    ) -> bool:
        generator = torch.Generator().manual_seed(length)
        num_columns = round_up(prefix) + TRIED_WINDOW + 2 * BLOCK
        keys = (1, 2, shape.num_kv_heads, num_columns, shape.head_dim)
        k, v = (torch.randn(keys, generator=generator) for _ in range(2))
        arenas = Arenas(
            k=k, v=v, prefix_columns=round_up(prefix), window=TRIED_WINDOW, prefix=prefix
        )
        how = _attention(shape, arenas, sums)
        columns = torch.arange(num_columns)
        for num_rows in (1, 4, 5):
            q = 2 * torch.randn(num_rows, shape.num_heads, shape.head_dim, generator=generator)
            at = length + torch.arange(num_rows)
            mask = visible(at[:, None], columns[None], TRIED_WINDOW, prefix)[None, None]
            expected = attend(q.transpose(0, 1)[None], k[0, 1:], v[0, 1:], mask)[0].transpose(0, 1)
            out = torch.full(q.shape, torch.nan)
            place = (1, length, length, round_up(prefix), 0)
            self._library.few_attention(
                *(ctypes.addressof(how), _sessions([place]), q.data_ptr(), q.stride(0)),
                *(k[0, 1].data_ptr(), v[0, 1].data_ptr(), out.data_ptr(), num_rows),
            )
            if not torch.equal(out, expected):
                return False
        return True


def _attention(shape: StackShape, arenas: Arenas, sums: Mapping[str, int]) -> _Attention:
    return _Attention(
        *(shape.num_heads, shape.num_kv_heads, shape.head_dim, arenas.window, arenas.prefix),
        *(arenas.prefix_columns, arenas.k.shape[3], sums["score"], sums["value"], sums["lanes"]),
        shape.head_dim**-0.5,
    )


def _sessions(places: Sequence[Place]) -> ctypes.Array:
    return (_NUMBER * (5 * len(places)))(*(number for place in places for number in place))


FEW_LAYERS = FewLayers()
