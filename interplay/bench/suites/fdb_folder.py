"""Reads the folders in which Full-Duplex-Bench is published: one folder per part, one per item.

Recordings become clips that follow each other without a gap, cut where something begins or ends
(a turn, an overlap), so that the player knows the times of each; their sum is the recording, sample
for sample, at 16 kHz. Every error is one line that names the file. Knows nothing of what the parts
mean.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from interplay.bench.listening.vad import energy_spans
from interplay.bench.traces.trace import Span, to_int16
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.item import Clip, When
from interplay.data.texts import vocabulary
from interplay.errors import RecordError
from interplay.media.audio import read_audio

SLACK_S = 0.5  # published times may lie this far beyond the end of the sound
NUMBERS = [*vocabulary.NUMBERS[1:11]]
WORD_S = 0.3
WORDS = "recording"  # stands for the unknown words of a clip


def item_folders(
    folder: Path, files_of: Mapping[str, Sequence[str]], num_items: int | None
) -> Iterator[tuple[str, Path]]:
    """(name of the part, folder of an item), the first `num_items` of every part that is there.

    folder: the one that holds the parts, or a part itself. files_of: name of a part -> the files
    that each of its items needs. Raises RecordError where there is no part, no item, or a file
    missing.
    """
    if not folder.is_dir():
        raise RecordError(f"{folder} is not a folder; give the one that holds {_any(files_of)}")
    parts = {name: folder / name for name in files_of if (folder / name).is_dir()}
    if folder.name in files_of:
        parts = {folder.name: folder}
    if not parts:
        held = sorted(path.name for path in folder.iterdir())[:6]
        raise RecordError(
            f"{folder} holds {', '.join(held) or 'nothing'}, but none of {_any(files_of)}; give "
            "the folder that holds these, or one of them"
        )
    for name, part in parts.items():
        found = sorted((path for path in part.iterdir() if path.is_dir()), key=_order)
        if not found:
            raise RecordError(f"{part} holds no folder of an item; unpack the data set again")
        for path in found[:num_items]:
            for file in files_of[name]:
                if not (path / file).is_file():
                    raise RecordError(
                        f"{path} lacks {file}; items of {name} need {', '.join(files_of[name])}"
                    )
            yield name, path


def _any(files_of: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(files_of)


def _order(path: Path) -> tuple[int, str]:
    """Numbers by size, before names."""
    return (int(path.name), "") if path.name.isdecimal() else (1 << 62, path.name)


def seed_of(part: str, path: Path) -> int:
    """The seed of an item: its own for ever."""
    return zlib.crc32(f"{part}/{path.name}".encode())


def sound(path: Path, name: str = "input.wav") -> np.ndarray:
    """int16 [T] at 16 kHz of a recording of any rate in the folder. Raises AudioError."""
    return to_int16(np.asarray(read_audio(path / name).samples, np.float32))


def annotation(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    """The annotation of an item, or the first of its list. Raises RecordError where the file is
    not JSON, is empty or lacks one of the keys."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} is not readable JSON ({error}); unpack it again") from error
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, dict):
        raise RecordError(f"{path} holds no annotation; it should have {', '.join(keys)}")
    missing = [key for key in keys if key not in first]
    if missing:
        raise RecordError(f"{path} lacks {', '.join(missing)}; it has {', '.join(first)}")
    return first


def span(path: Path, value: Any, length_s: float, sound_name: str = "input.wav") -> Span:
    """A span from an annotation of a sound of that length and name. Raises RecordError where it is
    none, or lies outside the sound."""
    try:
        start, end = (float(time_s) for time_s in value)
    except (TypeError, ValueError):
        raise RecordError(
            f"{path}: {value!r} is not a time span; it should be [start, end] in seconds"
        ) from None
    if not 0 <= start <= end <= length_s + SLACK_S:
        raise RecordError(
            f"{path}: {start:g}–{end:g} s does not lie in {sound_name}, which lasts "
            f"{length_s:.2f} s; the two belong to different items"
        )
    return min(start, length_s), min(end, length_s)


def clips(track: np.ndarray, cuts_s: Sequence[float], first: Sequence[int] = ()) -> list[Clip]:
    """The pieces of a track between its start, the cuts and its end, without empty ones.

    first: indexes of the pieces that come first, in this order; the others follow in time order.
    """
    edges = [0, *(round(cut * SAMPLE_RATE_HZ) for cut in cuts_s), len(track)]
    pieces = list(pairwise(edges))
    order = [*first, *(index for index in range(len(pieces)) if index not in first)]
    return [
        Clip(samples=track[a:b], word=WORDS, at=When(seconds=a / SAMPLE_RATE_HZ))
        for a, b in (pieces[index] for index in order)
        if b > a
    ]


def speech_end(track: np.ndarray, before_s: float) -> float:
    """Where speech ends for the last time before a moment; half-way there without any."""
    spans = energy_spans(track[: round(before_s * SAMPLE_RATE_HZ)])
    return spans[-1][1] if spans else before_s / 2


def recital(length_s: float) -> str:
    """Counting, again and again, for about so long: what the oracles say when overlapped."""
    size = max(len(NUMBERS), int(length_s / WORD_S) + 1)
    return " ".join((NUMBERS * (size // len(NUMBERS) + 1))[:size])
