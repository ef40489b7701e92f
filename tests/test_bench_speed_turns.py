"""Turns of the speed suite: who runs when, growth, capacity, and what equal bits cost."""

import time

import numpy as np
import pytest
import torch

from interplay.bench.speed import capacity, hour, price, timing
from interplay.bench.speed.capacity import halves, largest, most_in_time, tick_times
from interplay.bench.speed.workload import random_workload
from interplay.engine.engine import Engine
from interplay.model.backbone import BackboneConfig
from interplay.model.untrained import untrained
from interplay.ops import linear

DENSE = BackboneConfig(dim=128, num_layers=2, num_heads=4, num_kv_heads=2, ff_dim=192, window=512)


def test_runs_are_interleaved_and_the_first_ticks_do_not_count():
    seen, told = [], []
    ticks = {
        name: timing.Runner(run=lambda index, name=name: seen.append((name, index)))
        for name in "ab"
    }
    times = timing.interleaved(ticks, 12, told.append).times
    assert seen[:6] == [("a", 0), ("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 0)]
    assert [index for name, index in seen if name == "b"] == list(range(12))
    assert told == [5, 10, 12]
    assert all(len(each.wall_ms) == 12 - timing.WARM_UP_TICKS for each in times.values())


def test_a_runtime_may_take_every_third_block_only_and_is_prepared_before_all():
    seen = []
    ticks = {
        "a": timing.Runner(run=lambda index: seen.append(index)),
        "b": timing.Runner(run=lambda index: seen.append(-index), every=3, prepare=seen.clear),
    }
    times = timing.interleaved(ticks, 20, lambda done: None).times
    assert seen == [15, 16, 17, 18, 19, -15, -16, -17, -18, -19], "cleared before block 3"
    assert len(times["b"].cpu_ms) == 10 - timing.WARM_UP_TICKS


def test_one_that_fails_leaves_the_others_and_the_slower_way_stops(monkeypatch):
    monkeypatch.setattr(timing, "TRIAL_TICKS", 10)
    ran = {"fast": 0, "slow": 0}

    def fail(index):
        if index == 7:
            raise ValueError("no more")

    def way(name):
        def run(index):
            ran[name] += 1
            time.sleep(0.02 * (name == "slow"))

        return timing.Runner(run=run, group="rival")

    runners = {"bad": timing.Runner(run=fail), "fast": way("fast"), "slow": way("slow")}
    found = timing.interleaved(runners, 20, lambda done: None)
    assert found.failed == {"bad": "failed in tick 7: ValueError: no more"}
    assert found.stopped == {"slow": "stopped after 10 ticks: fast is faster"}
    assert ran == {"fast": 20, "slow": 10} and list(found.times) == ["fast", "slow"]
    with pytest.raises(ValueError, match="no more"):
        vital = {"ours": timing.Runner(run=fail, vital=True)}
        timing.interleaved(vital, 20, lambda done: None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_price_of_a_tick_tells_what_it_compares(monkeypatch, dtype):
    monkeypatch.setattr(price, "NUM_TICKS", 5)
    monkeypatch.setattr(price, "choose_dtype", lambda wish: (dtype, "pretended"))
    value, about = price.price_of_tick(random_workload("dense", DENSE), dtype)
    assert value is not None and value > -1 and about["ticks"] == 5 - timing.WARM_UP_TICKS
    least = linear.CONTRACT.min_rows[dtype]
    assert about["pinned"].startswith(f"stock products of at least {least} rows")
    assert about["unpinned"] == price.UNPINNED
    assert ("served" in about["cpu_p50_ms"]) == (dtype == torch.float32)


def test_without_native_bfloat16_its_price_has_no_value(monkeypatch):
    monkeypatch.setattr(price, "choose_dtype", lambda wish: (torch.float32, "pretended"))
    value, about = price.price_of_tick(random_workload("dense", DENSE), torch.bfloat16)
    assert value is None and "no native bfloat16" in about["why"]


def test_the_most_sessions_begin_at_short_runs_and_go_downwards():
    tried = []

    def holds(count, which):
        tried.append((count, which))
        return count <= (5 if which == "short" else 3)

    assert most_in_time(holds, range(1, 10)) == 3
    assert [each for each in tried if each[1] == "whole"] == [(n, "whole") for n in (5, 4, 3)]


def test_ticks_end_at_the_first_late_one_and_windows_may_be_full(monkeypatch):
    monkeypatch.setattr(capacity, "ROWS_PER_TICK", 512)  # the window counts as full after 2 ticks
    engine = Engine(untrained(speaks="always"), num_slots=2, num_threads=1)
    assert engine.config.backbone.window == 512
    assert len(tick_times(engine, 4, seed=0, full=True, until_ms=0).wall_ms) == 1
    ticks = 2 + capacity.WARM_UP_TICKS + 1
    assert engine.cache.length.tolist() == [8 * ticks] * 2, "the second began where the first was"


def test_percentiles_and_misses():
    times = timing.Times(wall_ms=[*np.linspace(1, 100, 99), 201.0], cpu_ms=[2.0] * 100)
    summary = times.summary()
    assert summary["misses"] == 1 and summary["max_ms"] == 201
    assert summary["p50_ms"] == pytest.approx(50.5, abs=1) and summary["cpu_p50_ms"] == 2


def test_growth_compares_the_old_with_the_young_in_turns(monkeypatch):
    clock, drift = [0.0], iter(range(1, 10_000))

    def taking(seconds: float):
        def tick(index: int) -> None:
            clock[0] += seconds * (1 + next(drift) / 1000)  # the machine gets slower all the time

        return tick

    monkeypatch.setattr(timing.time, "process_time", lambda: clock[0])
    assert timing.growth(taking(1.2), taking(1.0)) == pytest.approx(0.2, abs=0.02)
    assert timing.growth(taking(1.0), taking(1.0)) == pytest.approx(0.0, abs=0.02)


def test_an_hour_compares_its_end_with_the_full_window(monkeypatch):
    monkeypatch.setattr(hour, "ROWS_PER_TICK", 512)  # the window is full at once
    looks = iter([100, 108, *[118] * 60])  # pages are found until the window is full
    monkeypatch.setattr(hour, "resident_bytes", lambda: next(looks) << 20)
    times, memory = hour.hour(untrained(), 56, 0, lambda done: None)
    assert times[0] is not None and times[1]["ticks"] == 56
    assert memory[0] == 0 and memory[1]["full_mb"] == memory[1]["end_mb"] == 118


def test_too_short_an_hour_says_so():
    for value, about in hour.hour(untrained(), 1, 0, lambda done: None):
        assert value is None and "the window" in about["why"]


@pytest.mark.parametrize("most", [0, 1, 2, 5, 9])
def test_the_largest_count_that_holds(most):
    assert largest(lambda count: count <= most, range(1, 10)) == most
    assert largest(lambda count: count <= 10 * most, [10, 20, 50]) == 10 * max(
        each for each in (0, 1, 2, 5) if each <= most
    )


def test_ticks_of_the_engine_are_timed():
    engine = Engine(untrained(speaks="always"), num_slots=2, num_threads=1)
    times = tick_times(engine, 4, seed=0)
    assert len(times.wall_ms) == 4 and min(times.wall_ms) > 0
    assert len(halves(3, 0)) == 3
