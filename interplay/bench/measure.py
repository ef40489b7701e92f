"""Measures one suite: draws its items, plays them beside the baselines, scores the traces.

Knows nothing of tables, of the command line or of how a system is reached.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from interplay.bench.endpoints import Play
from interplay.bench.oracle import Oracle
from interplay.bench.outcomes import columns, match_items
from interplay.bench.report import entry
from interplay.bench.rows import Row
from interplay.bench.runner import play
from interplay.bench.score import Outcome, Score, summarize
from interplay.bench.stage import Synthesizer
from interplay.bench.suites.base import Suite
from interplay.bench.trace import Trace
from interplay.data.item import Item
from interplay.data.speech import synthesize
from interplay.data.voices import OWN_VOICE
from interplay.errors import ConfigError

MAX_BASELINE_ITEMS = 60  # trivial systems need no narrow intervals
Advance = Callable[[str, int, int], None]  # what is running, done, of how many


@dataclass(kw_only=True)
class Measured:
    """rows: name -> JSON entry. traces: of the system, in the order of the items."""

    rows: dict[str, dict[str, Any]]
    traces: list[Trace]


@dataclass(kw_only=True)
class SuiteBench:
    """How a suite is measured.

    play: plays items at the system. num_items: of each part of the twin or of the official folder
    (None: all of that). data: that folder. words: puts what a recogniser hears in place of
    the words of a system, the trivial ones included.
    """

    suite: Suite
    play: Play
    num_items: int | None
    seed: int
    data: Path | None = None
    words: Callable[[Trace], Trace] = lambda trace: trace
    advance: Advance = field(default=lambda what, done, total: None)
    synthesize: Synthesizer = field(default_factory=lambda: lru_cache(2048)(synthesize))
    own_voice: str = OWN_VOICE

    def run(self, rows: Sequence[Row], items: list[Item] | None = None) -> Measured:
        """Play all items (or those given), score the rows. Raises ConfigError where there is
        nothing to play."""
        items = self.items() if items is None else items
        traces = self._traces(items)
        few = spread(items, MAX_BASELINE_ITEMS)
        theirs = {name: self._baseline(name, few) for name in self.suite.baselines}
        return Measured(rows=score_rows(self.suite, rows, traces, self.seed, theirs), traces=traces)

    def items(self) -> list[Item]:
        """What is played. Raises ConfigError where there is nothing."""
        if self.data is None:
            assert self.num_items is not None
            items = self.suite.twin(self.num_items, self.seed)
        elif self.suite.load is None:
            raise ConfigError(f"{self.suite.name} has no data of its own; leave --data out")
        else:
            items = self.suite.load(self.data, self.num_items)
        if not items:
            raise ConfigError(f"{self.suite.name} has no items here; {self.suite.how_to_get}")
        return items

    def _traces(self, items: list[Item]) -> list[Trace]:
        """Of the system, in the order of the items."""
        found = {}
        for done, trace in enumerate(self.play(items), 1):
            self.advance(f"{self.suite.name} · system", done, len(items))
            found[id(trace.item)] = self.words(trace)
        return [found[id(item)] for item in items]

    def _baseline(self, name: str, items: list[Item]) -> list[Trace]:
        oracle, traces = Oracle(name, self.synthesize, self.own_voice), []
        for done, trace in enumerate(play(items, oracle, self.synthesize), 1):
            self.advance(f"{self.suite.name} · {name}", done, len(items))
            traces.append(self.words(trace))
        return traces


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many items, alike from every subset; whole rounds, so that no subset that has
    enough items gets fewer than another."""
    subsets: dict[str, list[Item]] = {}
    for item in items:
        subsets.setdefault(item.subset or item.kind, []).append(item)
    rounds = itertools.zip_longest(*subsets.values())
    found: list[Item] = []
    for each in rounds:
        chosen = [item for item in each if item is not None]
        if found and len(found) + len(chosen) > most:
            break
        found += chosen
    return found


def score_rows(
    suite: Suite,
    rows: Sequence[Row],
    traces: Sequence[Trace],
    seed: int,
    baselines: dict[str, list[Trace]],
) -> dict[str, dict[str, Any]]:
    """JSON entries of rows. baselines: name -> traces of that trivial system."""
    ours = suite.score(traces)
    theirs = {name: _values(suite, rows, played) for name, played in baselines.items()}
    by_item = match_items(suite.score, traces, ours)
    found = {}
    for row in rows:
        beside = {name: values[row.name] for name, values in theirs.items()}
        about = {"suite": suite.name, "outcomes": columns(by_item.get(row.name, []))}
        found[row.name] = entry(row, _score(row, ours, seed), beside) | about
    return found


def _score(row: Row, outcomes: Any, seed: int) -> Score:
    found: Sequence[Outcome] = outcomes.get(row.name, ())
    return summarize(found, row.statistic, seed, weights=row.weights)


def _values(suite: Suite, rows: Sequence[Row], traces: list[Trace]) -> dict[str, float | None]:
    outcomes = suite.score(traces)
    return {row.name: _score(row, outcomes, 0).value for row in rows}


def published_numbers(suites: Sequence[Suite]) -> Iterator[dict[str, Any]]:
    """What others reported, as JSON can hold it."""
    for suite in suites:
        for number in suite.published:
            yield {
                "suite": suite.name,
                "row": number.row,
                "system": number.system,
                "value": number.value,
                "source": number.source,
                "date": number.date,
            }
