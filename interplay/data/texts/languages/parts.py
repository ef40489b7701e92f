"""What sentences are made of: pieces in two languages, nouns with what stands before them, a die.

Knows nothing of which orders of words there are, of sound or time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np

from interplay.data.texts.languages import english, german, spanish
from interplay.data.texts.languages.lexicon import Lexicon, Word, lexicon
from interplay.data.texts.questions import split_of

APART_SHARE = 0.1  # of all pairs of adjective and noun
MANY, NUMBER, MY, A, ADJECTIVE = 0.22, 0.4, 0.15, 0.4, 0.55  # how often; NUMBER: of MANY
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Said:
    """A piece of English. after: index of the source phrase after which it can be said. pairs:
    adjectives with their nouns, such as "red car"."""

    text: str
    after: int
    pairs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """source: its phrases in order. english: what is said, `after` strictly rising; the last piece
    hangs on the last phrase."""

    language: str
    source: tuple[str, ...]
    english: tuple[Said, ...]

    @property
    def text(self) -> str:
        return " ".join(self.source)

    @property
    def translation(self) -> str:
        return " ".join(said.text for said in self.english)

    @property
    def split(self) -> str:
        pairs = [pair for said in self.english for pair in said.pairs]
        return "test" if any(map(is_kept_apart, pairs)) else split_of(self.text)

    def num_words(self, phrase: int) -> int:
        """How many words have been said when a phrase is over."""
        return sum(len(text.split()) for text in self.source[: phrase + 1])


def is_kept_apart(pair: str) -> bool:
    """Whether an adjective and a noun, in English, never stand together in training."""
    return split_of(pair, APART_SHARE) == "test"


Piece = tuple[str, int] | tuple[str, int, tuple[str, ...]]


def build(language: str, source: Sequence[str], pieces: Sequence[Piece]) -> Sentence:
    """pieces: (English, after which phrase, pairs in it); what can be said at the same time becomes
    one."""
    said: list[Said] = []
    for text, after, *rest in pieces:
        pairs = rest[0] if rest else ()
        if said and said[-1].after == after:
            before = said.pop()
            text, pairs = f"{before.text} {text}", (*before.pairs, *pairs)
        said.append(Said(text=text, after=after, pairs=pairs))
    return Sentence(language=language, source=tuple(source), english=tuple(said))


@dataclass(frozen=True, kw_only=True)
class Nominal:
    """A noun with what stands before it. article: the, a, my, or none with a number."""

    noun: Word
    article: str = ""
    adjective: Word | None = None
    many: bool = False
    number: Word | None = None

    @property
    def english(self) -> str:
        text = self.english_after("")
        return english.indefinite(text) if self.article == "a" else f"{self.article} {text}".strip()

    def english_after(self, owner: str) -> str:
        """Without its article: "my brother's" "old car"."""
        name = self.noun.english[0]
        words = [owner, self.number.english[0] if self.number else ""]
        words += [self.adjective.english[0] if self.adjective else ""]
        words += [english.plural(name) if self.many else name]
        return " ".join(word for word in words if word)

    @property
    def pairs(self) -> tuple[str, ...]:
        if self.adjective is None:
            return ()
        return (f"{self.adjective.english[0]} {self.noun.english[0]}",)

    def german(self, case: str) -> str:
        number = self.number.forms[0] if self.number else ""
        return german.phrase(
            self.noun, self.article, self.adjective, case=case, many=self.many, number=number
        )

    @property
    def spanish(self) -> str:
        number = self.number.forms[0] if self.number else ""
        return spanish.phrase(
            self.noun, self.article, self.adjective, many=self.many, number=number
        )


class Draws:
    """Draws the parts of sentences of one language."""

    def __init__(self, language: str, rng: np.random.Generator) -> None:
        self.language, self.rng = language, rng
        self.words: Lexicon = lexicon(language)
        self._of_kinds = cache(self._with_kinds)

    def pick(self, values: Sequence[T]) -> T:
        return values[int(self.rng.integers(len(values)))]

    def happens(self, rate: float) -> bool:
        return bool(self.rng.random() < rate)

    def _with_kinds(self, name: str, kinds: str) -> list[Word]:
        return [word for word in getattr(self.words, name) if set(word.kinds) & set(kinds)]

    def noun(self, kinds: str, wanted: Callable[[Word], bool] = lambda _: True) -> Word:
        return self.pick([word for word in self._of_kinds("nouns", kinds) if wanted(word)])

    def has_noun(self, kinds: str, wanted: Callable[[Word], bool]) -> bool:
        return any(map(wanted, self._of_kinds("nouns", kinds)))

    def adjective(self, noun: Word, wanted: Callable[[Word], bool] = lambda _: True) -> Word | None:
        """One that goes with the noun, if there is one."""
        kinds = noun.kinds.replace("*", "")
        found = [word for word in self._of_kinds("adjectives", kinds) if wanted(word)]
        return self.pick(found) if found else None

    def verb(self, kind: str, wanted: Callable[[Word], bool] = lambda _: True) -> Word:
        """kind: transitive or intransitive."""
        return self.pick([word for word in getattr(self.words, kind) if wanted(word)])

    def time(self, tense: str) -> Word:
        """tense: + for what is, - for what was."""
        return self.pick(self._of_kinds("times", tense))

    def place(self) -> Word:
        return self.pick(self.words.places)

    def nominal(
        self,
        kinds: str,
        *,
        wanted: Callable[[Word], bool] = lambda _: True,
        articles: Sequence[str] = ("the", "a", "my"),
        one: bool = False,
    ) -> Nominal:
        """one: no plural. Articles that are not allowed, and "a" of what is not counted, are
        "the"."""
        noun = self.noun(kinds, wanted)
        counted = "*" not in noun.kinds
        many = not one and counted and self.happens(MANY) and self._has_plural(noun)
        article = "my" if self.happens(MY) else "a" if counted and self.happens(A) else "the"
        number = None
        if many:
            article = "my" if article == "my" else "the"
            if self.happens(NUMBER) and "a" in articles:
                article, number = "", self.pick(self.words.numbers)
        adjective = None
        if self.happens(ADJECTIVE):
            adjective = self.adjective(noun, lambda word: self._agrees(word, many))
        return Nominal(
            noun=noun,
            article=article if article in (*articles, "") else "the",
            adjective=adjective,
            many=many,
            number=number,
        )

    def _has_plural(self, noun: Word) -> bool:
        return self.language == "spanish" or german.has_plural(noun)

    def _agrees(self, adjective: Word, many: bool) -> bool:
        return self.language == "german" or spanish.can_agree(adjective, many=many)
