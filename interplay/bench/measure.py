"""Measures one suite: draws its items, plays them beside the baselines, scores the traces.

A trace is scored as soon as its item ends and then forgotten, so a thousand of them need no memory.

Knows nothing of tables, of the command line or of how a system is reached.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from interplay.bench.endpoints import Play
from interplay.bench.item_json import item_id
from interplay.bench.oracle import Oracle
from interplay.bench.outcomes import Tagged, columns
from interplay.bench.report import entry
from interplay.bench.rows import Row
from interplay.bench.runner import play
from interplay.bench.score import Score, summarize
from interplay.bench.stage import Synthesizer
from interplay.bench.suites.base import Outcomes, Suite
from interplay.bench.trace import Trace
from interplay.data.item import Item
from interplay.data.speech import synthesize
from interplay.data.voices import OWN_VOICE
from interplay.errors import ConfigError

MAX_BASELINE_ITEMS = 60  # trivial systems need no narrow intervals
Advance = Callable[[str, int, int], None]  # what is running, done, of how many
ByRow = dict[str, list[Tagged]]  # row name -> its outcomes with the item of each


@dataclass(kw_only=True)
class Measured:
    """rows: name -> JSON entry. traces: of the system, in the order of the items, if wanted."""

    rows: dict[str, dict[str, Any]]
    traces: list[Trace]


@dataclass(kw_only=True)
class SuiteBench:
    """How a suite is measured.

    play: plays items at the system. baseline: how they are played at a trivial system, by its name;
    None: in this process. num_items: of each part of the twin or of the official folder (None: all
    of that). data: that folder. words: puts what a recogniser hears in place of the words of a
    system, the trivial ones included. keeps_traces: they are wanted afterwards.
    """

    suite: Suite
    play: Play
    num_items: int | None
    seed: int
    baseline: Callable[[str], Play] | None = None
    data: Path | None = None
    words: Callable[[Trace], Trace] = lambda trace: trace
    keeps_traces: bool = False
    advance: Advance = field(default=lambda what, done, total: None)
    synthesize: Synthesizer = field(default_factory=lambda: lru_cache(2048)(synthesize))
    own_voice: str = OWN_VOICE

    def run(self, rows: Sequence[Row], items: list[Item] | None = None) -> Measured:
        """Play all items (or those given), score the rows. Raises ConfigError where there is
        nothing to play."""
        items = self.items() if items is None else items
        traces: list[Trace] = []
        ours = self._scored("system", self.play, items, traces if self.keeps_traces else None)
        few = spread(items, MAX_BASELINE_ITEMS)
        theirs = {
            name: _values(rows, self._scored(name, self._baseline(name), few))
            for name in self.suite.baselines
        }
        return Measured(rows=entries(self.suite, rows, ours, self.seed, theirs), traces=traces)

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

    def _scored(
        self, name: str, play: Play, items: list[Item], keep: list[Trace] | None = None
    ) -> ByRow:
        """What every item says about every row, in the order of the items; `keep` gets the traces,
        too."""
        found: dict[int, tuple[Trace | None, Outcomes]] = {}
        for done, played in enumerate(play(items), 1):
            self.advance(f"{self.suite.name} · {name}", done, len(items))
            trace = self.words(played)
            outcomes = self.suite.score([trace])
            found[id(played.item)] = (None if keep is None else trace, outcomes)
        tagged: ByRow = {}
        for item in items:
            trace, outcomes = found[id(item)]
            if keep is not None and trace is not None:
                keep.append(trace)
            of_item = item_id(item)
            for row, each in outcomes.items():
                tagged.setdefault(row, []).extend((of_item, outcome) for outcome in each)
        return tagged

    def _baseline(self, name: str) -> Play:
        if self.baseline is not None:
            return self.baseline(name)
        oracle = Oracle(name, self.synthesize, self.own_voice)
        return lambda items: play(items, oracle, self.synthesize)


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


def entries(
    suite: Suite,
    rows: Sequence[Row],
    ours: ByRow,
    seed: int,
    baselines: dict[str, dict[str, float | None]],
) -> dict[str, dict[str, Any]]:
    """JSON entries of rows. baselines: name -> row -> value of that trivial system."""
    found = {}
    for row in rows:
        beside = {name: values[row.name] for name, values in baselines.items()}
        about = {"suite": suite.name, "outcomes": columns(ours.get(row.name, []))}
        found[row.name] = entry(row, _score(row, ours, seed), beside) | about
    return found


def _score(row: Row, scored: ByRow, seed: int) -> Score:
    outcomes = [outcome for _, outcome in scored.get(row.name, ())]
    return summarize(outcomes, row.statistic, seed, weights=row.weights)


def _values(rows: Sequence[Row], scored: ByRow) -> dict[str, float | None]:
    return {row.name: _score(row, scored, seed=0).value for row in rows}


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
