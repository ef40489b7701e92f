"""dMel: 200 ms of sound as log10 mel frames and as 16 coarse bins per channel.

The front end of the open Inkling release (`subframes=1`, exactly) and a finer one for small models
(`subframes=4`). Numpy only; knows nothing about files, sessions or models.

Streaming equals whole, bit for bit, for any cut at micro-turn borders: every step is elementwise
or row by row except the matrix product with the filters, whose result depends on the number of
rows; so that product always runs on blocks of exactly one micro-turn.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, UInt8
from numpy.lib.stride_tricks import sliding_window_view

from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_SLOT, SAMPLES_PER_TURN
from interplay.errors import ConfigError

NUM_MELS = 80
NUM_BINS = 16
LOG_MEL_MIN, LOG_MEL_MAX = -7.0, 2.0
BIN_CENTERS = np.linspace(LOG_MEL_MIN, LOG_MEL_MAX, NUM_BINS)  # fp64, a step of 0.6 = 12 dB
POWER_FLOOR = np.float32(1e-10)
TURNS_PER_BLOCK = 8  # frames of this many micro-turns at a time stay in the cache

WARP_MIN, WARP_MAX = 0.5, 2.0
WARP_KNEE_HZ = 4800.0  # Jaitly and Hinton 2013: covers the important formants
NYQUIST_HZ = SAMPLE_RATE_HZ / 2

# Slaney's mel scale: linear below 1 kHz, logarithmic above.
SLANEY_HZ_PER_MEL = 200.0 / 3.0
SLANEY_KNEE_HZ, SLANEY_KNEE_MEL = 1000.0, 15.0
SLANEY_LOG_STEP = np.log(6.4) / 27.0


@dataclass(frozen=True, kw_only=True)
class DmelConfig:
    """How many frames a 50 ms slot has.

    subframes: 1 is Inkling (hop 50 ms, window 100 ms, 0-8000 Hz); 4 is finer in time (hop
        12.5 ms, window 50 ms, 80-7600 Hz), which a small model needs.
    """

    subframes: int = 4

    def __post_init__(self) -> None:
        if self.subframes not in (1, 4):
            raise ConfigError(
                f"dmel.subframes is {self.subframes!r}; use 1 (Inkling) or 4 (finer in time)"
            )

    @property
    def hop(self) -> int:
        return SAMPLES_PER_SLOT // self.subframes

    @property
    def window(self) -> int:
        return 1600 if self.subframes == 1 else 800

    @property
    def n_fft(self) -> int:
        return 1600 if self.subframes == 1 else 1024

    @property
    def low_hz(self) -> float:
        return 0.0 if self.subframes == 1 else 80.0

    @property
    def high_hz(self) -> float:
        return 8000.0 if self.subframes == 1 else 7600.0

    @property
    def tail(self) -> int:
        """Samples of the past that the first frame still sees."""
        return self.window - self.hop

    @property
    def frames_per_turn(self) -> int:
        return NUM_SLOTS * self.subframes


def _hz_to_mel(hz: np.ndarray) -> np.ndarray:
    above = SLANEY_KNEE_MEL + np.log(np.maximum(hz, 1.0) / SLANEY_KNEE_HZ) / SLANEY_LOG_STEP
    return np.where(hz < SLANEY_KNEE_HZ, hz / SLANEY_HZ_PER_MEL, above)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    above = SLANEY_KNEE_HZ * np.exp(SLANEY_LOG_STEP * (mel - SLANEY_KNEE_MEL))
    return np.where(mel < SLANEY_KNEE_MEL, mel * SLANEY_HZ_PER_MEL, above)


def _warp_hz(hz: np.ndarray, warp: float) -> np.ndarray:
    """Scale by `warp` below the knee, then run straight to the Nyquist frequency."""
    knee = WARP_KNEE_HZ * min(warp, 1.0) / warp
    slope = (NYQUIST_HZ - knee * warp) / (NYQUIST_HZ - knee)
    return np.where(hz <= knee, hz * warp, NYQUIST_HZ - slope * (NYQUIST_HZ - hz))


def filterbank(config: DmelConfig, warp: float = 1.0) -> Float32[np.ndarray, "freqs 80"]:
    """Triangular mel filters with Slaney's scale and area norm: float32 [n_fft//2+1, 80].

    warp: 1 leaves the axis alone; another factor moves every filter edge from f to about
        warp * f, as if the speaker had a shorter (warp < 1) or longer vocal tract: cheap
        augmentation (vocal tract length perturbation, Jaitly and Hinton 2013).
    Raises ConfigError when `warp` is outside 0.5..2.
    """
    if not WARP_MIN <= warp <= WARP_MAX:
        raise ConfigError(f"mel warp is {warp}; use {WARP_MIN} to {WARP_MAX} (1 = no warp)")
    ends = _hz_to_mel(np.array([config.low_hz, config.high_hz]))
    edges = _warp_hz(_mel_to_hz(np.linspace(ends[0], ends[1], NUM_MELS + 2)), warp)
    freqs = np.linspace(0.0, NYQUIST_HZ, config.n_fft // 2 + 1)[:, None]
    low, mid, high = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (freqs - low) / (mid - low), (high - freqs) / (high - mid)
    filters = np.maximum(0.0, np.minimum(rise, fall)) * (2.0 / (high - low))
    return filters.astype(np.float32)


def hann_window(config: DmelConfig) -> Float32[np.ndarray, " window"]:
    """The periodic one, float32 [window]."""
    phase = 2.0 * np.pi * np.arange(config.window) / config.window
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


@lru_cache
def _tables(config: DmelConfig) -> tuple[np.ndarray, np.ndarray]:
    """The window and the filters without warp, both float32."""
    return hann_window(config), filterbank(config)


def _block_log_mel(frames: np.ndarray, config: DmelConfig, filters: np.ndarray) -> np.ndarray:
    """Frames [n, window] -> log10 mel [n, 80]; `n` is a whole number of micro-turns."""
    spectrum = np.fft.rfft(frames * _tables(config)[0], n=config.n_fft, axis=-1)
    power = spectrum.real * spectrum.real
    power += spectrum.imag * spectrum.imag
    magnitude = np.sqrt(np.maximum(power, POWER_FLOOR, out=power), out=power)
    # One product of fixed shape per micro-turn: BLAS is not row-invariant across shapes.
    per_turn = magnitude.reshape(-1, config.frames_per_turn, magnitude.shape[-1])
    mel = np.matmul(per_turn, filters).reshape(-1, NUM_MELS)
    return np.log10(np.maximum(mel, POWER_FLOOR, out=mel), out=mel)


def log_mel(
    samples: Float32[np.ndarray, " T"],
    config: DmelConfig,
    tail: Float32[np.ndarray, " tail"] | None = None,
    filters: Float32[np.ndarray, "freqs 80"] | None = None,
) -> Float32[np.ndarray, "F 80"]:
    """Log10 mel magnitudes of 16 kHz sound, causal: frame i ends with sample (i + 1) * hop.

    samples: float32 [T], full scale 1, T a multiple of `config.hop`.
    tail: the `config.tail` samples before; None means silence before.
    filters: from `filterbank`; None means no warp.
    Returns float32 [T / hop, 80], not clamped to the range of the bins. Cut at multiples of 200 ms
    with the right tails, the pieces are bit for bit what the whole gives.
    """
    assert samples.ndim == 1 and len(samples) % config.hop == 0, samples.shape
    filters = _tables(config)[1] if filters is None else filters
    past = np.zeros(config.tail, np.float32) if tail is None else tail
    assert past.shape == (config.tail,), past.shape
    num_frames = len(samples) // config.hop
    padding = -len(samples) % SAMPLES_PER_TURN
    signal = np.concatenate([past, samples, np.zeros(padding, np.float32)], dtype=np.float32)
    out = np.empty(((len(samples) + padding) // config.hop, NUM_MELS), np.float32)
    frames = sliding_window_view(signal, config.window)[:: config.hop] if len(out) else signal
    step = TURNS_PER_BLOCK * config.frames_per_turn
    for start in range(0, len(out), step):
        out[start : start + step] = _block_log_mel(frames[start : start + step], config, filters)
    return out[:num_frames]


def _bin_thresholds() -> np.ndarray:
    """The smallest float32 that is nearer (in fp64) to each centre than to the one below."""
    thresholds = ((BIN_CENTERS[1:] + BIN_CENTERS[:-1]) / 2).astype(np.float32)
    for i, middle in enumerate(thresholds):
        below, above = np.nextafter(middle, np.float32(-9)), np.nextafter(middle, np.float32(9))
        near = np.array([below, middle, above])
        distances = np.abs(near.astype(np.float64)[:, None] - BIN_CENTERS[i : i + 2])
        thresholds[i] = near[int(np.argmax(distances[:, 1] < distances[:, 0]))]
    return thresholds


BIN_THRESHOLDS = _bin_thresholds()  # float32 [15]
_CENTERS_F32 = BIN_CENTERS.astype(np.float32)


def quantize(log_mel: Float32[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """The nearest of 16 centres -7, -6.4 ... 2 (decided in fp64, ties down): uint8, same shape."""
    return np.searchsorted(BIN_THRESHOLDS, log_mel, side="right").astype(np.uint8)


def dequantize(bins: UInt8[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """The centre of each bin, float32, same shape."""
    return _CENTERS_F32[bins]


class StreamingDmel:
    """Log10 mel of one micro-turn at a time; the state is a value that the caller keeps."""

    def __init__(self, config: DmelConfig) -> None:
        self.config = config

    def initial_state(self) -> Float32[np.ndarray, " tail"]:
        """Silence before the first micro-turn: float32 [config.tail]."""
        return np.zeros(self.config.tail, np.float32)

    def push(
        self, samples: Float32[np.ndarray, "3200"], state: Float32[np.ndarray, " tail"]
    ) -> tuple[Float32[np.ndarray, "4 S 80"], Float32[np.ndarray, " tail"]]:
        """One micro-turn of 16 kHz sound -> (log10 mel [4, S, 80], the state to pass next)."""
        mel, states = self.push_all(samples[None], state[None])
        return mel[0], states[0]

    def push_all(
        self, samples: Float32[np.ndarray, "b 3200"], states: Float32[np.ndarray, "b tail"]
    ) -> tuple[Float32[np.ndarray, "b 4 S 80"], Float32[np.ndarray, "b tail"]]:
        """The same of several streams at once, bit for bit."""
        config, num_streams = self.config, len(samples)
        assert samples.shape[1:] == (SAMPLES_PER_TURN,), samples.shape
        signals = np.concatenate([states, samples], axis=1, dtype=np.float32)
        frames = sliding_window_view(signals, config.window, axis=1)[:, :: config.hop]
        filters = _tables(config)[1]
        mel = [
            _block_log_mel(block.reshape(-1, config.window), config, filters)
            for block in np.split(frames, range(TURNS_PER_BLOCK, num_streams, TURNS_PER_BLOCK))
        ]
        shape = (num_streams, NUM_SLOTS, config.subframes, NUM_MELS)
        return np.concatenate(mel).reshape(shape), signals[:, SAMPLES_PER_TURN:].copy()
