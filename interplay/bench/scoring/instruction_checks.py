"""The 25 verifiable instructions of IFEval, each a check of one written reply.

Definitions: Zhou et al. 2023, arXiv 2311.07911, and the behaviour of its published checker (the
scores that others report are what that program counts, its oddities included: keywords are
regular expressions, an undetectable language passes). Two counts differ here and are flagged:
sentences and capital words are found by regular expressions, not by the Punkt model.
Knows nothing of prompts, strict and loose, or traces.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Literal

Relation = Literal["less than", "at least"]
CHOICES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_FENCES = ("```json", "```Json", "```JSON", "```")
_ABBREVIATIONS = ("mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "e.g", "i.e", "u.s")
_END = re.compile(r"([.!?]+)[\"'”’)\]]*(?:\s+|$)")
_TOKEN = re.compile(r"[^\W_]+(?:[-.'’][^\W_]+)*\.?")


def _compares(count: int, relation: Relation, bound: int) -> bool:
    return count < bound if relation == "less than" else count >= bound


def _filled(text: str, pattern: str, marks: str) -> int:
    """Matches of a pattern that hold more than marks and white space."""
    return sum(bool(found.strip(marks).strip()) for found in re.findall(pattern, text))


# Keywords


def existence(text: str, *, keywords: Sequence[str]) -> bool:
    return all(re.search(keyword, text, re.IGNORECASE) for keyword in keywords)


def keyword_frequency(text: str, *, keyword: str, frequency: int, relation: Relation) -> bool:
    return _compares(len(re.findall(keyword, text, re.IGNORECASE)), relation, frequency)


def forbidden_words(text: str, *, forbidden_words: Sequence[str]) -> bool:
    return not any(re.search(rf"\b{word}\b", text, re.IGNORECASE) for word in forbidden_words)


def letter_frequency(text: str, *, letter: str, let_frequency: int, let_relation: Relation) -> bool:
    return _compares(Counter(text.lower())[letter.lower()], let_relation, let_frequency)


# Language and capitals


@lru_cache(1)
def _detector() -> Callable[[str], str | None] | None:
    """Text -> ISO 639-1 code, None where no language is found; None without `langdetect`."""
    try:
        langdetect = import_module("langdetect")  # of the `bench` extra
    except ImportError:
        return None
    langdetect.DetectorFactory.seed = 0  # otherwise it answers by chance

    def detect(text: str) -> str | None:
        try:
            return langdetect.detect(text)
        except langdetect.LangDetectException:
            return None

    return detect


def can_detect() -> bool:
    """Whether languages can be told apart on this machine."""
    return _detector() is not None


def response_language(text: str, *, language: str) -> bool:
    """Must not be asked unless `can_detect`."""
    detect = _detector()
    assert detect is not None
    return detect(text) in (language, None)


def _is_english(text: str) -> bool:
    detect = _detector()
    return detect is None or detect(text) in ("en", None)


def english_capital(text: str) -> bool:
    """Without `langdetect` only the capitals are checked."""
    return text.isupper() and _is_english(text)


def english_lowercase(text: str) -> bool:
    return text.islower() and _is_english(text)


def capital_word_frequency(
    text: str, *, capital_frequency: int, capital_relation: Relation
) -> bool:
    capitals = [word for word in _TOKEN.findall(text) if word.isupper()]
    return _compares(len(capitals), capital_relation, capital_frequency)


# Lengths


def num_sentences(text: str) -> int:
    """Sentences by their full stops; abbreviations and initials end none."""
    count, start = 0, 0
    for mark in _END.finditer(text):
        piece = text[start : mark.start(1)].split()
        last = piece[-1].strip("\"'“([").lower() if piece else ""
        is_short = mark.group(1) == "." and (
            last in _ABBREVIATIONS or (len(last) == 1 and last.isalpha() and last != "i")
        )
        if not piece or (is_short and mark.end() < len(text)):
            continue
        count, start = count + 1, mark.end()
    return count + bool(text[start:].strip())


def number_sentences(text: str, *, num_sentences: int, relation: Relation) -> bool:
    return _compares(_count_sentences(text), relation, num_sentences)


_count_sentences = num_sentences  # the instruction calls its argument by the same name


def number_paragraphs(text: str, *, num_paragraphs: int) -> bool:
    """Paragraphs between `***`; an empty one is forgiven at either end only."""
    parts = [bool(part.strip()) for part in re.split(r"\s?\*\*\*\s?", text)]
    empty_ends = (not parts[0]) + (len(parts) > 1 and not parts[-1])
    return all(parts[1:-1]) and len(parts) - empty_ends == num_paragraphs


def number_words(text: str, *, num_words: int, relation: Relation) -> bool:
    return _compares(len(re.findall(r"\w+", text)), relation, num_words)


def nth_paragraph_first_word(
    text: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str
) -> bool:
    """Paragraphs between empty lines; the nth is counted with the empty ones, the total without."""
    paragraphs = text.split("\n\n")
    num_filled = sum(bool(part.strip()) for part in paragraphs)
    if nth_paragraph > num_filled or not paragraphs[nth_paragraph - 1].strip():
        return False
    word = paragraphs[nth_paragraph - 1].split()[0].lstrip("'").lstrip('"')
    word = re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower()
    return num_filled == num_paragraphs and word == first_word.lower()


# Content and layout


def number_placeholders(text: str, *, num_placeholders: int) -> bool:
    return len(re.findall(r"\[.*?\]", text)) >= num_placeholders


def postscript(text: str, *, postscript_marker: str) -> bool:
    known = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    return bool(re.search(known.get(postscript_marker, postscript_marker.lower()), text.lower()))


def number_bullet_lists(text: str, *, num_bullets: int) -> bool:
    stars = re.findall(r"^\s*\*[^\*].*$", text, re.MULTILINE)
    dashes = re.findall(r"^\s*-.*$", text, re.MULTILINE)
    return len(stars) + len(dashes) == num_bullets


def constrained_response(text: str) -> bool:
    return any(choice in text for choice in CHOICES)


def number_highlighted_sections(text: str, *, num_highlights: int) -> bool:
    """`**bold**` counts as well; its inner stars make no highlight of their own."""
    single = _filled(text, r"\*[^\n\*]*\*", "*")
    return single + _filled(text, r"\*\*[^\n\*]*\*\*", "*") >= num_highlights


def multiple_sections(text: str, *, section_spliter: str, num_sections: int) -> bool:
    return len(re.findall(rf"{section_spliter}\s?\d+", text)) >= num_sections


def json_format(text: str) -> bool:
    text = text.strip()
    for fence in _FENCES:
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip())
    except ValueError:
        return False
    return True


def title(text: str) -> bool:
    found = re.findall(r"<<[^\n]+>>", text)
    return any(words.lstrip("<").rstrip(">").strip() for words in found)


# Combinations, beginnings and ends


def two_responses(text: str) -> bool:
    """Two different answers around `******`; an empty part is forgiven at either end only."""
    parts = [part.strip() for part in text.split("******")]
    filled = [part for part in parts if part]
    return all(parts[1:-1]) and len(filled) == 2 and filled[0] != filled[1]


def repeat_prompt(text: str, *, prompt_to_repeat: str) -> bool:
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


def end_checker(text: str, *, end_phrase: str) -> bool:
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(text: str) -> bool:
    text = text.strip()
    return len(text) > 1 and text[0] == '"' == text[-1]


def no_comma(text: str) -> bool:
    return "," not in text


CHECKS: dict[str, Callable[..., bool]] = {
    "keywords:existence": existence,
    "keywords:frequency": keyword_frequency,
    "keywords:forbidden_words": forbidden_words,
    "keywords:letter_frequency": letter_frequency,
    "language:response_language": response_language,
    "length_constraints:number_sentences": number_sentences,
    "length_constraints:number_paragraphs": number_paragraphs,
    "length_constraints:number_words": number_words,
    "length_constraints:nth_paragraph_first_word": nth_paragraph_first_word,
    "detectable_content:number_placeholders": number_placeholders,
    "detectable_content:postscript": postscript,
    "detectable_format:number_bullet_lists": number_bullet_lists,
    "detectable_format:constrained_response": constrained_response,
    "detectable_format:number_highlighted_sections": number_highlighted_sections,
    "detectable_format:multiple_sections": multiple_sections,
    "detectable_format:json_format": json_format,
    "detectable_format:title": title,
    "combination:two_responses": two_responses,
    "combination:repeat_prompt": repeat_prompt,
    "startend:end_checker": end_checker,
    "startend:quotation": quotation,
    "change_case:capital_word_frequency": capital_word_frequency,
    "change_case:english_capital": english_capital,
    "change_case:english_lowercase": english_lowercase,
    "punctuation:no_comma": no_comma,
}
