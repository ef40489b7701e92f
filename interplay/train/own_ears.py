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
from jaxtyping import Float
from rich.progress import Progress

from interplay.clock import NUM_SLOTS
from interplay.data.bank import SHARD_SIZE, Bank, Clip, Request, add_shard, own_mel
from interplay.data.example import Example
from interplay.data.speech import Utterance, leveled, synthesize
from interplay.data.timeline import VOCODER_DELAY, Spoken, Timeline
from interplay.data.voices import MODEL_VOICE, OWN_VOICE
from interplay.media.dmel import NUM_MELS, DmelConfig, log_mel, quantize
from interplay.model.checkpoint import Loaded
from interplay.train.said import say_batch
from interplay.turns import tokens

BATCH = 8  # texts at a time
NOISE = 1e-3  # of the room in which the model reads, full scale 1


def add_own_voice(path: Path, loaded: Loaded, num_wanted: int, *, seed: int = 0) -> None:
    """Into the bank at `path` up to `num_wanted` of what its users say with the recorded own voice
    (`OWN_VOICE`), as `loaded` says it; shard by shard, and what is there already is kept.

    Raises SynthError where the recordings that the voice follows cannot be made.
    """
    voice = f"{MODEL_VOICE}{loaded.facts.get('name', 'model')}"
    bank = Bank.open(path)
    requests = [
        Request(text=clip.text, voice=voice, tag=clip.tag)
        for clip in map(bank.clip, bank.find(role="user"))
        if clip.voice.startswith(OWN_VOICE)
    ]
    order = np.random.default_rng([seed, 0xEA5]).permutation(len(requests))[:num_wanted]
    num_made = len(bank.find(voice=voice))
    with Progress() as progress:
        bar = progress.add_task("own voice as a user's", total=len(order), completed=num_made)
        for first in range(num_made, len(order), SHARD_SIZE):
            part = [requests[k] for k in order[first : first + SHARD_SIZE]]
            add_shard(path, *_say_all(part, loaded, (seed, 0xEA5, first)))
            progress.advance(bar, len(part))


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
            samples = leveled(np.clip(32768 * sound, -32768, 32767).astype(np.int16))
            said.append(replace(spoken, voice=request.voice, engine="own", samples=samples))
    return [request for request, _ in recorded], said


@torch.inference_mode()
def _say(
    utterances: Sequence[Utterance], loaded: Loaded, seed: tuple[int, ...]
) -> list[Float[np.ndarray, " T"]]:
    """Each as the model says it, as long as the recording, float32 at 16 kHz."""
    num_turns = max(_num_turns(u, loaded) for u in utterances)
    made = [
        _reading(u, loaded, num_turns, np.random.default_rng([*seed, row]))
        for row, u in enumerate(utterances)
    ]
    mels, _ = say_batch(loaded.model, [example for example, _ in made], seed, torch.float32)
    sounds = []
    for row, (_, spoken) in enumerate(made):
        mel = mels[row, spoken.first : spoken.last].flatten(0, 1)
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
