"""Linear classifiers on hidden states, and what they are asked: phones that are heard and spoken,
and what the camera sees.

Auxiliary targets, far denser than words. Nothing but training needs them, and no checkpoint holds
them.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.data.phones import PHONES, SILENCE
from interplay.data.scenes.sights import HAPPENS, QUESTIONS
from interplay.ops.linear import linear

SILENCE_WEIGHT = 0.1  # of the phone losses
IDLE_WEIGHT = 0.1  # of nothing that happens
Metrics = dict[str, tuple[Tensor, Tensor]]


class Probes(nn.Module):
    """user: phones on hear slots. own: phones on output slots. seen_hear, seen_out: answers to
    `data.scenes.sights.QUESTIONS`, one after the other, on the last hear slot and the first output
    slot of a micro-turn; None for models without eyes."""

    def __init__(self, dim: int, *, eyes: bool = False) -> None:
        super().__init__()
        self.user = nn.Parameter(torch.zeros(len(PHONES), dim))
        self.own = nn.Parameter(torch.zeros(len(PHONES), dim))
        num_answers = sum(map(len, QUESTIONS.values()))
        self.seen_hear = nn.Parameter(torch.zeros(num_answers, dim)) if eyes else None
        self.seen_out = nn.Parameter(torch.zeros(num_answers, dim)) if eyes else None


def phone_loss(
    hidden: Float[Tensor, "B N 4 d"], table: Tensor, phones: Int[Tensor, "B N 4"], delay: int
) -> tuple[Tensor, Metrics]:
    """Cross entropy of the phone `delay` slots ago, where one is known; zero where none is.

    Silence weighs little: there is much of it, and it says little. Accuracy is that of phones.
    """
    late = F.pad(phones.flatten(1), (delay, 0), value=-1)[:, : phones[0].numel()]
    rows = late >= 0
    if not rows.any():
        return hidden.new_zeros((), dtype=torch.float32), {}
    logits = linear(hidden.flatten(1, 2)[rows], table).float()
    target = late[rows]
    spoken = target != SILENCE
    weights = torch.where(spoken, 1.0, SILENCE_WEIGHT)
    loss = (F.cross_entropy(logits, target, reduction="none") * weights).sum() / weights.sum()
    right = (logits.argmax(-1) == target) & spoken
    return loss, {"accuracy": (right.sum(), spoken.sum())}


def sight_loss(
    hear_hidden: Float[Tensor, "B N 4 d"],
    out_hidden: Float[Tensor, "B N 4 d"],
    probes: Probes,
    sights: Int[Tensor, "B N questions"],
) -> tuple[Float[Tensor, ""], Metrics]:
    """`answer_loss` at both slots, halved; accuracy is that of the output slots."""
    assert probes.seen_hear is not None and probes.seen_out is not None
    seen = (sights >= 0).any(-1)
    at_ears = linear(hear_hidden[:, :, -1][seen], probes.seen_hear)
    at_mouth = linear(out_hidden[:, :, 0][seen], probes.seen_out)
    ears, _ = answer_loss(at_ears, sights[seen])
    mouth, metrics = answer_loss(at_mouth, sights[seen])
    return (ears + mouth) / 2, metrics


def answer_loss(
    logits: Float[Tensor, "rows answers"], sights: Int[Tensor, "rows questions"]
) -> tuple[Float[Tensor, ""], Metrics]:
    """Cross entropy of the answers that are known. A question counts as often as it is answered: a
    mean over few rows is mostly noise (docs/log.md).

    That nothing happens weighs little, as silence does. Accuracy of "happens" is of what does.
    """
    sizes = [len(answers) for answers in QUESTIONS.values()]
    total, metrics = logits.new_zeros((), dtype=torch.float32), {}
    for k, (name, told) in enumerate(zip(QUESTIONS, logits.float().split(sizes, -1), strict=True)):
        known = sights[:, k] >= 0
        if not known.any():
            continue
        target = sights[known, k].long()
        weights = torch.where((target == 0) & (k == HAPPENS), IDLE_WEIGHT, 1.0)
        losses = F.cross_entropy(told[known], target, reduction="none") * weights
        total = total + losses.sum() / weights.sum() * known.float().mean()
        counted = target > 0 if k == HAPPENS else torch.ones_like(target, dtype=torch.bool)
        right = (told[known].argmax(-1) == target) & counted
        metrics[f"seen_{name}"] = right.sum(), counted.sum()
    return total, metrics
