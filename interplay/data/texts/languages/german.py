"""German noun phrases: articles and endings by gender, number and case. No sentences.

Genders are m, f, n; p stands for all plurals. Cases are nom and acc; places bring their dative
with them (data.texts.languages.lexicon), owners their genitive.
"""

from interplay.data.texts.languages.lexicon import Word

GENDER = {"der": "m", "die": "f", "das": "n"}
_THE = {
    "nom": {"m": "der", "f": "die", "n": "das", "p": "die"},
    "acc": {"m": "den", "f": "die", "n": "das", "p": "die"},
}
_AFTER_THE = {  # ending of an adjective behind "der"
    "nom": {"m": "e", "f": "e", "n": "e", "p": "en"},
    "acc": {"m": "en", "f": "e", "n": "e", "p": "en"},
}
_AFTER_MY = {  # behind "ein" and "mein"
    "nom": {"m": "er", "f": "e", "n": "es", "p": "en"},
    "acc": {"m": "en", "f": "e", "n": "es", "p": "en"},
}
_OWN_ENDING = {  # of "ein" and "mein"
    "nom": {"m": "", "f": "e", "n": "", "p": "e"},
    "acc": {"m": "en", "f": "e", "n": "", "p": "e"},
}
_BARE = "e"  # of an adjective behind a number
_SHORT_GENITIVE = ("s", "ss", "x", "z", "tz")


def gender(noun: Word) -> str:
    return GENDER[noun.forms[0]]


def has_plural(noun: Word) -> bool:
    return noun.forms[2] != "-"


def phrase(
    noun: Word,
    article: str,
    adjective: Word | None = None,
    *,
    case: str,
    many: bool = False,
    number: str = "",
) -> str:
    """ "den alten hut", "ein rotes auto", "meine schwestern", "zwei rote autos".

    article: the, a (of one) or my; "" behind a number, in words, of `many`.
    """
    of = "p" if many else gender(noun)
    if article == "the":
        start, ending = _THE[case][of], _AFTER_THE[case][of]
    elif article:
        stem = {"a": "ein", "my": "mein"}[article]
        start, ending = stem + _OWN_ENDING[case][of], _AFTER_MY[case][of]
    else:
        start, ending = "", _BARE
    middle = adjective.forms[-1] + _joined(adjective.forms[-1], ending) if adjective else ""
    word = noun.forms[2] if many else noun.forms[1]
    return " ".join(part for part in (start, number, middle, word) if part)


def _joined(stem: str, ending: str) -> str:
    """A stem in -e would lose one of two."""
    return ending[1:] if stem.endswith("e") else ending


def owner(noun: Word) -> str:
    """ "meines bruders", "meiner schwester" """
    if gender(noun) == "f":
        return f"meiner {noun.forms[1]}"
    return f"meines {genitive(noun.forms[1])}"


def genitive(noun: str) -> str:
    """Of masculine and neuter nouns: one syllable takes -es, more take -s."""
    syllables = sum(
        letter in "aeiou" and (i == 0 or noun[i - 1] not in "aeiou")
        for i, letter in enumerate(noun)
    )
    return noun + ("es" if syllables == 1 or noun.endswith(_SHORT_GENITIVE) else "s")


def contracted(preposition: str, noun: Word) -> str:
    """ "im wald", "in der schule", "am bahnhof": preposition and dative."""
    if gender(noun) == "f":
        return f"{preposition} der {noun.forms[1]}"
    joined = {"in": "im", "an": "am"}.get(preposition, f"{preposition} dem")
    return f"{joined} {noun.forms[1]}"
