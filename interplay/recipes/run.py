"""A full run: from nothing to a checkpoint, as a recipe says.

A run is a folder. Each stage leaves its product there and is skipped when the product exists:
corpus/ (utterances, tokenizer), eyes/, model/ (log, curves, snapshots), vocoder/, NAME.safetensors.
"""

import os
import time
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from interplay import __version__
from interplay.bench.tune import tune
from interplay.data.compose import Composer, own_voice_statistics
from interplay.data.corpus import Corpus, add_kinds, build_corpus
from interplay.data.scenes.glimpses import Glimpses
from interplay.engine.precision import choose_device, choose_dtype, choose_operations
from interplay.errors import ConfigError
from interplay.model.checkpoint import SUFFIX, Loaded, load_checkpoint, save_checkpoint
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.model.see import See
from interplay.model.vocoder import Vocoder
from interplay.recipes.batches import CorpusBatches, Own, check_own, checked_sessions, note_own
from interplay.recipes.own_ears import add_own_voice
from interplay.recipes.recipe import Recipe, with_eyes
from interplay.train import ranks
from interplay.train.eyes import EyesAlone, EyesTraining, train_eyes
from interplay.train.loop import TrainConfig, Trainer, train
from interplay.train.parcel import Parcels
from interplay.train.said import say_all
from interplay.train.snapshots import prepare_folder, snapshots
from interplay.train.start import learnt_anew, mix_with_start, start_from
from interplay.train.texts import Texts
from interplay.train.throughput import probe_throughput
from interplay.train.vocoder import VocoderTraining, train_vocoder

EXPORT_MINUTES = 0.5
SHORTEST_MINUTES = 0.05  # of the model's training, where the other stages took the rest
TUNING_MINUTES = 0.15  # per item of every kind
TUNING_FILMS = 2.0  # times as long, with eyes


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


def fit_to_start(recipe: Recipe, start: Loaded | None) -> Recipe:
    """The recipe for the shape that it takes from `start`: with eyes where that has some."""
    sees = start is not None and start.config.see is not None
    return with_eyes(recipe) if sees and recipe.size is None else recipe


def run_recipe(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    corpus: Path | None = None,
    own: Own | None = None,
    text: Path | None = None,
) -> Path | None:
    """All stages; returns the checkpoint. corpus: a folder to share between runs. own: the user's
    own data, mixed with the made-up sessions while the model is trained. text: what is replayed.
    Every process of torchrun calls it; the first alone does all but train the model, and returns
    something.

    Ctrl-C saves and raises KeyboardInterrupt; run again with `resume`.
    """
    began = time.monotonic()
    start, texts = load_start(recipe, text)
    recipe = fit_to_start(recipe, start)
    folder = corpus or out / "corpus"
    if ranks.is_first():
        prepare_folder(out)
        _synthesise(recipe, folder, start)
    ranks.wait()
    data = Corpus(folder)
    if start and start.tokenizer.to_json() != data.tokenizer.to_json():
        raise ConfigError(
            f"{recipe.start} writes with another tokenizer than the corpus in {folder}; "
            "start from a model that was trained on the same words"
        )
    if own:
        check_own(own, recipe, data.tokenizer)
    if ranks.is_first():
        note_own(own, out)
    vocoder_minutes = recipe.vocoder_share * recipe.minutes
    eyes_minutes = recipe.eyes_share * recipe.minutes
    spent = (time.monotonic() - began) / 60 + vocoder_minutes + eyes_minutes + EXPORT_MINUTES
    spent += TUNING_MINUTES * recipe.num_tuned * (TUNING_FILMS if recipe.eyes else 1.0)
    minutes = ranks.of_first(recipe.minutes - spent)
    eyes = _train_eyes(recipe, data, out / "eyes", eyes_minutes) if eyes_minutes else None
    compose = replace(recipe.compose, seed=recipe.seed)
    batches = CorpusBatches(folder, compose, own, dry=recipe.hears_there)
    model = train_model(
        recipe,
        data,
        batches,
        out / "model",
        minutes,
        start=start,
        eyes=eyes,
        texts=texts,
        resume=resume,
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
        "start_share": recipe.start_share,
        "own_data": own.facts() if own else None,
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
    _tune(made, recipe)
    save_checkpoint(checkpoint, model, vocoder, data.tokenizer, facts, recipe.export)
    return checkpoint


def _synthesise(recipe: Recipe, folder: Path, start: Loaded | None) -> None:
    """The corpus, or what is lacking of it."""
    plan, speakers = replace(recipe.corpus, seed=recipe.seed), _num_speakers(recipe)
    if not (folder / "corpus.json").exists():
        print(f"{folder}: synthesising the corpus", flush=True)
        tokenizer = start.tokenizer if start and recipe.size is None else None
        build_corpus(folder, plan, tokenizer=tokenizer, num_workers=speakers)
    if lacking := Corpus(folder).lacking(eyes=recipe.eyes):
        print(f"{folder}: synthesising what it lacks: {', '.join(lacking)}", flush=True)
        add_kinds(folder, plan, lacking, num_workers=speakers)
    if start and recipe.num_self:
        add_own_voice(folder / "bank", start, recipe.num_self, seed=recipe.seed)


def _num_speakers(recipe: Recipe) -> int:
    """Processes that synthesise: a host whose GPU will train has all its cores to spare."""
    return recipe.num_threads if recipe.device == "cpu" else len(os.sched_getaffinity(0))


def _train_eyes(recipe: Recipe, data: Corpus, out: Path, minutes: float) -> EyesAlone:
    """By the first process; the others find it done."""
    if not ranks.is_first():
        ranks.wait()
    assert recipe.size is not None and recipe.eyes, "named recipes see to it"
    print(f"{out}: training eyes alone", flush=True)
    torch.manual_seed(recipe.seed)
    sizes = model_config(recipe.size, vocab_size=data.tokenizer.vocab_size, eyes=True)
    assert sizes.see is not None
    device = choose_device(recipe.device)
    config = EyesTraining(
        budget_s=60 * minutes,
        glimpses=Glimpses(seed=recipe.seed),
        dtype=choose_dtype(None, device)[0],
        device=device,
        num_threads=recipe.num_threads,
    )
    eyes = train_eyes(See(sizes.see), config, out)
    if ranks.is_first():
        ranks.wait()
    return eyes


def _tune(made: Loaded, recipe: Recipe) -> None:
    if not recipe.num_tuned:
        return
    print("choosing what training cannot on its texts and voices", flush=True)
    left_out = recipe.compose.without_voices
    for trial in tune(made, num_items=recipe.num_tuned, seed=recipe.seed, without_voices=left_out):
        print(trial, flush=True)


def train_model(
    recipe: Recipe,
    data: Corpus,
    batches: CorpusBatches,
    out: Path,
    minutes: float,
    *,
    start: Loaded | None = None,
    eyes: EyesAlone | None = None,
    texts: Texts | None = None,
    resume: bool,
) -> InteractionModel:
    """The stage that takes long: the interaction model, for `minutes` of wall clock."""
    device = choose_device(recipe.device)
    dtype, reason = choose_dtype(None, device)
    if ranks.is_first():
        print(f"{out}: training on {device} in {dtype} ({reason})", flush=True)
    torch.manual_seed(recipe.seed)
    if recipe.size is None:
        assert start, "load_start sees to it"
        model = start.model.train()
    else:
        sizes = model_config(recipe.size, vocab_size=data.tokenizer.vocab_size, eyes=recipe.eyes)
        model = InteractionModel(sizes)
    mean, std = own_voice_statistics(data)
    model.voice.mel_mean.copy_(torch.from_numpy(mean))
    model.voice.mel_std.copy_(torch.from_numpy(std))
    if start and recipe.size is not None:
        grown = start_from(model, start.model)
        larger = f", {len(grown)} weights larger or new" if grown else ""
        if ranks.is_first():
            print(f"{out}: goes on from {recipe.start}{larger}", flush=True)
        if not recipe.num_tuned:
            model.set_pad_bias(start.config.pad_bias)
            model.set_contrast(start.config.voice.contrast)
    if eyes is not None:
        eyes.give_to(model)
    chosen = choose_operations(model, None, dtype, device, exact=False)  # by every process
    if ranks.is_first():
        print(f"{out}: operations are those of {chosen['operations']}", flush=True)
        print(f"{out}: row contract: {chosen['row contract']}", flush=True)
    model.to(device)
    begun_with = deepcopy(model).eval() if recipe.start_share else None
    config = TrainConfig(
        minutes=max(minutes, SHORTEST_MINUTES),
        seed=recipe.seed,
        dtype=dtype,
        device=device,
        num_threads=recipe.num_threads,
        losses=recipe.losses,
        optim=recipe.optim,
        warm=recipe.warm,
    )
    made = _parcels(batches, config, model) if recipe.hears_there else batches
    if device.type != "cpu":
        found = probe_throughput(config, made, model)
        print(f"{out}: {found}", flush=True)
        config = replace(config, num_workers=found.num_workers)
    kind, checked = _kind_of_trainer(), None
    if recipe.num_checked and kind is Trainer:
        checked = checked_sessions(batches.folder, batches.config, recipe.num_checked)
    trained = train(
        config,
        made,
        model,
        out,
        resume=resume,
        texts=texts,
        held_to=_held_to(recipe, model) if recipe.losses.kept else None,
        checked=checked,
        kind=kind,
    )
    if start and begun_with is not None:
        are_new = eyes is not None or start.config.see is None
        new = learnt_anew(trained, start.model, eyes=are_new)
        mix_with_start(trained, begun_with, recipe.start_share, new)
    return trained.to("cpu")


def _held_to(recipe: Recipe, model: InteractionModel) -> InteractionModel:
    """What `losses.kept` holds a run to that begins with `model`: as wide as it is, for its work
    grows with the square."""
    if not recipe.held_to:
        return deepcopy(model).eval()
    old = load_checkpoint(recipe.held_to).model
    held_to = InteractionModel(replace(old.config, num_follow=model.config.num_follow))
    start_from(held_to, old)
    return held_to.eval()


def _parcels(batches: CorpusBatches, config: TrainConfig, model: InteractionModel) -> Parcels:
    return Parcels(
        batches,
        num_shares=config.num_shares,
        mel_mean=model.voice.mel_mean.cpu().numpy(),
        mel_std=model.voice.mel_std.cpu().numpy(),
        noise=config.noise,
        seed=config.seed,
    )


def _kind_of_trainer() -> type[Trainer]:
    if not ranks.are_many():
        return Trainer
    from interplay.train.sharded import ShardedTrainer  # what it needs of torch loads for seconds

    return ShardedTrainer


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
