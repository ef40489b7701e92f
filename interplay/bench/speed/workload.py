"""What every runtime computes: one micro-turn appended to a live session, then four single steps.

A backbone with Qwen3's semantics and one table of words as its head; inputs are vectors, the same
for all, drawn from a seed and the tick. Knows nothing of the runtimes.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from interplay.clock import NUM_SLOTS
from interplay.errors import ConfigError
from interplay.model.backbone import Backbone, BackboneConfig
from interplay.model.checkpoint import DEFAULT_MODEL, INT8_MAX, load_checkpoint
from interplay.model.sizes import backbone_config

RANDOM = ("s", "s-moe")
VOCAB_SIZE = 1024
ROWS_PER_TICK = 2 * NUM_SLOTS
ROWS_AT_ONCE = 64  # of a past that is taken in untimed; what every runtime here can take


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One model. head: [vocab, dim], of the dtype of all. about: where the weights come from."""

    name: str
    about: str
    backbone: Backbone
    head: Float[Tensor, "vocab dim"]

    @property
    def config(self) -> BackboneConfig:
        return self.backbone.config

    def rows(self, tick: int) -> Float[Tensor, "eight dim"]:
        """The inputs of one tick: four rows that come together, four that come one by one."""
        generator = torch.Generator().manual_seed(tick)
        return torch.randn(ROWS_PER_TICK, self.config.dim, generator=generator).to(self.head.dtype)

    def weight_bytes(self) -> int:
        """Of the matrices of all layers in float32."""
        matrices = [p for p in self.backbone.parameters() if p.ndim >= 2]
        return 4 * sum(p.numel() for p in matrices)


@runtime_checkable  # the tests check signatures while they run
class Runtime(Protocol):
    """Something that runs a workload with a session's past kept between calls."""

    def reset(self) -> None:
        """Forget the session."""
        ...

    def append(self, rows: Float[Tensor, "r dim"]) -> Float[Tensor, " vocab"]:
        """Take rows into the past; logits behind the last of them."""
        ...


def run_tick(runtime: Runtime, rows: Float[Tensor, "eight dim"]) -> list[Float[Tensor, " vocab"]]:
    """One micro-turn: the input half at once, the output half row by row; logits of five passes."""
    parts = [rows[:NUM_SLOTS], *rows[NUM_SLOTS:].split(1)]
    return [runtime.append(part) for part in parts]


def fill(runtime: Runtime, work: Workload) -> None:
    """Take in as many ticks as the window holds, untimed, many rows at once."""
    num_ticks = work.config.window // ROWS_PER_TICK
    past = torch.cat([work.rows(tick) for tick in range(num_ticks)])
    for rows in past.split(ROWS_AT_ONCE):
        runtime.append(rows)


def workload(name: str) -> Workload:
    """The model called `name`: shipped weights, or random ones made on the fly.

    `s-moe` is without the shared expert, which Qwen3-MoE does not have. Raises ConfigError for
    other names.
    """
    if name == DEFAULT_MODEL:
        loaded = load_checkpoint(name)
        return Workload(
            name=name,
            about="shipped weights",
            backbone=loaded.model.backbone,
            head=loaded.model.words.detach(),
        )
    if name not in RANDOM:
        raise ConfigError(f"no workload {name!r}; they are {', '.join((DEFAULT_MODEL, *RANDOM))}")
    return random_workload(name, dataclasses.replace(backbone_config(name), shared_ff_dim=0))


def random_workload(name: str, config: BackboneConfig) -> Workload:
    """Weights of the right shapes and the usual sizes, as an int8 checkpoint gives them back; the
    same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = Backbone(config, zero_init_outputs=False).eval()
        head = torch.randn(VOCAB_SIZE, config.dim) * config.dim**-0.5
    as_int8_gives_back([head, *backbone.parameters()])
    about = "random weights, as an int8 checkpoint gives them back"
    return Workload(name=name, about=about, backbone=backbone, head=head)


def as_int8_gives_back(weights: Iterable[Tensor]) -> None:
    """Round matrices to what an int8 checkpoint of them holds, which is how `s` is to ship."""
    with torch.no_grad():
        for weight in weights:
            if weight.ndim > 1:
                scale = (weight.abs().amax(-1, keepdim=True) / INT8_MAX).clamp_min(1e-30)
                weight.copy_((weight / scale).round() * scale)
