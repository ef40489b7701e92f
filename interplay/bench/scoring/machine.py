"""Probes of the machine: what a tick costs, whether a long session misses or grows.

A model with eyes is shown a moving picture all the time. Each returns outcomes like a scorer.
Knows nothing of behaviour.
"""

import itertools
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from interplay.bench.scoring.score import Outcome
from interplay.bench.traces.trace import Trace
from interplay.clock import SAMPLES_PER_TURN, TURN_S, TURNS_PER_S, FakeClock, Pacer, RealClock
from interplay.data.scenes.reps import draw_reps
from interplay.engine.engine import Engine
from interplay.media.video import tile_pairs
from interplay.turns.types import InputHalf

Tiles = UInt8[np.ndarray, "12 2 40 40 3"]
SESSION_TURNS = 30 * 60 * TURNS_PER_S
SETTLED_TURNS = 2 * 60 * TURNS_PER_S  # memory may grow until here
HEARING_TURNS = 5 * 60 * TURNS_PER_S  # of a model with eyes that hears alone, at most
WARM_UP_TURNS = 25
REPORT_EVERY = 50


@dataclass(frozen=True, kw_only=True)
class LongSession:
    """tick_s: compute of every micro-turn. rss: bytes resident after each. misses: deadlines."""

    tick_s: np.ndarray
    rss: np.ndarray
    num_misses: int


def user_halves(traces: Sequence[Trace], pictures: Sequence[Tiles] = ()) -> list[InputHalf]:
    """What the users of some played items said, one after another, cut into input halves.
    pictures: what they show meanwhile, over and over; their cameras are off if there are none."""
    track = np.concatenate([trace.user for trace in traces]).astype(np.float32) / 32768
    parts = track.reshape(-1, SAMPLES_PER_TURN)
    shown = itertools.cycle(pictures or [None])
    return [InputHalf(hear=part, see=see) for part, see in zip(parts, shown, strict=False)]


def moving_picture(seed: int) -> list[Tiles]:
    """A drawn person who exercises, as a model sees it: one pair of pictures per micro-turn."""
    film = draw_reps(np.random.default_rng(seed), 0)
    return [tile_pairs(before, now) for before, now in itertools.pairwise(film())]


def long_session(
    engine: Engine,
    halves: Sequence[InputHalf],
    *,
    num_turns: int,
    wall: bool,
    advance: Callable[[int], None] = lambda done: None,
) -> LongSession:
    """One session over `num_turns` micro-turns, the halves repeated as often as needed.

    wall: in real time, a miss is an output that was not there when the next micro-turn began.
    Otherwise as fast as it goes, and a miss is a tick longer than a micro-turn.
    """
    pacer = Pacer(RealClock() if wall else FakeClock())
    tick_s, rss = np.zeros(num_turns), np.zeros(num_turns)
    warm_up = engine.open()
    for turn in range(WARM_UP_TURNS):
        warm_up.push(halves[turn % len(halves)])
    warm_up.close()
    session = engine.open()
    try:
        for turn in range(num_turns):
            began = time.perf_counter()
            session.push(halves[turn % len(halves)])
            tick_s[turn] = time.perf_counter() - began
            rss[turn] = resident_bytes()
            if turn % REPORT_EVERY == REPORT_EVERY - 1:
                advance(turn + 1)
            pacer.wait()
    finally:
        session.close()
    num_misses = pacer.num_misses if wall else int((tick_s > TURN_S).sum())
    return LongSession(tick_s=tick_s, rss=rss, num_misses=num_misses)


def resident_bytes() -> int:
    """Memory of this process: resident now on Linux, at its highest elsewhere."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def tick_outcomes(session: LongSession) -> list[Outcome]:
    """Milliseconds of every tick."""
    return [Outcome(value=1000 * float(seconds)) for seconds in session.tick_s]


def miss_outcomes(session: LongSession) -> list[Outcome]:
    """The count of misses, over all ticks."""
    rest = [Outcome(value=0.0)] * (len(session.tick_s) - 1)
    return [Outcome(value=float(session.num_misses)), *rest]


def memory_outcomes(session: LongSession) -> list[Outcome]:
    """Growth of the resident memory after minute 2, at its highest; none if it ended before."""
    if len(session.rss) <= SETTLED_TURNS:
        return [Outcome(value=None, notes=("session_too_short",))]
    settled = session.rss[SETTLED_TURNS]
    return [Outcome(value=float((session.rss[SETTLED_TURNS:].max() - settled) / settled))]
