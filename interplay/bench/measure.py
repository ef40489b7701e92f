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
from interplay.bench.journal import Journal
from interplay.bench.oracle import Oracle
from interplay.bench.outcomes import Tagged, columns, noted, row_score, row_value
from interplay.bench.policies import POLICIES
from interplay.bench.report import entry
from interplay.bench.rows import Row
from interplay.bench.rules import RULE
from interplay.bench.runner import play
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
    system, the trivial ones included. keeps_traces: they are wanted afterwards. journal: holds what
    an interrupted run has found; those items are not played again, and have no trace. judge: of the
    rows that are judged.
    """

    suite: Suite
    play: Play
    num_items: int | None
    seed: int
    baseline: Callable[[str], Play] | None = None
    data: Path | None = None
    words: Callable[[Trace], Trace] = lambda trace: trace
    keeps_traces: bool = False
    journal: Journal | None = None
    judge: str = RULE
    advance: Advance = field(default=lambda what, done, total: None)
    synthesize: Synthesizer = field(default_factory=lambda: lru_cache(2048)(synthesize))
    own_voice: str = OWN_VOICE

    def run(self, rows: Sequence[Row], items: list[Item] | None = None) -> Measured:
        """Play all items (or those given), score the rows. Raises ConfigError where there is
        nothing to play."""
        items = self.items() if items is None else items
        traces: list[Trace] = []
        keep = traces if self.keeps_traces else None
        ours = self._scored("system", self.play, items, keep, self.journal)
        few = spread(items, MAX_BASELINE_ITEMS)
        theirs = {name: self._trivial(name, rows, few) for name in self.suite.baselines}
        found = entries(self.suite, rows, ours, self.seed, theirs, self.judge)
        return Measured(rows=found, traces=traces)

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
        self,
        name: str,
        play: Play,
        items: list[Item],
        keep: list[Trace] | None = None,
        journal: Journal | None = None,
    ) -> ByRow:
        """What every item says about every row, in the order of the items; `keep` gets the traces,
        too."""
        found: dict[int, tuple[Trace | None, Outcomes]] = {}
        for item in items if journal else ():
            known = journal.find(self.suite.name, item_id(item)) if journal else None
            if known is not None:
                found[id(item)] = (None, known)
        waiting = [item for item in items if id(item) not in found]
        for played in play(waiting) if waiting else ():
            trace = self.words(played)
            scored = self.suite.score([trace])
            outcomes = {row: noted(each, trace.notes) for row, each in scored.items()}
            if journal:
                journal.add(self.suite.name, item_id(played.item), outcomes)
            found[id(played.item)] = (None if keep is None else trace, outcomes)
            self.advance(f"{self.suite.name} · {name}", len(found), len(items))
        tagged: ByRow = {}
        for item in items:
            trace, outcomes = found[id(item)]
            if keep is not None and trace is not None:
                keep.append(trace)
            of_item = item_id(item)
            for row, each in outcomes.items():
                tagged.setdefault(row, []).extend((of_item, outcome) for outcome in each)
        return tagged

    def _trivial(
        self, name: str, rows: Sequence[Row], items: list[Item]
    ) -> dict[str, float | None]:
        """Row -> value of a trivial system; None for one that acts by scripts where no item has
        one, as in most official data: it would be the silent system under another name."""
        if POLICIES[name].knows and not any(item.expect for item in items):
            return dict.fromkeys(row.name for row in rows)
        scored = self._scored(name, self._baseline(name), items)
        return {row.name: row_value(row, scored.get(row.name, [])) for row in rows}

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
    judge: str = RULE,
) -> dict[str, dict[str, Any]]:
    """JSON entries of rows. baselines: name -> row -> value of that trivial system. judge: of the
    rows that are judged; the others are decided by rule."""
    found = {}
    for row in rows:
        beside = {name: values[row.name] for name, values in baselines.items()}
        by = judge if row.is_judged else RULE
        about = {"suite": suite.name, "judge": by, "outcomes": columns(ours.get(row.name, []))}
        found[row.name] = entry(row, row_score(row, ours.get(row.name, []), seed), beside) | about
    return found


def unplayed(suite: Suite, rows: Sequence[Row], why: str) -> dict[str, dict[str, Any]]:
    """JSON entries of rows without a value, because the system cannot play the suite."""
    found = entries(suite, rows, {}, 0, {})
    return {name: row | {"about": {"why": why}} for name, row in found.items()}


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
