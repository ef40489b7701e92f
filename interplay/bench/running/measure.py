"""Measures one suite: draws its items, plays them beside the baselines, scores the traces.

A trace is scored as soon as its item (or the group of items that are scored together) ends and then
forgotten, so a thousand of them need no memory.

Knows nothing of tables, of the command line or of how a system is reached.
"""

import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from interplay.bench.playing.logical_clock import play
from interplay.bench.playing.stage import Synthesizer, num_turns
from interplay.bench.results.outcomes import Tagged, columns, noted, row_score, row_value
from interplay.bench.results.report import entry
from interplay.bench.running.apart import Apart
from interplay.bench.running.endpoints import Play
from interplay.bench.running.journal import Journal
from interplay.bench.scoring.rows import Row
from interplay.bench.suites.base import Outcomes, Suite
from interplay.bench.systems.oracle import Oracle
from interplay.bench.systems.policies import POLICIES
from interplay.bench.traces.item_json import item_id
from interplay.bench.traces.trace import Trace
from interplay.bench.wording.rules import RULE
from interplay.data.item import Item
from interplay.data.speech import synthesize
from interplay.data.voices import OWN_VOICE
from interplay.errors import ConfigError

MAX_BASELINE_ITEMS = 60  # trivial systems need no narrow intervals
SYSTEM = ""  # who is measured, beside the trivial systems
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
    rows that are judged. in_real_time: what is played is scored in a thread of its own, so that no
    session waits for a judge or a recogniser.
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
    in_real_time: bool = False
    advance: Advance = field(default=lambda what, done, total: None)
    synthesize: Synthesizer = field(default_factory=lambda: lru_cache(2048)(synthesize))
    own_voice: str = OWN_VOICE

    def run(self, rows: Sequence[Row], items: list[Item] | None = None) -> Measured:
        """Play all items (or those given) at one system after another, score the rows. Raises
        ConfigError where there is nothing to play."""
        going = self.begin(rows, items)
        with Apart(going.take) if self.in_real_time else nullcontext(going.take) as take:
            for who, waiting in going.waiting.items():
                for trace in self._player(who)(waiting) if waiting else ():
                    take(who, trace)
        return going.measured()

    def begin(self, rows: Sequence[Row], items: list[Item] | None = None) -> "Going":
        """What has to be played for the rows. Raises as `run`."""
        return Going(self, rows, self.items() if items is None else items)

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

    def _player(self, who: str) -> Play:
        if who == SYSTEM:
            return self.play
        if self.baseline is not None:
            return self.baseline(who)
        oracle = Oracle(who, self.synthesize, self.own_voice)
        return lambda items: play(items, oracle, self.synthesize)


class Going:
    """One suite while it is played, at the system and beside it.

    waiting: who (SYSTEM, or the name of a trivial system) -> items that it has still to play. Those
    that the journal knows are not among them. A trivial system that acts by scripts plays nothing
    where no item has one, as in most official data: it would be the silent system under another
    name.
    """

    def __init__(self, bench: SuiteBench, rows: Sequence[Row], items: list[Item]) -> None:
        self._bench, self._rows = bench, rows
        if bench.data is not None and not bench.suite.loads_own:
            self._rows = [replace(row, reach=None) for row in rows]
        groups = grouped(items, bench.suite.together)
        firsts = spread([group[0] for group in groups], MAX_BASELINE_ITEMS)
        self._groups = {id(item): group for group in groups for item in group}
        few = [item for first in firsts for item in self._groups[id(first)]]
        has_script = any(item.expect for item in few)
        self._items = {SYSTEM: items}
        for name in bench.suite.baselines:
            if has_script or not POLICIES[name].knows:
                self._items[name] = few
        self._found: dict[str, dict[int, Outcomes]] = {who: {} for who in self._items}
        self._held: dict[tuple[str, int], Trace] = {}  # (who, item), until its group has ended
        self._traces: dict[int, Trace] = {}  # of the system
        for group in groups:
            known = [self._known(item) for item in group]
            if all(outcomes is not None for outcomes in known):
                ours = {id(i): outcomes or {} for i, outcomes in zip(group, known, strict=True)}
                self._found[SYSTEM] |= ours
        self.waiting = {
            who: [item for item in theirs if id(item) not in self._found[who]]
            for who, theirs in self._items.items()
        }

    def _known(self, item: Item) -> Outcomes | None:
        """What an interrupted run has found about an item."""
        journal = self._bench.journal
        return journal.find(self._bench.suite.name, item_id(item)) if journal else None

    def jobs(self) -> Iterator[tuple[str, Item]]:
        """(who, item) of all that waits, in a good order for several at once: long items first;
        the trivial systems behind, item by item, so that whoever has made the sound of a user needs
        it again soon."""
        for item in sorted(self.waiting[SYSTEM], key=num_turns, reverse=True):
            yield SYSTEM, item
        others = [who for who in self.waiting if who != SYSTEM]
        for item in self.waiting[others[0]] if others else ():
            yield from ((who, item) for who in others)

    @property
    def is_over(self) -> bool:
        return all(len(self._found[who]) == len(theirs) for who, theirs in self._items.items())

    def take(self, who: str, played: Trace) -> None:
        """Score what somebody has played, in any order; items of a group when all of it is there,
        and their outcomes are those of its first item."""
        bench = self._bench
        self._held[who, id(played.item)] = bench.words(played)
        group = self._groups[id(played.item)]
        if not all((who, id(item)) in self._held for item in group):
            return
        traces = [self._held.pop((who, id(item))) for item in group]
        notes = [note for trace in traces for note in trace.notes]
        scored = bench.suite.score(traces)
        outcomes = {row: noted(each, notes) for row, each in scored.items()}
        for item in group:
            found = outcomes if item is group[0] else {}
            if who == SYSTEM and bench.journal:
                bench.journal.add(bench.suite.name, item_id(item), found)
            self._found[who][id(item)] = found
        if who == SYSTEM and bench.keeps_traces:
            self._traces |= {id(trace.item): trace for trace in traces}
        done, total = len(self._found[who]), len(self._items[who])
        bench.advance(f"{bench.suite.name} · {who or 'system'}", done, total)

    def measured(self) -> Measured:
        """All rows, once everything has been played."""
        bench = self._bench
        beside: dict[str, dict[str, float | None]] = {}
        for name in bench.suite.baselines:
            scored = self._tagged(name) if name in self._items else None
            beside[name] = {
                row.name: None if scored is None else row_value(row, scored.get(row.name, []))
                for row in self._rows
            }
        ours = self._tagged(SYSTEM)
        found = entries(bench.suite, self._rows, ours, bench.seed, beside, bench.judge)
        mine = [self._traces[id(i)] for i in self._items[SYSTEM] if id(i) in self._traces]
        return Measured(rows=found, traces=mine)

    def _tagged(self, who: str) -> ByRow:
        """What every item says about every row, in the order of the items."""
        tagged: ByRow = {}
        for item in self._items[who]:
            of_item = item_id(item)
            for row, each in self._found[who][id(item)].items():
                tagged.setdefault(row, []).extend((of_item, outcome) for outcome in each)
        return tagged


def grouped(items: Sequence[Item], key: Callable[[Item], Hashable] | None) -> list[list[Item]]:
    """Items that are scored together, in their order: those with the same key; without one, each
    alone."""
    found: dict[Hashable, list[Item]] = {}
    for item in items:
        found.setdefault(id(item) if key is None else key(item), []).append(item)
    return list(found.values())


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
