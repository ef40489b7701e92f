"""Rules of speaking on a cue: what each waits for in the user's words, and what it then says.

A rule never looks at sound or time. It says how it is agreed on `act` (`ids`), draws speech that
probably holds its cue or something like it, and finds its cues in a text. Knows nothing of
timelines.
"""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from interplay.data.bank import Clip
from interplay.data.talk import NO_MARKS, Source
from interplay.data.texts import claims, cue_wordings, kinds, vocabulary
from interplay.data.texts.templates import Marks
from interplay.turns import tokens

Encode = Callable[[str], list[int]]
FULL_STOP = "full stop"
TRIES = 4  # kinds of talk that are looked through for a word
_TAGS = {"mention": 0.5, "listen": 0.2, "statement": 0.06, "word": 0.07, "everyday": 0.17}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What one cue calls for. before: tokens on `act` between `<due>` and the text that is said.

    text: "" where nothing is said. is_number: it is the count that ends `before`, in words.
    """

    before: list[int]
    text: str
    is_number: bool = False


class Rule(ABC):
    """One agreement. ids: as it is agreed on `act`, and as it is told in notes."""

    def __init__(self, encode: Encode, ids: list[int]) -> None:
        self.encode, self.ids = encode, ids

    @abstractmethod
    def draw(self, source: Source, rng: np.random.Generator) -> Clip | None:
        """Speech that holds a cue more often than not; None where there is none."""

    def near(self, source: Source, rng: np.random.Generator) -> Clip | None:
        """Speech that is close to a cue and none; None where there is nothing of the kind."""
        return None

    @abstractmethod
    def found(self, text: str) -> list[int]:
        """Places of its cues among the words of a text: the word that completes each."""

    @abstractmethod
    def reply(self, text: str, place: int) -> Reply:
        """To the cue that the word at `place` completes; called once for each, in order."""


@cache
def alike(word: str) -> tuple[str, ...]:
    """Known words that are spelled almost like it."""
    found = difflib.get_close_matches(word, vocabulary.CONTENT, n=6, cutoff=0.5)
    return tuple(other for other in found if other != word)


def with_word(source: Source, rng: np.random.Generator, words: Sequence[str]) -> Clip | None:
    """Speech with one of the words."""
    for tag in rng.choice(list(_TAGS), size=TRIES, p=list(_TAGS.values())):
        if clip := source.user_with(str(tag), rng, words):
            return clip
    return None


class OnWord(Rule):
    """A word, or any of some, is answered with a text. named: how it was agreed."""

    def __init__(self, encode: Encode, words: Sequence[str], named: str, answer: str) -> None:
        ids = [tokens.EVERY, *encode(named), tokens.TEXT, *encode(answer), tokens.END]
        super().__init__(encode, ids)
        self.words, self.answer = tuple(words), answer
        self._near = [other for word in words for other in alike(word) if other not in self.words]

    def draw(self, source: Source, rng: np.random.Generator) -> Clip | None:
        return with_word(source, rng, [self.words[int(rng.integers(len(self.words)))]])

    def near(self, source: Source, rng: np.random.Generator) -> Clip | None:
        return with_word(source, rng, self._near) if self._near else None

    def found(self, text: str) -> list[int]:
        return [place for place, word in enumerate(text.split()) if word in self.words]

    def reply(self, text: str, place: int) -> Reply:
        before = [*self.encode(text.split()[place]), tokens.TEXT]
        return Reply(before=before, text=self.answer)


class OnNoise(OnWord):
    """ "um" and "uh" are pointed out; other hesitations are not."""

    def __init__(self, encode: Encode, answer: str) -> None:
        super().__init__(encode, ("um", "uh"), "um", answer)

    def draw(self, source: Source, rng: np.random.Generator) -> Clip | None:
        return source.user("hesitation", rng)

    def near(self, source: Source, rng: np.random.Generator) -> Clip | None:
        return source.user_where("hesitation", rng, lambda text: text not in self.words)


class Count(OnWord):
    """Every mention is counted on `act`, and aloud unless it is a quiet count."""

    def __init__(self, encode: Encode, words: Sequence[str], named: str, *, aloud: bool) -> None:
        super().__init__(encode, words, named, "")
        self.number, self.named, self.aloud = 0, named, aloud
        self.ids = self._told()

    def _told(self) -> list[int]:
        number = tokens.count_token(self.number)
        return [tokens.EVERY, *self.encode(self.named), number, tokens.END]

    def reply(self, text: str, place: int) -> Reply:
        self.number += 1
        self.ids = self._told()
        before = [*self.encode(text.split()[place]), tokens.count_token(self.number)]
        said = vocabulary.NUMBERS[self.number] if self.aloud else ""
        return Reply(before=before, text=said, is_number=True)


class Translate(Rule):
    """A word of another language is given in English."""

    def __init__(self, encode: Encode) -> None:
        super().__init__(encode, [tokens.EVERY, tokens.TEXT, *encode("english"), tokens.END])

    def draw(self, source: Source, rng: np.random.Generator) -> Clip | None:
        return source.user("foreign", rng)

    def found(self, text: str) -> list[int]:
        return [0] if text in claims.ENGLISH_OF else []

    def reply(self, text: str, place: int) -> Reply:
        return Reply(before=[], text=claims.ENGLISH_OF[text])


class Correct(Rule):
    """A false claim is answered with what would have been right; a true one is not."""

    def __init__(self, encode: Encode) -> None:
        super().__init__(encode, [tokens.EVERY, tokens.TEXT, *encode("right"), tokens.END])

    def draw(self, source: Source, rng: np.random.Generator) -> Clip | None:
        return source.user("claim", rng)

    def found(self, text: str) -> list[int]:
        claim = claims.CLAIM_OF.get(text)
        return [] if claim is None or claim.is_true else [len(text.split()) - 1]

    def reply(self, text: str, place: int) -> Reply:
        return Reply(before=[], text=claims.CLAIM_OF[text].right)


class Remind(Rule):
    """Somebody is called by a wrong name."""

    def __init__(self, encode: Encode, kin: str, name: str) -> None:
        super().__init__(
            encode, [tokens.EVERY, *encode(kin), tokens.TEXT, *encode(name), tokens.END]
        )
        self.kin, self.name = kin, name

    def draw(self, source: Source, rng: np.random.Generator) -> Clip | None:
        return source.user_where("name_used", rng, lambda text: f"my {self.kin} " in text)

    def near(self, source: Source, rng: np.random.Generator) -> Clip | None:
        right = f"my {self.kin} {self.name}"
        return source.user_where("name_used", rng, lambda text: right in text)

    def found(self, text: str) -> list[int]:
        words = text.split()
        is_wrong = words[-3:-1] == ["my", self.kin] and words[-1] != self.name
        return [len(words) - 1] if is_wrong and words[-1] in claims.NAMES else []

    def reply(self, text: str, place: int) -> Reply:
        return Reply(before=[*self.encode(self.kin), tokens.TEXT], text=self.name)


class LastWord(Rule):
    """The word before "full stop" is said again."""

    def __init__(self, encode: Encode) -> None:
        super().__init__(encode, [tokens.EVERY, *encode(FULL_STOP), tokens.TEXT, tokens.END])

    def draw(self, source: Source, rng: np.random.Generator) -> Clip | None:
        return source.user("stop_word", rng)

    def found(self, text: str) -> list[int]:
        return [len(text.split()) - 1] if text.endswith(FULL_STOP) else []

    def reply(self, text: str, place: int) -> Reply:
        return Reply(before=[], text=text.split()[place - 2])


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """A request for a rule, as it was said. make: the rule itself."""

    make: Callable[[Encode], Rule]
    marks: Marks = NO_MARKS
    ask_at_end: bool = False


def agreement(tag: str, text: str) -> Agreement:
    """What a request of kind `tag` asks for. Raises KeyError on one that asks for no rule."""
    return _AGREEMENTS[tag](text)


def _cue(text: str) -> Agreement:
    request = cue_wordings.CUE.parse(text)
    word, answer = request.slots["w"], request.slots["a"]
    return Agreement(make=lambda e: OnWord(e, [word], word, answer), marks=request.marks)


def _category(text: str) -> Agreement:
    request = cue_wordings.CATEGORY.parse(text)
    kind, answer = request.slots["c"].split()[1], request.slots["a"]
    members = claims.KINDS_OF_THINGS[kind]
    return Agreement(make=lambda e: OnWord(e, members, kind, answer), marks=request.marks)


def _filler(text: str) -> Agreement:
    request = cue_wordings.FILLER.parse(text)
    return Agreement(make=lambda e: OnNoise(e, request.slots["a"]), marks=request.marks)


def _count_word(text: str) -> Agreement:
    request = cue_wordings.COUNT_WORD.parse(text)
    word = request.slots["w"]
    return Agreement(make=lambda e: Count(e, [word], word, aloud=True), marks=request.marks)


def _count_kind(text: str, aloud: bool = True) -> Agreement:
    wording = cue_wordings.COUNT_KIND if aloud else cue_wordings.COUNT_QUIETLY
    request = wording.parse(text)
    plural = request.slots["s"]
    kind = next(kind for kind, name in claims.PLURAL.items() if name == plural)
    members = claims.KINDS_OF_THINGS[kind]
    return Agreement(
        make=lambda e: Count(e, members, plural, aloud=aloud),
        marks=request.marks,
        ask_at_end=not aloud,
    )


def _named(text: str) -> Agreement:
    request = cue_wordings.NAMED.parse(text)
    kin, name = request.slots["k"], request.slots["m"]
    return Agreement(make=lambda e: Remind(e, kin, name), marks=request.marks)


_AGREEMENTS: dict[str, Callable[[str], Agreement]] = {
    "cue": _cue,
    "category": _category,
    "filler": _filler,
    "count_word": _count_word,
    "count_kind": _count_kind,
    "count_quietly": lambda text: _count_kind(text, aloud=False),
    "foreign_rule": lambda _: Agreement(make=Translate),
    "correct": lambda _: Agreement(make=Correct),
    "named": _named,
    "last_word": lambda _: Agreement(make=LastWord),
}
assert set(_AGREEMENTS) <= set(kinds.KINDS)
