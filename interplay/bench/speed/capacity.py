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
from interplay.bench.speed.workload import RANDOM, as_int8_gives_back
from interplay.clock import SAMPLES_PER_TURN, TURN_S
from interplay.engine.engine import Engine
from interplay.model.checkpoint import Loaded, load_checkpoint
from interplay.model.untrained import untrained
from interplay.turns.types import InputHalf

SPEAKING = "always"  # the dearest tick there is
MAX_SESSIONS = 64  # of one process
WARM_UP_TICKS = 3


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


def tick_times(engine: Engine, num_ticks: int, seed: int) -> Times:
    """Ticks of an engine whose slots are all taken by sessions that take part in every tick."""
    sessions = [engine.open(seed=seed + index) for index in range(engine.num_slots)]
    given, times = halves(16, seed), Times()
    for tick in range(WARM_UP_TICKS + num_ticks):
        now = {
            session: given[(tick + index) % len(given)] for index, session in enumerate(sessions)
        }
        if tick < WARM_UP_TICKS:
            engine.tick(now)
        else:
            times.add(lambda now=now: engine.tick(now))
    return times


def worst_tick_ms(model: str, num_ticks: int, seed: int, num_sessions: int) -> float:
    """The longest tick with so many sessions, of a program of its own."""
    torch.set_num_threads(1)
    loaded = random_model(model) if model in RANDOM else load_checkpoint(model)
    engine = Engine(loaded, num_slots=num_sessions, num_threads=1)
    return max(tick_times(engine, num_ticks, seed).wall_ms)


def most_sessions(model: str, num_ticks: int, seed: int) -> tuple[float, dict[str, Any]]:
    """The most sessions at once, on all cores together, without a tick over 200 ms."""
    num_cores = len(os.sched_getaffinity(0))
    tried: dict[int, float] = {}
    with ProcessPoolExecutor(num_cores, multiprocessing.get_context("spawn")) as pool:

        def worst(num_sessions: int) -> float:
            running = [
                pool.submit(worst_tick_ms, model, num_ticks, seed + core, num_sessions)
                for core in range(num_cores)
            ]
            tried[num_sessions] = round(max(each.result() for each in running), 1)
            return tried[num_sessions]

        best = largest(lambda count: worst(count) <= 1000 * TURN_S, range(1, MAX_SESSIONS + 1))
    about = {"processes": num_cores, "worst_tick_ms": {str(k): v for k, v in tried.items()}}
    return float(num_cores * best), about


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
