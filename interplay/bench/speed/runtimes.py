"""Which runtimes run a workload here, ours and others', each checked before it is timed.

A runtime that has several ways to keep the weights takes the fastest that gives the same logits. A
runtime whose package is missing or that cannot run these weights is left out with the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

import torch

from interplay.bench.speed.ours import Again, Gathered, Ours, Stock, Unpinned
from interplay.bench.speed.timing import Times
from interplay.bench.speed.workload import Runtime, Workload, run_tick
from interplay.errors import InterplayError

TOLERANCE = 1e-3  # of logits, in units of their standard deviation; fp32 everywhere
CHECKED_TICKS = 6
TRANSFORMERS = "transformers"
ONNX, LLAMA = "onnxruntime", "llama.cpp"
# What they are mostly run with: they round what comes in, so logits differ and they are no rivals.
ROUNDED = ONNX_INT8, LLAMA_Q8 = "onnxruntime, rounded to int8", "llama.cpp, rounded to Q8_0"
OURS, STOCK, UNPINNED = "interplay", "interplay, stock products", "interplay, rows not pinned"
GATHERED, AGAIN = "interplay, gather + bmm", "interplay, no cache"


class UnlikeError(InterplayError):
    """A runtime that computes something else, so that its time says nothing."""


@dataclass(kw_only=True)
class Found:
    """ready: name -> runtime. missing: name -> why not. differences: name -> largest difference of
    a logit, in standard deviations. ways: of those with several, name -> way -> CPU time of a tick,
    or why not that one; kept: name -> the way taken."""

    ready: dict[str, Runtime] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)
    ways: dict[str, dict[str, str]] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)


def find(work: Workload, num_ticks: int) -> Found:
    """Make every runtime and compare the logits of its first ticks with ours."""
    found = Found(ready={OURS: Ours(work)})
    expected, _ = _first_logits(found.ready[OURS], work)
    for name, ways in _makers(work, num_ticks).items():
        tried: dict[str, str] = {}
        fastest = float("inf")
        for way, make in ways.items():
            try:
                runtime = make()
                logits, tick_ms = _first_logits(runtime, work)
                off = _compare(name, logits, expected, 1.0 if name in ROUNDED else TOLERANCE)
            except ModuleNotFoundError as error:
                tried[way] = f"{error.name} is not installed: pip install 'interplay[speed]'"
            except InterplayError as error:
                tried[way] = str(error)
            else:
                tried[way] = f"{tick_ms:.1f} ms"
                if tick_ms < fastest:
                    fastest, found.kept[name] = tick_ms, way
                    found.ready[name], found.differences[name] = runtime, off
        if name not in found.ready:
            found.missing[name] = next(iter(tried.values()))
        elif len(ways) > 1:
            found.ways[name] = tried
    return found


Ways = Mapping[str, Callable[[], Runtime]]


def _makers(work: Workload, num_ticks: int) -> dict[str, Ways]:
    """Name -> way to keep the weights -> what makes it."""
    max_positions = 8 * (max(num_ticks, CHECKED_TICKS) + 1)

    def transformers(experts: str | None = None) -> Ways:
        def make() -> Runtime:
            from interplay.bench.speed.hf import Transformers

            return Transformers(work, max_positions, experts)

        return {"float32": make}

    def onnx(kind: str) -> Runtime:
        from interplay.bench.speed.onnx_runtime import OnnxRuntime

        return OnnxRuntime(work, max_positions, kind)

    def llama(kind: str) -> Runtime:
        from interplay.bench.speed.llama import LlamaCpp

        return LlamaCpp(work, kind)

    theirs: dict[str, Ways] = {
        ONNX: {"float32": lambda: onnx("float32"), "int8": lambda: onnx("int8")},
        ONNX_INT8: {"int8": lambda: onnx("rounded")},
        LLAMA: {"F32": lambda: llama("F32"), "F16": lambda: llama("F16")},
        LLAMA_Q8: {"Q8_0": lambda: llama("Q8_0")},
    }
    ablations: dict[str, Ways] = {
        STOCK: {"": lambda: Stock(work)},
        UNPINNED: {"": lambda: Unpinned(work)},
    }
    if work.config.num_experts:
        kinds = ("batched_mm", "grouped_mm")
        of_kinds = {f"{TRANSFORMERS}, {kind}": transformers(kind) for kind in kinds}
        return {**ablations, GATHERED: {"": lambda: Gathered(work)}, **of_kinds, **theirs}
    return {**ablations, AGAIN: {"": lambda: Again(work)}, TRANSFORMERS: transformers(), **theirs}


def _first_logits(runtime: Runtime, work: Workload) -> tuple[torch.Tensor, float]:
    """Of the first ticks, and the median CPU time of one, in milliseconds."""
    runtime.reset()
    ticks, times = [], Times()
    for tick in range(CHECKED_TICKS):
        times.add(lambda tick=tick: ticks.append(run_tick(runtime, work.rows(tick))))
    runtime.reset()
    return torch.stack([logits for tick in ticks for logits in tick]), median(times.cpu_ms)


def _compare(name: str, logits: torch.Tensor, expected: torch.Tensor, allowed: float) -> float:
    difference = float((logits - expected).abs().max() / expected.std())
    if not difference <= allowed:
        raise UnlikeError(
            f"{name} gives other logits: {difference:.2g} standard deviations off, "
            f"{allowed:g} allowed"
        )
    return difference
