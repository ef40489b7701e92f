"""The past as the model itself hears it: scheduled sampling of the words on `heard`.

Trained on what users really said a model never meets its own mistakes: with right pasts it took
94 % of the words and did 95 % of what was due, left to itself it misheard one word in six of a
request and then forgot what a request was (docs/log.md). As in train.own_past a pass before says
what the model writes. Words change, never the slots that they are written in: what a pass with
right pasts writes a slot early it would write twice here. What is due on the other streams stays
what it was. Knows nothing of losses.
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from interplay.model.interaction import Inputs, InteractionModel
from interplay.ops.linear import linear
from interplay.train.batch import Batch
from interplay.train.own_past import draw_sessions, run_twice
from interplay.turns.layout import TEXT_OUT, read_emitted
from interplay.turns.types import PAD

HEARD = TEXT_OUT.index("heard")


def with_own_hearing(
    model: InteractionModel,
    batch: Batch,
    share: float,
    dtype: torch.dtype,
    generator: torch.Generator,
) -> tuple[Batch, Bool[Tensor, "B N 4"]]:
    """The batch with an own past `heard` in `share` of the sessions that have a sound, and where
    it differs from the right one. Nothing is learnt of the pieces after a wrong one: no piece is
    right behind it."""
    drawn = draw_sessions(len(batch.scored), share, generator).to(batch.muted.device)
    drawn &= ~batch.muted
    runs = run_twice(drawn)
    right = batch.tokens[runs][..., HEARD]
    words, is_pad = hear_slots(model, batch.inputs.of(runs), right, dtype, generator)
    written, lost = mishear(right.flatten(1), words.flatten(1), is_pad.flatten(1))
    own = drawn[runs][:, None, None]
    written = torch.where(own, written.view_as(right), right)
    emitted = batch.tokens[runs].clone()
    emitted[..., HEARD] = written
    tokens, heard_known = batch.inputs.tokens.clone(), batch.heard_known.clone()
    tokens[runs] = _read(batch.inputs.read[runs], emitted).to(tokens.device, tokens.dtype)
    heard_known[runs] &= ~(own & lost.view_as(right))
    wrong = torch.zeros_like(batch.voice_on)
    wrong[runs] = written != right
    inputs = replace(batch.inputs, tokens=tokens)
    return replace(batch, inputs=inputs, heard_known=heard_known), wrong


@torch.no_grad()
def hear_slots(
    model: InteractionModel,
    inputs: Inputs,
    right: Int[Tensor, "B N 4"],
    dtype: torch.dtype,
    generator: torch.Generator,
) -> tuple[Int[Tensor, "B N 4"], Bool[Tensor, "B N 4"]]:
    """Where a token is due on `heard`, the past given: the one that the model would write if it had
    to write one, drawn by its probability, and whether it would rather write none."""
    hidden, _ = model(inputs, dtype)
    due = right != PAD
    x = hidden[due] * model.word_streams[HEARD].to(hidden.dtype)
    logits = linear(x, model.words).float()
    is_pad = torch.zeros_like(due)
    words = right.clone()
    rest = logits[:, PAD + 1 :]
    is_pad[due] = logits[:, PAD] + model.pad_bias[HEARD] > rest.max(-1).values
    dice = torch.rand(rest.shape, generator=generator, device=generator.device).clamp_(1e-9)
    words[due] = PAD + 1 + (rest - (-dice.log()).log()).argmax(-1)  # Gumbel's way to draw
    return words, is_pad


def mishear(
    right: Int[Tensor, "B slots"], words: Int[Tensor, "B slots"], is_pad: Bool[Tensor, "B slots"]
) -> tuple[Int[Tensor, "B slots"], Bool[Tensor, "B slots"]]:
    """What stands on `heard`, and the slots of which nothing can be learnt: those of a run of
    pieces behind the first wrong one. A wrong one that would rather not be written ends its run:
    nothing of the rest is written either."""
    due = right != PAD
    is_wrong = due & (words != right)
    ends = is_wrong & is_pad
    erased = due & (_so_far(ends, due) > 0)
    behind = due & (_so_far(is_wrong, due) - is_wrong.long() > 0)
    return torch.where(erased, PAD, words), behind


def _so_far(
    marked: Bool[Tensor, "B slots"], due: Bool[Tensor, "B slots"]
) -> Int[Tensor, "B slots"]:
    """How many are marked in the run of due slots that a slot belongs to, up to it."""
    begins = due & ~F.pad(due, (1, -1))
    total = marked.long().cumsum(1)
    before = torch.where(begins, total - marked.long(), 0).cummax(1).values
    return total - before


def _read(read: Int[Tensor, "B N 4 2"], tokens: Int[Tensor, "B N 4 3"]) -> Int[Tensor, "B N 4 13"]:
    """What the slots read of what stands on the streams now."""
    pairs = zip(read[..., 0].cpu().numpy(), tokens.cpu().numpy().astype(np.int32), strict=True)
    return torch.from_numpy(np.stack([read_emitted(*pair) for pair in pairs]))
