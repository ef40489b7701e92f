"""Sound on the wire: mono 16-bit little-endian PCM at the client's rate, and the engine's 16 kHz
float32. Knows nothing of messages or sessions.
"""

import numpy as np
from jaxtyping import Float32

from interplay.clock import SAMPLE_RATE_HZ, TURNS_PER_S
from interplay.errors import RequestError
from interplay.media.audio import StreamingResampler

RATES_HZ = (16_000, 24_000)
SAMPLE_BYTES = 2
SCALE = np.float32(2**-15)
HELD_S = {8_000: 0.030, 16_000: 0.0, 24_000: 0.015}  # waits in the resampler, in or out (measured)


def check_rate(rate_hz: int, param: str = "rate", allowed_hz: tuple[int, ...] = RATES_HZ) -> int:
    """The rate itself. Raises RequestError for one that the server does not speak."""
    if rate_hz not in allowed_hz:
        rates = " and ".join(str(rate) for rate in allowed_hz)
        raise RequestError(
            "unsupported_value", f"{rate_hz} Hz is not spoken here; use {rates}", param=param
        )
    return rate_hz


def length_s(pcm: bytes, rate_hz: int) -> float:
    """Seconds of sound. Raises RequestError for no sound and for half a sample."""
    if not pcm or len(pcm) % SAMPLE_BYTES:
        raise RequestError(
            "invalid_audio",
            f"{len(pcm)} bytes are not 16-bit samples; send a positive even number of bytes",
            param="audio",
        )
    return len(pcm) / (SAMPLE_BYTES * rate_hz)


def to_samples(pcm: bytes) -> Float32[np.ndarray, " T"]:
    """Full scale 1."""
    return np.frombuffer(pcm, "<i2") * SCALE


def to_pcm(samples: Float32[np.ndarray, " T"]) -> bytes:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()


class PcmReader:
    """The client's bytes to samples at 16 kHz, chunk by chunk without a seam."""

    def __init__(self, rate_hz: int) -> None:
        same = rate_hz == SAMPLE_RATE_HZ
        self._resampler = None if same else StreamingResampler(rate_hz, SAMPLE_RATE_HZ)

    def push(self, pcm: bytes) -> Float32[np.ndarray, " T"]:
        samples = to_samples(pcm)
        return self._resampler.push(samples) if self._resampler else samples


class PcmWriter:
    """Sound of micro-turns to the client's bytes. resamples: without it they are `to_pcm`'s.

    Every micro-turn gives exactly 200 ms, so byte offsets are time. What the resampler holds
    back is covered by a silence of `HELD_S[rate_hz]` before the first one.
    """

    def __init__(self, rate_hz: int, from_hz: int = SAMPLE_RATE_HZ) -> None:
        self.rate_hz = rate_hz
        self._resampler = None if rate_hz == from_hz else StreamingResampler(from_hz, rate_hz)
        self.resamples = self._resampler is not None
        self._ready = np.zeros(round(HELD_S[rate_hz] * rate_hz), np.float32)

    def push(self, samples: Float32[np.ndarray, " T"]) -> bytes:
        if self._resampler is None:
            return to_pcm(samples)
        self._ready = np.concatenate([self._ready, self._resampler.push(samples)])
        size = self.rate_hz // TURNS_PER_S
        turn, self._ready = self._ready[:size], self._ready[size:]
        return to_pcm(turn)


class PcmConverter:
    """Bytes at one rate to bytes at another, chunk by chunk; chunks come out as they are ready."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._resampler = None if from_hz == to_hz else StreamingResampler(from_hz, to_hz)

    def push(self, pcm: bytes) -> bytes:
        return to_pcm(self._resampler.push(to_samples(pcm))) if self._resampler else pcm
