"""Named sizes: they count what they claim, and unknown names are refused."""

import pytest
import torch

from interplay.errors import ConfigError
from interplay.model.backbone import Backbone
from interplay.model.sizes import BACKBONES, backbone_config, count_params


@pytest.fixture(scope="module")
def num_params():
    """Parameters of every size, built without memory; before any test replaces torch.empty."""
    with torch.device("meta"):
        models = {name: Backbone(config) for name, config in BACKBONES.items()}
    assert all(p.is_meta for model in models.values() for p in model.parameters())
    return {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}


def test_the_counts_are_those_of_the_modules(num_params):
    assert {name: count_params(config)[0] for name, config in BACKBONES.items()} == num_params


def test_xl_has_the_size_of_the_source():
    total, active = count_params(backbone_config("xl"))
    assert abs(total / 276e9 - 1) < 0.02 and abs(active / 12e9 - 1) < 0.02


def test_the_mixture_does_the_work_of_the_dense_model():
    dense, mixture = count_params(backbone_config("s")), count_params(backbone_config("s-moe"))
    assert dense[0] == dense[1] and abs(mixture[1] / dense[1] - 1) < 0.01 and mixture[0] > dense[0]


def test_an_unknown_size_lists_the_valid_ones():
    with pytest.raises(ConfigError, match="'xxl'; the sizes are xs, xs-wide, s, s-moe, m, xl"):
        backbone_config("xxl")
