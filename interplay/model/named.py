"""Whole interaction models by name. Knows nothing of weights or training."""

from interplay.errors import ConfigError
from interplay.model.backbone import BackboneConfig
from interplay.model.interaction import ModelConfig
from interplay.model.sizes import backbone_config
from interplay.model.vocoder import VocoderConfig
from interplay.model.voice import VoiceConfig

SIZES = ("tiny", "xs", "xs-wide", "s", "s-moe")
_TINY = BackboneConfig(
    dim=64, num_layers=2, num_heads=1, num_kv_heads=1, head_dim=64, ff_dim=128, window=512
)


def model_config(name: str, *, vocab_size: int = 1024) -> ModelConfig:
    """The model called `name`: `tiny` (tests and smoke runs), `xs`, `xs-wide` or `s`.

    Raises ConfigError with the valid names.
    """
    if name not in SIZES:
        raise ConfigError(f"unknown model size {name!r}; the sizes are {', '.join(SIZES)}")
    if name == "tiny":
        return ModelConfig(
            backbone=_TINY,
            voice=VoiceConfig(dim=_TINY.dim, mean_dim=64, flow_dim=64, num_flow_layers=1),
            vocoder=VocoderConfig(dim=64, num_layers=1),
            vocab_size=vocab_size,
        )
    backbone = backbone_config(name)
    return ModelConfig(
        backbone=backbone,
        voice=VoiceConfig(dim=backbone.dim),
        vocoder=VocoderConfig(),
        vocab_size=vocab_size,
    )
