"""Times of ticks: interleaved runs, percentiles, growth with age, and what memory can deliver.

Knows nothing of the runtimes it times.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from interplay.clock import TURN_S
from interplay.errors import InterplayError

BLOCK_TICKS = 5  # of one runtime in a row: caches warm up, and a busy second hits all alike
WARM_UP_TICKS = 3
TRIAL_TICKS = 300  # of all ways to run one rival; the fastest goes on
BANDWIDTH_BYTES = 1 << 28  # far larger than any cache
AGE_TICKS = 150  # of the old and of the young that are compared


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


@dataclass(frozen=True, kw_only=True)
class Runner:
    """One runtime among those that take turns.

    run: a tick by its number. every: it takes part in one of so many blocks, for which `prepare` is
    called before anyone's ticks, untimed. group: of those of one group that is not "" only the
    fastest goes on behind `TRIAL_TICKS`. vital: an error of its own ends the whole run.
    """

    run: Callable[[int], Any]
    every: int = 1
    prepare: Callable[[], Any] = lambda: None
    group: str = ""
    vital: bool = False


@dataclass(kw_only=True)
class Interleaved:
    """times: of all that did not fail. stopped, failed: name -> why it did not go on."""

    times: dict[str, Times] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def interleaved(
    runners: Mapping[str, Runner], num_ticks: int, advance: Callable[[int], None]
) -> Interleaved:
    """Run every runtime's ticks 0 to num_ticks, a few of each in turn; the first ones do not
    count. One that fails is left out, with the reason."""
    found, going = Interleaved(times={name: Times() for name in runners}), dict(runners)
    for block, first in enumerate(range(0, num_ticks, BLOCK_TICKS)):
        ticks = range(first, min(num_ticks, first + BLOCK_TICKS))
        now = {name: each for name, each in going.items() if block % each.every == 0}
        for each in now.values():
            each.prepare()
        for name, each in now.items():
            try:
                for index in ticks:
                    found.times[name].add(lambda each=each, index=index: each.run(index))
            except Exception as error:
                if each.vital:
                    raise
                found.failed[name] = f"failed in tick {index}: {reason(error)}"
                del going[name], found.times[name]
        advance(ticks.stop)
        for name, why in slower_ones(going, found.times).items():
            found.stopped[name] = why
            del going[name]
    for each in found.times.values():
        skipped = min(WARM_UP_TICKS, num_ticks - 1)
        del each.wall_ms[:skipped], each.cpu_ms[:skipped]
    return found


def slower_ones(going: Mapping[str, Runner], times: Mapping[str, Times]) -> dict[str, str]:
    """Those that have had their trial and another one of their group is faster: name -> reason."""
    slower = {}
    for group in {each.group for each in going.values()} - {""}:
        members = {name: times[name].wall_ms for name in going if going[name].group == group}
        if min(len(walls) for walls in members.values()) < TRIAL_TICKS:
            continue
        best = min(members, key=lambda name: float(np.median(members[name])))
        slower |= {
            name: f"stopped after {len(walls)} ticks: {best} is faster"
            for name, walls in members.items()
            if name != best
        }
    return slower


def reason(error: Exception) -> str:
    """One line that tells a reader why something did not run."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed: pip install 'interplay[speed]'"
    first = str(error).strip().partition("\n")[0]
    if isinstance(error, InterplayError):
        return first
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def growth(
    old: Callable[[int], Any], young: Callable[[int], Any], num_ticks: int = AGE_TICKS
) -> float:
    """How much longer a tick of the old one takes than one of the young one, as a share: medians of
    CPU time, for waiting is not growth. Both take turns, since a machine's own speed drifts by
    more than what is looked for."""
    runners = {"old": Runner(run=old, vital=True), "young": Runner(run=young, vital=True)}
    times = interleaved(runners, num_ticks, lambda done: None).times
    return float(np.median(times["old"].cpu_ms) / np.median(times["young"].cpu_ms) - 1)


def read_bandwidth(repeats: int = 5) -> float:
    """Bytes per second of CPU time that one thread reads from memory, the best of some tries."""
    block = torch.ones(BANDWIDTH_BYTES // 4)
    best = 0.0
    for _ in range(repeats):
        start = time.process_time()
        block.sum()
        best = max(best, BANDWIDTH_BYTES / (time.process_time() - start))
    return best
