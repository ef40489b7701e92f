"""The backbone against transformers, an independent implementation, and its own refusals."""

import pytest
import torch

from interplay.errors import CheckpointError, ConfigError
from interplay.model.backbone import Backbone, BackboneConfig, rope_tables
from interplay.model.moe import MoeFeedForward
from interplay.model.qwen3 import config_from_qwen3, from_qwen3, to_qwen3
from interplay.ops.experts import route

SHAPE = {
    "vocab_size": 11,
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "intermediate_size": 192,
    "rope_theta": 1e6,
    "attn_implementation": "eager",
}
EXPERTS = {
    "num_experts": 6,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "norm_topk_prob": True,
}


def oracle(kind):
    """A tiny transformers model with random weights, norms included."""
    import transformers as hf  # slow: only for who asks

    torch.manual_seed(1)
    if kind == "dense":
        model = hf.Qwen3Model(hf.Qwen3Config(**SHAPE))
    else:
        model = hf.Qwen3MoeModel(hf.Qwen3MoeConfig(**SHAPE, **EXPERTS))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(mean=float("norm" in name), std=0.2)
    return model.eval()


def run_both(ours, theirs):
    """Hidden states of the same rows from both; near zero, for theirs has fp32 angles."""
    x = torch.randn(2, 23, 128)
    positions = torch.arange(40, 63).expand(2, -1)
    with torch.no_grad():
        expected = theirs(inputs_embeds=x, position_ids=positions, use_cache=False)
        return ours(x, positions), expected.last_hidden_state


@pytest.mark.parametrize("kind", ["dense", "moe"])
def test_reads_qwen3_weights(kind):
    theirs = oracle(kind)
    config = config_from_qwen3(theirs.config.to_dict())
    ours = Backbone(config)
    ours.load_state_dict(from_qwen3(theirs.state_dict(), config))
    torch.testing.assert_close(*run_both(ours, theirs), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["dense", "moe"])
def test_writes_qwen3_weights(kind):
    theirs = oracle(kind)
    config = config_from_qwen3(theirs.config.to_dict())
    torch.manual_seed(2)
    ours = Backbone(config, zero_init_outputs=False)
    missing = theirs.load_state_dict(to_qwen3(ours.state_dict(), config), strict=False)
    assert missing.missing_keys == ["embed_tokens.weight"] and not missing.unexpected_keys
    torch.testing.assert_close(*run_both(ours, theirs), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["dense", "moe"])
def test_there_and_back_changes_nothing(kind):
    config = config_from_qwen3(oracle(kind).config.to_dict())
    state = Backbone(config, zero_init_outputs=False).state_dict()
    again = from_qwen3(to_qwen3(state, config), config)
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_reads_experts_one_by_one_and_a_models_prefix():
    theirs = oracle("moe")
    config = config_from_qwen3(theirs.config.to_dict())
    published = {}
    for name, weight in theirs.state_dict().items():
        stem, _, last = name.rpartition(".")
        for index, expert in enumerate(weight if stem.endswith("experts") else ()):
            parts = {"gate_up_proj": ("gate_proj", "up_proj")}.get(last, (last,))
            for part, piece in zip(parts, expert.chunk(len(parts)), strict=True):
                published[f"model.{stem}.{index}.{part}.weight"] = piece
        if not stem.endswith("experts"):
            published[f"model.{name}"] = weight
    stacked = from_qwen3(theirs.state_dict(), config)
    for name, weight in from_qwen3(published, config).items():
        assert torch.equal(weight, stacked[name])


def test_a_missing_or_foreign_weight_is_named():
    theirs = oracle("dense")
    config = config_from_qwen3(theirs.config.to_dict())
    state = dict(theirs.state_dict())
    del state["layers.1.self_attn.k_proj.weight"]
    with pytest.raises(CheckpointError, match=r"layers\.1\.self_attn\.k_proj\.weight is missing"):
        from_qwen3(state, config)
    state["layers.1.self_attn.k_proj.weight"] = torch.zeros(3, 3)
    with pytest.raises(CheckpointError, match=r"has shape \(3, 3\); it must have"):
        from_qwen3(state, config)
    with pytest.raises(CheckpointError, match="model_type is 'llama'"):
        config_from_qwen3({"model_type": "llama"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dim", 100),
        ("head_dim", 32),
        ("ff_dim", 0),
        ("num_heads", 3),
        ("window", 1000),
        ("prefix", -1),
        ("num_experts_per_token", 9),
    ],
)
def test_a_shape_that_breaks_the_contract_is_refused(field, value):
    values = {"dim": 64, "num_layers": 1, "num_heads": 2, "num_kv_heads": 2, "ff_dim": 64}
    if field == "num_experts_per_token":
        values |= {"num_experts": 4, "expert_ff_dim": 64}
    with pytest.raises(ConfigError, match=f"{field} is {value}"):
        BackboneConfig(**(values | {field: value}))


def test_zero_initialised_outputs_make_every_layer_the_identity():
    config = BackboneConfig(dim=64, num_layers=2, num_heads=1, num_kv_heads=1, ff_dim=64)
    x = torch.randn(1, 5, 64)
    out = Backbone(config)(x, torch.arange(5)[None])
    torch.testing.assert_close(out, torch.nn.functional.rms_norm(x, (64,), eps=1e-6))


def test_gradients_reach_every_weight_in_bf16():
    config = BackboneConfig(
        dim=64,
        num_layers=2,
        num_heads=2,
        num_kv_heads=1,
        num_experts=3,
        num_experts_per_token=2,
        expert_ff_dim=64,
        shared_ff_dim=64,
    )
    model = Backbone(config, zero_init_outputs=False)
    x = torch.randn(2, 40, 64, dtype=torch.bfloat16)
    model(x, torch.arange(40).expand(2, -1)).float().square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.dtype == torch.float32, name
        assert parameter.grad.abs().max() > 0 and parameter.grad.isfinite().all(), name


def test_equal_experts_are_taken_in_order():
    moe = MoeFeedForward(64, 64, num_experts=5, num_chosen=3)
    torch.nn.init.zeros_(moe.router)
    weights, chosen = route(torch.randn(4, 64), moe.router, moe.num_chosen)
    assert chosen.tolist() == [[0, 1, 2]] * 4
    torch.testing.assert_close(weights, torch.full((4, 3), 1 / 3))


def test_rotary_angles_stay_exact_for_hours():
    at = 10_000_000
    cos, _ = rope_tables(torch.tensor([[at]]), 64, 10_000.0)
    period = 2 * torch.pi
    exact = torch.tensor(at % period, dtype=torch.float64).cos()
    assert abs(float(cos[0, 0, 0]) - float(exact)) < 1e-6
