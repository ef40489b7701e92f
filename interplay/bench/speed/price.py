"""What equal bits cost: the same operations with the row contract and without it.

The contract (`ops.linear`) pads products of few rows to the count from which a row's bits no longer
depend on the others. Native kernels, which serve float32, compute rows alike by themselves and pad
nothing: their time stands beside the price and is no part of it. Knows nothing of tables.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from interplay.bench.speed.ours import Ours, Stock, Unpinned, unpinned_products
from interplay.bench.speed.timing import Runner, Times, interleaved
from interplay.bench.speed.workload import (
    ROWS_PER_TICK,
    Workload,
    fill,
    random_workload,
    run_tick,
)
from interplay.engine.precision import choose_dtype, choose_products, pin_rows
from interplay.model.sizes import backbone_config
from interplay.ops.linear import CONTRACT
from interplay.ops.probe import BY_TILES, has_tiles

NUM_TICKS = 60  # of each variant, with a full window
NUM_STEPS = 21
MIXTURE = dataclasses.replace(  # `xs` with as many experts as `s-moe` has
    backbone_config("xs"), ff_dim=0, num_experts=16, expert_ff_dim=192, shared_ff_dim=128
)
TRAINING = {  # what is trained, and rows of a batch: an expert gets an eighth of them on average
    "xs": (backbone_config("xs"), 512),
    "xs with 16 experts": (MIXTURE, 512),
    "xs with 16 experts, 64 rows": (MIXTURE, 64),
}
UNPINNED = "stock products of as many rows as there are"
Found = tuple[float | None, dict[str, Any]]


def price_of_tick(work: Workload, dtype: torch.dtype) -> Found:
    """CPU time of a tick with padded stock products over that with unpadded ones, less one."""
    if dtype not in (torch.float32, choose_dtype(None)[0]):
        return None, {"why": f"this CPU has no native {_name(dtype)}"}
    if dtype == torch.bfloat16 and has_tiles():
        return None, {"why": BY_TILES}
    work = dataclasses.replace(work, backbone=work.backbone.to(dtype), head=work.head.to(dtype))
    rows = pin_rows(work.backbone, None, dtype)
    served = choose_products(work.backbone, None, dtype, strict=False, others=[work.head])
    variants = {"pinned": Stock(work), "unpinned": Unpinned(work)}
    if dtype == torch.float32:
        variants["served"] = Ours(work)
    for each in variants.values():
        fill(each, work)
    first = work.config.window // ROWS_PER_TICK
    runners = {
        name: Runner(
            run=lambda tick, each=each: run_tick(each, work.rows(first + tick)), vital=True
        )
        for name, each in variants.items()
    }
    found = interleaved(runners, NUM_TICKS, lambda done: None)
    median = {name: each.summary()["cpu_p50_ms"] for name, each in found.times.items()}
    about: dict[str, Any] = {
        "pinned": f"stock products of at least {CONTRACT.min_rows[dtype]} rows ({rows})",
        "unpinned": UNPINNED,
        "served": served if dtype == torch.float32 else "pinned",
        "ticks": len(found.times["pinned"].cpu_ms),
        "cpu_p50_ms": {name: round(value, 3) for name, value in median.items()},
    }
    return median["pinned"] / median["unpinned"] - 1, about


def price_of_training() -> Found:
    """The same of a forward and backward pass, the dearest of `TRAINING`."""
    dtype = choose_dtype(None)[0]
    if dtype == torch.bfloat16 and has_tiles():
        return None, {"why": BY_TILES}
    prices, rows = {}, ""
    for name, (config, num_rows) in TRAINING.items():
        work = random_workload(name, config)
        rows = pin_rows(work.backbone, None, dtype)
        prices[name] = _training_price(work, num_rows, dtype)
    about = {
        "pinned": f"stock products of at least {CONTRACT.min_rows[dtype]} rows ({rows})",
        "unpinned": UNPINNED,
        "dtype": _name(dtype),
        "rows": {name: num_rows for name, (_, num_rows) in TRAINING.items()},
        "steps": NUM_STEPS,
        "prices": {name: round(price, 4) for name, price in prices.items()},
    }
    return max(prices.values()), about


def _training_price(work: Workload, num_rows: int, dtype: torch.dtype) -> float:
    x = torch.randn(1, num_rows, work.config.dim).to(dtype)
    positions = torch.arange(num_rows)[None]

    def step() -> None:
        work.backbone(x, positions).float().sum().backward()

    times: Mapping[str, Times] = {"pinned": Times(), "unpinned": Times()}
    step()  # gradients are there
    for _ in range(NUM_STEPS):
        times["pinned"].add(step)
        with unpinned_products():
            times["unpinned"].add(step)
    median = {name: each.summary()["cpu_p50_ms"] for name, each in times.items()}
    return median["pinned"] / median["unpinned"] - 1


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
