"""Whole interaction models by name. Knows nothing of weights or training."""

from dataclasses import replace

from interplay.errors import ConfigError
from interplay.model.backbone import BackboneConfig
from interplay.model.interaction import ModelConfig
from interplay.model.see import SeeConfig
from interplay.model.sizes import backbone_config
from interplay.model.vocoder import VocoderConfig
from interplay.model.voice import VoiceConfig
from interplay.turns.follow import PAIRS

SIZES = ("tiny", "tiny-moe", "xs", "xs-wide", "s", "s-moe")
_TINY = BackboneConfig(
    dim=64, num_layers=2, num_heads=1, num_kv_heads=1, head_dim=64, ff_dim=128, window=512
)
_TINY_MOE = replace(_TINY, ff_dim=0, num_experts=5, expert_ff_dim=64, shared_ff_dim=64)


def model_config(name: str, *, vocab_size: int = 1024, eyes: bool = False) -> ModelConfig:
    """The model called `name`: `tiny` and `tiny-moe` (tests and smoke runs) or a size of backbone;
    with `eyes` it sees.

    Raises ConfigError with the valid names.
    """
    if name not in SIZES:
        raise ConfigError(f"unknown model size {name!r}; the sizes are {', '.join(SIZES)}")
    tiny = {"tiny": _TINY, "tiny-moe": _TINY_MOE}
    backbone = tiny[name] if name in tiny else backbone_config(name)
    voice, vocoder = VoiceConfig(dim=backbone.dim), VocoderConfig()
    if name in tiny:
        voice = VoiceConfig(dim=backbone.dim, mean_dim=64, flow_dim=64, num_flow_layers=1)
        vocoder = VocoderConfig(dim=64, num_layers=1)
    return ModelConfig(
        backbone=backbone,
        voice=voice,
        vocoder=vocoder,
        vocab_size=vocab_size,
        num_follow=len(PAIRS),
        see=SeeConfig(dim=backbone.dim) if eyes else None,
    )
