"""How much of what a machine can multiply a training step uses, and where its time goes.

Random sound and words of a recipe's batch; what a run waits for its batches is in its own log
(`stall`, train.loop). Knows nothing of tables or of recipes.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from interplay.data.example import Example
from interplay.engine.precision import choose_dtype
from interplay.model.backbone import BackboneConfig
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.model.sizes import count_params
from interplay.train.loop import TrainConfig, Trainer
from interplay.turns.types import Streams

SHAPES = {"xs": (8, 64), "s": (2, 64)}  # size -> sessions and micro-turns of a batch
NUM_WARM_UP, NUM_STEPS = 2, 3
NUM_LISTED = 10
MATMUL_DIM = 2048
Found = tuple[float | None, dict[str, Any]]


def training_rows(advance: Callable[[int], None]) -> dict[str, Found]:
    """train_mfu_* on this CPU: share of a large product's operations per second that a step's
    useful ones reach, with the ten operations that take most of the step."""
    found: dict[str, Found] = {}
    for done, (size, shape) in enumerate(SHAPES.items()):
        advance(done)
        found[f"train_mfu_{size}"] = _row(size, shape)
    return found


def _row(size: str, shape: tuple[int, int]) -> Found:
    torch.manual_seed(0)
    dtype = choose_dtype(None)[0]
    model = InteractionModel(model_config(size))
    examples = random_examples(*shape, model.config.vocab_size)
    trainer = Trainer(TrainConfig(num_steps=1000, dtype=dtype, num_threads=1), model)
    for _ in range(NUM_WARM_UP):
        trainer.advance(examples)
    cpu_s = []
    for _ in range(NUM_STEPS):
        began = time.process_time()
        trainer.advance(examples)
        cpu_s.append(time.process_time() - began)
    step_s = statistics.median(cpu_s)
    flops = step_flops(model.config.backbone, trainer.num_positions, shape[1]) / step_s
    peak = cpu_flops(dtype)
    return flops / peak, {
        "dtype": str(dtype).removeprefix("torch."),
        "step_cpu_s": round(step_s, 3),
        "positions": trainer.num_positions,
        "gflops": round(flops / 1e9, 1),
        "product_gflops": round(peak / 1e9, 1),
        "profile": profile(lambda: trainer.advance(examples)),
    }


def step_flops(backbone: BackboneConfig, num_positions: int, num_turns: int) -> float:
    """Operations that a step needs: 6 per active parameter and position, and 12 per position, key
    it sees on average and width of the heads."""
    seen = min(8 * num_turns, backbone.window) / 2
    attention = 12 * backbone.num_layers * backbone.num_heads * backbone.head_dim * seen
    return num_positions * (6 * count_params(backbone)[1] + attention)


def cpu_flops(dtype: torch.dtype, repeats: int = 3) -> float:
    """Operations per second of CPU time of a large product on one thread, the best of some."""
    a, b = (torch.randn(MATMUL_DIM, MATMUL_DIM).to(dtype) for _ in range(2))
    best = 0.0
    for _ in range(repeats):
        began = time.process_time()
        torch.matmul(a, b)
        best = max(best, 2 * MATMUL_DIM**3 / (time.process_time() - began))
    return best


def profile(work: Callable[[], object]) -> dict[str, float]:
    """The operations that take most of `work` by themselves: name -> share of its time, most first.
    Only of the thread that calls it."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as profiler:
        work()
    events = profiler.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    most = sorted(events, key=lambda event: -event.self_cpu_time_total)[:NUM_LISTED]
    return {event.key: round(event.self_cpu_time_total / total, 3) for event in most}


def random_examples(num_sessions: int, num_turns: int, vocab_size: int) -> Sequence[Example]:
    """Sessions of random sound and words, the voice on in half of the slots."""
    return [_example(seed, num_turns, vocab_size) for seed in range(num_sessions)]


def _example(seed: int, num_turns: int, vocab_size: int) -> Example:
    rng = np.random.default_rng(seed)
    streams = Streams.empty(num_turns, subframes=4)
    streams.hear[:] = rng.integers(0, 16, streams.hear.shape)
    for name in ("heard", "say", "act"):
        getattr(streams, name)[:] = rng.integers(0, vocab_size, (num_turns, 4))
    streams.voice_on[:] = rng.random(streams.voice_on.shape) < 0.5
    streams.voice[streams.voice_on] = -3
    phones = np.full((num_turns, 4), -1, np.int8)
    return Example(
        streams=streams,
        phones_user=phones,
        phones_own=phones,
        heard_known=np.ones(num_turns, bool),
        scored_from=0,
    )
