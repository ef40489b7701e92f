"""Tests of training: batches, losses, optimizers, the plan, snapshots and the loop."""

import errno
import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from train_helpers import VOCAB, Batches, an_example

from interplay.data.example import Example
from interplay.errors import CheckpointError, ConfigError, DeviceError
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.train import snapshots
from interplay.train.batch import Batch, HistoryNoise, assemble, smear
from interplay.train.curves import draw_curves
from interplay.train.feed import WorkerFeed
from interplay.train.loop import TrainConfig, train
from interplay.train.losses import LossConfig, compute_losses, word_loss
from interplay.train.optim import OptimConfig
from interplay.train.probes import Probes, phone_loss
from interplay.turns.types import PAD

MEAN, STD = np.full(80, -3.0, np.float32), np.ones(80, np.float32)
QUIET = HistoryNoise(sigma=0.0, jitter=0.0, drop=0.0, smear=0.0)


def a_model(seed: int = 0, *, eyes: bool = False) -> InteractionModel:
    torch.manual_seed(seed)
    return InteractionModel(model_config("tiny", vocab_size=VOCAB, eyes=eyes))


def a_batch(examples: list[Example], noise: HistoryNoise = QUIET, step: int = 0) -> Batch:
    return assemble(examples, mel_mean=MEAN, mel_std=STD, noise=noise, seed=(0, step))


def losses_of(model: InteractionModel, batch: Batch, config: LossConfig):
    heads = Probes(64)
    generator = torch.Generator().manual_seed(1)
    return compute_losses(model, heads, batch, config, dtype=torch.float32, generator=generator)


# Batches


def test_a_slot_reads_what_the_slot_before_emitted():
    batch = a_batch([an_example(1), an_example(2)])
    emitted = batch.tokens.flatten(1, 2)
    assert torch.equal(batch.inputs.tokens.flatten(1, 2)[:, 1:, :3].long(), emitted[:, :-1])
    assert torch.equal(batch.recent.flatten(1, 2)[:, 1:], batch.voice.flatten(1, 2)[:, :-1])
    assert torch.equal(batch.inputs.voice, batch.recent)
    assert batch.scored.tolist() == [[False, True, True]] * 2


def test_noise_disturbs_only_the_past_voice_and_follows_the_step():
    examples = [an_example(seed) for seed in range(40)]
    noise = HistoryNoise(sigma=0.1, jitter=0.2, drop=0.25, smear=0.0)
    batch, again, later = (a_batch(examples, noise, step) for step in (3, 3, 4))
    assert torch.equal(batch.inputs.voice, again.inputs.voice)
    assert not torch.equal(batch.inputs.voice, later.inputs.voice)
    on = batch.recent_on
    assert torch.equal(batch.inputs.voice[~on], batch.recent[~on])
    dropped = (batch.inputs.voice[on] == torch.from_numpy(MEAN)).flatten(1).all(1)
    assert 0.1 < dropped.float().mean() < 0.4
    change = (batch.inputs.voice - batch.recent)[on][~dropped]
    assert 0.1 < (change.abs() > 0.35).float().mean() < 0.3  # moved by a bin
    assert abs(change.mean()) < 0.02


def test_of_a_muted_session_neither_gate_nor_voice_is_learnt():
    model = a_model()
    muted = replace(an_example(1), muted=True)
    alone = losses_of(model, a_batch([muted]), LossConfig())
    assert not {"gate", "l1", "flow"} & alone.parts.keys() and "say" in alone.parts
    both, other = (
        losses_of(model, a_batch([*more, an_example(2)]), LossConfig(num_flow_draws=1)).parts
        for more in ([muted], [])
    )
    for name in ("gate", "l1"):
        torch.testing.assert_close(both[name], other[name])


def test_a_model_is_held_to_what_it_was_by_sessions_that_sound():
    before, model = a_model(), a_model()
    examples = [an_example(1), replace(an_example(2), muted=True)]
    batch, config = a_batch(examples), LossConfig(kept=4.0)

    def losses(progress: float, held_to: InteractionModel | None, batch: Batch = batch):
        return compute_losses(
            model,
            Probes(64),
            batch,
            config,
            dtype=torch.float32,
            generator=torch.Generator().manual_seed(1),
            progress=progress,
            held_to=held_to,
        )

    assert losses(0.0, before).parts["kept"] == 0, "nothing has moved yet"
    with torch.no_grad():
        model.get_parameter("backbone.layers.0.ff.down").add_(0.01 * torch.randn(64, 128))
    plain, held, late, last = (
        losses(progress, held_to)
        for progress, held_to in ((0.0, None), (0.0, before), (0.5, before), (1.0, before))
    )
    apart = held.parts["kept"]
    assert 0 < apart < 1 and "kept" not in plain.parts
    torch.testing.assert_close(held.total - plain.total, 4.0 * apart, rtol=1e-3, atol=1e-5)
    hidden = [m(batch.inputs, torch.float32)[0][0] for m in (model, before)]
    expected = (hidden[0] - hidden[1]).square().mean() / hidden[1].square().mean()
    torch.testing.assert_close(apart, expected.detach())
    assert late.parts["kept"] == last.parts["kept"] == apart, "only its weight falls"
    assert "kept" not in losses(0.0, before, a_batch([examples[1]])).parts


def test_half_of_the_sessions_have_a_smeared_past():
    examples = [an_example(seed) for seed in range(40)]
    batch = a_batch(examples, HistoryNoise(sigma=0, jitter=0, drop=0, smear=0.5))
    changed = (batch.inputs.voice != batch.recent).flatten(1).any(1)
    assert 8 < changed.sum() < 32
    flat = np.full((1, 4, 80), 2.0, np.float32)
    np.testing.assert_array_equal(smear(flat), flat)
    peak = flat.copy()
    peak[0, 1, 40] += 8
    assert smear(peak)[0, 1, 39:42].tolist() == [3.25, 4.5, 3.25]
    assert smear(peak)[0, 3, 40] == 2.5


# Losses


def test_word_loss_and_its_gradients_are_those_of_cross_entropy():
    x, table = torch.randn(5, 64, requires_grad=True), torch.randn(VOCAB, 64, requires_grad=True)
    targets, weights = torch.tensor([0, 3, 95, 3, 0]), torch.tensor([0.2, 1.0, 1.0, 0.5, 0.0])
    loss, right, empty = word_loss(x, table, targets, weights)
    logits = x @ table.T
    expected = (F.cross_entropy(logits, targets, reduction="none") * weights).sum()
    torch.testing.assert_close(loss, expected)
    assert torch.equal(right, logits.argmax(1) == targets)
    assert torch.equal(empty, logits.argmax(1) == PAD)
    got, wanted = (torch.autograd.grad(2 * y, (x, table)) for y in (loss, expected))
    torch.testing.assert_close(got, wanted)


def test_every_term_is_there_and_the_unspoken_voice_is_never_looked_at():
    examples = [an_example(1), an_example(2)]
    for example in examples:
        example.streams.voice[~example.streams.voice_on] = np.nan
    losses = losses_of(a_model(), a_batch(examples), LossConfig(num_flow_draws=2))
    assert set(losses.parts) == {
        *("heard", "say", "act", "gate", "l1", "flow", "phones_user", "phones_own")
    }
    assert all(math.isfinite(value) for value in losses.items().values())
    assert losses.metrics["say_recall"][1] > 0


def test_a_silent_batch_trains_text_and_gate_only():
    model = a_model()
    losses = losses_of(model, a_batch([an_example(1, speaks=False)]), LossConfig())
    losses.total.backward()
    assert "l1" not in losses.parts
    assert model.voice.mean_out.grad is None
    assert model.words.grad is not None


def test_flow_gradient_leaves_the_mean_head_alone_and_if_asked_all_before_it():
    model = a_model()
    nn.init.normal_(model.voice.flow_out)  # it begins as nothing, of which nothing learns
    for alone in (False, True):
        model.zero_grad()
        config = LossConfig(text=0, gate=0, mean=0, phones_user=0, phones_own=0, flow_alone=alone)
        losses_of(model, a_batch([an_example(1)]), config).total.backward()
        flow, mean = model.voice.flow_out.grad, model.voice.mean_out.grad
        assert flow is not None and flow.any() and mean is not None and not mean.any()
        before = model.backbone.norm.grad
        assert before is not None and before.any() != alone


def test_a_sample_of_empty_tokens_keeps_the_expected_loss():
    model, batch = a_model(), a_batch([an_example(seed) for seed in range(60)])
    whole, part = (losses_of(model, batch, LossConfig(pad_share=share)) for share in (1.0, 0.3))
    assert abs(whole.parts["say"] - part.parts["say"]) < 0.1 * whole.parts["say"]
    assert float(whole.metrics["say_false"][1]) > 2 * float(part.metrics["say_false"][1])


def test_words_of_say_that_nothing_hands_over_weigh_more():
    batch, follows = a_batch([an_example(1)]), slice(6, 9)
    say = batch.tokens[..., 1]
    batch.inputs.tokens[..., follows] = PAD
    alone = [
        losses_of(a_model(), batch, LossConfig(own_word_weight=weight, pad_share=1.0)).parts
        for weight in (1, 3)
    ]
    batch.inputs.tokens[..., 7] = say
    copied = losses_of(a_model(), batch, LossConfig(own_word_weight=3, pad_share=1.0)).parts
    light = losses_of(a_model(), batch, LossConfig(own_word_weight=1, pad_share=1.0)).parts
    assert copied["say"] == light["say"]
    assert 2.0 * light["say"] < alone[1]["say"] <= 3.0 * light["say"]
    assert alone[0]["heard"] == alone[1]["heard"]


def test_the_empty_token_of_heard_weighs_more_as_training_ends():
    config = LossConfig(pad_weight=0.2, heard_pad_weight=0.6, heard_pad_from=0.5)
    assert config.pad_weights(0.0) == config.pad_weights(0.5) == (0.2, 0.2, 0.2)
    assert config.pad_weights(0.75) == pytest.approx((0.4, 0.2, 0.2))
    assert config.pad_weights(1.0) == pytest.approx((0.6, 0.2, 0.2))


def test_phones_are_due_after_their_delay():
    phones = torch.full((1, 2, 4), -1)
    phones[0, 0, 3] = 5
    hidden = torch.zeros(1, 2, 4, 64)
    hidden[0, 1, 1, 0] = 1.0  # two slots later
    table = torch.zeros(44, 64)
    table[5, 0] = 30.0
    loss, metrics = phone_loss(hidden, table, phones, 2)
    assert loss < 1e-6
    assert metrics["accuracy"][0] == metrics["accuracy"][1] == 1
    assert phone_loss(hidden, table, torch.full((1, 2, 4), -1), 2)[0] == 0


# Snapshots


def test_only_the_last_two_snapshots_are_kept(tmp_path: Path):
    for step in (1, 2, 30):
        snapshots.save_snapshot(tmp_path, step, {"step": step})
    kept = snapshots.snapshots(tmp_path)
    assert [path.name for path in kept] == ["step_00000002.pt", "step_00000030.pt"]
    assert snapshots.load_snapshot(kept[-1]) == {"step": 30}


def test_a_full_disk_is_one_line_and_the_last_snapshot_survives(tmp_path: Path, monkeypatch):
    good = snapshots.save_snapshot(tmp_path, 1, {"weights": torch.ones(5)})

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DeviceError, match=r"No space left on device.*--resume") as caught:
        snapshots.save_snapshot(tmp_path, 2, {"weights": torch.ones(5)})
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [good]
    assert snapshots.load_snapshot(good)["weights"].sum() == 5


def test_a_damaged_snapshot_says_what_to_do(tmp_path: Path):
    path = snapshots.save_snapshot(tmp_path, 1, {"weights": torch.ones(500)})
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(CheckpointError, match="delete it"):
        snapshots.load_snapshot(path)


# The loop


def a_run(num_steps: int = 6, **changes) -> TrainConfig:
    settings = {"dtype": torch.float32, "num_threads": 1, "num_workers": 0, "log_every": 2}
    return TrainConfig(num_steps=num_steps, **(settings | changes))


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(autouse=True)
def _sketches(monkeypatch):
    """Runs as short as these are over before their curves are drawn: a file stands for them."""
    monkeypatch.setattr("interplay.train.loop.draw_curves", lambda log, picture: picture.touch())


def test_an_interrupted_and_resumed_run_gives_the_same_bits(tmp_path: Path, capsys):
    straight = train(a_run(), Batches(), a_model(), tmp_path / "straight")
    halves = tmp_path / "halves"
    with pytest.raises(KeyboardInterrupt):
        train(a_run(), Batches(interrupt_at=2), a_model(), halves)
    assert [path.name for path in snapshots.snapshots(halves)] == ["step_00000003.pt"]
    with pytest.raises(ConfigError, match="--resume"):
        train(a_run(), Batches(), a_model(), halves)
    with pytest.raises(ConfigError, match="seed 0, not 5"):
        train(a_run(seed=5), Batches(), a_model(), halves, resume=True)
    resumed = train(a_run(), Batches(), a_model(seed=9), halves, resume=True)
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert [line["step"] for line in log_of(halves)] == [2, 4, 6]
    assert (halves / "curves.png").exists()
    draw_curves(halves / "log.jsonl", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    again = train(a_run(), Batches(interrupt_at=0), a_model(), halves, resume=True)
    assert torch.equal(again.words, resumed.words)
    capsys.readouterr()


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match="choose another folder"):
        train(a_run(), Batches(interrupt_at=0), a_model(), tmp_path / "file" / "run")


def test_a_gradient_that_is_no_number_ends_the_run(tmp_path: Path, capsys):
    model = a_model()
    model.words.data[3] = float("nan")
    with pytest.raises(ConfigError, match="diverged at step 0"):
        train(a_run(), Batches(), model, tmp_path)
    capsys.readouterr()


def test_losses_fall_on_what_is_seen_again(tmp_path: Path, capsys):
    examples = [an_example(1), an_example(2)]
    config = a_run(30, optim=OptimConfig(warmup_steps=3), dtype=torch.bfloat16)
    train(config, lambda step, progress: examples, a_model(), tmp_path)
    first, *_, last = log_of(tmp_path)
    for name in ("heard", "say", "act", "gate", "phones_user", "phones_own"):
        assert last[name] < 0.7 * first[name], name
    assert last["l1"] < first["l1"]
    assert last["heard_accuracy"] > 0.8
    assert "positions/s" in capsys.readouterr().err


def test_threads_share_a_batch_and_give_the_same_bits_again(tmp_path: Path, capsys):
    def weights(name: str, num_threads: int) -> dict[str, torch.Tensor]:
        folder, config = tmp_path / name, a_run(3, num_threads=num_threads)
        return train(config, Batches(), a_model(), folder).state_dict()

    one, two, again = weights("one", 1), weights("two", 2), weights("again", 2)
    assert all(torch.equal(two[name], again[name]) for name in two)
    assert not torch.equal(one["words"], two["words"]), "the noise of a share is its own"
    first, shared = log_of(tmp_path / "one")[0], log_of(tmp_path / "two")[0]
    for name in ("heard", "say", "gate", "l1"):
        assert shared[name] == pytest.approx(first[name], rel=0.1), name
    capsys.readouterr()


def test_exactly_one_length_is_given():
    for minutes, num_steps in ((None, None), (1.0, 3), (-1.0, None)):
        with pytest.raises(ConfigError, match="above 0"):
            TrainConfig(minutes=minutes, num_steps=num_steps)


def test_the_worker_outlives_a_signal_to_the_whole_group():
    with WorkerFeed(Batches()) as feed:
        feed.ask(1, 0.5)
        feed.take()
        os.kill(feed._workers[0].process.pid or 0, signal.SIGTERM)
        feed.ask(2, 0.5)
        assert len(feed.take()) == 2


@pytest.mark.parametrize("num_workers", [1, 2])
def test_workers_give_what_the_plain_feed_gives_and_pass_errors_on(num_workers: int):
    with WorkerFeed(Batches(unhappy_at=4), num_workers) as feed:
        for step in (3, 5, 4):
            feed.ask(step, 0.5)
        for step in (3, 5):
            taken = feed.take()
            assert np.array_equal(taken[1].streams.hear, an_example(2 * step + 1).streams.hear)
        with pytest.raises(ConfigError, match=r"no batch 4 at 0\.5"):
            feed.take()


def test_batches_that_nobody_takes_end_with_the_feed():
    with WorkerFeed(Batches(), 1, lambda made: made[:1]) as feed:
        for step in range(6):
            feed.ask(step, 0.5)
        assert len(feed.take()) == 1
        receiver = feed._receiver
    receiver.join(10)
    assert not receiver.is_alive()


def test_curves_need_no_particular_line(tmp_path: Path):
    (tmp_path / "log.jsonl").write_text('{"elapsed_s": 1.0, "heard": 2.0}\n{"elapsed_s": 2.0}\n')
    draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
