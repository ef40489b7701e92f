"""Judgement by rule, where no language model is asked: are the wanted words there?

Both sides are brought to one spelling first (bench.wording.spelling). Always to be labelled "rule"
(`RULE`). Knows nothing of traces or of time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from interplay.bench.wording.spelling import canonical, one_edit

RULE = "rule"  # the name of this judge in results
MIN_FUZZY = 5  # shorter words are too near to other words to forgive a letter
MIN_FUZZY_ALONE = 4  # the same where an item asks for one word and allows it


def says(words: Iterable[str], alternatives: Iterable[Sequence[str]], *, fuzzy: bool) -> bool:
    """Whether all words of any alternative occur among the words; order and others are free.

    fuzzy: alternatives of one word of four letters and more may be one edit away.
    """
    said = canonical(" ".join(words))
    for alternative in alternatives:
        wanted = canonical(" ".join(alternative))
        if wanted and set(wanted) <= set(said):
            return True
        near = fuzzy and len(wanted) == 1 and len(wanted[0]) >= MIN_FUZZY_ALONE
        if near and any(one_edit(wanted[0], word) for word in said):
            return True
    return False


def has(said: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether a phrase, not empty, is a run within what was said; both in the one spelling."""
    size = len(phrase)
    return size > 0 and any(
        list(said[i : i + size]) == list(phrase) for i in range(len(said) - size + 1)
    )


def mentions(text: str, wanted: str) -> bool:
    """Whether the wanted words stand in the text one after another; a single word of five letters
    and more may be off by one."""
    said, want = canonical(text), canonical(wanted)
    return has(said, want) or (len(want) == 1 and any(_near(word, want[0]) for word in said))


def _near(said: str, wanted: str) -> bool:
    is_word = min(len(said), len(wanted)) >= MIN_FUZZY and not (said + wanted)[0].isdigit()
    return is_word and not wanted[0].isdigit() and one_edit(said, wanted)


def meets(text: str, rule: Mapping[str, Any]) -> bool:
    """Whether a text meets {"all_of": [[alternative, ...], ...], "none_of": [words, ...]}: of
    every set one alternative is mentioned, and none of the others."""
    return all(any(mentions(text, word) for word in words) for words in rule["all_of"]) and not any(
        mentions(text, word) for word in rule.get("none_of", ())
    )
