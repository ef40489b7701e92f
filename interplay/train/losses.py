"""What the model is trained on: text, speaking gate, voice, and what probes are asked.

Knows nothing of optimizers or of where batches come from. The voice is computed only on the slots
where it is on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interplay.clock import NUM_SLOTS
from interplay.model.interaction import InteractionModel
from interplay.model.voice import PRIOR_STD
from interplay.ops.linear import linear
from interplay.train.batch import Batch
from interplay.train.own_hearing import HEARD, with_own_hearing
from interplay.train.own_past import SAY, with_own_past
from interplay.train.probes import Probes, phone_loss, sight_loss
from interplay.turns.follow import PAIRS
from interplay.turns.layout import TEXT_OUT, token_weights
from interplay.turns.types import PAD

_FOLLOWS = 2 * len(TEXT_OUT)  # of Inputs.tokens, the column where `follow` begins
SAY_FOLLOWS = [_FOLLOWS + k for k, (written, _) in enumerate(PAIRS) if written == "say"]
ROWS_PER_CHUNK = 2048


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights of the terms, and how the flow head is trained.

    pad_weight: of the empty token, against 1 for any other; heard_pad_weight: the same for `heard`
    at the end of training, to which it rises from `heard_pad_from` on (a share of the training):
    small weights teach words early and write too many of them. seen_pad: factor on that of `say`
    while a camera is on: what is to be seen happens at no exact moment, and likely words that are
    spread over some are never likelier than silence. own_word_weight: of words of `say`
    that no followed stream hands over (turns.follow): answers, against copies, which are many
    and easy. pad_share: of the empty tokens that are looked at in one step. num_flow_draws: (time,
    noise) pairs per slot of voice.
    recent_dropout: share of slots whose condition lacks the slot before. phone_delay: hear slots
    between the end of a phone and its target. probes_alone: share of training, at its start, in
    which probes alone learn of what they are asked: no checkpoint holds them, and what goes on from
    a trained model would be torn by probes that know nothing yet. kept: of `kept_loss` at the start
    of training, for runs that go on from a model; it falls to nothing at the end. own_past: share
    of the sessions at the end of training whose past voice is what the model says (train.own_past),
    to which it rises from nothing at `own_past_from`. own_hearing: share of the sessions whose past
    `heard` is what the model hears (train.own_hearing). flow_alone: the flow head's error teaches
    the flow head and nothing before it, which has words to think of. sights: of what the camera
    sees (train.probes).
    """

    pad_weight: float = 0.2
    heard_pad_weight: float = 0.4
    heard_pad_from: float = 0.5
    seen_pad: float = 1.0
    own_word_weight: float = 3.0
    pad_share: float = 0.3
    text: float = 1.0
    gate: float = 1.0
    mean: float = 1.0
    flow: float = 1.0
    phones_user: float = 1.0
    phones_own: float = 0.5
    sights: float = 0.5
    num_flow_draws: int = 1
    flow_from: float = 0.0
    flow_alone: bool = False
    recent_dropout: float = 0.2
    phone_delay: int = 2
    probes_alone: float = 0.0
    kept: float = 0.0
    own_past: float = 0.0
    own_past_from: float = 0.5
    own_hearing: float = 0.0

    def own_past_share(self, progress: float) -> float:
        """Of the sessions, where `progress` in [0, 1] of the training is done."""
        risen = (progress - self.own_past_from) / (1 - self.own_past_from)
        return self.own_past * max(0.0, risen)

    def pad_weights(self, progress: float) -> tuple[float, ...]:
        """Of the empty token by stream, where `progress` in [0, 1] of the training is done."""
        risen = max(0.0, (progress - self.heard_pad_from) / (1 - self.heard_pad_from))
        heard = self.pad_weight + (self.heard_pad_weight - self.pad_weight) * risen
        return tuple(heard if name == "heard" else self.pad_weight for name in TEXT_OUT)


@dataclass(kw_only=True)
class Losses:
    """total: the loss to descend. parts: every term, unweighted. metrics: (sum, count) pairs,
    so that values of several steps can be averaged right."""

    total: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)
    metrics: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def items(self) -> dict[str, float]:
        """Everything as plain numbers; a metric without any case is left out."""
        values = {"loss": float(self.total.detach())} | {k: float(v) for k, v in self.parts.items()}
        for name, (total, count) in self.metrics.items():
            if count > 0:
                values[name] = float(total / count)
        return values

    @staticmethod
    def joined(shares: "Sequence[Losses]", sizes: Sequence[int]) -> "Losses":
        """Of a batch from those of its shares of so many sessions; without a graph."""
        if len(shares) == 1:
            return shares[0]
        known = list(zip(shares, sizes, strict=True))

        def mean(values: list[tuple[Tensor, int]]) -> Tensor:
            total = sum(size for _, size in values)
            return torch.stack([value.detach() * (size / total) for value, size in values]).sum()

        names = dict.fromkeys(name for share in shares for name in share.parts)
        cases = dict.fromkeys(name for share in shares for name in share.metrics)
        out = Losses(total=mean([(share.total, size) for share, size in known]))
        for name in names:
            out.parts[name] = mean([(s.parts[name], n) for s, n in known if name in s.parts])
        for name in cases:
            found = [share.metrics[name] for share in shares if name in share.metrics]
            out.metrics[name] = sum(f[0] for f in found), sum(f[1] for f in found)  # type: ignore[assignment]
        return out


class _WordLoss(torch.autograd.Function):
    """Softmax cross entropy of `x @ table.T`, weighted sum, with the gradient made on the way.

    Chunk by chunk, so that the logits of a batch never exist at once and are computed once.
    """

    @staticmethod
    def forward(ctx, x, table, targets, weights):  # type: ignore[override]
        word_table = table.to(x.dtype)
        total = x.new_zeros((), dtype=torch.float32)
        right = torch.empty_like(targets, dtype=torch.bool)
        empty = torch.empty_like(right)
        x_grad = torch.empty_like(x)
        table_grad = torch.zeros_like(table, dtype=torch.float32)
        for start in range(0, len(x), ROWS_PER_CHUNK):
            rows = slice(start, start + ROWS_PER_CHUNK)
            logits = linear(x[rows], word_table)
            target, weight = targets[rows, None], weights[rows, None]
            best = logits.amax(-1)  # fifteen times faster than its index
            right[rows] = logits.gather(1, target)[:, 0] >= best
            empty[rows] = logits[:, PAD] >= best
            log_probs = F.log_softmax(logits, -1, dtype=torch.float32)
            total -= (log_probs.gather(1, target) * weight).sum()
            slope = log_probs.exp_().scatter_add_(1, target, -torch.ones_like(weight))
            slope = slope.mul_(weight).to(x.dtype)
            x_grad[rows] = slope @ word_table
            table_grad += slope.T @ x[rows]
        ctx.save_for_backward(x_grad, table_grad)
        ctx.mark_non_differentiable(right, empty)
        return total, right, empty

    @staticmethod
    def backward(ctx, total_grad, _right, _empty):  # type: ignore[override]
        x_grad, table_grad = ctx.saved_tensors
        return x_grad * total_grad.to(x_grad.dtype), table_grad * total_grad, None, None


def word_loss(
    x: Float[Tensor, "rows d"],
    table: Float[Tensor, "V d"],
    targets: Int[Tensor, " rows"],
    weights: Float[Tensor, " rows"],
) -> tuple[Float[Tensor, ""], Bool[Tensor, " rows"], Bool[Tensor, " rows"]]:
    """Weighted sum of cross entropies of `x @ table.T`; per row, whether the target is likeliest,
    and whether the empty token is."""
    return _WordLoss.apply(x, table, targets, weights)  # type: ignore[return-value]


def _rand(*shape: int, generator: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1) on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device)


def text_losses(
    model: InteractionModel,
    hidden: Float[Tensor, "rows d"],
    batch: Batch,
    config: LossConfig,
    generator: torch.Generator,
    progress: float,
) -> Losses:
    """Cross entropy of heard, say and act, each divided by the sum of its own weights.

    That divisor, and not one number for all, is what keeps `say` alive: the fewer words a stream
    has, the more each of them counts, up to 1 / pad_weight times. Of the empty tokens a random
    `pad_share` is looked at, with the weight of all: the expectation is the same.
    """
    targets = batch.tokens[batch.scored].flatten(0, 1)
    weights = token_weights(targets, pad_weight=config.pad_weights(progress))
    known = torch.ones_like(targets, dtype=torch.bool)
    known[:, HEARD] = batch.heard_known[batch.scored].flatten()
    known[:, SAY] = batch.say_known[batch.scored].repeat_interleave(NUM_SLOTS)
    weights = weights * known
    seen = batch.inputs.camera[batch.scored].repeat_interleave(NUM_SLOTS)
    weights[seen & (targets[:, SAY] == PAD), SAY] *= config.seen_pad
    weights = weights / weights.sum(0).clamp(min=1e-6)
    handed_over = batch.inputs.tokens[batch.scored].flatten(0, 1)[:, SAY_FOLLOWS]
    say = targets[:, SAY]
    is_own = (say != PAD) & (handed_over != say[:, None]).all(1)
    weights[is_own, SAY] *= config.own_word_weight
    out = Losses(total=hidden.new_zeros((), dtype=torch.float32))
    for index, stream in enumerate(TEXT_OUT):
        is_pad = targets[:, index] == PAD
        drawn = _rand(len(targets), generator=generator) < config.pad_share
        rows = ((~is_pad | drawn) & known[:, index]).nonzero().squeeze(1)
        target = targets[rows, index]
        weight = weights[rows, index] / torch.where(target == PAD, config.pad_share, 1.0)
        x = hidden.index_select(0, rows) * model.word_streams[index].to(hidden.dtype)
        loss, right, empty = word_loss(x, model.words, target, weight)
        out.total = out.total + config.text * loss
        out.parts[stream] = loss.detach()
        out.metrics |= _text_metrics(stream, target != PAD, right, empty)
    return out


def _text_metrics(
    stream: str, word: Tensor, right: Tensor, empty: Tensor
) -> dict[str, tuple[Tensor, Tensor]]:
    """Accuracy on words; how many of them got any word; how often a word comes for nothing."""
    return {
        f"{stream}_accuracy": (right[word].sum(), word.sum()),
        f"{stream}_recall": ((~empty)[word].sum(), word.sum()),
        f"{stream}_false": ((~empty)[~word].sum(), (~word).sum()),
    }


def gate_loss(
    logit: Float[Tensor, " rows"], voice_on: Bool[Tensor, " rows"]
) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
    """Binary cross entropy of speaking, and how often the gate is right."""
    loss = F.binary_cross_entropy_with_logits(logit, voice_on.float())
    right = ((logit > 0) == voice_on).sum()
    return loss, {"gate_accuracy": (right, right.new_tensor(voice_on.numel()))}


def voice_losses(
    model: InteractionModel,
    hidden: Float[Tensor, "rows d"],
    batch: Batch,
    on: Bool[Tensor, "B N 4"],
    config: LossConfig,
    generator: torch.Generator,
    progress: float,
) -> tuple[Tensor, Tensor]:
    """L1 of the mean head and flow-matching error, both on normalised mel, on slots `on`.

    The flow carries N(mean, 0.5^2) to the mel along straight lines; its target is their slope
    (Lipman et al. 2022, arXiv 2210.02747).
    """
    head = model.voice
    say = model.say_vectors(batch.tokens[..., SAY][on], hidden.dtype)
    mel = head.normalize(batch.voice[on]).flatten(1)
    mean = head.mean(hidden, say)
    l1 = (mean - mel).abs().mean()
    draws = config.num_flow_draws if progress >= config.flow_from else 0
    if not draws:
        return l1, l1.new_zeros(())
    kept = _rand(len(mel), generator=generator) >= config.recent_dropout
    kept &= batch.recent_on[on]
    recent = head.normalize(batch.recent[on]).flatten(1) * kept[:, None]
    time = _rand(draws * len(mel), 1, generator=generator)
    noise = torch.randn(
        draws * len(mel), mel.shape[1], generator=generator, device=generator.device
    )
    condition = hidden.detach() if config.flow_alone else hidden
    start = mean.detach().repeat(draws, 1) + PRIOR_STD * noise
    end = mel.repeat(draws, 1)
    velocity = head.velocity(
        start + time * (end - start),
        time,
        condition.repeat(draws, 1),
        say.repeat(draws, 1),
        recent.repeat(draws, 1),
    )
    return l1, (velocity - (end - start)).square().mean()


def kept_loss(
    hidden: Float[Tensor, "B N 4 d"], batch: Batch, held_to: InteractionModel, dtype: torch.dtype
) -> Float[Tensor, ""] | None:
    """How far hidden states are from those of the model that the run is held to, as a share of
    their mean square, over sessions of what it knew that have a sound and no camera: its eyes may
    be untrained. None where there is no such session.

    What is learnt then takes other ways than those that ears, gate and voice depend on: learning
    without forgetting (Li and Hoiem 2016, arXiv 1606.09282), of what all heads read instead of what
    each says. A narrower model holds the first of the hidden states alone, where `train.start` puts
    what has grown.
    """
    held = batch.known & ~batch.muted & ~batch.inputs.camera.any(1)
    if not held.any():
        return None
    with torch.no_grad():
        blind = replace(batch.inputs, see=None, see_on=None)
        before = held_to(blind.of(held), dtype)[0].float()
    apart = hidden[held][..., : before.shape[-1]].float() - before
    return apart.square().mean() / before.square().mean()


def compute_losses(
    model: InteractionModel,
    probes: Probes,
    batch: Batch,
    config: LossConfig,
    *,
    dtype: torch.dtype,
    generator: torch.Generator,
    progress: float = 0.0,
    held_to: InteractionModel | None = None,
) -> Losses:
    """All terms of one batch. generator: the source of every random number drawn here, on the
    batch's device.
    progress: in [0, 1], how much of the training is done. held_to: the model that `config.kept`
    holds this one to."""
    cases: dict[str, tuple[Tensor, Tensor]] = {}
    if config.own_hearing:
        batch, wrong = with_own_hearing(model, batch, config.own_hearing, dtype, generator)
        cases["own_hearing"] = wrong.sum(), (batch.tokens[..., HEARD] != PAD).sum()
    if share := config.own_past_share(progress):
        batch, own = with_own_past(model, batch, share, dtype, generator)
        cases["own_past"] = own.sum(), batch.recent_on.sum()
    out_hidden, hear_hidden = model(batch.inputs, dtype)
    scored_hidden = out_hidden[batch.scored].flatten(0, 1)
    losses = text_losses(model, scored_hidden, batch, config, generator, progress)
    losses.metrics |= cases
    terms: dict[str, tuple[float, Tensor]] = {}
    spoken = batch.scored & ~batch.muted[:, None]
    if spoken.any():
        logit = model.gate_logit(out_hidden[spoken].flatten(0, 1))
        gate, metrics = gate_loss(logit, batch.voice_on[spoken].flatten())
        losses.metrics |= metrics
        terms |= {"gate": (config.gate, gate)}
    on = batch.voice_on & (spoken & batch.voice_known[:, None])[..., None]
    if on.any():
        l1, flow = voice_losses(model, out_hidden[on], batch, on, config, generator, progress)
        terms |= {"l1": (config.mean, l1), "flow": (config.flow, flow)}
    if held_to is not None:
        kept = kept_loss(out_hidden, batch, held_to, dtype)
        terms |= {"kept": (config.kept * (1 - progress), kept)} if kept is not None else {}
    for name, hidden, phones, delay, weight in (
        ("user", hear_hidden, batch.phones_user, config.phone_delay, config.phones_user),
        ("own", out_hidden, batch.phones_own, 0, config.phones_own),
    ):
        if weight:
            if progress < config.probes_alone:
                hidden = hidden.detach()
            loss, metrics = phone_loss(hidden, getattr(probes, name), phones, delay)
            losses.metrics |= {f"phones_{name}_{k}": v for k, v in metrics.items()}
            terms[f"phones_{name}"] = (weight, loss)
    if batch.sights is not None and probes.seen_hear is not None:
        ears, mouth = hear_hidden, out_hidden
        if progress < config.probes_alone:
            ears, mouth = ears.detach(), mouth.detach()
        loss, metrics = sight_loss(ears, mouth, probes, batch.sights)
        losses.metrics |= metrics
        terms["sights"] = (config.sights, loss)
    for name, (weight, loss) in terms.items():
        losses.total = losses.total + weight * loss
        losses.parts[name] = loss.detach()
    return losses
