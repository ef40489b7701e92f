"""The transformer, with the semantics of Qwen3. Knows nothing of streams, tokens or sound.

One body of code for both uses: training passes whole sequences and no cache, serving passes the
rows of one micro-turn and a cache. Every operation computes a row by a recipe that does not
depend on the other rows, so both give the same bits (docs/numerics.md).
"""

from dataclasses import dataclass
from functools import cache as kept
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interplay.errors import ConfigError
from interplay.model.cache import Append, Cache
from interplay.model.feed_forward import FeedForward
from interplay.model.few_pass import few_pass
from interplay.model.moe import MoeFeedForward
from interplay.model.ring_cache import AnyCache, RingAppend, RingCache
from interplay.ops.attention import BLOCK, attend, attend_windowed
from interplay.ops.few_layers import StackShape
from interplay.ops.kernels import kernels_on
from interplay.ops.linear import linear
from interplay.ops.norm import add_and_norm, norm_and_rotate, rms_norm
from interplay.ops.ring import attend_whole

Past = Append | RingAppend
LANES = 64  # widths are multiples of it, so that no vector loop has a scalar tail


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """Shape of a backbone. Positions see `window` positions back and the first `prefix` ones.

    num_experts = 0 is a dense feed-forward of `ff_dim`; otherwise each position passes through
    `num_experts_per_token` experts of `expert_ff_dim`, and a shared one if `shared_ff_dim` > 0.
    """

    dim: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    ff_dim: int = 0
    head_dim: int = 64
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-6
    window: int = 1024
    prefix: int = 0
    num_experts: int = 0
    num_experts_per_token: int = 2
    expert_ff_dim: int = 0
    shared_ff_dim: int = 0

    def __post_init__(self):
        widths = {"dim": self.dim, "head_dim": self.head_dim}
        if self.num_experts:
            widths["expert_ff_dim"] = self.expert_ff_dim
            widths["shared_ff_dim"] = self.shared_ff_dim or LANES
        else:
            widths["ff_dim"] = self.ff_dim
        for name, width in widths.items():
            if width <= 0 or width % LANES:
                raise ConfigError(f"{name} is {width}; it must be a positive multiple of {LANES}")
        if self.num_kv_heads < 1 or self.num_heads % self.num_kv_heads:
            raise ConfigError(
                f"num_heads is {self.num_heads}; it must be a multiple of num_kv_heads, "
                f"{self.num_kv_heads}"
            )
        if self.window <= 0 or self.window % BLOCK:
            raise ConfigError(f"window is {self.window}; it must be a positive multiple of {BLOCK}")
        if self.prefix < 0:
            raise ConfigError(f"prefix is {self.prefix}; it must be 0 or more positions")
        if self.num_experts and not 1 <= self.num_experts_per_token <= self.num_experts:
            raise ConfigError(
                f"num_experts_per_token is {self.num_experts_per_token}; it must be 1 to "
                f"num_experts, {self.num_experts}"
            )

    @cached_property
    def stack_shape(self) -> StackShape:
        """What the layers are to `ops.few_layers`."""
        return StackShape(
            dim=self.dim,
            num_heads=self.num_heads,
            num_kv_heads=self.num_kv_heads,
            head_dim=self.head_dim,
            ff_dim=self.expert_ff_dim if self.num_experts else self.ff_dim,
            eps=self.norm_eps,
            num_experts=self.num_experts,
            num_chosen=self.num_experts_per_token if self.num_experts else 0,
            shared_ff_dim=self.shared_ff_dim if self.num_experts else 0,
        )


def rope_tables(
    positions: Int[Tensor, "b r"], head_dim: int, theta: float
) -> tuple[Float[Tensor, "b r half"], Float[Tensor, "b r half"]]:
    """Cosines and sines, fp32, of angles computed in float64: positions grow for hours."""
    angles = positions[..., None].double() * _frequencies(head_dim, theta, positions.device)
    return angles.cos().float(), angles.sin().float()


@kept
def _frequencies(head_dim: int, theta: float, device: torch.device) -> Float[Tensor, " half"]:
    """Radians per position, float64."""
    with torch.inference_mode(mode=False):  # a tensor that training may use, too
        exponents = torch.arange(0, head_dim, 2, dtype=torch.float64, device=device)
        return theta ** (-exponents / head_dim)


class Attention(nn.Module):
    """Grouped-query attention with a norm on every query and key head."""

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.config = config
        heads, kv_heads, head_dim = config.num_heads, config.num_kv_heads, config.head_dim
        self.qkv = nn.Parameter(torch.empty((heads + 2 * kv_heads) * head_dim, config.dim))
        self.out = nn.Parameter(torch.empty(config.dim, heads * head_dim))
        self.q_norm = nn.Parameter(torch.ones(head_dim))
        self.k_norm = nn.Parameter(torch.ones(head_dim))

    def forward(self, x, rope, layer: int, past: Past | None):
        """x [b, r, dim] -> [b, r, dim]."""
        cfg = self.config
        b, r, _ = x.shape
        cos, sin = rope
        qkv = linear(x, self.qkv).view(b, r, -1, cfg.head_dim)
        qk, v = qkv.split([cfg.num_heads + cfg.num_kv_heads, cfg.num_kv_heads], dim=2)
        norms = self.q_norm.expand(cfg.num_heads, -1), self.k_norm.expand(cfg.num_kv_heads, -1)
        qk = norm_and_rotate(qk, torch.cat(norms), cos, sin, cfg.norm_eps).transpose(1, 2)
        q, k = qk.split([cfg.num_heads, cfg.num_kv_heads], dim=1)
        v = v.transpose(1, 2)
        if past is not None:
            out = past.attend(layer, q, k, v)
        elif kernels_on(q):
            out = attend_whole(q, k, v, window=cfg.window, prefix=cfg.prefix)
        elif r > cfg.window:
            out = attend_windowed(q, k, v, window=cfg.window, prefix=cfg.prefix)
        else:
            out = attend(q, k, v, None)
        return linear(out.transpose(1, 2).reshape(b, r, -1), self.out)


def make_feed_forward(config: BackboneConfig) -> nn.Module:
    """The dense block or the mixture of experts that `config` asks for."""
    if not config.num_experts:
        return FeedForward(config.dim, config.ff_dim)
    return MoeFeedForward(
        config.dim,
        config.expert_ff_dim,
        num_experts=config.num_experts,
        num_chosen=config.num_experts_per_token,
        shared_ff_dim=config.shared_ff_dim,
    )


class Layer(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.eps = config.norm_eps
        self.attention_norm = nn.Parameter(torch.ones(config.dim))
        self.attention = Attention(config)
        self.ff_norm = nn.Parameter(torch.ones(config.dim))
        self.ff = make_feed_forward(config)

    def forward(self, x, rope, layer: int, past: Past | None):
        """x [b, r, dim] -> [b, r, dim]."""
        normed = rms_norm(x, self.attention_norm, self.eps)
        branch = self.attention(normed, rope, layer, past)
        x, normed = add_and_norm(x, branch, self.ff_norm, self.eps)
        return x + self.ff(normed)


class Backbone(nn.Module):
    """A stack of layers and a final norm.

    zero_init_outputs: start every layer as the identity, which trains faster from nothing.
    """

    def __init__(self, config: BackboneConfig, *, zero_init_outputs: bool = True):
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.norm = nn.Parameter(torch.ones(config.dim))
        self.reset_parameters(zero_init_outputs)

    def reset_parameters(self, zero_init_outputs: bool = True) -> None:
        """Normal with variance 1 / fan-in for matrices; norms stay 1."""
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                continue
            is_output = name.endswith((".out", ".down"))
            std = 0.0 if zero_init_outputs and is_output else parameter.shape[-1] ** -0.5
            nn.init.normal_(parameter, std=std)

    def new_cache(self, num_slots: int, dtype: torch.dtype | None = None) -> AnyCache:
        """Empty arenas (on a GPU rings) for `num_slots` sessions; of the model's dtype if None."""
        cfg = self.config
        kind = Cache if self.norm.device.type == "cpu" else RingCache
        return kind(
            num_layers=cfg.num_layers,
            num_slots=num_slots,
            num_kv_heads=cfg.num_kv_heads,
            head_dim=cfg.head_dim,
            window=cfg.window,
            prefix=cfg.prefix,
            dtype=dtype or self.norm.dtype,
            device=self.norm.device,
        )

    def forward(
        self,
        x: Float[Tensor, "b r dim"],
        positions: Int[Tensor, "b r"],
        cache: AnyCache | None = None,
        slots: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b r dim"]:
        """Hidden states, after the final norm, of rows at absolute `positions`.

        Without a cache the rows are whole sequences, each from its first position on. With one
        they follow what the cache holds in `slots` (all by default), and the cache advances.
        """
        if cache is None:
            return self._run(x, positions, None)
        pieces = []
        for part, at in zip(
            x.split(cache.max_rows, dim=1), positions.split(cache.max_rows, dim=1), strict=True
        ):
            past = cache.append(part.shape[1], slots)
            pieces.append(self._run(part, at, past))
            past.commit()
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)

    def _run(self, x: Tensor, positions: Tensor, past: Past | None):
        cfg = self.config
        rope = rope_tables(positions, cfg.head_dim, cfg.rope_theta)
        if isinstance(past, Append):
            out = few_pass(self.layers, self.norm, cfg.stack_shape, x, rope, past)
            if out is not None:
                return out
        for index, layer in enumerate(self.layers):
            x = layer(x, rope, index, past)
        return rms_norm(x, self.norm, cfg.norm_eps)
