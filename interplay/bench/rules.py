"""Judgement by rule, where no language model is asked: are the wanted words there?

Both sides are brought to one spelling first: lower case, no punctuation, numbers as digits,
American spelling as British. Always to be labelled "rule" (`RULE`). Knows nothing of traces.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from interplay.errors import RecordError

RULE = "rule"  # the name of this judge in results
MIN_FUZZY = 5  # shorter words are too near to other words to forgive a letter
ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {word: k for k, word in enumerate(ONES)}
_VALUES |= {word: 10 * (k + 2) for k, word in enumerate(TENS)}
BRITISH = {
    "color": "colour",
    "colors": "colours",
    "gray": "grey",
    "favorite": "favourite",
    "theater": "theatre",
    "center": "centre",
    "kilometers": "kilometres",
    "kilometer": "kilometre",
    "meters": "metres",
    "meter": "metre",
    "liter": "litre",
    "liters": "litres",
    "neighbor": "neighbour",
    "traveling": "travelling",
    "canceled": "cancelled",
    "pajamas": "pyjamas",
}
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+(?:'[^\W\d_]+)*")


def canonical(text: str) -> list[str]:
    """The words of a text in the one spelling; "Twenty-one colors" -> ["21", "colours"]."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text.lower().replace("’", "'"))
    out: list[str] = []
    previous = ""
    for token in _TOKEN.findall(text):
        value = _VALUES.get(token)
        if token == "hundred" and out and out[-1].isdigit() and 0 < int(out[-1]) < 100:
            out[-1] = str(int(out[-1]) * 100)
        elif value is not None and out and _joins(previous, out[-1], value):
            out[-1] = str(int(out[-1]) + value)
        elif value is not None:
            out.append(str(value))
        elif token[0].isdigit():
            out.append(f"{float(token):g}" if "." in token else str(int(token)))
        else:
            out.append(BRITISH.get(token, token))
        previous = token
    return out


def _joins(previous: str, number: str, value: int) -> bool:
    """Whether a number word goes on with the number before it ("twenty" + "one")."""
    if previous in TENS:
        return 0 < value < 10
    return previous == "hundred" and number.isdigit() and 0 < value < 100


def number_words(digits: str) -> list[str]:
    """How a whole number is said, up to 99; a longer one digit by digit."""
    value = int(digits)
    if value < 20:
        return [ONES[value]]
    if value < 100:
        return [TENS[value // 10 - 2], *([ONES[value % 10]] if value % 10 else [])]
    return [ONES[int(digit)] for digit in digits]


def near(said: str, wanted: str) -> bool:
    """Equal, or words of five letters and more that differ by one letter."""
    if said == wanted:
        return True
    if min(len(said), len(wanted)) < MIN_FUZZY or wanted[0].isdigit() or said[0].isdigit():
        return False
    return _one_edit(said, wanted)


def _one_edit(a: str, b: str) -> bool:
    if len(a) > len(b):
        a, b = b, a
    if len(b) - len(a) > 1:
        return False
    k = next((i for i, letter in enumerate(a) if letter != b[i]), len(a))
    return a[k + (len(a) == len(b)) :] == b[k + 1 :]


def mentions(text: str, wanted: str) -> bool:
    """Whether the wanted words stand in the text one after another; a single word may be off by
    one letter."""
    said, want = canonical(text), canonical(wanted)
    if not want:
        return False
    if len(want) == 1:
        return any(near(word, want[0]) for word in said)
    return any(said[i : i + len(want)] == want for i in range(len(said) - len(want) + 1))


def meets(text: str, rule: Mapping[str, Any]) -> bool:
    """Whether a text meets {"all_of": [[alternative, ...], ...], "none_of": [words, ...]}: of
    every set one alternative is mentioned, and none of the others."""
    return all(any(mentions(text, word) for word in words) for words in rule["all_of"]) and not any(
        mentions(text, word) for word in rule.get("none_of", ())
    )


def check_rule(rule: Any, where: str) -> None:
    """Raises RecordError if `meets` could not read the rule."""
    keys = {"all_of", "none_of"}
    if not (isinstance(rule, Mapping) and "all_of" in rule and set(rule) <= keys):
        raise RecordError(f"{where}: a rule has all_of (word sets) and may have none_of (words)")
    sets: Sequence[Any] = [*rule["all_of"], rule.get("none_of", [])]
    if not all(isinstance(s, list | tuple) and all(isinstance(w, str) for w in s) for s in sets):
        raise RecordError(f"{where}: all_of is a list of lists of words, none_of a list of words")
