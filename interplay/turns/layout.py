"""The heart: how the streams of a session become transformer positions. Knows nothing of models.

One micro-turn is an input half, one shot, then an output half, four sequential slots:

    [see x P] [hear 0..3]   [out 0..3]        P = 0 (camera off) or 12

Slot j of the output half reads what the slot before it emitted (tokens and own voice) and emits
the next. `lay_out` shifts a whole session that way; called micro-turn by micro-turn with the
carry of the call before, it gives the same arrays: training, serving and replay share it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from interplay.clock import NUM_SLOTS
from interplay.turns.types import NUM_MELS, NUM_TILES, PAD, Streams

TEXT_OUT = ("heard", "say", "act")


def positions_per_turn(*, camera: bool) -> int:
    """Positions of one micro-turn: 8 without a camera, 20 with one."""
    return 2 * NUM_SLOTS + (NUM_TILES if camera else 0)


@dataclass(kw_only=True)
class Emitted:
    """What one output slot emitted, as the next slot reads it.

    tokens: int32 [3] (heard, say, act). voice: float32 [S, 80] log10 mel. voice_on: bool [].
    """

    tokens: np.ndarray
    voice: np.ndarray
    voice_on: np.ndarray

    @staticmethod
    def nothing(subframes: int) -> "Emitted":
        return Emitted(
            tokens=np.full(len(TEXT_OUT), PAD, np.int32),
            voice=np.zeros((subframes, NUM_MELS), np.float32),
            voice_on=np.zeros((), bool),
        )


@dataclass(kw_only=True)
class Laid:
    """What the positions of N micro-turns read.

    hear: uint8 [N, 4, S, 80]. read: int32 [N, 4]. see: uint8 [N, 12, 2, 40, 40, 3] or None.
    turn: int64 [N], index on the phase clock. previous: what the slot before emitted, as
    tokens int32 [N, 4, 3], voice float32 [N, 4, S, 80], voice_on bool [N, 4].
    """

    hear: np.ndarray
    read: np.ndarray
    see: np.ndarray | None
    turn: np.ndarray
    previous: Emitted


def lay_out(streams: Streams, carry: Emitted | None = None) -> tuple[Laid, Emitted]:
    """Inputs of every position of the session, and the carry for the micro-turns after it."""
    carry = carry or Emitted.nothing(streams.subframes)
    tokens = np.stack([getattr(streams, name) for name in TEXT_OUT], axis=-1)
    previous = Emitted(
        tokens=_shift(tokens, carry.tokens),
        voice=_shift(streams.voice, carry.voice),
        voice_on=_shift(streams.voice_on, carry.voice_on),
    )
    laid = Laid(
        hear=streams.hear,
        read=streams.read,
        see=streams.see,
        turn=streams.first_turn + np.arange(len(streams), dtype=np.int64),
        previous=previous,
    )
    last = Emitted(
        tokens=tokens[-1, -1],
        voice=streams.voice[-1, -1],
        voice_on=np.asarray(streams.voice_on[-1, -1]),
    )
    return laid, last


def _shift(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """values [N, 4, ...] one slot later, `first` in front."""
    flat = values.reshape(-1, *values.shape[2:])
    return np.concatenate([first[None].astype(flat.dtype), flat[:-1]]).reshape(values.shape)


def interleave(see: Tensor | None, hear: Tensor, out: Tensor) -> Tensor:
    """[B, N, P, d] or None, [B, N, 4, d], [B, N, 4, d] -> [B, N * (P + 8), d] in time order."""
    halves = [hear, out] if see is None else [see, hear, out]
    return torch.cat(halves, dim=2).flatten(1, 2)


def out_positions(hidden: Tensor, *, camera: bool) -> Tensor:
    """[B, N * (P + 8), d] -> the output slots [B, N, 4, d]."""
    per_turn = positions_per_turn(camera=camera)
    return hidden.unflatten(1, (-1, per_turn))[:, :, -NUM_SLOTS:]


def hear_positions(hidden: Tensor, *, camera: bool) -> Tensor:
    """[B, N * (P + 8), d] -> the hear slots [B, N, 4, d]."""
    per_turn = positions_per_turn(camera=camera)
    return hidden.unflatten(1, (-1, per_turn))[:, :, -2 * NUM_SLOTS : -NUM_SLOTS]


def token_weights(targets: Tensor, *, pad_weight: float) -> Tensor:
    """Loss weight of every text target: `pad_weight` on the empty token, 1 elsewhere."""
    weights = torch.ones(targets.shape, dtype=torch.float32, device=targets.device)
    return weights.masked_fill(targets == PAD, pad_weight)
