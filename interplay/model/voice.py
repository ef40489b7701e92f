"""From a hidden state and the word being said to 50 ms of mel: a mean head and a flow head.

Knows nothing of attention, tokens' meaning or waveforms. Values are log10 mel, normalised by the
own voice's statistics inside. The mean head is a plain regression (L1); the flow head moves
N(mean, 0.5^2) onto the mel by flow matching (Lipman et al. 2022, arXiv 2210.02747) with the
mean as its prior, as in FELLE (arXiv 2502.11128).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.media.dmel import NUM_MELS
from interplay.ops.activation import silu
from interplay.ops.linear import linear
from interplay.ops.norm import rms_norm

PRIOR_STD = 0.5
NUM_FLOW_STEPS = 4
NUM_TIME_FEATURES = 32


@dataclass(frozen=True, kw_only=True)
class VoiceConfig:
    """Widths of the heads; `sampler` says which of them speaks: `mean` or `flow`.

    contrast: what the mean head says is moved away from the average of the voice by this factor. A
    regression is flatter than speech is ("global variance", Toda and Tokuda 2007); training does
    not see it.
    """

    dim: int
    subframes: int = 4
    mean_dim: int = 1024
    flow_dim: int = 256
    num_flow_layers: int = 3
    sampler: str = "mean"
    contrast: float = 1.0


def _weight(rows: int, columns: int, gain: float = 1.0) -> nn.Parameter:
    return nn.Parameter(torch.randn(rows, columns) * gain * columns**-0.5)


class FlowLayer(nn.Module):
    """Residual MLP whose normalised input is scaled and shifted by the condition (adaLN)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.Parameter(torch.ones(dim))
        self.modulate = nn.Parameter(torch.zeros(2 * dim, dim))
        self.up = _weight(dim, dim)
        self.down = nn.Parameter(torch.zeros(dim, dim))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = linear(condition, self.modulate).chunk(2, dim=-1)
        y = rms_norm(x, self.norm, 1e-6) * (1 + scale) + shift
        return x + linear(silu(linear(y, self.up)), self.down)


class VoiceHead(nn.Module):
    """Mean and flow heads over S sub-frames x 80 bands."""

    def __init__(self, config: VoiceConfig) -> None:
        super().__init__()
        self.config = config
        dim, flow = config.dim, config.flow_dim
        frame = config.subframes * NUM_MELS
        self.mel_mean: Tensor
        self.mel_std: Tensor
        self.register_buffer("mel_mean", torch.full((NUM_MELS,), -3.0))
        self.register_buffer("mel_std", torch.ones(NUM_MELS))
        self.mean_in = _weight(config.mean_dim, 2 * dim)
        self.mean_out = _weight(frame, config.mean_dim, 0.1)
        self.flow_in = _weight(flow, frame)
        self.flow_condition = _weight(flow, 2 * dim + frame + 2 * NUM_TIME_FEATURES)
        self.flow_layers = nn.ModuleList(FlowLayer(flow) for _ in range(config.num_flow_layers))
        self.flow_out = nn.Parameter(torch.zeros(frame, flow))

    def normalize(self, mel: Float[Tensor, "... 80"]) -> Float[Tensor, "... 80"]:
        return (mel - self.mel_mean) / self.mel_std

    def denormalize(self, frames: Float[Tensor, "... 80"]) -> Float[Tensor, "... 80"]:
        return frames * self.mel_std + self.mel_mean

    def mean(
        self, hidden: Float[Tensor, "rows d"], say: Float[Tensor, "rows d"]
    ) -> Float[Tensor, "rows SM"]:
        """Normalised mel of the slot, S * 80 values, fp32."""
        inner = silu(linear(torch.cat([hidden, say], -1), self.mean_in))
        return linear(inner, self.mean_out).float()

    def velocity(
        self,
        x: Float[Tensor, "rows SM"],
        time: Float[Tensor, "rows 1"],
        hidden: Float[Tensor, "rows d"],
        say: Float[Tensor, "rows d"],
        recent: Float[Tensor, "rows SM"],
    ) -> Float[Tensor, "rows SM"]:
        """Flow field at `time` in [0, 1]; `recent` is the clean slot before (zeros: none)."""
        dtype = hidden.dtype
        features = torch.cat([hidden, say, recent.to(dtype), _time_features(time).to(dtype)], -1)
        condition = silu(linear(features, self.flow_condition))
        y = linear(x.to(dtype), self.flow_in) + condition
        for layer in self.flow_layers:
            y = layer(y, condition)
        return linear(silu(y), self.flow_out).float()

    def sample(
        self,
        mean: Float[Tensor, "rows SM"],
        hidden: Float[Tensor, "rows d"],
        say: Float[Tensor, "rows d"],
        before: Callable[[], tuple[Float[Tensor, "rows SM"], Float[Tensor, "rows SM"]]],
    ) -> Float[Tensor, "rows S 80"]:
        """log10 mel of the slot by the configured sampler, from what `mean` returned.

        before: gives the clean slot before (zeros: none) and standard normal noise, asked for by
        the flow head only.
        """
        if self.config.sampler == "mean":
            frames = mean * self.config.contrast
        else:
            recent, noise = before()
            frames = mean + PRIOR_STD * noise
            for k in range(NUM_FLOW_STEPS):
                time = torch.full_like(frames[:, :1], k / NUM_FLOW_STEPS)
                step = self.velocity(frames, time, hidden, say, recent)
                frames = frames + step / NUM_FLOW_STEPS
        return self.denormalize(frames.unflatten(-1, (-1, NUM_MELS)))


def _time_features(time: Float[Tensor, "rows 1"]) -> Float[Tensor, "rows F"]:
    octaves = torch.arange(NUM_TIME_FEATURES, device=time.device)
    angles = time.float() * torch.exp2(octaves * (8 / NUM_TIME_FEATURES))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
