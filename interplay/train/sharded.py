"""Training on several processes: every rank keeps its rows of all weights and computes its shares.

FSDP2 (`fully_shard`; Zhao et al. 2023, arXiv 2304.11277) gathers a layer's weights while it
computes and adds up gradients over ranks. The optimizers know nothing of it: on every rank they
move its rows as if there were no others, with two exceptions. Gradients are clipped by the norm of
all of them, and Muon orthogonalises whole matrices: both are gathered, every rank does the same
work on them and keeps its own rows. That is one gather of the gradients and one of the updates per
step; every rank holds all updates of Muon while it works on them.

A batch is cut into the same shares wherever they are computed (TrainConfig.num_threads), so n ranks
give what n threads give. Knows nothing of recipes.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Shard
from torch.nn.utils import clip_grads_with_norm_

from interplay.errors import ConfigError
from interplay.model.interaction import InteractionModel
from interplay.train import ranks
from interplay.train.loop import TrainConfig, Trainer
from interplay.train.losses import Losses
from interplay.train.optim import Muon, Optimizer, is_matrix
from interplay.train.parcel import Examples, Share, shares_of
from interplay.train.shard_files import load_shards, save_shards
from interplay.train.texts import Texts
from interplay.train.warm import BODY, rest_words

BUCKET = 2**25  # elements that a rank gives in one exchange, 128 MiB of float32
STEP = "step"  # counted by AdamW for every weight, on every rank the same
ADAM_KEYS, MUON_KEYS = (STEP, "exp_avg", "exp_avg_sq"), ("momentum",)


@dataclass(frozen=True, kw_only=True)
class Place:
    """How the rows of a weight are dealt out: `num_rows` for every rank, fewer for the last."""

    mesh: DeviceMesh
    shape: torch.Size
    stride: tuple[int, ...]

    @property
    def num_rows(self) -> int:
        return -(-self.shape[0] // self.mesh.size())

    @property
    def first(self) -> int:
        """The first row of this rank; the number of rows where it has none."""
        return min(self.num_rows * self.mesh.get_local_rank(), self.shape[0])

    @property
    def size(self) -> int:
        """Elements of a rank with all its rows."""
        return self.num_rows * math.prod(self.shape[1:])

    def shard(self, rows: Tensor) -> DTensor:
        """This rank's rows as a part of the whole."""
        return DTensor.from_local(
            rows, self.mesh, [Shard(0)], run_check=False, shape=self.shape, stride=self.stride
        )


def gather(found: Iterable[tuple[Tensor, Place]]) -> Iterator[Tensor]:
    """All ranks' rows of every tensor, in few exchanges; every rank must ask for the same."""
    bucket: list[tuple[Tensor, Place]] = []
    for rows, place in found:
        if bucket and sum(p.size for _, p in bucket) + place.size > BUCKET:
            yield from _exchange(bucket)
            bucket = []
        bucket.append((rows, place))
    if bucket:
        yield from _exchange(bucket)


def _exchange(bucket: list[tuple[Tensor, Place]]) -> Iterator[Tensor]:
    own = torch.cat([F.pad(rows.flatten(), (0, p.size - rows.numel())) for rows, p in bucket])
    everybodys = own.new_empty(ranks.num_ranks() * len(own))
    everybodys = everybodys.view(ranks.num_ranks(), -1)
    dist.all_gather(list(everybodys), own)
    parts = everybodys.split([p.size for _, p in bucket], dim=1)
    for part, (_, place) in zip(parts, bucket, strict=True):
        yield part.flatten()[: math.prod(place.shape)].view(place.shape)


class _Gathered(nn.Module):
    """All that is trained. Its weights are whole while it runs what it is given."""

    def __init__(self, model: nn.Module, probes: nn.Module) -> None:
        super().__init__()
        self.model, self.probes = model, probes

    def forward(self, losses_of, *args) -> tuple[Tensor, Losses]:
        losses = losses_of(*args)
        return losses.total, losses


class ShardedTrainer(Trainer):
    """A trainer that is one of several. Make it on every rank, with the same arguments."""

    def __init__(
        self,
        config: TrainConfig,
        model: InteractionModel,
        texts: Texts | None = None,
        held_to: InteractionModel | None = None,
    ) -> None:
        if config.device.type != "cpu":
            raise ConfigError(
                f"the device is {config.device}; several processes train on CPUs so far: leave "
                "torchrun away, or --device"
            )
        if config.num_threads % ranks.num_ranks():
            raise ConfigError(
                f"{ranks.num_ranks()} processes cannot share {config.num_threads} threads evenly; "
                f"give --threads {ranks.num_ranks()} or a multiple of it"
            )
        super().__init__(config, model, texts, held_to)
        torch.set_num_threads(1)  # a core for every process, as for the threads of one

    def _named(self) -> list[tuple[str, nn.Parameter]]:
        mesh = init_device_mesh("cpu", (ranks.num_ranks(),))
        self._gathered = _Gathered(self.model, self.probes)
        for layer in self.model.backbone.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(self._gathered, mesh=mesh)
        for module in (*self.model.backbone.layers, self._gathered):
            assert isinstance(module, FSDPModule)
            module.set_gradient_divide_factor(1.0)  # shares carry their weights already
            module.set_force_sum_reduction_for_comms(True)
        self._sharded: dict[str, DTensor] = {}
        self.places: dict[Tensor, Place] = {}
        named = []
        for name, weight in super()._named():
            assert isinstance(weight, DTensor)
            rows = nn.Parameter(weight.to_local().detach(), requires_grad=False)
            self._sharded[name] = weight
            self.places[rows] = Place(mesh=mesh, shape=weight.shape, stride=weight.stride())
            named.append((name, rows))
        return named

    def _make_optimizer(self, named: list[tuple[str, nn.Parameter]], **settings) -> Optimizer:
        return ShardedOptimizer(named, self.config.optim, places=self.places, **settings)

    def _accumulate(self, examples: Examples) -> Losses:
        """Gradients of the whole batch in this rank's rows."""
        shares = shares_of(examples, self.config.num_shares)
        size = sum(map(len, shares))
        if len(shares) % ranks.num_ranks():
            raise ConfigError(
                f"a batch of {size} sessions makes {len(shares)} shares for "
                f"{ranks.num_ranks()} processes; take fewer processes or larger batches"
            )
        found = {}
        for number in range(ranks.rank(), len(shares), ranks.num_ranks()):
            share = shares[number]
            total, losses = self._gathered(self._losses_touching_all, share, number)
            (len(share) / size * total).backward()
            losses.total = losses.total.detach()
            found[number] = losses
        for name, weight in self._sharded.items():
            gradient, weight.grad = weight.grad, None
            rests = self.is_resting and name.startswith(BODY)
            assert isinstance(gradient, DTensor)
            self._own[name].grad = None if rests else gradient.to_local()
        everybodys = [pair for pairs in ranks.of_all(list(found.items())) for pair in pairs]
        everybodys.sort(key=lambda pair: pair[0])
        return Losses.joined([losses for _, losses in everybodys], list(map(len, shares)))

    def _losses_touching_all(self, share: Share, number: int) -> Losses:
        """A share without voice or camera leaves weights without gradients; gradients of zero keep
        the ranks in step. Where no rank uses a weight it goes on by its momentum."""
        losses = self.losses_of(share, number)
        for weight in self._gathered.parameters():
            if not isinstance(weight, DTensor):  # the layers have put theirs away again
                losses.total = losses.total + 0 * weight.flatten()[0]
        return losses

    def _rest_words(self) -> None:
        for name, weight in self._own.items():
            rest_words([(name, weight.grad)], self.places[weight].first)

    def agree(self, elapsed_s: float, stop: bool) -> tuple[float, bool]:
        elapsed_s, any_stop = ranks.most_of_all(elapsed_s, stop)
        return elapsed_s, bool(any_stop)

    def save(self, out: Path) -> None:
        save_shards(out, self.step, self._tensors(), self.facts_to_keep())

    def restore(self, path: Path) -> None:
        """Go on from what any number of ranks has saved."""
        self.load_facts(load_shards(path, self._tensors))

    def _tensors(self, awaited: Collection[str] = ()) -> dict[str, Tensor]:
        """Weights, averages and what the optimizers remember, by name, as parts of the whole.

        awaited: names that room is made for where the optimizers do not remember yet.
        """
        tensors: dict[str, Tensor] = {}
        for name, weight in self._own.items():
            place, is_muons = self.places[weight], is_matrix(name, weight)
            tensors[f"weights.{name}"] = place.shard(weight.data)
            if name in self.average.values:
                tensors[f"average.{name}"] = place.shard(self.average.values[name])
            optimizer = self.optimizer.muon if is_muons else self.optimizer.adam
            memory = optimizer.state[weight]
            for key in MUON_KEYS if is_muons else ADAM_KEYS:
                if f"{key}.{name}" in awaited:
                    memory[key] = weight.new_zeros(() if key == STEP else weight.shape)
                if key in memory:
                    value = memory[key]
                    tensors[f"{key}.{name}"] = value if key == STEP else place.shard(value)
        return tensors

    def averaged_model(self) -> InteractionModel:
        """The whole model, on every rank."""
        with torch.random.fork_rng(devices=[]):
            model = InteractionModel(self.model.config)
        buffers = dict(self.model.named_buffers())
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])
            named = dict(model.named_parameters())
            found = ((self.average.values[name], self.places[self._own[name]]) for name in named)
            for weight, whole in zip(named.values(), gather(found), strict=True):
                weight.copy_(whole)
        return model.eval()


class ShardedOptimizer(Optimizer):
    """Moves this rank's rows. places: of every weight."""

    def __init__(self, named, config, *, places: dict[Tensor, Place], **settings) -> None:
        self.places = places
        super().__init__(named, config, **settings)

    def _whole(self, weight: Tensor) -> Tensor:
        return torch.empty(self.places[weight].shape, device="meta")

    def _make_muon(self, group: dict, **settings) -> Muon:
        return ShardedMuon([group], places=self.places, **settings)

    def _clip(self) -> float:
        """The norms of whole gradients, one after the other: the same sum as in one process."""
        found = [(w.grad, self.places[w]) for w in self.weights if w.grad is not None]
        norms = [torch.linalg.vector_norm(whole) for whole in gather(found)]
        total = torch.linalg.vector_norm(torch.stack(norms))
        clip_grads_with_norm_(self.weights, self.config.clip_norm, total)
        return float(total)


class ShardedMuon(Muon):
    """Gathers every update; this rank's rows of what comes out move its rows of the weight."""

    def __init__(self, params: list[dict], *, places: dict[Tensor, Place], **settings) -> None:
        self.places = places
        super().__init__(params, **settings)

    def _parts(
        self, weights: list[Tensor], updates: Sequence[Tensor], splits: list[list[int]]
    ) -> Iterator[tuple[Tensor, Tensor, slice]]:
        places = [self.places[weight] for weight in weights]
        wholes = gather(zip(updates, places, strict=True))
        for weight, place, whole, rows in zip(weights, places, wholes, splits, strict=True):
            own = weight.flatten(0, -2)  # of many experts: their matrices one below the other
            first = place.first * (whole[0].numel() // whole.shape[-1])
            last, start = first + len(own), 0
            for part in whole.flatten(0, -2).split(rows):
                low, high = (min(max(at, first), last) for at in (start, start + len(part)))
                yield own[low - first : high - first], part, slice(low - start, high - start)
                start += len(part)
