"""Folders of official video benchmarks: tables read, files found, clear words where they are not.

Knows nothing of single benchmarks.
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interplay.errors import RecordError


def find_file(root: Path, places: Sequence[str], what: str) -> Path:
    """The first of some places below a folder that is there. Raises RecordError."""
    if not root.is_dir():
        raise RecordError(f"{root} is no folder; give the folder that holds {what}")
    for place in places:
        if (root / place).exists():
            return root / place
    raise RecordError(f"{root} holds no {what}; looked for {', '.join(places)}")


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV file with a header. Raises RecordError, also for one that lacks a column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [{k: v for k, v in row.items() if isinstance(k, str)} for row in reader]
            header = list(reader.fieldnames or [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"{path} cannot be read as CSV: {error}") from error
    missing = [column for column in columns if column not in header]
    if missing:
        seen = ", ".join(header[:8]) or "nothing"
        raise RecordError(f"{path} lacks the column {', '.join(missing)}; its header: {seen}")
    if not rows:
        raise RecordError(f"{path} has a header but no rows; get it again")
    return rows


def read_list(path: Path) -> list[dict[str, Any]]:
    """A JSON list of objects. Raises RecordError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise RecordError(f"{path} is not a list of objects; get it again")
    return found


def wanted(entry: dict[str, Any], keys: Sequence[str], where: str) -> None:
    """Raises RecordError if an annotation lacks a key."""
    missing = [key for key in keys if key not in entry]
    if missing:
        raise RecordError(
            f"{where} lacks {', '.join(missing)}; it has {', '.join(entry) or 'nothing'}"
        )


def find_video(folders: Sequence[Path], name: str) -> Path:
    """A video by file name, or by that without `.mp4`, in the first folder that has it.

    Raises RecordError.
    """
    for folder in folders:
        for file in (folder / name, folder / f"{name}.mp4"):
            if file.is_file():
                return file
    looked = ", ".join(str(folder) for folder in folders)
    raise RecordError(f"the video {name} is not there; looked in {looked}")


def take(values: Sequence[Any], most: int | None) -> Sequence[Any]:
    """At most so many, spread evenly over all of them; all if None."""
    if most is None or most >= len(values):
        return values
    return [values[i * len(values) // most] for i in range(most)]
