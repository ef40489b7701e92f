"""PAUC and the scores of ProactiveVideoQA; values worked out by hand."""

import ast
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_helpers import shown, trace_of

from interplay.bench.scoring import pauc
from interplay.bench.scoring.judges import NUM_TRIES, JudgeUnreachable, Verdict
from interplay.bench.scoring.pauc import Gold, area_ratio, grade_turn
from interplay.bench.scoring.score import summarize
from interplay.bench.suites import pvqa


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(0, 2)], (1.0, 1.0, 1.0)),
        ([(5, 2)], (0.625, 0.8125, 1.0)),
        ([(10, 2)], (0.25, 0.625, 1.0)),
        ([(0, 0)], (0.0, 0.0, 0.0)),
        ([(5, 1)], (0.375, 0.4375, 0.5)),
        ([], (0.25, 0.25, 0.25)),
        # 2 s at a half, 4 s at one, 4 s at two: 1 + 4 + 8 of 20; moved: 1 s, 2 s, 7 s
        ([(6, 2), (2, 1)], (0.65, 0.825, 1.0)),
    ],
)
def test_pauc_has_the_published_check_values(points, expected):
    for omega, value in zip(pauc.OMEGAS, expected, strict=True):
        assert area_ratio(points, 10.0, omega) == pytest.approx(value, abs=1e-9)


POINTS = st.lists(
    st.tuples(st.floats(0, 10), st.sampled_from([0.0, 1.0, 2.0])), min_size=1, max_size=6
)


@settings(deadline=None)
@given(POINTS, st.sampled_from(pauc.OMEGAS))
def test_pauc_is_a_share(points, omega):
    assert 0 <= area_ratio(points, 10.0, omega) <= 1 + 1e-12


@settings(deadline=None)
@given(st.floats(0, 10), st.floats(0, 10))
def test_a_right_answer_is_worth_more_the_sooner_it_comes(one, other):
    early, late = sorted([one, other])
    assert area_ratio([(early, 2)], 10.0, 0.5) >= area_ratio([(late, 2)], 10.0, 0.5)


GOLD = Gold(content="a red square", related_s=(2.0, 4.0), reply_s=(2.0, 8.0))


def graded_as(value: int) -> Verdict[int]:
    return Verdict(value=value)


def test_replies_are_graded_together_once_and_only_inside():
    asked = []

    def grade(question, gold, text):
        asked.append(text)
        return Verdict(value={"red": 1, "red square": 2}.get(text, 0))

    spoken = [(1.9, "before"), (2.0, "red"), (3.0, "red"), (4.0, "square"), (8.1, "after")]
    graded = grade_turn("what is there", GOLD, spoken, grade)
    assert asked == ["red", "red square"]
    assert graded.points == ((0.0, 1.0), (2.0, 2.0))
    assert graded.num_replies == 2


def test_a_later_remark_does_not_undo_an_answer():
    grades = iter(map(graded_as, [2, 1, 2]))
    spoken = [(3.0, "red square"), (5.0, "hello"), (6.0, "yes")]
    graded = grade_turn("", GOLD, spoken, lambda *_: next(grades))
    assert graded.points == ((1.0, 2.0), (4.0, 2.0))  # the 1 at 5 s, after 4 s, is dropped
    grades = iter(map(graded_as, [2, 1]))
    graded = grade_turn("", GOLD, [(3.0, "red square"), (3.5, "no blue")], lambda *_: next(grades))
    assert graded.points == ((1.0, 2.0), (1.5, 1.0))  # inside the related time it does


def test_a_judge_without_a_grade_is_left_out_and_counted():
    lost = Verdict[int](value=None, notes=("judge_nonsense",))
    graded = grade_turn("", GOLD, [(3.0, "red"), (3.5, "square")], lambda *_: lost)
    assert graded.points == () and graded.num_ungraded == 2 and graded.notes == lost.notes


@pytest.mark.parametrize(
    ("reply", "grade"),
    [("3", 2), ("Score: 2", 1), ("not 3 but 1.", 0), ("13", None), ("2.5", None), ("", None)],
)
def test_the_last_grade_that_stands_alone_is_read(reply, grade):
    assert pauc.read_grade(reply) == grade


@pytest.mark.parametrize(
    ("text", "grade"),
    [("it is a red square", 2), ("something red", 1), ("a green circle", 0), ("the a an", 0)],
)
def test_by_rule_all_words_make_two_and_any_makes_one(text, grade):
    assert pauc.by_rule("", GOLD, text) == grade


def test_by_rule_numbers_are_equal_in_digits_and_in_words():
    gold = Gold(content="seven", related_s=(0, 1), reply_s=(0, 1), keys=(("7",), ("lucky", "one")))
    assert pauc.by_rule("", gold, "seven") == pauc.by_rule("", gold, "number 7") == 2
    assert pauc.by_rule("", gold, "a lucky thing") == 1
    assert pauc.by_rule("", gold, "seventeen") == 0


def turns(*spans) -> list[dict]:
    return [
        {"content": "red", "related_s": [s, e], "reply_s": [s, e], "keys": [["red"]]}
        for s, e in spans
    ]


def test_pvqa_pools_answers_and_averages_categories():
    # category A: one item with two answers, one given at once (100), one not (25); B: silence
    one = trace_of(shown({"question": "q", "turns": turns((1, 3), (5, 9))}, "A"), ("red", 1.0))
    two = trace_of(shown({"question": "q", "turns": turns((2, 4))}, "B"))
    rows = pvqa.score([one, two])
    assert [(o.value, o.of, o.group) for o in rows["pvqa_pauc"]] == [
        (pytest.approx(125.0), 2.0, "A"),
        (pytest.approx(25.0), 1.0, "B"),
    ]
    assert rows["pvqa_no_response"][0].value == 1.0
    for weight, pooled in (("", 50), ("_w0", 50), ("_w1", 50)):  # (100 + 25 + 25) / 3
        by_item = rows[f"pvqa_pauc{weight}"]
        assert summarize(by_item, "ratio", 0).value == pytest.approx(pooled)
        by_category = rows[f"pvqa_pauc{weight}_categories"]
        assert summarize(by_category, "macro", 0).value == pytest.approx((62.5 + 25) / 2)


class Strict:
    """Grades "red" 1, has no idea of "blue", cannot be reached about "green"."""

    name = "strict"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def judge(self, system: str, user: str) -> str:
        self.asked.append(user)
        if "Answer given: green" in user:
            raise JudgeUnreachable("nobody there")
        return "1" if "Answer given: red" in user else "no idea"


def test_pvqa_with_a_judge_has_rows_of_its_own():
    judge, what = Strict(), shown({"question": "q", "turns": turns((1, 3))}, "A")
    suite = pvqa.judged(judge)

    def scored(word):
        rows = suite.score([trace_of(what, (word, 1.0))])
        assert set(rows) == {row.name for row in suite.rows}
        [rule], [graded] = rows["pvqa_pauc"], rows["pvqa_pauc_judged"]
        return rule.value, graded.value, graded.notes

    assert scored("red") == (pytest.approx(100), pytest.approx(0), ())
    assert len(judge.asked) == 1
    nonsense = ("judge_asked_again", "judge_nonsense")
    assert scored("blue") == (pytest.approx(0), pytest.approx(25), nonsense)
    assert len(set(judge.asked)) == len(judge.asked) == 1 + NUM_TRIES
    assert scored("green") == (pytest.approx(0), pytest.approx(25), ("judge_unreachable",))


CHECKOUT = os.environ.get("VIDEOCHAT3_CHECKOUT")


@pytest.mark.skipif(
    not CHECKOUT, reason="VIDEOCHAT3_CHECKOUT is no checkout of github.com/MCG-NJU/VideoChat3"
)
def test_pauc_equals_the_official_function():
    """The module needs vlmeval; its function needs nothing."""
    [path] = Path(CHECKOUT or "").rglob("proactive_videoqa.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    [function] = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == "_area_under_line_ratio"
    ]
    space: dict = {}
    exec(compile(ast.Module(body=[function], type_ignores=[]), str(path), "exec"), space)
    rng = np.random.default_rng(0)
    for _ in range(300):
        length_s = float(rng.uniform(0.5, 30))
        num = int(rng.integers(1, 7))
        points = [(float(rng.uniform(0, length_s)), float(rng.integers(3))) for _ in range(num)]
        for omega in pauc.OMEGAS:
            theirs = space["_area_under_line_ratio"](points, length_s, 2, omega)
            assert area_ratio(points, length_s, omega) == pytest.approx(theirs, abs=1e-9)
