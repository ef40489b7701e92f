"""Short pieces of English about everything: the examples of WordNet 3.0 (Fellbaum 1998), such as
"the smoke rose slowly".

The grammars beside this file have some hundred words; who hears nothing else takes all other words
for one of those. WordNet is read from where Debian's package `wordnet-base` puts it, or from
INTERPLAY_WORDNET; it is not part of the repository. Knows nothing of sound or of what is a cue.
"""

import os
import re
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from interplay.data.texts import claims, vocabulary
from interplay.data.texts.questions import split_of

FOLDER = "/usr/share/wordnet"
LENGTHS = (3, 10)  # words
RARE = 3  # times that a word has to occur in all of them, or it is too seldom heard to be learnt
UNKIND = {  # nouns that nobody is asked to say
    *("bitch", "bomb", "breast", "cocaine", "corpse", "damn", "drug", "heroin", "idiot", "killer"),
    *("killing", "murder", "prostitute", "suicide", "terrorist"),
}
SHORTEST = 4  # letters of a noun that somebody waits for
_EXAMPLE = re.compile(r'"([^"]+)"')
_PLAIN = re.compile(r"[a-z' ]+")


def folder() -> Path:
    """Where WordNet is looked for."""
    return Path(os.environ.get("INTERPLAY_WORDNET", FOLDER))


@cache
def examples(root: Path) -> tuple[str, ...]:
    """Those that are of the training split, sorted; none where there is no WordNet. Left out are
    those with a thing that may have to be counted, or a word that no training knows."""
    others = {word for kind in claims.KINDS_OF_THINGS.values() for word in kind}
    others |= {*vocabulary.UNSEEN}
    others |= {f"{word}s" for word in others} | {*vocabulary.DAYS, *vocabulary.NUMBERS}
    found = {text for text in _all(root) if others.isdisjoint(text.split())}
    often = Counter(word for text in found for word in text.split())
    return tuple(
        sorted(
            text
            for text in found
            if split_of(text) == "train" and min(often[word] for word in text.split()) >= RARE
        )
    )


@cache
def nouns(root: Path) -> tuple[str, ...]:
    """Nouns that the examples are made of and no other text of the training has, sorted: whoever
    is told to wait for one, or to say it, has to copy it, for there are too many to be known. None
    where there is no WordNet."""
    known = {*vocabulary.CONTENT, *claims.NAMES, *claims.KIN}
    known |= {*claims.PLURAL, *claims.PLURAL.values(), *UNKIND}
    known |= {word for name in vocabulary.REMINDERS for word in name.split()}
    found = {word for text in examples(root) for word in text.split()} - known
    return tuple(
        sorted(
            word
            for word in found & _lemmas(root, "noun")
            if len(word) >= SHORTEST and split_of(word) == "train"
        )
    )


def _lemmas(root: Path, kind: str) -> set[str]:
    """Words of a part of speech, in small letters only: the first word of every entry and its
    synonyms, which stand at every other place from the fifth on (wndb(5WN))."""
    found = set()
    for line in (root / f"data.{kind}").read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith(" "):
            fields = line.split(" ")
            found |= set(fields[4 : 4 + 2 * int(fields[3], 16) : 2])
    return found


def is_installed() -> bool:
    """Whether there are any. Says in one line what to install where there are none."""
    if examples(folder()):
        return True
    print(
        f"no WordNet in {folder()}: users tell tales instead of everyday sentences; for them run "
        "`apt install wordnet-base`, or set INTERPLAY_WORDNET",
        flush=True,
    )
    return False


def draw(rng: np.random.Generator) -> str | None:
    """One of them; None where there are none."""
    found = examples(folder())
    return found[int(rng.integers(len(found)))] if found else None


def _all(root: Path) -> set[str]:
    found = set()
    for kind in ("adj", "adv", "noun", "verb"):
        file = root / f"data.{kind}"
        if not file.is_file():
            continue
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            for example in _EXAMPLE.findall(line.partition("|")[2]):
                text = re.sub(r"[.,;:!?]", "", example.lower()).strip()
                if _PLAIN.fullmatch(text) and LENGTHS[0] <= len(text.split()) <= LENGTHS[1]:
                    found.add(" ".join(text.split()))
    return found
