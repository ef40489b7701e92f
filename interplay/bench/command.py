"""`interplay bench`: options, resuming, printing. Knows nothing of items or scores."""

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interplay.errors import ConfigError
from interplay.model.checkpoint import DEFAULT_MODEL

if TYPE_CHECKING:
    from interplay.bench.serve.suite import ServeBench
    from interplay.bench.suite import Bench
    from interplay.model.checkpoint import Loaded

WHAT = ("core", "report", "serve")
DEFAULT_NUM_ITEMS = 300
WIDTH_IN_FILES = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "suite",
        nargs="?",
        default="core",
        help="core: measure a model; serve: measure servers of its own over real sockets; report: "
        "print the page of a finished --json FILE as Markdown",
    )
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help=f"model name, checkpoint, or a baseline's name (default: {DEFAULT_MODEL})",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument("--list", action="store_true", help="list the rows and what they mean")
    parser.add_argument(
        "--n",
        type=int,
        help=f"items per row (default: {DEFAULT_NUM_ITEMS}); in serve: items, sessions or kills, "
        "whatever the row counts (default: see --list)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help="serve: how long the loads and the long session last (default: see --list)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of items, sampling and intervals")
    parser.add_argument("--rows", help="only these rows, separated by commas")
    parser.add_argument(
        "--clock",
        choices=("logical", "wall"),
        default="logical",
        help="wall: the long session of core takes its 30 minutes",
    )


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if all was measured, passed or not."""
    if args.suite not in WHAT:
        raise ConfigError(f"unknown suite {args.suite!r}; choose one of {', '.join(WHAT)}")
    if args.suite == "report":
        return _report(args)
    if args.list:
        return _list(args.suite)
    if args.suite == "core" and args.n is None:
        args.n = DEFAULT_NUM_ITEMS
    _check(args)
    return _measure(args)


def _check(args: argparse.Namespace) -> None:
    if args.n is not None and args.n < 1:
        raise ConfigError(f"--n is {args.n}; at least 1 item is needed")
    if args.seconds is not None and args.suite != "serve":
        raise ConfigError("--seconds is for the suite serve; leave it out")
    if args.seconds is not None and not args.seconds >= 1:
        raise ConfigError(f"--seconds is {args.seconds:g}; at least 1 is needed")
    if args.suite == "serve" and args.clock == "wall":
        raise ConfigError("--clock is for the suite core; serve runs in real time anyway")


def _list(suite: str) -> int:
    from interplay.bench.report import goal
    from interplay.bench.rows import SUITES

    for row in SUITES[suite]:
        extent = f"  [{_extent(row.kind)}]" if suite == "serve" else ""
        print(f"{row.name:24} {goal(row.name):>10}  {row.what}{extent}")
    return 0


def _extent(kind: str) -> str:
    from interplay.bench.serve.suite import EXTENTS

    extent = EXTENTS[kind]
    return f"--n {extent.count}" + (f" --seconds {extent.seconds:g}" if extent.seconds else "")


def _report(args: argparse.Namespace) -> int:
    from interplay.bench.report import command_of, markdown, read_json

    if args.json is None:
        raise ConfigError("`interplay bench report` needs --json FILE, results to render")
    report = read_json(args.json)
    print(markdown(report, command_of(report, args.json.name)))
    return 0


def _measure(args: argparse.Namespace) -> int:
    from rich.console import Console

    from interplay.bench.progress import advancing
    from interplay.bench.report import current_commit, table, write_json
    from interplay.bench.rows import choose_rows

    rows = choose_rows(args.rows.split(",") if args.rows else None, args.suite)
    loaded = _load(args.model)
    report: dict[str, Any] = {
        "suite": args.suite,
        "model": args.model,
        "seed": args.seed,
        "commit": current_commit(),
        "num_items": args.n,
        "seconds": args.seconds,
        "clock": args.clock,
        "weights": _fingerprint(loaded),
        "rows": {},
    }
    partial = args.json and args.json.with_name(args.json.name + ".partial")
    done = _resumed(report, partial)
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH_IN_FILES
    with advancing(console) as advance:
        bench = _bench(args, loaded, advance)
        for row, values in bench.run([row for row in rows if row.name not in done]):
            done[row.name] = values
            report["rows"] = {row.name: done[row.name] for row in rows if row.name in done}
            if partial:
                write_json(partial, report)
    report["rows"] = {row.name: done[row.name] for row in rows}
    console.print(table(report))
    if args.json:
        write_json(args.json, report)
        partial.unlink(missing_ok=True)
        console.print(f"written to {args.json}")
    return 0


def _bench(
    args: argparse.Namespace, loaded: "Loaded | None", advance: Callable[[str, int, int], None]
) -> "Bench | ServeBench":
    if args.suite == "serve":
        from interplay.bench.serve.suite import ServeBench

        if loaded is None:
            raise ConfigError(f"{args.model} is a baseline; only a model can be served")
        return ServeBench(
            model=args.model,
            seed=args.seed,
            count=args.n,
            seconds=args.seconds,
            advance=advance,
        )
    from interplay.bench.suite import Bench

    return Bench(
        model=args.model,
        loaded=loaded,
        num_items=args.n,
        seed=args.seed,
        wall=args.clock == "wall",
        advance=advance,
    )


def _load(name: str) -> "Loaded | None":
    """The model, or None for the name of a baseline."""
    from interplay.bench.rows import BASELINES
    from interplay.model.checkpoint import load_checkpoint

    return None if name in BASELINES else load_checkpoint(name)


def _fingerprint(loaded: "Loaded | None") -> str | None:
    """SHA-256 of the weights' file."""
    if loaded is None or loaded.path is None:
        return None
    return hashlib.sha256(loaded.path.read_bytes()).hexdigest()


def _resumed(report: dict[str, Any], partial: Path | None) -> dict[str, Any]:
    """Rows that an interrupted run of exactly the same measurement has left behind."""
    from interplay.bench.report import read_json

    if partial is None or not partial.exists():
        return {}
    earlier = read_json(partial)
    same = all(earlier.get(key) == report[key] for key in report if key != "rows")
    return dict(earlier["rows"]) if same else {}
