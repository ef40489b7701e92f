"""Sessions to train on in tests. Without torch: a process that makes batches starts sooner."""

import os
import signal

import numpy as np

from interplay.data.example import Example
from interplay.errors import ConfigError
from interplay.turns.types import PAD, Streams

VOCAB = 96
SOME_ON = [[False, True, True, True], [True, True, False, False], [False] * 4]


def an_example(seed: int, num_turns: int = 3, *, speaks: bool = True) -> Example:
    """Random sound and words; the voice is on in five slots."""
    rng = np.random.default_rng(seed)
    streams = Streams.empty(num_turns, subframes=4, first_turn=7)
    streams.hear[:] = rng.integers(0, 16, streams.hear.shape)
    for name in ("heard", "say", "act"):
        tokens = rng.integers(1, VOCAB, (num_turns, 4))
        getattr(streams, name)[:] = np.where(rng.random((num_turns, 4)) < 0.4, tokens, PAD)
    if speaks:
        streams.voice_on[:3] = SOME_ON
        shape = streams.voice[streams.voice_on].shape
        streams.voice[streams.voice_on] = rng.normal(-3, 1, shape).astype(np.float32)
    phones = rng.integers(-1, 44, (num_turns, 4)).astype(np.int8)
    known = rng.random(num_turns) < 0.9
    return Example(
        streams=streams, phones_user=phones, phones_own=phones, heard_known=known, scored_from=1
    )


class Batches:
    """Two sessions per step; at step `interrupt_at` the user presses Ctrl-C."""

    def __init__(self, interrupt_at: int | None = None, unhappy_at: int | None = None) -> None:
        self.interrupt_at, self.unhappy_at = interrupt_at, unhappy_at

    def __call__(self, step: int, progress: float) -> list[Example]:
        if step == self.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        if step == self.unhappy_at:
            raise ConfigError(f"no batch {step} at {progress}")
        return [an_example(2 * step), an_example(2 * step + 1)]
