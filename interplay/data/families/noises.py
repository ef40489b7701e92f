"""Sounds that are no speech: knocks, rattling, a hum that comes and goes, a few notes.

Made from random numbers alone. Knows nothing of timelines or of what anybody says.
"""

import numpy as np
from jaxtyping import Float32

from interplay.clock import SAMPLE_RATE_HZ

Sound = Float32[np.ndarray, " T"]


def noise(rng: np.random.Generator) -> Sound:
    """Half a second to three seconds of one of the kinds, its peak between -34 and -12 dBFS."""
    size = int(rng.uniform(0.5, 3.0) * SAMPLE_RATE_HZ)
    sound = KINDS[int(rng.integers(len(KINDS)))](rng, size)
    level = 10 ** (rng.uniform(-34, -12) / 20)
    return (sound * (level / (np.abs(sound).max() + 1e-9))).astype(np.float32)


def _knocks(rng: np.random.Generator, size: int) -> np.ndarray:
    """Short decaying bursts, low and dull."""
    sound = np.zeros(size)
    for start in rng.integers(0, size, int(rng.integers(1, 6))):
        burst = min(size - start, SAMPLE_RATE_HZ // 4)
        time = np.arange(burst) / SAMPLE_RATE_HZ
        tone = np.sin(2 * np.pi * rng.uniform(60, 400) * time) + 0.5 * rng.standard_normal(burst)
        sound[start : start + burst] += tone * np.exp(-time * rng.uniform(15, 60))
    return sound


def _rattle(rng: np.random.Generator, size: int) -> np.ndarray:
    """Hiss whose loudness jumps some times a second."""
    steps = rng.random(int(size / SAMPLE_RATE_HZ * rng.uniform(5, 25)) + 2) ** 2
    shape = np.interp(np.linspace(0, len(steps) - 1, size), np.arange(len(steps)), steps)
    return rng.standard_normal(size) * shape


def _hum(rng: np.random.Generator, size: int) -> np.ndarray:
    """A motor: harmonics that swell and fade."""
    time = np.arange(size) / SAMPLE_RATE_HZ
    pitch = rng.uniform(40, 220)
    tone = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 8))
    return tone * np.sin(np.pi * np.arange(size) / size)


def _notes(rng: np.random.Generator, size: int) -> np.ndarray:
    """Plucked notes, one after the other."""
    sound = np.zeros(size)
    step = int(rng.uniform(0.15, 0.5) * SAMPLE_RATE_HZ)
    for start in range(0, size, step):
        time = np.arange(min(2 * step, size - start)) / SAMPLE_RATE_HZ
        pitch = 220 * 2 ** (int(rng.integers(0, 25)) / 12)
        tone = np.sin(2 * np.pi * pitch * time) + 0.4 * np.sin(4 * np.pi * pitch * time)
        sound[start : start + len(time)] += tone * np.exp(-6 * time)
    return sound


KINDS = (_knocks, _rattle, _hum, _notes)
