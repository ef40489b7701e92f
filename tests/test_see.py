"""The vision tower: equal to Inkling's with the same weights; tiles do not touch each other."""

from typing import Any

import pytest
import torch

from interplay.errors import ConfigError
from interplay.model import see
from interplay.model.see import See, SeeConfig, fold


def tiles(*lead: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (*lead, 2, 40, 40, 3), generator=generator, dtype=torch.uint8)


def copy_weights(ours: Any, oracle: Any) -> None:
    """Random norms too, so that a norm left out would show."""
    with torch.no_grad():
        for layer, theirs in zip(ours.layers, oracle.encoder_layers, strict=True):
            norm = theirs.layer_norm if theirs.add_norm else oracle.final_norm
            theirs.projection.weight.copy_(layer.weight)
            layer.norm.uniform_(0.5, 1.5)
            norm.weight.copy_(layer.norm)


@pytest.fixture
def small_inkling(monkeypatch):
    """The oracle at the narrow widths: its planner picks the folds, we pick the widths."""
    from transformers.models.inkling import modeling_inkling
    from transformers.models.inkling.configuration_inkling import InklingVisionConfig

    plan = modeling_inkling.plan_out_scales

    def narrow(*args, **kwargs):
        scales = plan(*args, **kwargs)
        scales[1:-1, 3] = torch.tensor(see.WIDTHS["narrow"])
        return scales

    monkeypatch.setattr(modeling_inkling, "plan_out_scales", narrow)
    config = InklingVisionConfig(text_hidden_size=64, num_hidden_layers=4)
    return modeling_inkling.InklingVisionModel(config).eval()


def test_equal_to_inkling_with_the_same_weights(small_inkling):
    ours = See(SeeConfig(dim=64))
    copy_weights(ours, small_inkling)
    x = tiles(5)
    pixels = (x / 255 - torch.tensor(see.RGB_MEAN)) / torch.tensor(see.RGB_STD)
    with torch.no_grad():
        expected = small_inkling(pixels).last_hidden_state[:, 0]
        torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=0)


def test_the_named_widths_are_those_of_inkling():
    from transformers.models.inkling.configuration_inkling import InklingVisionConfig
    from transformers.models.inkling.modeling_inkling import InklingVisionModel

    config = InklingVisionConfig(text_hidden_size=96, num_hidden_layers=4)
    with torch.device("meta"):
        ours: Any = See(SeeConfig(dim=96, widths="inkling"))
    oracle: Any = InklingVisionModel(config)
    for layer, theirs in zip(ours.layers, oracle.encoder_layers, strict=True):
        assert layer.weight.shape == theirs.projection.weight.shape
        assert (layer.moments, layer.pixels) == (theirs.t_fold, theirs.hw_fold)


def test_normalisation_is_that_of_clip():
    from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

    assert list(see.RGB_MEAN) == OPENAI_CLIP_MEAN and list(see.RGB_STD) == OPENAI_CLIP_STD


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_do_not_depend_on_each_other(dtype):
    tower, x = See(SeeConfig(dim=64)), tiles(3, 12)
    with torch.no_grad():
        whole = tower(x, dtype)
        assert whole.shape == (3, 12, 64) and whole.dtype == dtype
        assert torch.equal(tower(x[1], dtype), whole[1])
        assert torch.equal(tower(x[2, 5], dtype), whole[2, 5])
        assert torch.equal(tower(x[1:, 3:8], dtype), whole[1:, 3:8])


def test_fold_keeps_time_then_rows_then_columns():
    x = torch.arange(2 * 4 * 4.0).reshape(1, 2, 4, 4, 1)
    folded = fold(x, moments=2, pixels=2)
    assert folded.shape == (1, 1, 2, 2, 8)
    assert folded[0, 0, 0, 1].tolist() == [2, 3, 6, 7, 18, 19, 22, 23]


def test_every_weight_learns():
    tower = See(SeeConfig(dim=64))
    (tower(tiles(2)) * torch.randn(2, 64)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in tower.parameters())


def test_unknown_widths_list_the_valid_ones():
    with pytest.raises(ConfigError, match="'wide'; the widths are inkling, narrow"):
        SeeConfig(dim=64, widths="wide")
    with pytest.raises(ConfigError, match="dim is 0"):
        SeeConfig(dim=0)
