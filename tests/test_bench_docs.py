"""docs/bench.md and docs/timespeak.md name suites and rows that there are, and all suites."""

import re
from functools import cache
from pathlib import Path

import pytest
from bench_helpers import Fixed

from interplay.bench.suites import ALONE, NAMES, load_suite

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("bench.md", "timespeak.md")
CODE = re.compile(r"`([^`\n]+)`")
TOLD = ("translate", "stress", "gallery")  # ours alone: no paper says what their rows mean


@cache
def rows_of(suite: str) -> list[str]:
    return [row.name for row in load_suite(suite, Fixed("")).rows]


def words_in_code(page: str) -> list[str]:
    return CODE.findall((DOCS / page).read_text(encoding="utf-8"))


def test_every_suite_is_in_the_table():
    lines = (DOCS / "bench.md").read_text(encoding="utf-8").splitlines()
    begin = lines.index("| suite | what is played | first look at |") + 2
    table = lines[begin : lines.index("", begin)]
    named = [name for line in table for name in CODE.findall(line.split("|")[1])]
    assert named == [*NAMES, *ALONE]
    for line in table:
        suites, _, look_at = line.strip("|").split("|")
        known = [row for name in CODE.findall(suites) for row in rows_of(name)]
        for row in CODE.findall(look_at):
            assert any(re.fullmatch(pattern(row), each) for each in known), row


def pattern(row: str) -> str:
    """A word in capitals stands for any."""
    return re.sub(r"[A-Z]+", "[a-z0-9_]+", row)


@pytest.mark.parametrize("page", PAGES)
def test_every_row_that_is_named_is_there(page: str):
    known = {row for name in (*NAMES, *ALONE) for row in rows_of(name)}
    starts = tuple(f"{name.replace('-', '_')}_" for name in (*NAMES, *ALONE))
    named = [word for word in words_in_code(page) if re.fullmatch(r"\w+", word)]
    named = [word for word in named if word.startswith(starts)]
    assert named
    for row in named:
        assert any(re.fullmatch(pattern(row), each) for each in known), row


@pytest.mark.parametrize("suite", TOLD)
def test_every_row_of_these_is_told(suite: str):
    named = [word for word in words_in_code("bench.md") if word.startswith(f"{suite}_")]
    for row in rows_of(suite):
        assert any(re.fullmatch(pattern(word), row) for word in named), row
