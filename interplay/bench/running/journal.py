"""What a suite that is still running has found, item by item, so that an interrupted run goes on.

A file of lines beside the results: what is measured, then the outcomes of every item that has
ended. It holds no traces (bench.traces.kept does). Knows nothing of how anything is played.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interplay.bench.results.outcomes import columns, from_columns
from interplay.bench.suites.base import Outcomes
from interplay.errors import DeviceError


class Journal:
    """about: what must agree, down to the last key, for an earlier file to be taken up; any other
    file is begun anew. Raises DeviceError where it cannot be written."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self._path = path
        self._head = json.dumps({"about": about}) + "\n"
        self._found: dict[str, dict[str, Outcomes]] = {}  # suite -> item -> row -> outcomes
        self._lines: dict[str, list[str]] = {}  # of suites
        if not self._read():
            self._write(self._head, "w")

    def find(self, suite: str, item: str) -> Outcomes | None:
        """Row -> outcomes of an item, if an earlier run has got so far."""
        return self._found.get(suite, {}).get(item)

    def add(self, suite: str, item: str, outcomes: Outcomes) -> None:
        """Written before the next item is scored."""
        rows = {row: columns([(item, each) for each in found]) for row, found in outcomes.items()}
        line = json.dumps({"suite": suite, "item": item, "rows": rows}) + "\n"
        self._lines.setdefault(suite, []).append(line)
        self._write(line, "a")

    def forget(self, suite: str) -> None:
        """Its items are not needed any more: it is in the results."""
        self._found.pop(suite, None)
        self._lines.pop(suite, None)
        rest = [line for lines in self._lines.values() for line in lines]
        self._write("".join([self._head, *rest]), "w")

    def close(self) -> None:
        """Nothing of it is needed any more."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> bool:
        """Whether the file is of this very measurement. A line that was cut off is left out."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except OSError:
            return False
        if not text.startswith(self._head):
            return False
        for line in text.splitlines()[1:]:
            try:
                kept = json.loads(line)
                rows = {
                    row: tuple(outcome for _, outcome in from_columns(table))
                    for row, table in kept["rows"].items()
                }
                self._found.setdefault(kept["suite"], {})[kept["item"]] = rows
                self._lines.setdefault(kept["suite"], []).append(line + "\n")
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        if not text.endswith("\n"):
            self._write("\n", "a")
        return True

    def _write(self, text: str, mode: str) -> None:
        try:
            with self._path.open(mode, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise DeviceError(
                f"cannot write {self._path}: {error.strerror}; name another --json"
            ) from error
