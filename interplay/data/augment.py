"""What rooms, microphones and lines do to clean speech, on whole session tracks.

What befalls a session is drawn by `data.surroundings` and applied here, float32 at 16 kHz, full
scale 1; the times of words stay (all filters start with the direct sound). Knows nothing about
banks, scenarios or features; the warp of the mel axis belongs to the feature code.
The floor is never digital zero: synthetic voices end in exact silence, and a model would take
that for the end of a turn.
"""

from collections.abc import Callable

import numpy as np
import soxr
from jaxtyping import Float32
from scipy import fft

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.surroundings import (
    LINES_HZ,
    NOISE_COLORS,
    Clips,
    Echo,
    Impulse,
    Line,
    Noise,
    Sound,
    Surroundings,
    amplitude,
    draw_surroundings,
)
from interplay.errors import ConfigError

SPEED_RANGE = (0.85, 1.2)
FLOOR_DBFS = -76.0  # electronics after every filter: no sample is predictable silence
MIN_SNR_DB = 5.0
SILENCE_DBFS = -22.0  # the level that is taken for a user's who says nothing
LOWEST_HZ = 40.0  # below it, responses are what they are there
RESPONSE_DB = 12.0  # what a microphone's adds or takes at most
SLOPES = {"white": 0.0, "pink": 0.5, "brown": 1.0, "hum": 1.0}  # amplitude falls as 1 / Hz**slope
WRAP = SAMPLE_RATE_HZ // 20  # samples after which a zero-phase filter rings no more
MU = 255.0  # ITU-T G.711


def augment_track(
    user: Sound,
    own: Float32[np.ndarray, " T_own"],
    rng: np.random.Generator,
    strength: float = 1.0,
    *,
    others: Clips = (),
) -> Sound:
    """The whole stack on one session: what the microphone sends when `user` speaks.

    user, own: float32 [T], the clean tracks of the person and of the model's own voice.
    strength, others: see `draw_surroundings`.
    Returns float32 [T] within full scale, nowhere exactly silent for long.
    Raises ConfigError on a strength outside 0..1 or tracks of different lengths.
    """
    if user.shape != own.shape:
        raise ConfigError(f"tracks of {len(user)} and {len(own)} samples; give equal lengths")
    around = draw_surroundings(rng, len(user), strength, has_own=bool(own.any()), others=others)
    return apply(user, own, around)


def apply(user: Sound, own: Sound, around: Surroundings) -> Sound:
    """What the microphone sends, float32 [T]. around: with all noise drawn."""
    track = user * amplitude(around.gain_db)
    level_db = active_dbfs(track)
    if around.room is not None:
        track = filter_by(track, around.room)
    if around.echo:
        track = track + own_echo(own, around.echo)
    if around.others:
        track = track + around.others.talk * amplitude(level_db - around.others.below_db)
    noise_db = min(around.noise.level_db, level_db - MIN_SNR_DB)
    is_open = np.ones(len(track), np.float32)
    is_open[slice(*around.closed)] = 0.0
    track = track + noise(around.noise) * amplitude(noise_db) * is_open
    if around.line:
        track = channel(track, around.line)
    track = track * amplitude(around.quiet_db) + around.floor * amplitude(FLOOR_DBFS)
    return np.clip(track, -1.0, 1.0, dtype=np.float32)


def active_dbfs(track: Sound) -> float:
    """Root mean square of the samples that are not zero, in dB of full scale; -22 if none is."""
    active = track[track != 0]
    return float(10 * np.log10(np.mean(active**2) + 1e-12)) if len(active) else SILENCE_DBFS


def filter_by(track: Sound, impulse: Impulse) -> Sound:
    """Convolve and cut to the length of the track."""
    size = fast_size(len(track) + len(impulse) - 1)
    spectrum = _rfft(track, size) * _rfft(impulse, size)
    return _irfft(spectrum, size)[: len(track)]


def noise(kind: Noise) -> Sound:
    """Steady noise of root mean square 1: white, pink (-3 dB an octave), brown (-6 dB) or mains
    hum over brown noise. Raises ConfigError on another color.
    """
    if kind.color not in NOISE_COLORS:
        raise ConfigError(f"noise color {kind.color!r} is not one of {', '.join(NOISE_COLORS)}")
    sound = np.asarray(kind.white)
    if slope := SLOPES[kind.color]:
        sound = _shape(sound, lambda hz: np.maximum(hz, LOWEST_HZ) ** -slope)
        sound /= np.sqrt(np.mean(sound**2)) + 1e-9
    if kind.hum is not None:
        sound += np.resize(kind.hum, len(sound))
        sound /= np.sqrt(np.mean(sound**2)) + 1e-9
    return sound


def own_echo(own: Sound, echo: Echo) -> Sound:
    """The loudspeaker heard by the microphone: late, in a room, small-speaker band. float32 [T]."""
    size = fast_size(len(own) + len(echo.impulse) - 1)
    spectrum = _rfft(own, size) * _rfft(echo.impulse, size)
    spectrum *= _band(_freqs_hz(size), *LINES_HZ["speaker"])
    return _irfft(spectrum, size)[: len(own)] * amplitude(echo.level_db)


def channel(track: Sound, line: Line) -> Sound:
    """A microphone's uneven response, then perhaps a line: narrow band, or companding to 8 bits.

    Zero-phase filters; the companding is ITU-T G.711's mu-law formula.
    """

    def response(hz: np.ndarray) -> np.ndarray:
        octave = np.log2(np.maximum(hz, LOWEST_HZ))
        db = line.tilt_db * (octave - np.log2(1000.0))
        for height_db, center, width in line.bumps:
            db += height_db * np.exp(-(((octave - center) / width) ** 2))
        gain = 10 ** (np.clip(db, -RESPONSE_DB, RESPONSE_DB) / 20)
        return gain * _band(hz, *line.band_hz) if line.name in LINES_HZ else gain

    track = _shape(track, response)
    return _companded(track) if line.name == "telephone" else track


def change_speed(samples: Sound, factor: float) -> tuple[Float32[np.ndarray, " T_changed"], float]:
    """Play `factor` times as fast (0.85 to 1.2), pitch and formants following.

    Returns float32 [T / factor] and the number that word times must be multiplied by.
    Raises ConfigError on a factor outside the range.
    """
    low, high = SPEED_RANGE
    if not low <= factor <= high:
        raise ConfigError(f"speed factor is {factor}; use {low} to {high} (1 = as it is)")
    changed = soxr.resample(samples, SAMPLE_RATE_HZ * factor, SAMPLE_RATE_HZ, quality="MQ")
    return changed, 1.0 / factor


def _companded(track: Sound) -> Sound:
    compressed = np.sign(track) * np.log1p(MU * np.minimum(np.abs(track), 1.0)) / np.log1p(MU)
    coarse = np.rint(compressed * 127) / 127
    return (np.sign(coarse) * np.expm1(np.abs(coarse) * np.log1p(MU)) / MU).astype(np.float32)


def _shape(track: Sound, response: Callable[[np.ndarray], np.ndarray]) -> Sound:
    """Multiply the spectrum by `response(freqs in Hz)`; padded, so that nothing wraps around."""
    size = fast_size(len(track) + WRAP)
    gain = response(_freqs_hz(size)).astype(np.float32)
    return _irfft(_rfft(track, size) * gain, size)[: len(track)]


def fast_size(num_samples: int) -> int:
    """The next size that transforms quickly."""
    return int(fft.next_fast_len(num_samples, True) or num_samples)


def _rfft(sound: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(fft.rfft(sound, size))


def _irfft(spectrum: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(fft.irfft(spectrum, size))


def _freqs_hz(size: int) -> np.ndarray:
    return np.arange(size // 2 + 1, dtype=np.float32) * np.float32(SAMPLE_RATE_HZ / size)


def _band(hz: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    """Band pass: fourth-order slopes below, steeper above."""
    below = 1 / np.sqrt(1 + (low_hz / np.maximum(hz, 1.0)) ** 8)
    return (below / np.sqrt(1 + (hz / high_hz) ** 16)).astype(np.float32)
