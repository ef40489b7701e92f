"""Whole ticks of the engine, and how many sessions fit into 200 ms of one process per core.

Knows nothing of other runtimes.
"""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import torch

from interplay.bench.speed.timing import Times
from interplay.bench.speed.workload import RANDOM, ROWS_PER_TICK, as_int8_gives_back
from interplay.clock import SAMPLES_PER_TURN, TURN_S
from interplay.engine.engine import Engine
from interplay.engine.session import Session
from interplay.model.checkpoint import Loaded, load_checkpoint
from interplay.model.untrained import untrained
from interplay.turns.types import InputHalf

SPEAKING = "always"  # the dearest tick there is
MAX_SESSIONS = 64  # of one process
WARM_UP_TICKS = 3
PROBE_TICKS = 100  # of a short run


def random_model(name: str) -> Loaded:
    """An untrained model that always speaks, with weights as an int8 checkpoint gives them back."""
    loaded = untrained(name, speaks=SPEAKING)
    as_int8_gives_back(loaded.model.parameters())
    return loaded


def halves(count: int, seed: int) -> list[InputHalf]:
    """Loud and soft noise: what is said does not matter here."""
    rng = np.random.default_rng(seed)
    levels = 10.0 ** rng.uniform(-4, -0.5, count)
    return [
        InputHalf(hear=(level * rng.standard_normal(SAMPLES_PER_TURN)).astype(np.float32))
        for level in levels
    ]


def tick_times(
    engine: Engine,
    num_ticks: int,
    seed: int,
    *,
    full: bool = False,
    until_ms: float = float("inf"),
) -> Times:
    """Ticks of an engine whose slots are all taken by sessions that take part in every tick.

    full: their windows are full from the start. until_ms: end behind the first tick that takes
    longer.
    """
    given, times = halves(16, seed), Times()
    sessions = _full(engine, given, seed) if full else _fresh(engine, seed)
    for tick in range(WARM_UP_TICKS + num_ticks):
        now = {
            session: given[(tick + index) % len(given)] for index, session in enumerate(sessions)
        }
        if tick < WARM_UP_TICKS:
            engine.tick(now)
            continue
        times.add(lambda now=now: engine.tick(now))
        if times.wall_ms[-1] > until_ms:
            break
    return times


def _fresh(engine: Engine, seed: int) -> list[Session]:
    return [engine.open(seed=seed + index) for index in range(engine.num_slots)]


def _full(engine: Engine, given: Sequence[InputHalf], seed: int) -> list[Session]:
    """One that has lived for as long as a window is, and others that begin as it is then."""
    first = engine.open(seed=seed)
    for tick in range(engine.config.backbone.window // ROWS_PER_TICK + 1):
        engine.tick({first: given[tick % len(given)]})
    state = engine.state(first)
    return [first, *(engine.restore(state) for _ in range(engine.num_slots - 1))]


def worst_tick_ms(
    model: str, num_ticks: int, seed: int, num_sessions: int, full: bool = False
) -> float:
    """The longest tick with so many sessions, of a program of its own; the first that is late is
    the last."""
    torch.set_num_threads(1)
    loaded = random_model(model) if model in RANDOM else load_checkpoint(model)
    engine = Engine(loaded, num_slots=num_sessions, num_threads=1)
    times = tick_times(engine, num_ticks, seed, full=full, until_ms=1000 * TURN_S)
    return max(times.wall_ms)


def most_sessions(model: str, num_ticks: int, seed: int) -> tuple[float, dict[str, Any]]:
    """The most sessions at once, on all cores together, without a tick over 200 ms in `num_ticks`.

    Short runs with full windows find where to begin; from there downwards whole ones decide.
    """
    num_cores = len(os.sched_getaffinity(0))
    tried: dict[str, dict[str, float]] = {"short": {}, "whole": {}}
    with ProcessPoolExecutor(num_cores, multiprocessing.get_context("spawn")) as pool:

        def holds(num_sessions: int, which: str) -> bool:
            ticks, full = (num_ticks, False) if which == "whole" else (PROBE_TICKS, True)
            running = [
                pool.submit(worst_tick_ms, model, ticks, seed + core, num_sessions, full)
                for core in range(num_cores)
            ]
            worst = max(each.result() for each in running)
            tried[which][str(num_sessions)] = round(worst, 1)
            return worst <= 1000 * TURN_S

        best = most_in_time(holds)
    about = {"processes": num_cores, "worst_tick_ms": tried["whole"]}
    about["worst_of_short_runs_ms"] = tried["short"]
    return float(num_cores * best), about


def most_in_time(
    holds: Callable[[int, str], bool], counts: Sequence[int] = range(1, MAX_SESSIONS + 1)
) -> int:
    """The largest of ascending counts that holds in a `whole` run, begun at the largest that does
    in `short` ones; 0: none."""
    most = largest(lambda count: holds(count, "short"), counts)
    fewer = (count for count in reversed(counts) if count <= most)
    return next((count for count in fewer if holds(count, "whole")), 0)


def largest(holds: Callable[[int], bool], counts: Sequence[int]) -> int:
    """The largest of ascending counts that holds, by doubling and halving; 0: none."""
    good, bad = -1, 0
    while bad < len(counts) and holds(counts[bad]):
        good, bad = bad, 2 * bad + 1
    bad = min(bad, len(counts))
    while bad - good > 1:
        middle = (good + bad) // 2
        if holds(counts[middle]):
            good = middle
        else:
            bad = middle
    return counts[good] if good >= 0 else 0
