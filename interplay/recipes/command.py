"""`interplay train`: a recipe by its name, with what the user wants otherwise. Knows no stages."""

import argparse
from dataclasses import replace
from pathlib import Path

from interplay.data.own.store import OwnData
from interplay.engine.precision import choose_device
from interplay.errors import ConfigError
from interplay.recipes.batches import Own
from interplay.recipes.named import RECIPES, find_recipe
from interplay.recipes.run import run_recipe
from interplay.train import ranks
from interplay.train.memory import advice

OUT = Path("out")
OWN_SHARE = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help=f"the recipe: {', '.join(RECIPES)}")
    parser.add_argument("--out", type=Path, help="folder of the run (default: out/NAME)")
    parser.add_argument("--from", dest="start", help="go on from this model, a name or a file")
    parser.add_argument("--minutes", type=float, help="wall clock for everything")
    parser.add_argument("--seed", type=int, default=0, help="of data, weights and noise")
    parser.add_argument("--threads", type=int, help="CPU threads to compute with (default: 2)")
    parser.add_argument("--device", help="where the model is trained: cpu, cuda or cuda:N")
    parser.add_argument("--corpus", type=Path, help="corpus folder to use or to make")
    parser.add_argument("--data", type=Path, help="own data made by `interplay data import`")
    parser.add_argument(
        "--share",
        type=float,
        help=f"share of all sessions that are own data (default: {OWN_SHARE})",
    )
    parser.add_argument(
        "--start-share",
        type=float,
        metavar="SHARE",
        help="how far to go back in the end to the model that the run began with, 0 to 1 (default: "
        "the recipe's); with --resume a run that has ended is mixed, tuned and stored again",
    )
    parser.add_argument("--text", type=Path, help="texts to replay: a .txt file, or a folder")
    parser.add_argument("--resume", action="store_true", help="go on with an unfinished run")


def _own(folder: Path | None, share: float | None) -> Own | None:
    """The own data of a command line. Raises ConfigError or RecordError."""
    if folder is None and share is not None:
        raise ConfigError(
            f"--share is {share:g} and there is no --data; name the folder of the data"
        )
    if folder is None:
        return None
    share = OWN_SHARE if share is None else share
    if not 0 < share <= 1:
        raise ConfigError(f"--share is {share:g}; give more than 0, and 1 at most")
    OwnData(folder)  # before an hour of synthesis
    return Own(folder=folder, share=share)


def _check_start_share(share: float, start: str | None) -> None:
    """Raises ConfigError for a way back that there is not."""
    if not 0 <= share < 1:
        raise ConfigError(f"--start-share is {share:g}; give 0 or more, and less than 1")
    if share and not start:
        raise ConfigError(
            f"--start-share is {share:g} and the run begins with nothing; name a model with --from"
        )


def run(args: argparse.Namespace) -> int:
    """`interplay train`."""
    recipe = find_recipe(args.name)
    minutes = recipe.minutes if args.minutes is None else args.minutes
    num_threads = recipe.num_threads if args.threads is None else args.threads
    if minutes <= 0 or num_threads < 1:
        raise ConfigError(
            f"--minutes is {minutes:g} and --threads {num_threads}; minutes must be above 0 and "
            "threads at least 1"
        )
    start = recipe.start if args.start is None else args.start
    start_share = recipe.start_share if args.start_share is None else args.start_share
    _check_start_share(start_share, start)
    device = recipe.device if args.device is None else args.device
    choose_device(device)  # before a corpus is made for a device that is not there
    recipe = replace(
        recipe,
        minutes=minutes,
        num_threads=num_threads,
        seed=args.seed,
        start=start,
        start_share=start_share,
        device=device,
    )
    out = args.out or OUT / recipe.name
    if args.resume and not out.is_dir():
        raise ConfigError(f"{out} holds no run to go on with; name its folder with --out")
    own = _own(args.data, args.share)
    if recipe.device == "cpu" and (line := advice()):
        print(line, flush=True)
    try:
        with ranks.together():
            checkpoint = run_recipe(
                recipe, out, resume=args.resume, corpus=args.corpus, own=own, text=args.text
            )
    except KeyboardInterrupt:
        print(f"{out} is kept; go on with the same command and --resume", flush=True)
        raise
    if checkpoint is None:
        return 0
    print(f"{checkpoint}: done; losses are in {out / 'model' / 'curves.png'}")
    print(f"hear it: interplay demo --model {checkpoint}")
    return 0
