"""Items of the suite translate: somebody asks for English and goes on in German or Spanish.

Sentences of the test split, wordings and voices that no training draws. The sentences of an item
follow each other without a pause that a turn could end in. `Item.about` holds the English, phrase
by phrase. Knows nothing of scores.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from interplay.data.heldout import duration_s
from interplay.data.item import AtWord, Item, Noise, Speak, When
from interplay.data.texts.languages.english import content
from interplay.data.texts.languages.lexicon import LANGUAGES
from interplay.data.texts.languages.parts import Sentence, is_kept_apart
from interplay.data.texts.languages.sentences import draw
from interplay.data.voices import LANGUAGES_SPOKEN, foreign_voice

SEED_BASE = 7_600_000  # no training seed is near
NUM_SENTENCES = 4
ACK_S = (1.8, 2.4)  # after the request: room for an acknowledgement
BREATH_S = (0.15, 0.5)  # between sentences; a turn-taker waits for longer silences
REACTION_S = 0.4  # of the perfect oracle
TAIL_S = 6.5  # for the last of the English, and for what comes too late
PACE = 0.8  # of what the slowest voice takes, the most
ASKS = (
    "please put what i say in {} into english right away",
    "i am going to speak {} and you tell it in english at the same time",
    "while i speak {} say the same in english",
    "interpret for me from {} into english",
)


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """One piece of English. cue, word: of the user's, after which it can be said. counted: its
    words that are scored. is_new: it has an adjective and a noun that are apart in training."""

    text: str
    cue: int
    word: int
    counted: tuple[str, ...]
    is_new: bool


def twin(num_items: int, seed: int) -> list[Item]:
    """`num_items` of each language."""
    items = []
    for place, language in enumerate(LANGUAGES):
        for index in range(num_items):
            rng = np.random.default_rng([SEED_BASE, seed, place, index])
            number = SEED_BASE + (seed * 10 + place) * 10_000 + index
            items.append(make(rng, number, language))
    return items


def make(
    rng: np.random.Generator, number: int, language: str, num_sentences: int = NUM_SENTENCES
) -> Item:
    """An item of so many sentences of one of LANGUAGES."""
    said, phrases = _sentences(rng, language, num_sentences)
    voice = foreign_voice(rng, LANGUAGES_SPOKEN[language], "test")
    _, _, manner = voice.partition("+")
    asked = ASKS[int(rng.integers(len(ASKS)))].format(language)
    gain_db = float(rng.uniform(-8, 4))
    at = When(seconds=float(rng.uniform(0.4, 1.0)))
    cues = [Speak(text=asked, voice=f"espeak:en-us+{manner}", at=at, gain_db=gain_db)]
    length_s = at.seconds + duration_s(asked)
    for index, sentence in enumerate(said):
        wait_s = float(rng.uniform(*(BREATH_S if index else ACK_S)))
        at = When(seconds=wait_s, after="cue_end", cue=index)
        cues.append(Speak(text=sentence.text, voice=voice, at=at, gain_db=gain_db))
        length_s += wait_s + PACE * duration_s(sentence.text)
    expect = tuple(
        AtWord(text=(phrase.text,), after=phrase.cue, word=phrase.word, due_s=REACTION_S)
        for phrase in phrases
    )
    return Item(
        kind="translate",
        seed=number,
        length_s=float(np.ceil(5 * (length_s + TAIL_S)) / 5),
        cues=(*cues, Noise(level_db=float(rng.uniform(-65, -50)))),
        expect=expect,
        first_turn=int(rng.integers(300)),
        subset=language,
        about={"phrases": [vars(phrase) for phrase in phrases]},
    )


def phrases_of(item: Item) -> list[Phrase]:
    """The English of an item, from its `about`, which may have been through JSON."""
    return [_phrase(**value) for value in item.about["phrases"]]


def _phrase(counted: Any, **value: Any) -> Phrase:
    return Phrase(counted=tuple(counted), **value)


def _sentences(
    rng: np.random.Generator, language: str, count: int
) -> tuple[list[Sentence], list[Phrase]]:
    """Sentences in which every phrase has words that the user has not said as they are."""
    while True:
        said = [draw(rng, language, "test") for _ in range(count)]
        heard = {word for sentence in said for word in sentence.text.split()}
        phrases = [
            Phrase(
                text=piece.text,
                cue=cue,
                word=sentence.num_words(piece.after) - 1,
                counted=tuple(word for word in content(piece.text) if word not in heard),
                is_new=any(map(is_kept_apart, piece.pairs)),
            )
            for cue, sentence in enumerate(said, 1)
            for piece in sentence.english
        ]
        if all(phrase.counted for phrase in phrases):
            return said, phrases
