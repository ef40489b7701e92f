"""One run of `interplay bench`: opens the endpoint, measures suite by suite, resumes, writes.

Knows nothing of how options are spelled, nor of items or scores.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interplay.bench.listening.vad import ENERGY
from interplay.bench.progress import advancing, console
from interplay.bench.results.facts import file_sha256, machine_facts
from interplay.bench.results.page.page import page_html
from interplay.bench.results.report import current_commit, read_json, tables, write_json, write_text
from interplay.bench.running.core import Bench
from interplay.bench.running.endpoints import Endpoint, choose_clock
from interplay.bench.running.journal import Journal
from interplay.bench.running.judge import facts_of, judge_of, open_judge, tell_unjudged
from interplay.bench.running.measure import Advance, published_numbers
from interplay.bench.running.run import (
    Ears,
    Entries,
    Run,
    baselines,
    one_by_one,
    open_ears,
    side_by_side,
)
from interplay.bench.running.workers import NUM_SPEECHES, Opener, Workers, choose_processes
from interplay.bench.scoring.rows import SUITES, Row, choose_rows
from interplay.bench.suites import load_suites
from interplay.bench.suites.base import Suite
from interplay.bench.traces.trace import Trace
from interplay.bench.wording.rules import RULE
from interplay.data.speech import synthesize
from interplay.data.voices import OWN_VOICE
from interplay.engine.engine import ONE_THREAD_BELOW
from interplay.errors import ConfigError
from interplay.model.checkpoint import load_checkpoint

if TYPE_CHECKING:
    from interplay.model.checkpoint import Loaded

ALIKE = (  # what all rows of one file have in common
    *("suite", "model", "endpoint", "weights", "seed", "clock", "sessions", "data"),
    *("words_from", "vad", "judge"),
)
VARYING = ("num_items", "seconds")  # what a row says of itself where it is not the header's


def measure(args: argparse.Namespace, endpoint: Endpoint) -> int:
    """Measure `args.suite` at the endpoint, print and write. Returns the exit code."""
    judge = open_judge(args.judge, args.keep)
    suites = [] if args.suite in SUITES else load_suites(args.suite, judge)
    rows = _rows(args, suites)
    clock = "wall" if args.suite == "serve" else choose_clock(endpoint, args.clock)
    loaded = load_checkpoint(endpoint.target) if endpoint.kind == "local" else None
    _check_folders(args)
    ears = open_ears(args)
    report = _header(args, endpoint, clock, loaded, ears)
    report["judge"] = judge_of(judge, suites)
    report["suites"] = {suite.name: suite.what for suite in suites}
    report["published"] = list(published_numbers(suites))
    partial = args.json and args.json.with_name(args.json.name + ".partial")
    done, others = _resumed(report, partial), _other_rows(args, report)
    journal = _journal(args, report, suites)
    screen = console()
    tell_unjudged(judge, suites, screen)
    with (
        open_workers(args.seed, _num_processes(args, clock, loaded)) as workers,
        advancing(screen) as advance,
    ):
        run = Run(
            args=args,
            report=report,
            endpoint=endpoint,
            loaded=loaded,
            synthesize=lru_cache(NUM_SPEECHES)(synthesize),
            words=ears.hear,
            workers=workers,
            journal=journal,
        )
        missing = [row for row in rows if row.name not in done]
        for found in _measured(run, suites, missing, advance):
            done |= found
            report["rows"] = {row.name: done[row.name] for row in rows if row.name in done}
            if partial:
                write_json(partial, report)
    report["rows"] = others | {row.name: done[row.name] for row in rows}
    report |= facts_of(judge)
    finish(args, report, run.traces, screen)
    if partial:
        partial.unlink(missing_ok=True)
    if journal:
        journal.close()
    return 0


def _journal(
    args: argparse.Namespace, report: dict[str, Any], suites: Sequence[Suite]
) -> Journal | None:
    if args.json is None or args.keep is not None or not suites:
        return None
    about = {key: value for key, value in report.items() if key != "rows"}
    return Journal(args.json.with_name(args.json.name + ".items"), about)


def _measured(
    run: Run, suites: Sequence[Suite], missing: Sequence[Row], advance: Advance
) -> Iterator[Entries]:
    """The rows that are still missing, as they become known."""
    args = run.args
    if args.suite == "serve":
        yield from ({row.name: found} for row, found in _serve(run, advance).run(missing))
    elif args.suite == "core":
        bench = Bench(
            model=run.report["model"],
            loaded=run.loaded,
            num_items=args.n,
            seed=args.seed,
            wall=run.report["clock"] == "wall",
            play=run.play("core") if _needs_play(run) else None,
            baseline=baselines(run.workers),
            advance=advance,
            synthesize=run.synthesize,
        )
        yield from ({row.name: found} for row, found in bench.run(missing))
    todo = [suite for suite in suites if any(row in missing for row in suite.rows)]
    measured = side_by_side if run.workers is not None else one_by_one
    for suite, found in measured(run, todo, missing, advance):
        yield found
        if run.journal:  # all of them are in the partial file
            run.journal.forget(suite.name)


def _needs_play(run: Run) -> bool:
    """Whether core cannot play by itself."""
    is_plain = run.endpoint.kind in ("local", "baseline") and run.report["clock"] == "logical"
    return not is_plain or run.args.keep is not None or run.workers is not None


def _num_processes(args: argparse.Namespace, clock: str, loaded: "Loaded | None") -> int:
    """Of this run: in real time the players of --jobs are conversations of one process. A large
    model keeps the cores busy from one process."""
    if clock == "wall" or args.suite == "serve":
        return 1
    if args.jobs is not None:
        return args.jobs
    if loaded and sum(p.numel() for p in loaded.model.parameters()) >= ONE_THREAD_BELOW:
        return 1
    return choose_processes(args.n)


@contextmanager
def open_workers(seed: int, num_processes: int) -> Iterator[Workers | None]:
    """Processes that play; None where this one does."""
    if num_processes == 1:
        yield None
        return
    workers = Workers(num_processes, Opener(seed=seed, own_voice=OWN_VOICE, synthesize=synthesize))
    try:
        yield workers
    finally:
        workers.close()


def _serve(run: Run, advance: Advance) -> Any:
    from interplay.bench.serve.suite import ServeBench

    if run.loaded is None:
        raise ConfigError(f"{run.endpoint.target} is a baseline; only a model can be served")
    args = run.args
    return ServeBench(
        model=args.model, seed=args.seed, count=args.n, seconds=args.seconds, advance=advance
    )


def _rows(args: argparse.Namespace, suites: Sequence[Suite]) -> list[Row]:
    if args.suite in SUITES:
        return choose_rows(args.rows.split(",") if args.rows else None, args.suite)
    rows = choose_suite_rows(args.rows, suites)
    names = args.rows.split(",") if args.rows else []
    unknown = [name for name in names if name not in {row.name for row in rows}]
    if unknown:
        known = ", ".join(row.name for suite in suites for row in suite.rows)
        raise ConfigError(f"no row {', '.join(unknown)} in {args.suite}; rows: {known}")
    return rows


def choose_suite_rows(asked: str | None, suites: Sequence[Suite]) -> list[Row]:
    """The rows of suites whose names are in `asked`, separated by commas; all for None."""
    names = None if asked is None else asked.split(",")
    return [row for suite in suites for row in suite.rows if names is None or row.name in names]


def _check_folders(args: argparse.Namespace) -> None:
    """What would fail only after hours fails now."""
    if args.data is not None and not args.data.is_dir():
        raise ConfigError(f"--data {args.data} is no folder; give the one that holds the data")
    for name in ("json", "html"):
        path = getattr(args, name)
        if path is not None and not path.parent.is_dir():
            raise ConfigError(f"--{name} {path}: there is no folder {path.parent}; make it first")


def _header(
    args: argparse.Namespace, endpoint: Endpoint, clock: str, loaded: "Loaded | None", ears: Ears
) -> dict[str, Any]:
    return {
        "suite": args.suite,
        "model": endpoint.target or str(endpoint),
        "endpoint": str(endpoint),
        "seed": args.seed,
        "commit": current_commit(),
        "num_items": args.n,
        "seconds": args.seconds,
        "clock": clock,
        "sessions": (args.jobs or 1) if clock == "wall" else None,
        "data": None if args.data is None else str(args.data),
        "weights": file_sha256(loaded.path) if loaded else None,
        "words_from": ears.words_from,
        "vad": ears.vad,
        "judge": RULE,
        "machine": machine_facts(),
        "rows": {},
    }


def _resumed(report: dict[str, Any], partial: Path | None) -> dict[str, Any]:
    """Rows that an interrupted run of exactly the same measurement has left behind."""
    if partial is None or not partial.exists():
        return {}
    earlier = read_json(partial)
    same = all(earlier.get(key) == report[key] for key in report if key != "rows")
    return dict(earlier["rows"]) if same else {}


def _other_rows(args: argparse.Namespace, report: dict[str, Any]) -> dict[str, Any]:
    """Rows of the file to be written that `--rows` did not ask for: they stay, and say of which
    commit they are and how many items were asked for. Raises ConfigError where they were measured
    differently: one header cannot tell of both."""
    if not args.rows or args.json is None or not args.json.exists():
        return {}
    # older files do not say which detector: there was no other
    earlier: dict[str, Any] = {"vad": ENERGY, **read_json(args.json)}
    for key in ALIKE:
        if key in earlier and earlier[key] != report[key]:
            raise ConfigError(
                f"{args.json} holds rows with {key} {earlier[key]!r}, not {report[key]!r}; name "
                "another --json"
            )
    varying = {key: earlier.get(key) for key in VARYING if earlier.get(key) != report[key]}
    about = {"commit": earlier["commit"]} | varying
    return {
        name: row | {"about": about | row.get("about", {})} for name, row in earlier["rows"].items()
    }


def finish(
    args: argparse.Namespace, report: dict[str, Any], traces: Sequence[Trace], screen: Any
) -> None:
    for table in tables(report):
        screen.print(table)
    if args.json:
        write_json(args.json, report)
        screen.print(f"written to {args.json}")
    if args.html:
        write_text(args.html, page_html(report, traces), "--html")
        screen.print(f"written to {args.html}")
