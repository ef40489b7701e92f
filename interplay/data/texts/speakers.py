"""How the texts of users are drawn, kind by kind: those of the first models, and those of `kinds`.

All are of the training split. Knows nothing of voices, of how many texts there are or of what they
are for.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from interplay.data.texts import kinds, questions, vocabulary
from interplay.data.texts.questions import Question, training_text, training_texts

TRAIT = "trait"  # tag of the own utterances that say what something is like
TIMER_SECONDS = range(2, 11)
EVERY_SECONDS = range(2, 10)
SAY = ("say", "please say", "can you say")
SAY_WORDS = 5  # that users ask to be said, at most
FACTS = {"arithmetic": 0.48, "opposite": 0.24, "colour": 0.1, "day": 0.09, "spelling": 0.09}

Draw = Callable[[np.random.Generator], str]


def speakers(pools: kinds.Pools) -> dict[str, Draw]:
    """For every kind of user utterance a function that draws its text; pools: what they ask to be
    said."""
    older: dict[str, Draw] = {
        "listen": lambda rng: training_text(lambda: questions.phrase(rng, 2, 7)),
        "statement": _of(pools["statement"]),
        "word": _of(vocabulary.CONTENT),
        "say": partial(_say, pools),
        "fact": _fact(),
        "greeting": _of([question.text for question in questions.greetings()]),
        "recital": _of([question.text for question in questions.recitals()]),
        "repeat": _of(vocabulary.REPEAT_ASK),
        "timer": partial(_timer, pools),
        "every": partial(_every, pools),
        "cancel": _of(vocabulary.CANCELS),
        "clock_start": _of(vocabulary.CLOCK_START),
        "clock_ask": _of(vocabulary.CLOCK_ASK),
        "delegate": lambda rng: training_text(lambda: questions.open_question(rng)),
        "backchannel": _of(vocabulary.BACKCHANNELS),
    }
    newer = {tag: partial(_of_kind, kind, pools) for tag, kind in kinds.KINDS.items()}
    return older | newer


def draw_pools(
    rng: np.random.Generator, phrases: int, short: int, statements: int, traits: int
) -> dict[str, list[str]]:
    """So many different texts of each kind that can be said: long and short phrases, statements,
    traits."""
    return {
        "phrase": training_texts(lambda: kinds.words(rng, 1, 9), phrases),
        "short": training_texts(lambda: kinds.words(rng, 1, 2), short),
        "statement": training_texts(lambda: questions.statement(rng), statements),
        TRAIT: kinds.traits(rng, traits),
    }


def _of(texts: Sequence[str]) -> Draw:
    return partial(_one, texts)


def _one(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]


def _of_kind(kind: kinds.Kind, pools: kinds.Pools, rng: np.random.Generator) -> str:
    return kind.draw(rng, pools)


def _fact() -> Draw:
    """A closed question; sums most often, for there are most of them."""
    by_kind: dict[str, list[Question]] = {}
    for question in questions.facts("train"):
        by_kind.setdefault(question.kind, []).append(question)
    names, shares = list(FACTS), list(FACTS.values())

    def draw(rng: np.random.Generator) -> str:
        pool = by_kind[names[rng.choice(len(names), p=shares)]]
        return pool[rng.integers(len(pool))].text

    return draw


def _say(pools: kinds.Pools, rng: np.random.Generator) -> str:
    lead = _one(SAY, rng)
    while len((text := _one(pools["phrase"], rng)).split()) > SAY_WORDS:
        pass
    return f"{lead} {text}"


def _timer(pools: kinds.Pools, rng: np.random.Generator) -> str:
    text = _one([*pools["short"], *vocabulary.REMINDERS], rng)
    return f"say {text} in {_number(TIMER_SECONDS, rng)} seconds"


def _every(pools: kinds.Pools, rng: np.random.Generator) -> str:
    text = _one(vocabulary.REMINDERS if rng.random() < 0.7 else pools["short"], rng)
    return f"remind me to {text} every {_number(EVERY_SECONDS, rng)} seconds"


def _number(values: range, rng: np.random.Generator) -> str:
    return vocabulary.NUMBERS[rng.integers(values.start, values.stop)]
