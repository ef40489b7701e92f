"""Whether an utterance says what it should, by rule: all words of one alternative occur in it.

Numbers count the same in digits and in words, British spellings the same as American ones; a single
word may be a letter off where the item allows it. A rule, not a judge: results name it so. Knows
nothing of time.
"""

import re
from collections.abc import Iterable, Sequence

from interplay.bench.trace import normal

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {word: value for value, word in enumerate(_UNITS)}
_VALUES |= {word: 10 * (value + 2) for value, word in enumerate(_TENS)} | {"hundred": 100}

_AMERICAN = {
    "colour": "color",
    "colours": "colors",
    "grey": "gray",
    "theatre": "theater",
    "centre": "center",
    "neighbour": "neighbor",
    "favourite": "favorite",
    "honour": "honor",
    "litre": "liter",
    "metre": "meter",
    "metres": "meters",
    "tyre": "tire",
    "programme": "program",
    "travelling": "traveling",
    "jewellery": "jewelry",
    "aluminium": "aluminum",
    "cheque": "check",
    "mum": "mom",
    "okay": "ok",
}
MIN_FUZZY = 4  # shorter words are too close to others


def says(words: Iterable[str], alternatives: Iterable[Sequence[str]], *, fuzzy: bool) -> bool:
    """Whether all words of any alternative occur among the words; order and others are free.

    fuzzy: alternatives of one word of four letters and more may be one edit away.
    """
    said = tokens(" ".join(words))
    for alternative in alternatives:
        wanted = tokens(" ".join(alternative))
        if wanted and set(wanted) <= set(said):
            return True
        near = fuzzy and len(wanted) == 1 and len(wanted[0]) >= MIN_FUZZY
        if near and any(one_edit(wanted[0], word) for word in said):
            return True
    return False


def tokens(text: str) -> list[str]:
    """Words of a text as they are compared: normal, American, numbers up to 199 as digits."""
    words = [_AMERICAN.get(word, word) for word in normal(re.sub("[-–]", " ", text))]
    found: list[str] = []
    index = 0
    while index < len(words):
        value, used = _number(words[index:])
        found.append(words[index] if value is None else str(value))
        index += used
    return found


def _number(words: list[str]) -> tuple[int | None, int]:
    """The cardinal that the words begin with, and how many of them it takes."""
    first = words[0]
    if first.isdigit():
        return int(first), 1
    if first not in _VALUES:
        return None, 1
    value, used = _VALUES[first], 1
    if first == "one" and words[1:2] == ["hundred"]:
        value, used = 100, 2
    if value == 100:
        skip = used + (words[used : used + 1] == ["and"])
        rest = _below_hundred(words[skip:])
        return (value, used) if rest is None else (value + rest[0], skip + rest[1])
    return _below_hundred(words) or (value, used)


def _below_hundred(words: list[str]) -> tuple[int, int] | None:
    if not words or words[0] not in _VALUES or words[0] == "hundred":
        return None
    value = _VALUES[words[0]]
    if value >= 20 and len(words) > 1 and 0 < _VALUES.get(words[1], 0) < 10:
        return value + _VALUES[words[1]], 2
    return value, 1


def one_edit(one: str, other: str) -> bool:
    """Whether at most one letter has to be changed, put in or taken out."""
    if abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    start = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), None)
    if start is None:
        return True
    rest = short[start + (len(short) == len(long)) :]
    return rest == long[start + 1 :]
