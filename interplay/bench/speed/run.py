"""One run of `interplay bench speed`: measures, prints, writes. Knows nothing of how options are
spelled.
"""

from pathlib import Path
from typing import Any

from interplay.bench.progress import advancing, console
from interplay.bench.results.facts import machine_facts, versions_of
from interplay.bench.results.report import current_commit, tables, write_json, write_text
from interplay.bench.speed.page import not_measured, page_html
from interplay.bench.speed.suite import SpeedBench
from interplay.bench.speed.workload import RANDOM
from interplay.errors import ConfigError
from interplay.model.checkpoint import DEFAULT_MODEL

MIN_TICKS = 8
RIVALS = ("transformers", "onnxruntime", "xllamacpp")


def run(*, num_ticks: int, seed: int, json: Path | None, html: Path | None) -> int:
    """Measure everything with sessions of `num_ticks`. Returns the exit code."""
    if num_ticks < MIN_TICKS:
        raise ConfigError(f"--ticks is {num_ticks}; at least {MIN_TICKS} are needed")
    for name, path in (("json", json), ("html", html)):
        if path is not None and not path.parent.is_dir():
            raise ConfigError(f"--{name} {path}: there is no folder {path.parent}; make it first")
    screen = console()
    with advancing(screen) as advance:
        bench = SpeedBench(num_ticks=num_ticks, seed=seed, advance=advance)
        rows = bench.run()
    report: dict[str, Any] = {
        "suite": "speed",
        "model": ", ".join((DEFAULT_MODEL, *RANDOM)),
        "seed": seed,
        "num_items": None,
        "num_ticks": num_ticks,
        "clock": "wall",
        "commit": current_commit(),
        "machine": machine_facts() | versions_of(RIVALS),
        "published": [],
        "rows": rows,
        "workloads": bench.measured,
    }
    for table in tables(report):
        screen.print(table)
    for name, measured in bench.measured.items():
        for runtime, why in measured["missing"].items():
            screen.print(f"{name}: {runtime} was not measured: {why}", markup=False)
    for line in not_measured(rows):
        screen.print(line, markup=False)
    if json:
        write_json(json, report)
        screen.print(f"written to {json}")
    if html:
        write_text(html, page_html(report), "--html")
        screen.print(f"written to {html}")
    return 0
