"""`interplay bench`: options, what they allow, printing. Knows nothing of items or scores."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from interplay.errors import ConfigError
from interplay.model.checkpoint import DEFAULT_MODEL

if TYPE_CHECKING:
    from interplay.bench.running.endpoints import Endpoint

READERS = ("report", "score", "compare", "export")  # what measures nothing
HUMAN_ROW = "heard_acc_human"  # of core
PUBLISHED = ("timespeak", "cuespeak")  # suites of ours that others may want as files
DEFAULT_NUM_ITEMS = {"core": 300}
DEFAULT_SUITE_ITEMS = 50
SPEED = "speed"  # of the engine, not of how a model behaves: it takes no endpoint and no items
DEFAULT_TICKS = 1500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "suite",
        nargs="?",
        default="core",
        help="core: measure a model; a suite by name, or behaviours: the twins of all suites; "
        "serve: measure servers of its own over real sockets; speed: the engine beside other "
        "runtimes with the same weights; report: print the page of a finished "
        "--json FILE as Markdown; score FOLDER: score the traces of --keep again; compare A.json "
        "B.json: the difference of every row; export SUITE FOLDER: items of timespeak or cuespeak "
        "as WAV and JSON",
    )
    parser.add_argument("paths", nargs="*", type=Path, help="of score, compare and export")
    parser.add_argument(
        "--endpoint",
        help="what is measured: local:MODEL, live:URL, realtime:URL, cascade (cascade:general: it "
        "hears general English), baseline:NAME, recorded (the agent of stored runs: tau --data) or "
        "recorded:FOLDER, what a system has said to the items of timespeak or cuespeak",
    )
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help=f"model name, checkpoint, or a baseline's name: short for --endpoint local:MODEL "
        f"(default: {DEFAULT_MODEL})",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page to look at and listen to there"
    )
    parser.add_argument("--list", action="store_true", help="list the rows and what they mean")
    parser.add_argument(
        "--n",
        type=int,
        help=f"items per row of core (default: {DEFAULT_NUM_ITEMS['core']}), per part of a suite "
        f"(default: {DEFAULT_SUITE_ITEMS}; with --data: all), of every suite in behaviours; in "
        "serve: items, sessions or kills, whatever the row counts (default: see --list)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help="serve: how long the loads and the long session last (default: see --list)",
    )
    parser.add_argument(
        "--ticks", type=int, metavar="N", help="speed: micro-turns of a session (default: 1500)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of items, sampling and intervals")
    parser.add_argument("--rows", help="only these rows, separated by commas")
    parser.add_argument(
        "--clock",
        choices=("logical", "wall"),
        help="logical: computing takes no time (default, but for servers); wall: real time; in "
        "core the long session takes its 30 minutes, too",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="players side by side, each of which takes item after item: on the logical clock a "
        "process with a model of its own (results are the same; default: one per core where there "
        "are 16 items of each part for it), in real time a conversation (default: 1)",
    )
    _add_sources(parser)


def _add_sources(parser: argparse.ArgumentParser) -> None:
    """What items come from, where traces are kept, and who hears and judges them."""
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="official data instead of the suite's twin"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="write every trace there as it ends; what is there is not played again",
    )
    parser.add_argument(
        "--recogniser",
        metavar="NAME",
        help="take the words of a suite's scores from the system's sound, not from its own text: "
        "pocketsphinx, faster-whisper[:MODEL], or one that a package adds",
    )
    parser.add_argument(
        "--vad",
        metavar="NAME",
        help="where a suite's scores find speech in both sounds: energy (default), webrtc[:MODE], "
        "or a detector that a package adds",
    )
    parser.add_argument(
        "--judge",
        metavar="MODEL",
        help="at OPENAI_BASE_URL, for the rows that a rule cannot decide; needs --keep",
    )


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if all was measured, passed or not."""
    _check_suite(args.suite)
    _check(args)
    if args.suite == "report":
        return _report(args)
    if args.suite == "compare":
        return _compare(args)
    if args.suite == "export":
        return _export(args)
    if args.list:
        return _list(args.suite)
    if args.suite == SPEED:
        return _speed(args)
    if args.suite == "score":
        from interplay.bench.running.rescore import score_kept

        return score_kept(args, _one_folder(args.paths))
    from interplay.bench.running import main

    if args.n is None and args.data is None and args.suite != "serve":
        args.n = DEFAULT_NUM_ITEMS.get(args.suite, DEFAULT_SUITE_ITEMS)
    if args.suite == "core" and not args.rows:
        args.rows = _rows_without_people()
    return main.measure(args, _endpoint(args))


def _check_suite(name: str) -> None:
    from interplay.bench.suites import ALONE, BEHAVIOURS, NAMES

    known = ("core", *READERS, "serve", SPEED, BEHAVIOURS, *NAMES, *ALONE)
    if name not in known:
        raise ConfigError(f"unknown suite {name!r}; choose one of {', '.join(known)}")


def _check(args: argparse.Namespace) -> None:
    is_serve, plain = args.suite == "serve", args.suite in ("core", "serve")
    for is_wrong, text in (
        (args.n is not None and args.n < 1, f"--n is {args.n}; at least 1 item is needed"),
        (
            args.jobs is not None and args.jobs < 1,
            f"--jobs is {args.jobs}; at least 1 is needed",
        ),
        (
            args.seconds is not None and not is_serve,
            "--seconds is for the suite serve; leave it out",
        ),
        (
            args.seconds is not None and not args.seconds >= 1,
            f"--seconds is {args.seconds}; at least 1 is needed",
        ),
        (
            args.ticks is not None and args.suite != SPEED,
            "--ticks is for the suite speed; leave it out",
        ),
        (
            args.suite == SPEED
            and any((args.endpoint, args.keep, args.n, args.data, args.judge, args.vad)),
            "speed has workloads of its own; only --ticks, --rows, --seed, --json and --html go "
            "with it",
        ),
        (
            is_serve and args.clock == "wall",
            "--clock is for the other suites; serve runs in real time anyway",
        ),
        (
            is_serve and (args.endpoint or args.keep or args.html or args.jobs),
            "serve starts servers of its own and keeps no traces; leave --endpoint, --keep, "
            "--html and --jobs out, and name a --model",
        ),
        (
            plain and (args.recogniser or args.vad or args.judge),
            f"--recogniser, --vad and --judge are for the other suites; leave them out of "
            f"{args.suite}",
        ),
        (
            args.judge and args.suite != "score" and not args.keep,
            "--judge needs --keep FOLDER: what was asked and answered is stored there",
        ),
        (
            args.data and (plain or args.suite == "behaviours"),
            f"{args.suite} has no data of its own; leave --data out",
        ),
        (
            args.paths and args.suite not in ("score", "compare", "export"),
            f"{args.suite} takes no files; found {args.paths[0] if args.paths else ''}",
        ),
    ):
        if is_wrong:
            raise ConfigError(text)


def _endpoint(args: argparse.Namespace) -> "Endpoint":
    from interplay.bench.running.endpoints import Endpoint, parse_endpoint
    from interplay.bench.systems.oracle import POLICIES

    if args.endpoint:
        return parse_endpoint(args.endpoint)
    return Endpoint(kind="baseline" if args.model in POLICIES else "local", target=args.model)


def _rows_without_people() -> str | None:
    """The rows of core that need no recordings of people, where there are none; else None: all."""
    from interplay.bench.scoring.rows import SUITES
    from interplay.data.human import HumanClips

    if len(HumanClips.open(None, "test")):
        return None
    print(f"{HUMAN_ROW} is left out: it needs recordings of people (docs/data.md)")
    return ",".join(row.name for row in SUITES["core"] if row.name != HUMAN_ROW)


def _one_folder(paths: Sequence[Path]) -> Path:
    if len(paths) != 1:
        raise ConfigError("`interplay bench score` needs one FOLDER that --keep has written")
    return paths[0]


def _list(suite: str) -> int:
    from interplay.bench.results.report import goal
    from interplay.bench.scoring.rows import SUITES
    from interplay.bench.suites import ALONE, NAMES, load_suites

    if suite == SPEED:
        from interplay.bench.speed.rows import SPEED as speed_rows

        for row in speed_rows:
            print(f"{row.name:24} {goal(row):>10}  {row.what}")
        return 0
    if suite in SUITES:
        for row in SUITES[suite]:
            extent = f"  [{_extent(row.kind)}]" if suite == "serve" else ""
            print(f"{row.name:24} {goal(row):>10}  {row.what}{extent}")
        if suite == "core":
            others = ", ".join((*NAMES, *ALONE, "serve", SPEED))
            print(f"Rows of other suites: `interplay bench SUITE --list` ({others})")
        return 0
    for each in load_suites(suite):
        print(f"{each.name}: {each.what}")
        for row in each.rows:
            print(f"{row.name:32} {goal(row):>10}  {row.what}")
        if each.how_to_get:
            print(f"--data FOLDER: {each.how_to_get}")
    return 0


def _extent(kind: str) -> str:
    from interplay.bench.serve.suite import EXTENTS

    extent = EXTENTS[kind]
    return f"--n {extent.count}" + (f" --seconds {extent.seconds:g}" if extent.seconds else "")


def _speed(args: argparse.Namespace) -> int:
    from interplay.bench.speed.run import run as run_speed

    num_ticks = DEFAULT_TICKS if args.ticks is None else args.ticks
    return run_speed(
        num_ticks=num_ticks, seed=args.seed, asked=args.rows, json=args.json, html=args.html
    )


def _report(args: argparse.Namespace) -> int:
    from interplay.bench.results.report import command_of, markdown, read_json

    if args.json is None:
        raise ConfigError("`interplay bench report` needs --json FILE, results to render")
    report = read_json(args.json)
    print(markdown(report, command_of(report, args.json.name)))
    return 0


def _export(args: argparse.Namespace) -> int:
    if len(args.paths) != 2 or str(args.paths[0]) not in PUBLISHED:
        raise ConfigError(
            f"`interplay bench export` needs a suite ({' or '.join(PUBLISHED)}) and a FOLDER"
        )
    from interplay.bench.progress import advancing, console
    from interplay.bench.publish import export
    from interplay.bench.suites import load_suite
    from interplay.data.speech import synthesize

    name, folder = str(args.paths[0]), args.paths[1]
    items = load_suite(name).twin(args.n or DEFAULT_SUITE_ITEMS, args.seed)
    with advancing(console()) as advance:
        told = partial(advance, f"export · {name}")
        written = export(items, folder, synthesize, told)
    print(f"{len(written)} items in {folder}")
    return 0


def _compare(args: argparse.Namespace) -> int:
    from interplay.bench.results.compare import compare, difference_table, remarks
    from interplay.bench.results.report import read_json

    if len(args.paths) != 2:
        raise ConfigError("`interplay bench compare` needs two files of --json: A.json B.json")
    first, second = (read_json(path) for path in args.paths)
    differences = compare(first, second, args.seed)
    from interplay.bench.progress import console

    screen = console()
    for line in remarks(first, second):
        screen.print(line)
    screen.print(difference_table(first, second, differences))
    return 0
