"""Runs the core suite: items are drawn, played and scored kind by kind, beside the baselines.

Knows nothing of tables or of the command line.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch

from interplay.bench.listening.grammar import Recognizer
from interplay.bench.playing.logical_clock import System, play
from interplay.bench.playing.stage import Synthesizer
from interplay.bench.results.outcomes import Tagged, columns, noted, row_score, row_value
from interplay.bench.results.report import entry
from interplay.bench.running.endpoints import Play
from interplay.bench.scoring import answering, hearing, machine, overlap, timing, voice
from interplay.bench.scoring.bits import bits_outcomes
from interplay.bench.scoring.rows import BASELINES, BITS, SEEING_TICK_MS, SESSION, TICK, Row
from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.systems.local import LocalSystem
from interplay.bench.systems.oracle import Oracle
from interplay.bench.traces.item_json import item_id
from interplay.bench.traces.trace import Trace
from interplay.bench.wording.rules import RULE
from interplay.data import heldout
from interplay.data.item import Item
from interplay.data.speech import synthesize
from interplay.data.voices import OWN_VOICE
from interplay.engine.engine import Engine
from interplay.model.checkpoint import Loaded
from interplay.turns.types import InputHalf

MAX_BASELINE_ITEMS = 60  # trivial systems need no narrow intervals
TURNS_PER_ITEM = 30  # of the long session: 300 items stand for its full 30 minutes
Scorer = Callable[[Trace], list[Outcome]]
Advance = Callable[[str, int, int], None]  # what is running, done, of how many


def _with_silence(scorer: Scorer) -> Scorer:
    """The scorer, and a failed try for every stretch of expected silence that was broken."""

    def score(trace: Trace) -> list[Outcome]:
        broken = [outcome for outcome in timing.silence(trace) if not outcome.value]
        return [*scorer(trace), *(Outcome(value=0, notes=("spoke_unasked",)) for _ in broken)]

    return score


PLAIN: dict[str, Scorer] = {
    "heard_wer": hearing.heard_wer,
    "heard_wer_unseen_engine": hearing.heard_wer,
    "heard_acc_human": hearing.heard_acc,
    "answer_acc": _with_silence(answering.answer_acc),
    "answer_latency_p50_s": answering.answer_latency,
    "repeat_acc": _with_silence(answering.answer_acc),
    "elapsed_acc": _with_silence(answering.answer_acc),
    "pause_takeover": overlap.pause_takeover,
    "interrupt_stop": overlap.interrupt_stop,
    "backchannel_continue": overlap.backchannel_continue,
    "timer_hit": timing.timer_hit,
    "delegate_acc": answering.delegate_acc,
}
BY_POCKETSPHINX = {
    "read_aloud_acc": voice.wanted_words,
    "read_aloud_acc_unseen": voice.wanted_words,
    "voice_acc_pocketsphinx": voice.own_words,
}
BY_ITSELF = "voice_acc_self"


@dataclass(kw_only=True)
class Bench:
    """How a suite is run.

    loaded: the model, or None to measure the oracle of that name. play: plays items at the system
    instead; then the model is only a name. baseline: how items are played at a trivial system, by
    its name; None: in this process. wall: the long session runs in real time. advance: called as
    work goes on.
    """

    model: str
    loaded: Loaded | None
    num_items: int
    seed: int
    wall: bool = False
    play: Play | None = None
    baseline: Callable[[str], Play] | None = None
    advance: Advance = field(default=lambda what, done, total: None)
    synthesize: Synthesizer = field(default_factory=lambda: lru_cache(2048)(synthesize))
    draw: Callable[[str, int, int], list[Item]] = heldout.items
    own_voice: str = OWN_VOICE

    def run(self, rows: Sequence[Row]) -> Iterator[tuple[Row, dict[str, Any]]]:
        """Measure the rows; yields (row, its JSON entry), kind by kind."""
        kinds = {row.kind: [r for r in rows if r.kind == row.kind] for row in rows}
        drawn = {k: self.draw(k, self.num_items, self.seed) for k in kinds if k not in PROBES}
        measured = self.play
        for kind, wanted in kinds.items():
            if kind in PROBES:
                yield from self._probe(kind, wanted)
                continue
            measured = measured or self._player(self.model)
            yield from self._kind(wanted, drawn[kind], measured)

    def _player(self, name: str) -> Play:
        system: System
        if self.loaded is None or name in BASELINES:
            system = Oracle(name, self.synthesize, self.own_voice)
        else:
            system = LocalSystem(self.loaded, name=name, seed=self.seed)
        return lambda items: play(items, system, self.synthesize)

    def _kind(
        self, rows: list[Row], items: list[Item], measured: Play
    ) -> Iterator[tuple[Row, dict[str, Any]]]:
        """All rows that are scored on the same items."""
        ours = self._outcomes(rows, items, self.model, measured)
        few = items[:MAX_BASELINE_ITEMS]
        baseline = self.baseline or self._player
        theirs = {name: self._outcomes(rows, few, name, baseline(name)) for name in BASELINES}
        for row in rows:
            baselines = {name: row_value(row, found[row.name]) for name, found in theirs.items()}
            about = {"suite": "core", "judge": RULE, "outcomes": columns(ours[row.name])}
            yield row, entry(row, row_score(row, ours[row.name], self.seed), baselines) | about

    def _outcomes(
        self, rows: list[Row], items: list[Item], name: str, play: Play
    ) -> dict[str, list[Tagged]]:
        """Row -> (item, outcome) of a system, which is called `name`, in the order of the items."""
        scorers = self._scorers(rows, items)
        found: dict[str, list[Tagged]] = {row.name: [] for row in rows}
        again: list[Item] = []
        whose: list[str] = []
        for trace in self._play(items, name, play):
            item_name = item_id(trace.item)
            for row, scorer in scorers.items():
                outcomes = noted(scorer(trace), trace.notes)
                found[row] += [(item_name, outcome) for outcome in outcomes]
            if BY_ITSELF in found:
                item = voice.item_for_itself(trace)
                again += [item] if item else []
                whose += [item_name] if item else []
                silent = Outcome(value=0, of=len(voice.own_words(trace)), notes=("silent",))
                found[BY_ITSELF] += [] if item else [(item_name, silent)]
        names = {id(item): item_name for item, item_name in zip(again, whose, strict=True)}
        for trace in self._play(again, name, play):
            heard = [word.text for word in trace.heard]
            outcome = voice.accuracy(hearing.reference(trace), heard)
            found[BY_ITSELF].append((names[id(trace.item)], outcome))
        order = {item_id(item): index for index, item in enumerate(items)}
        for tagged in found.values():
            tagged.sort(key=lambda each: order[each[0]])
        return found

    def _play(self, items: list[Item], name: str, play: Play) -> Iterator[Trace]:
        for done, trace in enumerate(play(items), 1):
            self.advance(f"{trace.item.kind} · {name}", done, len(items))
            yield trace

    def _scorers(self, rows: list[Row], items: list[Item]) -> dict[str, Scorer]:
        """The scorers of all rows but `BY_ITSELF`; what pocketsphinx takes is worked out once."""
        scorers = {row.name: PLAIN[row.name] for row in rows if row.name in PLAIN}
        references = {r.name: BY_POCKETSPHINX[r.name] for r in rows if r.name in BY_POCKETSPHINX}
        if references:
            words = voice.vocabulary(items)
            recognizer = Recognizer(words, self.synthesize, self.own_voice)
            recognised = lru_cache(1)(partial(voice.words_aloud, recognizer))
        for name, reference in references.items():
            scorers[name] = lambda trace, reference=reference: [
                voice.accuracy(reference(trace), recognised(trace))
            ]
        return scorers

    def _probe(self, kind: str, rows: list[Row]) -> Iterator[tuple[Row, dict[str, Any]]]:
        """Rows about the machine; an oracle has none."""
        found = Probed(outcomes={}) if self.loaded is None else PROBES[kind](self)
        for row in rows:
            outcomes = found.outcomes.get(row.name, [])
            score = summarize(outcomes, row.statistic, self.seed, weights=row.weights)
            wanted = replace(row, reach=found.reach.get(row.name, row.reach))
            about = {"about": found.about[row.name]} if row.name in found.about else {}
            yield row, entry(wanted, score, {}) | {"suite": "core"} | about

    def _user_traces(self, num_items: int) -> list[Trace]:
        items = self.draw("answer", num_items, self.seed)
        silent = Oracle("silent", self.synthesize, self.own_voice)
        return list(play(items, silent, self.synthesize))

    def session_probe(self) -> "Probed":
        """One long session on one thread; a model with eyes sees and hears in it, and has a shorter
        one in which it hears alone."""
        assert self.loaded is not None
        num_turns = min(machine.SESSION_TURNS, TURNS_PER_ITEM * self.num_items)
        traces = self._user_traces(min(self.num_items, 20))
        with _one_thread():
            engine = Engine(self.loaded, num_slots=1, num_threads=1)
            pictures = machine.moving_picture(self.seed) if engine.has_eyes else []
            halves = machine.user_halves(traces, pictures)
            session = self._long_session("long session", engine, halves, num_turns)
            about: dict[str, Any] = {"saw": engine.has_eyes}
            if engine.has_eyes:
                halves = machine.user_halves(traces)
                few = min(machine.HEARING_TURNS, num_turns)
                alone = self._long_session("hearing alone", engine, halves, few)
                p99_ms = 1000 * float(np.percentile(alone.tick_s, 99))
                about |= {"hearing_alone_p99_ms": round(p99_ms, 2), "hearing_alone_n": few}
        return Probed(
            outcomes={
                TICK: machine.tick_outcomes(session),
                "session_misses": machine.miss_outcomes(session),
                "session_memory_growth": machine.memory_outcomes(session),
            },
            about={TICK: about},
            reach={TICK: SEEING_TICK_MS} if engine.has_eyes else {},
        )

    def _long_session(
        self, what: str, engine: Engine, halves: Sequence[InputHalf], num_turns: int
    ) -> machine.LongSession:
        return machine.long_session(
            engine,
            halves,
            num_turns=num_turns,
            wall=self.wall,
            advance=lambda done: self.advance(what, done, num_turns),
        )

    def bits_probe(self) -> "Probed":
        """The chain from serving to training in both number formats."""
        assert self.loaded is not None
        halves = machine.user_halves(self._user_traces(min(self.num_items, 12)))
        parts = bits_outcomes(self.loaded, halves, num_sessions=self.num_items, seed=self.seed)
        outcomes = [replace(one, group=name) for name in parts for one in parts[name]]
        return Probed(outcomes={"bits_differing": outcomes})


@dataclass(frozen=True, kw_only=True)
class Probed:
    """outcomes: by row. about: what goes with a row as it is. reach: of rows that should reach
    something else than usual with this model."""

    outcomes: dict[str, list[Outcome]]
    about: dict[str, dict[str, Any]] = field(default_factory=dict)
    reach: dict[str, float] = field(default_factory=dict)


@contextmanager
def _one_thread() -> Iterator[None]:
    """torch on one thread, and back to what it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


PROBES: dict[str, Callable[[Bench], Probed]] = {
    SESSION: Bench.session_probe,
    BITS: Bench.bits_probe,
}
