"""A model's own voice as a user's, so that its ears know it: from its echo, from others like it.

The model reads texts aloud, its past given, and what its vocoder makes of the mean head's mels is
kept in an utterance bank with the times of the recording that it follows. Knows nothing of how
sessions are composed of such a bank.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int16

from interplay.clock import NUM_SLOTS
from interplay.data.bank import SHARD_SIZE, Bank, Clip, Request, add_shard, own_mel
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


def add_own_voice(path: Path, loaded: Loaded, num_wanted: int, *, seed: int = 0) -> None:
    """Into the bank at `path` up to `num_wanted` of what its users say with the recorded own voice
    (`OWN_VOICE`), as `loaded` says it; shard by shard, and what is there already is kept.

    Raises SynthError where the recordings that the voice follows cannot be made.
    """
    voice = f"{VOICE}{loaded.facts.get('name', 'model')}"
    bank = Bank.open(path)
    requests = [
        Request(text=clip.text, voice=voice, tag=clip.tag)
        for clip in map(bank.clip, np.flatnonzero(bank.spoken_with((OWN_VOICE,))))
        if clip.role == "user"
    ]
    order = np.random.default_rng([seed, 0xEA5]).permutation(len(requests))[:num_wanted]
    num_made = int(bank.spoken_with((voice,)).sum())
    for first in range(num_made, len(order), SHARD_SIZE):
        part = [requests[k] for k in order[first : first + SHARD_SIZE]]
        add_shard(path, *_say_all(part, loaded, (seed, 0xEA5, first)))
        print(f"{path}: {first + len(part)} of {len(order)} in the model's own voice", flush=True)


def _say_all(
    requests: Sequence[Request], loaded: Loaded, seed: tuple[int, ...]
) -> tuple[list[Request], list[Utterance]]:
    """The same texts, short ones first, and how the model says them."""
    recorded = [(request, synthesize(request.text, OWN_VOICE)) for request in requests]
    recorded.sort(key=lambda one: len(one[1].samples))
    said: list[Utterance] = []
    for first in range(0, len(recorded), BATCH):
        part = recorded[first : first + BATCH]
        sounds = _say([spoken for _, spoken in part], loaded, (*seed, first))
        for (request, spoken), sound in zip(part, sounds, strict=True):
            said.append(
                replace(spoken, voice=request.voice, engine="own", samples=_at_level(sound))
            )
    return [request for request, _ in recorded], said


@torch.inference_mode()
def _say(
    utterances: Sequence[Utterance], loaded: Loaded, seed: tuple[int, ...]
) -> list[Float[np.ndarray, " T"]]:
    """Each as the model says it, as long as the recording, float32 at 16 kHz."""
    model, voice = loaded.model, loaded.model.voice
    num_turns = max(_num_turns(u, loaded) for u in utterances)
    made = [
        _reading(u, loaded, num_turns, np.random.default_rng([*seed, row]))
        for row, u in enumerate(utterances)
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


def _ids(utterance: Utterance, loaded: Loaded) -> list[int]:
    return [tokens.TEXT, *loaded.tokenizer.encode(utterance.text), tokens.END]


def _first_slot(utterance: Utterance, loaded: Loaded) -> int:
    """Where the model begins to read: when the text has come, a micro-turn after the start."""
    return NUM_SLOTS * (1 + -(-len(_ids(utterance, loaded)) // NUM_SLOTS)) + 1


def _num_turns(utterance: Utterance, loaded: Loaded) -> int:
    """Micro-turns that reading it takes."""
    num_frames = len(own_mel(utterance.samples))
    num_slots = _first_slot(utterance, loaded) + 1 + num_frames // loaded.config.subframes
    return -(-num_slots // NUM_SLOTS)


def _reading(
    utterance: Utterance, loaded: Loaded, num_turns: int, rng: np.random.Generator
) -> tuple[Example, Spoken]:
    """A session of a quiet room in which the text arrives on `read` and is spoken."""
    clip = Clip(
        samples=utterance.samples,
        words=utterance.words,
        phones=utterance.phones,
        text=utterance.text,
        voice=utterance.voice,
        engine=utterance.engine,
        role="own",
        tag="",
        mel=own_mel(utterance.samples),
    )
    timeline = Timeline(num_turns, loaded.tokenizer)
    timeline.write("read", _ids(utterance, loaded), NUM_SLOTS)
    spoken = timeline.speak(clip, _first_slot(utterance, loaded))
    dmel = DmelConfig(subframes=loaded.config.subframes)
    room = (NOISE * rng.standard_normal(timeline.num_samples)).astype(np.float32)
    bins = quantize(log_mel(room, dmel)).reshape(-1, NUM_SLOTS, dmel.subframes, NUM_MELS)
    return timeline.example(bins), spoken


def _at_level(sound: Float[np.ndarray, " T"]) -> Int16[np.ndarray, " T"]:
    rms = float(np.sqrt(np.mean(sound**2))) + 1e-6
    scaled = sound * (10 ** (LEVEL_DB / 20) / rms)
    return np.clip(32768 * scaled, -32768, 32767).astype(np.int16)
