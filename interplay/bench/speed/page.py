"""The result of the speed suite as one HTML file that needs nothing else, and why rows are empty.

Knows nothing of how a number was measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from interplay.bench.results.page.charts import histogram, nice_step
from interplay.bench.results.page.page import facts_html, tables_html
from interplay.bench.speed.runtimes import AGAIN, OURS

COLUMNS = ("ticks", "p50_ms", "p95_ms", "p99_ms", "max_ms", "misses", "cpu_p50_ms")
WIDTH, LEFT, LINE = 420, 160, 24


def page_html(report: Mapping[str, Any]) -> str:
    """Rows, then for every workload a table of runtimes, bars, and how our ticks grow."""
    template = Template(
        (files("interplay.bench.results.page") / "page.html").read_text(encoding="utf-8")
    )
    return template.substitute(
        title="speed",
        subtitle=(
            "<p>One micro-turn appended to a live session and four single steps; the same weights "
            "in every runtime, one thread, sums in fp32 but for those that are called rounded, "
            "logits compared first, runs interleaved. Ours keeps weights in fewer bytes where that "
            "loses nothing. How each rival is run: docs/bench.md; versions below.</p>"
            f"<p>{report['num_ticks']} ticks. CPU times are those of the process alone: on a "
            "shared machine they say more than the wall.</p>"
        ),
        tables="".join(tables_html(report))
        + "".join(f'<p class="note">{escape(text)}</p>' for text in not_measured(report["rows"])),
        charts="".join(_workload(name, each) for name, each in report["workloads"].items()),
        items="",
        facts="".join(facts_html(report)),
    )


def not_measured(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each reason why rows have no value, with their names. rows: name -> JSON entry."""
    names: dict[str, list[str]] = {}
    for name, row in rows.items():
        if row["value"] is None and "why" in row["about"]:
            names.setdefault(row["about"]["why"], []).append(name)
    return [f"{', '.join(each)}: not measured: {why}" for why, each in names.items()]


def _workload(name: str, measured: Mapping[str, Any]) -> str:
    ours = measured["cpu_ms"][OURS]
    charts = [
        bars(f"{name} · median CPU time of a tick", _medians(measured)),
        histogram(f"{name} · {OURS}, CPU time", ours, "ms", len(ours)),
        line(f"{name} · {OURS}, CPU time by tick", ours),
    ]
    return (
        f"<h2>{escape(name)}, {escape(measured['weights'])}</h2>"
        f'<div class="panel"><table>{"".join(_table(measured))}</table></div>'
        f'<p class="note">{measured["session_bytes"] / 2**20:.1f} MB per session, '
        f"{measured['weight_bytes'] / 2**20:.1f} MB of weights as we keep them.</p>"
        f"{''.join(_ways(measured))}"
        f'<div class="charts">{"".join(charts)}</div>'
    )


def _ways(measured: Mapping[str, Any]) -> Iterator[str]:
    """A line for each runtime that could keep the weights in several ways."""
    for name, ways in measured["ways"].items():
        told = "; ".join(f"{way}: {outcome}" for way, outcome in ways.items())
        kept = measured["kept"][name]
        text = f"{name} keeps weights as {kept}, the fastest with the same logits ({told})"
        yield f'<p class="note">{escape(text)}</p>'
    for name, why in measured.get("stopped", {}).items():
        yield f'<p class="note">{escape(f"{name} {why}")}</p>'
    yield (
        '<p class="note">Rivals take every third turn of ours, the other ones every fifth, '
        "ablations from where ours is. llama.cpp's Qwen3 has no window: rows 2 to 4 of a pass see "
        "up to three positions more, and its logits are compared with ours of just that.</p>"
        '<p class="note">Runtimes "rounded to" something give other logits and are shown, not '
        "counted as rivals.</p>"
    )


def _medians(measured: Mapping[str, Any]) -> dict[str, float]:
    """Without the one that takes so long that no other bar would be seen."""
    times = measured["times"]
    return {name: each["cpu_p50_ms"] for name, each in times.items() if name != AGAIN}


def _table(measured: Mapping[str, Any]) -> Iterator[str]:
    titles = ["runtime", *(column.replace("_", " ") for column in COLUMNS), "growth", "logits"]
    yield "<tr>" + "".join(f"<th>{escape(title)}</th>" for title in titles) + "</tr>"
    for name, times in measured["times"].items():
        growth, off = measured["growth"].get(name), measured["logit_difference"].get(name)
        cells = [name, *(f"{times[column]:.4g}" for column in COLUMNS)]
        cells += ["" if growth is None else f"{100 * growth:+.1f} %"]
        cells += ["" if off is None else f"{off:.1e}"]
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
    for name, why in measured["missing"].items():
        yield f'<tr><td>{escape(name)}</td><td colspan="9">{escape(why)}</td></tr>'


def bars(title: str, values: Mapping[str, float]) -> str:
    """One bar per name."""
    scale = (WIDTH - LEFT - 70) / max(values.values())
    parts = []
    for index, (name, value) in enumerate(values.items()):
        y = 4 + index * LINE
        parts.append(
            f'<text x="{LEFT - 6}" y="{y + 14}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="bar" x="{LEFT}" y="{y}" width="{value * scale:.1f}" '
            f'height="{LINE - 6}"/>'
            f'<text x="{LEFT + value * scale + 5:.1f}" y="{y + 14}">{value:.3g} ms</text>'
        )
    return _figure(title, parts, 8 + len(values) * LINE)


def line(title: str, values: Sequence[float], height: int = 150) -> str:
    """A value by its index, thinned to the width by medians."""
    groups = np.array_split(np.asarray(values), min(len(values), 200))
    medians = [float(np.median(group)) for group in groups]
    step = nice_step(max(medians), 4)
    top = step * np.ceil(max(medians) / step)
    across = (WIDTH - 70) / max(1, len(medians) - 1)

    def y(value: float) -> float:
        return height - 20 - (height - 30) * value / top

    points = " ".join(f"{50 + i * across:.1f},{y(v):.1f}" for i, v in enumerate(medians))
    parts = [
        f'<line class="grid" x1="50" x2="{WIDTH - 20}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>'
        f'<text class="dim" x="44" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:.3g}</text>'
        for mark in np.arange(0, top + step / 2, step)
    ]
    parts.append(
        f'<polyline points="{points}" fill="none" stroke="var(--bar)" stroke-width="1.5"/>'
    )
    parts.append(f'<text class="dim" x="50" y="{height - 4}">tick 0</text>')
    parts.append(
        f'<text class="dim" x="{WIDTH - 20}" y="{height - 4}" text-anchor="end">'
        f"{len(values)}</text>"
    )
    return _figure(title, parts, height)


def _figure(title: str, parts: Sequence[str], height: int) -> str:
    picture = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return f'<figure class="chart"><h3>{escape(title)}</h3>{picture}{"".join(parts)}</svg></figure>'
