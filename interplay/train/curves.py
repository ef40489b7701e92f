"""Draws a run's log as one picture. Knows nothing of models; reads log.jsonl only."""

import json
from pathlib import Path

PANELS = {
    "words: cross entropy": ("heard", "say", "act", "text"),
    "words: accuracy": ("heard_accuracy", "say_accuracy", "act_accuracy", "say_recall"),
    "voice": ("l1", "flow", "gate"),
    "phones: accuracy": ("phones_user_accuracy", "phones_own_accuracy"),
}
COLORS = ("#0b6e99", "#d1495b", "#4f8a4f", "#8d6a9f")
SMOOTH = 0.8


def draw_curves(log: Path, picture: Path) -> None:
    """Losses and accuracies over minutes, smoothed, the raw values pale behind."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    if not log.exists():
        return  # stopped before the first line
    lines = [json.loads(text) for text in log.read_text().splitlines()]
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7), sharex=True, layout="constrained")
    for axis, (title, names) in zip(axes.flat, PANELS.items(), strict=True):
        for name, color in zip(names, COLORS, strict=False):
            points = [(line["elapsed_s"] / 60, line[name]) for line in lines if name in line]
            if points:
                minutes, values = zip(*points, strict=True)
                axis.plot(minutes, values, color=color, alpha=0.2, linewidth=0.8)
                axis.plot(minutes, _smooth(values), color=color, label=name.replace("_", " "))
        if "accuracy" in title:
            axis.set_ylim(0, 1)
        else:
            axis.set_ylim(bottom=0)
        axis.set_title(title, loc="left", fontsize=11)
        axis.grid(color="#e6e6e6", linewidth=0.8)
        axis.spines[["top", "right"]].set_visible(False)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(frameon=False, fontsize=9)
    for axis in axes[1]:
        axis.set_xlabel("minutes of training")
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)


def _smooth(values: tuple[float, ...]) -> list[float]:
    """Exponential average, with the weights of a short past made to sum to one."""
    out, total, weight = [], 0.0, 0.0
    for value in values:
        total = SMOOTH * total + (1 - SMOOTH) * value
        weight = SMOOTH * weight + (1 - SMOOTH)
        out.append(total / weight)
    return out
