"""The 25 instructions of IFEval: by hand, by construction, and beside the published checker."""

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from interplay.bench.scoring import instruction_checks as checks
from interplay.bench.scoring.instructions import (
    PARTS,
    Instruction,
    instructions_of,
    outcomes_of,
    trimmed,
)
from interplay.bench.scoring.score import summarize
from interplay.bench.suites import ifeval
from interplay.bench.suites.following import MAKERS, prompts
from interplay.errors import RecordError

GOLDEN = {  # id: kwargs, replies that follow, replies that do not
    "keywords:existence": (
        {"keywords": ["cat", "dog"]},
        ["A Dog and a cat.", "dogs concatenate"],
        ["a dog", "a cat"],
    ),
    "keywords:frequency": (
        {"keyword": "tea", "frequency": 2, "relation": "at least"},
        ["Tea, tea!", "teapot steam"],
        ["tea", ""],
    ),
    "keywords:forbidden_words": (
        {"forbidden_words": ["can", "Not"]},
        ["a canoe is nothing", "fine"],
        ["yes we CAN", "not here", "do not."],
    ),
    "keywords:letter_frequency": (
        {"letter": "Z", "let_frequency": 2, "let_relation": "less than"},
        ["a Zebra", "none"],
        ["Zz", "a zebra is lazy"],
    ),
    "length_constraints:number_sentences": (
        {"num_sentences": 2, "relation": "at least"},
        ["One. Two.", "Really? Yes!", "Dr. Low went. He came back."],
        ["One only", "Dr. Low went home.", "It costs 3.50 today."],
    ),
    "length_constraints:number_paragraphs": (
        {"num_paragraphs": 2},
        ["a\n***\nb", "***\na *** b\n***"],
        ["a", "a\n\nb", "a\n***\n***\nb", "a *** b *** c"],
    ),
    "length_constraints:number_words": (
        {"num_words": 3, "relation": "less than"},
        ["two words", "one"],
        ["it's two", "a b c"],  # an apostrophe parts words
    ),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Green"},
        ["a\n\ngreen, b", 'a\n\n"Green" b'],
        ["green\n\na", "a\n\ngreener", "a\n\ngreen\n\nb", "a\ngreen", "a\n\n\n\ngreen"],
    ),
    "detectable_content:number_placeholders": (
        {"num_placeholders": 2},
        ["[a] [b]", "[] []", "[a] [b] [c]"],
        ["[a]", "(a) (b)", "[a\n] [b]"],
    ),
    "detectable_content:postscript": (
        {"postscript_marker": "P.S."},
        ["x\nP.S. y", "x p. s. y"],
        ["x\nPS y", "x\nP.P.S y"],
    ),
    "detectable_format:number_bullet_lists": (
        {"num_bullets": 2},
        ["* a\n* b", "- a\n  * b"],
        ["* a", "* a\n* b\n- c", "** a\n** b"],
    ),
    "detectable_format:constrained_response": (
        {},
        ["My answer is no.", "So: My answer is maybe."],
        ["my answer is no.", "My answer is no"],
    ),
    "detectable_format:number_highlighted_sections": (
        {"num_highlights": 2},
        ["*a* and *b*", "**a** *b*", "**a** **b**"],
        ["*a*", "* * *", "*a\nb* *"],
    ),
    "detectable_format:multiple_sections": (
        {"section_spliter": "Day", "num_sections": 2},
        ["Day 1 a Day 2 b", "Day1 Day2 Day3"],
        ["Day 1 a", "day 1 day 2", "Day one Day two"],
    ),
    "detectable_format:json_format": (
        {},
        ['{"a": 1}', '```json\n{"a": [1]}\n```', "```\n3\n```"],
        ["{a: 1}", 'see {"a": 1}', ""],
    ),
    "detectable_format:title": ({}, ["<<A>>\nb", "x <<b c>>"], ["<A>", "<< >>", "<<a\nb>>"]),
    "combination:two_responses": (
        {},
        ["a\n******\nb", "******a******b"],
        ["a", "a****** a", "a******b******c", "a************b"],
    ),
    "combination:repeat_prompt": (
        {"prompt_to_repeat": "Say it. "},
        ["say it. Fine.", "  SAY IT."],
        ["fine. say it.", "say it"],
    ),
    "startend:end_checker": (
        {"end_phrase": "That is all."},
        ["x that is all.", '"x That is all."', "that is ALL. "],
        ["that is all", "that is all. x"],
    ),
    "startend:quotation": ({}, ['"a"', ' "a b" ', '""'], ['"', '"a', "'a'", '"a" b']),
    "change_case:capital_word_frequency": (
        {"capital_frequency": 2, "capital_relation": "at least"},
        ["I SAY", "the BBC and a WELL-KNOWN man"],
        ["I say", "One Two", "123 456"],
    ),
    "change_case:english_capital": (
        {},
        ["THIS IS THE HOUSE THAT WE BUILT IN THE GARDEN, 1984"],
        ["THIS IS THE HOUSE THAT WE BUILt", "123"],
    ),
    "change_case:english_lowercase": (
        {},
        ["this is the house that we built in the garden, 1984"],
        ["This is the house that we built", "123"],
    ),
    "punctuation:no_comma": ({}, ["a; b", "a.b"], ["a, b", ","]),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str):
    kwargs, good, bad = GOLDEN[name]
    [made] = instructions_of({"instruction_id_list": [name], "kwargs": [kwargs]}, "here")
    assert [made.follows(reply) for reply in good] == [True] * len(good)
    assert [made.follows(reply) for reply in bad] == [False] * len(bad)


def test_languages_need_a_detector(monkeypatch):
    assert {*GOLDEN, "language:response_language"} == {*checks.CHECKS} == {*MAKERS}
    wanted = Instruction(id="language:response_language", kwargs={"language": "de"})
    found = {"guten tag": "de", "good day": "en", "123": None}
    monkeypatch.setattr(checks, "_detector", lambda: found.get)
    assert wanted.can_check and wanted.follows("guten tag") and not wanted.follows("good day")
    assert wanted.follows("123"), "what has no language passes, as in the published program"
    assert not checks.english_lowercase("guten tag") and checks.english_lowercase("good day")
    monkeypatch.setattr(checks, "_detector", lambda: None)
    assert not wanted.can_check and wanted.flags == ("language_skipped",)
    for outcome in outcomes_of("guten tag", [wanted]).values():
        assert (outcome.value, outcome.of, outcome.notes) == (0, 0, ("language_skipped",))
    comma = Instruction(id="punctuation:no_comma", kwargs={})
    mixed = outcomes_of("guten tag", [comma, wanted])
    for part in ("prompt_strict", "prompt_loose"):  # it may or may not have been followed
        assert (mixed[part].of, mixed[part].notes) == (0, ("language_skipped",))
    assert (mixed["instruction_strict"].value, mixed["instruction_strict"].of) == (100, 1)
    capital = Instruction(id="change_case:english_capital", kwargs={})
    assert capital.flags == ("language_unchecked",) and capital.follows("GUTEN TAG")


def test_strict_loose_prompt_and_instruction():
    comma, title = ("punctuation:no_comma", "detectable_format:title")
    two = [Instruction(id=comma, kwargs={}), Instruction(id=title, kwargs={})]
    shares = {
        "Sure, here it is:\n<<A>>\nb": (0, 1, 100, 100),  # loose: without the first line
        "<<A>>\nb, c": (0, 1, 100, 100),  # loose: without the last line
        "a, b": (0, 0, 0, 0),
        "<<A>> b": (100, 2, 100, 200),
    }
    replies = list(shares)
    for reply in replies:
        found = outcomes_of(reply, two)
        strict_prompt, strict, loose_prompt, loose = (found[part] for part in PARTS)
        assert (strict_prompt.of, strict.of) == (1, 2)
        assert (strict_prompt.value, strict.value) == (shares[reply][0], 100 * shares[reply][1])
        assert loose_prompt.value == shares[reply][2]
        assert loose.value == {100: 200, 0: 0}[shares[reply][2]]
    assert [o.value for o in outcomes_of(" \n", two).values()] == [0, 0, 0, 0]
    pooled = [o for reply in replies for o in outcomes_of(reply, two).values()]
    # prompt strict 1/4, instruction strict 4/8, prompt loose 3/4, instruction loose 6/8
    assert summarize(pooled, "macro", 0).value == pytest.approx(
        100 * (1 / 4 + 4 / 8 + 3 / 4 + 6 / 8) / 4
    )


def test_loose_versions():
    assert trimmed("a*\nb\nc") == ["a*\nb\nc", "b\nc", "a*\nb", "b", "a\nb\nc", "b\nc", "a\nb", "b"]
    assert trimmed("x") == ["x", "", "", ""] * 2


def test_rows_of_published_tables():
    row = {
        "instruction_id_list": ["length_constraints:number_words"],
        "kwargs": [{"num_words": 3.0, "relation": "at least", "letter": None}],
    }
    [made] = instructions_of(row, "x:1")
    assert made.kwargs == {"num_words": 3, "relation": "at least"}
    for broken, told in [
        ({"instruction_id_list": ["a"], "kwargs": []}, "one length"),
        ({"instruction_id_list": ["nope"], "kwargs": [{}]}, "unknown instruction 'nope'"),
        ({**row, "kwargs": [{"num_words": None, "relation": "at least"}]}, "lacks num_words"),
    ]:
        with pytest.raises(RecordError, match=f"x:1.*{told}"):
            instructions_of(broken, "x:1")


def test_the_twin_covers_all_and_its_replies_follow():
    made = prompts(100, seed=4)
    assert {name for prompt in made for name in prompt.ids} == {*MAKERS}
    assert made == prompts(100, seed=4) and made != prompts(100, seed=5)
    assert sum(len(prompt.ids) == 2 for prompt in made) >= 5
    for prompt in made:
        row = {"instruction_id_list": list(prompt.ids), "kwargs": list(prompt.kwargs)}
        for instruction in instructions_of(json.loads(json.dumps(row)), "twin"):
            if instruction.can_check:
                assert instruction.follows(prompt.reply), prompt


# Beside the published program

CHECKOUT = os.environ.get("IFEVAL_CHECKOUT")
BITS = (
    *("the", "cat", "I", "BBC", "My answer is yes.", "tea", "Dr.", "3", "zoo", "a,", "Section 1"),
    *("Section2", "***", "******", "*", "**b**", "*h*", "[x]", "<<T>>", "<< >>", "\n", "\n\n"),
    *("- a", "\n* b", "P.S.", "P.P.S", "p. s. x", '"', '"q"', "'", "{", "}", '{"a": 1}', "```"),
    *("```json", "that is all", "SAY", "green", ".", "!", "\t"),
)
ARGS: dict[str, list[dict]] = {
    "keywords:existence": [{"keywords": ["cat", "tea"]}],
    "keywords:frequency": [{"keyword": "tea", "frequency": 2}],
    "keywords:forbidden_words": [{"forbidden_words": ["cat", "zo"]}],
    "keywords:letter_frequency": [{"letter": "t", "let_frequency": 4}],
    "length_constraints:number_paragraphs": [{"num_paragraphs": k} for k in (1, 2, 3)],
    "length_constraints:number_words": [{"num_words": 9}],
    "length_constraints:nth_paragraph_first_word": [
        {"num_paragraphs": k, "nth_paragraph": n, "first_word": word}
        for k, n, word in ((2, 2, "green"), (2, 1, "tea"), (3, 2, "the"), (1, 1, "cat"))
    ],
    "detectable_content:number_placeholders": [{"num_placeholders": 1}],
    "detectable_content:postscript": [
        {"postscript_marker": mark} for mark in ("P.S.", "P.P.S", "Note:")
    ],
    "detectable_format:number_bullet_lists": [{"num_bullets": k} for k in (1, 2)],
    "detectable_format:number_highlighted_sections": [{"num_highlights": k} for k in (1, 2, 3)],
    "detectable_format:multiple_sections": [{"section_spliter": "Section", "num_sections": 2}],
    "combination:repeat_prompt": [{"prompt_to_repeat": "the"}],
    "startend:end_checker": [{"end_phrase": "that is all"}, {"end_phrase": "tea"}],
}
RELATION = {
    "keywords:frequency": "relation",
    "keywords:letter_frequency": "let_relation",
    "length_constraints:number_words": "relation",
}
PUNKT = ("length_constraints:number_sentences", "change_case:capital_word_frequency")
LANGUAGE = (
    "language:response_language",
    *(f"change_case:english_{c}" for c in ("capital", "lowercase")),
)


def _official(name: str, kwargs: dict):
    assert CHECKOUT is not None
    folder = Path(CHECKOUT)
    if (folder / "instructions_registry.py").exists():
        folder = folder.parent
    sys.path.insert(0, str(folder))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from instruction_following_eval import (  # pyright: ignore[reportMissingImports]
                instructions_registry,
            )
    except ModuleNotFoundError as error:
        pytest.skip(f"the published checker asks for the package {error.name}; install it")
    finally:
        sys.path.remove(str(folder))
    made = instructions_registry.INSTRUCTION_DICT[name](name)
    made.build_description(**kwargs)
    return made


needs_checkout = pytest.mark.skipif(
    CHECKOUT is None,
    reason="set IFEVAL_CHECKOUT to a folder that holds the package instruction_following_eval",
)


@needs_checkout
def test_the_published_prompts_are_read():
    """All of them: 541 prompts with 834 instructions."""
    paths = sorted(Path(str(CHECKOUT)).rglob("input_data.jsonl"))
    if not paths:
        pytest.skip("this checkout comes without its prompts")
    items = ifeval.load(paths[0], None)
    assert len(items) == 541
    assert sum(len(item.about["instruction_id_list"]) for item in items) == 834


@needs_checkout
@pytest.mark.parametrize("name", checks.CHECKS)
def test_parity_with_the_published_checker(name: str):
    if name in PUNKT:
        pytest.skip("counts sentences or words with the Punkt model, ours with regular expressions")
    if name in LANGUAGE and not checks.can_detect():
        pytest.skip("needs langdetect")
    rng = np.random.default_rng(5)
    argument_sets = ARGS.get(name, [{"language": "en"}] if name.startswith("language") else [{}])
    relation = RELATION.get(name)
    if relation:
        both = ("less than", "at least")
        argument_sets = [{**kwargs, relation: r} for kwargs in argument_sets for r in both]
    verdicts = set()
    for kwargs in argument_sets:
        theirs, ours = _official(name, kwargs), Instruction(id=name, kwargs=kwargs)
        for _ in range(40 if name in LANGUAGE else 1500):
            words = rng.choice(BITS, int(rng.integers(1, 9)))
            reply = "".join(
                str(word) + str(rng.choice([" ", "", "\n"], p=[0.7, 0.15, 0.15])) for word in words
            )
            if rng.random() < 0.1:
                reply = reply.upper()
            if name in LANGUAGE:
                reply = str(rng.choice([reply, reply.upper(), reply.lower()]))
            if reply.strip():
                expected = bool(theirs.check_following(reply))
                assert ours.follows(reply) == expected, (reply, kwargs)
                verdicts.add(expected)
    assert verdicts == {True, False} or name in LANGUAGE
