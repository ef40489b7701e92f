"""Rows of published data sets as they lie in the user's folder: JSON lines, CSV or Parquet, with
their sound. Knows nothing of what a row means.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int16

from interplay.bench.traces.trace import to_int16
from interplay.errors import AudioError, RecordError
from interplay.media.audio import decode_audio, read_audio

Row = Mapping[str, Any]


def rows_of(folder: Path, name: str, keys: Sequence[str]) -> Iterator[tuple[str, Row]]:
    """("file:number", row) of every row of `folder/name.jsonl`, `name.csv` or all `*.parquet`.

    folder may also be such a file itself. Raises RecordError where nothing of the kind is there,
    a line cannot be read, or a row lacks one of `keys`.
    """
    paths = [folder] if folder.is_file() else sorted(folder.glob("*.parquet"))
    known = [folder / f"{name}.{ending}" for ending in ("jsonl", "csv")]
    paths = [path for path in known if path.is_file()] or paths
    if not paths:
        raise RecordError(
            f"{folder} has no {name}.jsonl, {name}.csv or *.parquet; see how to get the data with "
            "`interplay bench --list`"
        )
    for path in paths:
        for number, row in _read(path):
            where = f"{path}:{number}"
            missing = [key for key in keys if not isinstance(row, Mapping) or key not in row]
            if missing:
                raise RecordError(f"{where} lacks {', '.join(missing)}")
            yield where, row


def _read(path: Path) -> Iterator[tuple[int, Any]]:
    """(line of a JSON file, else number of the row; row)."""
    if path.suffix == ".parquet":
        yield from enumerate(_parquet(path), 1)
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".csv":
                yield from enumerate(csv.DictReader(file, strict=True), 1)
                return
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, _json(line, path, number)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"cannot read {path}: {error}") from error


def _json(line: str, path: Path, number: int) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise RecordError(f"{path}:{number} is not JSON: {error}") from error


def _parquet(path: Path) -> Iterator[Any]:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:
        raise RecordError(
            f"reading {path.name} needs pyarrow: pip install 'interplay[bench]', or export the "
            "rows as JSON lines with their sound as wav files"
        ) from error
    try:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=8):
            yield from batch.to_pylist()
    except (OSError, ValueError) as error:  # Arrow's own are values
        raise RecordError(f"cannot read {path}: {error}; get it again") from error


def sound_of(value: Any, where: str) -> Int16[np.ndarray, " T"]:
    """int16 mono 16 kHz from a cell: a path relative to the table, or {"bytes", "path"} as in
    Hugging Face data sets. Other rates are resampled, channels averaged. Raises AudioError."""
    if isinstance(value, Mapping) and value.get("bytes"):
        sound = decode_audio(value["bytes"], where)
    else:
        path = value.get("path") if isinstance(value, Mapping) else value
        if not isinstance(path, str):
            raise AudioError(f"{where}: no sound in this cell; a path or bytes are wanted")
        sound = read_audio(Path(where.rsplit(":", 1)[0]).parent / path)
    return to_int16(sound.samples)
