"""G.711, the sound of telephones: one byte per sample, mu-law or A-law, to 16-bit PCM and back.

libsndfile knows both laws; its answers for all values are kept as two tables each, so that a
chunk costs one look-up. Knows nothing of sample rates, messages or sessions.
"""

import functools
import io
from typing import Literal

import numpy as np
import soundfile

Law = Literal["ULAW", "ALAW"]


@functools.cache
def _to_linear(law: Law) -> np.ndarray:
    """16-bit sample of each byte: little-endian int16 [256]."""
    codes = io.BytesIO(bytes(range(256)))
    kind = {"format": "RAW", "subtype": law, "channels": 1, "samplerate": 8000}
    samples, _ = soundfile.read(codes, dtype="int16", **kind)
    return samples.astype("<i2")


@functools.cache
def _to_code(law: Law) -> np.ndarray:
    """Byte of each 16-bit sample, negative ones from the end: uint8 [65536]."""
    samples = np.arange(65536, dtype=np.uint16).view(np.int16)
    codes = io.BytesIO()
    soundfile.write(codes, samples, 8000, format="RAW", subtype=law)
    return np.frombuffer(codes.getvalue(), np.uint8)


def decode(codes: bytes, law: Law) -> bytes:
    """n bytes of G.711 to n 16-bit little-endian samples."""
    return _to_linear(law)[np.frombuffer(codes, np.uint8)].tobytes()


def encode(pcm: bytes, law: Law) -> bytes:
    """n 16-bit little-endian samples to n bytes of G.711."""
    return _to_code(law)[np.frombuffer(pcm, "<u2")].tobytes()
