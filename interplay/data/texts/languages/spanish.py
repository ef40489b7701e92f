"""Spanish noun phrases and verbs: gender, number, the personal "a", contractions. No sentences."""

from interplay.data.texts.languages.lexicon import Word

_THE = {"m": "el", "f": "la", "mp": "los", "fp": "las"}
_STRESSED = "!"  # a feminine noun that begins with a stressed a: "el agua", "un agua"
_FLEETING = "!"  # an adjective of a state
_NO_PLURAL = "%"


def gender(noun: Word) -> str:
    return "m" if noun.forms[0] == "el" and not noun.forms[1].endswith(_STRESSED) else "f"


def plural(word: str) -> str:
    """ "casas", "flores", "peces", "paraguas" """
    if word.endswith("z"):
        return word[:-1] + "ces"
    if word.endswith("as"):
        return word
    return word + ("s" if word[-1] in "aeo" else "es")


def lasts(adjective: Word) -> bool:
    """Whether "es" goes with it."""
    return not adjective.forms[0].endswith(_FLEETING)


def agree(adjective: Word, gender: str, *, many: bool) -> str:
    """ "rojo", "roja", "rojos", "rojas"; "verde", "verdes". Raises KeyError on a plural that would
    need an accent."""
    form = adjective.forms[0].rstrip(_FLEETING)
    if form.endswith(_NO_PLURAL):
        if many:
            raise KeyError(form)
        form = form.rstrip(_NO_PLURAL)
    if gender == "f" and form.endswith("o"):
        form = form[:-1] + "a"
    return plural(form) if many else form


def can_agree(adjective: Word, *, many: bool) -> bool:
    return not (many and adjective.forms[0].endswith(_NO_PLURAL))


def phrase(
    noun: Word,
    article: str,
    adjective: Word | None = None,
    *,
    many: bool = False,
    number: str = "",
) -> str:
    """ "la casa vieja", "un coche rojo", "mis hermanas", "dos coches rojos".

    article: the, a (of one) or my; "" behind a number, in words, of `many`.
    """
    name = noun.forms[1].rstrip(_STRESSED)
    is_stressed = noun.forms[1].endswith(_STRESSED)
    of = gender(noun)
    starts = {
        "the": "el" if is_stressed and not many else _THE[of + "p" * many],
        "a": "una" if of == "f" and not is_stressed else "un",
        "my": "mis" if many else "mi",
        "": "",
    }
    name = plural(name) if many else name
    ending = agree(adjective, of, many=many) if adjective else ""
    return " ".join(part for part in (starts[article], number, name, ending) if part)


def joined(preposition: str, text: str) -> str:
    """ "al doctor", "del doctor", "a la reina" """
    if preposition in ("a", "de") and text.startswith("el "):
        return f"{preposition}l {text[3:]}"
    return f"{preposition} {text}"


def object_of(noun: Word, text: str) -> str:
    """People as objects stand behind "a"."""
    return joined("a", text) if "p" in noun.kinds else text


def they(verb: str) -> str:
    """ "compran" from "compra" """
    return verb + "n"


def it(noun: Word, *, many: bool) -> str:
    """ "lo", "la", "los", "las": an object that was named before its verb."""
    return {"m": "lo", "f": "la"}[gender(noun)] + "s" * many
