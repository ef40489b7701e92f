"""Scheduled sampling: the past voice is what the model says, in as many sessions as asked for."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from train_helpers import VOCAB, Batches, an_example

from interplay.data.example import Example
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.recipes.named import find_recipe
from interplay.train.batch import Batch, HistoryNoise, assemble
from interplay.train.loop import TrainConfig, train
from interplay.train.losses import LossConfig, Losses, compute_losses
from interplay.train.own_past import SAY, draw_sessions, with_own_past
from interplay.train.probes import Probes

MEAN, STD = np.full(80, -3.0, np.float32), np.ones(80, np.float32)
ALWAYS = LossConfig(own_past=1.0, own_past_from=0.0)


def a_model(seed: int = 0) -> InteractionModel:
    torch.manual_seed(seed)
    return InteractionModel(model_config("tiny", vocab_size=VOCAB))


def a_batch(examples: Sequence[Example]) -> Batch:
    return assemble(examples, mel_mean=MEAN, mel_std=STD, noise=HistoryNoise(), seed=(0,))


def losses_of(
    model: InteractionModel, batch: Batch, config: LossConfig, progress: float, seed: int = 1
) -> tuple[Losses, torch.Tensor]:
    """And the state of the random numbers afterwards."""
    generator = torch.Generator().manual_seed(seed)
    losses = compute_losses(
        model,
        Probes(64),
        batch,
        config,
        dtype=torch.float32,
        generator=generator,
        progress=progress,
    )
    return losses, generator.get_state()


def test_as_many_sessions_are_drawn_as_asked_for():
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([draw_sessions(7, 0.3, generator) for _ in range(2000)]).float()
    assert set(drawn.sum(1).tolist()) == {2.0, 3.0}, "spread evenly"
    assert (drawn.mean(0) - 0.3).abs().max() < 0.05, "each as often as any other"
    assert abs(drawn.mean() - 0.3) < 0.005
    assert draw_sessions(4, 1.0, generator).all() and not draw_sessions(4, 0.0, generator).any()


def test_the_share_of_slots_grows_and_is_in_the_log():
    config = LossConfig(own_past=0.6, own_past_from=0.5)
    shares = [config.own_past_share(progress) for progress in (0.0, 0.5, 0.75, 1.0)]
    assert shares == pytest.approx([0.0, 0.0, 0.3, 0.6])
    model, batch = a_model(), a_batch([an_example(seed) for seed in range(5)])
    found = [
        losses_of(model, batch, config, progress=0.75, seed=seed)[0].metrics["own_past"]
        for seed in range(40)
    ]
    assert sum(own for own, _ in found) / sum(of for _, of in found) == pytest.approx(0.3, abs=0.03)


def test_before_its_time_nothing_changes_and_no_die_is_cast():
    model, batch = a_model(), a_batch([an_example(1), an_example(2)])
    config = replace(ALWAYS, own_past_from=0.5)
    plain, state = losses_of(model, batch, LossConfig(), progress=0.5)
    early, same = losses_of(model, batch, config, progress=0.5)
    assert torch.equal(plain.total, early.total) and torch.equal(state, same)
    assert "own_past" not in early.metrics
    later = losses_of(model, batch, config, progress=1.0)[0]
    assert not torch.equal(plain.total, later.total)


def test_a_slot_reads_what_the_mean_head_said_in_the_slot_before():
    model = a_model()
    examples = [an_example(1), an_example(2), replace(an_example(3), muted=True), an_example(4)]
    examples[3] = replace(examples[3], voice_known=False)
    batch = a_batch(examples)
    generator = torch.Generator().manual_seed(0)
    found, own = with_own_past(model, batch, 1.0, torch.float32, generator)
    assert torch.equal(own, batch.recent_on & torch.tensor([1, 1, 0, 0]).bool()[:, None, None])
    with torch.no_grad():
        hidden = model(batch.inputs, torch.float32)[0].flatten(0, 2)
        say = model.say_vectors(batch.tokens[..., SAY].flatten(), torch.float32)
        said = model.voice.mean(hidden, say).unflatten(-1, (4, 80))
    said = model.voice.denormalize(said).reshape(batch.voice.shape)
    read = found.inputs.voice.flatten(1, 2)[:, 1:][own.flatten(1)[:, 1:]]
    wanted = said.flatten(1, 2)[:, :-1][own.flatten(1)[:, 1:]]
    torch.testing.assert_close(read, wanted)
    assert torch.equal(found.recent[own], found.inputs.voice[own])
    for new, old in ((found.recent, batch.recent), (found.inputs.voice, batch.inputs.voice)):
        assert torch.equal(new[~own], old[~own])
        assert not new.requires_grad
    assert torch.equal(found.voice, batch.voice), "what is to be said stays"


@pytest.mark.parametrize("share", [1e-9, 1.0])
def test_the_layers_run_once_more_whoever_is_drawn(monkeypatch, share):
    """Processes that share the layers' weights wait for each other at every one of them."""
    model, batch = a_model(), a_batch([an_example(1, speaks=False), an_example(2)])
    sizes = []
    forward = InteractionModel.forward

    def counted(self, inputs, dtype):
        sizes.append(len(inputs.turn))
        return forward(self, inputs, dtype)

    monkeypatch.setattr(InteractionModel, "forward", counted)
    losses_of(model, batch, replace(ALWAYS, own_past=share), progress=1.0)
    assert sizes == [1 if share < 0.5 else 2, 2]


def test_the_losses_of_s_stay_finite_and_all_weights_learn():
    model, heads = a_model(), Probes(64)
    batch = a_batch([an_example(1), an_example(2)])
    for example in (batch.voice, batch.recent):
        assert example.isfinite().all()
    config = replace(find_recipe("s").losses, own_past=1.0)
    for dtype in (torch.float32, torch.bfloat16):
        losses = compute_losses(
            model,
            heads,
            batch,
            config,
            dtype=dtype,
            generator=torch.Generator().manual_seed(1),
            progress=1.0,
        )
        assert losses.metrics["own_past"][0] == batch.recent_on.sum() > 0
        assert np.isfinite([*losses.items().values()]).all()
        named = dict(model.named_parameters())
        slopes = torch.autograd.grad(losses.total, [*named.values()], allow_unused=True)
        for name, slope in zip(named, slopes, strict=True):
            assert slope is not None and slope.isfinite().all(), name
        assert slopes[list(named).index("embed.mel_table")].any()  # type: ignore[union-attr]


def test_an_interrupted_run_with_an_own_past_goes_on_with_the_same_bits(
    tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.setattr("interplay.train.loop.draw_curves", lambda log, picture: None)
    config = TrainConfig(
        num_steps=5, dtype=torch.float32, num_threads=1, num_workers=0, log_every=1, losses=ALWAYS
    )
    straight = train(config, Batches(), a_model(), tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        train(config, Batches(interrupt_at=2), a_model(), tmp_path / "halves")
    resumed = train(config, Batches(), a_model(seed=9), tmp_path / "halves", resume=True)
    plain = train(replace(config, losses=LossConfig()), Batches(), a_model(), tmp_path / "plain")
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert not torch.equal(straight.words, plain.words)
    assert '"own_past": 1.0' in (tmp_path / "straight" / "log.jsonl").read_text().splitlines()[-1]
    capsys.readouterr()
