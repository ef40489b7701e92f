"""Named backbone shapes and how large they are. Knows nothing of heads, streams or weights."""

import dataclasses

from interplay.errors import ConfigError
from interplay.model.backbone import BackboneConfig

_S = BackboneConfig(dim=512, num_layers=10, num_heads=8, num_kv_heads=2, ff_dim=1408)

BACKBONES = {
    "xs": BackboneConfig(dim=192, num_layers=5, num_heads=3, num_kv_heads=1, ff_dim=512),
    # what `xs` can grow into (train.start): two and a half times its backbone's parameters
    "xs-wide": BackboneConfig(dim=256, num_layers=6, num_heads=6, num_kv_heads=2, ff_dim=704),
    "s": _S,
    # two experts and the shared one are as wide as the feed-forward of `s`: the same work per row
    "s-moe": dataclasses.replace(
        _S,
        ff_dim=0,
        num_experts=16,
        num_experts_per_token=2,
        expert_ff_dim=512,
        shared_ff_dim=384,
    ),
    # the shape of Qwen3-0.6B, so that its weights fit
    "m": BackboneConfig(
        dim=1024,
        num_layers=28,
        num_heads=16,
        num_kv_heads=8,
        head_dim=128,
        ff_dim=3072,
        rope_theta=1e6,
        window=2048,
    ),
    # 276 B parameters of which 12 B work on a row: the size of the source
    "xl": BackboneConfig(
        dim=3072,
        num_layers=60,
        num_heads=64,
        num_kv_heads=8,
        head_dim=128,
        num_experts=256,
        num_experts_per_token=8,
        expert_ff_dim=1920,
        rope_theta=1e6,
        window=4096,
    ),
}


def backbone_config(name: str) -> BackboneConfig:
    """The backbone called `name`; raises ConfigError with the valid names."""
    if name not in BACKBONES:
        raise ConfigError(f"unknown size {name!r}; the sizes are {', '.join(BACKBONES)}")
    return BACKBONES[name]


def count_params(config: BackboneConfig) -> tuple[int, int]:
    """(total, active) parameters of a backbone; active are those that work on one row."""
    dim, head_dim = config.dim, config.head_dim
    heads = (2 * config.num_heads + 2 * config.num_kv_heads) * head_dim
    layer = dim * heads + 2 * head_dim + 2 * dim
    total = active = layer + 3 * dim * config.ff_dim * (config.num_experts == 0)
    if config.num_experts:
        expert = 3 * dim * config.expert_ff_dim
        common = config.num_experts * dim + 3 * dim * config.shared_ff_dim
        total += config.num_experts * expert + common
        active += config.num_experts_per_token * expert + common
    return config.num_layers * total + dim, config.num_layers * active + dim
