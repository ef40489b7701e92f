"""How weights move: Muon for matrices, AdamW for the rest, the learning-rate curve, the average.

Knows nothing of losses or batches.
"""

# pyright: reportPrivateImportUsage=false
# (torch has no public names for its list operations)

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024, steepest at zero
NUM_NEWTON_SCHULZ = 5
# Matrices between hidden states; embeddings and heads are AdamW's, as is usual with Muon.
HIDDEN = ("backbone.", "see.", "embed.see.")
MOST_AT_ONCE = 5  # matrices orthogonalised in one batched product


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Learning rates are peaks; the curve is warm-up, level, then linear to `final` of the peak.

    warmup_steps counts steps; decay_share is the last part of the run's progress.
    """

    muon_lr: float = 0.01
    muon_momentum: float = 0.95
    muon_decay: float = 0.1
    adam_lr: float = 2e-3
    adam_betas: tuple[float, float] = (0.9, 0.98)
    adam_decay: float = 0.0
    warmup_steps: int = 60
    decay_share: float = 0.5
    final: float = 0.02
    clip_norm: float = 1.0
    average: float = 0.997


def rate(step: int, progress: float, config: OptimConfig) -> float:
    """Factor on the learning rates at `step` (from 0) of a run that has come to `progress`."""
    warm = min(1.0, (step + 1) / config.warmup_steps)
    left = min(1.0, (1.0 - progress) / config.decay_share)
    return warm * (config.final + (1.0 - config.final) * left)


def has_bfloat16(device: torch.device) -> bool:
    """Whether it multiplies bfloat16 natively."""
    return device.type == "cuda" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def orthogonalize(updates: Tensor) -> Tensor:
    """[k, m, n] matrices, m <= n -> nearly orthogonal ones with the same singular vectors.

    Newton-Schulz (Jordan et al. 2024), in bfloat16 where that is native, for it is 20 times slower
    than fp32 where it is not: singular values end in about 0.7 ... 1.2.
    """
    a, b, c = NEWTON_SCHULZ
    x = updates.bfloat16() if has_bfloat16(updates.device) else updates.float()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(NUM_NEWTON_SCHULZ):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def split_rows(name: str, weight: Tensor, kv_rows: int) -> list[int]:
    """Row counts of the matrices that the weight called `name` is fused from.

    kv_rows: rows of keys (and of values) in a fused query-key-value weight. A weight of many
    experts counts as their matrices one below the other.
    """
    kind = name.rsplit(".", 1)[-1]
    if weight.ndim == 3:
        return split_rows(name, weight[0], kv_rows) * len(weight)
    if kind == "qkv":
        return [len(weight) - 2 * kv_rows, kv_rows, kv_rows]
    if kind in ("gate_up", "modulate"):
        return [len(weight) // 2] * 2
    return [len(weight)]


def is_matrix(name: str, weight: Tensor) -> bool:
    """Whether Muon moves it: a matrix between hidden states, in no table and no head."""
    return weight.ndim in (2, 3) and name.startswith(HIDDEN)


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; equal shapes are done together in one batched product.

    As torch.optim.Muon with its "original" scale, lr * sqrt(max(1, rows / columns)), except that
    a fused weight is taken apart and that matrices lie flat while they are orthogonalised.
    params: groups with `params` (weights) and `splits` (one list of row counts per weight).
    pool: threads that share the work; None keeps it in the caller's.
    """

    def __init__(
        self,
        params: list[dict],
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        pool: Executor | None = None,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self._map = pool.map if pool else map

    @torch.no_grad()
    def step(self, closure=None) -> None:  # type: ignore[override]
        assert closure is None
        for group in self.param_groups:
            self._step_group(group)

    def _step_group(self, group: dict) -> None:
        weights = [w for w in group["params"] if w.grad is not None]
        if not weights:
            return  # they rest (train.warm)
        splits = [
            s for w, s in zip(group["params"], group["splits"], strict=True) if w.grad is not None
        ]
        for w in weights:
            if not self.state[w]:
                self.state[w]["momentum"] = torch.zeros_like(w)
        momenta = [self.state[w]["momentum"] for w in weights]
        grads: list[Tensor] = [w.grad for w in weights]  # type: ignore[misc]
        torch._foreach_lerp_(momenta, grads, 1 - group["momentum"])
        updates = torch._foreach_lerp(grads, momenta, group["momentum"])
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        same: dict[tuple[int, int], list[tuple[Tensor, Tensor, slice]]] = {}
        for target, part, kept in self._parts(weights, updates, splits):
            shape = (min(part.shape), max(part.shape))
            same.setdefault(shape, []).append((target, part, kept))
        starts = [
            (pairs, at) for pairs in same.values() for at in range(0, len(pairs), MOST_AT_ONCE)
        ]
        jobs = [pairs[at : at + MOST_AT_ONCE] for pairs, at in starts]
        list(self._map(self._move, jobs, [group["lr"]] * len(jobs)))

    def _parts(
        self, weights: list[Tensor], updates: Sequence[Tensor], splits: list[list[int]]
    ) -> Iterator[tuple[Tensor, Tensor, slice]]:
        """For each matrix that weights are fused from: what moves, the update, and those of its
        rows that move it."""
        for weight, update, rows in zip(weights, updates, splits, strict=True):
            flat = (x.flatten(0, -2).split(rows) for x in (weight, update))
            for target, part in zip(*flat, strict=True):
                yield target, part, slice(None)

    @staticmethod
    @torch.no_grad()
    def _move(parts: list[tuple[Tensor, Tensor, slice]], lr: float) -> None:
        flat = [part if part.shape[0] <= part.shape[1] else part.mT for _, part, _ in parts]
        moves = orthogonalize(torch.stack(flat))
        for (target, part, kept), move in zip(parts, moves, strict=True):
            rows, columns = part.shape
            # as float32 first: then a few of the rows are added by the same loop as all of them
            move = (move if rows <= columns else move.mT).to(target.dtype)
            target.add_(move[kept], alpha=-lr * math.sqrt(max(1.0, rows / columns)))


class Optimizer:
    """Both optimizers over named weights, gradient clipping and learning-rate factors.

    old: names of weights that have a factor of their own (train.warm).
    """

    def __init__(
        self,
        named: Iterable[tuple[str, nn.Parameter]],
        config: OptimConfig,
        *,
        kv_rows: int,
        pool: Executor | None = None,
        old: Collection[str] = (),
    ) -> None:
        self.config = config
        named = list(named)
        self.weights = [weight for _, weight in named]
        matrices = [(name, weight) for name, weight in named if is_matrix(name, weight)]
        chosen = {name for name, _ in matrices}
        group = {
            "params": [weight for _, weight in matrices],
            "splits": [split_rows(name, self._whole(weight), kv_rows) for name, weight in matrices],
        }
        self.muon = self._make_muon(
            group,
            lr=config.muon_lr,
            momentum=config.muon_momentum,
            weight_decay=config.muon_decay,
            pool=pool,
        )
        rest = [(name, weight) for name, weight in named if name not in chosen]
        self._muon_is_old = bool(chosen & set(old))
        self._adam_is_old = [
            is_old for is_old in (False, True) if any((name in old) == is_old for name, _ in rest)
        ]
        self.adam = torch.optim.AdamW(
            [
                {"params": [weight for name, weight in rest if (name in old) == is_old]}
                for is_old in self._adam_is_old
            ],
            lr=config.adam_lr,
            betas=config.adam_betas,
            weight_decay=config.adam_decay,
            fused=True,
        )

    def _whole(self, weight: Tensor) -> Tensor:
        """A tensor of the shape that the weight has on all processes together."""
        return weight

    def _make_muon(self, group: dict, **settings) -> Muon:
        return Muon([group], **settings)

    def step(self, factor: float, old_factor: float = 1.0) -> float:
        """One step at `factor` times the peak rates, of old weights `old_factor` times that;
        clears gradients, returns their norm."""
        norm = self._clip()
        old = factor * old_factor
        muon_factor = old if self._muon_is_old else factor
        self.muon.param_groups[0]["lr"] = muon_factor * self.config.muon_lr
        for group, is_old in zip(self.adam.param_groups, self._adam_is_old, strict=True):
            group["lr"] = (old if is_old else factor) * self.config.adam_lr
        self.muon.step()
        self.adam.step()
        moved = [weight for group in self.adam.param_groups for weight in group["params"]]
        torch.autograd.graph.increment_version(moved)  # the fused step does not; packed copies ask
        for weight in self.weights:
            weight.grad = None
        return norm

    def _clip(self) -> float:
        """Scale gradients down to the greatest norm allowed; returns what it was."""
        return float(nn.utils.clip_grad_norm_(self.weights, self.config.clip_norm))

    def state_dict(self) -> dict:
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])


class Average:
    """Exponential moving average of weights; young averages forget faster."""

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]], decay: float) -> None:
        self.decay = decay
        self._live = dict(named)
        self.values = {name: weight.detach().clone() for name, weight in self._live.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the live weights after `step` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.values.values()), list(self._live.values()), 1 - decay)

    @torch.no_grad()
    def load(self, values: dict[str, Tensor]) -> None:
        for name, value in self.values.items():
            value.copy_(values[name])
