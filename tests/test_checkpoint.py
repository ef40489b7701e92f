"""Checkpoints: what is saved comes back, and every damaged file is refused in one line."""

import functools
import json
from dataclasses import dataclass

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from interplay.errors import CheckpointError, ConfigError
from interplay.model import checkpoint
from interplay.model.checkpoint import Loaded, find_checkpoint, load_checkpoint, save_checkpoint
from interplay.model.config_io import from_dict, to_dict
from interplay.model.griffin_lim import GriffinLim
from interplay.model.named import SIZES, model_config
from interplay.model.untrained import untrained
from interplay.model.vocoder import Vocoder
from interplay.turns.types import PAD


@functools.cache
def tiny() -> Loaded:
    return untrained("tiny", seed=3)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "tiny.safetensors"
    loaded = tiny()
    assert isinstance(loaded.vocoder, Vocoder)
    save_checkpoint(path, loaded.model, loaded.vocoder, loaded.tokenizer, {"name": "t", "seed": 3})
    return path


def edit(path, change):
    """Rewrite a checkpoint after `change(tensors, metadata)`."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change(tensors, metadata)
    save_file(tensors, path, metadata)


def test_everything_comes_back(saved):
    loaded, ours = load_checkpoint(saved), tiny()
    assert loaded.config == ours.config
    assert loaded.facts == {"name": "t", "seed": 3}
    assert loaded.tokenizer.encode("one stop") == ours.tokenizer.encode("one stop")
    assert isinstance(loaded.vocoder, Vocoder) and not loaded.model.training
    for theirs, mine in ((loaded.model, ours.model), (loaded.vocoder, ours.vocoder)):
        assert isinstance(mine, torch.nn.Module)
        state = mine.state_dict()
        assert state.keys() == theirs.state_dict().keys()
        assert all(torch.equal(value, state[key]) for key, value in theirs.state_dict().items())


def test_others_may_read_what_the_umask_lets_them(saved, tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    assert saved.stat().st_mode == plain.stat().st_mode


def test_int8_quarters_the_file_and_rounds_every_row_by_its_own_scale(tmp_path, saved):
    ours, path = tiny(), tmp_path / "small.safetensors"
    assert isinstance(ours.vocoder, Vocoder)
    with torch.no_grad():
        ours.model.backbone.layers[0].attention.qkv[3] = 0  # type: ignore[index,union-attr]
    save_checkpoint(path, ours.model, ours.vocoder, ours.tokenizer, {}, torch.int8)
    assert path.stat().st_size < 0.35 * saved.stat().st_size
    theirs = load_checkpoint(path).model.state_dict()
    for name, value in ours.model.state_dict().items():
        step = value.abs().amax(-1, keepdim=True) / 127
        allowed = 0.501 * step if value.ndim > 1 else 1e-3 * (1 + value.abs())
        assert ((theirs[name] - value).abs() <= allowed).all(), name


def test_the_bias_of_the_empty_token_is_part_of_the_config(saved):
    def bias(config):
        config["pad_bias"] = {"heard": 1.5, "act": -0.5}

    edit(saved, _set_config(bias))
    loaded, hidden = load_checkpoint(saved), torch.randn(2, tiny().config.backbone.dim)
    change = loaded.model.text_logits(hidden) - tiny().model.text_logits(hidden)
    expected = torch.zeros_like(change)
    expected[..., PAD] = torch.tensor([1.5, 0.0, -0.5])  # of heard, say, act
    torch.testing.assert_close(change, expected, atol=1e-5, rtol=0)


def test_loading_does_not_touch_the_random_numbers(saved):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    load_checkpoint(saved)
    assert torch.equal(torch.rand(3), expected)


def test_float16_halves_the_file_and_loads_as_float32(saved, tmp_path):
    small, ours = tmp_path / "small.safetensors", tiny()
    assert isinstance(ours.vocoder, Vocoder)
    save_checkpoint(small, ours.model, ours.vocoder, ours.tokenizer, {}, torch.float16)
    assert small.stat().st_size < 0.6 * saved.stat().st_size
    loaded = load_checkpoint(small)
    assert loaded.model.words.dtype == torch.float32
    assert torch.equal(loaded.model.words, ours.model.words.half().float())


def test_without_a_vocoder_griffin_lim_speaks(tmp_path):
    ours = tiny()
    save_checkpoint(tmp_path / "x.safetensors", ours.model, None, ours.tokenizer, {})
    assert isinstance(load_checkpoint(tmp_path / "x.safetensors").vocoder, GriffinLim)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    ours = untrained("tiny")
    with torch.no_grad():
        ours.model.gate[0] = 1e6
    with pytest.raises(CheckpointError, match=r"model\.gate .* float16"):
        save_checkpoint(
            tmp_path / "x.safetensors", ours.model, None, ours.tokenizer, {}, torch.half
        )
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot write"):
        save_checkpoint(tmp_path / "file" / "x", tiny().model, None, tiny().tokenizer, {})


def _set_config(change):
    def edit_metadata(_tensors, metadata):
        config = json.loads(metadata["config"])
        change(config)
        metadata["config"] = json.dumps(config)

    return edit_metadata


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m.update(interplay_format="99"), "format version 99; .* reads version 1"),
        (lambda t, m: m.clear(), "not an interplay model"),
        (lambda t, m: m.pop("facts"), "damaged metadata"),
        (lambda t, m: m.update(config="{"), "damaged metadata"),
        (_set_config(lambda c: c.update(colour=3)), "unknown key 'colour'; the keys are backbone"),
        (_set_config(lambda c: c["backbone"].update(dimm=3)), "config.backbone has .* 'dimm'"),
        (_set_config(lambda c: c.pop("voice")), "lacks the key 'voice'"),
        (_set_config(lambda c: c.update(subframes="4")), "subframes is '4'; int is needed"),
        (_set_config(lambda c: c.update(vocab_size=64)), "its model knows 64"),
        (_set_config(lambda c: c["backbone"].update(dim=100)), "multiple of 64"),
        (lambda t, m: t.pop("model.gate"), "lacks tensor 'model.gate'"),
        (lambda t, m: t.update({"model.new": torch.zeros(1)}), "unknown tensor 'model.new'"),
        (lambda t, m: t.update({"model.gate": torch.zeros(3)}), r"shape \[3\], .* \[64\]"),
        (lambda t, m: t["model.gate"].fill_(torch.nan), "NaN"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(saved, change, message):
    edit(saved, change)
    with pytest.raises(CheckpointError, match=message) as error:
        load_checkpoint(saved)
    assert "\n" not in str(error.value) and str(saved) in str(error.value)


def test_a_damaged_file_is_refused(saved):
    whole = saved.read_bytes()
    for content, message in (
        (b"", r"empty \(0 bytes\)"),
        (whole[:100], "damaged, cut short"),
        (whole[: len(whole) // 2], "damaged, cut short"),
        (b"RIFF" + bytes(1000), "damaged, cut short or not a .safetensors file"),
    ):
        saved.write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(saved)


def test_names_are_files_of_the_weight_folders(saved, monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoint, "WEIGHT_FOLDERS", (tmp_path, tmp_path / "none"))
    assert find_checkpoint("tiny") == saved
    for name, message in (
        ("huge", "no model is called 'huge'; installed models: tiny"),
        ("no/such.safetensors", "does not exist"),
        ("gone.safetensors", "does not exist"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(CheckpointError, match=message):
            find_checkpoint(name)


@dataclass(frozen=True, kw_only=True)
class Inner:
    width: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Outer:
    count: int
    inner: Inner | None = None


@pytest.mark.parametrize("config", [Outer(count=2), Outer(count=2, inner=Inner(width=0.5))])
def test_configs_survive_json(config):
    assert from_dict(Outer, json.loads(json.dumps(to_dict(config)))) == config


def test_whole_numbers_may_stand_for_floats_but_not_truth_for_numbers():
    assert from_dict(Outer, {"count": 1, "inner": {"width": 2}}) == Outer(
        count=1, inner=Inner(width=2.0)
    )
    for wrong in ({"count": True}, {"count": 1.0}, {"count": None}, {"count": 1, "inner": 3}, []):
        with pytest.raises(ConfigError, match="needed"):
            from_dict(Outer, wrong)


@pytest.mark.parametrize("name", SIZES)
def test_named_models_survive_json(name):
    config = model_config(name, vocab_size=320)
    assert from_dict(type(config), json.loads(json.dumps(to_dict(config)))) == config
    assert config.voice.dim == config.backbone.dim


def test_unknown_sizes_are_listed():
    with pytest.raises(ConfigError, match="'big'; the sizes are tiny, tiny-moe, xs, xs-wide, s"):
        model_config("big")
