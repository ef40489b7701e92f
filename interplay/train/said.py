"""What a model says of a recording of its own voice: mels for the vocoder to learn from.

The model hears whole sessions, its past given, and the mean head's mels are cut out beside the
sound that they stand for (as in Tacotron 2's training of its vocoder on ground-truth-aligned
predictions, Shen et al. 2018, arXiv 1712.05884). Knows nothing of how either of them is trained.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interplay.clock import SAMPLES_PER_SLOT
from interplay.data.compose import Composer
from interplay.data.example import Example
from interplay.data.families import LISTENING
from interplay.data.timeline import PLAYBACK_SLOTS, VOCODER_DELAY
from interplay.model.interaction import InteractionModel
from interplay.train.batch import HistoryNoise, assemble
from interplay.train.own_past import SAY, say_slots
from interplay.train.vocoder import Said

BATCH = 4  # sessions at a time


def say_all(
    model: InteractionModel,
    composer: Composer,
    num_sessions: int,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> list[Said]:
    """Every stretch of own voice in `num_sessions` training sessions, as `model` says it."""
    found: list[Said] = []
    for first in range(0, num_sessions, BATCH):
        size = min(BATCH, num_sessions - first)
        found += _batch(model, composer, size, (seed, 0x5A1D, first), dtype)
    return found


@torch.inference_mode()
def _batch(
    model: InteractionModel,
    composer: Composer,
    size: int,
    seed: tuple[int, ...],
    dtype: torch.dtype,
) -> Iterator[Said]:
    num_turns = composer.config.num_turns
    rngs = [np.random.default_rng([*seed, row]) for row in range(size)]
    made = [composer.session_and_own(rng, num_turns, LISTENING, late=False) for rng in rngs]
    mels, on = say_batch(model, [example for example, _ in made], seed, dtype)
    for row, (_, own) in enumerate(made):
        yield from _stretches(mels[row].numpy(), on[row].numpy(), own)


@torch.inference_mode()
def say_batch(
    model: InteractionModel, examples: Sequence[Example], seed: tuple[int, ...], dtype: torch.dtype
) -> tuple[Float[Tensor, "B slots S 80"], Bool[Tensor, "B slots"]]:
    """The mean head's log10 mels of sessions of equal length, the past given, and where the voice
    is on."""
    voice = model.voice
    batch = assemble(
        examples,
        mel_mean=voice.mel_mean.numpy(),
        mel_std=voice.mel_std.numpy(),
        noise=HistoryNoise(),
        seed=seed,
    )
    on = batch.voice_on
    mels = say_slots(model, batch.inputs, batch.tokens[..., SAY], on, dtype)
    return mels.flatten(1, 2), on.flatten(1)


def _stretches(mels: np.ndarray, on: np.ndarray, own: np.ndarray) -> Iterator[Said]:
    """Runs of slots with voice, mels [slots, S, 80], and what is played for them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(np.int8), [0]])))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        start = (int(first) + PLAYBACK_SLOTS) * SAMPLES_PER_SLOT + VOCODER_DELAY
        stop = start + (int(last) - int(first)) * SAMPLES_PER_SLOT
        if stop <= len(own):
            mel = mels[first:last].reshape(-1, mels.shape[-1])
            yield Said(samples=own[start:stop].copy(), mel=mel.copy())
