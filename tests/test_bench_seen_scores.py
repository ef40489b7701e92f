"""What is seen: numbers in words, PAUC, counting, marking; values worked out by hand."""

import ast
import os
from pathlib import Path

import numpy as np
import pytest
from bench_helpers import hand_made, item, said
from hypothesis import given
from hypothesis import strategies as st

from interplay.bench import pauc, watching
from interplay.bench.numbers import cardinals, last_number, spelled
from interplay.bench.pauc import Gold, area_ratio, grade_turn
from interplay.bench.suites import charades, pvqa, repcount
from interplay.bench.suites.charades import Marks, marks
from interplay.bench.trace import Word, normal
from interplay.data.item import Item, Show, When
from interplay.errors import BackgroundError

FILM_S = 10.0
STARTS_S = 3.0  # of the film in the traces below


def words(text: str, every_s: float = 2.0) -> list[Word]:
    return [
        Word(text=word, start_s=i * every_s, end_s=i * every_s + 0.2)
        for i, word in enumerate(normal(text))
    ]


def shown(about: dict, subset: str = "") -> Item:
    show = Show(frames=list, length_s=FILM_S, at=When(seconds=2.0, after="cue_end", cue=0))
    made = item(said("look"), show, kind="seen", length_s=STARTS_S + FILM_S + 3.0)
    return Item(**{**made.__dict__, "about": {**about, "film_s": FILM_S}, "subset": subset})


def trace_of(what: Item, *spoken: tuple[str, float]):
    """Words (text, time of the film), each with 0.2 s of voice of its own."""
    times = [(text, STARTS_S + at_s) for text, at_s in spoken]
    voice = [(at_s, at_s + 0.2) for _, at_s in times]
    return hand_made(what, say=times, voice=voice, cues=((0.5, 1.0), (STARTS_S, STARTS_S + FILM_S)))


# ── numbers ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "every_s", "found"),
    [
        ("number five", 0.4, [5]),
        ("one two, three!", 0.4, [1, 2, 3]),
        ("twenty one", 0.4, [21]),
        ("twenty-one", 0.4, [21]),
        ("twenty one", 2.0, [20, 1]),  # two numbers, two seconds apart
        ("twenty twenty one", 0.4, [20, 21]),
        ("12 and 7", 0.4, [12, 7]),
        ("one hundred", 0.4, [100]),
        ("ninety nine a hundred", 0.4, [99, 100]),
        ("well done", 0.4, []),
        ("thirty ten", 0.4, [30, 10]),
    ],
)
def test_numbers_are_read_out_of_words(text, every_s, found):
    assert [number.value for number in cardinals(words(text, every_s))] == found


def test_ordinals_count_only_without_a_cardinal():
    assert last_number(words("first second third")) == 3
    assert last_number(words("that was the 2nd")) == 2
    assert last_number(words("five then the third")) == 5
    assert last_number(words("nothing here")) is None
    assert last_number(words("the 21st")) is None  # ordinals end at the twentieth


@given(st.integers(0, 100))
def test_what_is_spelled_is_read_again(value):
    assert last_number(words(spelled(value), 0.3)) == value


# ── PAUC ─────────────────────────────────────────────────────────────────────────────────────


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


@given(POINTS, st.sampled_from(pauc.OMEGAS))
def test_pauc_is_a_share(points, omega):
    assert 0 <= area_ratio(points, 10.0, omega) <= 1 + 1e-12


@given(st.floats(0, 10), st.floats(0, 10))
def test_a_right_answer_is_worth_more_the_sooner_it_comes(one, other):
    early, late = sorted([one, other])
    assert area_ratio([(early, 2)], 10.0, 0.5) >= area_ratio([(late, 2)], 10.0, 0.5)


GOLD = Gold(content="a red square", related_s=(2.0, 4.0), reply_s=(2.0, 8.0))


def test_replies_are_graded_together_once_and_only_inside():
    asked = []

    def grade(question, gold, text):
        asked.append(text)
        return {"red": 1, "red square": 2}.get(text, 0)

    spoken = [(1.9, "before"), (2.0, "red"), (3.0, "red"), (4.0, "square"), (8.1, "after")]
    graded = grade_turn("what is there", GOLD, spoken, grade)
    assert asked == ["red", "red square"]
    assert graded.points == ((0.0, 1.0), (2.0, 2.0))
    assert graded.num_replies == 2


def test_a_later_remark_does_not_undo_an_answer():
    grades = iter([2, 1, 2])
    spoken = [(3.0, "red square"), (5.0, "hello"), (6.0, "yes")]
    graded = grade_turn("", GOLD, spoken, lambda *_: next(grades))
    assert graded.points == ((1.0, 2.0), (4.0, 2.0))  # the 1 at 5 s, after 4 s, is dropped
    grades = iter([2, 1])
    graded = grade_turn("", GOLD, [(3.0, "red square"), (3.5, "no blue")], lambda *_: next(grades))
    assert graded.points == ((1.0, 2.0), (1.5, 1.0))  # inside the related time it does


def test_a_judge_without_a_grade_is_left_out_and_counted():
    graded = grade_turn("", GOLD, [(3.0, "red"), (3.5, "square")], lambda *_: None)
    assert graded.points == () and graded.num_ungraded == 2


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


class Strict:
    """Grades "red" 1, has no idea of "blue", cannot be reached about "green"."""

    name = "strict"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def judge(self, system: str, user: str) -> str:
        self.asked.append(user)
        if "Answer given: green" in user:
            raise BackgroundError("nobody there")
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
    lost = ("judge_gave_no_grade",)
    assert scored("blue") == (pytest.approx(0), pytest.approx(25), lost)
    assert len(set(judge.asked)) == len(judge.asked) == 1 + pauc.NUM_TRIES
    assert scored("green") == (pytest.approx(0), pytest.approx(25), lost)


# ── counting ─────────────────────────────────────────────────────────────────────────────────


def counted(*spoken, ends_s=(2.0, 4.0, 6.0)):
    about = {"action": "squats", "count": len(ends_s), "ends_s": list(ends_s)}
    return trace_of(shown(about), *spoken)


def test_counting_takes_the_last_number_after_the_last_but_one():
    assert repcount.prediction(counted(("one", 2.1), ("two", 4.1), ("three", 6.2))) == 3
    assert repcount.prediction(counted(("one", 2.1), ("two", 3.9))) is None  # before 4 s
    assert repcount.prediction(counted(("two", 4.0))) == 2
    assert repcount.prediction(counted(("three", 12.9))) == 3  # in the tail
    assert repcount.prediction(counted(("one", 1.0), ends_s=(9.0,))) == 1  # from the start


def test_counting_rows():
    full = counted(("one", 2.1), ("two", 4.3), ("three", 6.2))
    short = counted(("five", 4.5))
    none = counted()
    rows = repcount.score([full, short, none])

    def got(name):
        return [outcome.value for outcome in rows[name]]

    assert got("repcount_obo") == [100.0, 0.0, 0.0]
    assert got("repcount_mae") == [0.0, pytest.approx(2 / 3.1), pytest.approx(3 / 3.1)]
    assert got("repcount_timing_s") == [pytest.approx(0.2), None, None]
    assert got("repcount_bias_s") == [pytest.approx(0.2), None, None]
    assert [(o.value, o.of) for o in rows["repcount_missing"]] == [(0, 3), (3, 3), (3, 3)]
    assert got("repcount_obo_constant") == [100.0] * 3
    assert rows["repcount_obo"][2].notes == ("no_number",)


def test_counting_baselines():
    # median_low of 2, 4, 9 is 4; a film of 10 s has five beats of two seconds
    films = [counted(ends_s=tuple(np.linspace(1, 9, count))) for count in (2, 4, 9)]
    rows = repcount.score(films)
    assert [o.value for o in rows["repcount_obo_constant"]] == [0.0, 100.0, 0.0]
    assert [o.value for o in rows["repcount_mae_constant"]] == [
        pytest.approx(2 / 2.1),
        0.0,
        pytest.approx(5 / 9.1),
    ]
    assert [o.value for o in rows["repcount_obo_metronome"]] == [0.0, 100.0, 0.0]
    assert repcount.metronome([1.0, 2.0], 10.0) == 5
    assert repcount.metronome([7.0, 9.0], 7.5) is None  # its last number, at 6 s, is too early


@given(st.integers(0, 200), st.integers(0, 200))
def test_errors_of_counts_as_in_the_paper(number, count):
    assert repcount.off_by_one(number, count) == 100 * (abs(number - count) <= 1)
    assert repcount.relative_error(number, count) == abs(number - count) / (count + 0.1)


# ── marking ──────────────────────────────────────────────────────────────────────────────────


def test_overlap_ratio():
    assert charades.overlap_ratio((1, 3), (2, 4)) == pytest.approx(1 / 3)
    assert charades.overlap_ratio((1, 2), (3, 4)) == 0
    assert charades.overlap_ratio((2, 2), (2, 2)) == 0
    assert charades.overlap_ratio((0, 10), (2, 6)) == pytest.approx(0.4)


def test_marks_are_the_first_start_and_the_first_stop_after_it():
    found = marks(words("stop start start stopped stop"))
    assert found == Marks(start_s=2.0, stop_s=6.0)
    assert marks(words("now stop")) == Marks(start_s=None, stop_s=None)
    assert marks(words("now stop"), charades.LENIENT_START) == Marks(start_s=0.0, stop_s=2.0)


def marked(*spoken, span=(2.0, 6.0)):
    about = {"action": "squats", "start_s": span[0], "end_s": span[1]}
    return trace_of(shown(about), *spoken)


def test_marking_rows():
    both = marked(("start", 3.0), ("stop", 7.0))  # 3 to 6 of 2 to 7
    no_stop = marked(("start", 2.0))
    other = marked(("begin", 2.0), ("stop", 6.0))
    early = marked(("start", -1.0), ("stop", 6.0))  # before the film: not heard
    rows = charades.score([both, no_stop, other, early])

    def got(name):
        return [outcome.value for outcome in rows[name]]

    assert got("charades_miou") == [pytest.approx(60), 0, 0, 0]
    assert got("charades_miou_lenient") == [pytest.approx(60), pytest.approx(50), 100, 0]
    assert got("charades_miou_whole") == [pytest.approx(40)] * 4
    assert got("charades_r50") == [100, 0, 0, 0] and got("charades_r70") == [0, 0, 0, 0]
    assert got("charades_start_error_s") == [pytest.approx(1.0), pytest.approx(0.0), None, None]
    assert got("charades_stop_error_s") == [pytest.approx(1.0), None, None, None]
    notes = [outcome.notes for outcome in rows["charades_miou"]]
    assert notes == [(), ("no_stop",), ("no_start",), ("no_start",)]


# ── the film's clock ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("until_s", "expected"),
    [(4.5, []), (9.0, [1.5, 4.0, 6.5])],  # what began a second before the film is left out
)
def test_only_endless_talk_is_cut_into_several_utterances(until_s, expected):
    talk = [("la", STARTS_S - 1 + 0.5 * i) for i in range(int(2 * until_s) + 2)]
    trace = hand_made(
        shown({}),
        say=talk,
        voice=[(STARTS_S - 1, STARTS_S + until_s)],
        cues=((0.5, 1.0), (STARTS_S, STARTS_S + FILM_S)),
    )
    onsets = [onset for onset, _ in watching.said_during(trace)]
    assert onsets == pytest.approx(expected)


def test_a_word_starts_with_its_sound():
    what = shown({})
    trace = hand_made(
        what,
        say=[("start", STARTS_S + 0.5)],
        voice=[(STARTS_S + 1.0, STARTS_S + 1.5)],
        cues=((0.5, 1.0), (STARTS_S, STARTS_S + FILM_S)),
    )
    [word] = watching.words_during(trace)
    assert word.start_s == pytest.approx(1.0, abs=0.011)


def test_no_film_no_words():
    what = shown({})
    trace = hand_made(what, say=[("start", 5.0)], voice=[(5.0, 5.5)], cues=((0.5, 1.0), None))
    assert watching.words_during(trace) == [] and watching.said_during(trace) == []


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("What's at 7:30 pm?", "what's at seven thirty pm"),
        ("Someone is sitting_down & 25% é", "someone is sitting down and twenty five percent e"),
        ("in 2019", "in two zero one nine"),
    ],
)
def test_any_text_can_be_spoken(text, spoken):
    assert watching.speakable(text) == spoken


# ── parity with official code ────────────────────────────────────────────────────────────────

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


MMDUET = os.environ.get("MMDUET_CHECKOUT")


@pytest.mark.skipif(
    not MMDUET, reason="MMDUET_CHECKOUT is no checkout of github.com/yellow-binary-tree/MMDuet"
)
def test_overlap_ratio_equals_the_official_function():
    """Its file needs scikit-learn; the function needs numpy only."""
    path = Path(MMDUET or "") / "test" / "qvh" / "utils.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = "compute_temporal_iou_batch_paired"
    [function] = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
    space: dict = {"np": np}
    exec(compile(ast.Module(body=[function], type_ignores=[]), str(path), "exec"), space)
    spans = np.sort(np.random.default_rng(1).uniform(0, 30, (200, 2, 2)), axis=-1)
    theirs = space[name](spans[:, 0], spans[:, 1])
    ours = [charades.overlap_ratio(tuple(a), tuple(b)) for a, b in spans.tolist()]
    assert ours == pytest.approx(list(theirs), abs=1e-9)
