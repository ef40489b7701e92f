"""The past as the model itself says it: scheduled sampling of the own voice.

A model that is trained on recordings alone never meets its own mistakes (Bengio et al. 2015, arXiv
1506.03099). All slots are computed at once, so what is sampled comes from a pass before (for
transformers: Mihaylova and Martins 2019, arXiv 1906.07651): the mean head says every slot, the
past given, and that is the past of the pass that is learnt from. Only the sessions that are drawn
are run twice, the first time without gradients. Knows nothing of losses.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interplay.model.interaction import Inputs, InteractionModel
from interplay.train.batch import Batch
from interplay.turns.layout import TEXT_OUT

SAY = TEXT_OUT.index("say")


def draw_sessions(
    num_sessions: int, share: float, generator: torch.Generator
) -> Bool[Tensor, " B"]:
    """Which sessions are drawn, on the CPU: spread evenly, and on average over batches exactly
    `share` of them."""
    begun = torch.rand((), generator=generator, device=generator.device, dtype=torch.float64).cpu()
    marks = (share * torch.arange(num_sessions + 1, dtype=torch.float64) + begun).floor()
    return marks[1:] > marks[:-1]


def run_twice(drawn: Bool[Tensor, " B"]) -> Bool[Tensor, " B"]:
    """The sessions drawn, or the first where none is: all processes that share the layers' weights
    (train.sharded) run them equally often."""
    runs = drawn.clone()
    runs[0] |= not drawn.any()
    return runs


def with_own_past(
    model: InteractionModel,
    batch: Batch,
    share: float,
    dtype: torch.dtype,
    generator: torch.Generator,
) -> tuple[Batch, Bool[Tensor, "B N 4"]]:
    """The batch with an own past voice in `share` of the sessions, and the slots that read it:
    what `model` says stands for the recording, and for its disturbed copy, wherever the slot before
    was on. Sessions whose voice is not to be learnt keep theirs."""
    drawn = draw_sessions(len(batch.scored), share, generator)
    runs = run_twice(drawn)
    drawn, runs = drawn.to(batch.scored.device), runs.to(batch.scored.device)
    say, on = batch.tokens[runs][..., SAY], batch.voice_on[runs]
    said = say_slots(model, batch.inputs.of(runs), say, on, dtype)
    past = torch.zeros_like(batch.recent)
    past[runs] = F.pad(said.flatten(1, 2), (0, 0, 0, 0, 1, 0))[:, :-1].unflatten(1, on.shape[1:])
    own = batch.recent_on & (drawn & batch.voice_known & ~batch.muted)[:, None, None]
    recent = torch.where(own[..., None, None], past, batch.recent)
    voice = torch.where(own[..., None, None], past, batch.inputs.voice)
    return replace(batch, inputs=replace(batch.inputs, voice=voice), recent=recent), own


@torch.no_grad()
def say_slots(
    model: InteractionModel,
    inputs: Inputs,
    say: Int[Tensor, "B N 4"],
    on: Bool[Tensor, "B N 4"],
    dtype: torch.dtype,
) -> Float[Tensor, "B N 4 S 80"]:
    """The mean head's log10 mels of sessions where the voice is on, the past given; zeros
    elsewhere. say: the words emitted."""
    mels = inputs.voice.new_zeros(inputs.voice.shape)
    hidden, _ = model(inputs, dtype)
    if on.any():
        mean = model.voice.mean(hidden[on], model.say_vectors(say[on], dtype))
        mels[on] = model.voice.denormalize(mean.unflatten(-1, mels.shape[-2:]))
    return mels
