"""What is said in a recording and when: spelling, and what can be wrong with the times.

Knows nothing of sound or training.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from interplay.turns.tokens import Tokenizer

USER, MODEL = "user", "model"
CHANNELS = (USER, MODEL)  # in this order: left, right
OVERLAP_S = 0.02  # aligners round: so much two neighbours may share
PAST_END_S = 0.05
_MARK = re.compile(r"\[[^\]]*\]|<[^>]*>|\{[^}]*\}|\([^)]*\)")  # [laughter], <unk>, (noise)
_APART = re.compile(r"[\s\-–—/…]+")
_EDGES = "\"“”„«».,;:!?¿¡*_`'‘’"  # noqa: RUF001 - quotation marks
_WORD = re.compile(r"'?[^\W\d_]+(?:'[^\W\d_]+)*'?")
_SENTENCE_ENDS = (".", "!", "?")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What a transcript says of a stretch of sound.

    channel: `user` or `model`, None where the transcript does not say.
    text: as it was written. is_word: the times are those of one word. start_s, end_s: seconds from
    the start of the sound; None means all of it.
    """

    channel: str | None
    text: str
    start_s: float | None = None
    end_s: float | None = None
    is_word: bool = False


@dataclass(frozen=True, kw_only=True)
class Word:
    """One word as it was said: lower-case letters and apostrophes. begins: a sentence does."""

    channel: str
    word: str
    start_s: float
    end_s: float
    begins: bool = False


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a session cannot be used: one line that names file, second and cure."""

    file: str
    what: str
    cure: str
    at_s: float | None = None

    def __str__(self) -> str:
        where = self.file if self.at_s is None else f"{self.file}, {self.at_s:.2f} s"
        return f"{where}: {self.what}; {self.cure}"


@dataclass(frozen=True, kw_only=True)
class Spelled:
    """A text as words. begins: for each, whether a sentence begins with it. marks: what was left
    out because it stands in brackets. bad: what is no word. ends: the text ends a sentence."""

    words: tuple[str, ...]
    begins: tuple[bool, ...]
    marks: tuple[str, ...]
    bad: tuple[str, ...]
    ends: bool


def spell(text: str) -> Spelled:
    """Lower-case words of a text, without punctuation; numbers and symbols are bad, not guessed."""
    marks = tuple(_MARK.findall(text))
    words, begins, bad = [], [], []
    is_first = False
    for part in _APART.split(_MARK.sub(" ", text).replace("’", "'")):
        bare = part.strip(_EDGES).lower()
        if bare and not _WORD.fullmatch(bare):
            bad.append(bare)
        elif bare:
            words.append(bare)
            begins.append(is_first)
            is_first = False
        is_first = is_first or part.rstrip("\"”»'’)").endswith(_SENTENCE_ENDS)
    return Spelled(
        words=tuple(words), begins=tuple(begins), marks=marks, bad=tuple(bad), ends=is_first
    )


def text_problems(pieces: Iterable[Piece], file: str) -> list[Problem]:
    """Texts that hold something else than words, or nothing at all."""
    found, any_word = [], False
    for piece in pieces:
        spelled = spell(piece.text)
        any_word = any_word or bool(spelled.words)
        for bad in spelled.bad:
            found.append(
                Problem(
                    file=file,
                    at_s=piece.start_s,
                    what=f"{bad!r} is no word that can be spelled",
                    cure="write numbers and symbols as they are said, in letters",
                )
            )
        if piece.is_word and len(spelled.words) > 1:
            found.append(
                Problem(
                    file=file,
                    at_s=piece.start_s,
                    what=f"{piece.text!r} are {len(spelled.words)} words with one time",
                    cure="give each its own, or give them as a text to be aligned",
                )
            )
    if not found and not any_word:
        empty = Problem(
            file=file, what="the transcript is empty", cure="transcribe it or leave it out"
        )
        return [empty]
    return found


def time_problems(pieces: Iterable[Piece], file: str, length_s: float) -> list[Problem]:
    """Times that no sound of `length_s` can have, at most one problem for each piece."""
    spans = [(p.channel, p.start_s, p.end_s, p.text) for p in pieces]
    timed = [(c, start, end, text) for c, start, end, text in spans if start is not None]
    found: list[Problem] = []
    ended: dict[str | None, tuple[float, str]] = {}  # by channel, the last good piece
    for channel, start_s, end_s, text in sorted(timed, key=lambda span: span[1]):
        wrong = _span_problem(text, start_s, end_s, length_s)
        last_s, last = ended.get(channel, (start_s, ""))
        if wrong is None and start_s < last_s - OVERLAP_S:
            wrong = (
                f"{text!r} of the {channel} channel begins before {last!r} ends at {last_s:.2f} s",
                "in one channel words follow each other; correct the times",
            )
        if wrong is not None:
            found.append(Problem(file=file, at_s=start_s, what=wrong[0], cure=wrong[1]))
        elif end_s is not None:
            ended[channel] = (end_s, text)
    return found


def _span_problem(
    text: str, start_s: float, end_s: float | None, length_s: float
) -> tuple[str, str] | None:
    """What is wrong with one span by itself, and the cure."""
    if end_s is None or not (math.isfinite(start_s) and math.isfinite(end_s)):
        return f"{text!r} lasts until {end_s}", "give start and end in seconds"
    if start_s < 0:
        return f"{text!r} begins before the sound", "times count from its first sample, in seconds"
    if end_s <= start_s:
        return f"{text!r} ends at {end_s:.2f} s, before it began", "give start, then end"
    if end_s > length_s + PAST_END_S:
        return (
            f"{text!r} ends at {end_s:.2f} s, past the end of the sound at {length_s:.2f} s",
            "correct the time, or give the whole sound",
        )
    return None


def spelling_problems(words: Iterable[Word], file: str, tokenizer: Tokenizer) -> list[Problem]:
    """Words that the tokenizer does not give back as they are, each once."""
    first: dict[str, Word] = {}
    for word in words:
        first.setdefault(word.word, word)
    return [
        Problem(
            file=file,
            at_s=word.start_s,
            what=f"the tokenizer cannot spell {word.word!r}",
            cure="take one made by `interplay train`, or spell it otherwise",
        )
        for word in first.values()
        if tokenizer.decode(tokenizer.encode_word(word.word)) != word.word
    ]
