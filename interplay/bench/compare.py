"""Two results side by side: the difference of every row, with an interval over paired items.

Both systems met the same items, so items are drawn with replacement for both at once; what makes an
item hard cancels out. Knows nothing of how anything was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int
from rich.box import SIMPLE
from rich.table import Table

from interplay.bench.outcomes import Tagged, from_columns
from interplay.bench.report import number
from interplay.bench.score import PERCENTILES, Outcome, Statistic, summarize
from interplay.errors import RecordError

NUM_RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Difference:
    """second - first of one row. ci95: None where items cannot be paired. n: paired items.

    verdict: "better", "worse" or "same" for the second one: same where the interval holds 0;
    None without an interval.
    """

    row: str
    unit: str
    first: float | None
    second: float | None
    value: float | None
    ci95: tuple[float, float] | None
    n: int
    verdict: str | None


def compare(first: Mapping[str, Any], second: Mapping[str, Any], seed: int = 0) -> list[Difference]:
    """Of all rows that both results have. Raises RecordError where there is none."""
    shared = [name for name in first["rows"] if name in second["rows"]]
    if not shared:
        raise RecordError(
            f"no row is in both results ({first['suite']} and {second['suite']}); compare results "
            "of the same suite"
        )
    return [_difference(name, first["rows"][name], second["rows"][name], seed) for name in shared]


def _difference(
    name: str, first: Mapping[str, Any], second: Mapping[str, Any], seed: int
) -> Difference:
    ours, theirs = (_by_item(row) for row in (first, second))
    shared = sorted(set(ours) & set(theirs))
    values = [row["value"] for row in (first, second)]
    interval = None
    if shared:
        values = [_value([each[key] for key in shared], first) for each in (ours, theirs)]
        interval = _bootstrap([(ours[key], theirs[key]) for key in shared], first, seed)
    before, after = values
    return Difference(
        row=name,
        unit=first["unit"],
        first=before,
        second=after,
        value=None if before is None or after is None else after - before,
        ci95=interval,
        n=len(shared),
        verdict=_verdict(interval, first.get("lower_is_better", False)),
    )


def _by_item(row: Mapping[str, Any]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    tagged: list[Tagged] = from_columns(row["outcomes"]) if row.get("outcomes") else []
    for name, outcome in tagged:
        found.setdefault(name, []).append(outcome)
    return found


def _value(items: Sequence[list[Outcome]], row: Mapping[str, Any]) -> float | None:
    outcomes = [outcome for item in items for outcome in item]
    statistic = row.get("statistic", "ratio")
    return summarize(outcomes, statistic, 0, weights=row.get("weights")).value


def _bootstrap(
    pairs: Sequence[tuple[list[Outcome], list[Outcome]]], row: Mapping[str, Any], seed: int
) -> tuple[float, float] | None:
    """Percentiles of the difference; None where it cannot be told."""
    statistic: Statistic = row.get("statistic", "ratio")
    if statistic == "sum":
        return None
    drawn = np.random.default_rng(seed).integers(len(pairs), size=(NUM_RESAMPLES, len(pairs)))
    times = np.stack([np.bincount(each, minlength=len(pairs)) for each in drawn])
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    if statistic in PERCENTILES:
        percent = PERCENTILES[statistic]
        found = [_percentiles(side, times, percent) for side in (first, second)]
    else:
        weights = row.get("weights")
        found = [_means(side, times, statistic, weights) for side in (first, second)]
    differences = (found[1] - found[0])[np.isfinite(found[1] - found[0])]
    if not len(differences):
        return None
    low, high = np.percentile(differences, [2.5, 97.5])
    return float(low), float(high)


def _means(
    items: Sequence[list[Outcome]],
    times: Int[np.ndarray, "R n"],
    statistic: str,
    weights: Mapping[str, float] | None,
) -> Float64[np.ndarray, " R"]:
    """ratio or macro, where each item counts so many times; NaN where nothing is left."""
    is_macro = statistic == "macro"
    names = sorted({o.group for item in items for o in item}) if is_macro else [""]
    sums = np.zeros((len(items), len(names), 2))
    for index, item in enumerate(items):
        for outcome in item:
            group = names.index(outcome.group) if is_macro else 0
            sums[index, group] += (outcome.value or 0.0, outcome.of)
    drawn = np.tensordot(times, sums, 1)  # [R, groups, 2]
    known = drawn[..., 1] > 0
    ratios = np.divide(drawn[..., 0], drawn[..., 1], out=np.zeros(known.shape), where=known)
    shares = known * np.array([1.0 if weights is None else weights[name] for name in names])
    total = shares.sum(1)
    mean = np.divide((ratios * shares).sum(1), total, out=np.zeros(len(total)), where=total > 0)
    return np.where(total > 0, mean, np.nan)


def _percentiles(
    items: Sequence[list[Outcome]], times: Int[np.ndarray, "R n"], percent: float
) -> Float64[np.ndarray, " R"]:
    """Of the values there are, where each item counts so many times."""
    pairs = [
        (index, outcome.value)
        for index, item in enumerate(items)
        for outcome in item
        if outcome.value is not None
    ]
    owners = np.array([index for index, _ in pairs], dtype=np.int64)
    values = np.array([value for _, value in pairs], dtype=np.float64)
    drawn = [np.repeat(values, each[owners]) for each in times]
    return np.array([np.percentile(each, percent) if len(each) else np.nan for each in drawn])


def _verdict(interval: tuple[float, float] | None, lower_is_better: bool) -> str | None:
    if interval is None:
        return None
    if interval[0] <= 0 <= interval[1]:
        return "same"
    return "better" if (interval[0] > 0) != lower_is_better else "worse"


def difference_table(
    first: Mapping[str, Any], second: Mapping[str, Any], differences: Sequence[Difference]
) -> Table:
    """For the terminal."""
    names = [str(report.get("endpoint", report["model"])) for report in (first, second)]
    title = f"{second['suite']} · {names[1]} against {names[0]}"
    made = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("row", "first", "second", "difference", "95 %", "", "items"):
        made.add_column(heading, no_wrap=True, justify="left" if heading == "row" else "right")
    colours = {"better": "green", "worse": "red"}
    for each in differences:
        texts = [number(value, each.unit) for value in (each.first, each.second, each.value)]
        bounds = [number(bound, each.unit).split()[0] for bound in each.ci95 or ()]
        line = [each.row, *texts, " – ".join(bounds), each.verdict or "–", str(each.n)]
        made.add_row(*line, style=colours.get(each.verdict or "", ""))
    return made
