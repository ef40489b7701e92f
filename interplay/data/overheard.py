"""How speech that is not meant for the model reaches its microphone: an aside, a voice behind.

Recipe: Full-Duplex-Bench V1.5, arXiv 2507.23159. Knows nothing of items, timelines or of what is
said.
"""

import numpy as np
from jaxtyping import Float32

from interplay.clock import SAMPLE_RATE_HZ

Sound = Float32[np.ndarray, " T"]
Longer = Float32[np.ndarray, " R"]
ASIDE_DB, SHELF_DB, SHELF_HZ = -8.0, -5.0, 4000.0
ASIDE_REFLECTIONS = ((0.045, -6.0), (0.120, -12.0))  # seconds later, dB below
BEHIND_DB, BEHIND_HZ = -15.0, 3000.0
BEHIND_REFLECTIONS = ((0.100, -10.0),)
LOWPASS_ORDER = 4


def aside(samples: Sound) -> Longer:
    """The user, turned to somebody else: softer, duller, with two reflections; [T + 0.12 s]."""
    return _gain(ASIDE_DB) * _reflected(high_shelf(samples), ASIDE_REFLECTIONS)


def behind(samples: Sound) -> Longer:
    """Somebody else in the same room: softer still, nothing above 3 kHz, one echo; [T + 0.1 s]."""
    from scipy.signal import butter, sosfilt  # takes a second to import

    sections = butter(LOWPASS_ORDER, BEHIND_HZ, fs=SAMPLE_RATE_HZ, output="sos")
    low = np.asarray(sosfilt(sections, samples), np.float32)
    return _gain(BEHIND_DB) * _reflected(low, BEHIND_REFLECTIONS)


def high_shelf(samples: Sound, gain_db: float = SHELF_DB, from_hz: float = SHELF_HZ) -> Sound:
    """Change everything above a frequency by `gain_db`; half of it at the frequency itself.

    Shelf of slope 1 as in Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter
    coefficients".
    """
    from scipy.signal import sosfilt

    a = 10 ** (gain_db / 40)
    angle = 2 * np.pi * from_hz / SAMPLE_RATE_HZ
    c, s = np.cos(angle), np.sqrt(2 * a) * np.sin(angle)
    up, down = (a + 1) + (a - 1) * c, (a + 1) - (a - 1) * c
    top = (a * (up + s), -2 * a * ((a - 1) + (a + 1) * c), a * (up - s))
    bottom = (down + s, 2 * ((a - 1) - (a + 1) * c), down - s)
    section = np.array([[*top, *bottom]]) / bottom[0]
    return np.asarray(sosfilt(section, samples), np.float32)


def _gain(level_db: float) -> np.float32:
    return np.float32(10 ** (level_db / 20))


def _reflected(samples: Sound, reflections: tuple[tuple[float, float], ...]) -> Longer:
    """The sound and its reflections, room made at the end."""
    shifts = [(round(delay_s * SAMPLE_RATE_HZ), level_db) for delay_s, level_db in reflections]
    track = np.zeros(len(samples) + max(shift for shift, _ in shifts), np.float32)
    track[: len(samples)] = samples
    for shift, level_db in shifts:
        track[shift : shift + len(samples)] += _gain(level_db) * samples
    return track
