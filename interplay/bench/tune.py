"""Chooses how much the empty token gains when a trained model writes (`ModelConfig.pad_bias`).

Training counts empty tokens by less than one, so that words are learnt early; what is right at the
end is measured: items with texts, voices and people of the training are played with several
values. Nothing held out is looked at. Knows nothing of training or files.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch

from interplay.bench import hearing, timing
from interplay.bench.local import LocalSystem
from interplay.bench.runner import play
from interplay.bench.score import Outcome, summarize
from interplay.bench.stage import Synthesizer
from interplay.bench.trace import Trace
from interplay.data import heldout
from interplay.data.item import Item
from interplay.data.speech import synthesize
from interplay.errors import ConfigError, RecordError
from interplay.model.checkpoint import Loaded, load_checkpoint, save_checkpoint
from interplay.model.vocoder import Vocoder

HEARD = (0.0, 0.7, 1.0, 1.4, 2.0)
ACT = (0.0, 0.4, 0.8, 1.2, 1.6)
NUM_ITEMS = 60


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One value of one stream: errors in [0, 1], averaged over kinds of items."""

    stream: str
    bias: float
    errors: float

    def __str__(self) -> str:
        return f"{self.stream:6} empty token {self.bias:+.1f}: {self.errors:.1%} wrong"


def tune(
    loaded: Loaded,
    *,
    num_items: int = NUM_ITEMS,
    seed: int = 0,
    synthesize: Synthesizer = synthesize,
) -> Iterator[Trial]:
    """Tries every value, yields what each gave, and leaves the best ones in `loaded`."""
    speak = lru_cache(4096)(synthesize)
    wrong: dict[str, Callable[[Trace], list[Outcome]]] = {
        "hear": hearing.heard_wer,
        "human": _missed,
        "timer": lambda trace: [
            replace(o, value=1 - (o.value or 0)) for o in timing.timer_hit(trace)
        ],
    }
    for stream, values, kinds in (("heard", HEARD, ("hear", "human")), ("act", ACT, ("timer",))):
        items = _items(kinds, num_items, seed)
        trials: list[Trial] = []
        for value in values:
            set_bias(loaded, stream, value)
            system = LocalSystem(loaded, name="tuned", seed=seed)
            outcomes = [
                replace(outcome, group=trace.item.kind)
                for trace in play(items, system, speak)
                for outcome in wrong[trace.item.kind](trace)
            ]
            errors = summarize(outcomes, "macro", seed).value
            assert errors is not None, "every item gives an outcome"
            trial = Trial(stream=stream, bias=value, errors=errors)
            trials.append(trial)
            yield trial
        set_bias(loaded, stream, best_of(trials).bias)


def best_of(trials: Sequence[Trial]) -> Trial:
    """The one with the fewest errors; of several, the one in the middle, far from what is worse."""
    fewest = min(trial.errors for trial in trials)
    equal = [trial for trial in trials if trial.errors == fewest]
    return equal[len(equal) // 2]


def set_bias(loaded: Loaded, stream: str, value: float) -> None:
    """What the empty token of a stream gains from now on, in the model and in its config."""
    bias = replace(loaded.config.pad_bias, **{stream: value})
    loaded.config = replace(loaded.config, pad_bias=bias)
    loaded.model.set_pad_bias(bias)


def _missed(trace: Trace) -> list[Outcome]:
    return [replace(o, value=o.of - (o.value or 0)) for o in hearing.heard_acc(trace)]


def _items(kinds: tuple[str, ...], num_items: int, seed: int) -> list[Item]:
    """Of the training split; recordings of people only where there are some."""
    found: list[Item] = []
    for kind in kinds:
        try:
            found += heldout.items(kind, num_items, seed, split="train")
        except RecordError as error:
            print(error)
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="name or file of the model")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the model with them there")
    parser.add_argument("--n", type=int, default=NUM_ITEMS, help=f"items (default: {NUM_ITEMS})")
    parser.add_argument("--seed", type=int, default=0, help="of items and sampling")


def run(args: argparse.Namespace) -> int:
    """`interplay tune`."""
    if args.n < 1:
        raise ConfigError(f"--n is {args.n}; at least 1 item is needed")
    loaded = load_checkpoint(args.model)
    for trial in tune(loaded, num_items=args.n, seed=args.seed):
        print(trial, flush=True)
    chosen = loaded.config.pad_bias
    print(f"best: heard {chosen.heard:+.1f}, act {chosen.act:+.1f}")
    if args.out:
        vocoder = loaded.vocoder if isinstance(loaded.vocoder, Vocoder) else None
        save_checkpoint(
            args.out, loaded.model, vocoder, loaded.tokenizer, loaded.facts, torch.float16
        )
        print(f"written to {args.out}")
    return 0
