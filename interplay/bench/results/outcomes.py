"""Outcomes of single items in a result file: which item each belongs to, as compact columns.

With them two results can be compared item by item. Knows nothing of what was judged.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome, Score, summarize, value_of

Tagged = tuple[str, Outcome]  # item id, outcome


def columns(tagged: Sequence[Tagged]) -> dict[str, list[Any]]:
    """As JSON holds them: one list per field; fields that are the same everywhere are left out."""
    table: dict[str, list[Any]] = {
        "item": [name for name, _ in tagged],
        "value": [None if o.value is None else float(o.value) for _, o in tagged],
    }
    if any(outcome.of != 1 for _, outcome in tagged):
        table["of"] = [float(outcome.of) for _, outcome in tagged]
    if any(outcome.group for _, outcome in tagged):
        table["group"] = [outcome.group for _, outcome in tagged]
    if any(outcome.notes for _, outcome in tagged):
        table["notes"] = [list(outcome.notes) for _, outcome in tagged]
    return table


def from_columns(table: Mapping[str, Sequence[Any]]) -> list[Tagged]:
    """What `columns` was given."""
    count = len(table["item"])
    of = table.get("of", [1.0] * count)
    groups, notes = table.get("group", [""] * count), table.get("notes", [()] * count)
    fields = zip(table["item"], table["value"], of, groups, notes, strict=True)
    return [
        (name, Outcome(value=value, of=part, group=group, notes=tuple(why)))
        for name, value, part, group, why in fields
    ]


def by_item(row: Mapping[str, Any]) -> dict[str, list[Outcome]]:
    """Item -> its outcomes, of a row's JSON entry; empty where the file is too old to have any."""
    found: dict[str, list[Outcome]] = {}
    for name, outcome in from_columns(row["outcomes"]) if row.get("outcomes") else []:
        found.setdefault(name, []).append(outcome)
    return found


def noted(outcomes: Iterable[Outcome], notes: Sequence[str]) -> list[Outcome]:
    """The outcomes with what was noted about the whole item, too."""
    return [replace(o, notes=tuple(dict.fromkeys((*o.notes, *notes)))) for o in outcomes]


def row_score(row: Row, tagged: Sequence[Tagged], seed: int) -> Score:
    """The number of a row, its interval over items."""
    names, outcomes = [name for name, _ in tagged], [outcome for _, outcome in tagged]
    return summarize(outcomes, row.statistic, seed, weights=row.weights, items=names)


def row_value(row: Row, tagged: Sequence[Tagged]) -> float | None:
    """The number alone."""
    return value_of([[outcome] for _, outcome in tagged], row.statistic, row.weights)
