"""Trainer and sampler decide alike which products are a GPU's library's; with a fake probe."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from interplay.data.corpus import Corpus
from interplay.engine import precision
from interplay.engine.static import engine
from interplay.errors import ConfigError
from interplay.model.untrained import untrained
from interplay.ops import probe
from interplay.ops.linear import CONTRACT
from interplay.recipes import run
from interplay.recipes.batches import CorpusBatches
from interplay.recipes.xs import xs

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Begun(Exception):
    """What comes after the choice."""


def begin(*args, **kwargs):
    raise Begun


@pytest.fixture
def fake_gpu(monkeypatch):
    """A GPU whose library is row-invariant where a weight has a multiple of 128 outputs."""

    def safe_shapes(shapes, dtype, device, *, min_rows):
        assert device == CUDA and min_rows == CONTRACT.min_rows[dtype]
        return {(n, k) for n, k in shapes if n % 128 == 0}

    monkeypatch.setattr(precision, "safe_shapes", safe_shapes)
    monkeypatch.setattr(precision, "choose_kernels", lambda device, strict: "triton")
    monkeypatch.setattr(CONTRACT, "library_shapes", set())
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *args: self)


def test_the_trainer_chooses_what_the_sampler_chooses(fake_gpu, monkeypatch, tmp_path):
    loaded = untrained("xs")
    monkeypatch.setattr(engine, "new_ring", begin)
    with pytest.raises(Begun):
        engine.DeviceEngine(loaded, device=CUDA)
    served, CONTRACT.library_shapes = CONTRACT.library_shapes, set()
    data, batches = object.__new__(Corpus), object.__new__(CorpusBatches)
    vars(data)["tokenizer"] = SimpleNamespace(vocab_size=loaded.config.vocab_size)
    mel = np.zeros(80, np.float32), np.ones(80, np.float32)
    monkeypatch.setattr(run, "own_voice_statistics", lambda data: mel)
    monkeypatch.setattr(run, "choose_device", lambda name: CUDA)
    monkeypatch.setattr(run, "probe_throughput", begin)
    with pytest.raises(Begun):
        run.train_model(xs(), data, batches, tmp_path, 1.0, resume=False)
    trained = CONTRACT.library_shapes
    assert {kind for *_, kind in trained} == {torch.bfloat16}
    assert trained == {each for each in served if each[2] == torch.bfloat16}


def test_routers_are_tried_in_the_format_that_they_multiply_in():
    found = precision._products(untrained("tiny-moe").model, None, torch.bfloat16)
    assert found[torch.float32] == {(5, 64)} and (5, 64) not in found[torch.bfloat16]
    said = precision.pin_rows(untrained("tiny-moe").model, None, torch.bfloat16)
    assert "bfloat16" in said and "float32" in said


@pytest.mark.parametrize("wrong", [1, 2, 5, 64])
def test_the_library_is_tried_at_the_row_counts_that_linear_makes(wrong, monkeypatch):
    monkeypatch.setattr(probe, "ROW_COUNTS", (*range(1, 9), 64))
    monkeypatch.setattr(probe.F, "linear", lambda x, w: torch.full((len(x), 64), len(x) == wrong))
    found = probe.safe_shapes([(64, 64)], torch.bfloat16, CPU, min_rows=2)
    assert found == ({(64, 64)} if wrong == 1 else set())


def with_tiles(monkeypatch, most: str = "ALL") -> None:
    """As on a processor whose products in bfloat16 depend on the number of rows."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setenv(probe.ISA, most)


@pytest.mark.parametrize(
    ("most", "has"),
    [("ALL", True), ("avx512_core_amx", True), ("AVX512_CORE_BF16", False), ("AVX2", False)],
)
def test_tiles_are_known_by_the_processor_and_by_what_it_is_told(monkeypatch, most, has):
    with_tiles(monkeypatch, most)
    assert probe.has_tiles() == has
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert not probe.has_tiles()


def test_nothing_is_served_by_tiles(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    model = untrained("tiny").model
    monkeypatch.setattr(precision, "_is_one_call", lambda served: False)
    with_tiles(monkeypatch)
    dtype, reason = precision.choose_dtype(None, served=model)
    assert dtype == torch.float32 and "rows depend" in reason
    assert precision.choose_dtype(None)[0] == torch.bfloat16  # training


def test_training_goes_on_by_tiles_and_says_so(monkeypatch):
    monkeypatch.setattr(probe, "_first_safe", lambda *_: probe.MAX_ROWS + 1)
    model = untrained("tiny", seed=3).model

    def chosen(exact):
        precision._probed.cache_clear()
        return precision.choose_operations(model, None, torch.bfloat16, CPU, exact=exact)

    try:
        with_tiles(monkeypatch)
        assert chosen(exact=False)["row contract"].startswith("none: rows depend on each other")
        with pytest.raises(ConfigError, match="set ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16"):
            chosen(exact=True)
        with_tiles(monkeypatch, probe.WITHOUT_TILES)
        with pytest.raises(ConfigError, match="another processor"):  # nothing excuses that
            chosen(exact=False)
    finally:
        precision._probed.cache_clear()
