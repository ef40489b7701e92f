"""Sentences with slots, filled and taken apart again; and how times are said.

Knows nothing of what is asked for.
"""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from interplay.data.texts import vocabulary

NUMBER_OF = {word: value for value, word in enumerate(vocabulary.NUMBERS)}
NUMBER_OF |= {"thirty": 30, "forty": 40, "fifty": 50}
WORD_OF = {value: word for word, value in NUMBER_OF.items()}
_WORD = "[a-z']+"
_SLOTS = {  # what a slot may hold; every other slot holds one word
    "x": r"[a-z' ]+?",
    "y": r"[a-z' ]+?",
    "t": r"[a-z]+ (?:second|minute)s?",
    "u": r"[a-z]+ (?:second|minute)s?",
    "c": r"an? [a-z]+",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """A sentence taken apart. quotes: numbers of words before what it quotes."""

    slots: dict[str, str]
    quotes: tuple[int, ...]


@dataclass(frozen=True)
class Wordings:
    """Templates with `{slots}`; those in double quotes are words to be said later.

    A sentence of several templates belongs to the longest: "say the words {x}" before "say {x}".
    Raises KeyError where a slot is not given, and in `parse` on a sentence of no template.
    """

    templates: tuple[str, ...]

    @property
    def plain(self) -> tuple[str, ...]:
        return tuple(template.replace('"', "") for template in self.templates)

    def draw(self, rng: np.random.Generator, **slots: str) -> str:
        """One of the templates, filled."""
        return self.plain[int(rng.integers(len(self.templates)))].format(**slots)

    def parse(self, text: str) -> Request:
        for pattern, quoted in self._patterns:
            if match := pattern.fullmatch(text):
                quotes = tuple(len(text[: match.start(name)].split()) for name in quoted)
                return Request(slots=match.groupdict(), quotes=quotes)
        raise KeyError(f"{text!r} has none of the wordings {self.templates}")

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], list[str]]]:
        patterns = []
        pairs = zip(self.templates, self.plain, strict=True)
        for template, plain in sorted(pairs, key=lambda pair: -len(re.sub(r"{\w}", "", pair[1]))):
            pattern = re.sub(r"\{(\w)\}", lambda slot: _group(slot[1]), plain)
            patterns.append((re.compile(pattern), re.findall(r'"\{(\w)\}"', template)))
        return patterns


def _group(name: str) -> str:
    return f"(?P<{name}>{_SLOTS.get(name, _WORD)})"


def spoken_time(num_seconds: int) -> str:
    """ "seven seconds", "one minute"; whole minutes from 60 on."""
    number, unit = (num_seconds, "second") if num_seconds < 60 else (num_seconds // 60, "minute")
    return f"{WORD_OF[number]} {unit}{'' if number == 1 else 's'}"


def seconds_of(text: str) -> int:
    """Inverse of `spoken_time`."""
    number, unit = text.split()
    return NUMBER_OF[number] * (60 if unit.startswith("minute") else 1)
