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

from interplay.bench import hearing, overlap, timing
from interplay.bench.answering import answer_acc
from interplay.bench.local import LocalSystem
from interplay.bench.runner import play
from interplay.bench.score import Outcome, summarize
from interplay.bench.stage import Synthesizer
from interplay.bench.trace import Trace
from interplay.data import heldout
from interplay.data.item import Item, Speak
from interplay.data.speech import synthesize
from interplay.errors import ConfigError, RecordError
from interplay.model.checkpoint import Loaded, load_checkpoint, save_checkpoint
from interplay.model.vocoder import Vocoder

HEARD = (0.0, 0.7, 1.0, 1.4, 2.0)
ACT = (0.0, 0.4, 0.8, 1.2, 1.6)
SAY = (0.0, 0.8, 1.6)
NUM_ITEMS = 60
MOST_DRAWN = 10  # items drawn for one that none of the voices left out speaks in
Scorer = Callable[[Trace], list[Outcome]]


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
    without_voices: tuple[str, ...] = (),
) -> Iterator[Trial]:
    """Tries every value, yields what each gave, and leaves the best ones in `loaded`.

    without_voices: beginnings of the specs of voices that the training left out; items in which
    they speak say nothing of what is held out (docs/log.md).
    """
    speak = lru_cache(4096)(synthesize)
    for stream, values, scorers in _PLAN:
        items = _items(tuple(scorers), num_items, seed, without_voices)
        trials: list[Trial] = []
        for value in values:
            set_bias(loaded, stream, value)
            system = LocalSystem(loaded, name="tuned", seed=seed)
            outcomes = [
                replace(outcome, group=trace.item.kind)
                for trace in play(items, system, speak)
                for outcome in scorers[trace.item.kind](trace)
            ]
            errors = summarize(outcomes, "macro", seed).value
            assert errors is not None, "every item gives an outcome"
            trial = Trial(stream=stream, bias=value, errors=errors)
            trials.append(trial)
            yield trial
        set_bias(loaded, stream, best_of(trials).bias)


def _missed(score: Scorer) -> Scorer:
    """Errors, of a score that counts what is right."""
    return lambda trace: [replace(o, value=o.of - (o.value or 0)) for o in score(trace)]


_PLAN: tuple[tuple[str, tuple[float, ...], dict[str, Scorer]], ...] = (
    ("heard", HEARD, {"hear": hearing.heard_wer, "human": _missed(hearing.heard_acc)}),
    ("act", ACT, {"timer": _missed(timing.timer_hit)}),
    (  # stopping is a token of `say`, too
        "say",
        SAY,
        {
            "answer": _missed(answer_acc),
            "interrupt": _missed(overlap.interrupt_stop),
            "backchannel": _missed(overlap.backchannel_continue),
        },
    ),
)


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


def _items(
    kinds: tuple[str, ...], num_items: int, seed: int, without_voices: tuple[str, ...]
) -> list[Item]:
    """Of the training split; recordings of people only where there are some."""
    found: list[Item] = []
    for kind in kinds:
        try:
            drawn = heldout.items(
                kind, num_items * _excess(kind, without_voices), seed, split="train"
            )
        except RecordError as error:
            print(error)
            continue
        found += [item for item in drawn if not _speaks(item, without_voices)][:num_items]
    return found


def _excess(kind: str, without_voices: tuple[str, ...]) -> int:
    return MOST_DRAWN if without_voices and kind in heldout.KINDS else 1


def _speaks(item: Item, voices: tuple[str, ...]) -> bool:
    return any(isinstance(cue, Speak) and cue.voice.startswith(voices) for cue in item.cues)


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
    print(f"best: heard {chosen.heard:+.1f}, say {chosen.say:+.1f}, act {chosen.act:+.1f}")
    if args.out:
        vocoder = loaded.vocoder if isinstance(loaded.vocoder, Vocoder) else None
        save_checkpoint(
            args.out, loaded.model, vocoder, loaded.tokenizer, loaded.facts, torch.float16
        )
        print(f"written to {args.out}")
    return 0
