"""Outcomes of single items in a result file: which item each belongs to, as compact columns.

With them two results can be compared item by item. Knows nothing of what was judged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from interplay.bench.score import Outcome

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
