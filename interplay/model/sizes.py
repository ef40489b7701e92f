"""Named backbone shapes. Knows nothing of heads, streams or weights on disk."""

from interplay.errors import ConfigError
from interplay.model.backbone import BackboneConfig

BACKBONES = {
    "xs": BackboneConfig(dim=192, num_layers=5, num_heads=3, num_kv_heads=1, ff_dim=512),
    "s": BackboneConfig(dim=512, num_layers=10, num_heads=8, num_kv_heads=2, ff_dim=1408),
}


def backbone_config(name: str) -> BackboneConfig:
    """The backbone called `name`; raises ConfigError with the valid names."""
    if name not in BACKBONES:
        raise ConfigError(f"unknown size {name!r}; the sizes are {', '.join(BACKBONES)}")
    return BACKBONES[name]
