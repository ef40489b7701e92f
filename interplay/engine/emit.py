"""From hidden states to what output slots emit, and the numbers that prove how. Knows nothing of
sessions, caches or time.

The same `measure` runs while serving, in corrections and in `replay`, so that the numbers can be
compared bit for bit.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interplay.engine.past import Said
from interplay.errors import ConfigError
from interplay.model.interaction import InteractionModel
from interplay.ops.random import normal
from interplay.ops.sample import sample

SAY = 1  # index of `say` among the text streams
NUM_DRAWS = 2  # positions of random numbers per output slot: one for words, one for the voice


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How `say` tokens are chosen; `heard` and `act` are always the most probable ones.

    say_temperature: 0 takes the most probable token. say_top_k: choose among so many, 0 = all.
    """

    say_temperature: float = 0.0
    say_top_k: int = 0

    def __post_init__(self) -> None:
        if self.say_temperature < 0 or self.say_top_k < 0:
            raise ConfigError(
                f"say_temperature is {self.say_temperature} and say_top_k {self.say_top_k}; "
                "use 0 or more"
            )


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What the model computed at R slots, fp32. log_probs [R, 3] of the emitted tokens, gate
    [R] logit of the voice, mean [R, S * 80] of the mean head, 0 where the voice is off."""

    log_probs: Tensor
    gate: Tensor
    mean: Tensor


@torch.inference_mode()
def measure(
    model: InteractionModel,
    hidden: Float[Tensor, "R d"],
    said: Said,
    logits: Tensor | None = None,
    spoken: Float[Tensor, "rows SM"] | None = None,
) -> Numbers:
    """The numbers at slots whose hidden states are `hidden` and which emitted `said`.

    logits, spoken: text logits, and the mean head where the voice is on, if they are known.
    """
    logits = model.text_logits(hidden) if logits is None else logits
    log_probs = logits.float().log_softmax(-1)
    mean = torch.zeros_like(said.voice.flatten(1))
    rows = _speaking_rows(said.voice_on)
    if len(rows):
        if spoken is None:
            say = model.say_vectors(said.tokens[rows, SAY], hidden.dtype)
            spoken = model.voice.mean(hidden[rows], say)
        mean[rows] = spoken
        mean.masked_fill_(~said.voice_on[:, None], 0)
    return Numbers(
        log_probs=log_probs.gather(-1, said.tokens.long().unsqueeze(-1)).squeeze(-1),
        gate=model.gate_logit(hidden),
        mean=mean,
    )


def _speaking_rows(voice_on: Bool[Tensor, " b"]) -> Int[Tensor, " rows"]:
    """Rows whose voice is to be computed: on a CPU those where it is on. On a GPU all, and callers
    drop what is off: a captured graph cannot ask how many there are."""
    if voice_on.device.type == "cpu":
        return voice_on.nonzero().squeeze(1)
    return torch.arange(len(voice_on), device=voice_on.device)


class Emitter:
    """Samples what output slots emit."""

    def __init__(self, model: InteractionModel, sampling: SamplingConfig) -> None:
        self.model = model
        self.sampling = sampling

    def emit(
        self,
        hidden: Float[Tensor, "b d"],
        before: Said,
        seeds: Int[Tensor, " b"],
        counters: Int[Tensor, " b"],
    ) -> tuple[Said, Numbers]:
        """One slot of b sessions, without its context (Said.in_context). before: what their
        slots before emitted (R = b).

        counters: how many output slots each session had before; with the seed they fix the
        random numbers.
        """
        model = self.model
        logits = model.text_logits(hidden)
        tokens = logits.argmax(-1)
        if self.sampling.say_temperature:
            tokens[:, SAY] = sample(
                logits[:, SAY],
                seeds,
                counters * NUM_DRAWS,
                temperature=self.sampling.say_temperature,
                top_k=self.sampling.say_top_k,
            )
        gate = model.gate_logit(hidden)
        voice_on = gate > 0
        voice = torch.zeros_like(before.voice)
        rows, spoken = _speaking_rows(voice_on), None
        if len(rows):
            say = model.say_vectors(tokens[rows, SAY], hidden.dtype)
            spoken = model.voice.mean(hidden[rows], say)
            voice[rows] = model.voice.sample(
                *(spoken, hidden[rows], say),
                lambda: (self._recent(before, rows), _noise(before, seeds[rows], counters[rows])),
            )
            voice.masked_fill_(~voice_on[:, None, None], 0)
        said = replace(before, tokens=tokens.int(), voice=voice, voice_on=voice_on)
        return said, measure(model, hidden, said, logits, spoken)

    def _recent(self, before: Said, rows: Int[Tensor, " rows"]) -> Float[Tensor, "rows SM"]:
        """The slot before, normalised, zeros where the voice was off."""
        on = before.voice_on[rows][:, None, None]
        return (self.model.voice.normalize(before.voice[rows]) * on).flatten(1)


def _noise(like: Said, seeds: Tensor, counters: Tensor) -> Float[Tensor, "rows SM"]:
    return normal(seeds, counters * NUM_DRAWS + 1, like.voice[0].numel())
