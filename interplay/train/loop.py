"""The training loop: batches in, weights out, a log and snapshots on the way.

Knows nothing of how batches are made or of named recipes. A run is a pure function of its seed,
its plan and the number of threads: stopped and resumed, it gives the same bits.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial, reduce
from pathlib import Path

import torch
from torch import Tensor, nn

from interplay.errors import ConfigError
from interplay.model.interaction import InteractionModel
from interplay.train.batch import Batch, HistoryNoise, assemble
from interplay.train.checks import Groups, note_check
from interplay.train.curves import draw_curves
from interplay.train.feed import Batches, Feed, PlainFeed, WorkerFeed
from interplay.train.losses import LossConfig, Losses, compute_losses
from interplay.train.monitor import Monitor, add_line
from interplay.train.optim import Average, OptimConfig, Optimizer, rate
from interplay.train.parcel import Examples, Parcel, Share, num_positions, shares_of, to_device
from interplay.train.plan import Pace, Plan
from interplay.train.probes import Probes
from interplay.train.ranks import is_first
from interplay.train.snapshots import load_snapshot, prepare_folder, save_snapshot, snapshots
from interplay.train.stopping import stop_requests
from interplay.train.texts import Texts, text_loss
from interplay.train.warm import WarmConfig, is_old, rest_body, rest_words
from interplay.train.work_time import WorkTime

CPU = torch.device("cpu")
NUM_AHEAD = 8  # batches asked for before they are needed


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run. Exactly one of `minutes` (of training, wall clock) and `num_steps` is given.

    dtype: type of activations; weights stay float32. device: where the model is; on a GPU one
    thread drives it. num_workers: processes that make batches, 0 for this one; batches are a pure
    function of the step, so their number changes no bit.
    warm: for models that begin with a language model's weights.
    """

    minutes: float | None = None
    num_steps: int | None = None
    seed: int = 0
    dtype: torch.dtype = torch.bfloat16
    device: torch.device = CPU
    num_threads: int = 2
    num_workers: int = 1
    log_every: int = 10
    save_minutes: float = 4.0
    optim: OptimConfig = field(default_factory=OptimConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    noise: HistoryNoise = field(default_factory=HistoryNoise)
    warm: WarmConfig | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.minutes, self.num_steps) if value is not None]
        if len(given) != 1 or given[0] <= 0:
            raise ConfigError(
                f"minutes is {self.minutes} and num_steps is {self.num_steps}; "
                "give one of them, above 0"
            )

    @property
    def num_shares(self) -> int:
        """Parts of a batch that are computed by themselves: one per thread, or all on a GPU."""
        return self.num_threads if self.device.type == "cpu" else 1

    def plan(self) -> Plan:
        if self.num_steps is not None:
            return Plan.of_steps(self.num_steps)
        assert self.minutes is not None
        return Plan.of_seconds(60 * self.minutes)


class Trainer:
    """Everything that changes while training, and the step that changes it.

    texts: plain text to replay once the old weights learn, too. held_to: the model that
    `losses.kept` holds this one to: as a rule what it was.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: InteractionModel,
        texts: Texts | None = None,
        held_to: InteractionModel | None = None,
    ) -> None:
        self.config = config
        self.model = model
        self.texts = texts
        self.held_to = held_to
        backbone = model.config.backbone
        self.probes = Probes(backbone.dim, eyes=model.config.see is not None).to(config.device)
        named = self._named()
        self._own = dict(named)
        self._pool = ThreadPoolExecutor(
            config.num_threads, initializer=torch.set_num_threads, initargs=(1,)
        )
        self.optimizer = self._make_optimizer(
            named,
            kv_rows=backbone.num_kv_heads * backbone.head_dim,
            pool=self._pool if config.num_shares > 1 else None,
            old=[name for name, _ in named if is_old(name)] if config.warm else (),
        )
        of_model = {name: self._own[name] for name, _ in model.named_parameters()}
        self.average = Average(of_model.items(), config.optim.average)
        self.plan = config.plan()
        self.step = 0
        self.elapsed_s = 0.0
        self.norm = 0.0
        self.num_positions = 0
        self.waited_s = 0.0  # for the newest batch

    def _named(self) -> list[tuple[str, nn.Parameter]]:
        """What is trained, as the optimizers move it."""
        return [*self.model.named_parameters(), *self.probes.named_parameters("probes")]

    def _make_optimizer(self, named: list[tuple[str, nn.Parameter]], **settings) -> Optimizer:
        return Optimizer(named, self.config.optim, **settings)

    def advance(self, examples: Examples) -> Losses:
        """One optimizer step on one batch."""
        config = self.config
        losses = self._accumulate(examples)
        if self.is_resting:
            self._rest_words()
        factor = rate(self.step, self.plan.progress(self.step), config.optim)
        old_factor = config.warm.rate if config.warm and not self.is_resting else 1.0
        self.norm = self.optimizer.step(factor, old_factor)
        if not torch.isfinite(torch.tensor(self.norm)):
            raise ConfigError(
                f"training diverged at step {self.step}: the gradient is {self.norm}; "
                "start again with another --seed, or with lower learning rates"
            )
        self.average.update(self.step)
        self.num_positions = num_positions(examples)
        self.step += 1
        return losses

    def _accumulate(self, examples: Examples) -> Losses:
        """Gradients of the batch, one share of it per thread.

        Every thread computes on one core: several threads on one small product wait for each
        other more than they compute (docs/log.md).
        """
        config = self.config
        if config.warm:
            rest_body(self.model.named_parameters(), self.is_resting)
        parts = shares_of(examples, config.num_shares)
        if len(parts) == 1:
            results = [self._gradients(parts[0], 0, 1.0)]
        else:
            size = sum(map(len, parts))
            weights = [len(part) / size for part in parts]
            results = list(self._pool.map(self._gradients, parts, range(len(parts)), weights))
        for weight, *gradients in zip(self.learning, *(r[1] for r in results), strict=True):
            found = [gradient for gradient in gradients if gradient is not None]
            weight.grad = reduce(torch.add, found) if found else None
        return Losses.joined([result[0] for result in results], list(map(len, parts)))

    def _batch(self, share: Share, number: int) -> Batch:
        """Share `number` of the batch, on the device."""
        if isinstance(share, Parcel):
            return share.to(self.config.device).open()
        config, voice = self.config, self.model.voice
        return assemble(
            share,
            mel_mean=voice.mel_mean.cpu().numpy(),
            mel_std=voice.mel_std.cpu().numpy(),
            noise=config.noise,
            seed=(config.seed, self.step, number),
        ).to(config.device)

    def _gradients(
        self, share: Share, number: int, weight: float
    ) -> tuple[Losses, tuple[Tensor | None, ...]]:
        """Losses of share `number` of the batch, and `weight` times their gradients."""
        losses = self.losses_of(share, number)
        total = weight * losses.total
        return losses, torch.autograd.grad(total, self.learning, allow_unused=True)

    def losses_of(self, share: Share, number: int) -> Losses:
        """Losses of share `number` of the batch."""
        config = self.config
        batch = self._batch(share, number).heard()
        seed = (config.seed * 1_000_003 + self.step) * 64 + number
        losses = compute_losses(
            self.model,
            self.probes,
            batch,
            config.losses,
            dtype=config.dtype,
            generator=torch.Generator(config.device).manual_seed(seed),
            progress=self.plan.progress(self.step),
            held_to=self.held_to,
        )
        if self.texts and not self.is_resting:
            rows = self.texts.draw((config.seed, self.step, number))
            loss = text_loss(self.model, rows, config.dtype)
            losses.total = losses.total + self.texts.config.weight * loss
            losses.parts["text"] = loss.detach()
        return losses

    def _rest_words(self) -> None:
        rest_words((name, weight.grad) for name, weight in self._own.items())

    @property
    def learning(self) -> list[Tensor]:
        """The weights that get gradients."""
        return [weight for weight in self.optimizer.weights if weight.requires_grad]

    @property
    def is_resting(self) -> bool:
        """Whether the old weights of a warm start rest."""
        warm = self.config.warm
        return warm is not None and self.plan.progress(self.step) < warm.new_until

    @property
    def is_done(self) -> bool:
        return self.plan.progress(self.step) >= 1.0

    def facts(self) -> dict[str, float]:
        """Where the run is, for the log."""
        progress = self.plan.progress(self.step)
        return {
            "step": self.step,
            "progress": progress,
            "elapsed_s": self.elapsed_s,
            "lr": rate(self.step - 1, self.plan.progress(self.step - 1), self.config.optim),
            "gradient": self.norm,
            "positions": self.num_positions,
            "waited_s": self.waited_s,
        }

    def state(self) -> dict:
        return {
            "model": self.model.state_dict(),
            "probes": self.probes.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.values,
            **self.facts_to_keep(),
        }

    def facts_to_keep(self) -> dict:
        """Where the run is, to go on from there."""
        return {
            "plan": self.plan.to_state(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "seed": self.config.seed,
        }

    def load_state(self, state: dict) -> None:
        """Go on from `state()`. Raises ConfigError when it belongs to another run."""
        self.load_facts(state)
        self.model.load_state_dict(state["model"])
        self.probes.load_state_dict(state["probes"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load(state["average"])

    def load_facts(self, state: dict) -> None:
        """Of `state()`, all that are not tensors. Raises ConfigError for another run's."""
        if state["seed"] != self.config.seed:
            raise ConfigError(
                f"the snapshot was made with seed {state['seed']}, not {self.config.seed}; "
                f"pass --seed {state['seed']} or choose another --out"
            )
        self.plan = Plan.from_state(state["plan"])
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]

    def save(self, out: Path) -> None:
        """A snapshot into the folder of the run."""
        save_snapshot(out, self.step, self.state())

    def restore(self, path: Path) -> None:
        """Go on from a snapshot."""
        self.load_state(load_snapshot(path))

    def agree(self, elapsed_s: float, stop: bool) -> tuple[float, bool]:
        """How long the run has taken and whether it shall end, for all processes the same."""
        return elapsed_s, stop

    def averaged_model(self) -> InteractionModel:
        """The model with its averaged weights: what is exported."""
        with torch.no_grad():
            for name, weight in self.model.named_parameters():
                weight.copy_(self.average.values[name])
        return self.model.eval()


def train(
    config: TrainConfig,
    batches: Batches,
    model: InteractionModel,
    out: Path,
    *,
    resume: bool = False,
    texts: Texts | None = None,
    held_to: InteractionModel | None = None,
    checked: Groups | None = None,
    kind: type[Trainer] = Trainer,
) -> InteractionModel:
    """Train `model` and return it with averaged weights.

    batches: (step, progress) -> examples of equal length, a pure function. out: a folder for
    log.jsonl, curves.png and snapshots. texts: to be replayed; how well they are told before and
    after goes into the log. held_to: see Trainer. checked: sessions by group, told at the start
    and with every snapshot (train.checks). kind: where the run is computed (train.sharded).
    Ctrl-C or SIGTERM saves a snapshot and raises KeyboardInterrupt. Raises DeviceError when the
    folder cannot be written, ConfigError when it holds a run already and `resume` is not set.
    """
    if is_first():
        prepare_folder(out)
    torch.set_num_threads(config.num_threads)
    found = snapshots(out)
    if found and not resume:
        raise ConfigError(f"{out} holds a run at {found[-1].name}; add --resume or another --out")
    if not found and is_first():
        (out / "log.jsonl").unlink(missing_ok=True)
        _measure_texts(texts, model, config, out, 0, 0.0)
    trainer = kind(config, model, texts, held_to)
    if found:
        trainer.restore(found[-1])
    if not trainer.is_done:
        workers, ready = config.num_workers, partial(to_device, device=config.device)
        with WorkerFeed(batches, workers, ready) if workers else PlainFeed(batches) as feed:
            _run(trainer, feed, out, checked or {})
    model = trainer.averaged_model()
    if is_first():
        _measure_texts(texts, model, config, out, trainer.step, trainer.elapsed_s)
    return model


def _measure_texts(
    texts: Texts | None,
    model: InteractionModel,
    config: TrainConfig,
    out: Path,
    step: int,
    elapsed_s: float,
) -> None:
    """A line in the log: how well the model tells texts that it is not trained on."""
    if texts:
        perplexity = texts.perplexity(model, config.dtype)
        add_line(out / "log.jsonl", step=step, elapsed_s=elapsed_s, text_perplexity=perplexity)
        print(f"step {step}: perplexity of held-out text {perplexity:.2f}", flush=True)


def _run(trainer: Trainer, feed: Feed, out: Path, checked: Groups) -> None:
    """Steps until the plan's end, with log lines, snapshots and measurements of the speed."""
    config, plan = trainer.config, trainer.plan
    pace = Pace(plan=plan, step=trainer.step, elapsed_s=trainer.elapsed_s)
    asked = trainer.step
    ahead = max(NUM_AHEAD, 2 * config.num_workers)
    saved_s = trainer.elapsed_s
    log = out / "log.jsonl"
    if checked and trainer.step == 0:
        _note_check(trainer, checked, log)
    with (
        stop_requests() as asked_to_stop,
        WorkTime(trainer.elapsed_s) as work_time,
        Monitor(log if is_first() else None) as monitor,
    ):
        while not trainer.is_done:
            while asked < trainer.step + ahead and plan.progress(asked) < 1.0:
                feed.ask(asked, plan.progress(asked))
                asked += 1
            wanted = time.monotonic()
            examples = feed.take()
            trainer.waited_s = time.monotonic() - wanted
            losses = trainer.advance(examples)
            trainer.elapsed_s, stop = trainer.agree(work_time.read(), bool(asked_to_stop))
            pace.observe(trainer.step, trainer.elapsed_s, asked)
            monitor.add(losses, trainer.facts())
            if trainer.step % config.log_every == 0 or trainer.is_done:
                monitor.write()
            late = trainer.elapsed_s - saved_s > 60 * config.save_minutes
            if late or stop or trainer.is_done:
                trainer.save(out)
                if checked and not stop:
                    _note_check(trainer, checked, log)
                if is_first():
                    draw_curves(log, out / "curves.png")
                saved_s = trainer.elapsed_s
            if stop and not trainer.is_done:
                raise KeyboardInterrupt


def _note_check(trainer: Trainer, checked: Groups, log: Path) -> None:
    at = {"step": trainer.step, "elapsed_s": trainer.elapsed_s}
    note_check(log, at, trainer.model, checked, trainer.config.dtype)
