"""What a recipe that goes on from a model gives to the training, and takes back afterwards."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from interplay.data.corpus import Corpus
from interplay.model.checkpoint import load_checkpoint
from interplay.model.interaction import InteractionModel, PadBias
from interplay.model.named import model_config
from interplay.recipes import run
from interplay.recipes.batches import CorpusBatches
from interplay.recipes.named import find_recipe

BIAS = PadBias(heard=1.0, say=0.0, act=0.8)


def trained(monkeypatch: pytest.MonkeyPatch, tmp_path, **changes) -> tuple[Any, Any, Any]:
    """(model, what it began as, what the training was held to); training adds 1 to all words."""
    torch.manual_seed(0)
    shipped = load_checkpoint("xs")
    start = InteractionModel(model_config("tiny", vocab_size=shipped.tokenizer.vocab_size))
    start.set_pad_bias(BIAS)
    start.set_contrast(1.2)
    held: list[Any] = []

    def train(config, batches, model, out, *, begun_with, **_):
        held.append(begun_with)
        with torch.no_grad():
            model.words.add_(1.0)
        return model.eval()

    monkeypatch.setattr(run, "train", train)
    mel = np.zeros(80, np.float32), np.ones(80, np.float32)
    monkeypatch.setattr(run, "own_voice_statistics", lambda data: mel)
    data = object.__new__(Corpus)
    data.tokenizer = shipped.tokenizer
    recipe = replace(find_recipe("xs-drilled"), size="tiny", **changes)
    model = run.train_model(
        recipe,
        data,
        CorpusBatches(tmp_path, recipe.compose),
        tmp_path,
        1.0,
        start=replace(shipped, model=start, config=start.config),
        resume=False,
    )
    return model, start, held[0]


def test_a_run_is_held_to_what_it_began_as_and_goes_a_part_of_the_way_back(monkeypatch, tmp_path):
    model, start, held = trained(monkeypatch, tmp_path, start_share=0.25)
    torch.testing.assert_close(model.words, start.words + 0.75)
    for name, weight in start.named_parameters():
        assert torch.equal(held.get_parameter(name), weight), name
    assert model.config.pad_bias == BIAS, "nothing was tuned"
    assert model.config.voice.contrast == model.voice.config.contrast == 1.2


def test_a_run_that_is_not_held_keeps_all_that_it_learnt(monkeypatch, tmp_path):
    losses = replace(find_recipe("xs-drilled").losses, kept=0.0)
    model, start, held = trained(monkeypatch, tmp_path, start_share=0.0, losses=losses, num_tuned=3)
    torch.testing.assert_close(model.words, start.words + 1.0)
    assert held is None
    assert model.config.pad_bias == PadBias(), "the tuning to come begins with none"
    assert model.config.voice.contrast == 1.0
