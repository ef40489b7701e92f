"""The vision tower: a pair of 40x40 tiles -> one vector. Knows nothing of cameras or positions.

The hMLP of the open Inkling release (after Touvron et al. 2022, arXiv 2203.09795): each layer
folds neighbouring pixels, at last the two moments, into channels and mixes the channels. Tiles
never see each other here; that is the transformer's work.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from interplay.errors import ConfigError
from interplay.ops.linear import linear
from interplay.ops.norm import rms_norm

FOLDS = ((1, 5), (1, 2), (1, 4), (2, 1))  # (moments, pixels per side) that each layer folds
WIDTHS = {
    "inkling": (128, 320, 4800),  # as released; 24.7 M weights below the last layer
    "narrow": (64, 160, 384),  # for small models: 1.0 M
}
NORM_EPS = 1e-6
# Of CLIP's training images (Radford et al. 2021), as Inkling uses them.
RGB_MEAN = (0.48145466, 0.4578275, 0.40821073)
RGB_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class SeeConfig:
    """dim: width of the vector per tile pair. widths: "narrow" or "inkling"."""

    dim: int
    widths: str = "narrow"

    def __post_init__(self) -> None:
        if self.widths not in WIDTHS:
            raise ConfigError(
                f"unknown see widths {self.widths!r}; the widths are {', '.join(WIDTHS)}"
            )
        if self.dim < 1:
            raise ConfigError(f"see dim is {self.dim}; it must be at least 1")


def fold(
    x: Float[Tensor, "n t h w c"], moments: int, pixels: int
) -> Float[Tensor, "n t2 h2 w2 folded"]:
    """Blocks of `moments` x `pixels` x `pixels` become channels, in the order (t, h, w, c)."""
    n, t, h, w, c = x.shape
    x = x.reshape(n, t // moments, moments, h // pixels, pixels, w // pixels, pixels, c)
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).flatten(4)


class FoldLayer(nn.Module):
    """Fold, mix the channels, norm and (but for the last layer) GELU."""

    def __init__(
        self, dim_in: int, dim_out: int, *, moments: int, pixels: int, activate: bool
    ) -> None:
        super().__init__()
        self.moments, self.pixels, self.activate = moments, pixels, activate
        dim_folded = dim_in * moments * pixels * pixels
        self.weight = nn.Parameter(torch.randn(dim_out, dim_folded) * dim_folded**-0.5)
        self.norm = nn.Parameter(torch.ones(dim_out))

    def forward(self, x: Float[Tensor, "n t h w c"]) -> Float[Tensor, "n t2 h2 w2 d"]:
        x = linear(fold(x, self.moments, self.pixels), self.weight)
        x = rms_norm(x, self.norm, NORM_EPS)
        return F.gelu(x) if self.activate else x


class See(nn.Module):
    """Tile pairs -> vectors; rows (tile pairs) do not depend on each other, bit for bit."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: SeeConfig) -> None:
        super().__init__()
        self.config = config
        dims = (3, *WIDTHS[config.widths], config.dim)
        last = len(FOLDS) - 1
        self.layers = nn.Sequential(
            *(
                FoldLayer(dims[i], dims[i + 1], moments=t, pixels=h, activate=i < last)
                for i, (t, h) in enumerate(FOLDS)
            )
        )
        self.register_buffer("mean", torch.tensor(RGB_MEAN), persistent=False)
        self.register_buffer("std", torch.tensor(RGB_STD), persistent=False)

    def forward(
        self, tiles: UInt8[Tensor, "*lead 2 40 40 3"], dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "*lead dim"]:
        """RGB tile pairs (earlier moment first) -> RMS-normalised vectors.

        dtype: the type to compute in; the same when training and serving, or bits differ.
        """
        x = self.pixels(tiles.reshape(-1, *tiles.shape[-4:]), dtype)
        return self.layers(x).view(*tiles.shape[:-4], self.config.dim)

    def pixels(
        self, tiles: UInt8[Tensor, "*lead 40 40 3"], dtype: torch.dtype
    ) -> Float[Tensor, "*lead 40 40 3"]:
        """What the first layer gets: colours of about mean 0 and variance 1."""
        return ((tiles.float() / 255 - self.mean.float()) / self.std.float()).to(dtype)

    def film(
        self, frames: UInt8[Tensor, "films moments tiles 40 40 3"], dtype: torch.dtype
    ) -> Float[Tensor, "films pairs tiles dim"]:
        """The vectors of every two moments that follow each other, the bits of `forward`, for half
        of its work: what is done with one moment alone is done once."""
        films, moments = frames.shape[:2]
        x = self._moments(frames.flatten(0, 1), dtype).unflatten(0, (films, moments))
        return self._paired(x[:, :-1], x[:, 1:])

    def in_a_row(
        self, pairs: UInt8[Tensor, "rows tiles 2 40 40 3"], dtype: torch.dtype
    ) -> Float[Tensor, "rows tiles dim"]:
        """As `forward`, for rows of which most begin with the moment that the row before ended
        with: that moment is looked at once."""
        follows = (pairs[1:, :, 0] == pairs[:-1, :, 1]).flatten(1).all(1)
        others = torch.cat([follows.new_ones(1), ~follows]).nonzero().squeeze(1)
        x = self._moments(torch.cat([pairs[:, :, 1], pairs[others, :, 0]]), dtype)
        before = torch.arange(-1, len(pairs) - 1, device=pairs.device)
        before[others] = torch.arange(len(pairs), len(x), device=pairs.device)
        return self._paired(x[before], x[: len(pairs)])

    def _moments(
        self, tiles: UInt8[Tensor, "rows tiles 40 40 3"], dtype: torch.dtype
    ) -> Float[Tensor, "rows tiles width"]:
        """All layers but the last, which alone looks at two moments."""
        x = self.layers[:-1](self.pixels(tiles.flatten(0, 1).unsqueeze(1), dtype))
        return x.view(*tiles.shape[:2], -1)

    def _paired(self, before: Tensor, now: Tensor) -> Tensor:
        pairs = torch.stack([before, now], dim=-2).view(-1, 2, 1, 1, now.shape[-1])
        return self.layers[-1](pairs).view(*now.shape[:-1], self.config.dim)
