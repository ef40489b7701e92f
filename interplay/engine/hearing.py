"""From what arrives in a micro-turn to what the model reads of it: sound to bins, text to pairs.

All sessions at once, each with the bits that it would have alone. Knows nothing of slots or models.
"""

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

from interplay.clock import NUM_SLOTS
from interplay.engine.past import Past
from interplay.media.dmel import StreamingDmel, quantize
from interplay.turns.layout import read_pairs
from interplay.turns.types import PAD, InputHalf


class Heard(NamedTuple):
    """One session's input half as the model reads it, and what is kept of it."""

    hear: np.ndarray  # uint8 [4, S, 80]
    tail: np.ndarray  # float32 [tail], of the sound, for the next micro-turn
    read: tuple[int, ...]  # 4 tokens
    pairs: np.ndarray  # int32 [4, 2], `read` as the model reads it
    memory: np.ndarray  # int32 [1, 4, M], with `read`
    waiting: tuple[int, ...]  # tokens that did not fit


Key = TypeVar("Key", bound=Hashable)


def hear_all(dmel: StreamingDmel, given: Mapping[Key, tuple[Past, InputHalf]]) -> dict[Key, Heard]:
    """What each session hears and reads, from its past and its input half."""
    pasts, halves = zip(*given.values(), strict=True)
    mel, tails = dmel.push_all(
        np.stack([half.hear for half in halves]), np.stack([past.hear_tail for past in pasts])
    )
    hear = quantize(mel)
    waiting = [(*past.waiting, *half.read) for past, half in zip(pasts, halves, strict=True)]
    reads = [tokens[:NUM_SLOTS] + (PAD,) * (NUM_SLOTS - len(tokens)) for tokens in waiting]
    memories = np.concatenate([past.memory for past in pasts])
    pairs, memory = read_pairs(np.array(reads, np.int32), memories)
    return {
        key: Heard(
            hear=hear[i],
            tail=tails[i],
            read=reads[i],
            pairs=pairs[i],
            memory=memory[i : i + 1],
            waiting=waiting[i][NUM_SLOTS:],
        )
        for i, key in enumerate(given)
    }
