"""Sound files and sample rates. Knows nothing of mel frames, models or sessions.

Everything inside is mono float32 at 16 kHz, full scale 1; this file is where other forms end.
"""

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from jaxtyping import Float, Float32

from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN
from interplay.errors import AudioError, DeviceError

CHANNEL_NAMES = {1: "mono", 2: "stereo"}
BITS_NAMES = {"PCM_S8": "8-bit", "PCM_U8": "8-bit", "PCM_24": "24-bit", "PCM_32": "32-bit"}
ALLOWED = "give a wav, flac, ogg or mp3 file"
# libsndfile logs "data : 32000 (should be 16000)" when a header promises more than it found.
PROMISED_AND_HELD = re.compile(r"(\d+) \(should be (\d+)\)")
PADDING_BYTES = 8  # many writers miscount their header by a few bytes; no sound is lost by that
UNKNOWN_SIZE = 0x7FFF0000  # writers to a pipe promise this much or more


@dataclass(frozen=True, kw_only=True)
class Audio:
    """samples: float32 [T], mono, 16 kHz, full scale 1. note: what was converted, or ""."""

    samples: np.ndarray
    note: str = ""


def read_audio(path: str | Path) -> Audio:
    """Read a sound file of any rate, width and number of channels (channels are averaged).

    Raises AudioError, one line, when the file is missing, a folder, unreadable, empty, truncated,
    not sound, or holds NaN or infinity.
    """
    return _mono(_read_file(Path(path)), path)


def decode_audio(data: bytes, name: str) -> Audio:
    """The same from the bytes of a sound file that is called `name` in errors."""
    return _mono(_read_bytes(data, name), name)


@dataclass(frozen=True, kw_only=True)
class Channels:
    """samples: float32 [T, C], every channel by itself, 16 kHz, full scale 1. rate_hz: what the
    file had."""

    samples: np.ndarray
    rate_hz: int


def read_channels(source: str | Path | bytes, name: str = "") -> Channels:
    """A sound file, or the bytes of one that is called `name` in errors, channels kept apart.

    Raises AudioError as `read_audio` does.
    """
    read = _read_bytes(source, name) if isinstance(source, bytes) else _read_file(Path(source))
    columns = [resample(column, read.rate_hz, SAMPLE_RATE_HZ) for column in read.samples.T]
    if not len(columns[0]):
        raise AudioError(f"{name or source} is shorter than one sample at 16000 Hz; {ALLOWED}")
    return Channels(samples=np.stack(columns, axis=1), rate_hz=read.rate_hz)


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A whole file as it is: samples float32 [T, C]."""

    samples: np.ndarray
    rate_hz: int
    subtype: str


def _read_file(path: Path) -> _Read:
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise AudioError(f"{path} is empty (0 bytes); {ALLOWED}")
            return _decode(file.fileno(), path)
    except FileNotFoundError:
        raise AudioError(f"{path} does not exist; {ALLOWED}") from None
    except IsADirectoryError:
        raise AudioError(f"{path} is a folder; {ALLOWED}") from None
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}; {ALLOWED}") from None


def _read_bytes(data: bytes, name: str) -> _Read:
    if not data:
        raise AudioError(f"{name} is empty (0 bytes); {ALLOWED}")
    return _decode(io.BytesIO(data), name)


def _decode(source: int | io.BytesIO, path: Path | str) -> _Read:
    try:
        sound = soundfile.SoundFile(source, closefd=False)
    except soundfile.SoundFileError:
        raise AudioError(
            f"{path} is not a sound file, or its header is damaged; {ALLOWED}"
        ) from None
    with sound:
        try:
            samples = sound.read(dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            raise AudioError(f"{path} is truncated or damaged; make or copy it again") from None
        _check(sound, samples, path)
        return _Read(samples=samples, rate_hz=sound.samplerate, subtype=sound.subtype)


def _mono(read: _Read, path: Path | str) -> Audio:
    samples = read.samples
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    mono = resample(mono, read.rate_hz, SAMPLE_RATE_HZ)
    if not len(mono):
        raise AudioError(f"{path} is shorter than one sample at 16000 Hz; {ALLOWED}")
    return Audio(samples=mono, note=_note(samples.shape[1], read.rate_hz, read.subtype))


def _check(sound: soundfile.SoundFile, samples: np.ndarray, path: Path | str) -> None:
    sizes = [(int(a), int(b)) for a, b in PROMISED_AND_HELD.findall(sound.extra_info)]
    if len(samples) < sound.frames or any(
        held + PADDING_BYTES < promised < UNKNOWN_SIZE for promised, held in sizes
    ):
        raise AudioError(
            f"{path} is truncated: its header promises more than the {len(samples)} samples in it; "
            "make or copy it again"
        )
    if not len(samples):
        raise AudioError(f"{path} holds no sound (0 samples); {ALLOWED}")
    if not np.isfinite(samples).all():
        raise AudioError(f"{path} holds NaN or infinite samples; make it again")


def _note(num_channels: int, rate_hz: int, subtype: str) -> str:
    bits = BITS_NAMES.get(subtype)
    if num_channels == 1 and rate_hz == SAMPLE_RATE_HZ and bits is None:
        return ""
    channels = CHANNEL_NAMES.get(num_channels, f"{num_channels} channels")
    width = f" {bits}" if bits else ""
    return f"{channels} {rate_hz} Hz{width} -> mono {SAMPLE_RATE_HZ} Hz"


def write_wav(
    path: str | Path,
    samples: Float[np.ndarray, " T"] | Float[np.ndarray, "T 2"],
    rate_hz: int,
) -> None:
    """Write 16-bit PCM from samples [T] or [T, 2], full scale 1 (clipped beyond).

    The file appears whole or not at all. Raises DeviceError when the folder is missing, may not be
    written or is full.
    """
    path = Path(path)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples, -1.0, 1.0), rate_hz, format="WAV", subtype="PCM_16")
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            draft.write_bytes(buffer.getbuffer())
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise DeviceError(
            f"cannot write {path}: {error.strerror}; choose a folder that exists, that you may "
            f"write to and that has {max(1, buffer.tell() // 1_000_000)} MB free"
        ) from None


def resample(
    samples: Float[np.ndarray, " T"], from_hz: int, to_hz: int
) -> Float32[np.ndarray, " U"]:
    """Change the sample rate, high quality, linear phase, whole signal: float32."""
    samples = np.ascontiguousarray(samples, np.float32)
    return samples if from_hz == to_hz else soxr.resample(samples, from_hz, to_hz, quality="HQ")


class StreamingResampler:
    """Changes the sample rate of one endless mono signal, chunk by chunk, without a seam.

    The filter looks ahead, so 10 to 30 ms are held back, always the same for a pair of rates, and
    the first chunk comes out shorter.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        # soxr works in blocks and holds 37 ms back at 3:2, 115 ms at 2:1 (measured), unless it is
        # told that the rates may vary. That costs 0.1 ms more for every 200 ms of sound.
        self._stream = soxr.ResampleStream(
            from_hz, to_hz, 1, dtype="float32", quality="HQ", vr=True
        )

    def push(
        self, samples: Float[np.ndarray, " T"], last: bool = False
    ) -> Float32[np.ndarray, " U"]:
        """The samples that are ready; `last` lets out what was held back."""
        return self._stream.resample_chunk(np.ascontiguousarray(samples, np.float32), last=last)


def to_turns(samples: Float32[np.ndarray, " T"]) -> Float32[np.ndarray, "N 3200"]:
    """16 kHz samples [T] -> micro-turns [N, 3200]; the last one is filled up with zeros."""
    return np.pad(samples, (0, -len(samples) % SAMPLES_PER_TURN)).reshape(-1, SAMPLES_PER_TURN)


def from_turns(turns: Float32[np.ndarray, "N 3200"]) -> Float32[np.ndarray, " T"]:
    """Micro-turns [N, 3200] -> samples [N * 3200]."""
    return turns.reshape(-1)
