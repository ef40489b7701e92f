"""Runs the serve suite: each probe starts the server programs that it needs, drives them, and its
rows become entries beside baselines and limits.

Knows nothing of tables or of the command line.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import soxr

from interplay.bench.playing.logical_clock import play
from interplay.bench.playing.stage import Synthesizer
from interplay.bench.results.report import entry
from interplay.bench.scoring.answering import answer_latency
from interplay.bench.scoring.rows import BASELINES, FIRST, LOAD, LONG, RESUME, SEARCH, STOP, Row
from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.serve.capacity import search
from interplay.bench.serve.live_client import RATE_HZ
from interplay.bench.serve.load import LoadReport, drive
from interplay.bench.serve.long import drift_outcomes, long_session, memory_outcomes
from interplay.bench.serve.program import change, late_ticks, read_numbers, server_program
from interplay.bench.serve.resuming import kill_and_resume
from interplay.bench.serve.stopping import stop_time
from interplay.bench.serve.talker import GUARD_S, Played, talk
from interplay.bench.systems.oracle import Oracle
from interplay.bench.traces.trace import Trace
from interplay.clock import SAMPLE_RATE_HZ, TURN_S
from interplay.data import heldout
from interplay.data.item import Item
from interplay.data.speech import synthesize
from interplay.data.voices import OWN_VOICE

TALKING_SESSIONS = 1  # at once while single items are played: many at once is what loads are for
MAX_BASELINE_ITEMS = 60
NUM_EXPLAINED = 3  # late ticks of a load
NUM_QUESTIONS = 20  # of the user who talks all the time
LOCKSTEP = ("interplay.bench.serve.lockstep",)
Advance = Callable[[str, int, int], None]  # what is running, done, of how many
Server = Callable[..., AbstractContextManager[int]]
Scorer = Callable[[Trace], list[Outcome]]
Results = dict[str, tuple[list[Outcome], dict[str, Any]]]  # row -> outcomes, and what goes with it


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much a probe does unless told otherwise. count: items, sessions or kills. seconds: of
    real time, or of the session in the long one; 0: as long as its items last."""

    count: int
    seconds: float = 0.0


EXTENTS = {
    FIRST: Extent(count=100),
    STOP: Extent(count=100),
    SEARCH: Extent(count=16, seconds=600),
    LOAD: Extent(count=16, seconds=60),
    LONG: Extent(count=1, seconds=7200),
    RESUME: Extent(count=200),
}
ITEMS: dict[str, tuple[str, Scorer]] = {  # probe -> kind of item, score
    FIRST: ("answer", answer_latency),
    STOP: ("interrupt", stop_time),
}


@dataclass(kw_only=True)
class ServeBench:
    """How the suite is run.

    model: what `interplay serve --model` takes. count, seconds: of every probe, None: its own.
    server: starts a server program, for tests to replace.
    """

    model: str
    seed: int = 0
    count: int | None = None
    seconds: float | None = None
    advance: Advance = field(default=lambda what, done, total: None)
    synthesize: Synthesizer = field(default_factory=lambda: lru_cache(2048)(synthesize))
    draw: Callable[[str, int, int], list[Item]] = heldout.items
    server: Server = server_program
    own_voice: str = OWN_VOICE

    def run(self, rows: Sequence[Row]) -> Iterator[tuple[Row, dict[str, Any]]]:
        """Measure the rows; yields (row, its JSON entry), probe by probe."""
        for kind in dict.fromkeys(row.kind for row in rows):
            wanted = [row for row in rows if row.kind == kind]
            results = PROBES[kind](self, kind)
            baselines = self._baselines(kind)
            for row in wanted:
                outcomes, about = results[row.name if row.name in results else kind]
                score = summarize(outcomes, row.statistic, self.seed)
                theirs = {name: summarize(b, row.statistic, 0).value for name, b in baselines}
                yield row, entry(row, score, theirs) | {"suite": "serve", "about": about}

    def _count(self, kind: str) -> int:
        return self.count or EXTENTS[kind].count

    def _seconds(self, kind: str) -> float:
        return self.seconds or EXTENTS[kind].seconds

    def _baselines(self, kind: str) -> list[tuple[str, list[Outcome]]]:
        """The trivial systems on the same items, on the logical clock: no way, no computing."""
        if kind not in ITEMS:
            return []
        item_kind, score = ITEMS[kind]
        items = self.draw(item_kind, min(self._count(kind), MAX_BASELINE_ITEMS), self.seed)
        found = []
        for name in BASELINES:
            oracle = Oracle(name, self.synthesize, self.own_voice)
            outcomes = [o for trace in play(items, oracle, self.synthesize) for o in score(trace)]
            found.append((name, outcomes))
        return found

    def items_probe(self, kind: str) -> Results:
        """Items played in real time, a few at once."""
        item_kind, score = ITEMS[kind]
        items = self.draw(item_kind, self._count(kind), self.seed)
        num_sessions = min(TALKING_SESSIONS, len(items))
        with self.server(self.model, num_sessions) as port:
            before = read_numbers(port)
            played = talk(
                port,
                items,
                self.synthesize,
                num_sessions=num_sessions,
                seed=self.seed,
                advance=lambda done: self.advance(f"{item_kind} · wall", done, len(items)),
            )
            report = LoadReport.of(change(before, read_numbers(port)), num_sessions, 0.0)
        outcomes = [outcome for one in played for outcome in score(one.trace)]
        return {kind: (outcomes, _about_talk(played, report))}

    def load_probe(self, kind: str) -> Results:
        """The server under real-time load."""
        report = self._load(self._count(kind), self._seconds(kind))
        cpu_ms = 1000 * (report.cpu_s - report.model_cpu_s)
        outcome = Outcome(value=cpu_ms, of=float(max(1, report.num_session_ticks)))
        return {kind: ([outcome], _about_load(report))}

    def search_probe(self, kind: str) -> Results:
        """The largest load without a miss."""
        loads: list[LoadReport] = []

        def load(num_sessions: int, seconds: float) -> LoadReport:
            report = self._load(num_sessions, seconds, until_miss=True)
            loads.append(report)
            found = f"{num_sessions} sessions: {report.num_misses} missed in {report.seconds:g} s"
            print(found, flush=True)  # a search takes half an hour: what it has found is not lost
            return report

        found = search(load, first=self._count(kind), seconds=self._seconds(kind))
        tried = [list(one) for one in found.tried]
        about = _about_load(found.held) | {"tried_sessions_seconds_misses": tried}
        about["late_ticks"] = [tick for report in loads for tick in report.late]
        return {kind: ([Outcome(value=float(found.num_sessions))], about)}

    def _load(self, num_sessions: int, seconds: float, *, until_miss: bool = False) -> LoadReport:
        what = f"{num_sessions} sessions"
        with TemporaryFile() as log:
            with self.server(self.model, num_sessions, log=log) as port:
                report = drive(
                    port,
                    num_sessions,
                    seconds,
                    self._user()[: 4 * SAMPLE_RATE_HZ],
                    seed=self.seed,
                    until_miss=until_miss,
                    advance=lambda second: self.advance(what, second, int(seconds)),
                )
            log.seek(0)
            return replace(report, late=tuple(late_ticks(log)[:NUM_EXPLAINED]))

    def long_probe(self, kind: str) -> Results:
        """Hours on pretended time."""
        num_turns = round(self._seconds(kind) / TURN_S)
        with self.server(self.model, 1, LOCKSTEP) as port:
            session = long_session(
                port,
                _at_24khz(self._user()),
                num_turns,
                advance=lambda turn: self.advance("long session", turn, num_turns),
            )
        about = {"turns": num_turns, "mebibytes": round(session.memory[-1] / 2**20, 1)}
        about |= {"turns_filled_or_dropped": session.num_filled}
        return {
            "long_memory_growth": (memory_outcomes(session), about),
            "long_drift_ticks": (drift_outcomes(session), about),
        }

    def resume_probe(self, kind: str) -> Results:
        """Connections killed in real time."""
        num_kills = self._count(kind)
        with self.server(self.model, 1) as port:
            found = kill_and_resume(
                port,
                _at_24khz(self._user()),
                num_kills,
                seed=self.seed,
                advance=lambda kill: self.advance("kills", kill, num_kills),
            )
        return {kind: (found.outcomes(), {"kills": found.num_kills, "words": found.num_words})}

    def _user(self) -> np.ndarray:
        """Somebody who asks one question after another: float32 at 16 kHz."""
        items = self.draw("answer", NUM_QUESTIONS, self.seed)
        silent = Oracle("silent", self.synthesize, self.own_voice)
        tracks = [trace.user for trace in play(items, silent, self.synthesize)]
        return np.concatenate(tracks).astype(np.float32) / 32768


def _at_24khz(samples: np.ndarray) -> np.ndarray:
    return np.rint(32767 * np.clip(soxr.resample(samples, SAMPLE_RATE_HZ, RATE_HZ), -1, 1)).astype(
        np.int16
    )


def _about_talk(played: list[Played], report: LoadReport) -> dict[str, Any]:
    """Where the server's own part of a latency goes: sound is sent a little ahead of the beat, the
    server computes, and the client holds what comes."""
    return {
        "sessions": report.num_sessions,
        "misses": report.num_misses,
        "gaps": report.num_gaps,
        "underruns": sum(one.num_underruns for one in played),
        "yields": sum(one.num_yields for one in played),
        "client_jitter_p95_ms": _percentile_ms([one.jitter_s for one in played], 95),
        "sent_ahead_ms": round(1000 * GUARD_S, 1),
        "compute_p50_ms": _percentile_ms([s for one in played for s in one.compute_s], 50),
        "held_p50_ms": _percentile_ms([s for one in played for s in one.held_s], 50),
        "model_ms": round(report.model_ms, 2),
    }


def _percentile_ms(seconds: Sequence[float], percent: float) -> float | None:
    """None where nothing was measured."""
    return round(1000 * float(np.percentile(seconds, percent)), 1) if seconds else None


def _about_load(report: LoadReport) -> dict[str, Any]:
    return {
        "sessions": report.num_sessions,
        "seconds": report.seconds,
        "misses": report.num_misses,
        "gaps": report.num_gaps,
        "model_ms": round(report.model_ms, 2),
        "overhead_ms": round(report.overhead_ms, 3),
        "late_ticks": list(report.late),
    }


PROBES: dict[str, Callable[[ServeBench, str], Results]] = {
    FIRST: ServeBench.items_probe,
    STOP: ServeBench.items_probe,
    SEARCH: ServeBench.search_probe,
    LOAD: ServeBench.load_probe,
    LONG: ServeBench.long_probe,
    RESUME: ServeBench.resume_probe,
}
