"""`interplay data`: own recordings become training data (`import`), and are looked at (`look`).

Knows nothing of formats or of training.
"""

import argparse
from pathlib import Path

from interplay.data.own.hub import FORM, PREFIX, hub_sources, parse_columns
from interplay.data.own.importing import Report, check_all, import_all
from interplay.data.own.picture import draw_sessions
from interplay.data.own.prepare import SIDES, Options, Source
from interplay.data.own.sources import find_sources
from interplay.data.own.store import OwnData
from interplay.data.own.words import CHANNELS
from interplay.errors import ConfigError, RecordError
from interplay.turns.tokens import Tokenizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(
        dest="data_command", metavar="COMMAND", required=True, help="import or look"
    )
    text = "check recordings, transcripts and films, and store them for `interplay train --data`"
    _add_import(commands.add_parser("import", help=text, description=text))
    text = "draw some imported sessions: sound, words and pictures on one axis"
    _add_look(commands.add_parser("look", help=text, description=text))


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", help=f"sounds, films, their folders, or {FORM}")
    parser.add_argument("--out", type=Path, help="folder to make; needed unless --check")
    parser.add_argument("--check", action="store_true", help="list all problems, write nothing")
    parser.add_argument("--skip", action="store_true", help="leave out what has problems")
    parser.add_argument(
        "--model",
        choices=SIDES,
        default=SIDES[0],
        help="the channel of two on which the model speaks (default: %(default)s)",
    )
    parser.add_argument(
        "--own-voice",
        action="store_true",
        help="the model's channel is the voice that it shall have: learn its sound, too",
    )
    parser.add_argument(
        "--captions",
        choices=CHANNELS,
        default=CHANNELS[1],
        help="who says the captions of a film: the model, watching, or the user, on its sound "
        "track (default: %(default)s)",
    )
    parser.add_argument("--columns", help="of a dataset, as in audio=sound,text=said")
    parser.add_argument(
        "--tokenizer", type=Path, help="tokenizer.json of a corpus: can it spell every word?"
    )


def _add_look(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="what `interplay data import` made")
    parser.add_argument("--out", type=Path, help="picture to write (default: FOLDER/look.png)")
    parser.add_argument("--num", type=int, default=4, help="sessions (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=18.0, help="of each session (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="which sessions (default: 0)")


def run(args: argparse.Namespace) -> int:
    return _import(args) if args.data_command == "import" else _look(args)


def _import(args: argparse.Namespace) -> int:
    """0 when all is well; 1 when --check found problems."""
    out: Path | None = args.out
    options = Options(model_side=args.model, captions=args.captions, voice_known=args.own_voice)
    if out is None and not args.check:
        raise ConfigError("--out is missing; name the folder to make, or give --check")
    tokenizer = Tokenizer.load(args.tokenizer) if args.tokenizer else None
    sources = _sources(args.sources, args.columns, options)
    if out is None or args.check:
        report = check_all(sources, options, tokenizer=tokenizer)
        for line in [*report.notes, *report.problems]:
            print(line)
        print(f"{len(report.names)} of {len(sources)} sessions can be imported")
        return 1 if report.problems else 0
    report = import_all(sources, options, out, tokenizer=tokenizer, skip=args.skip)
    _tell(report, out)
    return 0


def _sources(places: list[str], columns: str | None, options: Options) -> list[Source]:
    named = parse_columns(columns)
    files = [Path(place) for place in places if not place.startswith(PREFIX)]
    sources = find_sources(files, options) if files else []
    for place in places:
        if place.startswith(PREFIX):
            sources += hub_sources(place, named, options)
    if not sources:
        raise RecordError(
            f"nothing to import in {', '.join(places)}; give files, folders or {FORM}"
        )
    return sources


def _tell(report: Report, out: Path) -> None:
    for line in report.notes:
        print(line)
    for line in report.problems:
        print(f"left out: {line}")
    kept = f", {report.num_kept} of them from before" if report.num_kept else ""
    minutes = report.length_s / 60
    print(f"{out}: {len(report.names)} sessions, {minutes:.1f} minutes{kept}")
    print(f"look at it: interplay data look {out}; train with it: interplay train xs --data {out}")


def _look(args: argparse.Namespace) -> int:
    if args.num < 1 or args.seconds <= 0 or args.seed < 0:
        raise ConfigError(
            f"--num is {args.num}, --seconds {args.seconds:g} and --seed {args.seed}; give at "
            "least one session, some seconds, and a seed from 0 on"
        )
    picture = args.out or args.folder / "look.png"
    names = draw_sessions(
        OwnData(args.folder),
        picture,
        num_sessions=args.num,
        seconds=args.seconds,
        seed=args.seed,
    )
    print(f"{picture}: {', '.join(names)}")
    return 0
