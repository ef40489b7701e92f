"""How well each group of behaviours is told, its past given, on sessions that are never trained on.

What a batch says as a whole hides what is rare: of a session full of cues nearly all words are
copies, and a dozen decisions are what it is about. Knows nothing of how sessions are made or of
what the groups are.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from interplay.data.example import Example
from interplay.model.interaction import InteractionModel
from interplay.train.batch import Batch, HistoryNoise, assemble
from interplay.train.monitor import add_line
from interplay.turns import tokens
from interplay.turns.layout import TEXT_OUT
from interplay.turns.types import PAD

Groups = Mapping[str, Sequence[Example]]  # of equal length within a group
DECISIONS = (  # tokens of `act` by which something begins or ends
    *(tokens.DELEGATE, tokens.TIMER, tokens.EVERY, tokens.CLOCK, tokens.DUE, tokens.CANCEL),
)
SILENT_SLOTS = 8  # with nothing to say before an utterance begins
SESSIONS = 4  # at a time


def check(model: InteractionModel, groups: Groups, dtype: torch.dtype) -> dict[str, float]:
    """By GROUP_WHAT, the share of what should be written that is: words of `heard`, `say` and
    `act`, first words of utterances (`begun`), for the others follow from them, and decisions
    (`decided`); and how many decisions are made where none is due, for each that is (`undue`). What
    a group never asks for is left out."""
    found = {}
    for group, examples in groups.items():
        counts: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for first in range(0, len(examples), SESSIONS):
            for what, right, of in _told(model, examples[first : first + SESSIONS], dtype):
                counts[what][0] += right
                counts[what][1] += of
        found |= {f"{group}_{what}": right / of for what, (right, of) in counts.items() if of}
    return found


def note_check(
    log: Path,
    at: Mapping[str, float],
    model: InteractionModel,
    groups: Groups,
    dtype: torch.dtype,
) -> None:
    """What `check` finds, as a line of the run's log and on the screen. at: where the run is."""
    found = check(model, groups, dtype)
    add_line(log, **at, **found)
    told = (f"{name.replace('_', ' ')} {value:.0%}" for name, value in found.items())
    print(f"step {at['step']:.0f}: {', '.join(told)}", flush=True)


@torch.no_grad()
def _told(
    model: InteractionModel, examples: Sequence[Example], dtype: torch.dtype
) -> list[tuple[str, float, float]]:
    """(what, how often it was right, how often it was wanted)."""
    voice = model.voice
    batch = assemble(
        examples,
        mel_mean=voice.mel_mean.cpu().numpy(),
        mel_std=voice.mel_std.cpu().numpy(),
        noise=HistoryNoise(),
        seed=(0,),
    ).to(voice.mel_mean.device)
    hidden, _ = model(batch.inputs, dtype)
    written = model.text_logits(hidden[batch.scored]).argmax(-1).flatten(0, 1)
    wanted = batch.tokens[batch.scored].flatten(0, 1)
    right = written == wanted
    found = []
    for index, stream in enumerate(TEXT_OUT):
        words = _known(batch, stream) & (wanted[:, index] != PAD)
        found.append((stream, int(right[words, index].sum()), int(words.sum())))
    say = TEXT_OUT.index("say")
    begins = _begins(batch.tokens[..., say])[batch.scored].flatten() & _known(batch, "say")
    found.append(("begun", int(right[begins, say].sum()), int(begins.sum())))
    act = TEXT_OUT.index("act")
    deciding, decided = _is_decision(wanted[:, act]), _is_decision(written[:, act])
    num_due = int(deciding.sum())
    found.append(("decided", int((deciding & right[:, act]).sum()), num_due))
    found.append(("undue", int((decided & ~deciding).sum()), num_due))
    return found


def _known(batch: Batch, stream: str) -> Tensor:
    """bool [slots], of the slots that are scored those whose word of a stream is."""
    if stream == "heard":
        return batch.heard_known[batch.scored].flatten()
    known = batch.say_known if stream == "say" else batch.scored
    return known[batch.scored].repeat_interleave(batch.tokens.shape[2])


def _begins(say: Int[Tensor, "B N 4"]) -> Bool[Tensor, "B N 4"]:
    """Where a word follows on silence."""
    spoken = (say != PAD).flatten(1)
    before = F.pad(spoken.float(), (SILENT_SLOTS, -1))
    recent = F.max_pool1d(before, SILENT_SLOTS, stride=1) > 0
    return (spoken & ~recent).view_as(say)


def _is_decision(ids: Tensor) -> Tensor:
    return torch.isin(ids, torch.tensor(DECISIONS, device=ids.device))
