"""Probe: sessions served in random company, recorded, and computed again as one training pass.

Knows nothing of behaviour; what is said is irrelevant, its bits are not.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from interplay.bench.scoring.score import Outcome
from interplay.clock import SAMPLES_PER_TURN
from interplay.engine.engine import Engine
from interplay.engine.record import Recorder, read_record
from interplay.engine.replay import replay
from interplay.engine.session import Session
from interplay.model.checkpoint import Loaded
from interplay.turns.types import InputHalf

DTYPES = (torch.bfloat16, torch.float32)
MAX_SESSIONS_AT_ONCE = 6
TURNS = (5, 60)  # of a session, drawn


def bits_outcomes(
    loaded: Loaded, halves: Sequence[InputHalf], *, num_sessions: int, seed: int
) -> list[Outcome]:
    """One outcome per session: bits that differ between serving and one pass over all of it.

    Serving cuts a session into five passes a micro-turn, in batches whose company changes from
    tick to tick; now and then only part of an output half is played, which rewrites the past.
    """
    rng = np.random.default_rng(seed)
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for dtype in DTYPES:
            engine = Engine(loaded, num_slots=MAX_SESSIONS_AT_ONCE, dtype=dtype)
            share = -(-num_sessions // len(DTYPES))
            while share > 0:
                size = min(share, int(rng.integers(1, MAX_SESSIONS_AT_ONCE + 1)))
                parent = Path(folder) / f"{dtype}-{share}"
                outcomes += _company(engine, halves, rng, parent, size)
                share -= size
    return outcomes


def _company(
    engine: Engine,
    halves: Sequence[InputHalf],
    rng: np.random.Generator,
    folder: Path,
    num_sessions: int,
) -> list[Outcome]:
    """Serve some sessions side by side, each tick a random part of them, and replay each."""
    left: dict[Session, int] = {}
    recorders: dict[Session, Recorder] = {}
    for index in range(num_sessions):
        session = engine.open(seed=int(rng.integers(2**31)), first_turn=int(rng.integers(300)))
        left[session] = int(rng.integers(*TURNS))
        recorders[session] = Recorder(folder / str(index), session)
    while left:
        chosen = [session for session in left if rng.random() < 0.7] or [next(iter(left))]
        given = {session: _half(halves, rng) for session in chosen}
        for session, output in engine.tick(given).items():
            recorders[session].add(given[session], output)
            left[session] -= 1
            if not left[session]:
                recorders[session].close()
                session.close()
                del left[session]
    reports = [replay(read_record(r.folder), engine.loaded) for r in recorders.values()]
    return [Outcome(value=float(report.num_differing_bits)) for report in reports]


def _half(halves: Sequence[InputHalf], rng: np.random.Generator) -> InputHalf:
    half = halves[int(rng.integers(len(halves)))]
    cut = rng.random() < 0.1
    return replace(half, num_played=int(rng.integers(SAMPLES_PER_TURN)) if cut else None)
