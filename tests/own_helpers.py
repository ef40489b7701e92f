"""What tests of own data share: small sounds, transcripts and films on disk."""

import json
from pathlib import Path

import numpy as np
import soundfile

from interplay.clock import SAMPLE_RATE_HZ

LENGTH_S = 2.0
WORDS = (  # channel, word, start, end
    ("user", "hello", 0.5, 0.8),
    ("user", "there", 0.8, 1.1),
    ("model", "good", 1.2, 1.5),
    ("model", "day", 1.5, 1.9),
)


def noise(length_s: float = LENGTH_S, num_channels: int = 2, seed: int = 0) -> np.ndarray:
    """float32 [T, C]: nothing in it repeats, so that a shift by one sample shows."""
    shape = (round(length_s * SAMPLE_RATE_HZ), num_channels)
    return (0.1 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def said(words=WORDS) -> str:
    keys = ("channel", "word", "start_s", "end_s")
    return json.dumps({"words": [dict(zip(keys, word, strict=True)) for word in words]})


def write(folder: Path, name: str, content: str | np.ndarray, rate_hz: int = 16000) -> Path:
    """A text, or samples as a sound file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        soundfile.write(path, content, rate_hz)
    return path


def conversation(folder: Path, name: str = "talk", **kwargs) -> Path:
    """Two channels with word times."""
    write(folder, f"{name}.wav", noise(**kwargs))
    write(folder, f"{name}.json", said())
    return folder
