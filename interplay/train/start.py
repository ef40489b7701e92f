"""Going on from a trained model, into one that may be wider and deeper and begins as the old was.

Function-preserving growth (Net2Net, Chen et al. 2015, arXiv 1511.05641; for transformers Gesmundo
and Maile 2023, arXiv 2308.06103): old weights fill their places in the new ones. What writes to
the residual stream or is a summand begins at zero where it is new (but for words that the layout
tells it and the old model did not read); what reads keeps its random start, so that both learn from
the first step on. Norms over a wider row are scaled down to the old values; new layers stand
between old ones and begin as the identity. Knows nothing of files or optimizers.
"""

import re
from collections.abc import Collection
from dataclasses import replace

import torch
from torch import Tensor

from interplay.errors import ConfigError
from interplay.model.backbone import BackboneConfig
from interplay.model.interaction import InteractionModel

WRITES = (
    *("mel_table", "mel_line", "tokens", "tags", "hear_slots", "out_slots", "quiet", "phases"),
    *("tile_places", "out", "down", "mean_out"),
)
NORMS = ("mel_norm", "attention_norm", "ff_norm", "norm")  # over the residual stream
# Of words that the old model did not read. A factor near zero learns too slowly to be noticed by
# what reads it: 0.6 of the 14 that it might be after 1,200 steps (docs/log.md).
NEW_ROLE = 0.5
LAYER = re.compile(r"backbone\.layers\.(\d+)\.")
EYES = re.compile(r"embed\.(see\.|tile_places)")


@torch.no_grad()
def start_from(model: InteractionModel, old: InteractionModel) -> list[str]:
    """Fill `model`, untrained, with the weights of `old`; returns the names of those that grew.
    Eyes that the old model lacks begin untrained; without a camera they change nothing.

    Raises ConfigError where a weight is missing or smaller than the old, or where old heads would
    no longer share the keys that they share.
    """
    new_config, old_config = model.config.backbone, old.config.backbone
    _check_heads(new_config, old_config)
    target = model.state_dict()
    grown = []
    for name, value in old.state_dict().items():
        at = _new_name(name, old_config.num_layers, new_config.num_layers)
        into = target.pop(at, None)
        if into is None or into.ndim != value.ndim or not _fits(value, into):
            seen = "is not there" if into is None else f"has shape {list(into.shape)}"
            raise ConfigError(
                f"cannot start from these weights: {name} has shape {list(value.shape)} and "
                f"{seen} in the new model; start from a model that is no larger"
            )
        if into.shape != value.shape:
            grown.append(at)
            value = _prepare(at, value, into, old_config.dim / new_config.dim)
        into[_places(at, value, into, old_config, new_config)] = value
        if _kind(at) == "follow_roles":
            into[len(value) :] *= NEW_ROLE
    new = {name: LAYER.match(name) or EYES.match(name) for name in target}
    if missing := [name for name, match in new.items() if not match]:
        raise ConfigError(f"cannot start from these weights: they lack {min(missing)}")
    return grown + sorted({match[0] + "*" for match in new.values() if match})


def learnt_anew(model: InteractionModel, old: InteractionModel, *, eyes: bool) -> list[str]:
    """Names of the weights of `model` that have nothing to go back to when it began as `old`: eyes,
    if they are new, and how words are read that `old` did not read."""
    reads_more = model.config.num_follow > old.config.num_follow
    return [
        name
        for name, _ in model.named_parameters()
        if (eyes and EYES.match(name)) or (reads_more and name == "embed.follow_roles")
    ]


@torch.no_grad()
def mix_with_start(
    model: InteractionModel, start: InteractionModel, share: float, new: Collection[str] = ()
) -> None:
    """Move the weights of `model` back by `share` of the way to `start`, the model that its
    training began with. What a short training unlearns comes back, and most of what it learns
    stays (WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903). new: names of weights that have nothing
    to go back to, since they knew nothing."""
    for name, weight in model.named_parameters():
        if name not in new:
            weight.lerp_(start.get_parameter(name).to(weight.device), share)


def _check_heads(new: BackboneConfig, old: BackboneConfig) -> None:
    """Growth keeps what a head sees: the keys it shares, their width, and all that is not size.
    Heads stand in the order of the keys that they share: all old ones must find theirs there."""
    may_grow = ("dim", "num_layers", "ff_dim", "num_heads", "num_kv_heads")
    same = replace(new, **{name: getattr(old, name) for name in may_grow})
    as_many = new.num_heads == old.num_heads and new.num_kv_heads == old.num_kv_heads
    together = old.num_kv_heads == 1 and new.num_heads // new.num_kv_heads >= old.num_heads
    if same != old or not (as_many or together):
        raise ConfigError(
            f"cannot start from these weights: {old} cannot grow into {new}; only "
            f"{', '.join(may_grow)} may, the heads only from one key-value head, which all the old "
            "ones go on to share"
        )


def _new_name(name: str, num_old: int, num_new: int) -> str:
    """Old layer i of n becomes the last of the i-th n-th part of the new ones."""
    if not (match := LAYER.match(name)) or num_new < num_old:
        return name
    layer = -(-(int(match[1]) + 1) * num_new // num_old) - 1
    return f"backbone.layers.{layer}.{name[match.end() :]}"


def _kind(name: str) -> str:
    """The last part of a weight's name that is not a number."""
    return next(part for part in reversed(name.split(".")) if not part.isdigit())


def _prepare(name: str, value: Tensor, into: Tensor, width: float) -> Tensor:
    """Zeros where new summands come; the value as it must be in a row 1 / `width` times wider."""
    kind = _kind(name)
    if kind in WRITES or (EYES.search(name) and kind == "weight"):
        into.zero_()
    in_stream = kind in NORMS and "flow_layers" not in name
    return value * width**0.5 if in_stream else value


def _places(
    name: str, value: Tensor, into: Tensor, old: BackboneConfig, new: BackboneConfig
) -> tuple[Tensor, ...]:
    """Per axis, where the old entries stand in the new weight; fused weights part by part."""
    parts = [[(size, wide)] for size, wide in zip(value.shape, into.shape, strict=True)]
    kind = _kind(name)
    if kind == "qkv":
        keys = old.num_kv_heads * old.head_dim, new.num_kv_heads * new.head_dim
        parts[0] = [(old.num_heads * old.head_dim, new.num_heads * new.head_dim), keys, keys]
    elif kind == "gate_up":
        parts[0] = [(value.shape[0] // 2, into.shape[0] // 2)] * 2
    elif kind in ("mean_in", "flow_condition"):  # hidden state, word, and what else there is
        rest = value.shape[1] - 2 * old.dim
        parts[1] = [(old.dim, new.dim)] * 2 + [(rest, rest)]
    return torch.meshgrid(*(_spread(axis) for axis in parts), indexing="ij")


def _spread(parts: list[tuple[int, int]]) -> Tensor:
    """(old, new) sizes of consecutive parts -> indices of the old entries in the new axis."""
    found, start = [], 0
    for size, wide in parts:
        found.append(torch.arange(start, start + size))
        start += wide
    return torch.cat(found)


def _fits(value: Tensor, into: Tensor) -> bool:
    return all(a <= b for a, b in zip(value.shape, into.shape, strict=True))
