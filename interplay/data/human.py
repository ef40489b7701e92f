"""Human recordings of single words, from a folder of FLAC archives with a table of labels.

The folder holds `labels.csv` (archive, start_sample, end_sample, word, speaker, split, source) and
one `ARCHIVE.flac` per archive name. Speakers of the `test` split never occur in `train`. Knows
nothing about training; the split is always named by the caller.
"""

import csv
import os
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Int16

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.bank import Clip
from interplay.errors import ConfigError, RecordError

FOLDER_VARIABLE = "INTERPLAY_HUMAN"
DEFAULT_FOLDER = Path("..", "shared", "data", "human")
SPLITS = ("train", "test")
_COLUMNS = {"archive", "start_sample", "end_sample", "word", "speaker", "split", "source"}
_EDGE_S = 0.1  # weak consonants at the edges stay inside
_BLOCK = SAMPLE_RATE_HZ // 100
_SOUND_DB = 30.0  # a word's blocks lie within this of its loudest
_OVER_NOISE_DB = 6.0


@cache
def _tell_missing(folder: Path) -> None:
    """Once."""
    print(f"no human recordings at {folder}; set {FOLDER_VARIABLE} to use some")


class HumanClips(Sequence[Clip]):
    """The clips of one split, read when asked for."""

    def __init__(self, folder: Path, rows: list[dict[str, str]]) -> None:
        self.folder = folder
        self._rows = rows

    @staticmethod
    def open(folder: str | Path | None, split: str) -> "HumanClips":
        """The `train` or `test` clips of a folder; never both.

        folder: None takes the environment variable INTERPLAY_HUMAN, then ../shared/data/human.
        A folder that is not there gives no clips, and says so in one printed line.
        Raises ConfigError on another split and RecordError on a table without its columns or a
        speaker in both splits.
        """
        if split not in SPLITS:
            raise ConfigError(f"human split {split!r} is not one of {', '.join(SPLITS)}")
        folder = Path(folder or os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)
        table = folder / "labels.csv"
        if not table.is_file():
            _tell_missing(folder)
            return HumanClips(folder, [])
        rows = _read_table(table)
        return HumanClips(folder, [row for row in rows if row["split"] == split])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Clip:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One word: its sound with at most 100 ms around it, and the times it fills."""
        row = self._rows[index]
        archive = _read_archive(self.folder / f"{row['archive']}.flac")
        samples = archive[int(row["start_sample"]) : int(row["end_sample"])]
        if not len(samples):
            raise RecordError(f"{row['archive']}.flac ends before clip {row['start_sample']}")
        start_s, end_s = _word_edges(samples)
        first = max(0, round((start_s - _EDGE_S) * SAMPLE_RATE_HZ))
        last = round((end_s + _EDGE_S) * SAMPLE_RATE_HZ)
        zero_s = first / SAMPLE_RATE_HZ
        return Clip(
            samples=samples[first:last],
            words=[(row["word"], start_s - zero_s, end_s - zero_s)],
            phones=[],
            text=row["word"],
            voice=f"human:{row['speaker']}",
            engine="human",
            role="user",
            tag=row["source"],
        )

    @property
    def words(self) -> list[str]:
        """The word of every clip, without reading sound."""
        return [row["word"] for row in self._rows]

    @property
    def speakers(self) -> set[str]:
        return {row["speaker"] for row in self._rows}


def _read_table(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        reader = csv.DictReader(file)
        if lacking := _COLUMNS - set(reader.fieldnames or ()):
            raise RecordError(f"{table} lacks the columns {', '.join(sorted(lacking))}")
        rows = list(reader)
    train, test = ({row["speaker"] for row in rows if row["split"] == s} for s in SPLITS)
    if both := train & test:
        raise RecordError(f"{table}: speaker {min(both)!r} is in train and in test; split again")
    return rows


@lru_cache(maxsize=4)
def _read_archive(path: Path) -> Int16[np.ndarray, " T"]:
    """A whole archive in memory: clips are drawn in random order."""
    if not path.is_file():
        raise RecordError(f"{path} is not there; labels.csv names it")
    samples, rate = soundfile.read(path, dtype="int16")
    if rate != SAMPLE_RATE_HZ or samples.ndim != 1:
        raise RecordError(f"{path} is not {SAMPLE_RATE_HZ} Hz mono; convert it first")
    return samples


def _word_edges(samples: Int16[np.ndarray, " T"]) -> tuple[float, float]:
    """Seconds where the word's energy begins and ends, to 10 ms; the whole clip when unclear."""
    num_blocks = len(samples) // _BLOCK
    duration_s = len(samples) / SAMPLE_RATE_HZ
    if num_blocks < 5:
        return 0.0, duration_s
    blocks = samples[: num_blocks * _BLOCK].reshape(num_blocks, _BLOCK).astype(np.float32)
    level_db = 10 * np.log10(np.mean((blocks - blocks.mean()) ** 2, axis=1) + 1.0)
    smooth_db = np.convolve(np.pad(level_db, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    threshold_db = max(smooth_db.max() - _SOUND_DB, np.percentile(smooth_db, 10) + _OVER_NOISE_DB)
    loud = np.flatnonzero(smooth_db > min(threshold_db, smooth_db.max() - _OVER_NOISE_DB))
    return (
        float(loud[0] * _BLOCK / SAMPLE_RATE_HZ),
        float(min(duration_s, (loud[-1] + 1) * _BLOCK / SAMPLE_RATE_HZ)),
    )
