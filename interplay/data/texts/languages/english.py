"""English forms: plurals, articles, verbs, who owns what. Knows nothing of other languages."""

PLURALS = {
    **{"mouse": "mice", "woman": "women", "child": "children", "sheep": "sheep", "fish": "fish"},
    **{"knife": "knives", "potato": "potatoes", "tomato": "tomatoes"},
}
# What carries no content: whether it is there says nothing about what was understood.
FUNCTION_WORDS = frozenset(
    (
        *("the", "a", "an", "my", "to", "in", "at", "on", "of", "is", "has", "have", "i", "we"),
        *("that", "for"),
    )
)


def plural(noun: str) -> str:
    """ "boxes", "cherries", "knives" """
    if noun in PLURALS:
        return PLURALS[noun]
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def indefinite(text: str) -> str:
    """ "a house", "an old house" """
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def he(verb: str) -> str:
    """ "buys", "carries", "looks for" """
    first, *rest = verb.split()
    if first == "have":
        return " ".join(["has", *rest])
    return " ".join([plural(first), *rest])


def of_whom(owner: str) -> str:
    """ "my brother's" """
    return owner + "'s"


def content(text: str) -> tuple[str, ...]:
    """The words of a text that carry content."""
    return tuple(word for word in text.split() if word not in FUNCTION_WORDS)
