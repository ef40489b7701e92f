"""The interaction model: streams in, hidden states, then tokens, the speaking gate and voice out.

One body, two doors: `forward` runs a whole session at once (training, replay), `read_input` and
`read_slot` append to a live one. Both go through the same embeddings and `Backbone.forward`, and
every op computes a row from that row alone, so the doors agree bit for bit. Knows nothing of
wall clocks, sampling policy or losses.
"""

from dataclasses import dataclass, field, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from interplay.model.backbone import Backbone, BackboneConfig
from interplay.model.embed import WORD_STD, Embed, EmbedConfig
from interplay.model.ring_cache import AnyCache
from interplay.model.see import See, SeeConfig
from interplay.model.vocoder import VocoderConfig
from interplay.model.voice import VoiceConfig, VoiceHead
from interplay.ops.linear import linear
from interplay.ops.sums import row_sum
from interplay.turns.follow import PAIRS
from interplay.turns.layout import TEXT_OUT, Places
from interplay.turns.types import PAD


@dataclass(frozen=True, kw_only=True)
class PadBias:
    """Added to the logit of the empty token, by stream, whenever the model writes.

    Training counts empty tokens by less than one (`train.losses.LossConfig.pad_weight`), so that
    words are learnt at all; who writes has to count them back: w in training is -log(w) here.
    """

    heard: float = 0.0
    say: float = 0.0
    act: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A whole interaction model. `see` is None for a model without eyes. num_follow: pairs of
    turns.follow that are read, the first ones; a config that does not tell is an early one."""

    backbone: BackboneConfig
    voice: VoiceConfig
    vocoder: VocoderConfig
    vocab_size: int = 1024
    subframes: int = 4
    num_follow: int = 5
    see: SeeConfig | None = None
    pad_bias: PadBias = field(default_factory=PadBias)


@dataclass(kw_only=True)
class Inputs:
    """`turns.layout.Laid` of B sessions as tensors (shapes there, with a leading B).

    tokens: [B, N, 4, 13], `previous.as_read()`. see_on: bool [B, N]; None: where there is `see`,
    the camera is on all the time.
    """

    hear: Tensor
    read: Tensor
    turn: Tensor
    tokens: Tensor
    voice: Tensor
    voice_on: Tensor
    see: Tensor | None = None
    see_on: Tensor | None = None

    @property
    def camera(self) -> Tensor:
        """bool [B, N]: where the camera is on."""
        if self.see is not None and self.see_on is not None:
            return self.see_on
        return torch.full(self.turn.shape, self.see is not None, device=self.turn.device)

    def of(self, sessions: Bool[Tensor, " B"]) -> "Inputs":
        """Those of some sessions alone."""
        parts = ((field.name, getattr(self, field.name)) for field in fields(self))
        return replace(self, **{k: part[sessions] for k, part in parts if part is not None})


class InteractionModel(nn.Module):
    """Embeddings, backbone, three text heads, the speaking gate and the voice heads."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.backbone.dim
        see = See(config.see) if config.see else None
        tables = EmbedConfig(
            dim=dim,
            vocab_size=config.vocab_size,
            subframes=config.subframes,
            num_follow=config.num_follow,
        )
        self.embed = Embed(tables, see)
        self.backbone = Backbone(config.backbone)
        # The words to emit begin as the words read, so that what may follow is likely from the
        # first step on: each pair of streams writes where the written stream's head looks.
        self.words = nn.Parameter(0.02 / WORD_STD * self.embed.tokens.detach())
        self.word_streams = nn.Parameter(torch.randint(0, 2, (len(TEXT_OUT), dim)) * 2.0 - 1.0)
        for role, (written, _) in zip(self.embed.follow_roles.data, PAIRS, strict=False):
            if written != "heard":  # what it is followed by elsewhere is not heard next
                role.copy_(self.word_streams.detach()[TEXT_OUT.index(written)])
        self.pad_bias: Tensor  # in the order of TEXT_OUT; of the config, so not among the weights
        self.register_buffer("pad_bias", torch.zeros(len(TEXT_OUT)), persistent=False)
        self.set_pad_bias(config.pad_bias)
        self.gate = nn.Parameter(torch.zeros(dim))
        self.gate_bias = nn.Parameter(torch.full((1,), -2.0))
        self.voice = VoiceHead(config.voice)

    def set_pad_bias(self, bias: PadBias) -> None:
        """What the empty token gains from now on, here and in the config."""
        self.config = replace(self.config, pad_bias=bias)
        self.pad_bias.copy_(torch.tensor([getattr(bias, name) for name in TEXT_OUT]))

    def set_contrast(self, contrast: float) -> None:
        """Of what the mean head says from now on, here and in the config."""
        voice = replace(self.config.voice, contrast=contrast)
        self.config, self.voice.config = replace(self.config, voice=voice), voice

    def forward(
        self, inputs: Inputs, dtype: torch.dtype
    ) -> tuple[Float[Tensor, "B N 4 d"], Float[Tensor, "B N 4 d"]]:
        """Whole sessions from position 0. Returns hidden states of the output and hear slots."""
        hear = self.embed.hear(inputs.hear, inputs.read, inputs.turn, dtype)
        out = self.embed.out(inputs.tokens, inputs.voice, inputs.voice_on, None, dtype)
        places = Places.of(inputs.camera)
        see = None if inputs.see is None else self.embed.tiles(inputs.see[inputs.camera], dtype)
        x = places.interleave(see, hear, out)
        positions = torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])
        hidden = self.backbone(x, positions, None)
        return places.take(hidden, places.out), places.take(hidden, places.hear)

    def read_input(
        self, inputs: Inputs, cache: AnyCache, slots: Tensor, dtype: torch.dtype
    ) -> None:
        """Append the input half of one micro-turn (N = 1) of each session in `slots`."""
        hear = self.embed.hear(inputs.hear, inputs.read, inputs.turn, dtype).flatten(1, 2)
        x = hear
        if inputs.see is not None:
            x = torch.cat([self.embed.tiles(inputs.see, dtype).flatten(1, 2), hear], dim=1)
        self._append(x, cache, slots)

    def read_slot(
        self,
        tokens: Int[Tensor, "b R 13"],
        voice: Float[Tensor, "b R S 80"],
        voice_on: Tensor,
        slot: int | None,
        cache: AnyCache,
        slots: Tensor,
        dtype: torch.dtype,
    ) -> Float[Tensor, "b R d"]:
        """Append output slot `slot` (R = 1) or a whole output half (`slot` None, R = 4)."""
        x = self.embed.out(
            tokens.unsqueeze(1), voice.unsqueeze(1), voice_on.unsqueeze(1), slot, dtype
        )
        return self._append(x.squeeze(1), cache, slots)

    def _append(self, x: Tensor, cache: AnyCache, slots: Tensor) -> Tensor:
        start = cache.length[slots]
        positions = start.unsqueeze(1) + torch.arange(x.shape[1], device=x.device)
        return self.backbone(x, positions, cache, slots)

    def read_text(self, ids: Int[Tensor, "B L"], dtype: torch.dtype) -> Float[Tensor, "B L d"]:
        """Hidden states of plain texts, one token per position, as a language model reads them."""
        positions = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
        return self.backbone(self.embed.text(ids).to(dtype), positions, None)

    def plain_logits(self, hidden: Float[Tensor, "... d"]) -> Float[Tensor, "... V"]:
        """Logits of the next token of a plain text."""
        return linear(hidden, self.words)

    def text_logits(self, hidden: Float[Tensor, "... d"]) -> Float[Tensor, "... 3 V"]:
        """Logits of heard, say and act: one shared table, one sign vector per stream; and the
        bias of the empty token, of which training knows nothing."""
        per_stream = hidden.unsqueeze(-2) * self.word_streams.to(hidden.dtype)
        logits = linear(per_stream, self.words)
        logits[..., PAD] += self.pad_bias.to(hidden.dtype)
        return logits

    def gate_logit(self, hidden: Float[Tensor, "... d"]) -> Float[Tensor, "..."]:
        """Above zero: the voice is on for these 50 ms."""
        return row_sum(hidden.float() * self.gate.float()) + self.gate_bias.float()

    def say_vectors(self, say: Int[Tensor, " rows"], dtype: torch.dtype) -> Tensor:
        """Embedding of the word token just emitted, the voice heads' second input."""
        return self.embed.text(say).to(dtype)
