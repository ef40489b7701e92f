"""The pitch of recorded speech, as a target for the vocoder. Knows nothing of models.

Normalised cross-correlation per frame, then the smoothest good path (as in RAPT, Talkin 1995).
"""

import numpy as np
from jaxtyping import Float32, Float64

from interplay.clock import SAMPLE_RATE_HZ

HOP = 200
WINDOW = 640  # samples compared, 40 ms
FRAMES_AT_ONCE = 512
JUMP_COST = 0.02  # per bin of 26 cents and frame
LOW_PITCH_COST = 0.03  # per octave of period: of two equal peaks the shorter period is right
MAX_JUMP = 6
MIN_RMS = 1e-3
TYPICAL_LAG = 96  # of 167 Hz: with it a window and its copy lie evenly around the frame


def _correlations(
    samples: Float32[np.ndarray, " T"], lags: Float64[np.ndarray, " bins"]
) -> Float32[np.ndarray, "frames bins"]:
    """How alike the sound around (k * HOP) is to itself one lag later, -1..1."""
    longest = int(np.ceil(lags[-1])) + 1
    span = WINDOW + longest
    padded = np.pad(samples, ((WINDOW + TYPICAL_LAG) // 2, span))
    windows = np.lib.stride_tricks.sliding_window_view(padded, span)[::HOP]
    windows = windows[: len(samples) // HOP]
    low = np.floor(lags).astype(int)
    share = (lags - low).astype(np.float32)
    out = []
    for start in range(0, len(windows), FRAMES_AT_ONCE):
        part = windows[start : start + FRAMES_AT_ONCE]
        head = np.fft.rfft(part[:, :WINDOW], 2048)
        products = np.fft.irfft(np.fft.rfft(part, 2048) * head.conj(), 2048)[:, : longest + 1]
        power = np.cumsum(np.pad(part**2, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
        energy = power[:, WINDOW : WINDOW + longest + 1] - power[:, : longest + 1]
        floor = WINDOW * MIN_RMS**2
        ratio = products / np.sqrt((energy + floor) * (energy[:, :1] + floor))
        out.append(ratio[:, low] * (1 - share) + ratio[:, low + 1] * share)
    return np.concatenate(out).astype(np.float32)


def track_pitch(
    samples: Float32[np.ndarray, " T"], bins_hz: Float32[np.ndarray, " bins"]
) -> tuple[Float32[np.ndarray, " frames"], Float32[np.ndarray, " frames"]]:
    """Pitch in Hz and how voiced it is (0..1) at samples 0, 200, 400 ...: two [T // 200] arrays.

    samples: 16 kHz, at least one hop. bins_hz: the pitches to choose from, rising evenly in log
    frequency. Where nothing is voiced the path glides between its neighbours.
    """
    assert samples.ndim == 1 and len(samples) >= HOP, samples.shape
    lags = SAMPLE_RATE_HZ / bins_hz[::-1].astype(np.float64)
    found = _correlations(samples, lags)[:, ::-1]
    score = found + LOW_PITCH_COST * np.log2(bins_hz / bins_hz[0]).astype(np.float32)
    num_frames, num_bins = score.shape
    jumps = np.arange(-MAX_JUMP, MAX_JUMP + 1)
    source = np.clip(np.arange(num_bins)[:, None] + jumps, 0, num_bins - 1)
    price = (JUMP_COST * np.abs(jumps)).astype(np.float32)
    best, back = score[0], np.zeros((num_frames, num_bins), np.int16)
    rows = np.arange(num_bins)
    for k in range(1, num_frames):
        options = best[source] - price
        choice = options.argmax(1)
        back[k] = source[rows, choice]
        best = options[rows, choice] + score[k]
    path = np.empty(num_frames, int)
    path[-1] = best.argmax()
    for k in range(num_frames - 1, 0, -1):
        path[k - 1] = back[k, path[k]]
    every = np.arange(num_frames)
    inner = path.clip(1, num_bins - 2)
    left, mid, right = (found[every, inner + i] for i in (-1, 0, 1))
    bend = np.minimum(left - 2 * mid + right, -1e-6)
    shift = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    octaves = np.interp(inner + shift, rows, np.log2(bins_hz))
    return np.exp2(octaves).astype(np.float32), mid.clip(0, 1)
