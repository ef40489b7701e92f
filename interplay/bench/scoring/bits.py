"""Probe: the chain of equalities between serving and training, link by link, in both formats.

Sessions are served in random company, recorded, and computed again as one training pass; rows go
through a backbone in random pieces. Knows nothing of behaviour; what is said is irrelevant, its
bits are not.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interplay.bench.scoring.score import Outcome
from interplay.clock import SAMPLES_PER_TURN
from interplay.engine.engine import Engine
from interplay.engine.past import SessionState
from interplay.engine.precision import choose_operations
from interplay.engine.record import Recorder, read_record
from interplay.engine.replay import replay
from interplay.engine.session import Session
from interplay.model.backbone import Backbone, BackboneConfig
from interplay.model.cache import Cache
from interplay.model.checkpoint import Loaded
from interplay.model.untrained import untrained
from interplay.ops.attention import BLOCK
from interplay.ops.probe import has_tiles
from interplay.turns.layout import positions_per_turn
from interplay.turns.types import SEE_SHAPE, InputHalf

CPU = torch.device("cpu")
DTYPES = (torch.bfloat16, torch.float32)
MAX_SESSIONS_AT_ONCE = 6
TURNS = (5, 60)  # of a session, drawn
PREFIX = "say yes and tell me no"
PIECES = (1, 1, 2, 3, 4, 5, 7, 16, 20, 37, 67, 129, 260)  # rows of one pass
PINNED = 100  # positions that are never forgotten, where a backbone is tried with some
SEEDS = 2  # cuts of a backbone's rows, for each format

Parts = dict[str, list[Outcome]]


def bits_outcomes(
    loaded: Loaded, halves: Sequence[InputHalf], *, num_sessions: int, seed: int
) -> Parts:
    """Bits that differ between serving and one pass over all of it, by part of the chain, in every
    number format that can be served here (`ops.probe.has_tiles`).

    company: an outcome per session, in batches whose company and slots change from tick to tick;
        some begin with instructions, some are saved and restored, some see where the model has
        eyes; now and then only part of an output half is played, which rewrites the past.
    old: a session of each format that is older than the window and whose cache has moved.
    experts: the same of a small random mixture with eyes, the camera going on and off.
    pieces, pieces_experts: rows of the model's backbone, and of that mixture with a pinned prefix,
        in random pieces, with other rows beside them, after going back and after a restore.
    """
    rng = np.random.default_rng(seed)
    formats = [dtype for dtype in DTYPES if dtype == torch.float32 or not has_tiles()]
    mixture = untrained("tiny-moe", seed=seed, camera=True)
    parts: Parts = {"company": [], "old": [], "experts": [], "pieces": [], "pieces_experts": []}
    with tempfile.TemporaryDirectory() as folder:
        for dtype in formats:
            at = Path(folder) / str(dtype)
            engine = Engine(loaded, num_slots=MAX_SESSIONS_AT_ONCE, dtype=dtype)
            share = -(-num_sessions // len(formats))
            while share > 0:
                size = min(share, int(rng.integers(1, MAX_SESSIONS_AT_ONCE + 1)))
                turns = rng.integers(*TURNS, size).tolist()
                parts["company"] += _company(engine, halves, rng, at / f"{share}", turns)
                share -= size
            old = [_past_the_window(loaded)]
            parts["old"] += _company(engine, halves, rng, at / "old", old)
            engine = Engine(mixture, num_slots=3, dtype=dtype)
            old = [_past_the_window(mixture), 20]
            parts["experts"] += _company(engine, halves, rng, at / "experts", old)
            for name, model in (("pieces", loaded), ("pieces_experts", mixture)):
                parts[name] += [_pieces(model, dtype, rng) for _ in range(SEEDS)]
    return parts


def _past_the_window(loaded: Loaded) -> int:
    """Micro-turns after which the cache of a session has moved once, with or without a camera."""
    cache = Cache(num_layers=1, num_slots=1, num_kv_heads=1, head_dim=1, window=_window(loaded))
    return (cache.area + BLOCK // 4) // positions_per_turn(camera=False)


def _window(loaded: Loaded) -> int:
    return loaded.config.backbone.window


def _company(
    engine: Engine,
    halves: Sequence[InputHalf],
    rng: np.random.Generator,
    folder: Path,
    turns: Sequence[int],
) -> list[Outcome]:
    """Serve sessions of so many micro-turns side by side, each tick a random part of them, and
    replay each."""
    left: dict[Session, int] = {}
    recorders: dict[Session, Recorder] = {}
    for index, num_turns in enumerate(turns):
        prefix = PREFIX if rng.random() < 0.5 else ""
        seed, first = int(rng.integers(2**31)), int(rng.integers(300))
        session = engine.open(seed=seed, first_turn=first, prefix=prefix)
        left[session] = num_turns
        recorders[session] = Recorder(folder / str(index), session)
    while left:
        chosen = [session for session in left if rng.random() < 0.7] or [next(iter(left))]
        given = {session: _half(engine, halves, rng) for session in chosen}
        for session, output in engine.tick(given).items():
            recorders[session].add(given[session], output)
            left[session] -= 1
            if not left[session]:
                recorders[session].close()
                session.close()
                del left[session]
            elif rng.random() < 0.05 and engine.num_free_slots:
                restored = _restored(engine, session, folder / "state.safetensors")
                left[restored], recorders[restored] = left.pop(session), recorders.pop(session)
                recorders[restored].follow(restored)
    reports = [replay(read_record(r.folder), engine.loaded) for r in recorders.values()]
    return [Outcome(value=float(report.num_differing_bits)) for report in reports]


def _restored(engine: Engine, session: Session, path: Path) -> Session:
    """The session from a file, in another slot."""
    session.state().save(path)
    restored = engine.restore(SessionState.load(path))
    session.close()
    return restored


def _half(engine: Engine, halves: Sequence[InputHalf], rng: np.random.Generator) -> InputHalf:
    half = halves[int(rng.integers(len(halves)))]
    cut, sees = rng.random() < 0.1, engine.has_eyes and rng.random() < 0.5
    return replace(
        half,
        num_played=int(rng.integers(SAMPLES_PER_TURN)) if cut else None,
        see=rng.integers(0, 256, SEE_SHAPE, np.uint8) if sees else None,
    )


@torch.inference_mode()
def _pieces(loaded: Loaded, dtype: torch.dtype, rng: np.random.Generator) -> Outcome:
    """Random rows, more than the cache holds, through a model's backbone: all at once, and two
    sessions beside each other piece by piece."""
    config = loaded.config.backbone
    model: Backbone = loaded.model.backbone
    if config.num_experts:
        model = _pinned(loaded, replace(config, prefix=PINNED))
    choose_operations(model, None, dtype, CPU)
    served = _cast(model, dtype)
    cache = served.new_cache(3, dtype)
    assert isinstance(cache, Cache)
    num_rows = cache.k.shape[3] + 200
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    x = torch.randn(2, num_rows, config.dim, generator=generator).to(dtype)
    at = torch.arange(num_rows).expand(2, -1)
    whole, slots = model(x, at), torch.tensor([2, 0])
    made, first = [], 0
    while first < num_rows:
        last = min(num_rows, first + int(rng.choice(PIECES)))
        if rng.random() < 0.1:  # rows that are taken back
            served(x[:, :50], at[:, :50] + first, cache, slots)
            for slot in slots.tolist():
                cache.truncate(slot, first)
        if rng.random() < 0.1:  # saved, and restored into the slot that is free
            free = ({0, 1, 2} - set(slots.tolist())).pop()
            cache.write_slot(free, cache.read_slot(int(slots[0])))
            slots = torch.tensor([free, int(slots[1])])
        made.append(served(x[:, first:last], at[:, first:last], cache, slots))
        first = last
    return Outcome(value=float(_differing_bits(torch.cat(made, dim=1), whole)))


def _pinned(loaded: Loaded, config: BackboneConfig) -> Backbone:
    backbone = Backbone(config)
    backbone.load_state_dict(loaded.model.backbone.state_dict())
    return backbone.eval()


def _cast(model: Backbone, dtype: torch.dtype) -> Backbone:
    served = Backbone(model.config)
    served.load_state_dict(model.state_dict())
    return served.to(dtype).eval()


def _differing_bits(ours: Tensor, theirs: Tensor) -> int:
    kind = torch.int32 if ours.dtype == torch.float32 else torch.int16
    off = (ours.contiguous().view(kind) ^ theirs.contiguous().view(kind)).numpy()
    return int(np.unpackbits(off.view(np.uint8)).sum())
