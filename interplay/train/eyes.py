"""Eyes before words: the vision tower by itself, on drawn films without a sound.

Words that are due when something happens teach eyes almost nothing, and what a whole picture shows
teaches them slowly: a tower that was trained so for 330,000 pictures did not tell two people from
one (docs/log.md). Here every cell of a picture says what is to be seen in it, five times finer than
a tile, at both moments; above the tower stand two layers that answer questions about the whole
picture, and are thrown away. Knows nothing of language models.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from interplay.data.scenes.canvas import CELL_PX, PARTS
from interplay.data.scenes.glimpses import Glimpse, Glimpses
from interplay.data.scenes.sights import QUESTIONS
from interplay.errors import ConfigError
from interplay.media.video import NUM_COLUMNS, NUM_ROWS, TILE_PX
from interplay.model.interaction import InteractionModel
from interplay.model.see import FOLDS, See, fold
from interplay.ops.linear import linear
from interplay.train.feed import PlainFeed, WorkerFeed
from interplay.train.losses import Losses
from interplay.train.optim import Average, OptimConfig, Optimizer, rate
from interplay.train.parcel import cut
from interplay.train.probes import answer_loss
from interplay.train.snapshots import load_snapshot, prepare_folder, save_snapshot, snapshots
from interplay.train.stopping import stop_requests
from interplay.train.work_time import WorkTime
from interplay.turns.types import NUM_TILES

NUM_CELLS = (TILE_PX // CELL_PX) ** 2
NOTHING_WEIGHT = 0.15  # of cells in which there is nothing
HEAD_DIM = 64
SHARE_TOLD = 0.2  # of the tiles whose cells are told at a step: neighbours say much the same
HELD_OUT_SEED = 6_000_000  # added to a run's own: of glimpses that tell how well it goes
NUM_AT_ONCE = 20  # of those
MIN_STEPS_CHECKED = 100  # before there is nothing to tell
NUM_AHEAD = 8
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class EyesTraining:
    """How to train; give `num_steps`, or `budget_s` seconds of wall clock.

    parts: weight of what the cells say; answers about the whole picture weigh 1. num_workers:
    processes that draw, 0 for this one. num_checked: glimpses that tell how well it goes.
    Only `num_steps` gives the same weights for the same seed.
    """

    num_steps: int | None = None
    budget_s: float | None = None
    glimpses: Glimpses = field(default_factory=Glimpses)
    parts: float = 3.0
    optim: OptimConfig = field(
        default_factory=lambda: OptimConfig(
            muon_lr=0.02, adam_lr=2e-3, warmup_steps=30, decay_share=0.6, average=0.99
        )
    )
    dtype: torch.dtype = torch.bfloat16
    device: torch.device = CPU
    num_threads: int = 2
    num_workers: int = 1
    num_checked: int = 200
    log_every: int = 50
    save_every: int = 1000

    def __post_init__(self) -> None:
        if (self.num_steps is None) == (self.budget_s is None):
            raise ConfigError(
                f"training of eyes has num_steps {self.num_steps} and budget_s {self.budget_s}; "
                "give exactly one of them"
            )


class TileLayer(nn.Module):
    """A pre-norm transformer layer whose rows, a dozen, all see each other."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.num_heads = max(1, dim // HEAD_DIM)
        self.qkv = nn.Parameter(torch.randn(3 * dim, dim) * dim**-0.5)
        self.out = nn.Parameter(torch.zeros(dim, dim))
        self.up = nn.Parameter(torch.randn(3 * dim, dim) * dim**-0.5)
        self.down = nn.Parameter(torch.zeros(dim, 3 * dim))

    def forward(self, x: Float[Tensor, "n rows dim"]) -> Float[Tensor, "n rows dim"]:
        heads = linear(_norm(x), self.qkv)
        heads = heads.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = (_norm(part) for part in heads)
        weights = (query @ key.mT * query.shape[-1] ** -0.5).softmax(-1)
        x = x + linear((weights @ value).transpose(1, 2).flatten(2), self.out)
        return x + linear(F.gelu(linear(_norm(x), self.up)), self.down)


def _norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:])


class EyesAlone(nn.Module):
    """A tower and what it is asked: `answers` about the picture, read at the end of two layers over
    its tiles, and `parts`, read from every tile's vector."""

    def __init__(self, see: See) -> None:
        super().__init__()
        dim = see.config.dim
        self.see = see
        self.places = nn.Parameter(torch.randn(NUM_TILES, dim) * 0.5)
        self.backbone = nn.Sequential(TileLayer(dim), TileLayer(dim))
        self.query = nn.Parameter(torch.randn(dim))
        self.answers = nn.Parameter(torch.zeros(sum(map(len, QUESTIONS.values())), dim))
        self.parts = nn.Parameter(torch.zeros(2 * NUM_CELLS * len(PARTS), dim))

    def forward(
        self, frames: UInt8[Tensor, "films moments 120 160 3"], dtype: torch.dtype
    ) -> tuple[Float[Tensor, "films pairs 12 dim"], Float[Tensor, "films pairs answers"]]:
        """The tiles' vectors of every two moments that follow each other, and what is answered."""
        seen = self.see.film(in_tiles(frames, TILE_PX), dtype)
        rows = seen.flatten(0, 1) + self.places.to(dtype)
        rows = torch.cat([rows, self.query.to(dtype).expand(len(rows), 1, -1)], dim=1)
        last = _norm(self.backbone(rows)[:, -1])
        return seen, linear(last, self.answers).unflatten(0, seen.shape[:2])

    @torch.no_grad()
    def give_to(self, model: InteractionModel) -> None:
        """Let `model` see with this tower; it must have one of the same shape."""
        embed = model.embed
        assert embed.see is not None, "callers check that the model has eyes"
        embed.see.load_state_dict(self.see.state_dict())
        embed.tile_places.copy_(self.places)


def in_tiles(pictures: Tensor, size: int) -> Tensor:
    """[films, moments, rows, columns, ...] -> [films, moments, 12, size, size, ...], as
    media.video.cut_tiles does; `size` is a tile's, in pixels or cells."""
    films, moments = pictures.shape[:2]
    grid = pictures.unflatten(3, (NUM_COLUMNS, size)).unflatten(2, (NUM_ROWS, size))
    return grid.transpose(3, 4).reshape(films, moments, NUM_TILES, size, size, *pictures.shape[4:])


def part_loss(
    seen: Float[Tensor, "films pairs 12 dim"],
    table: Float[Tensor, "parts dim"],
    parts: UInt8[Tensor, "films moments 24 32"],
    chosen: Int[Tensor, " rows"],
) -> tuple[Float[Tensor, ""], tuple[Tensor, Tensor]]:
    """Cross entropy of what is in the cells of the `chosen` tiles, at both moments, and how often
    it is right where there is something."""
    cells = in_tiles(parts, TILE_PX // CELL_PX).flatten(3)
    target = torch.stack([cells[:, :-1], cells[:, 1:]], dim=3).flatten(0, 2)[chosen].flatten()
    logits = linear(seen.flatten(0, 2)[chosen], table).float().view(-1, len(PARTS))
    target = target.long()
    weights = torch.where(target == 0, NOTHING_WEIGHT, 1.0)
    loss = (F.cross_entropy(logits, target, reduction="none") * weights).sum() / weights.sum()
    there = target > 0
    return loss, (((logits.argmax(-1) == target) & there).sum(), there.sum())


@torch.no_grad()
def whiten(see: See, frames: UInt8[Tensor, "films moments 120 160 3"]) -> None:
    """Let the first layer begin with the principal components of `frames`' patches, each of the
    same variance: what lights up a patch as a whole would drown all else (as Coates and Ng 2012
    whiten patches, and Jordan 2024, arXiv 2404.00498, a first layer)."""
    tiles = see.pixels(in_tiles(frames, TILE_PX).flatten(0, 2), torch.float32)
    patches = fold(tiles.unsqueeze(1), *FOLDS[0]).flatten(0, -2).double()
    weight: Tensor = see.layers[0].weight  # type: ignore[assignment]
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    rows = (vectors / torch.sqrt(values.clamp(min=0) + WHITE_FLOOR)).T[-len(weight) :]
    rows = rows / (patches @ rows.T).square().mean().sqrt()
    weight[: len(rows)] = rows.to(weight.dtype)


WHITE_FLOOR = 2e-3  # added to variances: components below it are noise of the sensor


class EyesTrainer:
    """One run: tower, layers above it, their average, the optimizer and how far it has come."""

    def __init__(self, see: See, config: EyesTraining) -> None:
        self.config = config
        torch.manual_seed(config.glimpses.seed)
        self.eyes = EyesAlone(see)
        first = _stacked(config.glimpses(0, 0.0), CPU)[0]
        whiten(see, first)
        self.eyes.to(config.device)
        self._pool = ThreadPoolExecutor(
            config.num_threads, initializer=torch.set_num_threads, initargs=(1,)
        )
        self.optimizer = Optimizer(
            self.eyes.named_parameters(),
            config.optim,
            kv_rows=see.config.dim,
            pool=self._pool if config.device.type == "cpu" else None,
        )
        self.average = Average(self.eyes.named_parameters(), config.optim.average)
        self.step, self.elapsed_s = 0, 0.0

    @property
    def progress(self) -> float:
        """How much of the run is done, 0 to 1."""
        if self.config.num_steps is not None:
            return min(1.0, self.step / self.config.num_steps)
        assert self.config.budget_s is not None
        return min(1.0, self.elapsed_s / self.config.budget_s)

    def advance(self, glimpses: Sequence[Glimpse]) -> Losses:
        """One step."""
        config = self.config
        shares = cut(glimpses, config.num_threads if config.device.type == "cpu" else 1)
        weights = [len(share) / len(glimpses) for share in shares]
        if len(shares) == 1:
            found = [self._gradients(shares[0], 0, 1.0)]
        else:
            found = list(self._pool.map(self._gradients, shares, range(len(shares)), weights))
        for weight, *gradients in zip(
            self.optimizer.weights, *(part[1] for part in found), strict=True
        ):
            weight.grad = torch.stack(gradients).sum(0)
        self.optimizer.step(rate(self.step, self.progress, config.optim))
        self.average.update(self.step)
        self.step += 1
        return Losses.joined([losses for losses, _ in found], list(map(len, shares)))

    def _gradients(
        self, glimpses: Sequence[Glimpse], number: int, weight: float
    ) -> tuple[Losses, tuple[Tensor, ...]]:
        losses = self.losses_of(glimpses, (self.step, number))
        return losses, torch.autograd.grad(weight * losses.total, self.optimizer.weights)

    def losses_of(self, glimpses: Sequence[Glimpse], seed: tuple[int, int]) -> Losses:
        """seed: of the choice of tiles whose cells are told."""
        config = self.config
        frames, parts, sights = _stacked(glimpses, config.device)
        seen, answers = self.eyes(frames, config.dtype)
        told, metrics = answer_loss(answers.flatten(0, 1), sights[:, 1:].flatten(0, 1))
        num = seen[..., 0].numel()
        rows = np.random.default_rng(seed).choice(num, max(1, int(SHARE_TOLD * num)), replace=False)
        chosen = torch.from_numpy(rows).to(config.device)
        cells, right = part_loss(seen, self.eyes.parts, parts, chosen)
        total = told + config.parts * cells
        losses = {"answers": told.detach(), "parts": cells.detach()}
        return Losses(total=total, parts=losses, metrics=metrics | {"seen_parts": right})

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """How well films are seen that are not trained on, with the averaged weights."""
        held_out = Glimpses(
            seed=self.config.glimpses.seed + HELD_OUT_SEED,
            num=self.config.num_checked,
            num_frames=self.config.glimpses.num_frames,
            num_first=self.config.num_checked,
            num_new=0,
        )(0, 0.0)
        live = {name: w.detach().clone() for name, w in self.eyes.named_parameters()}
        self.eyes.load_state_dict(self.average.values)
        starts = range(0, len(held_out), NUM_AT_ONCE)
        parts = [self.losses_of(held_out[at : at + NUM_AT_ONCE], (0, at)) for at in starts]
        self.eyes.load_state_dict(live)
        found = Losses.joined(parts, [1] * len(parts)).items()
        return {name: value for name, value in found.items() if name.startswith("seen_")}

    def state(self) -> dict:
        return {
            "eyes": self.eyes.state_dict(),
            "average": self.average.values,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
        }

    def load_state(self, state: dict) -> None:
        self.eyes.load_state_dict(state["eyes"])
        self.average.load(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]

    def finish(self) -> EyesAlone:
        """The averaged weights, on the CPU."""
        self.eyes.load_state_dict(self.average.values)
        return self.eyes.to("cpu").eval()


def train_eyes(see: See, config: EyesTraining, out: Path | None = None) -> EyesAlone:
    """Train `see`, whatever it knew before, and return it with its averaged weights, and what stood
    above it.

    out: a folder for log.jsonl and snapshots; one found there is gone on from. Ctrl-C or SIGTERM
    saves a snapshot and raises KeyboardInterrupt. Raises DeviceError for a folder that cannot be
    written.
    """
    if out is not None:
        prepare_folder(out)
    trainer = EyesTrainer(see, config)
    found = snapshots(out) if out is not None else []
    if found:
        trainer.load_state(load_snapshot(found[-1]))
    if trainer.progress >= 1:
        return trainer.finish()
    glimpses = config.glimpses
    workers = config.num_workers
    with (
        WorkerFeed(glimpses, workers) if workers else PlainFeed(glimpses) as feed,
        stop_requests() as asked_to_stop,
        WorkTime(trainer.elapsed_s) as work_time,
    ):
        asked = trainer.step
        while trainer.progress < 1:
            while asked < trainer.step + NUM_AHEAD:
                feed.ask(asked, 0.0)
                asked += 1
            losses = trainer.advance(feed.take())
            trainer.elapsed_s = work_time.read()
            is_over = trainer.progress >= 1
            if trainer.step % config.log_every == 0 or is_over:
                _report(trainer, losses.items(), out)
            if trainer.step % config.save_every == 0 or is_over or asked_to_stop:
                if out is not None:
                    save_snapshot(out, trainer.step, trainer.state())
                if not asked_to_stop and trainer.step >= MIN_STEPS_CHECKED:
                    _report(trainer, trainer.check(), out, "new films ")
            if asked_to_stop and not is_over:
                raise KeyboardInterrupt
    return trainer.finish()


def _report(
    trainer: EyesTrainer, found: dict[str, float], out: Path | None, what: str = ""
) -> None:
    told = "  ".join(f"{name.removeprefix('seen_')} {value:.2f}" for name, value in found.items())
    print(
        f"eyes {trainer.progress:4.0%}  step {trainer.step}  {trainer.elapsed_s:.0f} s  "
        f"{what}{told}",
        flush=True,
    )
    if out is not None:
        new = {f"new_{name}": value for name, value in found.items()} if what else found
        line = {"step": trainer.step, "elapsed_s": round(trainer.elapsed_s, 2), **new}
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")


def _stacked(
    glimpses: Sequence[Glimpse], device: torch.device
) -> tuple[UInt8[Tensor, "..."], UInt8[Tensor, "..."], Int[Tensor, "..."]]:
    """Frames, parts and sights of all of them."""
    frames, parts, sights = (
        torch.from_numpy(np.stack([getattr(glimpse, name) for glimpse in glimpses])).to(device)
        for name in ("frames", "parts", "sights")
    )
    return frames, parts, sights
