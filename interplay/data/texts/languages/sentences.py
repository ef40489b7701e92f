"""All sentences: NUM_SENTENCES of each language, the same for ever, split for good.

A sentence is of the split `test` if a hash of its text says so, or if it holds an adjective and a
noun that are kept apart in training; no training draws it. Knows nothing of sound or time.
"""

from functools import cache

import numpy as np

from interplay.data.texts.languages.lexicon import LANGUAGES
from interplay.data.texts.languages.orders import ORDERS
from interplay.data.texts.languages.parts import Draws, Sentence

NUM_SENTENCES = 2500
_SEED = 0x7A5


@cache
def sentences(language: str) -> dict[str, Sentence]:
    """All sentences of one of LANGUAGES by their text."""
    draws = Draws(language, np.random.default_rng([_SEED, LANGUAGES.index(language)]))
    found: dict[str, Sentence] = {}
    while len(found) < NUM_SENTENCES:
        sentence = draws.pick(ORDERS[language])(draws)
        found.setdefault(sentence.text, sentence)
    return found


@cache
def of_split(language: str, split: str) -> tuple[Sentence, ...]:
    """Those of `train` or `test`."""
    return tuple(s for s in sentences(language).values() if s.split == split)


def draw(rng: np.random.Generator, language: str, split: str) -> Sentence:
    found = of_split(language, split)
    return found[int(rng.integers(len(found)))]


def sentence_of(text: str) -> Sentence:
    """The sentence with that text. Raises KeyError on another text."""
    found = next((s for name in LANGUAGES if (s := sentences(name).get(text))), None)
    if found is None:
        raise KeyError(f"{text!r} is no sentence of {', '.join(LANGUAGES)} that is known here")
    return found
