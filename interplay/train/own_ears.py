"""A model's own voice as a user's, so that its ears know it: from its echo, from another of its kind.

The model reads texts aloud, its past given, and what its vocoder makes of the mean head's mels is
kept in an utterance bank with the times of the recording that it follows. Knows nothing of how
sessions are composed of such a bank.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from interplay.clock import NUM_SLOTS
from interplay.data.bank import Clip, Request, add_shard, own_mel
from interplay.data.example import Example
from interplay.data.speech import Utterance, synthesize
from interplay.data.timeline import VOCODER_DELAY, Spoken, Timeline
from interplay.data.voices import OWN_VOICE
from interplay.media.dmel import NUM_MELS, DmelConfig, log_mel, quantize
from interplay.model.checkpoint import Loaded
from interplay.train.batch import HistoryNoise, assemble
from interplay.train.losses import SAY
from interplay.turns import tokens

BATCH = 8  # texts at a time
NOISE = 1e-3  # of the room in which the model reads, full scale 1
VOICE = "own:"  # of a voice spec; the model's name follows
LEVEL_DB = -22.0  # as all utterances of a bank


def add_own_voice(
    bank: Path, loaded: Loaded, requests: Sequence[Request], *, seed: int = 0
) -> None:
    """Shards of the bank with these requests' texts and tags, role `user`, as `loaded` says them.

    Raises SynthError where the recordings of its voice, which it follows, cannot be made.
    """
    name = f"{VOICE}{loaded.facts.get('name', 'model')}"
    said: list[tuple[Request, Utterance]] = []
    read = [(request, synthesize(request.text, OWN_VOICE)) for request in requests]
    read.sort(key=lambda one: len(one[1].samples))
    for first in range(0, len(read), BATCH):
        part = read[first : first + BATCH]
        sounds = _say([spoken for _, spoken in part], loaded, (seed, 0xEA5, first))
        for (request, spoken), sound in zip(part, sounds, strict=True):
            spoken = replace(spoken, voice=name, engine="own", samples=_level(sound))
            said.append((replace(request, voice=name, role="user"), spoken))
    add_shard(bank, [request for request, _ in said], [spoken for _, spoken in said])


@torch.inference_mode()
def _say(
    utterances: Sequence[Utterance], loaded: Loaded, seed: tuple[int, ...]
) -> list[Float[np.ndarray, " T"]]:
    """Each as the model says it, as long as the recording, float32 at 16 kHz."""
    model, voice = loaded.model, loaded.model.voice
    made = [
        _reading(u, loaded, np.random.default_rng([*seed, k])) for k, u in enumerate(utterances)
    ]
    num_turns = max(len(example.streams) for example, _ in made)
    made = [
        _reading(u, loaded, np.random.default_rng([*seed, k]), num_turns)
        for k, u in enumerate(utterances)
    ]
    batch = assemble(
        [example for example, _ in made],
        mel_mean=voice.mel_mean.numpy(),
        mel_std=voice.mel_std.numpy(),
        noise=HistoryNoise(),
        seed=seed,
    )
    hidden, _ = model(batch.inputs, torch.float32)
    sounds = []
    for row, (_, spoken) in enumerate(made):
        slots = slice(spoken.first, spoken.last)
        say = model.say_vectors(batch.tokens[row, ..., SAY].flatten()[slots], torch.float32)
        mean = voice.mean(hidden[row].flatten(0, 1)[slots], say)
        mel = voice.denormalize(mean.unflatten(-1, (-1, NUM_MELS))).flatten(0, 1)
        sound = loaded.vocoder(mel[None])[0].numpy()
        sounds.append(sound[VOCODER_DELAY:][: len(utterances[row].samples)])
    return sounds


def _reading(
    utterance: Utterance, loaded: Loaded, rng: np.random.Generator, num_turns: int | None = None
) -> tuple[Example, Spoken]:
    """A session in which the text arrives on `read` and is spoken; as short as it can be, or
    `num_turns` long."""
    mel = own_mel(utterance.samples)
    facts = {key: getattr(utterance, key) for key in ("samples", "words", "phones", "text")}
    clip = Clip(
        **facts, voice=utterance.voice, engine=utterance.engine, role="own", tag="", mel=mel
    )
    ids = [tokens.TEXT, *loaded.tokenizer.encode(utterance.text), tokens.END]
    slot = NUM_SLOTS * (1 + -(-len(ids) // NUM_SLOTS)) + 1
    num_slots = slot + 1 + len(mel) // loaded.config.subframes
    timeline = Timeline(num_turns or -(-num_slots // NUM_SLOTS), loaded.tokenizer)
    timeline.write("read", ids, NUM_SLOTS)
    spoken = timeline.speak(clip, slot)
    dmel = DmelConfig(subframes=loaded.config.subframes)
    room = (NOISE * rng.standard_normal(timeline.num_samples)).astype(np.float32)
    bins = quantize(log_mel(room, dmel)).reshape(-1, NUM_SLOTS, dmel.subframes, NUM_MELS)
    return timeline.example(bins), spoken


def _level(sound: np.ndarray) -> np.ndarray:
    """int16 at the level of the bank."""
    rms = float(np.sqrt(np.mean(sound**2))) + 1e-6
    scaled = sound * (10 ** (LEVEL_DB / 20) / rms)
    return np.clip(scaled * 32768, -32768, 32767).astype(np.int16)
