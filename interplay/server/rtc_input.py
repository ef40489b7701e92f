"""Media tracks of a client as input: its sound, and the newest frame of its camera. Knows nothing
of sessions or of how a track is received.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame
from jaxtyping import Float32

from interplay.clock import Clock
from interplay.errors import RequestError
from interplay.server.camera import MAX_PIXELS, Camera, too_big
from interplay.server.pcm import PcmConverter, to_pcm

TRACK_HZ = 48_000  # Opus, whatever the client has recorded
COMPLAIN_S = 10.0  # between two errors about one camera

Refused = Callable[[RequestError], None]


def mono(frame: AudioFrame) -> Float32[np.ndarray, " T"]:
    """The mean of the channels of an interleaved 16-bit frame, full scale 1."""
    samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
    return samples.mean(axis=1, dtype=np.float32) / np.float32(32768)


class Ears:
    """A sound track. What comes late or never is for the listener to fill in.

    heard(pcm): takes 16-bit PCM at `rate_hz`, or raises RequestError; that is passed to `refused`.
    """

    def __init__(self, rate_hz: int, heard: Callable[[bytes], object], refused: Refused) -> None:
        self._heard, self._refused = heard, refused
        self._converter = PcmConverter(TRACK_HZ, rate_hz)

    async def listen(self, track: MediaStreamTrack) -> None:
        """Until the track ends."""
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, AudioFrame)
            self.hear(frame)

    def hear(self, frame: AudioFrame) -> None:
        pcm = self._converter.push(to_pcm(mono(frame)))
        if not pcm:
            return  # the resampler looks ahead
        try:
            self._heard(pcm)
        except RequestError as error:
            self._refused(error)


class Eyes:
    """A camera track: frames come as they please, and once per micro-turn the newest is seen.

    seen(tiles): takes what the model sees of it. refused(error): told every ten seconds at most.
    threads: where pixels are converted, so that the event loop need not wait.
    """

    def __init__(
        self,
        seen: Callable[[np.ndarray], object],
        refused: Refused,
        clock: Clock,
        threads: Executor,
    ) -> None:
        self._seen, self._refused, self._clock = seen, refused, clock
        self._threads, self._is_time = threads, asyncio.Event()
        self._camera = Camera()
        self._refused_s: float | None = None
        self._newest: VideoFrame | None = None

    async def watch(self, track: MediaStreamTrack) -> None:
        """Until the track ends."""
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, VideoFrame)
            self._newest = frame

    def look(self) -> None:
        """Let `see` pass the newest frame on, if there is a new one."""
        self._is_time.set()

    async def see(self) -> None:
        """Pass frames on when it is time, one after the other, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._is_time.wait()
            self._is_time.clear()
            frame, self._newest = self._newest, None
            if frame is None:
                continue
            if frame.width * frame.height > MAX_PIXELS:
                self._complain(frame)
                continue
            self._seen(await loop.run_in_executor(self._threads, self._tiles, frame))

    def _tiles(self, frame: VideoFrame) -> np.ndarray:
        return self._camera.pair(frame.to_ndarray(format="rgb24"))

    def _complain(self, frame: VideoFrame) -> None:
        now_s = self._clock.now()
        if self._refused_s is None or now_s - self._refused_s >= COMPLAIN_S:
            self._refused_s = now_s
            self._refused(too_big(frame.width, frame.height, "video"))
