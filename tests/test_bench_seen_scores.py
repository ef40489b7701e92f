"""What is seen: numbers in words, counting, marking; values worked out by hand."""

import ast
import os
from pathlib import Path

import numpy as np
import pytest
from bench_helpers import hand_made
from hypothesis import given, settings
from hypothesis import strategies as st
from video_helpers import FILM_S, STARTS_S, shown, trace_of

from interplay.bench.scoring import watching
from interplay.bench.suites import charades, repcount
from interplay.bench.suites.charades import Marks, marks
from interplay.bench.traces.trace import Word, normal
from interplay.bench.wording.numbers import cardinals, last_number
from interplay.bench.wording.spelling import number_words
from interplay.bench.wording.written import speakable


def words(text: str, every_s: float = 2.0) -> list[Word]:
    return [
        Word(text=word, start_s=i * every_s, end_s=i * every_s + 0.2)
        for i, word in enumerate(normal(text))
    ]


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


@settings(deadline=None)
@given(st.integers(0, 100))
def test_what_is_spelled_is_read_again(value):
    assert last_number(words(" ".join(number_words(value)), 0.3)) == value


# ── counting ─────────────────────────────────────────────────────────────────────────────────


def counted(*spoken, ends_s=(2.0, 4.0, 6.0), usual=3):
    about = {"action": "squats", "count": len(ends_s), "ends_s": list(ends_s), "usual": usual}
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
    items = [counted(ends_s=tuple(np.linspace(1, 9, count))).item for count in (2, 4, 9)]
    films = [trace_of(what) for what in repcount.with_usual(items)]
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


@settings(deadline=None)
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
    assert speakable(text) == spoken


# ── parity with official code ────────────────────────────────────────────────────────────────

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
