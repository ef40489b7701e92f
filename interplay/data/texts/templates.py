"""Sentences with slots, filled and taken apart again; and how times are said.

Knows nothing of what is asked for.
"""

import math
import re
from collections.abc import Callable
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
    "w": r"(?!me\b)[a-z']+",  # "you hear me say" what comes then
}


# What people put around a request, whatever it is: it is none the less the same request.
LEADS = (
    *("please", "okay", "now", "hey", "listen", "so", "and", "well then", "one more thing"),
    *("can you help me", "i have an idea", "all right", "next", "my friend", "oh and"),
    *("let me see", "here is what i need", "another thing", "good", "as i said"),
)
TAILS = (
    *("please", "okay", "for me", "thank you", "will you", "if you can", "from now on"),
    *("all right", "my friend", "this time", "would you", "and thank you", "that is all"),
    *("do not forget", "if you please", "today", "can you do that"),
)
LEAD_RATE, TAIL_RATE = 0.3, 0.25
MANY = 12
# How people say that they will say something, as alternatives of templates.
TOLD = (
    "you hear|i mention|i use the word|you hear me say|i bring up|i name|i come to|i talk about|"
    "i speak of|i use|you catch"
)
_ALTERNATIVES = re.compile(r"\(([^)]*)\)")


def dressed(rng: np.random.Generator, text: str) -> str:
    """The request with something around it now and then."""
    if rng.random() < LEAD_RATE:
        text = f"{LEADS[int(rng.integers(len(LEADS)))]} {text}"
    if rng.random() < TAIL_RATE:
        text = f"{text} {TAILS[int(rng.integers(len(TAILS)))]}"
    return text


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What is marked in a sentence where it is written down, as numbers of words before it.

    quotes: where what is to be said later begins. waits: where a word begins that is waited for.
    ends: where either ends and other words follow.
    """

    quotes: tuple[int, ...] = ()
    waits: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """A sentence taken apart."""

    slots: dict[str, str]
    marks: Marks


@dataclass(frozen=True)
class Wordings:
    """Templates with `{slots}`; those in double quotes are words to be said later, those in
    brackets a word to be waited for.

    A sentence of several templates belongs to the longest: "say the words {x}" before "say {x}".
    is_request: other words may stand around it (`dressed`). "(a|b)" is one of these; a template
    with such alternatives is drawn as often as so many templates, up to MANY.
    Raises KeyError where a slot is not given, and in `parse` on a sentence of no template.
    """

    templates: tuple[str, ...]
    is_request: bool = False

    @property
    def plain(self) -> tuple[str, ...]:
        """With the first of all alternatives."""
        return tuple(_choose(template, lambda parts: parts[0]) for template in self.templates)

    def draw(self, rng: np.random.Generator, **slots: str) -> str:
        """One of the templates, filled."""
        template = self.templates[int(rng.choice(len(self.templates), p=self._shares))]
        text = _choose(template, lambda parts: parts[int(rng.integers(len(parts)))])
        text = text.format(**slots)
        return dressed(rng, text) if self.is_request else text

    def parse(self, text: str) -> Request:
        for pattern, quoted, awaited in self._patterns:
            if match := pattern.fullmatch(text):
                marks = _marks(text, match, quoted, awaited)
                return Request(slots=match.groupdict(), marks=marks)
        raise KeyError(f"{text!r} has none of the wordings {self.templates}")

    @cached_property
    def _shares(self) -> list[float]:
        counts = [
            min(MANY, math.prod(found.count("|") + 1 for found in _ALTERNATIVES.findall(template)))
            for template in self.templates
        ]
        return [count / sum(counts) for count in counts]

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], list[str], list[str]]]:
        patterns = []
        pairs = zip(self.templates, self.plain, strict=True)
        for template, _ in sorted(pairs, key=lambda pair: -len(re.sub(r"{\w}", "", pair[1]))):
            pattern = re.sub(r'["\[\]]', "", template).replace("(", "(?:")
            pattern = re.sub(r"\{(\w)\}", lambda slot: _group(slot[1]), pattern)
            if self.is_request:
                pattern = f"(?:(?:{'|'.join(LEADS)}) )?{pattern}(?: (?:{'|'.join(TAILS)}))?"
            marked = (re.findall(form, template) for form in (r'"\{(\w)\}"', r"\[\{(\w)\}\]"))
            patterns.append((re.compile(pattern), *marked))
        return patterns


def _choose(template: str, choose: Callable[[list[str]], str]) -> str:
    """A template without marks, one of each of its alternatives chosen."""
    plain = re.sub(r'["\[\]]', "", template)
    return _ALTERNATIVES.sub(lambda found: choose(found[1].split("|")), plain)


def _marks(text: str, match: re.Match[str], quoted: list[str], awaited: list[str]) -> Marks:
    """Of a thing of a kind, "an animal", the last word is what is waited for."""

    def before(place: int) -> int:
        return len(text[:place].split())

    ends = [before(match.end(name)) for name in (*quoted, *awaited)]
    return Marks(
        quotes=tuple(before(match.start(name)) for name in quoted),
        waits=tuple(before(match.end(name)) - 1 for name in awaited),
        ends=tuple(end for end in ends if end < len(text.split())),
    )


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
