"""Whole numbers in what was said: digits and number words up to one hundred. Knows nothing of what
they count.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from interplay.bench.traces.trace import Word
from interplay.bench.wording.spelling import TENS, VALUES

_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
SAME_NUMBER_S = 1.0  # "twenty" and "one" that begin within this are twenty-one
_ORDINAL = {word: value for value, word in enumerate(_ORDINALS.split(), 1)}
_DIGITS = re.compile(r"\d{1,4}")
_DIGIT_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)")


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number that was said, and when its first word began."""

    value: int
    time_s: float


def cardinals(words: Sequence[Word]) -> list[Number]:
    """ "7", "seven", "twenty one", "one hundred", in order; a hundred and more in words is not
    read further than "hundred"."""
    found, index = [], 0
    while index < len(words):
        value, used = _cardinal(words, index)
        if value is not None:
            found.append(Number(value=value, time_s=words[index].start_s))
        index += used
    return found


def ordinals(words: Sequence[Word]) -> list[Number]:
    """ "third" or "3rd", up to the twentieth."""
    values = [(_ordinal(word.text), word.start_s) for word in words]
    return [Number(value=value, time_s=time_s) for value, time_s in values if value is not None]


def last_number(words: Sequence[Word]) -> int | None:
    """The last cardinal, else the last ordinal, else None."""
    found = cardinals(words) or ordinals(words)
    return found[-1].value if found else None


def _cardinal(words: Sequence[Word], index: int) -> tuple[int | None, int]:
    """(value, how many words it takes)."""
    word = words[index]
    if _DIGITS.fullmatch(word.text):
        return int(word.text), 1
    value = VALUES.get(word.text)
    following = words[index + 1] if index + 1 < len(words) else None
    if following is not None and following.start_s - word.start_s <= SAME_NUMBER_S:
        ones = VALUES.get(following.text, 0)
        if word.text in TENS and 1 <= ones <= 9:
            return (value or 0) + ones, 2
        if word.text in ("one", "a") and following.text == "hundred":
            return 100, 2
    return value, 1


def _ordinal(word: str) -> int | None:
    digits = _DIGIT_ORDINAL.fullmatch(word)
    value = int(digits[1]) if digits else _ORDINAL.get(word)
    return value if value is not None and value <= len(_ORDINAL) else None
