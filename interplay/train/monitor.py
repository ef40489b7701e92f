"""What a run shows while it lasts: a progress bar and one JSON line every few steps.

Knows nothing of models. Accuracies are averaged over cases, not over steps.
"""

import json
import math
import time
from collections import defaultdict
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from interplay.train.losses import Losses
from interplay.train.silence import BEST, RECALL, SayWatch

QUIET_S = 30.0  # seconds between lines where there is no terminal to draw a bar in
STALLED = 0.05  # share of waiting that is worth a word


class Monitor:
    """Collects losses; `write` averages them into the log and onto the screen, with a warning where
    the model falls silent (train.silence).

    log: None where another process shows the run; a log that is there already is gone on with.
    """

    def __init__(self, log: Path | None) -> None:
        self._log = log
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[news]}"),
            console=self._console,
            disable=log is None or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=1.0, news="")
        self._facts: dict[str, float] = {}
        self._printed_s = -math.inf
        self._written_s: float | None = None
        self._watch = SayWatch(_best_recall(log))
        self._clear()

    def _clear(self) -> None:
        self._num_steps = 0
        self._positions = self._waited_s = 0.0
        self._parts: dict[str, float] = defaultdict(float)
        self._cases: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def __enter__(self) -> "Monitor":
        self._bar.start()
        self._began_s = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def add(self, losses: Losses, facts: dict[str, float]) -> None:
        """One step. facts: where the run is after it."""
        if self._written_s is None:
            self._written_s = facts["elapsed_s"]  # the first step warms up and does not count
        else:
            self._positions += facts["positions"]
            self._waited_s += facts["waited_s"]
        self._num_steps += 1
        self._facts = facts
        for name, part in {"loss": losses.total.detach(), **losses.parts}.items():
            self._parts[name] += float(part)
        for name, (total, count) in losses.metrics.items():
            self._cases[name][0] += float(total)
            self._cases[name][1] += float(count)

    def write(self) -> dict[str, float]:
        """One line of the averages since the last one, which it returns; `stall` is the share of
        that time in which the step waited for its batch."""
        facts, means = self._facts, {k: v / self._num_steps for k, v in self._parts.items()}
        means |= {k: total / count for k, (total, count) in self._cases.items() if count}
        since_s = facts["elapsed_s"] - (self._written_s or 0.0)
        speed, stall = (
            each / since_s if since_s > 0 else 0.0 for each in (self._positions, self._waited_s)
        )
        kept = {k: v for k, v in facts.items() if k not in ("positions", "waited_s")}
        line = kept | means | {"positions_per_s": speed, "stall": stall}
        self._written_s = facts["elapsed_s"]
        warning = self._watch.see(line)
        line |= {BEST: self._watch.best} if self._watch.best else {}
        if self._log:
            add_line(self._log, **line)
            self._show(line)
            if warning:
                self._console.print(warning, style="bold red", soft_wrap=True, highlight=False)
        self._clear()
        return line

    def _show(self, line: dict[str, float]) -> None:
        news = (
            f"step {line['step']:.0f}  {_left(line)}  {line['positions_per_s']:.0f} positions/s  "
            f"loss {line['loss']:.3f}"
        )
        for name in ("heard", "say", "act"):
            if f"{name}_accuracy" in line:
                unsaid = f", {1 - line[RECALL]:.0%} unsaid" if name == "say" else ""
                news += f"  {name} {line[name]:.2f} ({line[f'{name}_accuracy']:.0%}{unsaid})"
        if "l1" in line:
            news += f"  voice {line['l1']:.2f}"
        if line["stall"] > STALLED:
            news += f"  waits {line['stall']:.0%} of the time for batches"
        self._bar.update(self._task, completed=line["progress"], news=news)
        now = time.monotonic()
        if self._bar.disable and (now - self._printed_s > QUIET_S or line["progress"] >= 1):
            self._printed_s = now
            self._console.print(f"{line['progress']:4.0%}  {news}", soft_wrap=True, highlight=False)


def add_line(log: Path, **values: float) -> None:
    """One line of JSON at the end of a run's log."""
    with log.open("a") as file:
        file.write(json.dumps({k: _short(v) for k, v in values.items()}) + "\n")


def _best_recall(log: Path | None) -> float:
    """Of a run that goes on, as its log has it."""
    if log is None or not log.exists():
        return 0.0
    lines = (json.loads(text) for text in log.read_text().splitlines())
    return max((line.get(BEST, 0.0) for line in lines), default=0.0)


def _short(value: float) -> float:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _left(line: dict[str, float]) -> str:
    """Time to the end, if the speed stays."""
    if not 0 < line["progress"] < 1:
        return "--:-- left"
    seconds = line["elapsed_s"] / line["progress"] * (1 - line["progress"])
    return f"{int(seconds // 60)}:{int(seconds % 60):02d} left"
