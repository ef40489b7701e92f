"""Recipes are found by name, and what a run is made of travels to other processes."""

import pickle
from pathlib import Path

import pytest

from interplay.cli import main
from interplay.data.compose import ComposeConfig
from interplay.errors import ConfigError
from interplay.recipes.batches import CorpusBatches
from interplay.recipes.named import RECIPES, find_recipe


def test_recipes_are_found_by_name_and_wrong_ones_list_the_right_ones():
    for name in RECIPES:
        assert find_recipe(name).name == name
    with pytest.raises(
        ConfigError,
        match="xs-further, xs-drilled, xs-whole, xs-wide, s, s-moe",
    ):
        find_recipe("xxl")


def test_corpus_batches_travel_as_a_path():
    batches = CorpusBatches(Path("somewhere"), ComposeConfig())
    again = pickle.loads(pickle.dumps(batches))
    assert again == batches


def test_nothing_to_go_on_with_is_refused_and_makes_no_folder(tmp_path, capsys):
    folder = tmp_path / "typo"
    assert main(["train", "smoke", "--resume", "--out", str(folder)]) == 2
    assert f"{folder} holds no run to go on with" in capsys.readouterr().err
    assert not folder.exists()
