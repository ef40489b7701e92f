"""What the twins of both Full-Duplex-Bench versions share: who asks for what, when, in which noise.

The user asks for recitals (long answers, so that there is something to interrupt) and makes
statements, in words of the small vocabulary, by voices held out from training. Knows nothing of
scores.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from interplay.bench.playing.stage import Speech
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.item import Cue, Expect, Item, Noise, Speak, When
from interplay.data.speech import synthesize
from interplay.data.texts import questions
from interplay.data.texts.questions import Question, split_of
from interplay.data.voices import random_voice

SEED_BASE = 9_400_000  # no training seed is near
NOISE_DB = (-68.0, -58.0)  # below the softest overlap by more than 12 dB
GAIN_DB = (-4.0, 4.0)
LONG_LETTERS = 44  # with spaces; "one" to "nine" has just as many
AFTER_ONSET_S = (0.5, 1.1)  # from the model's first sound to an overlap, well within a long answer
spoken = lru_cache(512)(synthesize)


@dataclass(frozen=True, kw_only=True)
class User:
    """One person at the microphone: a held-out voice at one loudness."""

    voice: str
    gain_db: float

    def says(self, text: str, at: When, **pause: Any) -> Speak:
        return Speak(text=text, voice=self.voice, at=at, gain_db=self.gain_db, **pause)

    def sound(self, text: str) -> Speech:
        return spoken(text, self.voice)

    def seconds(self, text: str) -> float:
        return len(self.sound(text).samples) / SAMPLE_RATE_HZ


def draws(part: int, num_items: int, seed: int) -> list[tuple[int, np.random.Generator]]:
    """(seed, random numbers) of every item of a part of a suite."""
    numbers = [SEED_BASE + seed * 100_000 + index for index in range(num_items)]
    return [(number, np.random.default_rng([number, part])) for number in numbers]


def somebody(rng: np.random.Generator) -> User:
    return User(voice=random_voice(rng, "test"), gain_db=float(rng.uniform(*GAIN_DB)))


def at_first(rng: np.random.Generator) -> When:
    return When(seconds=float(rng.uniform(0.4, 1.0)))


def recital(rng: np.random.Generator, *, long: bool = False) -> Question:
    """A request whose answer has five words or more; a long one lasts 2 s and more."""
    known = questions.recitals()
    return pick(rng, [q for q in known if not long or len(q.answer) >= LONG_LETTERS])


def statement(rng: np.random.Generator) -> str:
    """A held-out sentence that asks for nothing."""
    while split_of(text := questions.statement(rng)) != "test":
        pass
    return text


def pick(rng: np.random.Generator, values: list) -> Any:
    return values[int(rng.integers(len(values)))]


def item(
    rng: np.random.Generator,
    number: int,
    *,
    kind: str,
    length_s: float,
    cues: list[Cue],
    expect: list[Expect],
    about: dict[str, Any],
) -> Item:
    """An item in light noise, as long as whole micro-turns make it."""
    noise = Noise(level_db=float(rng.uniform(*NOISE_DB)))
    return Item(
        kind=kind,
        seed=number,
        length_s=float(np.ceil(length_s * 5 - 1e-9) / 5),
        cues=(*cues, noise),
        expect=tuple(expect),
        first_turn=int(rng.integers(300)),
        subset=about["part"],
        about=about,
    )
