"""The rows that need a GPU, as far as a CPU can tell: bits, and that every figure can be made."""

import dataclasses
import time

import pytest
import torch

from interplay.bench.speed import gpt_fast, gpu, timing
from interplay.bench.speed.rows import ON_GPU
from interplay.engine import memory
from interplay.model import backbone
from interplay.model.named import model_config
from interplay.model.untrained import untrained
from interplay.ops import probe

CPU = torch.device("cpu")
SMALL = dataclasses.replace(
    gpu.MOE, dim=64, num_layers=2, num_heads=2, num_kv_heads=1, head_dim=64, window=512,
    num_experts=8, num_experts_per_token=2, expert_ff_dim=64,
)  # fmt: skip

DENSE = dataclasses.replace(SMALL, num_experts=0, expert_ff_dim=0, ff_dim=128)


@pytest.fixture
def pretended(monkeypatch):
    """A CPU in the place of a GPU, and models that it can run: the figures mean nothing."""

    def seconds(work):
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    monkeypatch.setattr(gpu, "_seconds", seconds)
    monkeypatch.setattr(gpu, "_captured", lambda work: work)
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a pretended GPU")
    monkeypatch.setattr("torch.cuda.synchronize", lambda *_: None)
    monkeypatch.setattr(gpu, "GPU", CPU)
    monkeypatch.setattr(gpu, "MOE", SMALL)
    monkeypatch.setattr(gpu, "COPY_BYTES", 1 << 20)
    monkeypatch.setattr(gpu, "MATMUL_DIM", 64)
    monkeypatch.setattr(gpu, "SESSIONS", (1, 2))
    monkeypatch.setattr(gpu, "PROBE_TICKS", 1)
    monkeypatch.setattr(gpu, "TRAIN_SESSIONS", 1)
    monkeypatch.setattr(gpu, "TRAIN_TURNS", 5)
    monkeypatch.setattr(gpu, "TRAIN_STEPS", 1)
    monkeypatch.setattr(gpu, "BITS_ROWS", 90)
    monkeypatch.setattr(gpu, "PAST", 9)
    monkeypatch.setattr(gpu, "backbone_config", lambda size: DENSE)
    monkeypatch.setattr(gpu, "model_config", lambda size: model_config("tiny"))
    monkeypatch.setattr(gpu, "untrained", lambda name, speaks: untrained(speaks=speaks))


def test_every_row_is_measured(pretended, monkeypatch):
    monkeypatch.setattr(gpu, "TEN_MINUTES", 3)
    monkeypatch.setattr(gpu, "TURN_S", 60.0)
    monkeypatch.setattr(timing, "TURN_S", 60.0)  # in time on a busy machine, too
    found = {row.name: gpu.measure(row.name, 2, 0) for row in ON_GPU}
    values = {name: value for name, (value, about) in found.items()}
    assert values.pop("gpu_bits_differing") == 0
    assert all(value is not None and value > 0 for value in values.values())
    assert values["gpu_sessions"] == 2
    assert found["gpu_sessions"][1]["gpu"] == "a pretended GPU"


def test_plain_pytorch_that_computes_something_else_is_no_baseline(pretended, monkeypatch):
    right = gpt_fast._swiglu
    monkeypatch.setattr(gpt_fast, "_swiglu", lambda x: 2 * right(x))
    with pytest.raises(RuntimeError, match="other logits"):
        gpu.vs_gpt_fast(CPU)


def test_a_row_that_does_not_fit_leaves_the_others(pretended, monkeypatch):
    def full():
        raise torch.OutOfMemoryError("CUDA out of memory")

    def broken():
        raise RuntimeError("the compiler says no\nat length")

    rows = {"a": full, "b": lambda: 2, "c": broken}
    monkeypatch.setattr(gpu, "_measurements", lambda *_: rows)
    found = {name: gpu.measure(name, 2, 0) for name in rows}
    assert found["a"][0] is None and found["a"][1]["why"] == gpu.NO_MEMORY
    assert found["b"][0] == 2.0 and "why" not in found["b"][1]
    assert found["c"][0] is None and found["c"][1]["why"] == "RuntimeError: the compiler says no"


def test_the_products_are_chosen_as_in_serving(pretended, monkeypatch):
    pinned = []
    monkeypatch.setattr(gpu, "pin_library", lambda model, *_: pinned.append(model.config))
    monkeypatch.setattr(gpu, "_captured", lambda work: work)
    gpu.decode_mbu(CPU)
    gpu.vs_gpt_fast(CPU)
    gpu.bits_differing(CPU)
    assert pinned[:2] == [SMALL, DENSE] and len(pinned) == 4


def test_the_most_sessions_in_time_and_in_memory(pretended, monkeypatch):
    """Late above five sessions, late once in ten minutes with five, and no memory for nine."""
    tried = []

    def times(engine, num_ticks, *, seed, until_ms):
        tried.append((engine, num_ticks))
        late = engine > 5 or (engine == 5 and num_ticks == 3000)
        return timing.Times(wall_ms=[1.0, 201.0 if late else 1.0], cpu_ms=[1.0, 1.0])

    def engine(loaded, *, device, num_slots, traces):
        if num_slots == 9:
            raise memory.NoRoomError("9 session slots need more")
        return num_slots

    monkeypatch.setattr(gpu, "SESSIONS", (1, 2, 3, 5, 6, 9))
    monkeypatch.setattr(gpu, "DeviceEngine", engine)
    monkeypatch.setattr(gpu, "tick_times", times)
    assert gpu.most_sessions(untrained(), CPU) == 3
    assert tried[-2:] == [(5, 3000), (3, 3000)]


def test_no_bit_differs_and_a_product_that_sees_the_row_count_is_found(monkeypatch):
    monkeypatch.setattr(gpu, "BITS_ROWS", 90)
    assert gpu.bits_differing(CPU) == 0
    right = backbone.linear
    monkeypatch.setattr(backbone, "linear", lambda x, w: right(x, w) * (1 + (x.shape[1] == 4)))
    assert gpu.bits_differing(CPU) > 100


def test_the_library_keeps_the_shapes_whose_rows_are_alike(monkeypatch):
    monkeypatch.setattr(probe, "ROW_COUNTS", (16, 64))
    assert probe.safe_shapes([(64, 64), (64, 64)], torch.float32, CPU) == {(64, 64)}
    wrong = probe.F.linear
    monkeypatch.setattr(probe.F, "linear", lambda x, w: wrong(x, w) + len(x))
    assert probe.safe_shapes([(64, 64)], torch.float32, CPU) == set()
