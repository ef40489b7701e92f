"""Results on paper: the JSON file, the table in the terminal, the page in the documentation.

Knows nothing of how a number was measured.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from interplay.bench.listening.recognisers import OWN
from interplay.bench.listening.vad import ENERGY
from interplay.bench.scoring.rows import BASELINES, ROWS, Row
from interplay.bench.scoring.score import Score
from interplay.bench.wording.rules import RULE
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
        "passes": row.passes(score.value) if score.n else None,  # nothing was measured
        "extra": score.extra,
        "what": row.what,
        "lower_is_better": row.lower_is_better,
        "statistic": row.statistic,
        "weights": None if row.weights is None else dict(row.weights),
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
    write_text(path, _json(report) + "\n", "--json")


def write_text(path: Path, text: str, option: str) -> None:
    """The same for any text. option: what named the file."""
    advice = f"name another {option}"
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise DeviceError(f"cannot write {path}: {error.strerror}; {advice}") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise DeviceError(f"cannot write {path}: {error.strerror}; {advice}") from error


def _json(value: Any, indent: str = "") -> str:
    """Mappings line by line, lists on one line: outcomes of a thousand items stay readable."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value)
    inner = indent + "  "
    lines = [f"{inner}{json.dumps(str(key))}: {_json(value[key], inner)}" for key in value]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


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


def number(value: float | None, unit: str) -> str:
    """A value as people read it."""
    if value is None:
        return "–"
    if unit == "fraction":
        return f"{100 * value:.3g} %"
    if unit in ("ticks", "number"):
        return f"{value:z.2f}"
    if unit == "points":
        return f"{value:z.1f}"
    if unit in ("count", "wpm"):
        return f"{value:z.0f}" if unit == "count" else f"{value:z.0f} {unit}"
    return f"{value:z.2f} {unit}"


def _interval(row: Mapping[str, Any]) -> str:
    if row["ci95"] is None:
        return ""
    low, high = (number(bound, row["unit"]).split()[0] for bound in row["ci95"])
    return f"{low} – {high}"


def goal(row: Row | Mapping[str, Any]) -> str:
    """What a row, or its JSON entry, should reach, as text."""
    found = row if isinstance(row, Mapping) else vars(row)
    if found["reach"] is None:
        return "report"
    return f"{'≤' if found['lower_is_better'] else '≥'} {number(found['reach'], found['unit'])}"


def command_of(report: Mapping[str, Any], file: str) -> str:
    """What was typed to get a report into `file`."""
    if report["suite"] == "speed":  # which chooses its models itself
        return f"interplay bench speed --ticks {report['num_ticks']} --json {file}"
    endpoint = report.get("endpoint")
    is_plain = endpoint in (None, f"local:{report['model']}", f"baseline:{report['model']}")
    options = f"--model {report['model']}" if is_plain else f"--endpoint {endpoint}"
    options += f" --seed {report['seed']}"
    for name, key in (("n", "num_items"), ("seconds", "seconds")):
        if report.get(key) is not None:
            options += f" --{name} {report[key]:g}"
    if report.get("clock") == "wall" and report["suite"] != "serve":  # that has no other
        options += " --clock wall"
    if (report.get("sessions") or 1) > 1:
        options += f" --jobs {report['sessions']}"
    for name, key, usual in (
        ("data", "data", None),
        ("recogniser", "words_from", OWN),
        ("vad", "vad", ENERGY),
        ("judge", "judge", RULE),
    ):
        if report.get(key) not in (None, usual):
            options += f" --{name} {report[key]}"
    options += " --keep FOLDER" if "--judge" in options else ""
    return f"interplay bench {report['suite']} {options} --json {file}"


def sections(report: Mapping[str, Any]) -> list[tuple[str, dict[str, dict[str, Any]]]]:
    """(suite, its rows) of a report; rows of older files are completed."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, row in report["rows"].items():
        known = ROWS.get(name)
        about = {} if known is None else {k: getattr(known, k) for k in ("what", "lower_is_better")}
        suite = row.get("suite", report["suite"])
        found.setdefault(suite, {})[name] = {"lower_is_better": False, "what": "", **about, **row}
    return list(found.items())


def baselines_of(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The trivial systems beside these rows, the usual ones first."""
    names = dict.fromkeys(name for row in rows.values() for name in row["baselines"])
    return [n for n in BASELINES if n in names] + [n for n in names if n not in BASELINES]


def headings(baselines: Sequence[str]) -> list[str]:
    """Of the table of one suite."""
    return ["row", "value", "95 %", "reach", "", "n", *baselines]


def cells(name: str, row: Mapping[str, Any], baselines: Sequence[str]) -> list[str]:
    """The line of one row, as text."""
    return [
        name,
        number(row["value"], row["unit"]),
        _interval(row),
        goal(row),
        MARKS[row["passes"]],
        str(row["n"]),
        *(number(row["baselines"].get(each), row["unit"]) for each in baselines),
    ]


def tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """For the terminal, one per suite."""
    colours = {True: "green", False: "red", None: ""}
    for suite, rows in sections(report):
        title = f"{suite} · {report['model']} · seed {report['seed']}"
        made = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
        names = baselines_of(rows) or list(BASELINES)
        for heading in headings(names):
            made.add_column(
                heading.replace("_duplex", ""),
                no_wrap=True,
                justify="left" if heading == "row" else "right",
            )
        for name, row in rows.items():
            made.add_row(*cells(name, row, names), style=colours[row["passes"]])
        yield made
        yield from _notes_table(rows)


def _notes_table(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Table]:
    """What was counted beside the values; nothing where nothing was."""
    found = [(name, text) for name, row in rows.items() if (text := notes_of(row))]
    if not found:
        return
    made = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    made.add_column("row", no_wrap=True)
    made.add_column("also counted")
    for line in found:
        made.add_row(*line)
    yield made


def markdown(report: Mapping[str, Any], command: str) -> str:
    """The page `docs/results.md`: the table, what the rows mean, what else was counted."""
    lines = [
        f"# Results: {report['model']}, suite {report['suite']}",
        "",
        f"Commit `{report['commit']}`, seed {report['seed']}. Made with",
        "",
        f"    {command}",
        "",
    ]
    for suite, rows in sections(report):
        names = baselines_of(rows) or list(BASELINES)
        body = (cells(name, row, names) for name, row in rows.items())
        title = [f"## {suite}", ""] if suite != report["suite"] else []
        lines += [*title, *_markdown_table(headings(names), body), ""]
    published = report.get("published") or []
    if published:
        lines += ["## Published numbers", "", *_markdown_table(PUBLISHED, _published(report)), ""]
    lines += [
        "`silent`, `always` (talks without end), `half_duplex` (a flawless cascade that waits for "
        "0.7 s of silence) and `perfect` know the script of every item and run through the same "
        f"player and scorers{LOGICAL.get(report['suite'], '')}. Intervals: bootstrap over items.",
        "",
        "## What the rows mean",
        "",
        *_markdown_table(
            ("row", "what", "also counted"),
            (
                (name, row["what"], _also(row))
                for _, rows in sections(report)
                for name, row in rows.items()
                if row["what"]
            ),
        ),
        "",
    ]
    return "\n".join(lines)


PUBLISHED = ("row", "system", "value", "source", "date")


def _published(report: Mapping[str, Any]) -> Iterator[list[str]]:
    for each in report["published"]:
        unit = report["rows"].get(each["row"], {}).get("unit", "number")
        value = number(each["value"], unit)
        yield [each["row"], each["system"], value, each["source"], each["date"]]


def notes_of(row: Mapping[str, Any]) -> str:
    """Shares of notes as percentages (no response, server error, ...), and who judged the row."""
    notes = {name: number(v, "fraction") for name, v in row.get("extra", {}).items()}
    if row.get("judge", RULE) != RULE:
        notes["judge"] = row["judge"]
    return ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in notes.items())


def _also(row: Mapping[str, Any]) -> str:
    """The notes, then what goes with the row as it is."""
    about = [
        f"{name.replace('_', ' ')} {json.dumps(value)}"
        for name, value in row.get("about", {}).items()
    ]
    return ", ".join([*filter(None, [notes_of(row)]), *about])


def _markdown_table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    titles = list(titles)
    body = [titles, ["---"] * len(titles), *rows]
    return ["| " + " | ".join(line) + " |" for line in body]
