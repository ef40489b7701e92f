"""The rows that need a GPU: bits, sessions, bandwidth and FLOPs of our kernels there.

Shares are of what the same GPU was measured to copy or multiply. Knows nothing of tables or files.
"""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from interplay.bench.speed.capacity import SPEAKING, most_in_time, tick_times
from interplay.bench.speed.gpt_fast import GptFast
from interplay.bench.speed.timing import reason
from interplay.bench.speed.training import random_examples, step_flops
from interplay.bench.speed.workload import random_workload
from interplay.clock import NUM_SLOTS, TURN_S
from interplay.engine.memory import NoRoomError
from interplay.engine.precision import pin_library
from interplay.engine.static.engine import DeviceEngine
from interplay.model.backbone import Backbone, BackboneConfig
from interplay.model.checkpoint import Loaded
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.model.sizes import backbone_config, count_params
from interplay.model.untrained import untrained
from interplay.ops.experts import route, run_experts
from interplay.ops.kernels import choose_kernels
from interplay.ops.linear import linear
from interplay.train.loop import TrainConfig, Trainer

GPU = torch.device("cuda")
NO_GPU = "no GPU"
NO_MEMORY = "the GPU has too little memory"
COPY_BYTES = 2 << 30
MATMUL_DIM = 8192
# Weights of several layers, one after the other: more than the cache holds.
MOE = BackboneConfig(
    dim=2048, num_layers=24, num_heads=16, num_kv_heads=4, head_dim=128, window=2048,
    num_experts=64, num_experts_per_token=6, expert_ff_dim=768,
)  # fmt: skip
NUM_MOE_LAYERS = 8
PAST, BFLOAT16_TOLERANCE = 501, 0.1
TEN_MINUTES = 3000  # ticks
PROBE_TICKS = 50
NUM_WARM_UP = 3
SESSIONS = tuple(dict.fromkeys(int(64 * 1.05**step) for step in range(114)))  # to 15,876
TRAIN_SESSIONS, TRAIN_TURNS, TRAIN_STEPS = 64, 64, 10
BITS_ROWS = 1100
BITS = BackboneConfig(
    dim=192, num_layers=2, num_heads=3, num_kv_heads=1, ff_dim=512, window=512, prefix=20
)  # fmt: skip
Found = tuple[float | None, dict[str, Any]]


def measure(name: str, num_ticks: int, seed: int) -> Found:
    """The value of one row of `ON_GPU` and what is to be said about it; without a CUDA device, or
    where anything fails, none and the reason.

    num_ticks: of the session whose ticks are timed.
    """
    if not torch.cuda.is_available():
        return None, {"why": NO_GPU}
    about = {"gpu": torch.cuda.get_device_name()}
    try:
        about["operations"] = choose_kernels(GPU)
        return float(_measurements(GPU, num_ticks, seed)[name]()), about
    except (NoRoomError, torch.OutOfMemoryError):
        return None, about | {"why": NO_MEMORY}
    except Exception as error:  # of a compiler, a kernel or a baseline: the other rows go on
        return None, about | {"why": reason(error)}
    finally:
        gc.collect()  # an engine and its sessions name each other
        torch.cuda.empty_cache()


def _measurements(
    device: torch.device, num_ticks: int, seed: int
) -> dict[str, Callable[[], float]]:
    def tick_p99_ms() -> float:
        engine = DeviceEngine(untrained("s", speaks=SPEAKING), device=device, traces=False)
        return tick_times(engine, num_ticks, seed).summary()["p99_ms"]

    return {
        "gpu_bits_differing": lambda: bits_differing(device),
        "gpu_sessions": lambda: most_sessions(untrained("s", speaks=SPEAKING), device),
        "gpu_tick_p99_ms": tick_p99_ms,
        "gpu_moe_mbu_1": lambda: moe_mbu(device, 1),
        "gpu_moe_mbu_4": lambda: moe_mbu(device, 4),
        "gpu_moe_mbu_16": lambda: moe_mbu(device, 16),
        "gpu_decode_mbu": lambda: decode_mbu(device),
        "gpu_vs_gptfast": lambda: vs_gpt_fast(device),
        "gpu_mfu_dense": lambda: mfu(device, "s"),
        "gpu_mfu_moe": lambda: mfu(device, "s-moe"),
    }


def _pin(backbone: Backbone, device: torch.device) -> None:
    """Choose its products as serving does: by the library where that keeps rows alike."""
    pin_library(backbone, nn.Module(), backbone.norm.dtype, device)


def _captured(work: Callable[[], object]) -> Callable[[], object]:
    """A replay of `work` as one CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def _seconds(work: Callable[[], object], num: int = 20) -> float:
    """Median seconds of one replay of `work`, captured as a CUDA graph, by the GPU's clock."""
    replay, times = _captured(work), []
    for _ in range(num):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        replay()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1000)
    return float(np.median(times))


def bandwidth(device: torch.device) -> float:
    """Bytes per second, read and written, of a copy of 2 GiB."""
    source = torch.ones(COPY_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / _seconds(lambda: target.copy_(source))


def matmul_flops(device: torch.device) -> float:
    """Operations per second of a bfloat16 product of 8192 x 8192 matrices."""
    a, b = (torch.randn(MATMUL_DIM, MATMUL_DIM, device=device).bfloat16() for _ in range(2))
    return 2 * MATMUL_DIM**3 / _seconds(lambda: a @ b)


@torch.inference_mode()
def moe_mbu(device: torch.device, num_rows: int) -> float:
    """Share of the bandwidth at which the experts of `num_rows` rows are read, each once."""
    torch.manual_seed(0)
    dim, ff, experts = MOE.dim, MOE.expert_ff_dim, MOE.num_experts

    def weights(*shape: int) -> Tensor:
        return torch.randn(NUM_MOE_LAYERS, experts, *shape, device=device).bfloat16() * 0.02

    routers, gate_ups, downs = weights(dim), weights(2 * ff, dim), weights(dim, ff)
    rows = torch.randn(num_rows, dim, device=device).bfloat16()
    chosen = [route(rows, router, MOE.num_experts_per_token)[1] for router in routers]
    touched = sum(len(which.unique()) for which in chosen)

    def work() -> None:
        for router, gate_up, down in zip(routers, gate_ups, downs, strict=True):
            run_experts(rows, route(rows, router, MOE.num_experts_per_token)[1], gate_up, down)

    num_bytes = touched * 3 * dim * ff * 2 + routers.numel() * 2
    return num_bytes / _seconds(work) / bandwidth(device)


@torch.inference_mode()
def decode_mbu(device: torch.device) -> float:
    """The time that reading the active weights takes at least, over that of a decode step."""
    torch.manual_seed(0)
    with device:
        model = Backbone(MOE, zero_init_outputs=False).bfloat16()
    _pin(model, device)
    cache = model.new_cache(1)
    x = torch.randn(1, 1, MOE.dim, device=device).bfloat16()
    slots = torch.zeros(1, dtype=torch.int64, device=device)
    model(x.expand(1, 500, -1), torch.arange(500, device=device)[None], cache, slots)

    def work() -> None:
        model(x, cache.length[slots][:, None], cache, slots)

    floor_s = 2 * count_params(MOE)[1] / bandwidth(device)
    return floor_s / _seconds(work)


@torch.inference_mode()
def vs_gpt_fast(device: torch.device) -> float:
    """Time of a decode step in plain compiled PyTorch over ours, `s` in bfloat16 behind `PAST`
    positions; both are graphs, timed by the host from the launch to the end. Raises RuntimeError
    where the logits are not the same."""
    work = random_workload("s", backbone_config("s"))
    work = replace(
        work, backbone=work.backbone.bfloat16().to(device), head=work.head.bfloat16().to(device)
    )
    theirs = GptFast(work, work.config.window, compiled=device.type == "cuda")
    _pin(work.backbone, device)
    cache = work.backbone.new_cache(1)
    slots = torch.zeros(1, dtype=torch.int64, device=device)
    past = torch.randn(PAST, work.config.dim, device=device).bfloat16()
    x, at = past[-1:], theirs.at[PAST - 1 : PAST]
    for rows in past[:-1].split(NUM_SLOTS):
        theirs.append(rows)
    work.backbone(past[None, :-1], theirs.at[None, : PAST - 1], cache, slots)
    expected = linear(work.backbone(x[None], at[None], cache, slots)[0], work.head)[0]
    off = (theirs.step(x, at) - expected).float().abs().max() / expected.float().std()
    if not off <= BFLOAT16_TOLERANCE:
        raise RuntimeError(f"the plain model gives other logits: {off:.2g} standard deviations off")

    def ours() -> None:
        hidden = work.backbone(x[None], cache.length[slots][:, None], cache, slots)
        linear(hidden[0], work.head)

    steps = {"theirs": lambda: theirs.step(x, at), "ours": _captured(ours)}
    times = _host_seconds(steps)
    return times["theirs"] / times["ours"]


def _host_seconds(steps: Mapping[str, Callable[[], object]], num: int = 50) -> dict[str, float]:
    """Median seconds of each, which brings a graph of its own, in turns: what a caller waits."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(NUM_WARM_UP + num):
        for name, step in steps.items():
            torch.cuda.synchronize()
            began = time.perf_counter()
            step()
            torch.cuda.synchronize()
            if turn >= NUM_WARM_UP:
                times[name].append(time.perf_counter() - began)
    return {name: float(np.median(each)) for name, each in times.items()}


def mfu(device: torch.device, size: str) -> float:
    """Share of a large product's operations per second that training reaches."""
    torch.manual_seed(0)
    model = InteractionModel(model_config(size)).to(device)
    trainer = Trainer(TrainConfig(num_steps=1000, device=device), model)
    examples = random_examples(TRAIN_SESSIONS, TRAIN_TURNS, model.config.vocab_size)
    for _ in range(3):
        trainer.advance(examples)
    torch.cuda.synchronize(device)
    began = time.perf_counter()
    for _ in range(TRAIN_STEPS):
        trainer.advance(examples)
    torch.cuda.synchronize(device)
    step_s = (time.perf_counter() - began) / TRAIN_STEPS
    flops = step_flops(model.config.backbone, trainer.num_positions, TRAIN_TURNS)
    return flops / step_s / matmul_flops(device)


def most_sessions(loaded: Loaded, device: torch.device) -> int:
    """The most sessions whose ticks of ten minutes are all done within 200 ms, in steps of 5 %."""

    def holds(num: int, which: str) -> bool:
        gc.collect()  # the engine before this one
        torch.cuda.empty_cache()
        num_ticks = TEN_MINUTES if which == "whole" else PROBE_TICKS
        try:
            engine = DeviceEngine(loaded, device=device, num_slots=num, traces=False)
            times = tick_times(engine, num_ticks, seed=0, until_ms=1000 * TURN_S)
        except (NoRoomError, torch.OutOfMemoryError):
            return False
        return not times.summary()["misses"]

    return most_in_time(holds, SESSIONS)


@torch.inference_mode()
def bits_differing(device: torch.device) -> int:
    """Differing bits between a whole session and the same in random pieces, dense and with
    experts, in bfloat16: 0 is the promise."""
    total = 0
    experts = {"ff_dim": 0, "num_experts": 5, "expert_ff_dim": 64, "shared_ff_dim": 64}
    for config in (BITS, replace(BITS, **experts)):
        torch.manual_seed(0)
        model = Backbone(config, zero_init_outputs=False).bfloat16().to(device)
        _pin(model, device)
        x = torch.randn(2, BITS_ROWS, config.dim).bfloat16().to(device)
        at = torch.arange(BITS_ROWS, device=device).expand(2, -1)
        whole, cache, pieces, first = model(x, at), model.new_cache(2), [], 0
        rng = np.random.default_rng(0)
        while first < BITS_ROWS:
            last = min(BITS_ROWS, first + int(rng.choice([1, 4, 16])))
            pieces.append(model(x[:, first:last], at[:, first:last], cache))
            first = last
        differing = torch.cat(pieces, dim=1).view(torch.int16) ^ whole.view(torch.int16)
        values = differing.cpu().numpy().astype(np.uint16)
        total += int(np.unpackbits(values.view(np.uint8)).sum())
    return total
