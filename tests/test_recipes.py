"""Recipes are found by name, and what a run is made of travels to other processes."""

import pickle
from pathlib import Path

import pytest
import torch

from interplay.cli import main
from interplay.data.compose import ComposeConfig
from interplay.errors import ConfigError
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.model.vocoder import Vocoder
from interplay.recipes.batches import CorpusBatches
from interplay.recipes.named import RECIPES, find_recipe


def test_recipes_are_found_by_name_and_wrong_ones_list_the_right_ones():
    for name in RECIPES:
        assert find_recipe(name).name == name
    with pytest.raises(
        ConfigError,
        match="xs-seeing, xs-watching, xs-wide, xs-fluent, xs-versed, xs-literal, s, s-moe",
    ):
        find_recipe("xxl")


def test_s_with_eyes_is_small_enough_to_ship():
    """As int8, a scale for every row; the rest as float16 (model.checkpoint)."""
    recipe = find_recipe("s")
    config = model_config(recipe.size or "", vocab_size=recipe.corpus.vocab_size, eyes=recipe.eyes)
    with torch.device("meta"):
        weights = [*InteractionModel(config).parameters(), *Vocoder(config.vocoder).parameters()]
    assert recipe.export == torch.int8
    assert 36e6 < sum(weight.numel() for weight in weights) < 38e6
    rows = sum(weight.numel() // weight.shape[-1] for weight in weights if weight.ndim > 1)
    stored = sum(weight.numel() * (1 if weight.ndim > 1 else 2) for weight in weights)
    assert stored + 4 * rows < 45e6


def test_an_own_past_and_babble_are_for_s_alone():
    """Batches of runs that go on have to stay what they were."""
    for name in RECIPES:
        recipe, is_s = find_recipe(name), name.startswith("s") and name != "smoke"
        assert (recipe.losses.own_past > 0) == (recipe.compose.babble > 0) == is_s, name


def test_corpus_batches_travel_as_a_path():
    batches = CorpusBatches(Path("somewhere"), ComposeConfig())
    again = pickle.loads(pickle.dumps(batches))
    assert again == batches


def test_nothing_to_go_on_with_is_refused_and_makes_no_folder(tmp_path, capsys):
    folder = tmp_path / "typo"
    assert main(["train", "smoke", "--resume", "--out", str(folder)]) == 2
    assert f"{folder} holds no run to go on with" in capsys.readouterr().err
    assert not folder.exists()
