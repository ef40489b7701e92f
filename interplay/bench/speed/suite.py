"""Runs the speed suite: workload by workload, then the whole engine, and makes rows of the times.

Knows nothing of tables or of the command line.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from interplay.bench.results.report import entry
from interplay.bench.scoring.bits import bits_outcomes
from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.speed import gpu, runtimes, timing, training
from interplay.bench.speed.capacity import halves, most_sessions, random_model, tick_times
from interplay.bench.speed.hour import HOUR_PER_SESSION, hour
from interplay.bench.speed.ours import Again, Ours, unpinned_products
from interplay.bench.speed.rows import SPEED
from interplay.bench.speed.workload import (
    RANDOM,
    ROWS_PER_TICK,
    Workload,
    run_tick,
    workload,
)
from interplay.engine.engine import Engine
from interplay.engine.precision import choose_products
from interplay.model.checkpoint import DEFAULT_MODEL, load_checkpoint

DENSE = RANDOM[0]
MAX_TICKS_AGAIN = 10  # without a cache a tick takes seconds
NUM_BIT_SESSIONS = 8
TRAIN_ROWS, TRAIN_REPEATS = 512, 21
FOUR_ROW_PASSES = 40
Advance = Callable[[str, int, int], None]


@dataclass(kw_only=True)
class SpeedBench:
    """num_ticks: of a session. measured: workload -> what was found, for the page."""

    num_ticks: int
    seed: int = 0
    advance: Advance = field(default=lambda what, done, total: None)
    measured: dict[str, dict[str, Any]] = field(default_factory=dict)
    products: str = ""
    found: dict[str, tuple[float | None, dict[str, Any]]] = field(default_factory=dict)

    def run(self) -> dict[str, dict[str, Any]]:
        """All rows, in order: name -> JSON entry."""
        torch.set_num_threads(1)
        for name in (DEFAULT_MODEL, *RANDOM):
            self._compare(workload(name))
        self._compared()
        self._bits()
        self._price_of_training()
        self._engine()
        self.found |= training.training_rows(
            lambda done: self.advance("training", done, len(training.SHAPES))
        )
        self.found |= gpu.measure(self.num_ticks, self.seed, self.advance)
        rows = {}
        for row in SPEED:
            value, about = self.found[row.name]
            outcomes = [] if value is None else [Outcome(value=value)]
            score = dataclasses.replace(
                summarize(outcomes, row.statistic, self.seed), value=value, ci95=None
            )
            rows[row.name] = entry(row, score, {}) | {"suite": "speed", "about": about}
            if about.get("why") == gpu.NO_GPU:
                rows[row.name]["passes"] = None  # not missed: not tried
        return rows

    def _compare(self, work: Workload) -> None:
        """Every runtime on one workload."""
        self.products = choose_products(
            work.backbone, None, torch.float32, strict=False, others=[work.head]
        )
        found = runtimes.find(work, self.num_ticks)
        again = found.ready.pop(runtimes.AGAIN, None)
        ticks = {
            name: lambda index, runtime=runtime: run_tick(runtime, work.rows(index))
            for name, runtime in found.ready.items()
        }
        times = timing.interleaved(
            ticks, self.num_ticks, lambda done: self.advance(work.name, done, self.num_ticks)
        )
        if isinstance(again, Again):
            again.past = torch.randn(work.config.window, work.config.dim)  # as late in a session
            run = {runtimes.AGAIN: lambda index: run_tick(again, work.rows(index))}
            num = min(MAX_TICKS_AGAIN, self.num_ticks)
            times |= timing.interleaved(run, num, lambda done: None)
        ours = found.ready[runtimes.OURS]
        assert isinstance(ours, Ours)
        full = work.config.window // ROWS_PER_TICK
        self.measured[work.name] = {
            "weights": work.about,
            "products": self.products,
            "times": {name: each.summary() for name, each in times.items()},
            "cpu_ms": {name: each.cpu_ms for name, each in times.items()},
            "growth": {n: timing.growth(each.cpu_ms, full) for n, each in times.items()},
            "missing": found.missing,
            "ways": found.ways,
            "kept": found.kept,
            "logit_difference": found.differences,
            "session_bytes": ours.state_bytes(),
            "weight_bytes": ours.weight_bytes(),
            "float32_bytes": work.weight_bytes(),
            **_bandwidth(work, ours),
        }

    def _ratios(self, prefix: str) -> tuple[float | None, dict[str, Any]]:
        """The worst case of `s` and `s-moe`, each against the fastest runtime of that name."""
        about, values = {}, []
        for name in RANDOM:
            measured = self.measured[name]
            times = measured["times"]
            named = {each: v for each, v in times.items() if each.startswith(prefix)}
            theirs = [v for each, v in named.items() if each not in runtimes.ROUNDED]
            if not theirs:
                reasons = [v for k, v in measured["missing"].items() if k.startswith(prefix)]
                about[name] = reasons[0]
                continue
            best = min(theirs, key=lambda each: each["p50_ms"])
            kept = measured["kept"].get(prefix)
            about |= {f"{name}_weights": kept} if kept else {}
            ours = times[runtimes.OURS]
            values.append(best["p50_ms"] / ours["p50_ms"])
            about[name] = round(values[-1], 3)
            about[f"{name}_cpu"] = round(best["cpu_p50_ms"] / ours["cpu_p50_ms"], 3)
            for each in named.keys() & runtimes.ROUNDED:
                rounded = named[each]["cpu_p50_ms"] / ours["cpu_p50_ms"]
                about[f"{name}_rounded_cpu"] = round(rounded, 3)
        return (min(values) if values else None), about

    def _compared(self) -> None:
        dense = self.measured[DENSE]
        cpu = {name: each["cpu_p50_ms"] for name, each in dense["times"].items()}
        self.found["bits_price_tick"] = (
            cpu[runtimes.OURS] / cpu[runtimes.UNPINNED] - 1,
            {"padded_stock": round(cpu[runtimes.STOCK] / cpu[runtimes.UNPINNED] - 1, 3)},
        )
        for row, prefix in (
            ("vs_transformers", runtimes.TRANSFORMERS),
            ("vs_onnxruntime", runtimes.ONNX),
            ("vs_llamacpp", runtimes.LLAMA),
        ):
            self.found[row] = self._ratios(prefix)
        used = dense["pass_bytes_per_s"] / dense["read_bytes_per_s"]
        of_float32 = dense["float32_bytes"] / dense["weight_bytes"]
        self.found["mbu_cpu"] = (
            used,
            {
                "read_gb_per_s": round(dense["read_bytes_per_s"] / 1e9, 2),
                "weights_mb": round(dense["weight_bytes"] / 1e6, 1),
                "if_float32_were_read": round(used * of_float32, 3),
            },
        )
        grown = {name: each["growth"][runtimes.OURS] for name, each in self.measured.items()}
        known = [value for value in grown.values() if value is not None]
        short = {} if known else {"why": "the session ends before the window has long been full"}
        self.found["tick_growth"] = (max(known) if known else None, grown | short)

    def _bits(self) -> None:
        loaded = load_checkpoint(DEFAULT_MODEL)
        outcomes = bits_outcomes(
            loaded, halves(12, self.seed), num_sessions=NUM_BIT_SESSIONS, seed=self.seed
        )
        total = sum(outcome.value or 0.0 for outcome in outcomes)
        self.found["bits_differing"] = total, {"sessions": len(outcomes)}

    def _price_of_training(self) -> None:
        """Forward and backward of whole sequences of the shipped model's shape, in turns."""
        work = workload(DEFAULT_MODEL)
        x = torch.randn(1, TRAIN_ROWS, work.config.dim)
        positions = torch.arange(TRAIN_ROWS)[None]
        pinned, unpinned = timing.Times(), timing.Times()
        for _ in range(TRAIN_REPEATS):
            pinned.add(lambda: work.backbone(x, positions).sum().backward())
            with unpinned_products():
                unpinned.add(lambda: work.backbone(x, positions).sum().backward())
        price = float(np.median(pinned.cpu_ms) / np.median(unpinned.cpu_ms) - 1)
        self.found["bits_price_train"] = price, {"rows": TRAIN_ROWS, "repeats": TRAIN_REPEATS}

    def _engine(self) -> None:
        models = {"s": random_model("s"), "xs": load_checkpoint(DEFAULT_MODEL)}
        engine = Engine(models["s"], num_threads=1)
        times = tick_times(engine, self.num_ticks, self.seed)
        self.measured["s"]["engine"] = times.summary()
        p99 = float(np.percentile(times.wall_ms, 99))
        cpu = float(np.percentile(times.cpu_ms, 99))
        self.found["s_tick_p99_ms"] = p99, {"cpu_p99_ms": round(cpu, 1)}
        num_ticks = HOUR_PER_SESSION * self.num_ticks
        self.found["tick_growth_hour"], self.found["memory_growth_hour"] = hour(
            models["xs"],
            num_ticks,
            self.seed,
            lambda done: self.advance("an hour", done, num_ticks),
        )
        for name in models:
            model = "s" if name == "s" else DEFAULT_MODEL
            self.found[f"{name}_sessions"] = most_sessions(model, self.num_ticks, self.seed)


def _bandwidth(work: Workload, ours: Ours) -> dict[str, float]:
    """Bytes of weights per second of four-row passes, and of plain reading, in turns."""
    best_read, passes = 0.0, []
    for index in range(FOUR_ROW_PASSES):
        if index % 10 == 0:
            best_read = max(best_read, timing.read_bandwidth(1))
        start = time.process_time()
        ours.append(work.rows(index)[:4])
        passes.append(time.process_time() - start)
    return {
        "read_bytes_per_s": best_read,
        "pass_bytes_per_s": ours.weight_bytes() / float(np.median(passes)),
    }
