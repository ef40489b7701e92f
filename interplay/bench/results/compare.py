"""Two results side by side: the difference of every row, with an interval over paired items.

Both systems met the same items, so items are drawn with replacement for both at once; what makes an
item hard cancels out. Knows nothing of how anything was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from interplay.bench.listening.vad import ENERGY
from interplay.bench.results.outcomes import by_item
from interplay.bench.results.report import number
from interplay.bench.scoring.score import (
    Items,
    Statistic,
    draws,
    interval_of,
    resampled,
    strata_of,
    value_of,
)
from interplay.errors import RecordError

APART = {
    "clock": "the clock",
    "words_from": "the source of the words",
    "vad": "the detector of speech",
}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """second - first of one row. ci95: None where items cannot be paired. n: paired items.

    verdict: "better", "worse" or "same" for the second one: same where the interval holds 0,
    "other" where neither direction is better; None without an interval.
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
    """Of all rows that both results have. Raises RecordError where there is none, or where the two
    were measured so that they share no column."""
    shared = [name for name in first["rows"] if name in second["rows"]]
    if not shared:
        raise RecordError(
            f"no row is in both results ({first['suite']} and {second['suite']}); compare results "
            "of the same suite"
        )
    told = [{"vad": ENERGY, **result} for result in (first, second)]  # older: there was no other
    for name, what in APART.items():
        _check_alike(f"{what} ({name})", *(result.get(name) for result in told))
    for row in shared:
        judges = (result["rows"][row].get("judge") for result in (first, second))
        _check_alike(f"the judge of {row}", *judges)
    return [_difference(name, first["rows"][name], second["rows"][name], seed) for name in shared]


def remarks(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """What differs between two results and does not keep them from being compared."""
    return [
        f"{name} {_named(first, name)} against {_named(second, name)}: rows without a common item "
        "(items 0) have no verdict"
        for name in ("data", "seed")
        if first.get(name) != second.get(name)
    ]


def _named(result: Mapping[str, Any], name: str) -> Any:
    """A fact of a result; without --data the items were made, by the suite's twin."""
    value = result.get(name)
    return "of the twin" if name == "data" and value is None else value


def _check_alike(what: str, first: str | None, second: str | None) -> None:
    """Older files do not say; what is not known is not refused."""
    if None not in (first, second) and first != second:
        raise RecordError(
            f"{what} is {first} in the one result and {second} in the other; they never share a "
            "column: measure or score one of them again"
        )


def _difference(
    name: str, first: Mapping[str, Any], second: Mapping[str, Any], seed: int
) -> Difference:
    ours, theirs = by_item(first), by_item(second)
    shared = sorted(set(ours) & set(theirs))
    before, after = first["value"], second["value"]
    interval = None
    if shared:
        pair = [[ours[key] for key in shared], [theirs[key] for key in shared]]
        statistic, weights = first.get("statistic", "ratio"), first.get("weights")
        before, after = (value_of(side, statistic, weights) for side in pair)
        interval = _interval(pair, statistic, weights, seed)
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


def _interval(
    pair: Sequence[Items], statistic: Statistic, weights: Mapping[str, float] | None, seed: int
) -> tuple[float, float] | None:
    """Percentiles of the difference where both sides are drawn alike, within groups where these
    count, as for the interval of one result; None where it cannot be told."""
    if statistic == "sum":
        return None
    found = []
    for times in draws(strata_of(pair[0], statistic), seed):
        before, after = (resampled(side, times, statistic, weights) for side in pair)
        found.append(after - before)
    return interval_of(np.concatenate(found))


def _verdict(interval: tuple[float, float] | None, lower_is_better: bool | None) -> str | None:
    if interval is None:
        return None
    if interval[0] <= 0 <= interval[1]:
        return "same"
    if lower_is_better is None:
        return "other"
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
