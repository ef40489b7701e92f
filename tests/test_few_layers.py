"""A stack of layers in one call: the bits of the stock operations, whatever the cache holds."""

import copy
import dataclasses
import functools
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from interplay.engine.engine import Engine
from interplay.engine.precision import choose_dtype, choose_products
from interplay.model import few_pass
from interplay.model.backbone import Backbone, BackboneConfig
from interplay.model.untrained import untrained
from interplay.ops import few_layers, few_proofs
from interplay.ops.few_layers import FEW_LAYERS, MAX_ROWS, FewLayers
from interplay.ops.native import NativeError
from interplay.ops.packed import INT8_MAX, Kind

PLAIN = BackboneConfig(dim=192, num_layers=2, num_heads=3, num_kv_heads=1, ff_dim=512, window=512)
KINDS = {
    "plain": PLAIN,
    "groups": dataclasses.replace(PLAIN, dim=128, num_heads=5, num_kv_heads=5, num_layers=1),
    "prefix": dataclasses.replace(PLAIN, prefix=100, num_heads=4, num_kv_heads=2),
    "long prefix": dataclasses.replace(PLAIN, dim=64, prefix=700, ff_dim=64),
    "wide heads": dataclasses.replace(PLAIN, head_dim=128, num_heads=2, window=1024),
    "experts": dataclasses.replace(PLAIN, ff_dim=0, num_experts=16, expert_ff_dim=64),
    "shared expert": dataclasses.replace(
        PLAIN,
        ff_dim=0,
        num_experts=16,
        num_experts_per_token=3,
        expert_ff_dim=64,
        shared_ff_dim=128,
    ),
}
WEIGHTS = {
    "prefix": Kind.HALF,
    "experts": Kind.HALF,
    "wide heads": Kind.BYTE,
    "shared expert": Kind.BYTE,
}
NUM_ROWS = 2150  # the window area of 512 + 1024 columns is full before, behind a prefix, too


def narrowed(model, kind):
    """The model with its matrices as a checkpoint of `kind` holds them."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1 and kind == Kind.HALF:
                weight.copy_(weight.half())
            if weight.ndim > 1 and kind == Kind.BYTE:
                scale = weight.abs().amax(-1, keepdim=True) / INT8_MAX
                weight.copy_((weight / scale).round() * scale)
    return model


@functools.cache
def build(kind):
    """A backbone whose layers are one call, two sessions, and their whole hidden states."""
    torch.manual_seed(len(kind))
    model = narrowed(Backbone(KINDS[kind], zero_init_outputs=False).eval(), WEIGHTS.get(kind))
    said = choose_products(model, None, torch.float32, strict=False)
    if "all layers in one call" not in said:
        pytest.skip(said)
    x = torch.randn(2, NUM_ROWS, KINDS[kind].dim)
    positions = torch.arange(NUM_ROWS).expand(2, -1)
    with torch.inference_mode():
        return model, x, positions, model(x, positions)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def calls(monkeypatch):
    """Row counts of the passes that were one call; their results lie where NaN was before."""
    seen, run, empty = [], FEW_LAYERS.run, torch.empty

    def filled(*args, **kwargs):
        out = empty(*args, **kwargs)
        return out.fill_(torch.nan) if out.is_floating_point() else out

    monkeypatch.setattr(torch, "empty", filled)

    def count(*args):
        out = run(*args)
        seen.append(out.shape[0] * out.shape[1])
        return out

    monkeypatch.setattr(FEW_LAYERS, "run", count)
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_has_the_bits_of_the_whole_at_any_age(kind, calls):
    model, x, positions, whole = build(kind)
    generator = torch.Generator().manual_seed(0)
    cache, at = model.new_cache(3), 0
    slots = torch.tensor([2, 0])  # not in order, one left out
    with torch.inference_mode():
        while at < NUM_ROWS:
            few = int(torch.randint(1, 5, (), generator=generator))
            to_border = max(0, 492 - at % 512)  # few rows around the borders of blocks, else many
            num_rows = min(NUM_ROWS - at, few if at % 512 < 20 or not to_border else to_border)
            part = slice(at, at + num_rows)
            out = model(x[:, part], positions[:, part], cache, slots)
            assert torch.equal(out, whole[:, part]), f"rows {at} to {at + num_rows}"
            at += num_rows
    assert set(calls) == {2, 4, 6, 8}
    assert not cache.k[:, 1].any() and not cache.v[:, 1].any(), "the slot between is untouched"


def test_sessions_of_different_ages_share_a_call(calls):
    model, x, positions, whole = build("prefix")
    cache = model.new_cache(4)
    lengths = {3: 1400, 0: 0, 1: 37, 2: 515}
    sources = {3: 0, 0: 1, 1: 0, 2: 1}
    with torch.inference_mode():
        for slot, length in lengths.items():
            if length:
                part = x[[sources[slot]], :length], positions[:1, :length]
                model(*part, cache, torch.tensor([slot]))
        for num_rows in (1, 2, 1):
            at = torch.tensor(list(lengths.values()))[:, None] + torch.arange(num_rows)
            source = torch.tensor(list(sources.values()))[:, None]
            out = model(x[source, at], at, cache, torch.tensor(list(lengths)))
            assert torch.equal(out, whole[source, at])
            lengths = {slot: length + num_rows for slot, length in lengths.items()}
    assert calls == [37, 4, 8, 4], "the second session was read in one call, too"


@pytest.mark.parametrize("kind", ["plain", "shared expert"])
def test_up_to_sixty_four_rows_are_few(kind, calls):
    model, x, positions, whole = build(kind)
    with torch.inference_mode():
        for num_rows in (32, 33):
            out = model(x[:, :num_rows], positions[:, :num_rows], model.new_cache(2))
            assert torch.equal(out, whole[:, :num_rows])
    assert calls == [MAX_ROWS]


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_kept_in_the_fewest_bytes(kind):
    model = build(kind)[0]
    packed = few_pass.pack_layers(model.layers, model.config.stack_shape)
    assert packed is not None and packed.kinds == {WEIGHTS.get(kind, Kind.FULL)}
    of_model = sum(4 * weight.numel() for weight in model.layers.parameters() if weight.ndim > 1)
    per_value = {Kind.FULL: 4, Kind.HALF: 2, Kind.BYTE: 1}[WEIGHTS.get(kind, Kind.FULL)]
    assert of_model * per_value / 4 <= packed.num_bytes < of_model * (per_value + 0.1) / 4


def test_states_move_between_both_ways(calls, monkeypatch):
    model, x, positions, whole = build("plain")
    cache = model.new_cache(2)
    with torch.inference_mode():
        for at in range(1530, 1560, 3):
            if at == 1530:
                model(x[:1, :at], positions[:1, :at], cache, torch.tensor([0]))
            monkeypatch.setattr(FEW_LAYERS, "enabled", bool(at % 2))
            rows = x[:1, at : at + 3], positions[:1, at : at + 3]
            model(*rows, cache, torch.tensor([0]))
            cache.truncate(0, at)  # as if it had not been
            cache.write_slot(1, cache.read_slot(0))
            monkeypatch.setattr(FEW_LAYERS, "enabled", not at % 2)
            out = [model(*rows, cache, torch.tensor([slot])) for slot in (0, 1)]
            assert torch.equal(out[0], whole[:1, at : at + 3]) and torch.equal(*out)
    assert len(calls) == 15


def test_weights_are_looked_up_at_every_pass(calls):
    model = copy.deepcopy(build("plain")[0])
    x, positions = torch.randn(1, 2, 192), torch.arange(2)[None]

    def both_ways():
        with torch.inference_mode():
            fast = model(x, positions, model.new_cache(1))
            assert torch.equal(fast, model(x, positions))
        return fast

    first = both_ways()
    model.get_submodule("layers.1.ff").down.data = torch.randn(192, 512)
    second = both_ways()
    model.get_submodule("layers.0.attention").qkv = torch.nn.Parameter(torch.randn(320, 192))
    third = both_ways()
    with torch.no_grad():
        model.get_parameter("layers.1.ff.gate_up").mul_(2)
    fourth = both_ways()
    assert len(calls) == 4
    states = (first, second, third, fourth)
    assert all(not torch.equal(*pair) for pair in itertools.pairwise(states))
    model.get_submodule("layers.0.ff").gate_up.data = torch.randn(192, 1024).T
    both_ways()
    assert len(calls) == 4, "a transposed weight is none that the call can read"
    with torch.inference_mode():
        uncounted = torch.nn.Parameter(torch.randn(1024, 192), requires_grad=False)
    model.get_submodule("layers.0.ff").gate_up = uncounted
    both_ways()
    assert len(calls) == 4, "nor is one whose changes nobody counts"


def test_what_is_not_proven_is_stock(calls, monkeypatch):
    model, x, positions, _ = build("plain")
    rows = x[:1, :2], positions[:1, :2]
    model(*rows, model.new_cache(1))
    with torch.inference_mode():
        model(x[:1, : MAX_ROWS + 1], positions[:1, : MAX_ROWS + 1], model.new_cache(1))
        narrow = copy.deepcopy(model).bfloat16()
        narrow(rows[0].bfloat16(), rows[1], narrow.new_cache(1))
        monkeypatch.setattr(FEW_LAYERS, "recipes", {})
        model(*rows, model.new_cache(1))
    assert calls == []


def test_shapes_that_cannot_be_followed_are_named():
    build("plain")
    shape = PLAIN.stack_shape
    kernel = FewLayers()
    with pytest.raises(NativeError, match="products are stock"):
        kernel.prepare(dataclasses.replace(shape, ff_dim=4096))
    assert not kernel.recipes
    other = dataclasses.replace(shape, eps=1e-5)
    kernel.prepare(other)
    assert list(kernel.recipes) == [other]


@pytest.mark.parametrize(
    ("module", "name", "why"),
    [
        (few_proofs, "swiglu", "exponential"),
        (few_layers, "attend", "attention has a recipe"),
        (few_proofs, "choose", "16 experts are chosen in another way"),
    ],
)
def test_an_operation_with_one_other_bit_is_not_followed(module, name, why, monkeypatch):
    build("experts")
    right = getattr(module, name)

    def wrong(*args):
        out = right(*args)
        return (out[0] * (1 + 2**-23), out[1]) if name == "choose" else out * (1 + 2**-23)

    kernel = FewLayers()
    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(NativeError, match=why):
        kernel.prepare(KINDS["experts"].stack_shape)
    monkeypatch.setattr(module, name, right)
    kernel.prepare(KINDS["experts"].stack_shape)


def test_the_engine_says_which_way_its_layers_take():
    facts = Engine(untrained(), dtype=torch.float32).facts["few rows"]
    followed = not re.search("^stock|layers \\(.* that the code does not know", facts)
    assert not followed or "; all layers in one call, weights read as fl" in facts
    model = build("shared expert")[0]
    said = choose_products(model, None, torch.float32, strict=False)
    assert not followed or said.endswith("in one call, weights read as int8")
    wide = Backbone(dataclasses.replace(PLAIN, head_dim=320, num_heads=1))
    said = choose_products(wide, None, torch.float32, strict=False)
    assert said.startswith("stock") or said.endswith("in layers (heads are 320 wide)")


@pytest.mark.parametrize(("capability", "lanes"), [("avx2", 8), ("avx512", 16)])
def test_a_softmax_is_added_up_in_the_lanes_of_the_processor(capability, lanes):
    if capability == "avx512" and torch.backends.cpu.get_cpu_capability() != "AVX512":
        pytest.skip("this processor has no AVX-512, or torch was told not to use it")
    program = (
        "import torch, test_few_layers as t; model = t.Backbone(t.KINDS['experts']);"
        "t.choose_products(model, None, torch.float32, strict=False); print(t.FEW_LAYERS.recipes)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"ATEN_CPU_CAPABILITY": capability, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    assert f"'lanes': {lanes}}}" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("native", [True, False])
def test_few_rows_are_served_in_the_faster_format(native, monkeypatch):
    model = build("experts")[0]
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: native)
    plain = choose_dtype(None)
    assert plain[0] == (torch.bfloat16 if native else torch.float32)
    served = choose_dtype(None, served=model)
    assert served[0] == torch.float32 and ("in one call" in served[1]) == native
    unknown = Backbone(dataclasses.replace(PLAIN, head_dim=320, num_heads=1))
    assert choose_dtype(None, served=unknown) == plain
    assert choose_dtype(torch.bfloat16, served=model)[0] == torch.bfloat16


def test_pointers_do_not_keep_a_model_alive():
    model = copy.deepcopy(build("plain")[0])
    with torch.inference_mode():
        model(torch.randn(1, 1, 192), torch.zeros(1, 1).long(), model.new_cache(1))
    num = len(few_pass._WEIGHTS)
    del model
    assert len(few_pass._WEIGHTS) == num - 1
