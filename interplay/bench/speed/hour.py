"""An hour of one session on a fast clock: does a tick take longer, does memory grow?

The cache is as large as the window and its prefix from the start, so nothing should. Knows nothing
of tables or of other runtimes.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interplay.bench.speed.capacity import halves
from interplay.bench.speed.timing import Times, growth
from interplay.bench.speed.workload import ROWS_PER_TICK
from interplay.engine.engine import Engine
from interplay.engine.session import Session
from interplay.model.checkpoint import Loaded

HOUR_PER_SESSION = 12  # an hour is so many times the five minutes of the other rows
NUM_LOOKS = 36  # at the memory, over the hour
TOO_SHORT = "the session ends before the window is full"
STATM = Path("/proc/self/statm")
Found = tuple[float | None, dict[str, Any]]


def hour(
    loaded: Loaded, num_ticks: int, seed: int, advance: Callable[[int], None]
) -> tuple[Found, Found]:
    """(growth of a tick's CPU time, growth of resident memory), as shares, of a session of
    `num_ticks` ticks: over one whose window is just full, and over itself when its own was."""
    engine = Engine(loaded, num_slots=2, num_threads=1)
    session, given = engine.open(seed=seed), halves(16, seed)

    def run(one: Session, tick: int) -> None:
        engine.tick({one: given[tick % len(given)]})

    full = loaded.model.config.backbone.window // ROWS_PER_TICK
    times, resident, every = Times(), {}, max(1, num_ticks // NUM_LOOKS)
    for tick in range(num_ticks):
        times.add(lambda tick=tick: run(session, tick))
        if tick % every == 0:
            advance(tick)
            if STATM.exists():
                resident[tick] = resident_bytes()
    about = {"ticks": num_ticks, "p50_ms": round(times.summary()["cpu_p50_ms"], 2)}
    young = engine.open(seed=seed)
    for tick in range(full + 1):
        run(young, tick)
    grown = growth(lambda tick: run(session, tick), lambda tick: run(young, tick))
    of_time = (grown, about) if num_ticks > full else (None, about | {"why": TOO_SHORT})
    return of_time, _of_memory(resident, full, about)


def resident_bytes() -> int:
    """Memory of this process that is in use now; Linux only."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _of_memory(resident: dict[int, int], full: int, about: dict[str, Any]) -> Found:
    steady = [size for tick, size in resident.items() if tick > full]
    if len(steady) < 2:
        return None, about | {"why": "too few ticks behind the window, or no /proc"}
    megabytes = {"full_mb": round(steady[0] / 2**20, 1), "end_mb": round(steady[-1] / 2**20, 1)}
    return steady[-1] / steady[0] - 1, about | megabytes
