"""Chooses what training cannot: how much the empty token gains when a trained model writes
(`ModelConfig.pad_bias`), and the contrast of its voice (`VoiceConfig.contrast`).

Training counts empty tokens by less than one, so that words are learnt early, and a regression is
flatter than speech is. What is right at the end is measured: items with texts, voices and people of
the training are played with several values. Nothing held out is looked at. Knows nothing of
training or files.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count, islice
from pathlib import Path

import torch

from interplay.bench import filmed
from interplay.bench.listening.grammar import Recognizer
from interplay.bench.playing.logical_clock import play
from interplay.bench.playing.stage import Synthesizer
from interplay.bench.scoring import hearing, overlap, timing, voice
from interplay.bench.scoring.answering import answer_acc
from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.systems.local import LocalSystem
from interplay.bench.traces.trace import Trace
from interplay.data import heldout
from interplay.data.item import Item, Speak
from interplay.data.speech import synthesize
from interplay.data.texts.vocabulary import CONTENT
from interplay.data.voices import OWN_VOICE
from interplay.errors import ConfigError, RecordError
from interplay.model.checkpoint import Loaded, load_checkpoint, save_checkpoint
from interplay.model.vocoder import Vocoder

HEARD = (0.0, 0.7, 1.0, 1.4, 2.0)
ACT = (0.0, 0.4, 0.8, 1.2, 1.6)
SAY = (0.0, 0.8, 1.6, 2.4)
CONTRAST = (1.0, 1.2, 1.35, 1.6)
NUM_ITEMS = 60
MOST_DRAWN = 10  # items drawn for one that none of the voices left out speaks in
Scorer = Callable[[Trace], list[Outcome]]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One value of one setting: `contrast`, or the empty token of the stream that it is named
    after. errors: in [0, 1], averaged over kinds of items. spread: their standard error."""

    setting: str
    value: float
    errors: float
    spread: float = 0.0

    def __str__(self) -> str:
        what = "" if self.setting == "contrast" else "empty token "
        return f"{self.setting:8} {what}{self.value:+.2f}: {self.errors:.1%} wrong"


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
    for setting, values, scorers in _plan(speak, sees=loaded.config.see is not None):
        items = _items(tuple(scorers), num_items, seed, without_voices)
        trials: list[Trial] = []
        for value in values:
            choose(loaded, setting, value)
            system = LocalSystem(loaded, name="tuned", seed=seed)
            outcomes = [
                replace(outcome, group=trace.item.kind)
                for trace in play(items, system, speak)
                for outcome in scorers[trace.item.kind](trace)
            ]
            found = summarize(outcomes, "macro", seed)
            assert found.value is not None and found.ci95, "every item gives an outcome"
            spread = (found.ci95[1] - found.ci95[0]) / 4
            trial = Trial(setting=setting, value=value, errors=found.value, spread=spread)
            trials.append(trial)
            yield trial
        choose(loaded, setting, best_of(trials).value)


def _missed(score: Scorer) -> Scorer:
    """Errors, of a score that counts what is right."""
    return lambda trace: [replace(o, value=o.of - (o.value or 0)) for o in score(trace)]


def _plan(
    speak: Synthesizer, *, sees: bool
) -> list[tuple[str, tuple[float, ...], dict[str, Scorer]]]:
    """Settings, their values, and what is wrong in which kinds of items; for a model that `sees`
    of what happens before its camera, too."""
    recognizer = Recognizer(CONTENT, speak, OWN_VOICE)

    def read_aloud(trace: Trace) -> list[Outcome]:
        return [voice.accuracy(voice.wanted_words(trace), voice.words_aloud(recognizer, trace))]

    going_on = {  # stopping is a token of `say`, too
        "answer": _missed(answer_acc),
        "interrupt": _missed(overlap.interrupt_stop),
        "backchannel": _missed(overlap.backchannel_continue),
    }
    if sees:
        going_on |= {"counted": filmed.missed_count, "bounded": filmed.missed_span}
    return [
        ("heard", HEARD, {"hear": hearing.heard_wer, "human": _missed(hearing.heard_acc)}),
        ("act", ACT, {"timer": _missed(timing.timer_hit)}),
        ("say", SAY, going_on),
        ("contrast", CONTRAST, {"read_aloud": _missed(read_aloud)}),
    ]


def best_of(trials: Sequence[Trial]) -> Trial:
    """Of those that err no more than the best and its standard error the one in the middle: few
    items cannot tell them apart (the rule of Breiman et al. 1984, CART, 3.4.3)."""
    best = min(trials, key=lambda trial: trial.errors)
    equal = [trial for trial in trials if trial.errors <= best.errors + best.spread]
    return equal[len(equal) // 2]


def choose(loaded: Loaded, setting: str, value: float) -> None:
    """The value of a setting from now on, in the model and in its config."""
    if setting == "contrast":
        loaded.model.set_contrast(value)
    else:
        loaded.model.set_pad_bias(replace(loaded.config.pad_bias, **{setting: value}))
    loaded.config = loaded.model.config


def _items(
    kinds: tuple[str, ...], num_items: int, seed: int, without_voices: tuple[str, ...]
) -> list[Item]:
    """Of the training split; recordings of people only where there are some."""
    found: list[Item] = []
    for kind in kinds:
        if kind in filmed.FILMED:
            found += _films(kind, num_items, seed, without_voices)
            continue
        try:
            drawn = heldout.items(
                kind, num_items * _excess(kind, without_voices), seed, split="train"
            )
        except RecordError as error:
            print(error)
            continue
        found += [item for item in drawn if not _speaks(item, without_voices)][:num_items]
    return found


def _films(kind: str, num_items: int, seed: int, without_voices: tuple[str, ...]) -> Iterator[Item]:
    """Half as many as of other kinds: they are long."""
    drawn = (filmed.FILMED[kind](index, seed) for index in count())
    heard = (item for item in drawn if not _speaks(item, without_voices))
    return islice(heard, max(1, num_items // 2))


def _excess(kind: str, without_voices: tuple[str, ...]) -> int:
    return MOST_DRAWN if without_voices and kind in heldout.KINDS else 1


def _speaks(item: Item, voices: tuple[str, ...]) -> bool:
    return any(isinstance(cue, Speak) and cue.voice.startswith(voices) for cue in item.cues)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="name or file of the model")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the model with them there")
    parser.add_argument("--n", type=int, default=NUM_ITEMS, help=f"items (default: {NUM_ITEMS})")
    parser.add_argument("--seed", type=int, default=0, help="of items and sampling")
    parser.add_argument(
        "--without",
        metavar="VOICES",
        default="",
        help="beginnings of voices that the training left out, with commas: pico,festival:lj",
    )


def run(args: argparse.Namespace) -> int:
    """`interplay tune`."""
    if args.n < 1:
        raise ConfigError(f"--n is {args.n}; at least 1 item is needed")
    loaded = load_checkpoint(args.model)
    left_out = tuple(filter(None, args.without.split(",")))
    for trial in tune(loaded, num_items=args.n, seed=args.seed, without_voices=left_out):
        print(trial, flush=True)
    chosen, contrast = loaded.config.pad_bias, loaded.config.voice.contrast
    print(
        f"best: heard {chosen.heard:+.1f}, say {chosen.say:+.1f}, act {chosen.act:+.1f}, "
        f"contrast {contrast:g}"
    )
    if args.out:
        vocoder = loaded.vocoder if isinstance(loaded.vocoder, Vocoder) else None
        save_checkpoint(
            args.out, loaded.model, vocoder, loaded.tokenizer, loaded.facts, torch.float16
        )
        print(f"written to {args.out}")
    return 0
