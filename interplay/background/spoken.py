"""Numbers as people say them: "two thousand and five", "three point one four", also in figures.

Knows nothing of what the numbers are for.
"""

import re

UNDER_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
BY_TEN = "twenty thirty forty fifty sixty seventy eighty ninety"
SMALL, TENS = UNDER_TWENTY.split(), BY_TEN.split()
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
VALUES = {word: value for value, word in enumerate(SMALL)}
VALUES |= {word: 10 * value for value, word in enumerate(TENS, start=2)}
NUMBER_WORDS = frozenset({*VALUES, *SCALES, "hundred"})
FIGURES = re.compile(r"\d+(?:\.\d+)?")


def figures(text: str) -> str:
    """The text with every number in it written in figures; other words stay as they are.

    "a" and "an" are numbers only before hundred and the scales; "and" only between number words.
    """
    words = text.lower().replace("-", " - ").split()
    words = [part for word in words for part in _without_comma(word)]
    out: list[str] = []
    at = 0
    while at < len(words):
        number, used = _number(words[at:])
        out.append(number if used else words[at])
        at += used or 1
    return " ".join(out).replace(" ,", ",")


def _without_comma(word: str) -> list[str]:
    return [word[:-1], ","] if word.endswith(",") and len(word) > 1 else [word]


def _number(words: list[str]) -> tuple[str, int]:
    """The number that `words` begin with and how many words it takes; ("", 0) when none."""
    whole, used = _whole(words)
    if not used:
        return "", 0
    digits = ""
    if words[used : used + 1] == ["point"]:
        for word in words[used + 1 :]:
            if VALUES.get(word, 10) > 9:
                break
            digits += str(VALUES[word])
    if not digits:
        return str(whole), used
    return f"{whole}.{digits}", used + 1 + len(digits)


def _whole(words: list[str]) -> tuple[int, int]:
    total, part, used = 0, 0, 0
    last = None  # size of the word before: what may follow it
    while used < len(words):
        word = words[used]
        following = words[used + 1] if used + 1 < len(words) else ""
        if word == "-" and last in TENS and following in SMALL[1:10]:
            used += 1  # "twenty-one"
            continue
        if word in ("a", "an") and last is None and following in ("hundred", *SCALES):
            part = 1
        elif word == "and" and last in ("hundred", *SCALES) and following in NUMBER_WORDS:
            pass
        elif word in VALUES and _may_follow(word, last):
            part += VALUES[word]
        elif word == "hundred" and 0 < part < 100:
            part *= 100
        elif word in SCALES and 0 < part < 1000:
            total, part = total + part * SCALES[word], 0
        else:
            break
        last = word if word != "and" else last
        used += 1
    return total + part, used


def _may_follow(word: str, last: str | None) -> bool:
    """Whether a number under a hundred goes on with `word`: "twenty one" does, "one twenty" no."""
    if last is None or last in ("hundred", *SCALES):
        return True
    return last in TENS and word in SMALL[1:10]
