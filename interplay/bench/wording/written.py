"""Written text as something to say: the words a synthesiser takes, and when each piece sounds.

Written text has capitals, digits, marks and line breaks that no voice says. Knows nothing of
systems, items or scores.
"""

import re
import unicodedata
from collections.abc import Sequence

from interplay.bench.wording.spelling import number_words

_PLAIN = re.compile(r"'?[a-z]+('[a-z]+)*'?|[A-Z]")  # what data.speech takes as it is
_CHUNK = re.compile(r"\s*\S+")
_PART = re.compile(r"[a-z]+(?:'[a-z]+)*|\d+")
_SYMBOLS = {"&": " and ", "%": " percent ", "+": " plus ", "’": "'"}
NOTHING = "mm"  # the sound of a text without a word


def speakable(text: str) -> str:
    """The words of a text in the spelling that `data.speech.synthesize` takes; plain text is
    given back as it is, and one without words is "". Numbers up to a hundred are written out,
    longer ones digit by digit, other signs left out."""
    return " ".join(word for chunk in text.split() for word in _words(chunk))


def timed_pieces(text: str, words: Sequence[tuple[str, float, float]]) -> list[tuple[str, float]]:
    """The text cut before its white space, each piece with the time at which it sounds.

    words: (word, start, end) of `speakable(text)`. A piece without a word to say comes with the
    word after it, or with the last one.
    """
    pieces, index = [], 0
    for chunk in _CHUNK.findall(text):
        _, start_s, _ = words[min(index, len(words) - 1)]
        pieces.append((chunk if chunk[0].isspace() else f" {chunk}", start_s))
        index += len(_words(chunk))
    return pieces


def _words(chunk: str) -> list[str]:
    chunk = chunk.strip()
    if chunk.startswith("'") and chunk.endswith("'"):
        chunk = chunk[1:-1]  # a quotation, not an apostrophe
    if _PLAIN.fullmatch(chunk):
        return [chunk]
    for sign, words in _SYMBOLS.items():
        chunk = chunk.replace(sign, words)
    plain = unicodedata.normalize("NFKD", chunk).encode("ascii", "ignore").decode().lower()
    found: list[str] = []
    for part in _PART.findall(plain):
        found += number_words(int(part)) if part.isdigit() else [part]
    return found
