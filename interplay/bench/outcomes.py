"""Outcomes of single items in a result file: which item each belongs to, as compact columns.

With them two results can be compared item by item. Knows nothing of what was judged.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interplay.bench.item_json import item_id
from interplay.bench.score import Outcome
from interplay.bench.trace import Trace

UNKNOWN = ""  # the item of an outcome that several traces made together
Tagged = tuple[str, Outcome]  # item id, outcome
Scorer = Callable[[Sequence[Trace]], Mapping[str, Sequence[Outcome]]]


def match_items(
    score: Scorer, traces: Sequence[Trace], together: Mapping[str, Sequence[Outcome]]
) -> dict[str, list[Tagged]]:
    """Which item every outcome belongs to: each trace is scored alone.

    together: what `score` gives for all traces. A row whose outcomes are others when traces are
    scored together keeps these, of unknown items.
    """
    alone: dict[str, list[Tagged]] = {name: [] for name in together}
    for trace in traces:
        name = item_id(trace.item)
        for row, outcomes in score([trace]).items():
            alone.setdefault(row, []).extend((name, outcome) for outcome in outcomes)
    found: dict[str, list[Tagged]] = {}
    for row, outcomes in together.items():
        same = Counter(outcomes) == Counter(outcome for _, outcome in alone[row])
        found[row] = alone[row] if same else [(UNKNOWN, outcome) for outcome in outcomes]
    return found


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
