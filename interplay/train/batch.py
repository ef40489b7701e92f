"""From examples to tensors: what the model reads, what it should emit, and what counts.

Knows nothing of losses or optimizers. The model's own past is made a little wrong on purpose, so
that it learns to go on from its own imperfect voice when it speaks alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interplay.clock import NUM_SLOTS
from interplay.data.example import UNKNOWN, Example
from interplay.model.embed import BIN_STEP
from interplay.model.interaction import Inputs
from interplay.train import ears
from interplay.turns.layout import TEXT_OUT, lay_out

BLACK = 0  # of pictures


@dataclass(frozen=True, kw_only=True)
class HistoryNoise:
    """How the own past voice is disturbed before the model reads it.

    sigma: standard deviation of the noise, in units of each band's own spread.
    jitter: share of values moved by one bin, up or down. drop: share of 50 ms slots whose sound
    is replaced by the average voice. smear: share of sessions whose past is smoothed over time
    and bands, as what the mean head says is.
    """

    sigma: float = 0.2
    jitter: float = 0.1
    drop: float = 0.12
    smear: float = 0.5


@dataclass(kw_only=True)
class Batch:
    """B sessions of N micro-turns.

    tokens: int64 [B, N, 4, 3], the heard, say and act token to emit. voice: log10 mel
    [B, N, 4, S, 80] to emit where voice_on [B, N, 4]. recent, recent_on: the undisturbed voice of
    the slot before. phones_user, phones_own: int64 [B, N, 4], -1 where none is known.
    scored: bool [B, N], micro-turns that count; heard_known: bool [B, N, 4], say_known: bool [B,
    N], where `heard` and `say` count, too.
    voice_known: bool [B], sessions whose voice is to be learnt; muted: those of whose speaking
    nothing is; known: those of which nothing was new to the model that the run began with.
    sights: int8, what cameras see (data.scenes.sights), -1 where that is unknown.
    sounds: of sessions that have not been heard yet; their `inputs.hear` is empty.
    """

    inputs: Inputs
    tokens: Int[Tensor, "B N 4 3"]
    voice: Float[Tensor, "B N 4 S 80"]
    voice_on: Bool[Tensor, "B N 4"]
    recent: Float[Tensor, "B N 4 S 80"]
    recent_on: Bool[Tensor, "B N 4"]
    phones_user: Int[Tensor, "B N 4"]
    phones_own: Int[Tensor, "B N 4"]
    scored: Bool[Tensor, "B N"]
    heard_known: Bool[Tensor, "B N 4"]
    say_known: Bool[Tensor, "B N"]
    voice_known: Bool[Tensor, " B"]
    muted: Bool[Tensor, " B"]
    known: Bool[Tensor, " B"]
    sights: Int[Tensor, "B N questions"] | None = None
    sounds: ears.Sounds | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same on `device`: itself where it is there already, else copied while the host goes
        on."""
        if device.type == "cpu":
            return self
        return each_tensor(self, lambda part: part.pin_memory().to(device, non_blocking=True))

    def heard(self) -> "Batch":
        """The same when all of it is heard."""
        if self.sounds is None:
            return self
        return replace(self, inputs=replace(self.inputs, hear=ears.hear(self.sounds)), sounds=None)


def each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A dataclass, and those in it, with `change` of every tensor, always in the same order."""
    changed = {}
    for name, part in vars(value).items():
        if isinstance(part, Tensor):
            changed[name] = change(part)
        elif is_dataclass(part):
            changed[name] = each_tensor(part, change)
    return replace(value, **changed)


def assemble(
    examples: Sequence[Example],
    *,
    mel_mean: np.ndarray,
    mel_std: np.ndarray,
    noise: HistoryNoise,
    seed: tuple[int, ...],
) -> Batch:
    """One batch of examples of equal length. mel_mean, mel_std: [80], of the own voice."""
    streams = [example.streams for example in examples]
    num_turns = len(streams[0])
    assert all(len(s) == num_turns for s in streams), "examples of one batch differ in length"
    assert len({e.dry is None for e in examples}) == 1, "some are heard and some are not"
    laid = [lay_out(s)[0] for s in streams]
    previous = [item.previous for item in laid]
    recent = np.stack([p.voice for p in previous])
    recent_on = np.stack([p.voice_on for p in previous])
    disturbed = disturb(
        recent, recent_on, mel_mean, mel_std, noise, np.random.default_rng([*seed, 0xB0])
    )
    inputs = Inputs(
        hear=_stacked([item.hear for item in laid]),
        read=_stacked([item.read for item in laid]),
        turn=_stacked([item.turn for item in laid]),
        tokens=_stacked([p.as_read() for p in previous]),
        voice=torch.from_numpy(disturbed),
        voice_on=torch.from_numpy(recent_on),
        see=_stacked_known([item.see for item in laid], BLACK),
        see_on=_stacked([item.see_on for item in laid]),
    )
    say_known = [example.say_known for example in examples]
    scored = np.arange(num_turns) >= np.array([[example.scored_from] for example in examples])
    return Batch(
        inputs=inputs,
        tokens=_stacked(
            [np.stack([getattr(s, name) for name in TEXT_OUT], axis=-1) for s in streams]
        ).long(),
        voice=_stacked([s.voice for s in streams]),
        voice_on=_stacked([s.voice_on for s in streams]),
        recent=torch.from_numpy(recent),
        recent_on=torch.from_numpy(recent_on),
        phones_user=_stacked([example.phones_user for example in examples]).long(),
        phones_own=_stacked([example.phones_own for example in examples]).long(),
        scored=torch.from_numpy(scored),
        heard_known=_stacked([e.heard_known[:, None].repeat(NUM_SLOTS, 1) for e in examples]),
        say_known=_stacked([np.ones(num_turns, bool) if k is None else k for k in say_known]),
        voice_known=torch.tensor([example.voice_known for example in examples]),
        muted=torch.tensor([example.muted for example in examples]),
        known=torch.tensor([example.known for example in examples]),
        sights=_stacked_known([example.sights for example in examples], UNKNOWN),
        sounds=ears.stack(dry) if (dry := [e.dry for e in examples if e.dry]) else None,
    )


def disturb(
    voice: np.ndarray,
    voice_on: np.ndarray,
    mel_mean: np.ndarray,
    mel_std: np.ndarray,
    noise: HistoryNoise,
    rng: np.random.Generator,
) -> np.ndarray:
    """A disturbed copy of `voice` [B, ..., S, 80] where `voice_on` [B, ...]; the rest stays as it
    is."""
    out = voice.copy()
    rows = out[voice_on]
    smeared = (rng.random(len(voice)) < noise.smear)[voice_on.nonzero()[0]]
    rows[smeared] = smear(rows[smeared])
    rows += rng.standard_normal(rows.shape, np.float32) * (noise.sigma * mel_std)
    jump = rng.random(rows.shape, np.float32)
    rows += BIN_STEP * ((jump < noise.jitter / 2) * np.float32(1))
    rows -= BIN_STEP * ((jump > 1 - noise.jitter / 2) * np.float32(1))
    rows[rng.random(len(rows)) < noise.drop] = mel_mean
    out[voice_on] = rows
    return out


def smear(rows: np.ndarray) -> np.ndarray:
    """Slots [rows, S, 80], half way to their average over time, then averaged with the bands
    beside."""
    rows = (rows + rows.mean(1, keepdims=True)) / 2
    wide = np.pad(rows, ((0, 0), (0, 0), (1, 1)), mode="edge")
    return (wide[..., :-2] + 2 * wide[..., 1:-1] + wide[..., 2:]) / 4


def _stacked(arrays: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))


def _stacked_known(arrays: list[np.ndarray | None], otherwise: int) -> Tensor | None:
    """Of all sessions, `otherwise` all over those that have none; None while no session has any."""
    filled = next((np.full_like(one, otherwise) for one in arrays if one is not None), None)
    return None if filled is None else _stacked([filled if a is None else a for a in arrays])
