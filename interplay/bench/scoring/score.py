"""From outcomes of single items to one row: value, n, confidence interval.

Knows nothing of traces or of what was judged.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float64, UInt16

NUM_RESAMPLES = 10_000
MAX_DRAWN = 40_000_000  # items in all draws together; with more items there are fewer draws
AT_ONCE = 2_000_000  # numbers in memory
Statistic = Literal["ratio", "macro", "relative", "trimmed", "median", "p90", "p95", "p99", "sum"]
GROUPED = ("macro", "relative")
KNOWN = "known"  # the group that `relative` divides by
FAR = 3.5 * 1.4826  # median deviations, in which a normal distribution has a standard one of 1.4826
PERCENTILES = {"median": 50, "p90": 90, "p95": 95, "p99": 99}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one item says about a row.

    value: 1 or 0 for a success or a failure, an error count, or a time; None where there is
        none to give (no response). of: what `value` is a part of (words; 1 for one try; 0 where
        the item has no part in the row).
    notes: why; counted and reported beside the value. group: the family or subset it belongs to;
        the statistic `macro` averages groups, `relative` divides one by another.
    """

    value: float | None
    of: float = 1.0
    notes: tuple[str, ...] = ()
    group: str = ""

    @property
    def known(self) -> float | None:
        """The value; None where there is none, or none that counts."""
        return self.value if self.of else None


Items = Sequence[Sequence[Outcome]]  # the outcomes of every item


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
    items: Sequence[str] | None = None,
) -> Score:
    """One number with a 95 % interval: percentiles of a seeded bootstrap over whole items.

    items: of which item each outcome is; None: each is an item of its own. weights: of groups, as
    in `value_of`. A `sum` has no interval.
    """
    notes = Counter(note for outcome in outcomes for note in outcome.notes)
    extra = {name: count / len(outcomes) for name, count in sorted(notes.items())}
    pools = _by_item(outcomes, items)
    value = value_of(pools, statistic, weights)
    interval = None
    if value is not None and statistic != "sum":
        found = [
            resampled(pools, times, statistic, weights)
            for times in draws(strata_of(pools, statistic), seed)
        ]
        interval = interval_of(np.concatenate(found))
    return Score(value=value, n=len(outcomes), ci95=interval, extra=extra)


def value_of(
    items: Items, statistic: Statistic, weights: Mapping[str, float] | None = None
) -> float | None:
    """The number alone; None where there is nothing to count.

    ratio: sum of values over sum of `of`, missing values counting as 0. macro: the ratio of every
    group, then their mean (a group in which nothing could be counted has no part in it); with
    `weights` of groups, their weighted mean, for which all of these are needed. relative: the ratio
    of what is in no group, divided by that of the group `known`. median, p90, p95, p99: over the
    values there are. sum: of all values. trimmed: the ratio without outliers, values that are
    further from the median than 3.5 standard deviations, these told from the median deviation (the
    rule by which Full-Duplex-Bench compares pairs).
    """
    if statistic == "trimmed":
        items = _without_outliers(items)
    values = [o.known for item in items for o in item if o.known is not None]
    if statistic in PERCENTILES:
        return float(np.percentile(values, PERCENTILES[statistic])) if values else None
    if statistic == "sum":
        return float(np.sum(values)) if values else None
    names, sums = _sums(items, statistic)
    if statistic == "relative":
        [value] = _relative(sums.sum(0)[None], names)
        return None if np.isnan(value) else float(value)
    counted = {name for name, (_, of) in zip(names, sums.sum(0), strict=True) if of > 0}
    if not counted or set(weights or ()) - counted:
        return None
    [value] = _means(sums.sum(0)[None], names, weights)
    return None if np.isnan(value) else float(value)


def strata_of(items: Items, statistic: Statistic) -> list[tuple[str, ...]]:
    """What items are drawn within: those of the same groups, where groups count."""
    if statistic not in GROUPED:
        return [()] * len(items)
    return [tuple(sorted({outcome.group for outcome in item})) for item in items]


def draws(strata: Sequence[tuple[str, ...]], seed: int) -> Iterator[Float64[np.ndarray, "R n"]]:
    """How often every item counts in each draw: items drawn with replacement among those of the
    same stratum. Seeded: the same items get the same draws."""
    for counts in _drawn(tuple(strata), seed):
        yield counts.astype(np.float64)


@lru_cache(2)  # most rows of a suite are of the same items
def _drawn(strata: tuple[tuple[str, ...], ...], seed: int) -> list[UInt16[np.ndarray, "_ n"]]:
    rng, num_items = np.random.default_rng(seed), len(strata)
    places = [
        [i for i, each in enumerate(strata) if each == name] for name in dict.fromkeys(strata)
    ]
    num_left = min(NUM_RESAMPLES, max(100, MAX_DRAWN // num_items))
    found = []
    while num_left > 0:
        num_rows = min(num_left, max(1, AT_ONCE // num_items))
        times = np.zeros((num_rows, num_items), np.uint16)
        for place in places:
            size = len(place)
            picked = rng.integers(size, size=(num_rows, size)) + size * np.arange(num_rows)[:, None]
            counts = np.bincount(picked.ravel(), minlength=num_rows * size)
            times[:, place] = counts.reshape(num_rows, size)
        found.append(times)
        num_left -= num_rows
    return found


def resampled(
    items: Items,
    times: Float64[np.ndarray, "R n"],
    statistic: Statistic,
    weights: Mapping[str, float] | None = None,
) -> Float64[np.ndarray, " R"]:
    """The number where every item counts so many times; NaN where nothing is left."""
    if statistic in PERCENTILES:
        return _percentiles(items, times, PERCENTILES[statistic])
    if statistic == "trimmed":
        items = _without_outliers(items)
    names, sums = _sums(items, statistic)
    drawn = np.tensordot(times, sums, 1)
    return _relative(drawn, names) if statistic == "relative" else _means(drawn, names, weights)


def interval_of(found: Float64[np.ndarray, " R"]) -> tuple[float, float] | None:
    """The middle 95 % of what draws gave; None where none gave anything."""
    known = found[np.isfinite(found)]
    if not len(known):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _without_outliers(items: Items) -> list[list[Outcome]]:
    """Whose values lie not too far from the median; all where more than half are the same."""
    values = [o.known for item in items for o in item if o.known is not None]
    middle = float(np.median(values)) if values else 0.0
    far = FAR * float(np.median(np.abs(np.array(values) - middle))) if values else 0.0

    def is_near(outcome: Outcome) -> bool:
        return outcome.known is None or not far or abs(outcome.known - middle) <= far

    return [[outcome for outcome in item if is_near(outcome)] for item in items]


def _by_item(outcomes: Sequence[Outcome], items: Sequence[str] | None) -> list[list[Outcome]]:
    if items is None:
        return [[outcome] for outcome in outcomes]
    found: dict[str, list[Outcome]] = {}
    for name, outcome in zip(items, outcomes, strict=True):
        found.setdefault(name, []).append(outcome)
    return list(found.values())


def _sums(items: Items, statistic: Statistic) -> tuple[list[str], Float64[np.ndarray, "n G 2"]]:
    """Groups (one without a name for `ratio`), and of each item and group value and `of`."""
    has_groups = statistic in GROUPED
    names = sorted({o.group for item in items for o in item}) if has_groups else [""]
    places = {name: index for index, name in enumerate(names)}
    sums = np.zeros((len(items), len(names), 2))
    for index, item in enumerate(items):
        for outcome in item:
            group = places[outcome.group] if has_groups else 0
            sums[index, group] += (outcome.value or 0.0, outcome.of)
    return names, sums


def _means(
    sums: Float64[np.ndarray, "R G 2"], names: Sequence[str], weights: Mapping[str, float] | None
) -> Float64[np.ndarray, " R"]:
    """The weighted mean of the ratios of groups in which something was counted, else NaN."""
    counted = sums[..., 1] > 0
    ratios = np.divide(sums[..., 0], sums[..., 1], out=np.zeros(counted.shape), where=counted)
    shares = counted * np.array([1.0 if weights is None else weights[name] for name in names])
    total = shares.sum(1)
    mean = np.divide((ratios * shares).sum(1), total, out=np.zeros(len(total)), where=total > 0)
    return np.where(total > 0, mean, np.nan)


def _relative(
    sums: Float64[np.ndarray, "R G 2"], names: Sequence[str]
) -> Float64[np.ndarray, " R"]:
    """The ratio of the group "" divided by that of `known`; NaN where one of them has none."""
    if {*names} != {"", KNOWN}:
        return np.full(len(sums), np.nan)
    (value, of), (known, of_known) = sums[:, names.index("")].T, sums[:, names.index(KNOWN)].T
    whole = of * known
    return np.divide(value * of_known, whole, out=np.full(len(sums), np.nan), where=whole > 0)


def _percentiles(
    items: Items, times: Float64[np.ndarray, "R n"], percent: float
) -> Float64[np.ndarray, " R"]:
    """Of the values there are, between neighbours as `np.percentile` does."""
    pairs = sorted(
        (outcome.known, index)
        for index, item in enumerate(items)
        for outcome in item
        if outcome.known is not None
    )
    if not pairs:
        return np.full(len(times), np.nan)
    values = np.array([value for value, _ in pairs])
    owners = [index for _, index in pairs]
    found = []
    for part in np.array_split(times, -(-len(times) * len(values) // AT_ONCE)):
        upto = part[:, owners].cumsum(1)  # values not greater than each
        num = upto[:, -1:]
        place = (num - 1) * percent / 100
        low = np.floor(place)
        first = (upto > low).argmax(1)
        second = (upto > np.minimum(low + 1, num - 1)).argmax(1)
        between = values[first] + (place - low)[:, 0] * (values[second] - values[first])
        found.append(np.where(num[:, 0] > 0, between, np.nan))
    return np.concatenate(found)
