"""The orders of words that sentences have, each with the English that can be said on the way.

Knows nothing of which sentences there are, of sound or time.
"""

from collections.abc import Callable

from interplay.data.texts.languages import english, german, spanish
from interplay.data.texts.languages.lexicon import Word
from interplay.data.texts.languages.parts import Draws, Nominal, Sentence, build

Order = Callable[[Draws], Sentence]
# English of "he" and of the others; German for one, for many ("" where it needs an umlaut);
# Spanish for i, for he, for they
_MODALS = (
    ("wants to", "want to", "will", "wollen", "quiero", "quiere", "quieren"),
    ("must", "must", "muss", "", "tengo que", "tiene que", "tienen que"),
    ("can", "can", "kann", "", "puedo", "puede", "pueden"),
    ("should", "should", "soll", "sollen", "debo", "debe", "deben"),
)
_THAT = {
    "german": (
        ("ich glaube dass", "i think that"),
        ("ich hoffe dass", "i hope that"),
        ("mein freund sagt dass", "my friend says that"),
        ("wir warten weil", "we wait because"),
    ),
    "spanish": (
        ("creo que", "i think that"),
        ("todos saben que", "everybody knows that"),
        ("mi amigo dice que", "my friend says that"),
        ("esperamos porque", "we wait because"),
    ),
}
_SEIN = "+"  # behind participles in the lexicon


def _does(verb: Word, subject: Nominal) -> str:
    return verb.english[0] if subject.many else english.he(verb.english[0])


def _german_does(verb: Word, subject: Nominal) -> str:
    return verb.forms[0] if subject.many else verb.forms[1]


def _german_has(verb: Word, subject: Nominal) -> tuple[str, str]:
    """ "hat" and "gekauft", "sind" and "gerannt" """
    if verb.forms[2].endswith(_SEIN):
        return "sind" if subject.many else "ist", verb.forms[2].rstrip(_SEIN)
    return "haben" if subject.many else "hat", verb.forms[2]


def _subject(draws: Draws, verb: Word | None = None) -> Nominal:
    """People; with verbs that need no object animals, too."""
    kinds = verb.kinds if verb and "p" in verb.kinds and len(verb.kinds) <= 2 else "p"
    return draws.nominal(kinds, articles=("the", "my") if kinds == "p" else ("the", "a", "my"))


def _clause(draws: Draws) -> tuple[Word, Nominal, Nominal]:
    """Verb, subject and object; nobody does something to his own kind."""
    verb = draws.verb("transitive")
    subject = draws.nominal("p", articles=("the", "my"))
    return verb, subject, draws.nominal(verb.kinds, wanted=lambda noun: noun is not subject.noun)


def _german_present(draws: Draws) -> Sentence:
    """heute | kauft der lehrer | ein rotes auto"""
    verb, subject, thing = _clause(draws)
    time = draws.time("+")
    source = [time.forms[0], f"{_german_does(verb, subject)} {subject.german('nom')}"]
    pieces = [
        (time.english[0], 0),
        (f"{subject.english} {_does(verb, subject)}", 1, subject.pairs),
        (thing.english, 2, thing.pairs),
    ]
    return build("german", [*source, thing.german("acc")], pieces)


def _german_between(draws: Draws) -> Sentence:
    """der lehrer | kauft heute | ein rotes auto"""
    verb, subject, thing = _clause(draws)
    time = draws.time("+")
    source = [subject.german("nom"), f"{_german_does(verb, subject)} {time.forms[0]}"]
    pieces = [
        (subject.english, 0, subject.pairs),
        (f"{_does(verb, subject)} {thing.english}", 2, thing.pairs),
        (time.english[0], 2),
    ]
    return build("german", [*source, thing.german("acc")], pieces)


def _german_perfect(draws: Draws) -> Sentence:
    """gestern | hat der lehrer | ein rotes auto | gekauft"""
    verb, subject, thing = _clause(draws)
    time, (has, done) = draws.time("-"), _german_has(verb, subject)
    source = [time.forms[0], f"{has} {subject.german('nom')}", thing.german("acc"), done]
    pieces = [
        (time.english[0], 0),
        (subject.english, 1, subject.pairs),
        (f"{verb.english[1]} {thing.english}", 3, thing.pairs),
    ]
    return build("german", source, pieces)


def _german_modal(draws: Draws) -> Sentence:
    """mein bruder will | heute | ein rotes auto | kaufen"""
    verb, subject, thing = _clause(draws)
    time = draws.time("+")
    must, they_must, one, many, *_ = draws.pick(_MODALS)
    if draws.happens(0.3):
        start, told, pairs = f"ich {one}", f"i {they_must}", ()
    elif subject.many and not many:
        return _german_modal(draws)
    else:
        start = f"{subject.german('nom')} {many if subject.many else one}"
        told = f"{subject.english} {they_must if subject.many else must}"
        pairs = subject.pairs
    source = [start, time.forms[0], thing.german("acc"), verb.forms[0]]
    wanted = f"{verb.english[0]} {thing.english} {time.english[0]}"
    return build("german", source, [(told, 0, pairs), (wanted, 3, thing.pairs)])


def _german_that(draws: Draws) -> Sentence:
    """ich glaube dass | meine schwester | das alte haus | gekauft hat"""
    verb, subject, thing = _clause(draws)
    start, told = draws.pick(_THAT["german"])
    if draws.happens(0.5):
        last, done = _german_does(verb, subject), _does(verb, subject)
    else:
        last, done = " ".join(reversed(_german_has(verb, subject))), verb.english[1]
    source = [start, subject.german("nom"), thing.german("acc"), last]
    pieces = [
        (told, 0),
        (subject.english, 1, subject.pairs),
        (f"{done} {thing.english}", 3, thing.pairs),
    ]
    return build("german", source, pieces)


def _german_object_first(draws: Draws) -> Sentence:
    """den roten hut | hat meine mutter | verkauft; masculine, so that the case is heard"""
    verb, subject, _ = _clause(draws)
    if not draws.has_noun(verb.kinds, lambda noun: german.gender(noun) == "m"):
        return _german_object_first(draws)
    thing = draws.nominal(
        verb.kinds,
        wanted=lambda noun: german.gender(noun) == "m" and noun is not subject.noun,
        articles=("the", "my"),
        one=True,
    )
    has, done = _german_has(verb, subject)
    source = [thing.german("acc"), f"{has} {subject.german('nom')}", done]
    pieces = [
        (subject.english, 1, subject.pairs),
        (f"{verb.english[1]} {thing.english}", 2, thing.pairs),
    ]
    return build("german", source, pieces)


def _german_place_first(draws: Draws) -> Sentence:
    """im wald | singt | ein alter vogel; am markt | hat ein kind | geweint"""
    verb = draws.verb("intransitive")
    subject, place = _subject(draws, verb), draws.place()
    if draws.happens(0.5):
        middle = [_german_does(verb, subject), subject.german("nom")]
        done = _does(verb, subject)
    else:
        has, participle = _german_has(verb, subject)
        middle, done = [f"{has} {subject.german('nom')}", participle], verb.english[1]
    pieces = [(place.english[0], 0), (f"{subject.english} {done}", 2, subject.pairs)]
    return build("german", [place.forms[0], *middle], pieces)


def _german_owner(draws: Draws) -> Sentence:
    """das rote auto | meines bruders | ist kaputt"""
    thing = draws.nominal("tvl", articles=("the",), one=True)
    owner, how = draws.noun("p"), draws.adjective(thing.noun)
    if how is None or how is thing.adjective:
        return _german_owner(draws)
    source = [thing.german("nom"), german.owner(owner), f"ist {how.forms[0]}"]
    whose = english.of_whom(f"my {owner.english[0]}")
    pieces = [(thing.english_after(whose), 1, thing.pairs), (f"is {how.english[0]}", 2)]
    return build("german", source, pieces)


def _spanish_does(verb: Word, subject: Nominal) -> str:
    return spanish.they(verb.forms[1]) if subject.many else verb.forms[1]


def _spanish_object(thing: Nominal) -> str:
    return spanish.object_of(thing.noun, thing.spanish)


def _spanish_plain(draws: Draws) -> Sentence:
    """la vieja maestra | compra una mesa roja | en el mercado"""
    verb, subject, thing = _clause(draws)
    last = draws.place() if draws.happens(0.5) else draws.time("+")
    source = [subject.spanish, f"{_spanish_does(verb, subject)} {_spanish_object(thing)}"]
    pieces = [
        (subject.english, 0, subject.pairs),
        (f"{_does(verb, subject)} {thing.english}", 1, thing.pairs),
        (last.english[0], 2),
    ]
    return build("spanish", [*source, last.forms[0]], pieces)


def _spanish_timed(draws: Draws) -> Sentence:
    """hoy | la maestra compra | una mesa roja"""
    verb, subject, thing = _clause(draws)
    time = draws.time("+")
    source = [time.forms[0], f"{subject.spanish} {_spanish_does(verb, subject)}"]
    pieces = [
        (time.english[0], 0),
        (f"{subject.english} {_does(verb, subject)}", 1, subject.pairs),
        (thing.english, 2, thing.pairs),
    ]
    return build("spanish", [*source, _spanish_object(thing)], pieces)


def _spanish_modal(draws: Draws) -> Sentence:
    """mi padre quiere vender | el barco viejo | hoy"""
    verb, subject, thing = _clause(draws)
    time = draws.time("+")
    must, they_must, *_, i, he, they = draws.pick(_MODALS)
    if draws.happens(0.3):
        start, told, pairs = i, f"i {they_must}", ()
    else:
        start = f"{subject.spanish} {they if subject.many else he}"
        told = f"{subject.english} {they_must if subject.many else must}"
        pairs = subject.pairs
    source = [f"{start} {verb.forms[0]}", _spanish_object(thing), time.forms[0]]
    pieces = [
        (f"{told} {verb.english[0]}", 0, pairs),
        (thing.english, 1, thing.pairs),
        (time.english[0], 2),
    ]
    return build("spanish", source, pieces)


def _spanish_perfect(draws: Draws) -> Sentence:
    """el doctor | ha comprado | una casa blanca"""
    verb, subject, thing = _clause(draws)
    if verb.forms[2] == "-":
        return _spanish_perfect(draws)
    has, told = ("han", "have") if subject.many else ("ha", "has")
    source = [subject.spanish, f"{has} {verb.forms[2]}", _spanish_object(thing)]
    pieces = [
        (subject.english, 0, subject.pairs),
        (f"{told} {verb.english[2]} {thing.english}", 2, thing.pairs),
    ]
    return build("spanish", source, pieces)


def _spanish_that(draws: Draws) -> Sentence:
    """creo que | la reina | vende el castillo"""
    verb, subject, thing = _clause(draws)
    start, told = draws.pick(_THAT["spanish"])
    source = [start, subject.spanish, f"{_spanish_does(verb, subject)} {_spanish_object(thing)}"]
    pieces = [
        (told, 0),
        (subject.english, 1, subject.pairs),
        (f"{_does(verb, subject)} {thing.english}", 2, thing.pairs),
    ]
    return build("spanish", source, pieces)


def _spanish_place_first(draws: Draws) -> Sentence:
    """en el bosque | vive | un zorro viejo"""
    verb = draws.verb("intransitive")
    subject, place = _subject(draws, verb), draws.place()
    source = [place.forms[0], _spanish_does(verb, subject), subject.spanish]
    told = f"{subject.english} {_does(verb, subject)}"
    return build("spanish", source, [(place.english[0], 0), (told, 2, subject.pairs)])


def _spanish_likes(draws: Draws) -> Sentence:
    """a mi hermana | le gusta | el coche negro"""
    subject = _subject(draws)
    thing = draws.nominal("tvfdli", articles=("the", "my"))
    to, like = ("les", "like") if subject.many else ("le", "likes")
    pleases = "gustan" if thing.many else "gusta"
    source = [spanish.joined("a", subject.spanish), f"{to} {pleases}", thing.spanish]
    pieces = [(subject.english, 0, subject.pairs), (f"{like} {thing.english}", 2, thing.pairs)]
    return build("spanish", source, pieces)


def _spanish_object_first(draws: Draws) -> Sentence:
    """el coche negro | lo compra | mi hermana"""
    verb, subject, _ = _clause(draws)
    if verb.kinds == "p":
        return _spanish_object_first(draws)
    thing = draws.nominal(
        verb.kinds, wanted=lambda noun: "p" not in noun.kinds, articles=("the", "my")
    )
    it = spanish.it(thing.noun, many=thing.many)
    source = [thing.spanish, f"{it} {_spanish_does(verb, subject)}", subject.spanish]
    told = f"{subject.english} {_does(verb, subject)} {thing.english}"
    return build("spanish", source, [(told, 2, (*subject.pairs, *thing.pairs))])


def _spanish_owner(draws: Draws) -> Sentence:
    """el coche rojo | de mi hermano | es caro"""
    thing = draws.nominal("tvl", articles=("the",), one=True)
    owner = draws.noun("p")
    how = draws.adjective(thing.noun, spanish.lasts)
    if how is None or how is thing.adjective:
        return _spanish_owner(draws)
    told = "my" if draws.happens(0.6) else "the"
    whose = spanish.joined("de", spanish.phrase(owner, told))
    is_how = spanish.agree(how, spanish.gender(thing.noun), many=False)
    source = [thing.spanish, whose, f"es {is_how}"]
    text = thing.english_after(english.of_whom(f"{told} {owner.english[0]}"))
    return build("spanish", source, [(text, 1, thing.pairs), (f"is {how.english[0]}", 2)])


ORDERS: dict[str, tuple[Order, ...]] = {
    "german": (
        *(_german_present, _german_between, _german_perfect, _german_modal, _german_that),
        *(_german_object_first, _german_place_first, _german_owner),
    ),
    "spanish": (
        *(_spanish_plain, _spanish_timed, _spanish_modal, _spanish_perfect, _spanish_that),
        *(_spanish_place_first, _spanish_likes, _spanish_object_first, _spanish_owner),
    ),
}
