"""Times of ticks: interleaved runs, percentiles, growth with age, and what memory can deliver.

Knows nothing of the runtimes it times.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from interplay.clock import TURN_S

BLOCK_TICKS = 5  # of one runtime in a row: caches warm up, and a busy second hits all alike
WARM_UP_TICKS = 3
BANDWIDTH_BYTES = 1 << 28  # far larger than any cache
GROWN_SHARE = 0.1  # of the ticks at either end that growth compares


@dataclass(kw_only=True)
class Times:
    """Of every tick of one runtime, in milliseconds: on the wall and of this process."""

    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def add(self, run: Callable[[], Any]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        self.wall_ms.append(1000 * (time.perf_counter() - wall))
        self.cpu_ms.append(1000 * (time.process_time() - cpu))

    def summary(self) -> dict[str, Any]:
        """p50, p95, p99, max and misses of the wall times, p50 of the CPU times."""
        p50, p95, p99 = np.percentile(self.wall_ms, [50, 95, 99])
        return {
            "ticks": len(self.wall_ms),
            "p50_ms": float(p50),
            "p95_ms": float(p95),
            "p99_ms": float(p99),
            "max_ms": max(self.wall_ms),
            "misses": sum(ms > 1000 * TURN_S for ms in self.wall_ms),
            "cpu_p50_ms": float(np.median(self.cpu_ms)),
        }


def interleaved(
    tick: Mapping[str, Callable[[int], Any]], num_ticks: int, advance: Callable[[int], None]
) -> dict[str, Times]:
    """Run every runtime's ticks 0 to num_ticks, a few of each in turn; the first ones do not
    count."""
    times = {name: Times() for name in tick}
    for first in range(0, num_ticks, BLOCK_TICKS):
        for name, run in tick.items():
            for index in range(first, min(num_ticks, first + BLOCK_TICKS)):
                times[name].add(lambda run=run, index=index: run(index))
        advance(min(num_ticks, first + BLOCK_TICKS))
    for each in times.values():
        skipped = min(WARM_UP_TICKS, num_ticks - 1)
        del each.wall_ms[:skipped], each.cpu_ms[:skipped]
    return times


def growth(cpu_ms: Sequence[float], full_after: int) -> float | None:
    """How much longer a tick takes at the end than once the window was full; None if too short.

    Medians of a tenth of the ticks at either end, of CPU time: waiting is not growth.
    """
    ticks = np.asarray(cpu_ms[full_after:])
    num = int(len(ticks) * GROWN_SHARE)
    if num < 5:
        return None
    return float(np.median(ticks[-num:]) / np.median(ticks[:num]) - 1)


def read_bandwidth(repeats: int = 5) -> float:
    """Bytes per second of CPU time that one thread reads from memory, the best of some tries."""
    block = torch.ones(BANDWIDTH_BYTES // 4)
    best = 0.0
    for _ in range(repeats):
        start = time.process_time()
        block.sum()
        best = max(best, BANDWIDTH_BYTES / (time.process_time() - start))
    return best
