"""Names and layouts of Qwen3 weights, to and from ours. Knows nothing of files or of streams.

`transformers` calls these models Qwen3Model and Qwen3MoeModel. Their embedding is not part of
a backbone and has a function of its own.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from interplay.errors import CheckpointError
from interplay.model.backbone import BackboneConfig

RENAMED = {
    "attention_norm": "input_layernorm.weight",
    "ff_norm": "post_attention_layernorm.weight",
    "attention.q_norm": "self_attn.q_norm.weight",
    "attention.k_norm": "self_attn.k_norm.weight",
    "attention.out": "self_attn.o_proj.weight",
}
QKV = tuple(f"self_attn.{name}_proj.weight" for name in "qkv")
DENSE = ("mlp.gate_proj.weight", "mlp.up_proj.weight", "mlp.down_proj.weight")


def config_from_qwen3(values: Mapping[str, Any], *, window: int = 1024) -> BackboneConfig:
    """Our shape for the contents of a Qwen3 or Qwen3-MoE `config.json`.

    Raises CheckpointError for other families and for variants that we do not have.
    """
    family = values.get("model_type")
    if family not in ("qwen3", "qwen3_moe"):
        raise CheckpointError(f"model_type is {family!r}; it must be 'qwen3' or 'qwen3_moe'")
    rope = values.get("rope_parameters") or {}
    if rope.get("rope_type", "default") != "default" or values.get("rope_scaling"):
        raise CheckpointError("rotary scaling is set; only checkpoints without it can be used")
    shape = {
        "dim": values["hidden_size"],
        "num_layers": values["num_hidden_layers"],
        "num_heads": values["num_attention_heads"],
        "num_kv_heads": values["num_key_value_heads"],
        "head_dim": values["head_dim"],
        "norm_eps": values["rms_norm_eps"],
        "rope_theta": float(rope.get("rope_theta") or values["rope_theta"]),
        "window": window,
    }
    if family == "qwen3":
        return BackboneConfig(**shape, ff_dim=values["intermediate_size"])
    all_sparse = values.get("decoder_sparse_step", 1) == 1 and not values.get("mlp_only_layers")
    if not (values["norm_topk_prob"] and all_sparse):
        raise CheckpointError(
            "the router's weights are not renormalised or some layers are dense; only mixtures "
            "with norm_topk_prob and experts in every layer can be used"
        )
    return BackboneConfig(
        **shape,
        num_experts=values["num_experts" if "num_experts" in values else "num_local_experts"],
        num_experts_per_token=values["num_experts_per_tok"],
        expert_ff_dim=values["moe_intermediate_size"],
    )


def from_qwen3(weights: Mapping[str, Tensor], config: BackboneConfig) -> dict[str, Tensor]:
    """A state dict for `Backbone(config)` from one of Qwen3Model, Qwen3MoeModel or ...ForCausalLM.

    Raises CheckpointError when a weight is missing or has another shape.
    """
    source = _Source(weights)
    ours = {"norm": source.take("norm.weight", (config.dim,))}
    for index in range(config.num_layers):
        layer = _layer_from_qwen3(source, f"layers.{index}.", config)
        ours.update({f"layers.{index}.{name}": value for name, value in layer.items()})
    return ours


def words_from_qwen3(
    weights: Mapping[str, Tensor], values: Mapping[str, Any]
) -> tuple[Tensor, Tensor]:
    """The tables of words read and of words written, each [vocab_size, hidden_size].

    values: contents of `config.json`; where it ties the tables both are the same tensor. Raises
    CheckpointError when one is missing or has another shape.
    """
    source, shape = _Source(weights), (values["vocab_size"], values["hidden_size"])
    read = source.take("embed_tokens.weight", shape)
    tied = values.get("tie_word_embeddings", False)
    return read, read if tied else source.take("lm_head.weight", shape)


def to_qwen3(weights: Mapping[str, Tensor], config: BackboneConfig) -> dict[str, Tensor]:
    """A state dict for Qwen3Model or Qwen3MoeModel, without its embedding, from `Backbone`'s.

    Raises CheckpointError for a backbone with a shared expert, which Qwen3-MoE does not have.
    """
    if config.shared_ff_dim:
        raise CheckpointError(
            f"the backbone has a shared expert of width {config.shared_ff_dim}; Qwen3-MoE has "
            "none; only backbones with shared_ff_dim 0 can be written as Qwen3"
        )
    theirs = {"norm.weight": weights["norm"]}
    for index in range(config.num_layers):
        at = f"layers.{index}."
        for our_name, their_name in RENAMED.items():
            theirs[at + their_name] = weights[at + our_name]
        qkv = weights[at + "attention.qkv"].split(_head_widths(config))
        theirs.update({at + name: part for name, part in zip(QKV, qkv, strict=True)})
        gate_up, down = weights[at + "ff.gate_up"], weights[at + "ff.down"]
        if config.num_experts:
            theirs[at + "mlp.gate.weight"] = weights[at + "ff.router"]
            theirs[at + "mlp.experts.gate_up_proj"] = gate_up
            theirs[at + "mlp.experts.down_proj"] = down
        else:
            parts = (*gate_up.chunk(2), down)
            theirs.update({at + name: part for name, part in zip(DENSE, parts, strict=True)})
    return {name: value.contiguous() for name, value in theirs.items()}


class _Source:
    """Weights by name, with or without the `model.` in front, each checked when taken."""

    def __init__(self, weights: Mapping[str, Tensor]):
        self.weights = {name.removeprefix("model."): w for name, w in weights.items()}

    def take(self, name: str, shape: tuple[int, ...]) -> Tensor:
        weight = self.weights.get(name)
        if weight is None or tuple(weight.shape) != shape:
            seen = "is missing" if weight is None else f"has shape {tuple(weight.shape)}"
            raise CheckpointError(
                f"weight {name} {seen}; it must have shape {shape}; use a checkpoint of the "
                "same family and size as the config"
            )
        return weight


def _head_widths(config: BackboneConfig) -> list[int]:
    heads = config.num_heads, config.num_kv_heads, config.num_kv_heads
    return [number * config.head_dim for number in heads]


def _layer_from_qwen3(source: _Source, at: str, config: BackboneConfig) -> dict[str, Tensor]:
    dim, head_dim = config.dim, config.head_dim
    widths = _head_widths(config)
    shapes = ((dim,), (dim,), (head_dim,), (head_dim,), (dim, widths[0]))
    ours = {
        our_name: source.take(at + their_name, shape)
        for (our_name, their_name), shape in zip(RENAMED.items(), shapes, strict=True)
    }
    qkv = [source.take(at + n, (width, dim)) for n, width in zip(QKV, widths, strict=True)]
    ours["attention.qkv"] = torch.cat(qkv)
    if not config.num_experts:
        ours["ff.gate_up"], ours["ff.down"] = _dense(source, at + "mlp.", dim, config.ff_dim)
        return ours
    ours["ff.router"] = source.take(at + "mlp.gate.weight", (config.num_experts, dim))
    ours["ff.gate_up"], ours["ff.down"] = _experts(source, at + "mlp.experts.", config)
    return ours


def _dense(source: _Source, at: str, dim: int, width: int) -> tuple[Tensor, Tensor]:
    gate = source.take(at + "gate_proj.weight", (width, dim))
    up = source.take(at + "up_proj.weight", (width, dim))
    return torch.cat([gate, up]), source.take(at + "down_proj.weight", (dim, width))


def _experts(source: _Source, at: str, config: BackboneConfig) -> tuple[Tensor, Tensor]:
    """Stacked, as in memory, or one by one, as in published files."""
    number, dim, width = config.num_experts, config.dim, config.expert_ff_dim
    if at + "0.gate_proj.weight" in source.weights:
        experts = [_dense(source, f"{at}{index}.", dim, width) for index in range(number)]
        gate_up, down = zip(*experts, strict=True)
        return torch.stack(gate_up), torch.stack(down)
    gate_up = source.take(at + "gate_up_proj", (number, 2 * width, dim))
    return gate_up, source.take(at + "down_proj", (number, dim, width))
