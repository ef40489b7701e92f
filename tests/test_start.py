"""Going on from a trained model: nothing changes until training does."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from interplay.errors import ConfigError
from interplay.model.interaction import Inputs, InteractionModel
from interplay.model.named import model_config
from interplay.model.see import SeeConfig
from interplay.train.start import learnt_anew, mix_with_start, start_from
from interplay.turns.types import SEE_SHAPE

VOCAB = 96


def a_model(
    *, mean_dim: int = 64, vocab_size: int = VOCAB, eyes: bool = False, **sizes: int
) -> InteractionModel:
    """An untrained tiny model, of other sizes where they are given."""
    config = model_config("tiny", vocab_size=vocab_size)
    backbone = replace(config.backbone, **sizes)
    voice = replace(config.voice, dim=backbone.dim, mean_dim=mean_dim)
    see = SeeConfig(dim=backbone.dim) if eyes else None
    return InteractionModel(replace(config, backbone=backbone, voice=voice, see=see))


def a_trained_model(*, eyes: bool = False, **sizes: int) -> InteractionModel:
    """One in which nothing is zero or one any more."""
    torch.manual_seed(0)
    model = a_model(eyes=eyes, **sizes)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model


def everything_said(model: InteractionModel) -> list[Tensor]:
    """Text, gate, mean and flow of the voice for the same random sessions."""
    made = torch.Generator().manual_seed(3)

    def ids(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=made)

    inputs = Inputs(
        hear=ids(16, 2, 6, 4, 4, 80).to(torch.uint8),
        read=ids(VOCAB, 2, 6, 4, 2),
        turn=torch.arange(6).expand(2, 6),
        tokens=ids(VOCAB, 2, 6, 4, 13),
        voice=torch.randn(2, 6, 4, 4, 80, generator=made),
        voice_on=ids(2, 2, 6, 4).bool(),
    )
    if model.config.see:
        inputs.see = torch.randint(256, (2, 6, *SEE_SHAPE), generator=made).to(torch.uint8)
    hidden, _ = model(inputs, torch.float32)
    rows = hidden.flatten(0, 2)
    say = model.say_vectors(ids(VOCAB, len(rows)), torch.float32)
    noise = torch.randn(len(rows), 320, generator=made)
    time = torch.rand(len(rows), 1, generator=made)
    return [
        model.text_logits(rows),
        model.gate_logit(rows),
        model.voice.mean(rows, say),
        model.voice.velocity(noise, time, rows, say, noise),
    ]


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"mean_dim": 96},
        {"dim": 128},
        {"ff_dim": 192},
        {"num_heads": 3},
        {"num_heads": 6, "num_kv_heads": 2},
        {"num_layers": 3},
        {"dim": 192, "num_layers": 5, "num_heads": 2, "ff_dim": 320, "mean_dim": 128},
    ],
    ids=lambda sizes: "_".join(sizes) or "same",
)
def test_a_larger_model_begins_as_the_old_one_was(sizes):
    old = a_trained_model()
    torch.manual_seed(1)
    model = a_model(**sizes)
    grown = start_from(model, old)
    assert bool(grown) == bool(sizes)
    for before, after in zip(everything_said(old), everything_said(model), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


def test_eyes_grow_with_the_body():
    old = a_trained_model(eyes=True)
    torch.manual_seed(1)
    model = a_model(eyes=True, dim=128, num_heads=4, num_kv_heads=2)
    assert "embed.tile_places" in start_from(model, old)
    for before, after in zip(everything_said(old), everything_said(model), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


def test_everything_new_learns_from_the_second_step_on():
    """A new weight has a gradient at once, or, where a zero stands before it, after one step."""
    torch.manual_seed(1)
    old, model = a_trained_model(), a_model(dim=128, num_layers=3, num_heads=2, ff_dim=192)
    start_from(model, old)
    for _ in range(2):
        model.zero_grad()
        torch.stack([part.square().mean() for part in everything_said(model)]).sum().backward()
        with torch.no_grad():
            for weight in model.parameters():
                assert weight.grad is not None
                weight -= 0.1 * weight.grad
    grads = {n: w.grad for n, w in model.named_parameters() if w.grad is not None}
    found = {
        "dim of a table": grads["embed.tokens"][:, 64:],
        "dim of a head": grads["words"][:, 64:],
        "head": grads["backbone.layers.0.attention.qkv"][64:128],
        "unit": grads["backbone.layers.1.ff.gate_up"][128:192],
        "layer": grads["backbone.layers.0.attention.out"],
    }
    assert {name: bool(grad.any()) for name, grad in found.items()} == dict.fromkeys(found, True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ({}, {"mean_dim": 32}, r"voice\.mean_in has shape \[64, 128\] and has shape"),
        ({"num_layers": 3}, {}, r"layers\.2\.\w+ has shape .* and is not there"),
        ({}, {"window": 1024}, "window=512.* cannot grow into .*window=1024"),
        ({"num_heads": 2, "num_kv_heads": 2}, {"num_heads": 4, "num_kv_heads": 2}, "one key-value"),
        ({"num_heads": 2}, {"num_heads": 2, "num_kv_heads": 2}, "all the old ones go on to share"),
        ({"vocab_size": 128}, {}, r"words has shape \[128, 64\]"),
    ],
)
def test_what_cannot_grow_is_named(old, new, message):
    with pytest.raises(ConfigError, match=message):
        start_from(a_model(**new), a_model(**old))


def test_eyes_may_be_added_and_change_nothing_without_a_camera():
    old = a_model()
    model = InteractionModel(model_config("tiny", vocab_size=96, eyes=True))
    assert start_from(model, old) == ["embed.see.*", "embed.tile_places*"]
    for name, value in old.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    with pytest.raises(ConfigError, match=r"embed\.tile_places has shape .* and is not there"):
        start_from(a_model(), model)


def test_what_was_learnt_is_taken_back_in_part():
    model = a_trained_model()
    before = deepcopy(model)
    with torch.no_grad():
        model.words.add_(2.0)
        model.voice.get_parameter("mean_in").add_(2.0)
    mix_with_start(model, before, 0.25)
    for name, weight in model.named_parameters():
        learnt = {"words": 1.5, "voice.mean_in": 1.5}.get(name, 0.0)
        torch.testing.assert_close(weight, before.get_parameter(name) + learnt)


def test_eyes_that_the_start_lacks_keep_all_they_learnt():
    old = a_trained_model()
    model = InteractionModel(model_config("tiny", vocab_size=VOCAB, eyes=True))
    start_from(model, old)
    begun_with = deepcopy(model)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1.0)
    new = learnt_anew(model, old, eyes=True)
    assert learnt_anew(model, old, eyes=False) == []
    assert {*dict(model.named_parameters())} - {*dict(old.named_parameters())} == {*new}
    mix_with_start(model, begun_with, 0.25, new)
    for name, weight in model.named_parameters():
        learnt = 1.0 if name in new else 0.75
        torch.testing.assert_close(weight, begun_with.get_parameter(name) + learnt)


def test_what_the_old_model_did_not_read_begins_quietly_and_stays():
    new = InteractionModel(model_config("tiny", vocab_size=VOCAB))
    old = InteractionModel(replace(new.config, num_follow=5))
    assert start_from(new, old) == ["embed.follow_roles"]
    assert torch.equal(new.embed.follow_roles[:5], old.embed.follow_roles)
    assert (new.embed.follow_roles[5].abs() == 0.5).all()
    assert learnt_anew(new, old, eyes=False) == ["embed.follow_roles"]
