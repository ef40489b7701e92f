"""Which words and silences the loss of text counts, and how much."""

from dataclasses import replace

import torch
from test_train import a_batch, a_model, losses_of
from train_helpers import an_example

from interplay.train.losses import LossConfig
from interplay.turns.types import SEE_SHAPE


def test_words_written_at_another_time_are_context_only():
    example = an_example(1)
    batch = a_batch([example])
    config = LossConfig(pad_share=1.0)
    for turn in (1, 2):
        batch.heard_known[:] = True
        batch.heard_known[0, turn] = False
        before = losses_of(a_model(), batch, config)
        batch.tokens[0, turn, :, 0] = 5
        after = losses_of(a_model(), batch, config)
        assert before.parts["heard"] == after.parts["heard"]
        assert before.parts["say"] == after.parts["say"]
    batch.heard_known[:] = True
    assert losses_of(a_model(), batch, config).parts["heard"] != before.parts["heard"]


def test_words_said_by_mistake_are_context_only():
    example = replace(an_example(1), say_known=None)
    batch, config = a_batch([example]), LossConfig(pad_share=1.0)
    assert batch.say_known.all()
    batch.say_known[0, 2] = False
    before = losses_of(a_model(), batch, config)
    for turn, same in ((2, True), (1, False)):
        batch.tokens[0, turn, :, 1] = 5
        after = losses_of(a_model(), batch, config)
        assert bool(before.parts["say"] == after.parts["say"]) == same
        assert before.parts["heard"] == after.parts["heard"]


def test_silence_counts_less_while_a_camera_is_on():
    """As if its weight were lower all over, but for `say` alone."""
    batch, model = a_batch([an_example(1)]), a_model(eyes=True)
    usual, seen, low = (
        LossConfig(pad_share=1.0, heard_pad_weight=pad, pad_weight=pad, seen_pad=factor)
        for pad, factor in ((0.2, 1.0), (0.2, 0.25), (0.05, 1.0))
    )
    parts = [losses_of(model, batch, config).parts for config in (usual, seen)]
    assert parts[0]["say"] == parts[1]["say"]
    turns = batch.inputs.turn.shape
    see = torch.zeros(*turns, *SEE_SHAPE, dtype=torch.uint8)
    inputs = replace(batch.inputs, see=see, see_on=torch.ones(turns, dtype=torch.bool))
    batch = replace(batch, inputs=inputs)
    as_usual, seldom, lower = (
        losses_of(model, batch, config).parts for config in (usual, seen, low)
    )
    torch.testing.assert_close(seldom["say"], lower["say"])
    assert abs(as_usual["say"] - lower["say"]) > 1e-3
    assert torch.equal(seldom["act"], as_usual["act"]) and seldom["act"] != lower["act"]
