"""Prompts with verifiable instructions of our own making, and replies that follow them.

Stand-ins for the prompts of IFEval, in words that any of our voices can say; each of the 25
instructions in turn, every fourth prompt with a second one. Knows nothing of items or of how a
reply is checked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from interplay.data.texts import vocabulary

PLACES = ("near", "inside", "outside", "far from")
GERMAN = "ich habe einen kleinen hund und er schlief gestern in dem garten"


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """text: lower-case words. reply: one that follows. rows: as in `input_data.jsonl`."""

    text: str
    reply: str
    ids: tuple[str, ...]
    kwargs: tuple[dict[str, Any], ...]


@dataclass
class _Draft:
    """A reply that grows: two sentences about two subjects, and what is asked for."""

    rng: np.random.Generator
    subject: str
    line: str
    other: str
    reply: str


Maker = Callable[[_Draft], tuple[str, dict[str, Any]]]  # changes the reply; clause, kwargs


def prompts(num_prompts: int, seed: int) -> list[Prompt]:
    """`num_prompts` prompts; the same for ever for the same seed."""
    return [_prompt(np.random.default_rng([seed, k, 0x1F]), k) for k in range(num_prompts)]


def _prompt(rng: np.random.Generator, index: int) -> Prompt:
    nouns = [str(noun) for noun in rng.choice(vocabulary.NOUNS[:60], 4, replace=False)]
    places = [str(place) for place in rng.choice(PLACES, 2)]
    line = f"the {nouns[0]} is {places[0]} the {nouns[1]}"
    other = f"the {nouns[2]} is {places[1]} the {nouns[3]}"
    draft = _Draft(rng=rng, subject=nouns[0], line=line, other=other, reply=line)
    names = [list(MAKERS)[index % len(MAKERS)]]
    if index % 4 == 3 and names[0] in ADDS:
        names.append(LAYOUTS[index // 4 % len(LAYOUTS)])
    clauses, kwargs = zip(*(MAKERS[name](draft) for name in names), strict=True)
    text = f"tell me about the {draft.subject} {' and '.join(clauses)}"
    return Prompt(text=text, reply=draft.reply, ids=tuple(names), kwargs=tuple(kwargs))


def _word(draft: _Draft) -> str:
    """A word that is not in the reply yet, nor part of one."""
    taken = f"{draft.line} {draft.other} {draft.reply}"
    words = [word for word in vocabulary.COLOURS if word not in taken]
    return str(draft.rng.choice(words))


def _existence(draft: _Draft) -> tuple[str, dict[str, Any]]:
    word = _word(draft)
    draft.reply += f" and it is {word}"
    return f"and use the word {word}", {"keywords": [word]}


def _frequency(draft: _Draft) -> tuple[str, dict[str, Any]]:
    word = _word(draft)
    draft.reply += f" {word} {word} {word}"
    kwargs = {"keyword": word, "frequency": 3, "relation": "at least"}
    return f"and say {word} at least three times", kwargs


def _forbidden(draft: _Draft) -> tuple[str, dict[str, Any]]:
    word = _word(draft)
    return f"and never say {word}", {"forbidden_words": [word]}


def _letters(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply += " and the zebra is lazy"
    kwargs = {"letter": "z", "let_frequency": 2, "let_relation": "at least"}
    return "and write the letter z at least two times", kwargs


def _language(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = GERMAN
    return "in german", {"language": "de"}


def _sentences(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = f"{draft.line.capitalize()}. {draft.other.capitalize()}."
    return "in less than four sentences", {"num_sentences": 4, "relation": "less than"}


def _paragraphs(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = f"{draft.line}\n***\n{draft.other}"
    return "in two paragraphs with three stars between them", {"num_paragraphs": 2}


def _words(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply += f" and {draft.other}"
    return "in at least ten words", {"num_words": 10, "relation": "at least"}


def _first_word(draft: _Draft) -> tuple[str, dict[str, Any]]:
    word = _word(draft)
    draft.reply = f"{draft.line}\n\n{word} {draft.other}"
    clause = f"in two paragraphs with an empty line between and begin the second with {word}"
    return clause, {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": word}


def _placeholders(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply += " [name] [street]"
    return "with two placeholders in square brackets", {"num_placeholders": 2}


def _postscript(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply += f"\nP.S. {draft.other}"
    return "and add a postscript that begins with p s", {"postscript_marker": "P.S."}


def _bullets(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = f"* {draft.line}\n* {draft.other}"
    return "in two points with a star before each", {"num_bullets": 2}


def _choice(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = "My answer is yes."
    return "and say only my answer is yes or my answer is no or my answer is maybe", {}


def _highlights(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = f"*{draft.line}* and *{draft.other}*"
    return "with two parts between stars", {"num_highlights": 2}


def _sections(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = f"Section 1\n{draft.line}\nSection 2\n{draft.other}"
    clause = "in two sections that begin with the word section and a number"
    return clause, {"section_spliter": "Section", "num_sections": 2}


def _json(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = f'{{"answer": "{draft.line}"}}'
    return "as one jason object", {}


def _title(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = f"<<The {draft.subject}>>\n{draft.reply}"
    return "with a title in double angle brackets", {}


def _two(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = f"{draft.line}\n******\n{draft.other}"
    return "in two different ways with six stars between them", {}


def _repeat(draft: _Draft) -> tuple[str, dict[str, Any]]:
    asked = f"tell me about the {draft.subject}"
    draft.reply = f"{asked} {draft.reply}"
    return "and say my question again before you answer", {"prompt_to_repeat": asked}


def _end(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply += "\nthat is all"
    return "and end with the words that is all", {"end_phrase": "that is all"}


def _quotes(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = f'"{draft.reply}"'
    return "with all of it in double quotes", {}


def _capital_words(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply += " YES VERY BIG"
    kwargs = {"capital_frequency": 3, "capital_relation": "at least"}
    return "with at least three words in capital letters", kwargs


def _capitals(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = f"this is what i think about it and {draft.line}".upper()
    return "in english and in capital letters only", {}


def _lowercase(draft: _Draft) -> tuple[str, dict[str, Any]]:
    draft.reply = f"this is what i think about it and {draft.line}"
    return "in english and in small letters only", {}


def _comma(draft: _Draft) -> tuple[str, dict[str, Any]]:
    return "without any comma", {}


MAKERS: dict[str, Maker] = {
    "keywords:existence": _existence,
    "keywords:frequency": _frequency,
    "keywords:forbidden_words": _forbidden,
    "keywords:letter_frequency": _letters,
    "language:response_language": _language,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_words": _words,
    "length_constraints:nth_paragraph_first_word": _first_word,
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:constrained_response": _choice,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": _json,
    "detectable_format:title": _title,
    "combination:two_responses": _two,
    "combination:repeat_prompt": _repeat,
    "startend:end_checker": _end,
    "startend:quotation": _quotes,
    "change_case:capital_word_frequency": _capital_words,
    "change_case:english_capital": _capitals,
    "change_case:english_lowercase": _lowercase,
    "punctuation:no_comma": _comma,
}
ADDS = (  # a second instruction goes with these: they ask for words, not for a layout
    "keywords:existence",
    "keywords:frequency",
    "keywords:forbidden_words",
    "keywords:letter_frequency",
    "length_constraints:number_words",
    "change_case:capital_word_frequency",
    "punctuation:no_comma",
)
LAYOUTS = (
    "detectable_format:title",
    "detectable_content:postscript",
    "startend:end_checker",
    "startend:quotation",
)
