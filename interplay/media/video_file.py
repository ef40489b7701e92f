"""Video files as frames at five per second, one per micro-turn, and their sound. Knows nothing of
what they show.

Read and written with PyAV (FFmpeg), which is imported when a file is opened.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from interplay.clock import SAMPLE_RATE_HZ, TURN_S
from interplay.errors import ConfigError, DeviceError, VideoError
from interplay.media.video import fit_frame

_EARLY_S = 1e-3  # time stamps are rounded
MOST_MISSING_S = 1.0  # so long a whole film may have no new picture, at its end, too
_WHOLE = "get the whole film again, cut that part out, or convert it to a constant rate"


@dataclass(frozen=True, kw_only=True)
class VideoFacts:
    """What the header of a file says. rate_hz: frames per second of the file itself, on average."""

    length_s: float
    rate_hz: float
    width: int
    height: int


@dataclass(frozen=True)
class VideoFile:
    """The frames of a file, each time it is called: the k-th is the one on screen at k / 5 s.

    They are decoded one by one, scaled into 160x120 and turned as the file asks.
    """

    path: Path

    def __call__(self) -> Iterator[UInt8[np.ndarray, "120 160 3"]]:
        """Raises VideoError for a file that cannot be read."""
        av = _av()
        try:
            with av.open(str(self.path)) as container:
                yield from _at_five_per_second(container.decode(_stream(container, self.path)))
        except (av.error.FFmpegError, OSError) as error:
            raise _unreadable(self.path, error) from error

    def facts(self) -> VideoFacts:
        """Length, rate and size, without decoding a frame. Raises VideoError."""
        av = _av()
        try:
            with av.open(str(self.path)) as container:
                stream = _stream(container, self.path)
                rate = stream.average_rate or stream.guessed_rate
                if stream.duration is not None and stream.time_base is not None:
                    length_s = float(stream.duration * stream.time_base)
                else:
                    length_s = (container.duration or 0) / av.time_base
                size = stream.codec_context
                width, height = size.width, size.height
        except (av.error.FFmpegError, OSError) as error:
            raise _unreadable(self.path, error) from error
        if not rate or length_s <= 0:
            raise VideoError(f"{self.path} tells no length or frame rate; convert it, e.g. to mp4")
        return VideoFacts(length_s=length_s, rate_hz=float(rate), width=width, height=height)

    def whole(self) -> list[UInt8[np.ndarray, "120 160 3"]]:
        """All frames of a film of which nothing is lost, those of `__call__`.

        Raises VideoError, which names the second, where a picture is damaged or none comes for more
        than MOST_MISSING_S and two pictures' time.
        """
        facts, av = self.facts(), _av()
        most_s = max(MOST_MISSING_S, 2 / facts.rate_hz)
        try:
            with av.open(str(self.path)) as container:
                decoded = container.decode(_stream(container, self.path))
                is_indexed = "mp4" in container.format.name  # then a long picture is meant to be
                pictures = _whole(self.path, decoded, float("inf") if is_indexed else most_s)
                frames = list(_at_five_per_second(pictures))
        except (av.error.FFmpegError, OSError) as error:
            raise _unreadable(self.path, error) from error
        if len(frames) * TURN_S < facts.length_s - most_s:
            raise VideoError(
                f"{self.path}, {len(frames) * TURN_S:.2f} s: no picture from here on can be read, "
                f"and the film lasts {facts.length_s:.2f} s; {_WHOLE}"
            )
        return frames

    def sound(self) -> Float32[np.ndarray, " T"] | None:
        """The film's sound, mono at 16 kHz, from its first picture on; None for a silent film.

        Channels are averaged. Raises VideoError for a file that cannot be read.
        """
        av = _av()
        try:
            with av.open(str(self.path)) as container:
                if not container.streams.audio:
                    return None
                stream = _stream(container, self.path)
                pictures_s = float((stream.start_time or 0) * (stream.time_base or 0))
                return _mono_from(container.decode(audio=0), pictures_s)
        except (av.error.FFmpegError, OSError) as error:
            raise _unreadable(self.path, error) from error


def write_film(
    path: Path, frames: Sequence[UInt8[np.ndarray, "H W 3"]], sound: Float32[np.ndarray, "T C"]
) -> None:
    """An mp4 of five frames per second (H.264) and their sound at 16 kHz (AAC), C = 1 or 2.

    Raises ConfigError without PyAV and DeviceError when it cannot be written.
    """
    av = _av()
    try:
        with av.open(str(path), "w") as container:
            pictures = container.add_stream("libx264", rate=round(1 / TURN_S))
            pictures.height, pictures.width = frames[0].shape[:2]
            pictures.pix_fmt = "yuv420p"
            layout = "stereo" if sound.shape[1] == 2 else "mono"
            track = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout=layout)
            for frame in frames:
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
                container.mux(pictures.encode(picture))
            container.mux(pictures.encode(None))
            samples = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound.T), format="fltp", layout=layout
            )
            samples.sample_rate = SAMPLE_RATE_HZ
            container.mux(track.encode(samples))
            container.mux(track.encode(None))
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DeviceError(f"cannot write {path}: {reason}; choose another place") from error


def _mono_from(decoded: Iterator[Any], start_s: float) -> Float32[np.ndarray, " T"]:
    """Decoded audio frames as one track that begins at `start_s` of the file's own time."""
    resampler = _av().AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    parts: list[np.ndarray] = []
    late = None
    for frame in decoded:
        if late is None:
            late = round(((frame.time or 0.0) - start_s) * SAMPLE_RATE_HZ)
        parts += [part.to_ndarray().reshape(-1) for part in resampler.resample(frame)]
    parts += [part.to_ndarray().reshape(-1) for part in resampler.resample(None)]
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    late = late or 0
    return np.pad(samples, (late, 0)) if late > 0 else samples[-late:]


def _whole(path: Path, decoded: Iterator[Any], most_s: float) -> Iterator[Any]:
    """What is decoded, while every picture is sound and comes within `most_s` of the one before."""
    last_s = 0.0
    try:
        for frame in decoded:
            time_s = last_s if frame.time is None else frame.time
            if frame.is_corrupt:
                raise VideoError(f"{path}, {time_s:.2f} s: this picture is damaged; {_WHOLE}")
            if time_s - last_s > most_s:
                raise VideoError(
                    f"{path}, {last_s:.2f} s: no picture until {time_s:.2f} s can be read; {_WHOLE}"
                )
            last_s = time_s
            yield frame
    except _av().error.FFmpegError as error:
        raise VideoError(
            f"{path}, {last_s:.2f} s: from here on it is damaged ({error.strerror}); {_WHOLE}"
        ) from error


def _at_five_per_second(decoded: Iterator[Any]) -> Iterator[UInt8[np.ndarray, "120 160 3"]]:
    """Of each 0.2 s, the last frame that began by then; time runs from the file's first frame."""
    start_s, index, current = None, 0, None
    for frame in decoded:
        time_s = frame.time
        if time_s is None:
            continue
        start_s = time_s if start_s is None else start_s
        while current is not None and time_s - start_s > index * TURN_S + _EARLY_S:
            yield _pixels(current)
            index += 1
        current = frame
    if current is not None:
        yield _pixels(current)


def _pixels(frame: Any) -> UInt8[np.ndarray, "120 160 3"]:
    pixels = frame.to_ndarray(format="rgb24")
    quarters = round(getattr(frame, "rotation", 0) / 90)
    return fit_frame(np.ascontiguousarray(np.rot90(pixels, quarters)))


def _stream(container: Any, path: Path) -> Any:
    if not container.streams.video:
        raise VideoError(f"{path} has no pictures; give a video file")
    return container.streams.video[0]


def _unreadable(path: Path, error: Exception) -> VideoError:
    reason = getattr(error, "strerror", None) or error
    return VideoError(f"{path} cannot be read as video: {reason}; get it again or convert it")


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise ConfigError(
            "video files need PyAV; install it with: pip install 'interplay[data]'"
        ) from error
    return av
