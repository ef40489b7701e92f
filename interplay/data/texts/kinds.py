"""What users of the training say, kind by kind: how many utterances of each, and their texts.

The kinds that the families of `data.families` draw beside the older ones of `data.corpus`. All
payloads are words and phrases of the training split. Knows nothing of voices.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np

from interplay.data.texts import claims, cuewords, everyday, notices, questions, stories, vocabulary
from interplay.data.texts import cue_wordings as c
from interplay.data.texts import wordings as w
from interplay.data.texts.languages import sentences
from interplay.data.texts.languages.lexicon import LANGUAGES
from interplay.data.texts.questions import split_of, training_text, training_texts
from interplay.data.texts.templates import Wordings, dressed, spoken_time

T = TypeVar("T")
ENGLISH = "english"  # tag of own utterances that only translations need
Pools = Mapping[str, Sequence[str]]  # texts that the own voice can say: phrase, short, statement
Draw = Callable[[np.random.Generator, Pools], str]

ONCE_SECONDS = (*range(3, 11), 12, 15, 20, 30)
MINUTES = (60, 120, 180, 240, 300)
TRAIN_WORDS = tuple(word for word in vocabulary.CONTENT if split_of(word) == "train")
_SHORT_LEAD = ("i said", "there is the", "look at the", "and the", "then the", "it is a")
# In training these are words like any other, never cues.
HELD_OUT_CUES = frozenset(
    (*dict(cuewords.KEYWORDS), *cuewords.COUNTED, *cuewords.EVENT_WORDS, "shoot")
)
CUE_WORDS = tuple(
    word
    for word in TRAIN_WORDS
    if word not in HELD_OUT_CUES and word not in vocabulary.NUMBERS and len(word) > 3
)
NEW_RATE = 0.7  # of the words that have to be copied: nouns that are in no other request
_FACTS = questions.facts("train")
_PLURALS = tuple(claims.PLURAL.values())
HESITATIONS = ("um", "uh", "er", "hm")
ASIDES = (
    *("give it back to your sister", "come here please", "put it on the table", "sit down please"),
    *("wait for me outside", "go to your room", "turn the radio off please", "who is at the door"),
    *("i will be there in a minute", "ask your father", "no the other one", "leave it there"),
    *("take the dog out", "we are in here", "where did you put the key", "can you feed the cat"),
)
DEEDS = (  # what nobody gets help with
    *("build a bomb", "steal a car", "make a poison", "break into a house", "hurt my neighbour"),
    *("steal money from the bank", "set fire to a school", "make a gun", "cheat an old woman"),
    *("read the letters of my neighbour", "copy a key of the bank", "start a fight"),
)
HARMLESS = (  # the same in form
    *("build a ladder", "sell a car", "make a sandwich", "repair a house", "visit my neighbour"),
    *("save money for a holiday", "make a fire in the garden", "make a rainbow", "help a farmer"),
    *("write a letter to the queen", "find a key in the grass", "start a football team"),
)
ASK_DEED = Wordings(
    (
        "tell me how to {x}",
        "what do i need to {x}",
        "how do people {x}",
        "teach me to {x}",
        "how can i {x}",
        "explain to me how to {x}",
        "help me to {x}",
        "i want to {x}",
        "show me how to {x}",
    )
)
ABOUT = Wordings(
    ("what about the {w}", "what do you know of the {w}", "say something about the {w}")
)
FORBID = Wordings(
    (
        "do not talk about the {w} and remember {x}",
        "keep quiet about the {w} and {x}",
        "the {w} is a secret and {x}",
    )
)
CALLS = (
    Wordings(("send a letter to {w}", "mail a letter to {w}")),
    Wordings(("book a plane to {w}", "get me a plane to {w}")),
    Wordings(("cancel order {w}", "cancel my order number {w}")),
    Wordings(("look for a {w}", "try to find a {w}")),
    Wordings(("call my brother on {w}", "ring my brother on {w}")),
    Wordings(("play some music of {w}", "put on some music of {w}")),
)
_CALL_WORDS = (
    *(vocabulary.CITIES, vocabulary.CITIES, vocabulary.NUMBERS[1:], vocabulary.NOUNS[:60]),
    *(vocabulary.DAYS, vocabulary.CITIES),
)
CALL_BACK = ("no wait", "no i mean")
OPPOSITES = (
    *(("left", "right"), ("up", "down"), ("on", "off"), ("yes", "no"), ("stop", "go")),
    *(("high", "low"), ("one", "two")),
)


def _one(rng: np.random.Generator, pool: Sequence[T]) -> T:
    return pool[int(rng.integers(len(pool)))]


def word(rng: np.random.Generator, known: Sequence[str] = TRAIN_WORDS) -> str:
    """One to be copied: of those known, or a noun of which there are too many to be known."""
    nouns = _nouns()
    return _one(rng, nouns if nouns and rng.random() < NEW_RATE else known)


@cache
def _nouns() -> tuple[str, ...]:
    found = everyday.nouns(everyday.folder())
    return tuple(noun for noun in found if noun not in HELD_OUT_CUES)


def words(rng: np.random.Generator, low: int, high: int) -> str:
    """`low` to `high` of them."""
    return " ".join(word(rng) for _ in range(int(rng.integers(low, high + 1))))


def _two_words(rng: np.random.Generator, known: Sequence[str] = TRAIN_WORDS) -> tuple[str, str]:
    """Different ones, the first of those `known`."""
    while (first := word(rng, known)) == (other := word(rng)):
        pass
    return first, other


def everyday_or_tale(rng: np.random.Generator, _: Pools) -> str:
    """Something about anything; a tale where WordNet is not installed."""
    return everyday.draw(rng) or stories.tell(rng)


def _payload(rng: np.random.Generator, pools: Pools) -> str:
    """What is to be said later: a few words, a reminder, a statement."""
    kind = int(rng.choice(3, p=(0.6, 0.2, 0.2)))
    return _one(rng, (pools["short"], vocabulary.REMINDERS, pools["statement"])[kind])


def once(rng: np.random.Generator, pools: Pools) -> str:
    seconds = spoken_time(int(_one(rng, MINUTES if rng.random() < 0.12 else ONCE_SECONDS)))
    return w.ONCE.draw(rng, x=_payload(rng, pools), t=seconds)


def reminder(rng: np.random.Generator, _: Pools) -> str:
    """As `once`, but what is to be said is of a grammar, or words that were put together for it
    alone: from a few hundred phrases a model learns those phrases, and not to copy."""
    text = notices.draw(rng) if rng.random() < 0.55 else training_text(lambda: words(rng, 1, 3))
    return w.ONCE.draw(rng, x=text, t=spoken_time(int(_one(rng, ONCE_SECONDS))))


def two(rng: np.random.Generator, _: Pools) -> str:
    first = int(rng.integers(3, 8))
    other = first + int(rng.integers(3, 8))
    x, y = _two_words(rng)
    return w.TWO.draw(rng, x=x, y=y, t=spoken_time(first), u=spoken_time(other))


def event(rng: np.random.Generator, pools: Pools) -> str:
    seconds = spoken_time(int(rng.integers(2, 10)))
    return w.EVENT.draw(rng, x=_one(rng, pools["short"]), t=seconds, w=word(rng, CUE_WORDS))


def after_talk(rng: np.random.Generator, pools: Pools) -> str:
    seconds = spoken_time(int(rng.integers(2, 10)))
    return w.AFTER_TALK.draw(rng, x=_one(rng, pools["short"]), t=seconds)


def beat(rng: np.random.Generator, pools: Pools) -> str:
    text = _one(rng, vocabulary.REMINDERS if rng.random() < 0.6 else pools["short"])
    return w.EVERY.draw(rng, x=text, t=spoken_time(int(rng.integers(2, 10))))


def times(rng: np.random.Generator, pools: Pools) -> str:
    number = vocabulary.NUMBERS[int(rng.integers(2, 5))]
    seconds = spoken_time(int(rng.integers(2, 6)))
    return w.TIMES.draw(rng, x=_one(rng, pools["short"]), t=seconds, n=number)


def in_turn(rng: np.random.Generator, _: Pools) -> str:
    one, other = _two_words(rng) if rng.random() < 0.7 else _one(rng, OPPOSITES)
    return w.IN_TURN.draw(rng, w=one, v=other, t=spoken_time(int(rng.integers(2, 7))))


def count_down(rng: np.random.Generator, _: Pools) -> str:
    seconds = spoken_time(1 + int(rng.random() < 0.35))
    return w.COUNT_DOWN.draw(rng, n=vocabulary.NUMBERS[int(rng.integers(3, 12))], t=seconds)


def cue(rng: np.random.Generator, _: Pools) -> str:
    waited, answer = _two_words(rng, CUE_WORDS)
    return c.CUE.draw(rng, w=waited, a=answer)


def category(rng: np.random.Generator, _: Pools) -> str:
    kind = _one(rng, tuple(claims.KINDS_OF_THINGS))
    while (answer := word(rng)) in claims.KINDS_OF_THINGS[kind]:
        pass
    return c.CATEGORY.draw(rng, c=f"{claims.ARTICLE[kind]} {kind}", a=answer)


def called(rng: np.random.Generator, _: Pools) -> str:
    """A request for one function call or two, or one that takes its first words back."""
    parts = []
    for index in rng.choice(len(CALLS), 2, replace=False).tolist():
        word = _one(rng, _CALL_WORDS[index])
        parts.append(
            (CALLS[index].draw(rng, w=word), CALLS[index].draw(rng, w=_other(rng, index, word)))
        )
    (text, wrong), (second, _) = parts
    kind = rng.random()
    if kind < 0.3:
        return f"please {text} and {second}"
    return f"please {wrong} {_one(rng, CALL_BACK)} {text}" if kind < 0.6 else f"please {text}"


def chart(rng: np.random.Generator, _: Pools) -> str:
    """A request to draw a few numbers."""
    found = rng.choice(vocabulary.NUMBERS[1:20], int(rng.integers(2, 5)), replace=False).tolist()
    return w.CHART.draw(rng, x=f"{' '.join(found[:-1])} and {found[-1]}")


def _other(rng: np.random.Generator, index: int, word: str) -> str:
    while (other := _one(rng, _CALL_WORDS[index])) == word:
        pass
    return other


def deed(rng: np.random.Generator, _: Pools) -> str:
    pool = DEEDS if rng.random() < 0.6 else HARMLESS
    return training_text(lambda: ASK_DEED.draw(rng, x=_one(rng, pool)))


def aside(rng: np.random.Generator, _: Pools) -> str:
    """Said to somebody else, as loud as anything else."""
    name, kind = _one(rng, claims.NAMES), rng.random()
    if kind < 0.5:
        return _one(rng, ASIDES)
    if kind < 0.7:
        return f"{name} {_one(rng, ASIDES)}"
    return training_text(lambda: f"{name} {_one(rng, _FACTS).text}")


def mention(rng: np.random.Generator, _: Pools) -> str:
    """A few words that end with one that somebody may wait for: where cues are met in talk."""
    start = _one(rng, _SHORT_LEAD) if rng.random() < 0.5 else stories.lead(rng)
    return f"{start} {word(rng, vocabulary.CONTENT)}"


def stop_word(rng: np.random.Generator, pools: Pools) -> str:
    return mention(rng, pools) + " full stop"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """count: utterances at scale 1."""

    count: int
    draw: Draw


def _of(texts: Sequence[str], count: int) -> Kind:
    return Kind(count=count, draw=lambda rng, _: _one(rng, texts))


def _asked(texts: Sequence[str], count: int) -> Kind:
    return Kind(count=count, draw=lambda rng, _: dressed(rng, _one(rng, texts)))


def _sentences_of(language: str) -> Kind:
    """To be translated while they are said."""
    return Kind(count=2400, draw=lambda rng, _: sentences.draw(rng, language, "train").text)


KINDS: dict[str, Kind] = {
    "once": Kind(count=2200, draw=once),
    "two": Kind(count=700, draw=two),
    "moved": Kind(
        count=500, draw=lambda rng, _: w.MOVED.draw(rng, t=spoken_time(int(rng.integers(3, 16))))
    ),
    "instead": Kind(
        count=500,
        draw=lambda rng, pools: w.INSTEAD.draw(
            rng, x=_one(rng, pools["short"]), t=spoken_time(int(rng.integers(3, 11)))
        ),
    ),
    "drop": Kind(count=300, draw=lambda rng, _: w.DROP.draw(rng, w=_one(rng, ("first", "second")))),
    "never_mind": _of(w.CANCEL, 150),
    "event": Kind(count=900, draw=event),
    "after_talk": Kind(count=400, draw=after_talk),
    "beat": Kind(count=1300, draw=beat),
    "times": Kind(count=400, draw=times),
    "in_turn": Kind(count=700, draw=in_turn),
    "count_down": Kind(count=400, draw=count_down),
    "talked": Kind(
        count=300, draw=lambda rng, _: w.TALKED.draw(rng, t=spoken_time(int(rng.integers(3, 13))))
    ),
    "longer": _of(w.LONGER, 100),
    "cue": Kind(count=2400, draw=cue),
    "category": Kind(count=800, draw=category),
    "filler": Kind(count=300, draw=lambda rng, _: c.FILLER.draw(rng, a=word(rng))),
    "count_word": Kind(
        count=700, draw=lambda rng, _: c.COUNT_WORD.draw(rng, w=word(rng, CUE_WORDS))
    ),
    "count_kind": Kind(
        count=400, draw=lambda rng, _: c.COUNT_KIND.draw(rng, s=_one(rng, _PLURALS))
    ),
    "count_quietly": Kind(
        count=400, draw=lambda rng, _: c.COUNT_QUIETLY.draw(rng, s=_one(rng, _PLURALS))
    ),
    "how_many": _of(c.HOW_MANY, 100),
    "last_word": _asked(c.LAST_WORD, 350),
    "foreign_rule": _asked(c.FOREIGN, 400),
    "correct": _asked(c.CORRECT, 600),
    "named": Kind(
        count=600,
        draw=lambda rng, _: c.NAMED.draw(rng, k=_one(rng, claims.KIN), m=_one(rng, claims.NAMES)),
    ),
    "cues_off": _asked(c.CUES_OFF, 150),
    "tell": Kind(count=1800, draw=lambda rng, _: stories.tell(rng)),
    "everyday": Kind(count=8000, draw=everyday_or_tale),
    "mention": Kind(count=3600, draw=mention),
    "stop_word": Kind(count=600, draw=stop_word),
    "claim": Kind(count=1300, draw=lambda rng, _: claims.draw(rng)),
    "name_used": Kind(
        count=330,
        draw=lambda rng, _: c.NAME_USED.draw(
            rng, k=_one(rng, claims.KIN), m=_one(rng, claims.NAMES)
        ),
    ),
    "foreign": Kind(count=600, draw=lambda rng, _: _one(rng, tuple(claims.ENGLISH_OF))),
    "hesitation": _of(HESITATIONS, 200),
    "aside": Kind(count=320, draw=aside),
    "call": Kind(count=900, draw=called),
    "chart": Kind(count=500, draw=chart),
    "deed": Kind(count=500, draw=deed),
    "about": Kind(
        count=400, draw=lambda rng, _: ABOUT.draw(rng, w=_one(rng, vocabulary.NOUNS[:60]))
    ),
    **{language: _sentences_of(language) for language in LANGUAGES},
    "translate": Kind(count=800, draw=lambda rng, _: c.TRANSLATE.draw(rng, l=_one(rng, LANGUAGES))),
    "translate_off": _asked(c.TRANSLATE_OFF, 120),
    "reminder": Kind(count=2000, draw=reminder),
}

NOD, REFUSAL, SECRET = "mm hmm", "i cannot help with that", "i cannot say that"
SORRY = (
    *("sorry i cannot reach my helper", "sorry that took too long", "sorry i found no answer"),
    *("sorry i cannot do that", "sorry i am busy with too many things"),
)


def traits(rng: np.random.Generator, count: int) -> list[str]:
    """Different texts such as "the table is golden", of the training split."""

    def draw() -> str:
        return f"the {_one(rng, vocabulary.NOUNS[:60])} is {_one(rng, vocabulary.ADJECTIVES)}"

    return training_texts(draw, count)


def english_of(texts: Collection[str]) -> list[str]:
    """What the model says to user utterances that it translates, piece by piece."""
    return [said.text for text in texts for said in sentences.sentence_of(text).english]


SAID = {  # kind: its wordings, and slots of what the model says when it is due
    "reminder": (w.ONCE, "x"),
    "two": (w.TWO, "xy"),
    "in_turn": (w.IN_TURN, "wv"),
    "cue": (c.CUE, "a"),
    "category": (c.CATEGORY, "a"),
    "filler": (c.FILLER, "a"),
}


def asked_for(tag: str, text: str) -> list[str]:
    """What the model says to a user utterance of a kind when it is due, where it may be anything
    but what other pools have."""
    if tag == "stop_word":
        return [text.split()[-3]]
    if tag not in SAID:
        return []
    wordings, slots = SAID[tag]
    found = wordings.parse(text).slots
    return [found[slot] for slot in slots]


def own_texts() -> list[str]:
    """What the model says in the families beside the texts of `data.corpus`."""
    english = claims.ENGLISH_OF.values()
    fixed = (NOD, REFUSAL, SECRET, *SORRY, "now", "longer")
    return [*vocabulary.CONTENT, *claims.NAMES, *english, *fixed]
