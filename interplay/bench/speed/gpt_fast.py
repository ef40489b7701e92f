"""The same weights in plain PyTorch as gpt-fast shows it: the baseline that a GPU has to beat.

One stream, a static cache that is written in place at the row's position, one fused attention over
all of it with a mask, experts gathered by number; the single step is compiled with CUDA graphs
(`mode="reduce-overhead"`). https://github.com/pytorch-labs/gpt-fast describes the design. Knows
nothing of how it is timed.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from interplay.bench.speed.workload import Workload
from interplay.model.backbone import rope_tables


class GptFast:
    """compiled: whether single rows go through torch.compile; several rows never do.

    max_positions: how long a session may get. Without a shared expert.
    """

    def __init__(self, work: Workload, max_positions: int, *, compiled: bool = False) -> None:
        self.work, self.config = work, work.config
        cfg, like = self.config, work.head
        shape = (cfg.num_layers, 2, cfg.num_kv_heads, max_positions, cfg.head_dim)
        self.cache = torch.zeros(shape, dtype=like.dtype, device=like.device)
        self.at = torch.arange(max_positions, device=like.device)
        cos, sin = rope_tables(self.at[None], cfg.head_dim, cfg.rope_theta)
        self.rope = cos[0], sin[0]
        self.step: Callable[[Tensor, Tensor], Tensor] = self._logits
        if compiled:
            for kept in (self.cache, self.at, *self.rope, like):  # graphs read them where they are
                torch._dynamo.mark_static_address(kept)
            self.step = torch.compile(self._logits, mode="reduce-overhead", fullgraph=True)
        self.reset()

    def reset(self) -> None:
        self.length = 0

    @torch.inference_mode()
    def append(self, rows: Float[Tensor, "r dim"]) -> Float[Tensor, " vocab"]:
        at = self.at[self.length : self.length + len(rows)]
        self.length += len(rows)
        return (self.step if len(rows) == 1 else self._logits)(rows, at)

    def _logits(self, x: Tensor, at: Tensor) -> Tensor:
        """rows [r, dim] at positions [r] -> logits behind the last of them [vocab]."""
        eps, backbone = self.config.norm_eps, self.work.backbone
        layers: Any = backbone.layers
        keys = self.at[None]
        seen = (keys <= at[:, None]) & (keys > at[:, None] - self.config.window)
        for cache, layer in zip(self.cache, layers, strict=True):
            x = x + self._attend(
                layer.attention, _norm(x, layer.attention_norm, eps), at, seen, cache
            )
            x = x + self._feed_forward(layer.ff, _norm(x, layer.ff_norm, eps))
        return F.linear(_norm(x[-1], backbone.norm, eps), self.work.head)

    def _attend(self, weights, x: Tensor, at: Tensor, seen: Tensor, cache: Tensor) -> Tensor:
        cfg = self.config
        heads = F.linear(x, weights.qkv).view(len(x), -1, cfg.head_dim).transpose(0, 1)
        q, k, v = heads.split([cfg.num_heads, cfg.num_kv_heads, cfg.num_kv_heads])
        q, k = (
            self._rotate(_norm(part, scale, cfg.norm_eps), at)
            for part, scale in ((q, weights.q_norm), (k, weights.k_norm))
        )
        cache[0].index_copy_(1, at, k)
        cache[1].index_copy_(1, at, v)
        out = F.scaled_dot_product_attention(
            q[None], cache[0][None], cache[1][None], attn_mask=seen, enable_gqa=True
        )
        return F.linear(out[0].transpose(0, 1).flatten(1), weights.out)

    def _rotate(self, x: Tensor, at: Tensor) -> Tensor:
        cos, sin = (table[at] for table in self.rope)
        first, second = x.float().chunk(2, dim=-1)
        turned = torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
        return turned.to(x.dtype)

    def _feed_forward(self, weights, x: Tensor) -> Tensor:
        if not self.config.num_experts:
            return F.linear(_swiglu(F.linear(x, weights.gate_up)), weights.down)
        scores = F.linear(x.float(), weights.router.float()).softmax(-1)
        share, chosen = scores.topk(self.config.num_experts_per_token)
        share = (share / share.sum(-1, keepdim=True)).to(x.dtype)
        hidden = _swiglu(torch.einsum("rd,rkfd->rkf", x, weights.gate_up[chosen]))
        return torch.einsum("rkf,rkdf,rk->rd", hidden, weights.down[chosen], share)


def _norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return F.rms_norm(x, weight.shape, weight, eps)


def _swiglu(x: Tensor) -> Tensor:
    gate, up = x.chunk(2, dim=-1)
    return F.silu(gate) * up
