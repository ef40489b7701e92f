"""A stack of layers over a few rows in one native call, with the bits of the many stock
operations it replaces.

A small torch operation costs more than the few rows it works on: fifteen of them a layer are most
of a live micro-turn. The C++ code (few_layers.cpp, few_attention.cpp) goes from the rows' vectors
to the final norm, on the products and norms that `ops.few_rows` and `ops.few_norms` have proven.
What comes on top, SwiGLU and attention, is compared with the stock operations at start-up, for
every shape of a stack; a shape with a bit that differs stays with them. The exponential of SwiGLU
is the very function that torch calls. Knows nothing of models or caches.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.ops.activation import swiglu
from interplay.ops.attention import BLOCK, attend, round_up, visible
from interplay.ops.few_norms import FEW_NORMS
from interplay.ops.few_rows import BLOCKS, FEW_ROWS, MAX_ROWS
from interplay.ops.native import NativeError, load

HERE = Path(__file__).parent
SOURCES = ("few_layers.cpp", "few_attention.cpp", "few_rows.cpp", "few_norms.cpp", "few_layers.h")
MANY_ROWS, SMALL_BYTES = 64, 2 << 20
HEAD_MULTIPLE, MAX_HEAD = 64, 256  # widths of a head that the code can take
EXPONENTIAL_MODE = 0x2 | 0x140000 | 0x100  # torch's: high accuracy, denormals kept, errors ignored
TRIED_NUMBERS = (0.0, -0.0, 1e-30, -1e-30, 80.0, -80.0, 88.8, -88.8, 1e4, -1e4)
TRIED_WINDOW, TRIED_PREFIX = BLOCK, 100
TRIED_LENGTHS = (1, 509, BLOCK + 200, 1300)

_POINTER, _NUMBER, _REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float


class _Attention(ctypes.Structure):
    _fields_ = [
        *((name, _NUMBER) for name in ("heads", "kv_heads", "width", "window", "prefix")),
        *((name, _NUMBER) for name in ("prefix_columns", "capacity", "score_block", "value_block")),
        ("scale", _REAL),
    ]


class _Stack(ctypes.Structure):
    _fields_ = [
        ("attention", _Attention),
        *((name, _NUMBER) for name in ("num_layers", "num_slots", "dim", "ff_dim")),
        *((f"{name}_block", _NUMBER) for name in ("qkv", "out", "gate_up", "down")),
        ("eps", _REAL),
        ("exponential", _POINTER),
        ("mode", _NUMBER),
    ]


@dataclass(frozen=True, kw_only=True)
class StackShape:
    """What a stack of dense layers is made of, all layers alike."""

    dim: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    ff_dim: int
    eps: float

    @property
    def products(self) -> dict[str, tuple[int, int]]:
        """Weight shapes (n, k) of a layer."""
        heads = self.num_heads * self.head_dim
        return {
            "qkv": (heads + 2 * self.num_kv_heads * self.head_dim, self.dim),
            "out": (self.dim, heads),
            "gate_up": (2 * self.ff_dim, self.dim),
            "down": (self.dim, self.ff_dim),
        }

    @property
    def max_rows(self) -> int:
        """Rows from which stock operations may be faster (measured, docs/log.md). Four at a time
        read all weights, which costs small layers little, since a cache keeps them."""
        num_bytes = 4 * sum(n * k for n, k in self.products.values())
        return MANY_ROWS if num_bytes <= SMALL_BYTES else MAX_ROWS


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
    """The code and the shapes that it is proven for, each with its blocks (keys: names of products,
    `score` and `value`). enabled: False takes the stock operations."""

    blocks: dict[StackShape, dict[str, int]] = field(default_factory=dict)
    enabled: bool = True
    _library: Any = None
    _exponential: Any = None

    def prepare(self, shape: StackShape) -> None:
        """Prove a stack of this shape, whose products and norms are proven already. Raises
        NativeError with what cannot be followed."""
        if shape in self.blocks:
            return
        self._load()
        blocks = {}
        for name, (n, k) in shape.products.items():
            if (n, k) not in FEW_ROWS.blocks:
                raise NativeError(f"{n} x {k} products are stock")
            blocks[name] = FEW_ROWS.blocks[n, k]
        for width in (shape.dim, shape.head_dim):
            if width not in FEW_NORMS.widths:
                raise NativeError(f"norms {width} wide are stock")
        if shape.head_dim % HEAD_MULTIPLE or shape.head_dim > MAX_HEAD:
            raise NativeError(f"heads are {shape.head_dim} wide")
        score = FEW_ROWS.find_block(BLOCK, shape.head_dim)
        if score is None:
            raise NativeError("scores have a recipe that the code does not know")
        blocks["score"] = score
        with torch.no_grad():
            if not self._swiglu_holds(shape):
                raise NativeError("torch's exponential is another one")
            blocks["value"] = self._find_value_block(shape, score)
        self.blocks[shape] = blocks

    def takes(self, shape: StackShape, x: Float[Tensor, "b r dim"], arenas: Arenas) -> bool:
        """Whether `run` may compute this one."""
        return (
            self.enabled
            and FEW_ROWS.enabled
            and FEW_NORMS.enabled
            and x.shape[0] * x.shape[1] <= shape.max_rows
            and shape in self.blocks
            and x.dtype == arenas.k.dtype == torch.float32
            and x.device.type == "cpu"
            and not torch.is_grad_enabled()
        )

    def run(
        self,
        shape: StackShape,
        layers: ctypes.Array,
        norm: Float[Tensor, " dim"],
        arenas: Arenas,
        places: Sequence[Place],
        x: Float[Tensor, "b r dim"],
        rope: tuple[Float[Tensor, "b r half"], Float[Tensor, "b r half"]],
    ) -> Float[Tensor, "b r dim"]:
        """The rows behind the final norm; their keys and values are written to the arenas.

        layers: of every layer eight pointers, to attention_norm, qkv, q_norm, k_norm, out, ff_norm,
        gate_up and down, contiguous fp32 tensors of `shape`.
        """
        x, cos, sin = x.contiguous(), rope[0].contiguous(), rope[1].contiguous()
        out = torch.empty(x.shape)
        blocks, (num_layers, num_slots) = self.blocks[shape], arenas.k.shape[:2]
        stack = _Stack(
            _attention(shape, arenas, blocks["score"], blocks["value"]),
            *(num_layers, num_slots, shape.dim, shape.ff_dim),
            *(blocks["qkv"], blocks["out"], blocks["gate_up"], blocks["down"]),
            *(shape.eps, self._exponential, EXPONENTIAL_MODE),
        )
        self._library.few_layers(
            *(ctypes.addressof(stack), ctypes.addressof(layers), norm.data_ptr()),
            *(_sessions(places), len(places), x.shape[1]),
            *(x.data_ptr(), cos.data_ptr(), sin.data_ptr()),
            *(arenas.k.data_ptr(), arenas.v.data_ptr(), out.data_ptr()),
        )
        return out

    def _load(self) -> None:
        if self._library is not None:
            return
        library = load(*(HERE / name for name in SOURCES))
        library.few_layers.argtypes = [
            *[_POINTER] * 3,
            *(_POINTER, _NUMBER, _NUMBER),
            *[_POINTER] * 6,
        ]
        library.few_swiglu.argtypes = [*[_POINTER] * 3, *[_NUMBER] * 2]
        library.few_attention.argtypes = [*[_POINTER] * 3, _NUMBER, *[_POINTER] * 3, _NUMBER]
        for function in (library.few_layers, library.few_swiglu, library.few_attention):
            function.restype = None
        try:
            torch_library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib/libtorch_cpu.so"))
            exponential = ctypes.cast(torch_library.vmsExp, _POINTER).value
        except (OSError, AttributeError):
            raise NativeError("this torch build has no vmsExp") from None
        self._library, self._exponential = library, exponential

    def _swiglu_holds(self, shape: StackShape) -> bool:
        generator = torch.Generator().manual_seed(shape.ff_dim)
        sizes = torch.tensor([0.1, 1.0, 5.0, 30.0])[:, None].repeat(5, 1)
        gate_up = torch.randn(20, 2 * shape.ff_dim, generator=generator) * sizes
        gate_up[-1, : len(TRIED_NUMBERS)] = torch.tensor(TRIED_NUMBERS)
        expected = swiglu(gate_up)
        stack = _Stack(exponential=self._exponential, mode=EXPONENTIAL_MODE)
        for rows in (gate_up, gate_up[:1], gate_up[-3:]):
            out = torch.full((len(rows), shape.ff_dim), torch.nan)
            address = ctypes.addressof(stack)
            size = len(rows), shape.ff_dim
            self._library.few_swiglu(address, rows.data_ptr(), out.data_ptr(), *size)
            first = 0 if len(rows) != 3 else len(gate_up) - 3
            if not torch.equal(out, expected[first : first + len(rows)]):
                return False
        return True

    def _find_value_block(self, shape: StackShape, score: int) -> int:
        """How many keys a product with the values sums at once."""
        prefixes = (0, TRIED_PREFIX)
        for block in (*(block for block in BLOCKS if block < BLOCK), BLOCK):
            if all(
                self._attention_holds(shape, score, block, length, prefix)
                for length in TRIED_LENGTHS
                for prefix in prefixes
            ):
                return block
        raise NativeError("attention has a recipe that the code does not know")

    def _attention_holds(
        self, shape: StackShape, score: int, block: int, length: int, prefix: int
    ) -> bool:
        generator = torch.Generator().manual_seed(length)
        num_columns = round_up(prefix) + TRIED_WINDOW + 2 * BLOCK
        keys = (1, 2, shape.num_kv_heads, num_columns, shape.head_dim)
        k, v = (torch.randn(keys, generator=generator) for _ in range(2))
        arenas = Arenas(
            k=k, v=v, prefix_columns=round_up(prefix), window=TRIED_WINDOW, prefix=prefix
        )
        how = _attention(shape, arenas, score, block)
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


def _attention(shape: StackShape, arenas: Arenas, score: int, value: int) -> _Attention:
    return _Attention(
        *(shape.num_heads, shape.num_kv_heads, shape.head_dim, arenas.window, arenas.prefix),
        *(arenas.prefix_columns, arenas.k.shape[3], score, value),
        shape.head_dim**-0.5,
    )


def _sessions(places: Sequence[Place]) -> ctypes.Array:
    return (_NUMBER * (5 * len(places)))(*(number for place in places for number in place))


FEW_LAYERS = FewLayers()
