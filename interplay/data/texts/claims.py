"""What can be said wrongly, and what would be right: facts, sums and foreign words, as text.

The facts are those of CueSpeak-open and many more; its sentences about them are not among these.
Knows nothing of sound, or of when somebody is corrected.
"""

from dataclasses import dataclass

import numpy as np

from interplay.data.texts import vocabulary as words

CAPITALS = {
    "france": "paris",
    "germany": "berlin",
    "spain": "madrid",
    "austria": "vienna",
    "japan": "tokyo",
    "russia": "moscow",
    "ireland": "dublin",
    "england": "london",
}
NEXT_DAY = dict(zip(words.DAYS, words.DAYS[1:] + words.DAYS[:1], strict=True))
SUMS = {
    f"{words.NUMBERS[a]} plus {words.NUMBERS[b]}": words.NUMBERS[a + b]
    for a in range(1, 11)
    for b in range(1, 11)
}
KINDS = {  # wordings, all of which end with what makes them wrong; subject -> what is right
    "capital": (("i think {a} is the capital of {w}", "in {w} the capital is {a}"), CAPITALS),
    "colour": (("every {w} is {a}", "to me {w} looks {a}"), words.COLOUR_OF),
    "opposite": (("{w} is the opposite of {a}", "the opposite of {w} must be {a}"), words.OPPOSITE),
    "day": (("after {w} comes {a}", "the day that follows {w} is {a}"), NEXT_DAY),
    "sum": (("{w} makes {a}", "{w} equals {a}", "i say {w} gives {a}"), SUMS),
}
_SHARES = {"capital": 0.14, "colour": 0.14, "opposite": 0.2, "day": 0.12, "sum": 0.4}

GERMAN = {
    **{"brot": "bread", "hund": "dog", "katze": "cat", "wasser": "water", "baum": "tree"},
    **{"apfel": "apple", "vogel": "bird", "milch": "milk", "schwester": "sister"},
    **{"fenster": "window", "buch": "book", "sonne": "sun", "haus": "house", "tisch": "table"},
    **{"garten": "garden", "bruder": "brother", "schnee": "snow"},
}
SPANISH = {
    **{"perro": "dog", "gato": "cat", "mesa": "table", "leche": "milk", "manzana": "apple"},
    **{"escuela": "school", "ventana": "window", "puerta": "door", "hermano": "brother"},
    **{"luna": "moon", "ciudad": "city", "mano": "hand", "agua": "water"},
    **{"libro": "book", "casa": "house", "pueblo": "village"},
}
ITALIAN = {
    **{"gatto": "cat", "acqua": "water", "tavolo": "table", "latte": "milk", "scuola": "school"},
    **{"finestra": "window", "porta": "door", "fratello": "brother", "cavallo": "horse"},
    **{"fuoco": "fire", "mela": "apple", "pane": "bread", "cane": "dog", "libreria": "library"},
}
FOREIGN = {"de": GERMAN, "es": SPANISH, "it": ITALIAN}
ENGLISH_OF = {**GERMAN, **SPANISH, **ITALIAN}
NAMES = (
    *("martin", "helen", "robert", "laura", "thomas", "emma", "oliver", "sarah", "victor", "nina"),
    *("anna", "peter", "david", "maria", "george", "alice", "daniel", "lucy"),
)
KIN = ("sister", "brother", "teacher", "neighbour", "doctor", "uncle", "friend")
KINDS_OF_THINGS = {  # "an animal", "animals" -> members among the known words
    "animal": (
        *("bird", "cat", "dog", "horse", "rabbit", "tiger", "lion", "monkey", "eagle", "spider"),
        *("butterfly", "mouse", "chicken", "sheep", "fox", "snake", "elephant", "frog", "crow"),
    ),
    "colour": tuple(words.COLOURS),
    "city": tuple(words.CITIES),
    "day": tuple(words.DAYS),
}
PLURAL = {"animal": "animals", "colour": "colours", "city": "cities", "day": "days"}
ARTICLE = {"animal": "an", "colour": "a", "city": "a", "day": "a"}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """right: the word that should have been said. is_true: whether it was."""

    right: str
    is_true: bool


def _all() -> dict[str, dict[str, Claim]]:
    """For every kind its sentences. What is true in another way, too, is left out: the opposite of
    what is opposite to it, a sum that is no sum."""
    found: dict[str, dict[str, Claim]] = {}
    for kind, (templates, right_of) in KINDS.items():
        answers = sorted(set(right_of.values()))
        found[kind] = {
            template.format(w=subject, a=said): Claim(right=right, is_true=said == right)
            for template in templates
            for subject, right in right_of.items()
            for said in answers
            if said != subject
        }
    return found


CLAIMS = _all()
CLAIM_OF = {text: claim for found in CLAIMS.values() for text, claim in found.items()}
_TEXTS = {
    (kind, is_true): [text for text, claim in claims.items() if claim.is_true == is_true]
    for kind, claims in CLAIMS.items()
    for is_true in (True, False)
}


def languages_of(word: str) -> list[str]:
    """Keys of FOREIGN: the languages that a foreign word is of."""
    return [name for name, table in FOREIGN.items() if word in table]


def draw(rng: np.random.Generator) -> str:
    """A claim, three in ten of them true."""
    kind = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
    pool = _TEXTS[kind, bool(rng.random() < 0.3)]
    return pool[int(rng.integers(len(pool)))]
