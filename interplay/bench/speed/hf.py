"""The same weights in `transformers`: Qwen3 and Qwen3-MoE with a StaticCache.

Knows nothing of how it is timed.
"""

import importlib
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.bench.speed.workload import Workload
from interplay.model.backbone import BackboneConfig
from interplay.model.qwen3 import to_qwen3


class Transformers:
    """experts: how a mixture multiplies: `batched_mm` or `grouped_mm`; None for a dense model."""

    def __init__(self, work: Workload, max_positions: int, experts: str | None = None) -> None:
        transformers: Any = importlib.import_module("transformers")
        self._new_cache = transformers.StaticCache
        self.max_positions, self.head = max_positions, work.head
        config = work.config
        values = _values(config, max_positions) | {"vocab_size": len(work.head)}
        if config.num_experts:
            values |= {"experts_implementation": experts}
            made = transformers.Qwen3MoeConfig(**values)
            self.model = transformers.Qwen3MoeModel(made)
        else:
            made = transformers.Qwen3Config(**values)
            self.model = transformers.Qwen3Model(made)
        state = to_qwen3(work.backbone.state_dict(), config)
        self.model.load_state_dict(state, strict=False)
        self.model.eval()
        self.config = made
        self.reset()

    def reset(self) -> None:
        self.cache = self._new_cache(config=self.config, max_cache_len=self.max_positions)
        self.length = 0

    @torch.inference_mode()
    def append(self, rows: Float[Tensor, "r dim"]) -> Float[Tensor, " vocab"]:
        positions = torch.arange(self.length, self.length + len(rows))
        self.length += len(rows)
        out = self.model(
            inputs_embeds=rows[None],
            position_ids=positions[None],
            past_key_values=self.cache,
            use_cache=True,
        )
        return torch.nn.functional.linear(out.last_hidden_state[0, -1], self.head)


def _values(config: BackboneConfig, max_positions: int) -> dict[str, Any]:
    """Their names for our shape."""
    values: dict[str, Any] = {
        "hidden_size": config.dim,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.ff_dim or config.expert_ff_dim,
        "rms_norm_eps": config.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "max_position_embeddings": max_positions,
        "use_sliding_window": True,
        "sliding_window": config.window,
        "max_window_layers": 0,
        "layer_types": ["sliding_attention"] * config.num_layers,
        "attn_implementation": "sdpa",
    }
    if config.num_experts:
        values |= {
            "num_experts": config.num_experts,
            "num_experts_per_tok": config.num_experts_per_token,
            "moe_intermediate_size": config.expert_ff_dim,
            "norm_topk_prob": True,
        }
    return values
