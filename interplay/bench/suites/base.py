"""What a suite is: items to play, rows to report, and scores of what was played.

A suite never plays anything itself: it gives items (its synthetic twin, or an official folder) and
reads traces, so that every system, clock and transport is measured alike. Knows nothing of systems.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.traces.trace import Trace
from interplay.data.item import Item

Outcomes = Mapping[str, Sequence[Outcome]]


@dataclass(frozen=True, kw_only=True)
class Published:
    """A number that somebody else reported. source: where; date: of the copy, YYYY-MM or -DD."""

    row: str
    system: str
    value: float
    source: str
    date: str


def tabled(
    rows: Sequence[str], systems: Mapping[str, Sequence[float | None]], source: str, date: str
) -> tuple[Published, ...]:
    """A table of numbers, one line per system: values of `rows` in their order, None where the
    table has none."""
    return tuple(
        Published(row=row, system=system, value=value, source=source, date=date)
        for system, values in systems.items()
        for row, value in zip(rows, values, strict=True)
        if value is not None
    )


@dataclass(frozen=True, kw_only=True)
class Suite:
    """twin: (number of items per subset or family, seed) -> items of our own generators, offline;
    what rows should reach is meant for those. load: (official folder, at most so many items of each
    part or None for all) -> items; None where the benchmark has no data of its own. loads_own: what
    it loads was exported from a twin. score: row name -> outcomes; pure, and those of several
    traces are those of each alone, one after another. together: where one item is scored by what
    came of another, items that it gives the same value are scored at once. how_to_get: what to
    download, from where, and under which licence. baselines: those that are played beside every
    system (bench.systems.policies).
    """

    name: str
    what: str
    rows: tuple[Row, ...]
    twin: Callable[[int, int], list[Item]]
    score: Callable[[Sequence[Trace]], Outcomes]
    load: Callable[[Path, int | None], list[Item]] | None = None
    loads_own: bool = False
    together: Callable[[Item], Hashable] | None = None
    published: tuple[Published, ...] = ()
    how_to_get: str = ""
    baselines: tuple[str, ...] = ("silent", "always", "half_duplex", "perfect")
