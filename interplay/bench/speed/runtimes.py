"""Which runtimes run a workload here, ours and others', each checked before it is timed.

A runtime whose package is missing or that cannot run these weights is left out with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from interplay.bench.speed.ours import Again, Gathered, Ours, Stock, Unpinned
from interplay.bench.speed.workload import Runtime, Workload, run_tick
from interplay.errors import InterplayError

TOLERANCE = 1e-3  # of logits, in units of their standard deviation; fp32 everywhere
CHECKED_TICKS = 6
TRANSFORMERS = "transformers"
ONNX, LLAMA = "onnxruntime", "llama.cpp"
OURS, STOCK, UNPINNED = "interplay", "interplay, stock products", "interplay, rows not pinned"
GATHERED, AGAIN = "interplay, gather + bmm", "interplay, no cache"


class UnlikeError(InterplayError):
    """A runtime that computes something else, so that its time says nothing."""


@dataclass(kw_only=True)
class Found:
    """ready: name -> runtime. missing: name -> why not. differences: name -> largest difference of
    a logit, in standard deviations."""

    ready: dict[str, Runtime] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)


def find(work: Workload, num_ticks: int) -> Found:
    """Make every runtime and compare the logits of its first ticks with ours."""
    found = Found(ready={OURS: Ours(work)})
    expected = _first_logits(found.ready[OURS], work)
    for name, make in _makers(work, num_ticks).items():
        try:
            runtime = make()
            found.differences[name] = _compare(name, _first_logits(runtime, work), expected)
            found.ready[name] = runtime
        except ModuleNotFoundError as error:
            found.missing[name] = f"{error.name} is not installed: pip install 'interplay[speed]'"
        except UnlikeError as error:
            found.missing[name] = str(error)
    return found


def _makers(work: Workload, num_ticks: int) -> dict[str, Callable[[], Runtime]]:
    max_positions = 8 * (max(num_ticks, CHECKED_TICKS) + 1)

    def transformers(experts: str | None = None) -> Runtime:
        from interplay.bench.speed.hf import Transformers

        return Transformers(work, max_positions, experts)

    def onnx() -> Runtime:
        from interplay.bench.speed.onnx_runtime import OnnxRuntime

        return OnnxRuntime(work, max_positions)

    def llama() -> Runtime:
        from interplay.bench.speed.llama import LlamaCpp

        return LlamaCpp(work)

    ablations: dict[str, Callable[[], Runtime]] = {
        STOCK: lambda: Stock(work),
        UNPINNED: lambda: Unpinned(work),
    }
    if work.config.num_experts:
        kinds = ("batched_mm", "grouped_mm")
        theirs = {f"{TRANSFORMERS}, {kind}": lambda kind=kind: transformers(kind) for kind in kinds}
        return {**ablations, GATHERED: lambda: Gathered(work), **theirs, ONNX: onnx, LLAMA: llama}
    return {
        **ablations,
        AGAIN: lambda: Again(work),
        TRANSFORMERS: transformers,
        ONNX: onnx,
        LLAMA: llama,
    }


def _first_logits(runtime: Runtime, work: Workload) -> torch.Tensor:
    runtime.reset()
    ticks = [run_tick(runtime, work.rows(tick)) for tick in range(CHECKED_TICKS)]
    runtime.reset()
    return torch.stack([logits for tick in ticks for logits in tick])


def _compare(name: str, logits: torch.Tensor, expected: torch.Tensor) -> float:
    difference = float((logits - expected).abs().max() / expected.std())
    if not difference <= TOLERANCE:
        raise UnlikeError(
            f"{name} gives other logits: {difference:.2g} standard deviations off, "
            f"{TOLERANCE:g} allowed"
        )
    return difference
