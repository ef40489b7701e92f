"""Outcomes of single items, and two results compared item by item."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from bench_helpers import (
    small_twin,
)

from interplay.bench.results import report
from interplay.bench.results.compare import compare, remarks
from interplay.bench.results.outcomes import columns, from_columns
from interplay.bench.running.measure import spread
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome, summarize
from interplay.errors import RecordError

# Outcomes of items


def test_columns_come_back_and_leave_out_what_is_always_the_same():
    plain = [("a", Outcome(value=1.0)), ("b", Outcome(value=None))]
    assert set(columns(plain)) == {"item", "value"}
    full = [("a", Outcome(value=1.0, of=3, notes=("why", "so"), group="g")), *plain]
    for tagged in (plain, full, []):
        assert from_columns(json.loads(json.dumps(columns(tagged)))) == tagged


def test_baselines_get_alike_from_every_subset():
    items = small_twin(3, 0)[:5]  # 3 easy, 2 hard
    assert [(i.subset, i.seed) for i in spread(items, 4)] == [
        ("easy", 0),
        ("hard", 0),
        ("easy", 1),
        ("hard", 1),
    ]
    assert len(spread(items, 3)) == 2, "whole rounds"
    assert len(spread(items, 1)) == 2, "at least one of each"
    assert len(spread(items, 99)) == 5


# Comparing


@dataclass
class Pair:
    """Two results with one row, from outcomes by item."""

    first: dict
    second: dict

    @classmethod
    def of(cls, first: list, second: list, **row) -> "Pair":
        made = Row(name="r", kind="k", what="", reach=None, **row)
        results = []
        for values in (first, second):
            tagged = [(f"i{k}", value) for k, value in enumerate(values)]
            outcomes = [outcome for _, outcome in tagged]
            found = summarize(outcomes, made.statistic, 0, weights=made.weights)
            entry = report.entry(made, found, {}) | {"outcomes": columns(tagged)}
            results.append({"suite": "s", "model": "m", "rows": {"r": entry}})
        return cls(*results)

    def compared(self):
        [difference] = compare(self.first, self.second)
        return difference


def outcomes_of(values, **fields) -> list[Outcome]:
    return [Outcome(value=value, **fields) for value in values]


def test_pairing_sees_what_separate_intervals_hide():
    hard = np.random.default_rng(0).uniform(0, 10, 40)
    found = Pair.of(
        outcomes_of(hard),
        outcomes_of(hard - 0.2),
        unit="s",
        statistic="median",
        lower_is_better=True,
    ).compared()
    assert found.value == pytest.approx(-0.2) and found.verdict == "better"
    assert found.ci95 == pytest.approx((-0.2, -0.2))
    separate = summarize(outcomes_of(hard), "median", 0).ci95
    assert separate and separate[1] - separate[0] > 1


def test_the_same_is_the_same_and_worse_is_worse():
    ones, zeros = outcomes_of([1.0] * 20), outcomes_of([0.0] * 20)
    assert Pair.of(ones, ones).compared().verdict == "same"
    assert Pair.of(ones, zeros).compared().verdict == "worse"
    assert Pair.of(ones, zeros, lower_is_better=True).compared().verdict == "better"
    assert Pair.of(ones, zeros, statistic="sum").compared().ci95 is None


def test_the_interval_is_that_of_a_bootstrap_over_items():
    """Of 10 items 4 change from wrong to right: a binomial of 10 tries with chance 0.4."""
    found = Pair.of(outcomes_of([0.0] * 10), outcomes_of([1.0] * 4 + [0.0] * 6)).compared()
    assert found.ci95 == pytest.approx((0.1, 0.7), abs=0.101) and found.value == pytest.approx(0.4)


def test_macro_rows_weigh_groups_and_not_items():
    easy, hard = outcomes_of([1.0] * 9, group="easy"), outcomes_of([0.0], group="hard")
    better = outcomes_of([1.0], group="hard")
    found = Pair.of([*easy, *hard], [*easy, *better], statistic="macro").compared()
    assert (found.first, found.second) == (0.5, 1.0)
    weights = {"easy": 3.0, "hard": 1.0}
    found = Pair.of([*easy, *hard], [*easy, *better], statistic="macro", weights=weights).compared()
    assert found.first == pytest.approx(0.75)
    assert found.ci95 == pytest.approx((0.25, 0.25)), "no draw is without the one hard item"


def test_results_without_a_common_row_or_item():
    pair = Pair.of(outcomes_of([1.0]), outcomes_of([0.0]))
    with pytest.raises(RecordError, match="no row is in both"):
        compare(pair.first, pair.second | {"rows": {}})
    del pair.second["rows"]["r"]["outcomes"]
    found = pair.compared()
    assert (found.value, found.ci95, found.n, found.verdict) == (-1.0, None, 0, None)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("words_from", ("own", "pocketsphinx")),
        ("clock", ("logical", "wall")),
        ("vad", ("energy", "webrtc:2")),
    ],
)
def test_results_that_never_share_a_column_are_not_compared(name, values):
    pair = Pair.of(outcomes_of([1.0]), outcomes_of([0.0]))
    first, second = pair.first | {name: values[0]}, pair.second | {name: values[1]}
    with pytest.raises(
        RecordError, match=rf"{name}.* is {values[0]} .* and {values[1]} in"
    ) as told:
        compare(first, second)
    assert "\n" not in str(told.value)
    assert compare(first, pair.second | {name: values[0]})[0].verdict == "worse"
    assert compare(first, pair.second)[0].verdict == "worse", "an older file does not say"


def test_a_file_from_before_detectors_could_be_chosen_is_by_energy():
    pair = Pair.of(outcomes_of([1.0]), outcomes_of([0.0]))
    with pytest.raises(RecordError, match=r"detector of speech \(vad\) is energy .* and mine in"):
        compare(pair.first, pair.second | {"vad": "mine"})


def test_rows_of_two_judges_are_not_compared():
    pair = Pair.of(outcomes_of([1.0]), outcomes_of([0.0]))
    for result, judge in ((pair.first, "rule"), (pair.second, "a-model")):
        result["rows"]["r"]["judge"] = judge
    with pytest.raises(RecordError, match="judge of r is rule in the one result and a-model"):
        compare(pair.first, pair.second)


def test_other_items_are_told_and_have_no_verdict():
    pair = Pair.of(outcomes_of([1.0]), outcomes_of([0.0]))
    first, second = pair.first | {"seed": 0, "data": None}, pair.second | {"seed": 1, "data": None}
    [line] = remarks(first, second)
    assert line.startswith("seed 0 against 1")
    assert remarks(first, first) == []
    [line] = remarks(first, first | {"data": "items"})
    assert line.startswith("data of the twin against items: ")
