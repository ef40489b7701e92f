"""`interplay bench`: options, resuming, printing. Knows nothing of items or scores."""

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interplay.errors import ConfigError

if TYPE_CHECKING:
    from interplay.model.checkpoint import Loaded

SUITES = ("core", "report", "serve")
DEFAULT_NUM_ITEMS = 300
DEFAULT_NUM_SESSIONS = 16
LOAD_S = {"logical": 60.0, "wall": 600.0}
QUESTION = "seven_plus_five.flac"  # of the examples
WIDTH_IN_FILES = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "suite",
        nargs="?",
        default="core",
        help="core: measure a model; serve: measure a server of its own under --n real-time "
        "sessions; report: print the page of a finished --json FILE as Markdown",
    )
    parser.add_argument(
        "--model", default="xs", help="model name, checkpoint, or a baseline's name"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument("--list", action="store_true", help="list the rows and what they mean")
    parser.add_argument(
        "--n",
        type=int,
        help=f"items per row (default: {DEFAULT_NUM_ITEMS}), or sessions of serve "
        f"(default: {DEFAULT_NUM_SESSIONS})",
    )
    parser.add_argument("--seed", type=int, default=0, help="of items, sampling and intervals")
    parser.add_argument("--rows", help="only these rows, separated by commas")
    parser.add_argument(
        "--clock",
        choices=("logical", "wall"),
        default="logical",
        help="wall: the long session takes its 30 minutes, serve 10 instead of 1",
    )


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if all was measured, passed or not."""
    if args.suite not in SUITES:
        raise ConfigError(f"unknown suite {args.suite!r}; choose one of {', '.join(SUITES)}")
    if args.list:
        return _list()
    if args.suite == "report":
        return _report(args)
    if args.n is None:
        args.n = DEFAULT_NUM_SESSIONS if args.suite == "serve" else DEFAULT_NUM_ITEMS
    if args.n < 1:
        raise ConfigError(f"--n is {args.n}; at least 1 item is needed")
    return _load_server(args) if args.suite == "serve" else _measure(args)


def _list() -> int:
    from interplay.bench.report import goal
    from interplay.bench.rows import CORE

    for row in CORE:
        print(f"{row.name:24} {goal(row.name):>10}  {row.what}")
    return 0


def _report(args: argparse.Namespace) -> int:
    from interplay.bench.report import markdown, read_json

    if args.json is None:
        raise ConfigError("`interplay bench report` needs --json FILE, results to render")
    report = read_json(args.json)
    options = f"--model {report['model']} --seed {report['seed']} --n {report['num_items']}"
    print(markdown(report, f"interplay bench {report['suite']} {options} --json {args.json.name}"))
    return 0


def _load_server(args: argparse.Namespace) -> int:
    """Exit code 1 when a deadline was missed."""
    from interplay.bench.load import measure
    from interplay.bench.report import current_commit, write_json
    from interplay.media.audio import read_audio
    from interplay.talk.script import example_script

    question = read_audio(example_script().with_name("audio") / QUESTION).samples
    done = measure(args.model, args.n, LOAD_S[args.clock], question)
    rows = done.rows()
    for name, row in rows.items():
        print(f"{name:20} {row['value']}")
    print(", ".join(f"{key} {value}" for key, value in row.items() if key != "value"))
    if args.json:
        about = {"suite": "serve", "model": args.model, "commit": current_commit()}
        write_json(args.json, about | {"seed": args.seed, "num_items": args.n, "rows": rows})
    return 1 if done.num_misses else 0


def _measure(args: argparse.Namespace) -> int:
    from rich.console import Console

    from interplay.bench.progress import advancing
    from interplay.bench.report import current_commit, table, write_json
    from interplay.bench.rows import choose_rows
    from interplay.bench.suite import Bench

    rows = choose_rows(args.rows.split(",") if args.rows else None)
    loaded = _load(args.model)
    report: dict[str, Any] = {
        "suite": args.suite,
        "model": args.model,
        "seed": args.seed,
        "commit": current_commit(),
        "num_items": args.n,
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
        bench = Bench(
            model=args.model,
            loaded=loaded,
            num_items=args.n,
            seed=args.seed,
            wall=args.clock == "wall",
            advance=advance,
        )
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
