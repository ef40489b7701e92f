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

TEXT_STREAMS = ("heard", "say", "act", "read")
LATEST = tuple(f"latest {name}" for name in TEXT_STREAMS)  # their newest word before the token
PHASE_PERIODS = (5, 50, 300)  # micro-turns: one second, ten seconds, one minute
BIN_STEP = 0.6  # log10 units between bin centres
BIN_LOW = -7.0


def quantize_mel(log_mel: Float[Tensor, "..."]) -> UInt8[Tensor, "..."]:
    """log10 mel -> nearest of the 16 dMel bins (centres -7 ... 2)."""
    return ((log_mel.float() - BIN_LOW) / BIN_STEP).round().clamp(0, NUM_BINS - 1).to(torch.uint8)


@dataclass(frozen=True, kw_only=True)
class EmbedConfig:
    """Sizes of the tables. latest_words: whether a position also reads the newest word of each
    stream before its token (docs/log.md: what copying needs)."""

    dim: int
    vocab_size: int
    subframes: int = 4
    latest_words: bool = True

    @property
    def text_streams(self) -> tuple[str, ...]:
        return (*TEXT_STREAMS, *LATEST) if self.latest_words else TEXT_STREAMS


class Embed(nn.Module):
    """Tables for sound, text, slots and phases of the clock."""

    def __init__(self, config: EmbedConfig, see: See | None = None) -> None:
        super().__init__()
        self.config = config
        dim, bands = config.dim, config.subframes * NUM_MELS
        self.mel_table = nn.Parameter(torch.randn(dim, bands * NUM_BINS) * bands**-0.5)
        self.mel_line = nn.Parameter(torch.randn(dim, bands) * bands**-0.5)
        self.mel_norm = nn.Parameter(torch.ones(dim))
        self.tokens = nn.Parameter(torch.randn(config.vocab_size, dim) * 0.5)
        # A token's vector is multiplied by its stream's: random signs keep the sum of several
        # streams' tokens separable, which adding a stream vector would not.
        self.streams = nn.Parameter(
            torch.randint(0, 2, (len(config.text_streams), dim)) * 2.0 - 1.0
        )
        self.hear_slots = nn.Parameter(torch.randn(NUM_SLOTS, dim) * 0.1)
        self.out_slots = nn.Parameter(torch.randn(NUM_SLOTS, dim) * 0.1)
        self.quiet = nn.Parameter(torch.randn(dim) * 0.1)
        self.phases = nn.ParameterList(
            [nn.Parameter(torch.randn(period, dim) * 0.1) for period in PHASE_PERIODS]
        )
        self.see = see

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

    def text(self, ids: Int[Tensor, "..."], stream: str) -> Float[Tensor, "... d"]:
        """Token ids of one stream -> vectors (fp32 or the table's type)."""
        vectors = nn.functional.embedding(ids.long(), self.tokens)
        return vectors * self.streams[self.config.text_streams.index(stream)]

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
        rest = self.text(read[..., 0], "read") + self.hear_slots
        if self.config.latest_words:
            rest = rest + self.text(read[..., 1], "latest read")
        first = nn.functional.pad(self.clock(turn).unsqueeze(2), (0, 0, 0, NUM_SLOTS - 1))
        return sound + (rest + first).to(dtype)

    def out(
        self,
        tokens: Int[Tensor, "B N R 6"],
        voice: Float[Tensor, "B N R S 80"],
        voice_on: Tensor,
        slot: int | None,
        dtype: torch.dtype,
    ) -> Float[Tensor, "B N R d"]:
        """Output slots: what the slot before emitted. `slot` names the one slot given, None
        means all four; `tokens` are heard, say, act and the newest word of each before."""
        words = self.text(tokens[..., 0], "heard")
        rest = ("say", "act", *LATEST[:3]) if self.config.latest_words else ("say", "act")
        for column, stream in enumerate(rest, start=1):
            words = words + self.text(tokens[..., column], stream)
        slots = self.out_slots if slot is None else self.out_slots[slot : slot + 1]
        return self._own_sound(voice, voice_on, dtype) + (words + slots).to(dtype)

    def _own_sound(self, voice: Tensor, voice_on: Tensor, dtype: torch.dtype) -> Tensor:
        """The model's own past voice as dMel; rows where it is silent cost nothing."""
        quiet = self.quiet.to(dtype)
        rows = quiet.expand(*voice_on.shape, -1).flatten(0, -2)
        on = voice_on.flatten().nonzero().squeeze(1)
        if len(on):
            bins = quantize_mel(voice.flatten(0, -3).index_select(0, on))
            rows = rows.index_copy(0, on, self.sound(bins, dtype))
        return rows.unflatten(0, voice_on.shape)
