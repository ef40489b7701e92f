"""Everything the model reads becomes one vector per position here. Knows nothing of attention.

Sound enters without an encoder: every mel band's bin is a learned vector, summed over bands
(dMel, Bai et al. 2024, arXiv 2407.15835). The table is read as a matrix product with the one-hot
bins: on CPUs a scatter into the table is what makes the textbook embedding slow to train.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from interplay.clock import NUM_SLOTS
from interplay.media.dmel import NUM_BINS, NUM_MELS
from interplay.model.see import See
from interplay.ops.linear import linear
from interplay.ops.norm import rms_norm
from interplay.turns.follow import PAIRS, STREAMS
from interplay.turns.layout import TEXT_OUT
from interplay.turns.types import NUM_TILES, PAD

# Of turns.follow.PAIRS those that are read in one slot alone; all others are in every slot. What
# stands behind a word that was heard is news right after it: something may be due then.
PASSING = tuple(written == "heard" for written, _ in PAIRS)

READ = STREAMS.index("read")
PHASE_PERIODS = (5, 50, 300)  # micro-turns: one second, ten seconds, one minute
WORD_STD = 0.3  # of an untrained word's vector; the sound's has 1: louder words delay the ears
BIN_STEP = 0.6  # log10 units between bin centres
BIN_LOW = -7.0


def quantize_mel(log_mel: Float[Tensor, "..."]) -> UInt8[Tensor, "..."]:
    """log10 mel -> nearest of the 16 dMel bins (centres -7 ... 2)."""
    return ((log_mel.float() - BIN_LOW) / BIN_STEP).round().clamp(0, NUM_BINS - 1).to(torch.uint8)


@dataclass(frozen=True, kw_only=True)
class EmbedConfig:
    """Sizes of the tables."""

    dim: int
    vocab_size: int
    subframes: int = 4
    num_follow: int = len(PAIRS)


def _signs(rows: int, dim: int) -> nn.Parameter:
    """A word's vector is multiplied by its role's: random signs keep the sum of several words
    separable, which adding a role's vector would not."""
    return nn.Parameter(torch.randint(0, 2, (rows, dim)) * 2.0 - 1.0)


class Embed(nn.Module):
    """Tables for sound, text, slots and phases of the clock."""

    passing: Tensor

    def __init__(self, config: EmbedConfig, see: See | None = None) -> None:
        super().__init__()
        self.config = config
        dim, bands = config.dim, config.subframes * NUM_MELS
        self.mel_table = nn.Parameter(torch.randn(dim, bands * NUM_BINS) * bands**-0.5)
        self.mel_line = nn.Parameter(torch.randn(dim, bands) * bands**-0.5)
        self.mel_norm = nn.Parameter(torch.ones(dim))
        self.tokens = nn.Parameter(torch.randn(config.vocab_size, dim) * WORD_STD)
        self.tags = nn.Parameter(torch.randn(len(STREAMS), dim) * 0.1)
        self.before_role = _signs(1, dim)
        self.newest_roles = _signs(len(TEXT_OUT), dim)
        self.follow_roles = _signs(config.num_follow, dim)
        self.hear_slots = nn.Parameter(torch.randn(NUM_SLOTS, dim) * 0.1)
        self.out_slots = nn.Parameter(torch.randn(NUM_SLOTS, dim) * 0.1)
        self.quiet = nn.Parameter(torch.randn(dim) * 0.1)
        self.phases = nn.ParameterList(
            [nn.Parameter(torch.randn(period, dim) * 0.1) for period in PHASE_PERIODS]
        )
        passing = torch.tensor(PASSING[: config.num_follow])
        self.register_buffer("passing", passing, persistent=False)
        self.see = see
        if see is not None:
            self.tile_places = nn.Parameter(torch.randn(NUM_TILES, dim) * 0.1)

    def sound(
        self, bins: UInt8[Tensor, "rows S 80"], dtype: torch.dtype
    ) -> Float[Tensor, "rows d"]:
        """dMel bins -> RMS-normalised sum of the bands' vectors."""
        flat = bins.flatten(1)
        one_hot = torch.eye(NUM_BINS, dtype=dtype, device=flat.device)
        hot = nn.functional.embedding(flat.int(), one_hot)  # faster than a comparison or a scatter
        values = (flat.to(dtype) - NUM_BINS / 2) * 0.25
        summed = linear(hot.flatten(1), self.mel_table) + linear(values, self.mel_line)
        return rms_norm(summed, self.mel_norm, 1e-6)

    def text(self, ids: Int[Tensor, "*rows"]) -> Float[Tensor, "*rows d"]:
        """Token ids -> vectors (fp32 or the table's type); zero for the empty token."""
        return nn.functional.embedding(ids.long(), self.tokens) * (ids != PAD).unsqueeze(-1)

    def _word(self, ids: Tensor, before: Tensor, stream: int) -> Tensor:
        """A token that stands in its slot, with the word before it; zero where there is none."""
        vectors = self.text(ids) + self.text(before) * self.before_role[0] + self.tags[stream]
        return vectors * (ids != PAD).unsqueeze(-1)

    def clock(self, turn: Int[Tensor, "B N"]) -> Float[Tensor, "B N d"]:
        """The three phases of the micro-turn index, summed."""
        parts = [
            nn.functional.embedding(turn.long() % period, table)
            for period, table in zip(PHASE_PERIODS, self.phases, strict=True)
        ]
        return parts[0] + parts[1] + parts[2]

    def hear(
        self,
        bins: UInt8[Tensor, "B N 4 S 80"],
        read: Int[Tensor, "B N 4 2"],
        turn: Int[Tensor, "B N"],
        dtype: torch.dtype,
    ) -> Float[Tensor, "B N 4 d"]:
        """Input half: user audio, one `read` token per slot, the clock on slot 0."""
        sound = self.sound(bins.flatten(0, 2), dtype).unflatten(0, read.shape[:3])
        rest = self._word(read[..., 0], read[..., 1], READ) + self.hear_slots
        first = nn.functional.pad(self.clock(turn).unsqueeze(2), (0, 0, 0, NUM_SLOTS - 1))
        return sound + (rest + first).to(dtype)

    def tiles(
        self, pairs: UInt8[Tensor, "*rows 12 2 40 40 3"], dtype: torch.dtype
    ) -> Float[Tensor, "*rows 12 d"]:
        """What the camera sees in a micro-turn: a vector per pair of tiles, marked with where in
        the picture it is."""
        assert self.see is not None, "callers check that the model has eyes"
        rows = pairs.flatten(0, -6)
        is_film = torch.is_grad_enabled() and len(rows) > 1  # live, rows are of different cameras
        seen = self.see.in_a_row(rows, dtype) if is_film else self.see(rows, dtype)
        return seen.view(*pairs.shape[:-5], -1, self.see.config.dim) + self.tile_places.to(dtype)

    def out(
        self,
        tokens: Int[Tensor, "B N R 13"],
        voice: Float[Tensor, "B N R S 80"],
        voice_on: Tensor,
        slot: int | None,
        dtype: torch.dtype,
    ) -> Float[Tensor, "B N R d"]:
        """Output slots: what the slot before emitted. `slot` names the one slot given, None
        means all four; `tokens` are heard, say and act, the newest word of each before, and what
        came next the last time (turns.follow)."""
        num_follow = self.config.num_follow
        tokens = tokens[..., : 2 * len(TEXT_OUT) + num_follow]
        emitted, latest, follow = tokens.split([len(TEXT_OUT), len(TEXT_OUT), num_follow], dim=-1)
        there = emitted != PAD
        newest = torch.where(there, emitted, latest)
        heard = there[..., TEXT_OUT.index("heard"), None]
        follow = follow.where(heard | ~self.passing, PAD)
        # all words at once, since a live micro-turn waits for the calls, not for the words
        vectors = self.text(torch.cat([emitted, latest, newest, follow], dim=-1))
        now, before, newest, follow = vectors.split([*[len(TEXT_OUT)] * 3, num_follow], dim=-2)
        now = now + before * self.before_role[0] + self.tags[: len(TEXT_OUT)]
        now = (now * there.unsqueeze(-1)).unbind(-2)
        newest = (newest * self.newest_roles).unbind(-2)
        words = self.out_slots if slot is None else self.out_slots[slot : slot + 1]
        for stream in range(len(TEXT_OUT)):
            words = words + now[stream] + newest[stream]
        for word in (follow * self.follow_roles).unbind(-2):
            words = words + word
        return self._own_sound(voice, voice_on, dtype) + words.to(dtype)

    def _own_sound(self, voice: Tensor, voice_on: Tensor, dtype: torch.dtype) -> Tensor:
        """The model's own past voice as dMel; rows where it is silent cost nothing on a CPU. On a
        GPU they are computed and dropped: a captured graph cannot ask how many there are."""
        quiet = self.quiet.to(dtype)
        if voice.device.type != "cpu":
            sound = self.sound(quantize_mel(voice.flatten(0, -3)), dtype)
            return torch.where(voice_on[..., None], sound.unflatten(0, voice_on.shape), quiet)
        rows = quiet.expand(*voice_on.shape, -1).flatten(0, -2)
        on = voice_on.flatten().nonzero().squeeze(1)
        if len(on):
            bins = quantize_mel(voice.flatten(0, -3).index_select(0, on))
            rows = rows.index_copy(0, on, self.sound(bins, dtype))
        return rows.unflatten(0, voice_on.shape)
