"""The heart: how the streams of a session become transformer positions. Knows nothing of models.

One micro-turn is an input half, one shot, then an output half, four sequential slots:

    [see x P] [hear 0..3]   [out 0..3]        P = 0 (camera off) or 12

A camera may go on and off within a session: micro-turns with it are longer (`Places`).

Slot j of the output half reads what the slot before it emitted (tokens and own voice) and emits
the next. `lay_out` shifts a whole session that way; called micro-turn by micro-turn with the
carry of the call before, it gives the same arrays: training, serving and replay share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from interplay.clock import NUM_SLOTS
from interplay.turns.follow import PAIRS, follow, newest, no_memory, remember
from interplay.turns.types import NUM_MELS, NUM_TILES, PAD, Streams

TEXT_OUT = ("heard", "say", "act")


def positions_per_turn(*, camera: bool) -> int:
    """Positions of one micro-turn: 8 without a camera, 20 with one."""
    return 2 * NUM_SLOTS + (NUM_TILES if camera else 0)


def num_positions(streams: Streams) -> int:
    """Of a whole session, its camera on for as long as it is."""
    off = len(streams) * positions_per_turn(camera=False)
    return off + NUM_TILES * int(streams.camera.sum())


@dataclass(kw_only=True)
class Emitted:
    """What one output slot emitted, as the next slot reads it.

    tokens: int32 [3] (heard, say, act). latest: int32 [3], the newest word of each stream before
    these tokens, however long ago. follow: int32 [7], what came next the last time
    (turns.follow), seen from behind these tokens. voice: float32 [S, 80] log10 mel.
    voice_on: bool [].
    """

    tokens: np.ndarray
    latest: np.ndarray
    follow: np.ndarray
    voice: np.ndarray
    voice_on: np.ndarray

    def as_read(self) -> np.ndarray:
        """int32 [..., 13]: tokens, latest and follow side by side, as the model reads them."""
        return np.concatenate([self.tokens, self.latest, self.follow], axis=-1)

    @staticmethod
    def nothing(subframes: int) -> "Emitted":
        return Emitted(
            tokens=np.full(len(TEXT_OUT), PAD, np.int32),
            latest=np.full(len(TEXT_OUT), PAD, np.int32),
            follow=np.full(len(PAIRS), PAD, np.int32),
            voice=np.zeros((subframes, NUM_MELS), np.float32),
            voice_on=np.zeros((), bool),
        )


@dataclass(kw_only=True)
class Carry:
    """What the micro-turns after a cut read of those before it. memory: int32 [1, 4, M], the
    newest words of every stream (turns.follow)."""

    emitted: Emitted
    memory: np.ndarray

    @staticmethod
    def nothing(subframes: int) -> "Carry":
        return Carry(emitted=Emitted.nothing(subframes), memory=no_memory(1))


@dataclass(kw_only=True)
class Laid:
    """What the positions of N micro-turns read.

    hear: uint8 [N, 4, S, 80]. read: int32 [N, 4, 2], the token of the slot and the newest word
    before it. see: uint8 [N, 12, 2, 40, 40, 3] or None. see_on: bool [N], where the camera is on.
    turn: int64 [N], index on the phase clock. previous: what the slot before emitted, as tokens
    and latest int32 [N, 4, 3], follow int32 [N, 4, 5], voice float32 [N, 4, S, 80], voice_on bool
    [N, 4].
    """

    hear: np.ndarray
    read: np.ndarray
    see: np.ndarray | None
    see_on: np.ndarray
    turn: np.ndarray
    previous: Emitted


def lay_out(streams: Streams, carry: Carry | None = None) -> tuple[Laid, Carry]:
    """Inputs of every position of the session, and the carry for the micro-turns after it."""
    carry = carry or Carry.nothing(streams.subframes)
    before = carry.emitted
    tokens = np.stack([getattr(streams, name) for name in TEXT_OUT], axis=-1)
    emitted = _flat(tokens)
    read, latest, after, memory = _texts(streams.read, emitted, before.follow, carry.memory)
    previous = Emitted(
        tokens=_shift(tokens, before.tokens),
        latest=_shift(latest, before.latest),
        follow=_shift(after, before.follow),
        voice=_shift(streams.voice, before.voice),
        voice_on=_shift(streams.voice_on, before.voice_on),
    )
    laid = Laid(
        hear=streams.hear,
        read=read,
        see=streams.see,
        see_on=streams.camera,
        turn=streams.first_turn + np.arange(len(streams), dtype=np.int64),
        previous=previous,
    )
    last = Emitted(
        tokens=emitted[-1],
        latest=latest[-1, -1],
        follow=after[-1, -1],
        voice=streams.voice[-1, -1],
        voice_on=np.asarray(streams.voice_on[-1, -1]),
    )
    return laid, Carry(emitted=last, memory=memory)


def read_emitted(read: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """int32 [N, 4, 13]: `Emitted.as_read` of the slots before those of a whole session. read: int32
    [N, 4]. tokens: int32 [N, 4, 3], what it emits."""
    first = Emitted.nothing(0)
    _, latest, after, _ = _texts(read, _flat(tokens), first.follow, no_memory(1))
    pairs = ((tokens, first.tokens), (latest, first.latest), (after, first.follow))
    return np.concatenate([_shift(*pair) for pair in pairs], axis=-1)


def _texts(
    read: np.ndarray, emitted: np.ndarray, followed: np.ndarray, memory: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`read` with the word before each [N, 4, 2]; by slot, the newest words before its tokens
    [N, 4, 3] and what may follow behind them [N, 4, 5]; the memory after all.

    emitted: [slots, 3]. followed: [5], what may follow before the first slot.
    """
    size = memory.shape[-1]
    arrived = read.reshape(-1)
    streams = [*emitted.T, arrived]
    grown = [np.append(old, new[new != PAD]) for old, new in zip(memory[0], streams, strict=True)]
    counts = [np.cumsum(new != PAD) for new in streams]  # words up to and with each token
    before = [size - 1 + count - (new != PAD) for count, new in zip(counts, streams, strict=True)]
    pairs = np.stack([arrived, grown[-1][before[-1]]], axis=-1)
    latest = np.stack([grown[s][before[s]] for s in range(len(TEXT_OUT))], axis=-1)
    counts[-1] = counts[-1][NUM_SLOTS - 1 :: NUM_SLOTS].repeat(NUM_SLOTS)  # whole halves arrive
    known = np.stack(counts, axis=-1)
    changed = np.diff(known, axis=0, prepend=0).any(-1)
    memories = np.stack(
        [sliding_window_view(g, size)[known[changed, s]] for s, g in enumerate(grown)], axis=1
    )
    after = np.concatenate([followed[None], follow(memories)])[np.cumsum(changed)]
    memory = np.stack([g[-size:] for g in grown])[None]
    shape = (*read.shape, -1)
    return pairs.reshape(shape), latest.reshape(shape), after.reshape(shape), memory


def read_pairs(read: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One micro-turn's tokens [b, 4] of the `read` stream -> int32 [b, 4, 2], each with the newest
    word before it, and the memory with them."""
    pairs = []
    for token in read.T:
        pairs.append(np.stack([token, newest(memory)[:, -1]], axis=-1))
        if token.any():
            empty = np.full((len(token), len(TEXT_OUT)), PAD, np.int32)
            memory = remember(memory, np.concatenate([empty, token[:, None]], axis=-1))
    return np.stack(pairs, axis=1).astype(np.int32), memory


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, *values.shape[2:])


def _shift(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """values [N, 4, ...] one slot later, `first` in front."""
    flat = _flat(values)
    return np.concatenate([first[None].astype(flat.dtype), flat[:-1]]).reshape(values.shape)


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the parts of B sessions of N micro-turns lie, as indices into [B * length] positions.

    see: int64 [M, 12], of the M micro-turns of all sessions with a camera. hear, out: int64
    [B, N, 4]. length: positions of the longest session; shorter ones are filled up at the end,
    where no position before them looks.
    """

    see: Tensor
    hear: Tensor
    out: Tensor
    length: int

    @staticmethod
    def of(see_on: Tensor) -> "Places":
        """see_on: bool [B, N], where the camera is on."""
        tiles = NUM_TILES * see_on.long()
        ends = (tiles + 2 * NUM_SLOTS).cumsum(1)
        length = int(ends[:, -1].max())
        rows = length * torch.arange(len(see_on), device=see_on.device)[:, None]
        hear = ends + rows - 2 * NUM_SLOTS
        slots = torch.arange(NUM_SLOTS, device=see_on.device)
        see = hear[see_on][:, None] + torch.arange(-NUM_TILES, 0, device=see_on.device)
        hear = hear[..., None] + slots
        return Places(see=see, hear=hear, out=hear + NUM_SLOTS, length=length)

    def interleave(self, see: Tensor | None, hear: Tensor, out: Tensor) -> Tensor:
        """[M, 12, d] (None if M is 0), [B, N, 4, d] twice -> [B, length, d] in time order."""
        x = hear.new_zeros(len(hear) * self.length, hear.shape[-1])
        parts = [(self.hear, hear), (self.out, out)]
        for place, part in parts if see is None else [(self.see, see), *parts]:
            x = x.index_copy(0, place.flatten(), part.flatten(0, -2))
        return x.unflatten(0, (len(hear), -1))

    def take(self, hidden: Tensor, place: Tensor) -> Tensor:
        """[B, length, d] -> what lies at `hear` or `out` of these places, [B, N, 4, d]."""
        rows = hidden.flatten(0, 1).index_select(0, place.flatten())
        return rows.unflatten(0, place.shape)


def token_weights(targets: Tensor, *, pad_weight: float | Sequence[float]) -> Tensor:
    """Loss weight of every text target [..., 3]: `pad_weight` on the empty token (one number, or
    one for each of TEXT_OUT), 1 elsewhere."""
    weights = torch.ones(targets.shape, dtype=torch.float32, device=targets.device)
    empty = torch.as_tensor(pad_weight, dtype=torch.float32, device=targets.device)
    return torch.where(targets == PAD, empty, weights)
