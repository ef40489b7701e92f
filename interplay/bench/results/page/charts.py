"""Charts of a result page as inline SVG. Knows nothing of rows or items."""

from collections.abc import Sequence
from html import escape

import numpy as np

WIDTH, HEIGHT = 360, 150
LEFT, RIGHT, TOP, BOTTOM = 8, 8, 30, 26
STEPS = (1, 2, 2.5, 5, 10)
MAX_BINS = 24


def nice_step(extent: float, most: int) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that covers `extent` in `most` steps."""
    power = 10.0 ** np.floor(np.log10(max(extent, 1e-9) / most))
    return float(next(power * step for step in STEPS if power * step * most >= extent * (1 - 1e-9)))


def histogram(name: str, values: Sequence[float], unit: str, num_tries: int) -> str:
    """How values are distributed, with median and 90th percentile. num_tries: also those that
    gave no value."""
    missing = num_tries - len(values)
    title = f"{name} · n {num_tries}" + (f", {missing} without a value" if missing else "")
    if not values:
        return f'<figure class="chart"><h3>{escape(title)}</h3></figure>'
    low, high = min(0.0, min(values)), max(values)
    step = nice_step(high - low or 1.0, MAX_BINS)
    first = np.floor(low / step + 1e-9)
    num_bins = max(1, int(np.floor(high / step + 1e-9) - first) + 1)
    counts = np.bincount(
        np.clip(np.floor(np.array(values) / step + 1e-9) - first, 0, num_bins - 1).astype(int),
        minlength=num_bins,
    )
    scale = (WIDTH - LEFT - RIGHT) / num_bins
    tall = (HEIGHT - TOP - BOTTOM) / counts.max()
    floor = HEIGHT - BOTTOM
    parts = [
        f'<rect class="bar" x="{LEFT + i * scale + 1:.1f}" y="{floor - count * tall:.1f}" '
        f'width="{max(1.0, scale - 2):.1f}" height="{count * tall:.1f}" rx="1.5">'
        f"<title>{(first + i) * step:.4g} to {(first + i + 1) * step:.4g} {unit}: {count}</title>"
        "</rect>"
        for i, count in enumerate(counts)
        if count
    ]
    parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>')
    every = max(1, -(-num_bins // 6))
    for i in range(0, num_bins + 1, every):
        x = LEFT + i * scale
        anchor = "start" if i == 0 else "end" if x > WIDTH - 30 else "middle"
        parts.append(
            f'<text class="dim" x="{x:.1f}" y="{HEIGHT - 9}" text-anchor="{anchor}">'
            f"{(first + i) * step:.4g}</text>"
        )
    for rank, (label, percent) in enumerate((("median", 50), ("p90", 90))):
        value = float(np.percentile(values, percent))
        x = LEFT + (value / step - first) * scale
        anchor = "end" if x > WIDTH * 0.6 else "start"
        shift = -4 if anchor == "end" else 4
        y = 12 + 13 * rank
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 8}" y2="{floor}"/>')
        parts.append(
            f'<text x="{x + shift:.1f}" y="{y}" text-anchor="{anchor}">'
            f"{label} {value:.3g} {unit}</text>"
        )
    picture = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    return f'<figure class="chart"><h3>{escape(title)}</h3>{picture}{"".join(parts)}</svg></figure>'
