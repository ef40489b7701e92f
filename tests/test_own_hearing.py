"""Scheduled sampling: the past `heard` is what the model hears, and nothing else is another."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from train_helpers import VOCAB, an_example

from interplay.data.example import Example
from interplay.model.interaction import InteractionModel
from interplay.model.named import model_config
from interplay.train.batch import Batch, HistoryNoise, assemble
from interplay.train.losses import LossConfig, compute_losses
from interplay.train.own_hearing import HEARD, hear_slots, mishear, with_own_hearing
from interplay.train.own_past import draw_sessions
from interplay.train.probes import Probes
from interplay.turns.layout import lay_out, read_emitted
from interplay.turns.types import PAD


@pytest.fixture(scope="module")
def model() -> InteractionModel:
    torch.manual_seed(0)
    return InteractionModel(model_config("tiny", vocab_size=VOCAB))


def a_batch(*examples: Example) -> Batch:
    mean, std = np.full(80, -3.0, np.float32), np.ones(80, np.float32)
    return assemble(examples, mel_mean=mean, mel_std=std, noise=HistoryNoise(), seed=(0,))


def dice() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_what_slots_read_is_what_the_layout_says():
    streams = an_example(5, num_turns=40).streams
    tokens = np.stack([streams.heard, streams.say, streams.act], axis=-1)
    assert np.array_equal(
        read_emitted(streams.read, tokens), lay_out(streams)[0].previous.as_read()
    )


@pytest.mark.parametrize(
    ("words", "pads", "written", "lost"),
    [
        ([0, 5, 6, 7, 0, 8, 9], [], [0, 5, 6, 7, 0, 8, 9], []),
        ([0, 5, 3, 7, 0, 8, 9], [], [0, 5, 3, 7, 0, 8, 9], [3]),
        ([0, 4, 3, 7, 0, 8, 2], [], [0, 4, 3, 7, 0, 8, 2], [2, 3]),
        ([0, 5, 6, 7, 0, 4, 9], [5], [0, 5, 6, 7, 0, 0, 0], [6]),
        ([0, 5, 6, 7, 0, 8, 9], [1, 5], [0, 5, 6, 7, 0, 8, 9], []),
        ([0, 5, 3, 7, 0, 8, 9], [2], [0, 5, 0, 0, 0, 8, 9], [3]),
    ],
    ids=["right", "wrong inside", "wrong first and last", "not written", "late", "ended"],
)
def test_a_wrong_piece_spoils_its_run_alone(words, pads, written, lost):
    right = torch.tensor([[0, 5, 6, 7, 0, 8, 9]])
    is_pad = torch.zeros(1, 7, dtype=torch.bool)
    is_pad[0, pads] = True
    found, unknown = mishear(right, torch.tensor([words]), is_pad)
    assert found.tolist() == [written]
    assert unknown.nonzero()[:, 1].tolist() == lost


def test_only_the_past_of_heard_changes(model):
    examples = [an_example(1, 12), replace(an_example(2, 12), muted=True), an_example(3, 12)]
    batch = a_batch(*examples)
    found, wrong = with_own_hearing(model, batch, 1.0, torch.float32, dice())
    assert wrong[0].any() and wrong[2].any() and not wrong[1].any()
    assert not (wrong & (batch.tokens[..., HEARD] == PAD)).any(), "no word where none is due"
    assert torch.equal(found.tokens, batch.tokens) and torch.equal(found.voice, batch.voice)
    runs, again = torch.tensor([True, False, True]), dice()
    assert draw_sessions(3, 1.0, again).all()
    heard, is_pad = hear_slots(
        model, batch.inputs.of(runs), batch.tokens[runs][..., HEARD], torch.float32, again
    )
    right = batch.tokens[runs][..., HEARD].flatten(1)
    written, lost = mishear(right, heard.flatten(1), is_pad.flatten(1))
    for row, number in enumerate((0, 2)):
        streams = examples[number].streams
        own = written[row].view(-1, 4).numpy().astype(np.int32)
        tokens = np.stack([own, streams.say, streams.act], axis=-1)
        read = torch.from_numpy(read_emitted(streams.read, tokens))
        assert torch.equal(found.inputs.tokens[number], read)
        known = batch.heard_known[number] & ~lost[row].view(-1, 4)
        assert torch.equal(found.heard_known[number], known)
    assert torch.equal(found.inputs.tokens[1], batch.inputs.tokens[1])


@pytest.mark.parametrize("share", [1e-9, 1.0])
def test_the_layers_run_once_more_whoever_is_drawn(model, monkeypatch, share):
    sizes, forward = [], InteractionModel.forward

    def counted(self, inputs, dtype):
        sizes.append(len(inputs.turn))
        return forward(self, inputs, dtype)

    monkeypatch.setattr(InteractionModel, "forward", counted)
    losses = compute_losses(
        model,
        Probes(64),
        a_batch(an_example(1, 12), an_example(2, 12)),
        LossConfig(own_hearing=share),
        dtype=torch.float32,
        generator=dice(),
    )
    assert sizes == [1 if share < 0.5 else 2, 2]
    wrong, due = losses.metrics["own_hearing"]
    assert (wrong > 0) == (share == 1.0) and due > 0
