"""`interplay demo` and `interplay talk`: what they accept, print and return.

Exit codes: 0 when every deadline was met, 1 when not, 2 for what the user has to change. Knows
nothing of how a conversation runs.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from interplay.background.choose import ECHO, HELP, open_named
from interplay.background.contract import Backend
from interplay.clock import Clock, RealClock
from interplay.engine.engine import Engine
from interplay.errors import ConfigError, DeviceError
from interplay.media.audio import read_audio
from interplay.model.checkpoint import DEFAULT_MODEL, Loaded, load_checkpoint
from interplay.talk.conversation import Conversation, utterances
from interplay.talk.live import (
    PAGE,
    RECORD,
    WAV,
    SkippingClock,
    Talk,
    User,
    results_folder,
    warm_up,
    write_results,
)
from interplay.talk.microphone import Microphone
from interplay.talk.picture import session_svg
from interplay.talk.script import RecordedUser, ScriptedUser, example_script, load_script
from interplay.talk.terminal import view_for
from interplay.turns.tokens import END, TEXT

SEED = 0


def add_demo_arguments(parser: argparse.ArgumentParser) -> None:
    _add_common(parser, "demo-out", "a script, which the model was trained with")
    parser.add_argument("--script", type=Path, help="another script like examples/demo.json")
    parser.add_argument(
        "--picture", type=Path, metavar="SVG", help="also draw its liveliest 24 seconds as SVG"
    )


def add_talk_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, help="a recording of somebody talking")
    parser.add_argument(
        "--mic", action="store_true", help="microphone and loudspeaker instead; Ctrl-C ends it"
    )
    _add_common(parser, "talk-out", ECHO)


def _add_common(parser: argparse.ArgumentParser, out: str, background: str) -> None:
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help=f"name or file (default: {DEFAULT_MODEL})"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(out), help=f"folder for the results (default: {out})"
    )
    parser.add_argument("--fast", action="store_true", help="do not wait for the clock")
    parser.add_argument(
        "--background",
        action="append",
        default=[],
        metavar="NAME",
        help=f"{HELP} (default: {background})",
    )


def run_demo(args: argparse.Namespace) -> int:
    if args.picture and not args.picture.absolute().parent.is_dir():
        raise DeviceError(f"{args.picture.parent} is no folder; name a picture in one that exists")
    script = load_script(args.script or example_script())
    loaded = load_checkpoint(args.model)

    def encode(text: str) -> list[int]:
        return [TEXT, *loaded.tokenizer.encode(text), END]

    user = ScriptedUser(script, encode)
    with open_backend(args.background, args.fast) as backend:
        subtitle = f"a scripted user, {pace_of(args)}"
        talk = converse(args, loaded, user, clock_of(args), subtitle, backend)
    if args.picture:
        _write_picture(args.picture, talk)
        print(f"picture    {args.picture}")
    return exit_code(talk)


def run_talk(args: argparse.Namespace) -> int:
    if args.mic == (args.file is not None):
        raise ConfigError("give either a sound file (interplay talk FILE) or --mic")
    if args.mic:
        return _run_microphone(args)
    audio = read_audio(args.file)
    loaded = load_checkpoint(args.model)
    if audio.note:
        print(f"{args.file}: {audio.note}")
    user = RecordedUser(audio.samples)
    with open_backend(args.background or [ECHO], args.fast) as backend:
        subtitle = f"{pace_of(args)}: {args.file.name}"
        talk = converse(args, loaded, user, clock_of(args), subtitle, backend)
    return exit_code(talk)


def _run_microphone(args: argparse.Namespace) -> int:
    loaded = load_checkpoint(args.model)
    microphone = Microphone()
    print("speak; wear headphones if the model hears itself; Ctrl-C ends the talk")
    with open_backend(args.background or [ECHO], False) as backend:
        subtitle = "microphone and loudspeaker"
        talk = converse(args, loaded, microphone, microphone, subtitle, backend)
    return exit_code(talk)


def clock_of(args: argparse.Namespace) -> Clock:
    return SkippingClock() if args.fast else RealClock()


def pace_of(args: argparse.Namespace) -> str:
    """How it was played, in words."""
    return "played as fast as it computes" if args.fast else "played in real time"


@contextmanager
def open_backend(names: list[str], is_fast: bool) -> Iterator[Backend | None]:
    """Who does what the model hands over; None: the script. Raises ConfigError for a language model
    in a talk that waits for nobody."""
    if not names:
        yield None
        return
    if is_fast and any("#" in name for name in names):
        raise ConfigError(
            "with --fast nobody waits, so a language model would always be too late; leave out "
            "--fast or --background"
        )
    background = open_named(names)
    try:
        yield background.open()
    finally:
        background.close()


def converse(
    args: argparse.Namespace,
    loaded: Loaded,
    user: User,
    clock: Clock,
    subtitle: str,
    backend: Backend | None,
    *,
    finish: Callable[[Path, Conversation], None] | None = None,
) -> Conversation:
    """Talk, write the results, print what came of it. finish: writes more into their folder."""
    engine = Engine(loaded)
    warm_up(engine)
    print("  ".join(f"{name}: {fact}" for name, fact in engine.facts.items()), flush=True)
    talk = Talk(engine.open(seed=SEED), user, view_for(sys.stdout), backend)
    with results_folder(args.out) as draft:
        with user if isinstance(user, Microphone) else nullcontext():
            report = talk.run(clock, draft / RECORD)
        if not report.num_turns:
            raise KeyboardInterrupt  # before anything was heard
        write_results(draft, talk.conversation, subtitle, user.film)
        if finish:
            finish(draft, talk.conversation)
    _print_summary(talk.conversation, args.out)
    if report.stopped and not isinstance(user, Microphone):
        raise KeyboardInterrupt
    return talk.conversation


def _write_picture(path: Path, talk: Conversation) -> None:
    try:
        path.write_text(session_svg(talk), encoding="utf-8")
    except OSError as error:
        raise DeviceError(f"cannot write {path}: {error.strerror}; choose another place") from None


def _print_summary(talk: Conversation, out: Path) -> None:
    print()
    for name, words in (("heard", talk.heard.words), ("said", talk.said.words)):
        texts = [text for _, _, text in utterances(words)]
        print(f"{name:<10} {' · '.join(texts) or 'nothing'}")
    print(f"deadlines  {talk.deadlines()}")
    print(
        f"compute    median {talk.percentile_ms(50):.1f} ms, p99 {talk.percentile_ms(99):.1f} ms "
        "of every 200 ms"
    )
    print(f"results    {out / PAGE} (open it), {out / WAV}, {out / RECORD}")
    print(f"next       interplay replay {out / RECORD}")


def exit_code(talk: Conversation) -> int:
    return 1 if talk.num_missed else 0
