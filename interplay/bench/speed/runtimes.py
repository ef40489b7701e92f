"""Which runtimes run a workload here, ours and others', each checked before it is timed.

A runtime that has several ways to keep the weights takes the fastest that gives the same logits, at
the start of a session and where the window is full. One that fails, for whatever reason, is left
out with that reason; the others go on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

import torch

from interplay.bench.speed.ours import Again, Gathered, Ours, PassWindow, Stock, Unpinned
from interplay.bench.speed.timing import Times, reason
from interplay.bench.speed.workload import ROWS_PER_TICK, Runtime, Workload, fill, run_tick
from interplay.errors import InterplayError

TOLERANCE = 1e-3  # of logits, in units of their standard deviation; fp32 everywhere
CHECKED_TICKS = 6  # at the start
CHECKED_FULL_TICKS = 20  # with a full window, until buffers of that size have been used up
WHEN = ("at the start", "with a full window")
TRANSFORMERS = "transformers"
ONNX, LLAMA = "onnxruntime", "llama.cpp"
# What they are mostly run with: they round what comes in, so logits differ and they are no rivals.
ROUNDED = ONNX_INT8, LLAMA_Q8 = "onnxruntime, rounded to int8", "llama.cpp, rounded to Q8_0"
OURS, STOCK, UNPINNED = "interplay", "interplay, stock products", "interplay, rows not pinned"
GATHERED, AGAIN = "interplay, gather + bmm", "interplay, no cache"
# Compared at the start only: rounded rows come to choose other experts, no cache forgets otherwise.
YOUNG = (*ROUNDED, AGAIN)


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
    """Make every runtime and compare the logits of its first ticks, and of those that follow a full
    window, with ours."""
    found = Found(ready={OURS: Ours(work)})
    same, _ = _logits(found.ready[OURS], work)
    wider, _ = _logits(PassWindow(work), work)
    for name, ways in _makers(work, num_ticks).items():
        expected = wider if name in (LLAMA, LLAMA_Q8) else same
        tried: dict[str, str] = {}
        fastest = float("inf")
        for way, make in ways.items():
            try:
                runtime = make()
                logits, tick_ms = _logits(runtime, work, full=name not in YOUNG)
                off = _compare(name, logits, expected, 1.0 if name in ROUNDED else TOLERANCE)
            except Exception as error:  # a rival's own, which may be of any kind
                tried[way] = reason(error)
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
    checked = work.config.window // ROWS_PER_TICK + CHECKED_FULL_TICKS
    max_positions = ROWS_PER_TICK * (max(num_ticks, checked) + 1)

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


def _logits(
    runtime: Runtime, work: Workload, *, full: bool = True
) -> tuple[list[torch.Tensor], float]:
    """[passes, vocab] of the first ticks, and with `full` of some behind a full window; and the
    median CPU time of one of the last, in milliseconds."""
    parts, times = [], Times()
    window = work.config.window // ROWS_PER_TICK
    firsts = {0: CHECKED_TICKS} | ({window: CHECKED_FULL_TICKS} if full else {})
    for first, num_ticks in firsts.items():
        runtime.reset()
        if first:
            fill(runtime, work)
        ticks, times = [], Times()
        for tick in range(first, first + num_ticks):
            rows = work.rows(tick)
            times.add(lambda rows=rows, ticks=ticks: ticks.extend(run_tick(runtime, rows)))
        parts.append(torch.stack(ticks))
    runtime.reset()
    return parts, median(times.cpu_ms)


def _compare(
    name: str, logits: list[torch.Tensor], expected: list[torch.Tensor], allowed: float
) -> float:
    """The largest difference, in standard deviations of the logits."""
    largest = 0.0
    for found, right, when in zip(logits, expected, WHEN, strict=False):
        difference = float((found - right).abs().max() / right.std())
        if not difference <= allowed:
            raise UnlikeError(
                f"{name} gives other logits {when}: {difference:.2g} standard deviations off, "
                f"{allowed:g} allowed"
            )
        largest = max(largest, difference)
    return largest
