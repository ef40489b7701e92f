"""Runs the speed suite step by step, workloads and then the whole engine; makes rows of the times.

What a step has found is plain values, so that an interrupted run goes on behind its last step.
Knows nothing of tables, of files or of the command line.
"""

import dataclasses
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from interplay.bench.results.report import entry
from interplay.bench.scoring.bits import bits_outcomes
from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.speed import gpu, price, runtimes, timing, training
from interplay.bench.speed.capacity import halves, most_sessions, random_model, tick_times
from interplay.bench.speed.hour import HOUR_PER_SESSION, hour
from interplay.bench.speed.ours import Again, Ours
from interplay.bench.speed.rows import BITS, COMPARE, ON_GPU, SPEED, TRAINING
from interplay.bench.speed.workload import (
    RANDOM,
    ROWS_PER_TICK,
    Runtime,
    Workload,
    fill,
    run_tick,
    workload,
)
from interplay.engine.engine import Engine
from interplay.engine.precision import choose_products
from interplay.model.checkpoint import DEFAULT_MODEL, load_checkpoint

DENSE = RANDOM[0]
MAX_TICKS_AGAIN = 10  # without a cache a tick takes seconds
NUM_BIT_SESSIONS = 8
# One of so many turns of ours is also theirs: all have a full window for most of their ticks, and
# whose ticks grow with age gains by being younger.
RIVAL_EVERY, ABLATION_EVERY, ROUNDED_EVERY = 3, 5, 5
FOUR_ROW_PASSES = 40
KINDS = (BITS, COMPARE, TRAINING)  # whose rows are all measured at once
PRICED = {"bits_price_tick": torch.float32, "bits_price_tick_bf16": torch.bfloat16}
WIDER = "rows 2 to 4 of a pass see 1 to 3 positions more than the window: its Qwen3 has none"
Advance = Callable[[str, int, int], None]


@dataclass(kw_only=True)
class Found:
    """What was measured so far. steps: names of those that are over. workloads: name -> times of
    every runtime and what the page tells. rows: name -> value and what is to be said of it."""

    steps: list[str] = field(default_factory=list)
    workloads: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, tuple[float | None, dict[str, Any]]] = field(default_factory=dict)

    @staticmethod
    def of(stored: Mapping[str, Any]) -> "Found":
        """From what JSON has made of one."""
        rows = {name: (value, about) for name, (value, about) in stored["rows"].items()}
        return Found(steps=stored["steps"], workloads=stored["workloads"], rows=rows)


@dataclass(frozen=True, kw_only=True)
class Step:
    """rows: names of those that cannot be had without it."""

    name: str
    rows: frozenset[str]
    run: Callable[[], None]


@dataclass(kw_only=True)
class SpeedBench:
    """num_ticks: of a session. found: what an interrupted run has left, and then all of it."""

    num_ticks: int
    seed: int = 0
    advance: Advance = field(default=lambda what, done, total: None)
    found: Found = field(default_factory=Found)
    products: str = ""

    def run(self, wanted: Collection[str]) -> Iterator[Step]:
        """Measure what the rows of these names need; yields each step that is over."""
        torch.set_num_threads(1)
        for step in self.steps():
            if step.name in self.found.steps or not step.rows & set(wanted):
                continue
            step.run()
            self.found.steps.append(step.name)
            yield step

    def steps(self) -> list[Step]:
        """All there are, in order; those of the same rows first."""
        names = {kind: {row.name for row in SPEED if row.kind == kind} for kind in KINDS}

        def step(name: str, rows: Collection[str], run: Callable[[], None]) -> Step:
            return Step(name=name, rows=frozenset(rows), run=run)

        return [
            *(
                step(f"workload {name}", names[COMPARE], partial(self._compare, name))
                for name in (DEFAULT_MODEL, *RANDOM)
            ),
            step("bits", names[BITS], self._bits),
            *(
                step(row, [row], partial(self._price_of_tick, row, dtype))
                for row, dtype in PRICED.items()
            ),
            step("bits_price_train", ["bits_price_train"], self._price_of_training),
            step("tick", ["s_tick_p99_ms"], self._tick),
            step("hour", ["tick_growth_hour", "memory_growth_hour"], self._hour),
            step("s sessions", ["s_sessions"], partial(self._sessions, "s_sessions", "s")),
            step("xs sessions", ["xs_sessions"], partial(self._sessions, "xs_sessions")),
            step("training", names[TRAINING], self._training),
            *(step(row.name, [row.name], partial(self._gpu, row.name)) for row in ON_GPU),
        ]

    def rows(self, wanted: Collection[str]) -> dict[str, dict[str, Any]]:
        """Those rows, in order, as far as they were measured: name -> JSON entry."""
        if set(self.found.workloads) >= {DEFAULT_MODEL, *RANDOM}:
            self._compared()
        rows = {}
        for row in SPEED:
            if row.name not in wanted or row.name not in self.found.rows:
                continue
            value, about = self.found.rows[row.name]
            outcomes = [] if value is None else [Outcome(value=value)]
            score = dataclasses.replace(
                summarize(outcomes, row.statistic, self.seed), value=value, ci95=None
            )
            rows[row.name] = entry(row, score, {}) | {"suite": "speed", "about": about}
            if about.get("why") == gpu.NO_GPU:
                rows[row.name]["passes"] = None  # not missed: not tried
        return rows

    def _compare(self, name: str) -> None:
        """Every runtime on one workload."""
        work = workload(name)
        self.products = choose_products(
            work.backbone, None, torch.float32, strict=False, others=[work.head]
        )
        found = runtimes.find(work, self.num_ticks)
        again = found.ready.pop(runtimes.AGAIN, None)
        ours = found.ready[runtimes.OURS]
        assert isinstance(ours, Ours)
        turns = timing.interleaved(
            {name: _runner(name, runtime, work, ours) for name, runtime in found.ready.items()},
            self.num_ticks,
            lambda done: self.advance(work.name, done, self.num_ticks),
        )
        times = turns.times
        if isinstance(again, Again):
            again.past = torch.randn(work.config.window, work.config.dim)  # as late in a session
            run = timing.Runner(run=lambda index: run_tick(again, work.rows(index)))
            num = min(MAX_TICKS_AGAIN, self.num_ticks)
            times |= timing.interleaved({runtimes.AGAIN: run}, num, lambda done: None).times
        self.found.workloads[work.name] = {
            "weights": work.about,
            "products": self.products,
            "times": {name: each.summary() for name, each in times.items()},
            "cpu_ms": {name: each.cpu_ms for name, each in times.items()},
            "growth": {runtimes.OURS: self._growth(work, ours)},
            "missing": found.missing | turns.failed,
            "stopped": turns.stopped,
            "ways": found.ways,
            "kept": found.kept,
            "logit_difference": found.differences,
            "session_bytes": ours.state_bytes(),
            "weight_bytes": ours.weight_bytes(),
            "float32_bytes": work.weight_bytes(),
            **_bandwidth(work, ours),
        }

    def _growth(self, work: Workload, old: Ours) -> float | None:
        """Of a tick of the session that `old` has just played, over one whose window is just full;
        None where the session ended before its own was."""
        full = work.config.window // ROWS_PER_TICK
        if self.num_ticks <= full:
            return None
        young = Ours(work)
        fill(young, work)
        return timing.growth(
            lambda tick: run_tick(old, work.rows(self.num_ticks + tick)),
            lambda tick: run_tick(young, work.rows(full + tick)),
        )

    def _ratios(self, prefix: str) -> tuple[float | None, dict[str, Any]]:
        """The worst case of `s` and `s-moe`, each against the fastest runtime of that name."""
        about, values = {}, []
        for name in RANDOM:
            measured = self.found.workloads[name]
            times = measured["times"]
            named = {each: v for each, v in times.items() if each.startswith(prefix)}
            rivals = named.keys() - measured["stopped"].keys() - set(runtimes.ROUNDED)
            theirs = [named[each] for each in rivals]
            if not theirs:
                about[name] = next(
                    why
                    for each, why in measured["missing"].items()
                    if each.startswith(prefix) and each not in runtimes.ROUNDED
                )
                continue
            best = min(theirs, key=lambda each: each["p50_ms"])
            kept = measured["kept"].get(prefix)
            about |= {f"{name}_weights": kept} if kept else {}
            ours = times[runtimes.OURS]
            values.append(best["p50_ms"] / ours["p50_ms"])
            about[name] = round(values[-1], 3)
            about[f"{name}_ticks"] = best["ticks"]
            about[f"{name}_cpu"] = round(best["cpu_p50_ms"] / ours["cpu_p50_ms"], 3)
            for each, why in measured["stopped"].items():
                if each in named:
                    about[f"{name}_{each}"] = f"{why} ({named[each]['ticks']} counted)"
            for each in named.keys() & runtimes.ROUNDED:
                rounded = named[each]["cpu_p50_ms"] / ours["cpu_p50_ms"]
                about[f"{name}_rounded_cpu"] = round(rounded, 3)
        if prefix == runtimes.LLAMA and values:
            about["window"] = WIDER
        return (min(values) if values else None), about

    def _compared(self) -> None:
        dense = self.found.workloads[DENSE]
        for row, prefix in (
            ("vs_transformers", runtimes.TRANSFORMERS),
            ("vs_onnxruntime", runtimes.ONNX),
            ("vs_llamacpp", runtimes.LLAMA),
        ):
            self.found.rows[row] = self._ratios(prefix)
        used = dense["pass_bytes_per_s"] / dense["read_bytes_per_s"]
        of_float32 = dense["float32_bytes"] / dense["weight_bytes"]
        self.found.rows["mbu_cpu"] = (
            used,
            {
                "read_gb_per_s": round(dense["read_bytes_per_s"] / 1e9, 2),
                "weights_mb": round(dense["weight_bytes"] / 1e6, 1),
                "if_float32_were_read": round(used * of_float32, 3),
            },
        )
        grown = {name: each["growth"][runtimes.OURS] for name, each in self.found.workloads.items()}
        known = [value for value in grown.values() if value is not None]
        short = {} if known else {"why": "the session ends before the window is full"}
        self.found.rows["tick_growth"] = (max(known) if known else None, grown | short)

    def _bits(self) -> None:
        loaded = load_checkpoint(DEFAULT_MODEL)
        parts = bits_outcomes(
            loaded, halves(12, self.seed), num_sessions=NUM_BIT_SESSIONS, seed=self.seed
        )
        bits = {name: sum(outcome.value or 0.0 for outcome in parts[name]) for name in parts}
        about = {name: {"tried": len(parts[name]), "bits": bits[name]} for name in parts}
        self.found.rows["bits_differing"] = sum(bits.values()), about

    def _price_of_tick(self, row: str, dtype: torch.dtype) -> None:
        self.found.rows[row] = price.price_of_tick(workload(DENSE), dtype)

    def _price_of_training(self) -> None:
        self.found.rows["bits_price_train"] = price.price_of_training()

    def _tick(self) -> None:
        engine = Engine(random_model("s"), num_threads=1)
        times = tick_times(engine, self.num_ticks, self.seed)
        self.found.rows["s_tick_p99_ms"] = float(np.percentile(times.wall_ms, 99)), times.summary()

    def _hour(self) -> None:
        num_ticks = HOUR_PER_SESSION * self.num_ticks
        self.found.rows["tick_growth_hour"], self.found.rows["memory_growth_hour"] = hour(
            load_checkpoint(DEFAULT_MODEL),
            num_ticks,
            self.seed,
            lambda done: self.advance("an hour", done, num_ticks),
        )

    def _sessions(self, row: str, model: str = DEFAULT_MODEL) -> None:
        self.found.rows[row] = most_sessions(model, self.num_ticks, self.seed)

    def _training(self) -> None:
        self.found.rows |= training.training_rows(
            lambda done: self.advance("training", done, len(training.SHAPES))
        )

    def _gpu(self, row: str) -> None:
        names = [each.name for each in ON_GPU]
        self.advance("gpu", names.index(row), len(names))
        self.found.rows[row] = gpu.measure(row, self.num_ticks, self.seed)


def _runner(name: str, runtime: Runtime, work: Workload, ours: Ours) -> timing.Runner:
    """How a runtime takes its turns: ablations only now and then, from where ours is."""

    def run(index: int) -> None:
        run_tick(runtime, work.rows(index))

    if isinstance(runtime, Ours) and runtime is not ours:
        return timing.Runner(run=run, every=ABLATION_EVERY, prepare=lambda: runtime.follow(ours))
    group = runtimes.TRANSFORMERS if name.startswith(runtimes.TRANSFORMERS) else ""
    if runtime is ours:
        return timing.Runner(run=run, vital=True)
    every = ROUNDED_EVERY if name in runtimes.ROUNDED else RIVAL_EVERY
    return timing.Runner(run=run, every=every, group=group)


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
