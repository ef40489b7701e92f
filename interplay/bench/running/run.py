"""What one run needs everywhere, and how its suites are measured: one by one, or side by side in
several processes.

Knows nothing of how options are spelled, of tables or of files of results.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from interplay.bench.listening import recognisers, vad
from interplay.bench.listening.recognisers import OWN
from interplay.bench.playing.stage import Synthesizer
from interplay.bench.results.facts import versions
from interplay.bench.results.page.page import worst_traces
from interplay.bench.running.endpoints import Endpoint, Play, open_endpoint
from interplay.bench.running.journal import Journal
from interplay.bench.running.measure import (
    SYSTEM,
    Advance,
    Going,
    Measured,
    SuiteBench,
    grouped,
    unplayed,
)
from interplay.bench.running.workers import Job, Workers
from interplay.bench.scoring.rows import Row
from interplay.bench.suites import BEHAVIOURS
from interplay.bench.suites.base import Suite
from interplay.bench.traces.kept import Kept, check_folder, resuming
from interplay.bench.traces.trace import Trace
from interplay.data.voices import OWN_VOICE
from interplay.errors import UnsupportedError

if TYPE_CHECKING:
    from interplay.model.checkpoint import Loaded

Entries = dict[str, dict[str, Any]]  # row name -> its JSON entry
Words = Callable[[Trace], Trace]


@dataclass(frozen=True, kw_only=True)
class Ears:
    """words_from, vad: names of the recogniser (or that there is none) and of the detector of
    speech, as they go into the results. hear: puts the speech that the detector finds, and the
    recogniser's words in it, in place of what the energy and the system itself say."""

    words_from: str
    vad: str
    hear: Words


def open_ears(args: argparse.Namespace) -> Ears:
    """Raises ConfigError for a name that there is not."""
    detector = vad.detector(args.vad)
    if args.recogniser in (None, OWN):
        return Ears(words_from=OWN, vad=detector.name, hear=lambda t: vad.detected(t, detector))
    found = recognisers.recogniser(args.recogniser)
    return Ears(
        words_from=found.name,
        vad=detector.name,
        hear=lambda t: recognisers.transcribed(vad.detected(t, detector), found),
    )


@dataclass(kw_only=True)
class Run:
    """What one run needs everywhere. journal: of the suite that is running, where no traces are
    kept. traces: of suites, for the page."""

    args: argparse.Namespace
    report: dict[str, Any]
    endpoint: Endpoint
    loaded: "Loaded | None"
    synthesize: Synthesizer
    words: Words
    workers: Workers | None
    journal: Journal | None = None
    traces: list[Trace] = field(default_factory=list)
    _play: Play | None = None

    def play(self, suite: str) -> Play:
        """Of the endpoint; it is opened once. What --keep holds is not played again."""
        kept = self.kept(suite)
        return self._opened() if kept is None else resuming(self._opened(), kept)

    def kept(self, suite: str) -> Kept | None:
        """The folder of --keep, if any. Raises RecordError where it is another system's."""
        if self.args.keep is None:
            return None
        about = {key: self.report[key] for key in ("endpoint", "clock", "seed", "weights")}
        facts = {key: self.report[key] for key in ("judge", "data")} | {"versions": versions()}
        kept = Kept(folder=self.args.keep, suite=suite, about=about, facts=facts)
        check_folder(kept)
        return kept

    def _opened(self) -> Play:
        if self._play is None and self.workers is not None:
            self._play = self.workers.play(self.endpoint)
        elif self._play is None:
            self._play = open_endpoint(
                self.endpoint,
                clock=self.report["clock"],
                seed=self.args.seed,
                synthesize=self.synthesize,
                own_voice=OWN_VOICE,
                loaded=self.loaded,
                num_sessions=self.report["sessions"] or 1,
            )
        return self._play


def one_by_one(
    run: Run, suites: Sequence[Suite], missing: Sequence[Row], advance: Advance
) -> Iterator[tuple[Suite, Entries]]:
    """Suites as they are measured, one after the other."""
    for suite in suites:
        rows = [row for row in suite.rows if row in missing]
        try:
            measured = _bench(run, suite, advance).run(rows)
        except UnsupportedError as error:
            if len(suites) == 1:
                raise
            yield suite, unplayed(suite, rows, str(error))
            continue
        yield suite, _rows_of(run, measured)


def side_by_side(
    run: Run, suites: Sequence[Suite], missing: Sequence[Row], advance: Advance
) -> Iterator[tuple[Suite, Entries]]:
    """The same in several processes: the next suite begins while a suite's last items are still
    being played. Last suites first: they have the longest items."""
    assert run.workers is not None
    going: dict[str, Going] = {}

    def jobs() -> Iterator[Job]:
        for suite in reversed(suites):
            rows, kept = [row for row in suite.rows if row in missing], run.kept(suite.name)
            going[suite.name] = begun = _bench(run, suite, advance).begin(rows)
            for who, item in begun.jobs():
                if who != SYSTEM:
                    beside = Endpoint(kind="baseline", target=who)
                    yield Job(endpoint=beside, item=item, owner=(suite, who, None))
                elif kept is not None and (trace := kept.find(item)) is not None:
                    begun.take(who, trace)
                else:
                    yield Job(endpoint=run.endpoint, item=item, owner=(suite, who, kept))

    for job, trace in run.workers.play_all(jobs()):
        suite, who, kept = job.owner
        going[suite.name].take(who, trace if kept is None else kept.write(trace))
        if going[suite.name].is_over:
            yield suite, _rows_of(run, going.pop(suite.name).measured())


def _bench(run: Run, suite: Suite, advance: Advance) -> SuiteBench:
    args = run.args
    return SuiteBench(
        suite=suite,
        play=run.play(suite.name),
        num_items=num_items_of(suite, args),
        seed=args.seed,
        baseline=baselines(run.workers),
        data=args.data,
        words=run.words,
        keeps_traces=args.html is not None,
        journal=run.journal,
        judge=run.report["judge"],
        in_real_time=run.report["clock"] == "wall",
        advance=advance,
        synthesize=run.synthesize,
    )


def num_items_of(suite: Suite, args: argparse.Namespace) -> int | None:
    """What a suite is asked for: so many items of each of its parts; as one of `behaviours` so
    many in all, spread evenly over its parts."""
    if args.suite != BEHAVIOURS:
        return args.n
    num_parts = len(grouped(suite.twin(1, args.seed), suite.together))
    return math.ceil(args.n / max(1, num_parts))


def _rows_of(run: Run, measured: Measured) -> Entries:
    """All rows of a suite. Of the traces only those that the page shows are kept."""
    run.traces += worst_traces(measured.rows, measured.traces)
    return measured.rows


def baselines(workers: Workers | None) -> Callable[[str], Play] | None:
    """How trivial systems are played, by name."""
    if workers is None:
        return None
    return lambda name: workers.play(Endpoint(kind="baseline", target=name))
