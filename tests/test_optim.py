"""Tests of how weights move and how far a run has come: optimizers, rates, the plan."""

import json

import numpy as np
import pytest
import torch

from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.train.losses import Losses
from interplay.train.monitor import Monitor
from interplay.train.optim import (
    Average,
    OptimConfig,
    Optimizer,
    is_matrix,
    orthogonalize,
    rate,
    split_rows,
)
from interplay.train.plan import Pace, Plan

# Optimizers


@pytest.mark.parametrize("shape", [(3, 64, 64), (2, 40, 100)])
def test_orthogonalized_matrices_have_singular_values_near_one(shape):
    values = torch.linalg.svdvals(orthogonalize(torch.randn(shape)).float())
    assert values.max() < 1.3
    assert values.median() > 0.6


def test_fused_weights_are_taken_apart_and_tables_and_heads_are_left_to_adam():
    named = dict(InteractionModel(model_config("tiny", vocab_size=96)).named_parameters())
    qkv = "backbone.layers.0.attention.qkv"
    assert split_rows(qkv, named[qkv], 64) == [64, 64, 64]
    assert split_rows("ff.gate_up", named["backbone.layers.0.ff.gate_up"], 64) == [128, 128]
    matrices = {name.rsplit(".", 1)[-1] for name, w in named.items() if is_matrix(name, w)}
    assert matrices == {"qkv", "out", "gate_up", "down"}


def test_a_step_counts_as_a_change_of_every_weight():
    """Packed copies of weights (ops.packed) go by it, and torch's fused step does not count."""
    model = InteractionModel(model_config("tiny", vocab_size=96))
    optimizer = Optimizer(model.named_parameters(), OptimConfig(), kv_rows=64)
    for weight in model.parameters():
        weight.grad = torch.randn_like(weight)
    before = {name: (w._version, w.detach().clone()) for name, w in model.named_parameters()}
    optimizer.step(1.0)
    for name, weight in model.named_parameters():
        version, value = before[name]
        assert weight._version > version and not torch.equal(weight, value), name


def test_muon_moves_each_part_of_a_fused_weight_by_the_same_amount():
    weight = torch.nn.Parameter(torch.zeros(192, 64))
    named = [("backbone.qkv", weight), ("backbone.norm", torch.nn.Parameter(torch.ones(64)))]
    optimizer = Optimizer(named, OptimConfig(clip_norm=1e9), kv_rows=64)
    weight.grad = (
        torch.randn(192, 64) * torch.tensor([1.0, 100.0, 1e4]).repeat_interleave(64)[:, None]
    )
    norm = optimizer.step(0.5)
    assert norm > 1e5 and weight.grad is None
    sizes = [float(part.norm()) for part in weight.detach().split(64)]
    assert max(sizes) < 1.1 * min(sizes)
    assert sizes[0] == pytest.approx(0.5 * 0.01 * 8, rel=0.2)  # lr * sqrt(64)


def test_rate_warms_up_stays_and_falls_to_its_end():
    config = OptimConfig(warmup_steps=10, decay_share=0.5, final=0.02)
    assert rate(0, 0.0, config) == pytest.approx(0.1)
    assert rate(50, 0.5, config) == 1.0
    assert rate(75, 0.75, config) == pytest.approx(0.51)
    assert rate(99, 1.0, config) == pytest.approx(0.02)


def test_average_follows_fast_at_first_and_slowly_later():
    weight = torch.nn.Parameter(torch.zeros(3))
    average = Average([("w", weight)], decay=0.999)
    weight.data += 1.0
    average.update(0)
    assert average.values["w"][0] == pytest.approx(0.9)
    average.values["w"].zero_()
    average.update(100_000)
    assert average.values["w"][0] == pytest.approx(0.001)


# Plan


@pytest.mark.parametrize("num_steps", [1, 3, 7, 49, 1000])
def test_a_plan_of_steps_ends_after_exactly_so_many(num_steps):
    plan = Plan.of_steps(num_steps)
    assert plan.progress(num_steps - 1) < 1.0 == plan.progress(num_steps)


def test_a_plan_of_seconds_ends_in_time_although_the_speed_changes():
    plan = Plan.of_seconds(200.0)
    pace = Pace(plan=plan, step=0, elapsed_s=0.0)
    step, elapsed_s, seen = 0, 0.0, []
    while plan.progress(step) < 1.0:
        seen.append(plan.progress(step))
        elapsed_s += 0.1 if step < 600 else 0.25
        step += 1
        pace.observe(step, elapsed_s, step + 8)
    assert seen == sorted(seen) and max(np.diff(seen)) < 0.01
    assert 190 < elapsed_s < 205
    again = Plan.from_state(json.loads(json.dumps(plan.to_state())))
    assert [again.progress(k) for k in range(step)] == seen


def test_the_log_says_what_was_waited_for_batches(tmp_path):
    losses = Losses(total=torch.zeros(()))
    monitor = Monitor(tmp_path / "log.jsonl")
    for elapsed_s, waited_s in ((5.0, 4.0), (6.0, 0.25), (9.0, 0.75)):  # the first one warms up
        facts = {"step": 1, "progress": 0.5, "elapsed_s": elapsed_s}
        monitor.add(losses, facts | {"positions": 100, "waited_s": waited_s})
    line = monitor.write()
    assert line["stall"] == 0.25 and line["positions_per_s"] == 50
    assert "waited_s" not in line
