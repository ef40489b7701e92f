"""Results on paper: the JSON file, the table in the terminal, the page in the documentation.

Knows nothing of how a number was measured.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from interplay.bench.rows import BASELINES, ROWS, Row
from interplay.bench.score import Score
from interplay.errors import DeviceError, RecordError

KEYS = ("suite", "model", "seed", "num_items", "commit", "rows")
LOGICAL = {"serve": ", on the logical clock, where neither the way nor computing takes time"}
MARKS = {True: "pass", False: "fail", None: "–"}


def entry(row: Row, score: Score, baselines: dict[str, float | None]) -> dict[str, Any]:
    """One row of the JSON."""
    return {
        "value": score.value,
        "unit": row.unit,
        "n": score.n,
        "ci95": None if score.ci95 is None else list(score.ci95),
        "baselines": baselines,
        "reach": row.reach,
        "passes": row.passes(score.value),
        "extra": score.extra,
    }


def current_commit() -> str:
    """The commit of this checkout, `-dirty` if changed; `unknown` outside one."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Write whole or not at all. Raises DeviceError where the folder cannot be written."""
    text = json.dumps(report, indent=2) + "\n"
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise DeviceError(f"cannot write {path}: {error.strerror}; name another --json") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise DeviceError(f"cannot write {path}: {error.strerror}; name another --json") from error


def read_json(path: Path) -> dict[str, Any]:
    """A report. Raises RecordError if the file is missing or something else."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}; give a file of --json") from error
    except ValueError as error:
        raise RecordError(f"{path} is not JSON; give a file that --json has written") from error
    missing = [key for key in KEYS if not isinstance(report, dict) or key not in report]
    if missing:
        raise RecordError(f"{path} lacks {', '.join(missing)}; give a file that --json has written")
    return report


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "fraction":
        return f"{100 * value:.3g} %"
    if unit in ("ticks", "number"):
        return f"{value:.2f}"
    if unit == "points":
        return f"{value:.1f}"
    return f"{value:.0f}" if unit == "count" else f"{value:.2f} {unit}"


def _interval(row: dict[str, Any]) -> str:
    if row["ci95"] is None:
        return ""
    low, high = (_number(bound, row["unit"]).split()[0] for bound in row["ci95"])
    return f"{low} – {high}"


def goal(name: str) -> str:
    """What a row should reach, as text."""
    row = ROWS.get(name)
    if row is None or row.reach is None:
        return "report"
    return f"{'≤' if row.lower_is_better else '≥'} {_number(row.reach, row.unit)}"


def command_of(report: dict[str, Any], file: str) -> str:
    """What was typed to get a report into `file`."""
    options = f"--model {report['model']} --seed {report['seed']}"
    for name, key in (("n", "num_items"), ("seconds", "seconds")):
        if report.get(key) is not None:
            options += f" --{name} {report[key]:g}"
    return f"interplay bench {report['suite']} {options} --json {file}"


def _cells(name: str, row: dict[str, Any]) -> list[str]:
    baselines = [_number(row["baselines"].get(b), row["unit"]) for b in BASELINES]
    return [
        name,
        _number(row["value"], row["unit"]),
        _interval(row),
        goal(name),
        MARKS[row["passes"]],
        str(row["n"]),
        *baselines,
    ]


HEADINGS = ("row", "value", "95 %", "reach", "", "n", *BASELINES)


def table(report: dict[str, Any]) -> Table:
    """For the terminal."""
    title = f"{report['suite']} · {report['model']} · seed {report['seed']}"
    made = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for heading in HEADINGS:
        made.add_column(
            heading.replace("_duplex", ""),
            no_wrap=True,
            justify="left" if heading == "row" else "right",
        )
    colours = {True: "green", False: "red", None: ""}
    for name, row in report["rows"].items():
        made.add_row(*_cells(name, row), style=colours[row["passes"]])
    return made


def markdown(report: dict[str, Any], command: str) -> str:
    """The page `docs/results.md`: the table, what the rows mean, what else was counted."""
    rows = report["rows"].items()
    lines = [
        f"# Results: {report['model']}, suite {report['suite']}",
        "",
        f"Commit `{report['commit']}`, seed {report['seed']}. Made with",
        "",
        f"    {command}",
        "",
        *_markdown_table(HEADINGS, (_cells(name, row) for name, row in rows)),
        "",
        "`silent`, `always` (talks without end), `half_duplex` (a flawless cascade that waits for "
        "0.7 s of silence) and `perfect` know the script of every item and run through the same "
        f"player and scorers{LOGICAL.get(report['suite'], '')}. Intervals: bootstrap over items.",
        "",
        "## What the rows mean",
        "",
        *_markdown_table(
            ("row", "what", "also counted"),
            ((name, ROWS[name].what, _extra(row)) for name, row in rows if name in ROWS),
        ),
        "",
    ]
    return "\n".join(lines)


def _extra(row: dict[str, Any]) -> str:
    """Shares of notes as percentages, then what goes with the row as it is."""
    notes = {name: _number(v, "fraction") for name, v in row.get("extra", {}).items()}
    about = {name: json.dumps(value) for name, value in row.get("about", {}).items()}
    return ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in (notes | about).items())


def _markdown_table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    headings = list(headings)
    body = [headings, ["---"] * len(headings), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in body]
