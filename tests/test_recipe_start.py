"""What a recipe that goes on from a model gives to the training, and takes back afterwards."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from interplay.data.corpus import Corpus
from interplay.data.families import BEHAVIOURS
from interplay.data.families import EYES as EYES_FAMILIES
from interplay.errors import ConfigError
from interplay.model.checkpoint import load_checkpoint
from interplay.model.interaction import InteractionModel, PadBias
from interplay.model.named import model_config
from interplay.recipes import command, run
from interplay.recipes.batches import CorpusBatches
from interplay.recipes.named import find_recipe

BIAS = PadBias(heard=1.0, say=0.0, act=0.8)
EYES = ("embed.see.", "embed.tile_places")


def trained(monkeypatch: pytest.MonkeyPatch, tmp_path, **changes) -> tuple[Any, Any, Any]:
    """(model, what it began as, what else the training was given); training adds 1 to all words
    and to all weights of eyes."""
    torch.manual_seed(0)
    shipped = load_checkpoint("xs")
    start = InteractionModel(model_config("tiny", vocab_size=shipped.tokenizer.vocab_size))
    start.set_pad_bias(BIAS)
    start.set_contrast(1.2)
    given: dict[str, Any] = {}

    def train(config, batches, model, out, **others):
        given.update(others)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name == "words" or name.startswith(EYES):
                    weight.add_(1.0)
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
    return model, start, given


def test_a_run_is_held_to_what_it_began_as_and_goes_a_part_of_the_way_back(monkeypatch, tmp_path):
    model, start, given = trained(monkeypatch, tmp_path, start_share=0.25)
    torch.testing.assert_close(model.words, start.words + 0.75)
    for name, weight in start.named_parameters():
        assert torch.equal(given["held_to"].get_parameter(name), weight), name
    assert model.config.pad_bias == BIAS, "nothing was tuned"
    assert model.config.voice.contrast == model.voice.config.contrast == 1.2


def test_a_run_may_be_held_to_another_model_than_it_begins_with(monkeypatch, tmp_path):
    shipped = load_checkpoint("xs")
    vocab_size = shipped.tokenizer.vocab_size
    other = replace(shipped, model=InteractionModel(model_config("tiny", vocab_size=vocab_size)))
    monkeypatch.setattr(run, "load_checkpoint", lambda name: other)
    model, start, given = trained(monkeypatch, tmp_path, start_share=0.25, held_to="other")
    torch.testing.assert_close(model.words, start.words + 0.75)  # back to what it began with
    for name, weight in other.model.named_parameters():
        assert torch.equal(given["held_to"].get_parameter(name), weight), name


def test_a_run_that_is_not_held_keeps_all_that_it_learnt(monkeypatch, tmp_path):
    losses = replace(find_recipe("xs-drilled").losses, kept=0.0)
    model, start, given = trained(
        monkeypatch, tmp_path, start_share=0.0, losses=losses, num_tuned=3
    )
    torch.testing.assert_close(model.words, start.words + 1.0)
    assert given["held_to"] is None and given["checked"] is None
    assert model.config.pad_bias == PadBias(), "the tuning to come begins with none"
    assert model.config.voice.contrast == 1.0


def test_eyes_that_the_start_lacks_do_not_go_back_to_what_knows_nothing(monkeypatch, tmp_path):
    model, start, given = trained(monkeypatch, tmp_path, start_share=0.25, eyes=True)
    torch.testing.assert_close(model.words, start.words + 0.75)
    eyes = [name for name, _ in model.named_parameters() if name.startswith(EYES)]
    assert len(eyes) > 4
    for name in eyes:
        begun = given["held_to"].get_parameter(name)
        torch.testing.assert_close(model.get_parameter(name), begun + 1.0)


def test_a_run_is_checked_on_as_many_sessions_as_its_recipe_says(monkeypatch, tmp_path):
    def checked(folder, config, num_sessions):
        return folder, config.drilled, num_sessions

    monkeypatch.setattr(run, "checked_sessions", checked)
    given = trained(monkeypatch, tmp_path, num_checked=3)[2]
    assert given["checked"] == (tmp_path, find_recipe("xs-drilled").compose.drilled, 3)


@pytest.mark.parametrize("name", ["xs-whole", "s", "s-moe", "s-smoke"])
def test_all_behaviours_are_in_one_recipe(name):
    recipe = find_recipe(name)
    assert {name for name, share in recipe.compose.mix if share} == {*BEHAVIOURS}
    assert {name for name, share in recipe.compose.eyes if share} == {*EYES_FAMILIES}
    assert recipe.eyes and recipe.corpus.eyes and recipe.compose.seen and recipe.compose.rehearsed
    assert recipe.compose.known and recipe.num_checked


def test_what_gets_eyes_begins_as_the_model_before_it_was():
    recipe, blind = find_recipe("xs-whole"), find_recipe("xs-further")
    sizes = [model_config(r.size or "", eyes=r.eyes) for r in (recipe, blind)]
    assert replace(sizes[0], see=None) == sizes[1]


@pytest.mark.parametrize(
    ("share", "start", "line"),
    [
        (1.0, "xs", "--start-share is 1; give 0 or more"),
        (-0.1, "xs", "--start-share is -0.1; give 0 or more"),
        (float("nan"), "xs", "--start-share is nan; give 0 or more"),
        (0.2, None, "the run begins with nothing; name a model with --from"),
    ],
)
def test_there_is_no_way_back_beyond_the_start_or_to_nothing(share, start, line):
    with pytest.raises(ConfigError, match=line):
        command._check_start_share(share, start)
    command._check_start_share(0.0, None)
