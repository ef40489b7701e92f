"""`interplay init`: an interaction model that begins with a language model's weights.

Knows nothing of training; docs/warm-start.md has the whole recipe.
"""

import argparse
from pathlib import Path

from interplay import __version__
from interplay.errors import CheckpointError
from interplay.model.checkpoint import SUFFIX, save_checkpoint
from interplay.model.foreign import FILES, read_foreign
from interplay.model.named import SIZES
from interplay.model.warm import warm_config, warm_model
from interplay.ops.attention import BLOCK

WINDOW = 2048  # positions: 51 s without a camera


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="source",
        required=True,
        help="a folder with a Qwen3 or Qwen3-MoE model, or its name on the Hugging Face hub",
    )
    parser.add_argument("--out", type=Path, help=f"the file to write (default: NAME{SUFFIX})")
    parser.add_argument(
        "--size", default="s", help=f"whose voice heads and vocoder to add: {', '.join(SIZES)}"
    )
    parser.add_argument("--eyes", action="store_true", help="add eyes")
    parser.add_argument(
        "--window",
        type=int,
        default=WINDOW,
        help=f"positions that a position sees, a multiple of {BLOCK} (default: {WINDOW})",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the new weights")


def run(args: argparse.Namespace) -> int:
    """`interplay init`."""
    folder = find_folder(args.source)
    name = Path(args.source).resolve().name if folder == Path(args.source) else args.source
    out = args.out or Path(name.rpartition("/")[2] + SUFFIX)
    foreign = read_foreign(folder, window=args.window)
    config = warm_config(foreign, heads=args.size, eyes=args.eyes)
    model = warm_model(foreign, config, seed=args.seed)
    facts = {"name": out.stem, "version": __version__, "seed": args.seed, "warm_start": name}
    save_checkpoint(out, model, None, foreign.tokenizer, facts, foreign.dtype)
    num_old = sum(weight.numel() for weight in foreign.backbone.values())
    num_words = model.embed.tokens.numel() + model.words.numel()
    num_all = sum(weight.numel() for weight in model.parameters())
    print(
        f"{out}: {num_all / 1e6:.1f} M parameters: {num_old / 1e6:.1f} M of the backbone and "
        f"{num_words / 1e6:.1f} M of the tables of words from {name}, "
        f"{(num_all - num_old - num_words) / 1e6:.1f} M new"
    )
    print(f"train it: interplay train m --from {out} --text FOLDER")
    return 0


def find_folder(source: str) -> Path:
    """The folder itself, or that of a model fetched from the Hugging Face hub.

    Raises CheckpointError when there is neither, ModuleNotFoundError without the `hub` extra.
    """
    path = Path(source)
    is_name = source.count("/") == 1 and not source.startswith((".", "/", "~"))
    if path.exists() or not is_name:
        return path
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, allow_patterns=list(FILES)))
    except (OSError, ValueError) as error:  # what the library's own errors are
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"{source} is no folder here and cannot be fetched from the Hugging Face hub "
            f"({type(error).__name__}: {reason}); give the folder of a model that you copied"
        ) from None
