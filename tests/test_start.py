"""Going on from a trained model: nothing changes until training does."""

from dataclasses import replace

import pytest
import torch

from interplay.errors import ConfigError
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.train.start import start_from


def a_model() -> InteractionModel:
    torch.manual_seed(0)
    return InteractionModel(model_config("tiny", vocab_size=96))


def test_a_wider_model_begins_as_the_old_one_was():
    old = a_model()
    wide = replace(old.config, voice=replace(old.config.voice, mean_dim=96))
    torch.manual_seed(1)
    model = InteractionModel(wide)
    assert start_from(model, old) == ["voice.mean_in", "voice.mean_out"]
    hidden, say = torch.randn(2, 5, old.config.backbone.dim)
    torch.testing.assert_close(model.voice.mean(hidden, say), old.voice.mean(hidden, say))
    assert model.voice.mean_in[64:].any(), "new units must be able to learn"
    torch.testing.assert_close(model.words, old.words)


def test_starting_from_another_size_names_what_differs():
    old = a_model()
    small = replace(old.config, voice=replace(old.config.voice, mean_dim=32))
    with pytest.raises(ConfigError, match=r"voice\.mean_in has shape \[64, 128\] and has shape"):
        start_from(InteractionModel(small), old)
