"""The language the cascade listens for: sentences of the small models' world as a trigram model.

Written as an ARPA file, which pocketsphinx reads. Sentences are drawn from forms ("what is <number>
plus <number>") that are learnt from the same generators that make users talk; no item is looked at.
Knows nothing of sound.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np

from interplay.data.texts import questions, vocabulary

NUM_DRAWS = 400  # of statements, to learn their forms
PER_FORM = 250  # sentences drawn of each form
DISCOUNT = 0.5  # taken off every count and given to what was not seen (absolute discounting)
BEGIN, END = "<s>", "</s>"

CLASSES: dict[str, tuple[str, ...]] = {
    "number": tuple(vocabulary.NUMBERS),
    "digit": tuple(vocabulary.DIGITS),
    "day": tuple(vocabulary.DAYS),
    "thing": tuple(vocabulary.COLOUR_OF),
    "opposite": tuple(vocabulary.OPPOSITE),
    "colour": tuple(vocabulary.COLOURS),
    "city": tuple(vocabulary.CITIES),
    "noun": tuple(vocabulary.NOUNS),
    "adjective": tuple(vocabulary.ADJECTIVES),
    "verb": tuple(vocabulary.VERBS),
    "content": vocabulary.CONTENT,
}
_OF_KIND = {
    "arithmetic": ("number",),
    "opposite": ("opposite",),
    "colour": ("thing",),
    "day": ("day",),
    "spelling": ("digit",),
}
_IN_STATEMENTS = ("day", "colour", "city", "adjective", "noun", "verb")


@cache
def forms() -> tuple[str, ...]:
    """Every form of sentence a user may speak, words of a class written as `<class>`."""
    closed = [*questions.facts("train"), *questions.facts("test"), *questions.greetings()]
    found = {_form(q.text, _OF_KIND.get(q.kind, ())) for q in [*closed, *questions.recitals()]}
    rng = np.random.default_rng(0)
    for draw in (questions.statement, questions.open_question):
        found |= {_form(draw(rng), _IN_STATEMENTS) for _ in range(NUM_DRAWS)}
    found |= {*vocabulary.BACKCHANNELS, *vocabulary.CANCELS, *vocabulary.CLOCK_START}
    found |= {*vocabulary.CLOCK_ASK, *vocabulary.REPEAT_ASK}
    for ask in ("say", "please say", "can you say"):
        for words in ("<content>", "<content> <content>"):
            found |= {f"{ask} {words}", f"{ask} {words} in <number> seconds"}
            found.add(f"{ask} {words} in one second")
    for text in vocabulary.REMINDERS:
        found |= {f"remind me to {text} every {gap}" for gap in ("second", "<number> seconds")}
    return tuple(sorted(found))


def _form(text: str, classes: Iterable[str]) -> str:
    """A sentence with the words of these classes put as classes, the first one that has them."""
    of = {word: f"<{name}>" for name in reversed(tuple(classes)) for word in CLASSES[name]}
    return " ".join(of.get(word, word) for word in text.split())


def words_of(texts: Iterable[str]) -> list[str]:
    """Every word that sentences of these forms can have."""
    plain = {word for text in texts for word in text.split() if word.isalpha()}
    return sorted(plain.union(*CLASSES.values()))


def sentences() -> Iterator[list[str]]:
    """PER_FORM sentences of each form, the same ones every time."""
    rng = np.random.default_rng(1)
    for form in forms():
        slots = [CLASSES.get(part.strip("<>"), (part,)) for part in form.split()]
        slots = [slot if part.startswith("<") else (part,) for slot, part in zip(
            slots, form.split(), strict=True)]  # fmt: skip
        draws = [rng.integers(len(slot), size=PER_FORM) for slot in slots]
        for row in zip(*draws, strict=True):
            yield [slot[int(index)] for slot, index in zip(slots, row, strict=True)]


@cache
def arpa() -> str:
    """The model as an ARPA file: log10 probabilities and back-off weights."""
    counts = [Counter() for _ in range(3)]
    for sentence in sentences():
        padded = (BEGIN, *sentence, END)
        for order in range(3):
            counts[order].update(zip(*(padded[k:] for k in range(order + 1)), strict=False))
    for word in words_of(forms()):
        counts[0][(word,)] += 1  # every word can come anywhere
    total = sum(count for gram, count in counts[0].items() if gram != (BEGIN,))
    given: list[dict] = [{gram: count / total for gram, count in counts[0].items()}]
    left: list[dict] = []
    for order in (1, 2):
        probabilities, backoff = _discounted(counts[order], given[-1])
        given.append(probabilities)
        left.append(backoff)
    return _written(given, left)


def _discounted(counts: Counter, lower: dict) -> tuple[dict, dict]:
    """Probabilities of the n-grams seen, and the back-off weight of their contexts."""
    by_context: dict[tuple, list[tuple]] = defaultdict(list)
    for gram in counts:
        by_context[gram[:-1]].append(gram)
    probabilities, backoff = {}, {}
    for context, grams in by_context.items():
        total = sum(counts[gram] for gram in grams)
        probabilities |= {gram: (counts[gram] - DISCOUNT) / total for gram in grams}
        rest = 1.0 - sum(lower[gram[1:]] for gram in grams)
        backoff[context] = DISCOUNT * len(grams) / total / max(rest, 1e-6)
    return probabilities, backoff


def _written(given: list[dict], left: list[dict]) -> str:
    lines = ["\\data\\", *(f"ngram {n + 1}={len(grams)}" for n, grams in enumerate(given))]
    for n, grams in enumerate(given):
        lines += ["", f"\\{n + 1}-grams:"]
        for gram in sorted(grams):
            chance = -99.0 if gram == (BEGIN,) else np.log10(grams[gram])
            line = f"{chance:.4f} {' '.join(gram)}"
            weight = left[n].get(gram) if n < len(left) else None
            lines.append(line if weight is None else f"{line} {np.log10(weight):.4f}")
    return "\n".join([*lines, "", "\\end\\", ""])
