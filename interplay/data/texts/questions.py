"""What can be asked and what the answer is: closed questions, requests and statements, as text.

Every text belongs to one split by a hash of itself, so a `test` sentence is never trained on;
each fact (7 + 5, the opposite of hot) still occurs in training in another wording. Knows nothing
of sound or time.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from interplay.data.texts import vocabulary as words

SPLITS = ("train", "test")


@dataclass(frozen=True, kw_only=True)
class Question:
    """`breaks`: word counts after which a speaker may pause with the sentence still open."""

    text: str
    answer: str
    kind: str
    breaks: tuple[int, ...] = ()


def split_of(text: str, test_share: float = 0.2) -> str:
    """The split a text belongs to, for ever: a hash of the text itself decides."""
    value = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
    return "test" if value < test_share else "train"


def training_text(draw: Callable[[], str]) -> str:
    """What `draw` gives first that is of the training split."""
    while split_of(text := draw()) != "train":
        pass
    return text


def training_texts(draw: Callable[[], str], count: int) -> list[str]:
    """`count` different ones."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[training_text(draw)] = None
    return list(found)


def _worded(templates: tuple[str, ...], fact: str, answer: str, kind: str) -> list[Question]:
    """One fact in all its wordings; `|` marks where a pause may fall."""
    questions = []
    for template in templates:
        marked = template.format(fact).split()
        breaks = tuple(marked.index(bar, i) for i, bar in enumerate(marked) if bar == "|")
        breaks = tuple(b - k for k, b in enumerate(breaks))
        text = " ".join(word for word in marked if word != "|")
        questions.append(Question(text=text, answer=answer, kind=kind, breaks=breaks))
    return questions


def arithmetic() -> list[Question]:
    """Sums of two numbers up to ten, and differences from twenty down."""
    templates = (
        "what is | {}",
        "how much is | {}",
        "tell me {}",
        "what does {} make",
        "{} is what",
    )
    facts = [(a, "plus", b, a + b) for a in range(11) for b in range(11)]
    facts += [(a, "minus", b, a - b) for a in range(21) for b in range(11) if a >= b]
    n = words.NUMBERS
    return [
        question
        for a, sign, b, result in facts
        for question in _worded(templates, f"{n[a]} {sign} | {n[b]}", n[result], "arithmetic")
    ]


def opposites() -> list[Question]:
    templates = (
        "what is the | opposite of | {}",
        "tell me the opposite of | {}",
        "the opposite of | {} is what",
        "give me the opposite of | {}",
    )
    return [q for a, b in words.OPPOSITE.items() for q in _worded(templates, a, b, "opposite")]


def colours() -> list[Question]:
    templates = (
        "what colour is | the {}",
        "what is the colour of | the {}",
        "tell me the colour of | the {}",
        "which colour is | the {}",
    )
    return [q for a, b in words.COLOUR_OF.items() for q in _worded(templates, a, b, "colour")]


def days() -> list[Question]:
    questions = []
    for k, day in enumerate(words.DAYS):
        for side, step in (("after", 1), ("before", -1)):
            templates = (
                f"what day comes {side} | {{}}",
                f"which day is {side} | {{}}",
                f"tell me the day {side} | {{}}",
            )
            questions += _worded(templates, day, words.DAYS[(k + step) % 7], "day")
    return questions


def spelling() -> list[Question]:
    templates = ("spell | {}", "how do you spell | {}", "please spell | {}", "spell the word | {}")
    return [q for w in words.DIGITS for q in _worded(templates, w, " ".join(w), "spelling")]


def greetings() -> list[Question]:
    pairs = {
        "hello": "hello",
        "hello there": "hello",
        "hi there": "hi there",
        "good morning": "good morning",
        "good evening": "good evening",
        "how are you": "i am fine",
        "how are you today": "i am fine",
        "who are you": "my name is interplay",
        "what is your name": "my name is interplay",
        "thank you": "you are welcome",
        "thank you very much": "you are welcome",
        "goodbye": "goodbye",
    }
    return [Question(text=a, answer=b, kind="greeting") for a, b in pairs.items()]


def recitals() -> list[Question]:
    """Answers long enough to be interrupted."""
    n = words.NUMBERS
    questions = []
    for k in range(5, 13):
        up = " ".join(n[1 : k + 1])
        questions += _worded(("count to | {}", "please count to | {}"), n[k], up, "recital")
        down = " ".join(reversed(n[1 : k + 1]))
        questions += _worded(("count down from | {}",), n[k], down, "recital")
    week = " ".join(words.DAYS)
    questions += _worded(
        ("tell me the days of | the {}", "name the days of the {}"), "week", week, "recital"
    )
    rainbow = " ".join(words.COLOURS[:8])
    questions += _worded(("tell me some {}", "name some {}"), "colours", rainbow, "recital")
    return questions


@cache
def facts(split: str) -> list[Question]:
    """Closed questions of a split. Greetings and recitals are few and belong to both."""
    varied = [*arithmetic(), *opposites(), *colours(), *days(), *spelling()]
    return [q for q in varied if split_of(q.text) == split]


def phrase(rng: np.random.Generator, low: int, high: int) -> str:
    """`low` to `high` content words in random order."""
    size = int(rng.integers(low, high + 1))
    return " ".join(rng.choice(words.CONTENT, size, replace=False))


QUOTES = ("say", "please say", "can you say", "remind me to")


def borders(text: str) -> tuple[int, ...]:
    """Where a new text begins in a sentence of the user, as numbers of words before it: the
    sentence itself, and what it quotes ("say X", "remind me to X every ten seconds")."""
    sizes = [len(q.split()) for q in QUOTES if text.startswith(q + " ")]
    return (0, *sizes)


def statement(rng: np.random.Generator) -> str:
    """Something said that asks for nothing."""

    def pick(kind: list[str]) -> str:
        return str(rng.choice(kind))

    noun, other = pick(words.NOUNS), pick(words.NOUNS)
    adjective, verb = pick(words.ADJECTIVES), pick(words.VERBS)
    forms = (
        f"the {adjective} {noun} is {pick(words.COLOURS)}",
        f"my {noun} is in the {other}",
        f"i like the {adjective} {noun}",
        f"we {verb} the {noun} on {pick(words.DAYS)}",
        f"the {noun} and the {other} are {adjective}",
        f"they {verb} in {pick(words.CITIES)}",
        f"there is a {noun} near the {other}",
    )
    return str(rng.choice(forms))


def open_question(rng: np.random.Generator) -> str:
    """Something the small model cannot know: to be handed to the background model."""

    def pick(kind: list[str]) -> str:
        return str(rng.choice(kind))

    forms = (
        f"who wrote the {pick(words.ADJECTIVES)} {pick(words.NOUNS)}",
        f"what is the weather in {pick(words.CITIES)}",
        f"where is the {pick(words.NOUNS)} in {pick(words.CITIES)}",
        f"when does the {pick(words.NOUNS)} open on {pick(words.DAYS)}",
        f"how far is it to {pick(words.CITIES)}",
        f"who invented the {pick(words.NOUNS)}",
        f"what is the price of the {pick(words.ADJECTIVES)} {pick(words.NOUNS)}",
        f"find me a {pick(words.NOUNS)} in {pick(words.CITIES)}",
        f"search for the {pick(words.ADJECTIVES)} {pick(words.NOUNS)}",
    )
    return str(rng.choice(forms))


@cache
def vocabulary() -> list[str]:
    """Every word that can occur in the generated talk, sorted."""
    rng = np.random.default_rng(0)
    texts = [q.text + " " + q.answer for s in SPLITS for q in facts(s)]
    texts += [q.text + " " + q.answer for q in [*greetings(), *recitals()]]
    texts += [statement(rng) for _ in range(500)] + [open_question(rng) for _ in range(500)]
    texts += [*words.REMINDERS, *words.BACKCHANNELS, *words.CANCELS, *words.CLOCK_START]
    texts += [*words.CLOCK_ASK, *words.REPEAT_ASK, words.BRIDGE, words.ACKNOWLEDGE]
    texts += [*words.CONTENT, "say in seconds please can you remind me to every second"]
    return sorted({word for text in texts for word in text.split()})
