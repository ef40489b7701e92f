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

    tokens: int32 [3] (heard, say, act). latest: int32 [3], the newest word of each stream before
    these tokens, however long ago: with it a word and its forerunner stand at one position, and
    copying a text word by word takes one look back. voice: float32 [S, 80] log10 mel.
    voice_on: bool [].
    """

    tokens: np.ndarray
    latest: np.ndarray
    voice: np.ndarray
    voice_on: np.ndarray

    @staticmethod
    def nothing(subframes: int) -> "Emitted":
        return Emitted(
            tokens=np.full(len(TEXT_OUT), PAD, np.int32),
            latest=np.full(len(TEXT_OUT), PAD, np.int32),
            voice=np.zeros((subframes, NUM_MELS), np.float32),
            voice_on=np.zeros((), bool),
        )


@dataclass(kw_only=True)
class Carry:
    """What the micro-turns after a cut read of those before it. read: int32 [], the newest word
    of the `read` stream."""

    emitted: Emitted
    read: np.ndarray

    @staticmethod
    def nothing(subframes: int) -> "Carry":
        return Carry(emitted=Emitted.nothing(subframes), read=np.array(PAD, np.int32))


@dataclass(kw_only=True)
class Laid:
    """What the positions of N micro-turns read.

    hear: uint8 [N, 4, S, 80]. read: int32 [N, 4, 2], the token of the slot and the newest word
    before it. see: uint8 [N, 12, 2, 40, 40, 3] or None. turn: int64 [N], index on the phase
    clock. previous: what the slot before emitted, as tokens and latest int32 [N, 4, 3], voice
    float32 [N, 4, S, 80], voice_on bool [N, 4].
    """

    hear: np.ndarray
    read: np.ndarray
    see: np.ndarray | None
    turn: np.ndarray
    previous: Emitted


def lay_out(streams: Streams, carry: Carry | None = None) -> tuple[Laid, Carry]:
    """Inputs of every position of the session, and the carry for the micro-turns after it."""
    carry = carry or Carry.nothing(streams.subframes)
    before = carry.emitted
    tokens = np.stack([getattr(streams, name) for name in TEXT_OUT], axis=-1)
    latest = newest_words(np.concatenate([before.latest[None], before.tokens[None], _flat(tokens)]))
    read, newest = read_pairs(_flat(streams.read), carry.read)
    previous = Emitted(
        tokens=_shift(tokens, before.tokens),
        latest=latest[:-2].reshape(tokens.shape),
        voice=_shift(streams.voice, before.voice),
        voice_on=_shift(streams.voice_on, before.voice_on),
    )
    laid = Laid(
        hear=streams.hear,
        read=read.reshape(*streams.read.shape, 2),
        see=streams.see,
        turn=streams.first_turn + np.arange(len(streams), dtype=np.int64),
        previous=previous,
    )
    last = Emitted(
        tokens=tokens[-1, -1],
        latest=latest[-2],
        voice=streams.voice[-1, -1],
        voice_on=np.asarray(streams.voice_on[-1, -1]),
    )
    return laid, Carry(emitted=last, read=newest)


def newest_words(tokens: np.ndarray) -> np.ndarray:
    """Rows of tokens [R, ...] -> the newest token that is not empty, up to and with each row."""
    rows = np.arange(len(tokens)).reshape(-1, *[1] * (tokens.ndim - 1))
    last = np.maximum.accumulate(np.where(tokens != PAD, rows, 0), axis=0)
    return np.take_along_axis(tokens, last, axis=0)


def read_pairs(read: np.ndarray, newest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tokens [R] of the `read` stream -> int32 [R, 2], each with the newest word before it, and
    the newest word of all; `newest` [] is that of the slots before."""
    words = newest_words(np.concatenate([newest[None], read]))
    return np.stack([read, words[:-1]], axis=-1), np.asarray(words[-1])


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, *values.shape[2:])


def _shift(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """values [N, 4, ...] one slot later, `first` in front."""
    flat = _flat(values)
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
