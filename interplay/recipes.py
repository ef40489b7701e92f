"""Named full runs: from nothing to a checkpoint, one function per recipe, and the `train` command.

A run is a folder. Each stage leaves its product there and is skipped when the product exists:
corpus/ (utterances, tokenizer), model/ (log, curves, snapshots), vocoder/, NAME.safetensors.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from interplay import __version__
from interplay.bench.tune import tune
from interplay.data.compose import ComposeConfig, Composer, own_voice_statistics
from interplay.data.corpus import Corpus, CorpusPlan, build_corpus
from interplay.data.example import Example
from interplay.engine.precision import choose_dtype
from interplay.errors import ConfigError
from interplay.model.checkpoint import SUFFIX, Loaded, load_checkpoint, save_checkpoint
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.model.vocoder import Vocoder
from interplay.train import ranks
from interplay.train.loop import TrainConfig, Trainer, train
from interplay.train.losses import LossConfig
from interplay.train.optim import OptimConfig
from interplay.train.said import say_all
from interplay.train.sharded import ShardedTrainer
from interplay.train.snapshots import prepare_folder, snapshots
from interplay.train.start import start_from
from interplay.train.texts import TextConfig, Texts
from interplay.train.vocoder import VocoderTraining, train_vocoder
from interplay.train.warm import WarmConfig

OUT = Path("out")
EXPORT_MINUTES = 0.5
TUNING_MINUTES = 0.08  # per item of every kind


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One run. minutes: wall clock of all stages, on the number of threads given.

    start: name or path of a model to go on from; None begins with nothing. size: None takes the
    shape of `start`, which `interplay init` made; warm, text: how it is trained then.
    num_tuned: items per kind that the bias of the empty token is chosen on (bench.tune).
    vocoder_share: part of the minutes that the vocoder is trained for. num_said: sessions whose own
    voice it gets as the model says it. The model gets what corpus, vocoder and export leave.
    """

    name: str
    size: str | None
    minutes: float
    vocoder_share: float = 0.12
    num_said: int = 200
    num_threads: int = 2
    seed: int = 0
    start: str | None = None
    corpus: CorpusPlan = field(default_factory=CorpusPlan)
    compose: ComposeConfig = field(default_factory=ComposeConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    num_tuned: int = 60
    warm: WarmConfig | None = None
    text: TextConfig | None = None


def xs() -> Recipe:
    """The smallest model worth talking to: an hour on two CPU cores, everything included."""
    return Recipe(name="xs", size="xs", minutes=59, losses=LossConfig(flow_from=0.8))


def xs_long() -> Recipe:
    """The same model with more than twice the time and half as many utterances again."""
    return Recipe(
        name="xs-long",
        size="xs",
        minutes=130,
        vocoder_share=0.08,
        corpus=CorpusPlan(scale=1.5),
        losses=LossConfig(flow_from=0.8),
    )


def xs_wide() -> Recipe:
    """`xs-long` grown to three times its body, with all voices and with speech for others."""
    return Recipe(
        name="xs-wide",
        size="xs-wide",
        minutes=110,
        vocoder_share=0.06,
        start="xs-long",
        corpus=CorpusPlan(scale=1.5),
        compose=ComposeConfig(listening_until=0.0, long_from=0.3),
        losses=LossConfig(flow_from=0.9, heard_pad_from=0.3),
        optim=OptimConfig(muon_lr=0.008, adam_lr=1.5e-3, decay_share=0.6),
    )


def smoke() -> Recipe:
    """Three minutes with a tiny model and a small corpus: does everything fit together?"""
    return Recipe(
        name="smoke",
        size="tiny",
        minutes=3,
        vocoder_share=0.2,
        num_said=8,
        num_tuned=2,
        corpus=CorpusPlan(scale=0.03),
        compose=ComposeConfig(batch_size=8),
        losses=LossConfig(num_flow_draws=1),
        optim=OptimConfig(warmup_steps=20),
    )


def m() -> Recipe:
    """Around the weights of a language model, which `interplay init` has made room for."""
    return Recipe(
        name="m",
        size=None,
        minutes=1500,
        vocoder_share=0.05,
        corpus=CorpusPlan(scale=4.0),
        compose=ComposeConfig(batch_size=32, num_turns=128, listening_until=0.2),
        losses=LossConfig(flow_from=0.5),
        optim=OptimConfig(adam_lr=1e-3, warmup_steps=200),
        warm=WarmConfig(),
        text=TextConfig(num_rows=8, num_tokens=1024),
    )


def m_smoke() -> Recipe:
    """Three minutes of `m` with a small corpus, for small models."""
    return replace(
        m(),
        name="m-smoke",
        minutes=3,
        num_said=8,
        num_tuned=2,
        corpus=CorpusPlan(scale=0.03),
        compose=ComposeConfig(batch_size=8, listening_until=0.2),
        optim=OptimConfig(adam_lr=1e-3, warmup_steps=20),
        text=TextConfig(num_rows=2, num_tokens=64),
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "xs": xs,
    "xs-long": xs_long,
    "xs-wide": xs_wide,
    "smoke": smoke,
    "m": m,
    "m-smoke": m_smoke,
}


def find_recipe(name: str) -> Recipe:
    """The recipe called `name`. Raises ConfigError with the valid names."""
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}; the recipes are {', '.join(RECIPES)}")
    return RECIPES[name]()


@dataclass(frozen=True)
class CorpusBatches:
    """Batches composed from a corpus folder; pickles as a path, opens the corpus where it is."""

    folder: Path
    config: ComposeConfig

    @cached_property
    def _composer(self) -> Composer:
        return Composer(Corpus(self.folder), self.config)

    def __call__(self, step: int, progress: float) -> Sequence[Example]:
        return self._composer.batch(step, progress)

    def __reduce__(self) -> tuple:
        return CorpusBatches, (self.folder, self.config)


def load_start(recipe: Recipe, text: Path | None) -> tuple[Loaded | None, Texts | None]:
    """What the run begins with, and the texts it replays. Raises ConfigError for a recipe that
    lacks what it needs, or is given what it does not use."""
    if recipe.size is None and not recipe.start:
        raise ConfigError(
            f"the recipe {recipe.name} begins with a language model; make room around one with "
            "`interplay init --from FOLDER`, and give the file with --from"
        )
    if bool(recipe.text) != bool(text):
        raise ConfigError(
            f"the recipe {recipe.name} replays texts, so that the model keeps its words; give "
            "--text, a .txt file or a folder with some"
            if recipe.text
            else f"the recipe {recipe.name} replays no texts; leave --text away, or train m"
        )
    start = load_checkpoint(recipe.start) if recipe.start else None
    if not (start and recipe.text and text):
        return start, None
    return start, Texts(text, start.tokenizer, recipe.text)


def run(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    corpus: Path | None = None,
    text: Path | None = None,
) -> Path | None:
    """All stages; returns the checkpoint. corpus: a folder to share between runs. text: what is
    replayed. Every process of torchrun calls it; the first alone does all but train the model, and
    returns something.

    Ctrl-C saves and raises KeyboardInterrupt; run again with `resume`.
    """
    began = time.monotonic()
    start, texts = load_start(recipe, text)
    folder = corpus or out / "corpus"
    if ranks.is_first():
        prepare_folder(out)
        if not (folder / "corpus.json").exists():
            print(f"{folder}: synthesising the corpus", flush=True)
            tokenizer = start.tokenizer if start and recipe.size is None else None
            build_corpus(folder, replace(recipe.corpus, seed=recipe.seed), tokenizer=tokenizer)
    ranks.wait()
    data = Corpus(folder)
    if start and start.tokenizer.to_json() != data.tokenizer.to_json():
        raise ConfigError(
            f"{recipe.start} writes with another tokenizer than the corpus in {folder}; "
            "start from a model that was trained on the same words"
        )
    vocoder_minutes = recipe.vocoder_share * recipe.minutes
    spent = (time.monotonic() - began) / 60 + vocoder_minutes + EXPORT_MINUTES
    spent += TUNING_MINUTES * recipe.num_tuned
    minutes = ranks.of_first(recipe.minutes - spent)
    model = train_model(
        recipe, data, folder, out / "model", minutes, start=start, texts=texts, resume=resume
    )
    if not ranks.is_first():
        return None
    vocoder = _train_vocoder(
        recipe, data, out / "vocoder", vocoder_minutes, model=model, start=start
    )
    checkpoint = out / f"{recipe.name}{SUFFIX}"
    facts = {
        "name": recipe.name,
        "version": __version__,
        "seed": recipe.seed,
        "minutes": recipe.minutes,
        "start": start.facts if start else None,
        "num_threads": recipe.num_threads,
        "snapshot": snapshots(out / "model")[-1].stem,
    }
    made = Loaded(
        model=model.eval(),
        vocoder=vocoder,
        tokenizer=data.tokenizer,
        config=model.config,
        facts=facts,
    )
    print(f"{out}: choosing the bias of the empty token on texts and voices of the training")
    for trial in tune(made, num_items=recipe.num_tuned, seed=recipe.seed):
        print(trial, flush=True)
    save_checkpoint(checkpoint, model, vocoder, data.tokenizer, facts, torch.float16)
    return checkpoint


def train_model(
    recipe: Recipe,
    data: Corpus,
    folder: Path,
    out: Path,
    minutes: float,
    *,
    start: Loaded | None = None,
    texts: Texts | None = None,
    resume: bool,
) -> InteractionModel:
    """The stage that takes long: the interaction model, for `minutes` of wall clock."""
    dtype, reason = choose_dtype(None)
    if ranks.is_first():
        print(f"{out}: training in {dtype} ({reason}), {recipe.num_threads} threads", flush=True)
    torch.manual_seed(recipe.seed)
    if recipe.size is None:
        assert start, "load_start sees to it"
        model = start.model.train()
    else:
        sizes = model_config(recipe.size, vocab_size=data.tokenizer.vocab_size)
        model = InteractionModel(sizes)
    mean, std = own_voice_statistics(data)
    model.voice.mel_mean.copy_(torch.from_numpy(mean))
    model.voice.mel_std.copy_(torch.from_numpy(std))
    if start and recipe.size is not None:
        grown = start_from(model, start.model)
        wider = f", wider: {', '.join(grown)}" if grown else ""
        print(f"{out}: goes on from {recipe.start}{wider}", flush=True)
    config = TrainConfig(
        minutes=max(minutes, 0.2),
        seed=recipe.seed,
        dtype=dtype,
        num_threads=recipe.num_threads,
        losses=recipe.losses,
        optim=recipe.optim,
        warm=recipe.warm,
    )
    batches = CorpusBatches(folder, replace(recipe.compose, seed=recipe.seed))
    kind = ShardedTrainer if ranks.are_many() else Trainer
    return train(config, batches, model, out, resume=resume, texts=texts, kind=kind)


def _train_vocoder(
    recipe: Recipe,
    data: Corpus,
    out: Path,
    minutes: float,
    *,
    model: InteractionModel,
    start: Loaded | None,
) -> Vocoder:
    print(f"{out}: training the vocoder", flush=True)
    began = time.monotonic()
    composer = Composer(data, replace(recipe.compose, seed=recipe.seed))
    said = say_all(model, composer, recipe.num_said, seed=recipe.seed, dtype=choose_dtype(None)[0])
    sounds = [np.asarray(clip.samples, np.float32) / 32768 for clip in data.own_clips()]
    budget_s = max(60 * minutes - (time.monotonic() - began), 1.0)
    config = VocoderTraining(budget_s=budget_s, seed=recipe.seed)
    old = start.vocoder if start and isinstance(start.vocoder, Vocoder) else None
    return train_vocoder(sounds, model.config.vocoder, config, out, start=old, said=said)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help=f"the recipe: {', '.join(RECIPES)}")
    parser.add_argument("--out", type=Path, help="folder of the run (default: out/NAME)")
    parser.add_argument("--from", dest="start", help="go on from this model, a name or a file")
    parser.add_argument("--minutes", type=float, help="wall clock for everything")
    parser.add_argument("--seed", type=int, default=0, help="of data, weights and noise")
    parser.add_argument("--threads", type=int, help="CPU threads to compute with (default: 2)")
    parser.add_argument("--corpus", type=Path, help="corpus folder to use or to make")
    parser.add_argument("--text", type=Path, help="texts to replay: a .txt file, or a folder")
    parser.add_argument("--resume", action="store_true", help="go on with an unfinished run")


def command(args: argparse.Namespace) -> int:
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
    recipe = replace(recipe, minutes=minutes, num_threads=num_threads, seed=args.seed, start=start)
    out = args.out or OUT / recipe.name
    try:
        with ranks.together():
            checkpoint = run(recipe, out, resume=args.resume, corpus=args.corpus, text=args.text)
    except KeyboardInterrupt:
        print(f"{out} is kept; go on with the same command and --resume", flush=True)
        raise
    if checkpoint is None:
        return 0
    print(f"{checkpoint}: done; losses are in {out / 'model' / 'curves.png'}")
    print(f"hear it: interplay demo --model {checkpoint}")
    return 0
