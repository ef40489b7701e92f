"""The mean head's contrast: how it speaks, and that training and files know their part of it."""

from pathlib import Path

import pytest
import torch

from interplay.media.dmel import NUM_MELS
from interplay.model.checkpoint import load_checkpoint, save_checkpoint
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.turns.tokens import Tokenizer


@pytest.fixture
def model() -> InteractionModel:
    torch.manual_seed(0)
    model = InteractionModel(model_config("tiny", vocab_size=300)).eval()
    model.voice.mel_mean.copy_(torch.linspace(-4, -2, NUM_MELS))
    model.voice.mel_std.fill_(0.5)
    return model


def spoken(model: InteractionModel) -> torch.Tensor:
    """log10 mel of three slots with hidden states that are always the same."""
    dim = model.config.backbone.dim
    hidden = torch.randn(3, dim, generator=torch.Generator().manual_seed(1))
    mean = model.voice.mean(hidden, hidden)

    def before() -> tuple[torch.Tensor, torch.Tensor]:
        raise AssertionError("the mean head needs no noise")

    return model.voice.sample(mean, hidden, hidden, before)


def test_what_is_said_is_as_much_further_from_the_average_of_the_voice(model):
    average = model.voice.mel_mean
    flat = spoken(model) - average
    model.set_contrast(1.5)
    torch.testing.assert_close(spoken(model) - average, 1.5 * flat)


def test_it_is_kept_in_the_file(model, tmp_path: Path):
    tokenizer = Tokenizer.train(["one two three four"], 300)
    model = InteractionModel(model_config("tiny", vocab_size=tokenizer.vocab_size))
    model.set_contrast(1.25)
    save_checkpoint(tmp_path / "t.safetensors", model, None, tokenizer, {})
    again = load_checkpoint(tmp_path / "t.safetensors")
    assert again.config.voice.contrast == again.model.voice.config.contrast == 1.25
