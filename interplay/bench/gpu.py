"""What a GPU makes of our kernels: sessions, bandwidth, FLOPs and bits, each as one figure.

Every function but `bits_differing` measures on `device`, which must be a CUDA one. Ratios are of
what the same GPU was measured to copy or multiply, in percent. Knows nothing of tables or files.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from interplay.clock import SAMPLES_PER_TURN, TURN_S
from interplay.data.example import Example
from interplay.engine.device_engine import DeviceEngine
from interplay.errors import DeviceError
from interplay.model.backbone import Backbone, BackboneConfig
from interplay.model.checkpoint import Loaded
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.model.sizes import count_params
from interplay.ops.experts import route, run_experts
from interplay.ops.kernels import choose_kernels
from interplay.train.loop import TrainConfig, Trainer
from interplay.turns.types import InputHalf, Streams

COPY_BYTES = 2 << 30
MATMUL_DIM = 8192
# Weights of several layers, one after the other: more than the cache holds.
MOE = BackboneConfig(
    dim=2048, num_layers=24, num_heads=16, num_kv_heads=4, head_dim=128, window=2048,
    num_experts=64, num_experts_per_token=6, expert_ff_dim=768,
)  # fmt: skip
NUM_MOE_LAYERS = 8
TEN_MINUTES = 3000  # ticks
PROBE_TICKS = 50
MOST_SESSIONS = 16_384
BITS = BackboneConfig(
    dim=192, num_layers=2, num_heads=3, num_kv_heads=1, ff_dim=512, window=512, prefix=20
)  # fmt: skip


def _check(device: torch.device) -> None:
    if device.type != "cuda" or not torch.cuda.is_available():
        raise DeviceError(f"{device} is no GPU that torch can use here; run this on one")
    choose_kernels(device)


def _seconds(work: Callable[[], object], num: int = 20) -> float:
    """Median seconds of one replay of `work`, captured as a CUDA graph."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    times = []
    for _ in range(num):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1000)
    return float(np.median(times))


def bandwidth(device: torch.device) -> float:
    """Bytes per second, read and written, of a copy of 2 GiB."""
    _check(device)
    source = torch.ones(COPY_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / _seconds(lambda: target.copy_(source))


def matmul_flops(device: torch.device) -> float:
    """Operations per second of a bfloat16 product of 8192 x 8192 matrices."""
    _check(device)
    a, b = (torch.randn(MATMUL_DIM, MATMUL_DIM, device=device).bfloat16() for _ in range(2))
    return 2 * MATMUL_DIM**3 / _seconds(lambda: a @ b)


@torch.inference_mode()
def moe_mbu(device: torch.device, num_rows: int) -> float:
    """Percent of the bandwidth at which the experts of `num_rows` rows are read, each once."""
    _check(device)
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
    return 100 * num_bytes / _seconds(work) / bandwidth(device)


@torch.inference_mode()
def decode_mbu(device: torch.device) -> float:
    """Percent: the time that reading the active weights takes at least, of a whole decode step."""
    _check(device)
    torch.manual_seed(0)
    with device:
        model = Backbone(MOE, zero_init_outputs=False).bfloat16()
    cache = model.new_cache(1)
    x = torch.randn(1, 1, MOE.dim, device=device).bfloat16()
    slots = torch.zeros(1, dtype=torch.int64, device=device)
    model(x.expand(1, 500, -1), torch.arange(500, device=device)[None], cache, slots)

    def work() -> None:
        model(x, cache.length[slots][:, None], cache, slots)

    floor_s = 2 * count_params(MOE)[1] / bandwidth(device)
    return 100 * floor_s / _seconds(work)


def mfu(device: torch.device, size: str, *, num_sessions: int = 64, num_turns: int = 64) -> float:
    """Percent of the product's operations that training does: 6 per active parameter and position,
    and 12 per position, key it sees on average and width of the heads."""
    _check(device)
    torch.manual_seed(0)
    model = InteractionModel(model_config(size)).to(device)
    config = TrainConfig(num_steps=1000, device=device)
    trainer = Trainer(config, copy.deepcopy(model))
    examples = [_example(seed, num_turns, model.config.vocab_size) for seed in range(num_sessions)]
    for _ in range(3):
        trainer.advance(examples)
    torch.cuda.synchronize(device)
    began, num_steps = time.perf_counter(), 10
    for _ in range(num_steps):
        trainer.advance(examples)
    torch.cuda.synchronize(device)
    step_s = (time.perf_counter() - began) / num_steps
    backbone = model.config.backbone
    seen = min(8 * num_turns, backbone.window) / 2
    attention = 12 * backbone.num_layers * backbone.num_heads * backbone.head_dim * seen
    flops = trainer.num_positions * (6 * count_params(backbone)[1] + attention)
    return 100 * flops / step_s / matmul_flops(device)


def _example(seed: int, num_turns: int, vocab_size: int) -> Example:
    """Random sound and words, the voice on in half of the slots."""
    rng = np.random.default_rng(seed)
    streams = Streams.empty(num_turns, subframes=4)
    streams.hear[:] = rng.integers(0, 16, streams.hear.shape)
    for name in ("heard", "say", "act"):
        getattr(streams, name)[:] = rng.integers(0, vocab_size, (num_turns, 4))
    streams.voice_on[:] = rng.random(streams.voice_on.shape) < 0.5
    streams.voice[streams.voice_on] = -3
    phones = np.full((num_turns, 4), -1, np.int8)
    return Example(
        streams=streams,
        phones_user=phones,
        phones_own=phones,
        heard_known=np.ones(num_turns, bool),
        scored_from=0,
    )


def sessions(loaded: Loaded, device: torch.device, *, num_ticks: int = TEN_MINUTES) -> int:
    """The most sessions whose `num_ticks` ticks are all done within 200 ms, in steps of 5 %."""
    _check(device)
    low, high = 0, 64
    while high <= MOST_SESSIONS and not _misses(loaded, device, high, PROBE_TICKS):
        low, high = high, 2 * high
    while high - low > max(1, high // 20):
        middle = (low + high) // 2
        if _misses(loaded, device, middle, PROBE_TICKS):
            high = middle
        else:
            low = middle
    while low and _misses(loaded, device, low, num_ticks):
        low = int(0.95 * low)
    return low


def _misses(loaded: Loaded, device: torch.device, num: int, num_ticks: int) -> int:
    """Ticks of `num` sessions that took longer than one micro-turn."""
    engine = DeviceEngine(loaded, device=device, num_slots=num, traces=False)
    opened = [engine.open(seed=i) for i in range(num)]
    rng = np.random.default_rng(0)
    heard = [rng.normal(0, 0.05, SAMPLES_PER_TURN).astype(np.float32) for _ in range(num)]
    halves = {s: InputHalf(hear=x) for s, x in zip(opened, heard, strict=True)}
    num_late = 0
    for tick in range(num_ticks):
        began = time.perf_counter()
        engine.tick(halves)
        num_late += time.perf_counter() - began > TURN_S and tick > 0
    return num_late


@torch.inference_mode()
def bits_differing(device: torch.device, *, num_rows: int = 1100) -> int:
    """Differing bits between a whole session and the same in random pieces, dense and with
    experts, in bfloat16: 0 is the promise."""
    if device.type == "cuda":
        _check(device)
    total = 0
    experts = {"ff_dim": 0, "num_experts": 5, "expert_ff_dim": 64, "shared_ff_dim": 64}
    for config in (BITS, replace(BITS, **experts)):
        torch.manual_seed(0)
        model = Backbone(config, zero_init_outputs=False).bfloat16().to(device)
        x = torch.randn(2, num_rows, config.dim).bfloat16().to(device)
        at = torch.arange(num_rows, device=device).expand(2, -1)
        whole, cache, pieces, first = model(x, at), model.new_cache(2), [], 0
        rng = np.random.default_rng(0)
        while first < num_rows:
            last = min(num_rows, first + int(rng.choice([1, 4, 16])))
            pieces.append(model(x[:, first:last], at[:, first:last], cache))
            first = last
        differing = torch.cat(pieces, dim=1).view(torch.int16) ^ whole.view(torch.int16)
        values = differing.cpu().numpy().astype(np.uint16)
        total += int(np.unpackbits(values.view(np.uint8)).sum())
    return total
