"""From outcomes of single items to one row: value, n, confidence interval.

Knows nothing of traces or of what was judged.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

NUM_RESAMPLES = 2000
Statistic = Literal["ratio", "macro", "median", "p95", "p99", "sum"]
PERCENTILES = {"median": 50, "p95": 95, "p99": 99}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one item says about a row.

    value: 1 or 0 for a success or a failure, an error count, or a time; None where there is
        none to give (no response). of: what `value` is a part of (words; 1 for one try).
    notes: why; counted and reported beside the value. group: the family or subset it belongs to;
        the statistic `macro` averages groups.
    """

    value: float | None
    of: float = 1.0
    notes: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A row's number. value is None when nothing could be measured. n: outcomes behind it.

    extra: share of outcomes that carry each note.
    """

    value: float | None
    n: int
    ci95: tuple[float, float] | None
    extra: dict[str, float]


def summarize(
    outcomes: Sequence[Outcome],
    statistic: Statistic,
    seed: int,
    *,
    weights: Mapping[str, float] | None = None,
) -> Score:
    """One number with a 95 % interval: percentiles of a bootstrap over outcomes, seeded.

    ratio: sum of values over sum of `of`, missing values counting as 0. macro: the ratio of every
    group, then their mean (a group in which nothing could be counted has no part in it); with
    `weights` of groups, their weighted mean, for which all of these are needed; resampled within
    groups. median, p95, p99: over the values there
    are. sum: of all values, without an interval.
    """
    notes = Counter(note for outcome in outcomes for note in outcome.notes)
    extra = {name: count / len(outcomes) for name, count in sorted(notes.items())}
    if statistic == "macro":
        return _macro(outcomes, weights, seed, extra)
    pairs = _pairs(outcomes, statistic)
    if not len(pairs) or not pairs[:, 1].sum():
        return Score(value=None, n=len(outcomes), ci95=None, extra=extra)
    value = float(_statistic(pairs[None], statistic)[0])
    interval = None if statistic == "sum" else _bootstrap(pairs, statistic, seed)
    return Score(value=value, n=len(outcomes), ci95=interval, extra=extra)


def _macro(
    outcomes: Sequence[Outcome],
    weights: Mapping[str, float] | None,
    seed: int,
    extra: dict[str, float],
) -> Score:
    of: dict[str, float] = {}
    for outcome in outcomes:
        of[outcome.group] = of.get(outcome.group, 0.0) + outcome.of
    names = [name for name, whole in of.items() if whole > 0]
    shares = np.array([1.0 if weights is None else weights[name] for name in names])
    if not names or not shares.sum() or set(weights or ()) - set(names):
        return Score(value=None, n=len(outcomes), ci95=None, extra=extra)
    groups = [_pairs([o for o in outcomes if o.group == name], "ratio") for name in names]
    value = float(shares @ [_statistic(pairs[None], "ratio")[0] for pairs in groups] / shares.sum())
    rng = np.random.default_rng(seed)
    drawn = [_resampled(pairs, "ratio", rng) for pairs in groups]
    low, high = np.percentile(shares @ np.stack(drawn) / shares.sum(), [2.5, 97.5])
    return Score(value=value, n=len(outcomes), ci95=(float(low), float(high)), extra=extra)


def _pairs(outcomes: Sequence[Outcome], statistic: Statistic) -> np.ndarray:
    """[n, 2]: value, of."""
    if statistic == "ratio":
        kept = [(outcome.value or 0.0, outcome.of) for outcome in outcomes]
    else:
        kept = [(outcome.value, 1.0) for outcome in outcomes if outcome.value is not None]
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _statistic(pairs: np.ndarray, statistic: Statistic) -> np.ndarray:
    """pairs [R, n, 2] -> [R]."""
    if statistic == "ratio":
        return pairs[..., 0].sum(1) / np.maximum(pairs[..., 1].sum(1), 1e-9)
    if statistic == "sum":
        return pairs[..., 0].sum(1)
    return np.percentile(pairs[..., 0], PERCENTILES[statistic], axis=1)


def _bootstrap(pairs: np.ndarray, statistic: Statistic, seed: int) -> tuple[float, float]:
    low, high = np.percentile(
        _resampled(pairs, statistic, np.random.default_rng(seed)), [2.5, 97.5]
    )
    return float(low), float(high)


def _resampled(pairs: np.ndarray, statistic: Statistic, rng: np.random.Generator) -> np.ndarray:
    """[R]: the statistic of outcomes drawn with replacement; fewer times where there are many."""
    num_resamples = min(NUM_RESAMPLES, max(100, 4_000_000 // len(pairs)))
    return np.concatenate(
        [
            _statistic(pairs[rng.integers(len(pairs), size=(100, len(pairs)))], statistic)
            for _ in range(num_resamples // 100)
        ]
    )
