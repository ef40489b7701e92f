"""One run of `interplay bench speed`: measures, resumes, prints, writes.

Knows nothing of how options are spelled.
"""

import dataclasses
from pathlib import Path
from typing import Any

from interplay.bench.progress import advancing, console
from interplay.bench.results.facts import machine_facts, versions_of
from interplay.bench.results.report import (
    current_commit,
    read_json,
    tables,
    write_json,
    write_text,
)
from interplay.bench.speed.page import not_measured, page_html
from interplay.bench.speed.rows import SPEED
from interplay.bench.speed.suite import Found, SpeedBench
from interplay.bench.speed.workload import RANDOM
from interplay.errors import ConfigError
from interplay.model.checkpoint import DEFAULT_MODEL

MIN_TICKS = 8
RIVALS = ("transformers", "onnxruntime", "xllamacpp")
SAME = ("model", "seed", "num_ticks", "machine")  # of runs whose rows may stand in one file


def run(
    *, num_ticks: int, seed: int, asked: str | None, json: Path | None, html: Path | None
) -> int:
    """Measure with sessions of `num_ticks` what the rows in `asked` need, separated by commas
    (None: all); what FILE.partial holds of such a run, interrupted, is not measured again. Other
    rows of FILE stay. Returns the exit code."""
    if num_ticks < MIN_TICKS:
        raise ConfigError(f"--ticks is {num_ticks}; at least {MIN_TICKS} are needed")
    for name, path in (("json", json), ("html", html)):
        if path is not None and not path.parent.is_dir():
            raise ConfigError(f"--{name} {path}: there is no folder {path.parent}; make it first")
    wanted, screen = _wanted(asked), console()
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
    }
    earlier = _earlier(report, json) if asked else {}
    partial = json and json.with_name(json.name + ".partial")
    found = _interrupted(report, partial)
    with advancing(screen) as advance:
        bench = SpeedBench(num_ticks=num_ticks, seed=seed, advance=advance, found=found)
        for _ in bench.run(wanted):
            if partial:
                write_json(partial, report | {"rows": {}, "found": dataclasses.asdict(found)})
    report["rows"] = _in_order(earlier.get("rows", {}) | bench.rows(wanted))
    report["workloads"] = earlier.get("workloads", {}) | found.workloads
    finish(report, json, html, screen)
    if partial:
        partial.unlink(missing_ok=True)
    return 0


def finish(report: dict[str, Any], json: Path | None, html: Path | None, screen: Any) -> None:
    for table in tables(report):
        screen.print(table)
    for name, measured in report["workloads"].items():
        for runtime, why in measured["missing"].items():
            screen.print(f"{name}: {runtime} was not measured: {why}", markup=False)
    for line in not_measured(report["rows"]):
        screen.print(line, markup=False)
    if json:
        write_json(json, report)
        screen.print(f"written to {json}")
    if html:
        write_text(html, page_html(report), "--html")
        screen.print(f"written to {html}")


def _wanted(asked: str | None) -> list[str]:
    known = [row.name for row in SPEED]
    names = known if asked is None else asked.split(",")
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"no row {', '.join(unknown)} in speed; rows: {', '.join(known)}")
    return names


def _in_order(rows: dict[str, Any]) -> dict[str, Any]:
    return {row.name: rows[row.name] for row in SPEED if row.name in rows}


def _interrupted(report: dict[str, Any], partial: Path | None) -> Found:
    """What a run of exactly the same measurement has left behind."""
    if partial is None or not partial.exists():
        return Found()
    earlier = read_json(partial)
    same = all(earlier.get(key) == value for key, value in report.items())
    return Found.of(earlier["found"]) if same else Found()


def _earlier(report: dict[str, Any], json: Path | None) -> dict[str, Any]:
    """What stands in FILE; its rows say of which commit they are. Raises ConfigError where they
    were measured differently: one header cannot tell of both."""
    if json is None or not json.exists():
        return {}
    earlier = read_json(json)
    for key in SAME:
        if earlier.get(key) != report[key]:
            raise ConfigError(
                f"{json} was measured with another {key} ({_short(earlier.get(key))}, not "
                f"{_short(report[key])}); name another --json"
            )
    commit = {"commit": earlier["commit"]}
    rows = {
        name: row | {"about": commit | row.get("about", {})}
        for name, row in earlier["rows"].items()
    }
    return earlier | {"rows": rows}


def _short(value: Any, most: int = 60) -> str:
    text = str(value)
    return text if len(text) <= most else f"{text[:most]}…"
