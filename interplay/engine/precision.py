"""Which number format the engine computes in, chosen once, and that rows do not depend on each
other in it. Knows nothing of sessions.

Only weights that the model's own code would cast at every use are cast ahead; tables that it sums
in fp32 before casting stay as they are, so that serving gives the bits of the training forward.
"""

import copy
import functools
import platform
import re
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from interplay.errors import ConfigError, DeviceError
from interplay.model.backbone import Backbone
from interplay.model.few_pass import pack_layers
from interplay.model.interaction import InteractionModel
from interplay.model.vocoder import FFT, TRANSFORMS
from interplay.ops.few_layers import FEW_LAYERS
from interplay.ops.few_norms import FEW_NORMS
from interplay.ops.few_rows import FEW_ROWS
from interplay.ops.fourier import keeps_rows
from interplay.ops.kernels import choose_kernels
from interplay.ops.linear import CONTRACT
from interplay.ops.native import NativeError
from interplay.ops.norm import stock_norm, stock_norm_and_rotate
from interplay.ops.packed import Kind
from interplay.ops.probe import BY_TILES, has_tiles, probe_rows, safe_shapes

CPU = torch.device("cpu")
PLAIN, STATIC, GPU = "cpu", "static", "cuda"  # what runs ticks: the values of `--device`
KEPT_AS = {Kind.FULL: "float32", Kind.HALF: "float16", Kind.BYTE: "int8"}
SUMMED_IN_FP32 = (
    "embed.tokens",
    "embed.tags",
    "embed.before_role",
    "embed.newest_roles",
    "embed.follow_roles",
    "embed.hear_slots",
    "embed.out_slots",
    "embed.phases.",
    "gate",
    "gate_bias",
)
NEVER_MULTIPLIED = (*SUMMED_IN_FP32, "word_streams", "noise")  # two axes, but not matrices


def choose_device(name: str) -> torch.device:
    """The device called `name`: cpu, cuda or cuda:N. Raises DeviceError when it is not there."""
    known = re.fullmatch(r"cpu|cuda(:\d+)?", name)
    if not known:
        raise DeviceError(f"unknown device {name!r}; use cpu, cuda or cuda:1, cuda:2, ...")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"there is no {name} here ({torch.cuda.device_count()} CUDA devices); use cpu, or "
            "install the torch build for your GPU"
        )
    return device


def hardware(name: str) -> str:
    """What computes on the device called `name`: a GPU's name, or what torch knows a CPU by."""
    if name.startswith(GPU):
        return torch.cuda.get_device_name(torch.device(name))
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def choose_dtype(
    wish: torch.dtype | None, device: torch.device = CPU, *, served: nn.Module | None = None
) -> tuple[torch.dtype, str]:
    """The format to compute in and the reason for it.

    served: a model that is to answer few rows at a time. On a CPU it computes in float32 if its
    layers are one native call there, which is faster than stock operations in bfloat16 (measured,
    docs/numerics.md). Decided by what is proven here, not by a stopwatch: the same machine must
    give the same bits.
    """
    if wish is not None:
        return wish, "as asked for"
    if device.type == "cuda":
        return torch.bfloat16, "GPUs multiply bfloat16 natively"
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        if served is not None and _is_one_call(served):
            return torch.float32, "layers in one call are faster than this CPU's bfloat16"
        if served is not None and has_tiles():
            return torch.float32, BY_TILES
        return torch.bfloat16, "this CPU multiplies bfloat16 natively"
    return torch.float32, "this CPU has no native bfloat16"


def cast_weights(model: InteractionModel, dtype: torch.dtype) -> InteractionModel:
    """The model itself if `dtype` is float32, else a copy with its matrices cast."""
    if dtype == torch.float32:
        return model
    model = copy.deepcopy(model)
    for name, parameter in model.named_parameters():
        if not name.startswith(SUMMED_IN_FP32):
            parameter.data = parameter.data.to(dtype)
    return model


def choose_operations(
    model: nn.Module,
    vocoder: object,
    dtype: torch.dtype,
    device: torch.device,
    *,
    strict: bool = False,
    exact: bool = True,
) -> dict[str, str]:
    """Decide which bodies the operations have on `device` and which products are the library's, and
    say both: `operations` and `row contract`. Whoever trains, serves or replays calls it, so that
    all three compute the same bits. vocoder: looked at if it is a module. strict: raise ConfigError
    where the fast way is not available. exact: False lets a CPU multiply by tiles; that is said
    then, and what is trained there agrees with what is served up to rounding. Raises ConfigError
    where rows cannot be kept independent otherwise.
    """
    operations = choose_kernels(device, strict=strict)
    if not exact and device.type == "cpu" and dtype == torch.bfloat16 and has_tiles():
        return {"operations": operations, "row contract": f"none: {BY_TILES}"}
    return {"operations": operations, "row contract": pin_library(model, vocoder, dtype, device)}


def pin_rows(model: nn.Module, vocoder: object, dtype: torch.dtype) -> str:
    """Probe every product of the model in `dtype`, of its routers and of the vocoder in fp32; say
    the result.

    Only ever raises the row counts that `ops.linear` pads to: another model may need them. Raises
    ConfigError when this processor cannot keep the rows independent.
    """
    found = []
    for kind, shapes in _products(model, vocoder, dtype).items():
        needed = _probed(shapes, kind, torch.get_num_threads())
        pinned = max(CONTRACT.min_rows.get(kind, 1), needed)
        CONTRACT.min_rows[kind] = pinned
        found.append(f"{needed} needed, {pinned} used in {str(kind).removeprefix('torch.')}")
    return "; ".join(found)


def pin_library(model: nn.Module, vocoder: object, dtype: torch.dtype, device: torch.device) -> str:
    """Let the library do the products that it computes row by row alike, and say how many those
    are; the others are kernels. On a CPU: `pin_rows`."""
    if device.type == "cpu":
        return pin_rows(model, vocoder, dtype)
    safe = num = 0
    for kind, shapes in _products(model, vocoder, dtype).items():
        found = safe_shapes(shapes, kind, device, min_rows=CONTRACT.min_rows.get(kind, 1))
        CONTRACT.library_shapes |= {(n, k, kind) for n, k in found}
        safe, num = safe + len(found), num + len(shapes)
    return f"{safe} of {num} weight shapes by the library, the others by kernels"


def choose_products(
    model: nn.Module,
    vocoder: object,
    dtype: torch.dtype,
    *,
    strict: bool,
    others: Iterable[Tensor] = (),
) -> str:
    """How products of a few rows are computed from now on, and why. The bits are the same.

    others: weights [n, k] beside those of the model and of the vocoder, if that is a module.
    strict: raise ConfigError instead of taking the slower way for any part of the model.
    """
    if dtype != torch.float32:
        return f"stock ({str(dtype).removeprefix('torch.')} needs no padding to speak of)"
    modules = [each for each in (model, vocoder) if isinstance(each, nn.Module)]
    weights = [*others, *(weight for each in modules for weight in _multiplied(each))]
    norms = [
        value.shape[0]
        for each in modules
        for name, value in each.named_parameters()
        if value.ndim == 1 and name.endswith("norm")
    ]
    shapes = _shapes(weights)
    try:
        said = FEW_ROWS.prepare(shapes)
        FEW_NORMS.prepare(norms, stock_norm, stock_norm_and_rotate)
    except NativeError as error:
        if strict:
            raise ConfigError(
                f"the fast products cannot be used: {error}; run without --strict to take the "
                "stock ones, about four times slower"
            ) from None
        return f"stock, padded, about four times slower ({error})"
    said += f", {len(set(norms) & FEW_NORMS.widths)} of {len(set(norms))} norms"
    layers, slower = _choose_layers(model)
    slower += [f"{n} x {k} products are stock" for n, k in sorted(shapes - set(FEW_ROWS.blocks))]
    slower += [f"norms {width} wide are stock" for width in sorted(set(norms) - FEW_NORMS.widths)]
    if strict and slower:
        reasons = ", ".join(dict.fromkeys(slower))
        raise ConfigError(f"not all of the model is fast here: {reasons}; run without --strict")
    packed = {id(weight) for each in _packed(model) for weight in each.layers.parameters()}
    FEW_ROWS.keep(weight for weight in weights if id(weight) not in packed)
    return f"{said}; {layers}"


def _choose_layers(model: nn.Module) -> tuple[str, list[str]]:
    """Whether a backbone's layers are one call for a few rows; the reasons why not."""
    kinds: set[Kind] = set()
    stacks = _stacks(model)
    try:
        for stack in stacks:
            shape = stack.config.stack_shape
            FEW_LAYERS.prepare(shape)
            packed = pack_layers(stack.layers, shape, anew=True)  # now, so that no tick has to
            if packed is None:
                raise NativeError("weights do not lie as the call reads them")
            kinds |= packed.kinds
    except NativeError as error:
        return f"operation by operation in layers ({error})", [f"layers are not one call: {error}"]
    if not stacks:
        return "no layers", []
    kept = " and ".join(KEPT_AS[kind] for kind in sorted(kinds))
    return f"all layers in one call, weights read as {kept}", []


def _is_one_call(model: nn.Module) -> bool:
    """Whether a backbone's layers can be one call for a few rows."""
    stacks = _stacks(model)
    try:
        for shape in {stack.config.stack_shape for stack in stacks}:
            FEW_ROWS.prepare(shape.products.values())
            norms = shape.dim, shape.head_dim
            FEW_NORMS.prepare(norms, stock_norm, stock_norm_and_rotate)
            FEW_LAYERS.prepare(shape)
    except NativeError:
        return False
    return bool(stacks)


def _stacks(model: nn.Module) -> list[Backbone]:
    return [each for each in model.modules() if isinstance(each, Backbone)]


def _packed(model: nn.Module) -> list[Backbone]:
    """Backbones whose layers are one call."""
    return [each for each in _stacks(model) if each.config.stack_shape in FEW_LAYERS.recipes]


@functools.cache
def _probed(shapes: frozenset[tuple[int, int]], dtype: torch.dtype, num_threads: int) -> int:
    assert num_threads == torch.get_num_threads(), "part of the key: threads may change a recipe"
    return probe_rows(shapes, dtype)


def _shapes(weights: Iterable[Tensor]) -> frozenset[tuple[int, int]]:
    return frozenset((weight.shape[-2], weight.shape[-1]) for weight in weights)


def _products(
    model: nn.Module, vocoder: object, dtype: torch.dtype
) -> dict[torch.dtype, frozenset[tuple[int, int]]]:
    """Weight shapes (n, k) of all products by the format that they are made in: the vocoder and the
    routers multiply in fp32, whatever the model's format is (`ops.experts.route`)."""
    routers = [value for name, value in model.named_parameters() if name.endswith(".router")]
    ids = {id(router) for router in routers}
    found = {dtype: _shapes(each for each in _multiplied(model) if id(each) not in ids)}
    others = _multiplied(vocoder) if isinstance(vocoder, nn.Module) else []
    in_fp32 = found.get(torch.float32, frozenset()) | _shapes([*routers, *others])
    return found | ({torch.float32: in_fp32} if in_fp32 else {})


def _multiplied(module: nn.Module) -> list[Tensor]:
    """Weights of products."""
    return [
        value
        for name, value in (*module.named_parameters(), *module.named_buffers())
        if value.ndim >= 2
        and not name.startswith(NEVER_MULTIPLIED)
        and not name.endswith("taps")
        and not (name in TRANSFORMS and keeps_rows(value, FFT))
    ]
