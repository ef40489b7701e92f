"""`interplay demo`: the recorded conversation, or one scene of the gallery, played live.

A scene is an item of the suite `gallery` (bench.suites.gallery) in real time: a scripted user who
speaks and maybe films, the model, which decides everything, and then what was expected of it
beside what it did. Knows nothing of how a conversation runs or is drawn.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from interplay.errors import ConfigError
from interplay.model.checkpoint import load_checkpoint
from interplay.talk import command as talk
from interplay.talk.conversation import Conversation
from interplay.talk.film import Film, is_shown
from interplay.talk.live import CLIP


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scene", nargs="?", help="a scene by name, `list` for all; default: the recorded talk"
    )
    parser.add_argument("--seed", type=int, default=0, help="another one of the same scene")
    talk.add_demo_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """`interplay demo`, `interplay demo list` or `interplay demo NAME`. Raises ConfigError for a
    scene that is not there."""
    if args.scene is None:
        return talk.run_demo(args)
    # only here: the recorded talk needs no extra
    from interplay.bench.suites.gallery import SCENES

    if args.scene == "list":
        for name, scene in SCENES.items():
            print(f"{name:13} {scene.what}")
        return 0
    if args.scene not in SCENES:
        raise ConfigError(f"no scene {args.scene!r}; the scenes are {', '.join(SCENES)}")
    if args.script or args.picture:
        raise ConfigError("--script and --picture are for the recorded talk; leave them out")
    return _play(args)


def _play(args: argparse.Namespace) -> int:
    from interplay.bench.staged_user import StagedUser
    from interplay.bench.suites.gallery import SCENES, draw, verdict

    loaded = load_checkpoint(args.model)
    user = StagedUser(draw(args.scene, args.seed), loaded)
    subtitle = f"{args.scene}: {SCENES[args.scene].what}; a scripted user, {talk.pace_of(args)}"

    def finish(folder: Path, conversation: Conversation) -> None:
        if is_shown(user.film) and find_spec("av"):
            _write_clip(folder / CLIP, user.film, conversation)

    with talk.open_backend(args.background, args.fast) as backend:
        conversation = talk.converse(
            args, loaded, user, talk.clock_of(args), subtitle, backend, finish=finish
        )
    if is_shown(user.film):
        if loaded.config.see is None:
            print(f"camera     was on, but {args.model} has no eyes")
        clip = args.out / CLIP
        print(f"clip       {clip if clip.exists() else 'none: pip install interplay[data]'}")
    for line in verdict(user.trace):
        print(line)
    return talk.exit_code(conversation)


def _write_clip(path: Path, film: Film, conversation: Conversation) -> None:
    from interplay.media.video_file import write_film

    dark = np.zeros_like(next(frame for frame in film if frame is not None))
    frames = [dark if frame is None else frame for frame in film]
    write_film(path, frames, conversation.tracks())
