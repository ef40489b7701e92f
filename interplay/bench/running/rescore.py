"""`interplay bench score`: the traces that --keep has written, scored again.

Nothing is played but the trivial systems beside them. Knows nothing of how a system is reached.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from interplay.bench.progress import advancing, console
from interplay.bench.results.facts import machine_facts
from interplay.bench.results.page.page import worst_traces
from interplay.bench.results.report import current_commit
from interplay.bench.running.core import BY_ITSELF, Bench
from interplay.bench.running.endpoints import Play
from interplay.bench.running.judge import facts_of, judge_of, open_judge, tell_unjudged
from interplay.bench.running.main import choose_suite_rows, finish, open_workers
from interplay.bench.running.measure import Advance, Measured, SuiteBench, published_numbers
from interplay.bench.running.run import Ears, Entries, baselines, open_ears
from interplay.bench.running.workers import NUM_SPEECHES, Workers, choose_processes
from interplay.bench.scoring.rows import CORE as CORE_ROWS
from interplay.bench.scoring.rows import Row, choose_rows
from interplay.bench.scoring.voice import ITSELF
from interplay.bench.suites import ALONE, BEHAVIOURS, NAMES, load_suite
from interplay.bench.suites.base import Suite
from interplay.bench.traces.item_json import item_id
from interplay.bench.traces.kept import about_traces, read_traces
from interplay.bench.traces.trace import Trace
from interplay.data.item import Item
from interplay.data.speech import synthesize
from interplay.errors import ConfigError, RecordError

CORE = "core"


def score_kept(args: argparse.Namespace, folder: Path) -> int:
    """Score the traces of an earlier run again. Returns the exit code. Raises RecordError for a
    folder that holds none, or those of no suite."""
    found = read_traces(folder)
    unknown = [name for name in found if name not in (CORE, *NAMES, *ALONE)]
    if unknown:
        raise RecordError(f"{folder} holds traces of {', '.join(unknown)}, which is no suite")
    if CORE in found and (args.recogniser or args.vad):
        raise ConfigError(
            f"{folder} holds traces of core, which has its own words and finds speech by energy; "
            "leave --recogniser and --vad out"
        )
    about, ears = about_traces(folder), open_ears(args)
    judge = open_judge(args.judge, folder)
    suites = [load_suite(name, judge) for name in (*NAMES, *ALONE) if name in found]
    _check_rows(args.rows, [*(CORE_ROWS if CORE in found else ()), *_rows_of(suites)])
    report = {
        "suite": next(iter(found)) if len(found) == 1 else BEHAVIOURS,
        "model": about["endpoint"].partition(":")[2] or about["endpoint"],
        "num_items": None,
        "commit": current_commit(),
        "machine": machine_facts(),
        "suites": {suite.name: suite.what for suite in suites},
        "published": list(published_numbers(suites)),
        "words_from": ears.words_from,
        "vad": ears.vad,
        "judge": judge_of(judge, suites),
        **about,
        "rows": {},
    }
    most = max(len(traces) for traces in found.values())
    screen, shown = console(), []
    tell_unjudged(judge, suites, screen)
    with (
        open_workers(about["seed"], args.jobs or choose_processes(most)) as workers,
        advancing(screen) as advance,
    ):
        if CORE in found:
            report["rows"] |= _core(args, found[CORE], report, workers, advance)
        for suite in suites:
            if not choose_suite_rows(args.rows, [suite]):
                continue
            measured = _suite(args, suite, found[suite.name], report, ears, workers, advance)
            report["rows"] |= measured.rows
            shown += worst_traces(measured.rows, measured.traces)
    report |= facts_of(judge)
    finish(args, report, shown, screen)
    return 0


def _suite(
    args: argparse.Namespace,
    suite: Suite,
    traces: Sequence[Trace],
    report: dict[str, Any],
    ears: Ears,
    workers: Workers | None,
    advance: Advance,
) -> Measured:
    """Its traces have the words that were scored, which may be a recogniser's."""
    bench = SuiteBench(
        suite=suite,
        play=playback(traces),
        num_items=None,
        seed=report["seed"],
        data=None if report.get("data") is None else Path(report["data"]),
        baseline=baselines(workers),
        advance=advance,
        synthesize=lru_cache(NUM_SPEECHES)(synthesize),
        words=ears.hear,
        keeps_traces=args.html is not None,
        judge=report["judge"],
    )
    rows = choose_suite_rows(args.rows, [suite])
    return bench.run(rows, [trace.item for trace in traces])


def _rows_of(suites: Sequence[Suite]) -> list[Row]:
    return [row for suite in suites for row in suite.rows]


def _check_rows(asked: str | None, rows: Sequence[Row]) -> None:
    """Raises ConfigError for names of --rows that none of the suites in the folder has."""
    names = [row.name for row in rows]
    unknown = [name for name in asked.split(",") if name not in names] if asked else []
    if unknown:
        raise ConfigError(
            f"no row {', '.join(unknown)} among those of these traces; rows: {', '.join(names)}"
        )


def _core(
    args: argparse.Namespace,
    traces: Sequence[Trace],
    report: dict[str, Any],
    workers: Workers | None,
    advance: Advance,
) -> Entries:
    """What can be known from traces: the rows about the machine cannot, nor those whose items the
    run had not played when it ended."""
    kinds: dict[str, list[Item]] = {}
    for trace in traces:
        kinds.setdefault(trace.item.kind, []).append(trace.item)
    asked = args.rows.split(",") if args.rows else None
    rows = [row for row in choose_rows(None) if asked is None or row.name in asked]
    bench = Bench(
        model=report["model"],
        loaded=None,
        num_items=max(map(len, kinds.values())),
        seed=report["seed"],
        play=playback(traces),
        baseline=baselines(workers),
        advance=advance,
        synthesize=lru_cache(NUM_SPEECHES)(synthesize),
        draw=lambda kind, _num_items, _seed: kinds[kind],
    )
    known = [row for row in rows if row.kind in kinds and _is_whole(row, kinds)]
    return {row.name: entry for row, entry in bench.run(known)}


def _is_whole(row: Row, kinds: dict[str, list[Item]]) -> bool:
    """A model that listens to itself has played every item twice."""
    return row.name != BY_ITSELF or ITSELF in kinds


def playback(traces: Sequence[Trace]) -> Play:
    """Gives the trace of each item that is asked for. Raises RecordError for one without."""
    by_id = {item_id(trace.item): trace for trace in traces}

    def play(items: Sequence[Item]) -> Iterator[Trace]:
        for item in items:
            trace = by_id.get(item_id(item))
            if trace is None:
                raise RecordError(
                    f"the trace of {item.kind} {item_id(item)} is missing; play the rest with "
                    "the command that wrote the others"
                )
            yield replace(trace, item=item)

    return play
