"""What rooms, microphones and lines do to clean speech, on whole session tracks.

Every function takes and returns float32 at 16 kHz, full scale 1, keeps the times of words (all
filters start with the direct sound) and draws from the generator it is given. Knows nothing about
banks, scenarios or features; the warp of the mel axis belongs to the feature code.
The floor is never digital zero: synthetic voices end in exact silence, and a model would take
that for the end of a turn.
"""

from collections.abc import Callable, Sequence

import numpy as np
import soxr
from jaxtyping import Float32, Int16
from scipy import fft

from interplay.clock import SAMPLE_RATE_HZ
from interplay.errors import ConfigError

Sound = Float32[np.ndarray, " T"]
Impulse = Float32[np.ndarray, " K"]

SPEED_RANGE = (0.85, 1.2)
NOISE_COLORS = ("white", "pink", "brown", "hum")
NOISE_DBFS = (-70.0, -34.0)
NOISE_FULL_AT = 0.2  # strength from which noise may be as loud as it ever is: few rooms are quiet
T60_S = (0.1, 0.8)
ECHO_DB = (-40.0, -20.0)
BABBLE_DB = (10.0, 25.0)  # below the user
ECHO_DELAY_S = (0.03, 0.15)
GAIN_DB = (-10.0, 10.0)
QUIET_DB = (-24.0, 0.0)  # of a microphone that is set too low
FLOOR_DBFS = -76.0  # electronics after every filter: no sample is predictable silence
_MIN_SNR_DB = 5.0
_EARLY_S = 0.03
_LINES_HZ = {
    "telephone": (300, 3400),
    "narrowband": (40, 3900),  # sampled at 8 kHz, and nothing else
    "wideband": (80, 7000),
    "speaker": (150, 5500),
}
_MU = 255.0  # ITU-T G.711


def augment_track(
    user: Sound,
    own: Float32[np.ndarray, " T_own"],
    rng: np.random.Generator,
    strength: float = 1.0,
    *,
    others: Sequence[Int16[np.ndarray, " _"]] = (),
) -> Sound:
    """The whole stack on one session: what the microphone sends when `user` speaks.

    user, own: float32 [T], the clean tracks of the person and of the model's own voice.
    strength: 0 (nothing but a faint floor) to 1; scales how often and how hard each step acts.
    others: int16 clips at 16 kHz of people who talk behind the user all the time, BABBLE_DB below
    them; none: nobody does.
    Returns float32 [T] within full scale, nowhere exactly silent for long.
    Raises ConfigError on a strength outside 0..1 or tracks of different lengths.
    """
    if not 0.0 <= strength <= 1.0:
        raise ConfigError(f"augmentation strength is {strength}; use 0 (none) to 1 (all)")
    if user.shape != own.shape:
        raise ConfigError(f"tracks of {len(user)} and {len(own)} samples; give equal lengths")
    track = user * _amplitude(strength * rng.uniform(*GAIN_DB))
    level_db = active_dbfs(track)
    if rng.random() < 0.6 * strength:
        track = filter_by(track, room_impulse(rng))
    if own.any() and rng.random() < 0.7 * strength:
        track = track + own_echo(own, rng)
    if others:
        below = _amplitude(level_db - rng.uniform(*BABBLE_DB))
        track = track + babble(others, len(track), rng) * below
    reach = min(1.0, strength / NOISE_FULL_AT)
    loudest_db = NOISE_DBFS[0] + reach * (NOISE_DBFS[1] - NOISE_DBFS[0])
    noise_db = min(rng.uniform(NOISE_DBFS[0], loudest_db), level_db - _MIN_SNR_DB)
    color = str(rng.choice(NOISE_COLORS))
    around = noise(len(track), color, rng) * _amplitude(noise_db)
    track = track + around * _opening(len(track), rng)
    if rng.random() < 0.5 * reach:
        track = channel(track, rng)
    if rng.random() < 0.2 * reach:
        track = track * _amplitude(rng.uniform(*QUIET_DB))
    track = track + noise(len(track), "white", rng) * _amplitude(FLOOR_DBFS)
    return np.clip(track, -1.0, 1.0, dtype=np.float32)


def _opening(num_samples: int, rng: np.random.Generator) -> Sound:
    """0 or 1 at every sample: most microphones are open all the time, some open late (a quarter)
    or close for a while (a tenth), and then there is nothing but the floor. float32 [T]."""
    is_open = np.ones(num_samples, np.float32)
    kind = rng.random()
    if kind < 0.25:
        is_open[: int(rng.uniform(0.0, 0.5) * num_samples)] = 0.0
    elif kind < 0.35:
        first, length = int(rng.uniform(0, num_samples)), int(rng.uniform(0.2, 2) * SAMPLE_RATE_HZ)
        is_open[first : first + length] = 0.0
    return is_open


def active_dbfs(track: Sound) -> float:
    """Root mean square of the samples that are not zero, in dB of full scale; -22 if none is."""
    active = track[track != 0]
    return float(10 * np.log10(np.mean(active**2) + 1e-12)) if len(active) else -22.0


def room_impulse(rng: np.random.Generator, t60_s: float | None = None) -> Impulse:
    """A room: the direct sound, a few early reflections and a noise tail that decays by 60 dB in
    `t60_s` (drawn from 0.1..0.8 s if not given). float32 [about t60 * 16000], energy 1.

    The direct sound is sample 0 and 0 to 18 dB above the rest (the model of Polack 1988).
    """
    t60_s = rng.uniform(*T60_S) if t60_s is None else t60_s
    num_samples = max(2, round(t60_s * SAMPLE_RATE_HZ))
    decay = np.exp(np.linspace(0.0, -np.log(1000), num_samples, dtype=np.float32))
    rest = rng.standard_normal(num_samples, dtype=np.float32) * decay
    early = rng.integers(1, min(num_samples, round(_EARLY_S * SAMPLE_RATE_HZ)), size=6)
    rest[early] += rng.choice((-1.0, 1.0), 6) * rng.uniform(1.0, 4.0, 6) * decay[early]
    rest[0] = 0.0
    rest *= _amplitude(-rng.uniform(0.0, 18.0)) / np.sqrt(np.sum(rest**2))
    rest[0] = 1.0
    return rest / np.sqrt(np.sum(rest**2))


def filter_by(track: Sound, impulse: Impulse) -> Sound:
    """Convolve and cut to the length of the track."""
    size = _fast_size(len(track) + len(impulse) - 1)
    spectrum = _rfft(track, size) * _rfft(impulse, size)
    return _irfft(spectrum, size)[: len(track)]


def noise(num_samples: int, color: str, rng: np.random.Generator) -> Sound:
    """Steady noise of root mean square 1: white, pink (-3 dB an octave), brown (-6 dB) or mains
    hum over brown noise. Raises ConfigError on another color.
    """
    if color not in NOISE_COLORS:
        raise ConfigError(f"noise color {color!r} is not one of {', '.join(NOISE_COLORS)}")
    sound = rng.standard_normal(num_samples, dtype=np.float32)
    if color != "white":
        slope = 0.5 if color == "pink" else 1.0
        sound = _shape(sound, lambda hz: np.maximum(hz, 40.0) ** -slope)
        sound /= np.sqrt(np.mean(sound**2)) + 1e-9
    if color == "hum":
        sound += _hum(num_samples, rng)
        sound /= np.sqrt(np.mean(sound**2)) + 1e-9
    return sound


def _hum(num_samples: int, rng: np.random.Generator) -> Sound:
    mains_hz = rng.choice((50.0, 60.0)) * rng.uniform(0.995, 1.005)
    period = round(SAMPLE_RATE_HZ / mains_hz)
    phase = 2 * np.pi * np.arange(period) / period
    harmonics = np.arange(1, 9)
    weights = rng.uniform(0.0, 2.0, 8) / harmonics
    wave = np.sin(np.outer(harmonics, phase) + rng.uniform(0, 2 * np.pi, (8, 1)))
    return np.resize((weights @ wave).astype(np.float32), num_samples)


def own_echo(own: Sound, rng: np.random.Generator) -> Sound:
    """The loudspeaker heard by the microphone: delayed by 30..150 ms, a short room, small-speaker
    band, 20..40 dB down. float32 [T].
    """
    delay = round(rng.uniform(*ECHO_DELAY_S) * SAMPLE_RATE_HZ)
    room = room_impulse(rng, rng.uniform(0.1, 0.3))
    impulse = np.concatenate([np.zeros(delay, np.float32), room])
    size = _fast_size(len(own) + len(impulse) - 1)
    spectrum = _rfft(own, size) * _rfft(impulse, size)
    spectrum *= _band(_freqs_hz(size), *_LINES_HZ["speaker"])
    return _irfft(spectrum, size)[: len(own)] * _amplitude(rng.uniform(*ECHO_DB))


def babble(
    others: Sequence[Int16[np.ndarray, " _"]], num_samples: int, rng: np.random.Generator
) -> Sound:
    """Three to six voices talking at random all the time; root mean square 1. float32 [T]."""
    track = np.zeros(num_samples, np.float32)
    for _ in range(rng.integers(3, 7)):
        at = -int(rng.integers(0, SAMPLE_RATE_HZ))
        while at < num_samples:
            clip = others[int(rng.integers(len(others)))]
            first, last = max(at, 0), min(at + len(clip), num_samples)
            if last > first:
                track[first:last] += clip[first - at : last - at]
            at += len(clip) + int(rng.integers(1, SAMPLE_RATE_HZ // 2))
    return track / (np.sqrt(np.mean(track**2)) + 1e-9)


def channel(track: Sound, rng: np.random.Generator) -> Sound:
    """A microphone's uneven response, then perhaps a line: narrow band, or companding to 8 bits.

    Zero-phase filters; the companding is ITU-T G.711's mu-law formula.
    """
    bumps = [(rng.uniform(-6, 6), rng.uniform(6.0, 12.8), rng.uniform(0.5, 2.0)) for _ in range(3)]
    tilt_db = rng.uniform(-2.0, 2.0)  # per octave from 1 kHz
    line = rng.choice(("none", *_LINES_HZ), p=(0.35, 0.15, 0.2, 0.15, 0.15))

    def response(hz: np.ndarray) -> np.ndarray:
        octave = np.log2(np.maximum(hz, 40.0))
        db = tilt_db * (octave - np.log2(1000.0))
        for height_db, center, width in bumps:
            db += height_db * np.exp(-(((octave - center) / width) ** 2))
        gain = 10 ** (np.clip(db, -12.0, 12.0) / 20)
        return gain if line == "none" else gain * _band(hz, *_LINES_HZ[line])

    track = _shape(track, response)
    return _companded(track) if line == "telephone" else track


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
    compressed = np.sign(track) * np.log1p(_MU * np.minimum(np.abs(track), 1.0)) / np.log1p(_MU)
    coarse = np.rint(compressed * 127) / 127
    return (np.sign(coarse) * np.expm1(np.abs(coarse) * np.log1p(_MU)) / _MU).astype(np.float32)


def _shape(track: Sound, response: Callable[[np.ndarray], np.ndarray]) -> Sound:
    """Multiply the spectrum by `response(freqs in Hz)`; padded, so that nothing wraps around."""
    size = _fast_size(len(track) + SAMPLE_RATE_HZ // 20)
    gain = response(_freqs_hz(size)).astype(np.float32)
    return _irfft(_rfft(track, size) * gain, size)[: len(track)]


def _fast_size(num_samples: int) -> int:
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


def _amplitude(db: float) -> np.float32:
    return np.float32(10 ** (db / 20))
