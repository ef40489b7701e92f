"""Intervals: whole items are drawn, so that outcomes of one item are not taken for many."""

from time import process_time

import numpy as np
import pytest

from interplay.bench.scoring.score import (
    NUM_RESAMPLES,
    Outcome,
    draws,
    resampled,
    summarize,
    value_of,
)


def outcomes_of(values, **fields) -> list[Outcome]:
    return [Outcome(value=float(value), **fields) for value in values]


@pytest.mark.parametrize("statistic", ["ratio", "median", "macro"])
def test_two_items_of_fifty_equal_outcomes_say_as_much_as_two(statistic):
    """Of two items drawn with replacement, both are the same one half of the time."""
    outcomes, items = outcomes_of([1] * 50 + [0] * 50), ["a"] * 50 + ["b"] * 50
    score = summarize(outcomes, statistic, 0, items=items)
    assert (score.value, score.ci95, score.n) == (0.5, (0.0, 1.0), 100)
    alone = summarize(outcomes, statistic, 0).ci95
    assert alone is not None
    if statistic != "median":
        assert alone == pytest.approx((0.4, 0.6), abs=0.021), "as if there were a hundred items"


def test_an_item_in_every_group_is_drawn_for_all_of_them():
    """Four parts that agree on every item are one measurement, not four."""
    rng = np.random.default_rng(0)
    right = rng.integers(0, 2, 40)
    parts = [outcomes_of(right, group=name) for name in "abcd"]
    pooled = [outcome for part in parts for outcome in part]
    items = [f"i{k}" for k in range(40)]
    together = summarize(pooled, "macro", 0, items=items * 4).ci95
    one = summarize(parts[0], "macro", 0, items=items).ci95
    assert together == pytest.approx(one)
    split = [f"{name}{k}" for name in "abcd" for k in range(40)]
    apart = summarize(pooled, "macro", 0, items=split).ci95
    assert together and apart
    assert together[1] - together[0] > 1.7 * (apart[1] - apart[0])


def test_groups_keep_their_sizes_in_every_draw():
    strata = [("easy",)] * 9 + [("hard",)]
    for times in draws(strata, 0):
        assert (times[:, :9].sum(1) == 9).all() and (times[:, 9] == 1).all()
    assert sum(len(times) for times in draws(strata, 0)) == NUM_RESAMPLES == 10_000
    first, again = (next(draws(strata, 3)) for _ in range(2))
    assert np.array_equal(first, again) and not np.array_equal(first, next(draws(strata, 4)))


@pytest.mark.parametrize(("statistic", "percent"), [("median", 50), ("p95", 95), ("p99", 99)])
def test_percentiles_of_draws_are_those_of_the_values_drawn(statistic, percent):
    rng = np.random.default_rng(1)
    items = [outcomes_of(rng.normal(size=size)) for size in (0, 3, 1, 2, 0, 5)]
    items[1] = [*items[1], Outcome(value=None), Outcome(value=9, of=0)]
    times = rng.integers(0, 3, size=(40, len(items))).astype(float)
    times[0] = [1, 0, 0, 0, 1, 0]
    found = resampled(items, times, statistic)
    for counts, value in zip(times, found, strict=True):
        values = [
            outcome.known
            for item, count in zip(items, counts, strict=True)
            for outcome in item * int(count)
            if outcome.known is not None
        ]
        if values:
            assert value == pytest.approx(np.percentile(values, percent))
        else:
            assert np.isnan(value)
    whole = [o.known for item in items for o in item if o.known is not None]
    assert value_of(items, statistic) == pytest.approx(np.percentile(whole, percent))


def test_what_has_no_part_in_a_row_is_no_zero():
    """Latencies of turns that never came are written as 0 of 0."""
    outcomes = [*outcomes_of([0.4, 0.6]), Outcome(value=0, of=0), Outcome(value=0, of=0)]
    for statistic in ("ratio", "median", "macro"):
        assert summarize(outcomes, statistic, 0).value == pytest.approx(0.5)
    assert summarize(outcomes[2:], "median", 0).value is None


def test_a_thousand_items_take_no_time():
    outcomes = outcomes_of(np.arange(2000) % 3)
    items = [f"i{k // 2}" for k in range(2000)]
    before = process_time()
    summarize(outcomes, "ratio", 0, items=items)
    assert process_time() - before < 3
