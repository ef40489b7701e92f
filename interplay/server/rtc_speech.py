"""The model's sound on its way to a media track: micro-turns in, 20 ms frames out.

`SpeechQueue` keeps the books without knowing what time it is; `SpeechTrack` asks it for a frame
every 20 ms. Knows nothing of sessions or of how a track is sent.
"""

import asyncio
from fractions import Fraction

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from jaxtyping import Float32, Int16

from interplay.media.audio import StreamingResampler
from interplay.server.pcm import to_samples

TRACK_HZ = 48_000
FRAME_MS = 20
FRAME_S = FRAME_MS / 1000
FRAME_SAMPLES = TRACK_HZ * FRAME_MS // 1000
SAMPLES_PER_MS = TRACK_HZ // 1000
LEAD_FRAMES = 4  # silence before sound that was not expected: covers the resampler, and late ticks
KEPT_FRAMES = (2, 10)  # of what waits when the model is quiet: least, and after late ticks
PATIENT_TURNS = 50  # without a late one, after which less is kept
MAX_WAITING_SAMPLES = TRACK_HZ  # more than a second late is no conversation
MAX_LATE_S = 1.0
QUIET = 10 ** (-50 / 20)


class SpeechQueue:
    """Sound that was not sent yet, and how much was. rate_hz: of the sound that is pushed.

    While nobody listens (before `begin`) sound is thrown away.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._resampler = StreamingResampler(rate_hz, TRACK_HZ)
        self._waiting = np.empty(0, np.float32)
        self._num_pushed = 0  # samples at `rate_hz`: the end of the timeline
        self._num_gone = 0  # samples at 48 kHz, sent or thrown away: the place of the next one
        self._num_lead_frames = 0
        self._num_kept_frames, self._num_smooth_turns = KEPT_FRAMES[0], 0
        self._has_begun = False

    @property
    def pushed_ms(self) -> int:
        """The end of the output so far."""
        return 1000 * self._num_pushed // self._rate_hz

    @property
    def sent_ms(self) -> int:
        """The place in the output up to which it was sent, or thrown away."""
        return min(self.pushed_ms, self._num_gone // SAMPLES_PER_MS)

    def begin(self) -> None:
        """From now on somebody listens."""
        self._has_begun = True

    def push(self, pcm: bytes) -> bool:
        """The next micro-turn. Returns whether it will be sent.

        When it is quiet, sound before it that is late is thrown away: nobody misses a pause.
        """
        samples = to_samples(pcm)
        self._num_pushed += len(samples)
        if not self._has_begun:
            self._skip_to_end()
            return False
        self._adapt()
        if np.abs(samples).max(initial=0) < QUIET:
            self._drop(len(self._waiting) - self._num_kept_frames * FRAME_SAMPLES)
        ready = self._resampler.push(samples)
        self._waiting = np.concatenate([self._waiting, ready])
        self._drop(len(self._waiting) - MAX_WAITING_SAMPLES)
        return True

    def _adapt(self) -> None:
        """A micro-turn that came too late asks for more sound to wait; long without one, less."""
        least, most = KEPT_FRAMES
        self._num_smooth_turns += 1
        if len(self._waiting) < FRAME_SAMPLES:
            self._num_lead_frames = LEAD_FRAMES
            self._num_kept_frames = min(most, self._num_kept_frames + 1)
            self._num_smooth_turns = 0
        elif self._num_smooth_turns >= PATIENT_TURNS:
            self._num_kept_frames = max(least, self._num_kept_frames - 1)
            self._num_smooth_turns = 0

    def pop(self) -> Int16[np.ndarray, " 960"]:
        """The next 20 ms: sound, or silence while there is none."""
        if self._num_lead_frames or len(self._waiting) < FRAME_SAMPLES:
            self._num_lead_frames = max(0, self._num_lead_frames - 1)
            return np.zeros(FRAME_SAMPLES, np.int16)
        frame = self._waiting[:FRAME_SAMPLES]
        self._drop(FRAME_SAMPLES)
        return _to_int16(frame)

    def flush(self) -> int:
        """Throw away all that waits. Returns up to where the output was sent, in milliseconds."""
        sent_ms = self.sent_ms
        self._skip_to_end()
        return sent_ms

    def _drop(self, num_samples: int) -> None:
        if num_samples > 0:
            self._num_gone += num_samples
            self._waiting = self._waiting[num_samples:]

    def _skip_to_end(self) -> None:
        """Also past what the resampler holds back: it belongs to the sound that is thrown away."""
        self._resampler = StreamingResampler(self._rate_hz, TRACK_HZ)
        self._waiting = self._waiting[:0]
        self._num_gone = self._num_pushed * TRACK_HZ // self._rate_hz
        self._num_lead_frames = 0


def _to_int16(samples: Float32[np.ndarray, " T"]) -> Int16[np.ndarray, " T"]:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)


class SpeechTrack(MediaStreamTrack):
    """The queue as a track that never ends. Frames keep absolute deadlines: a late one does not
    move those after it, but nobody is sent a second's worth of frames at once."""

    kind = "audio"

    def __init__(self, queue: SpeechQueue) -> None:
        super().__init__()
        self.queue = queue
        self._num_frames = 0
        self._start_s: float | None = None

    async def recv(self) -> AudioFrame:
        """The next frame, when it is due. Raises MediaStreamError once the track was stopped."""
        if self.readyState != "live":
            raise MediaStreamError
        now_s = asyncio.get_running_loop().time()
        if self._start_s is None:
            self._start_s = now_s
        self.queue.begin()
        wait_s = self._start_s + self._num_frames * FRAME_S - now_s
        if wait_s < -MAX_LATE_S:
            self._start_s -= wait_s
        await asyncio.sleep(max(0.0, wait_s))
        return self._next_frame()

    def _next_frame(self) -> AudioFrame:
        frame = AudioFrame.from_ndarray(self.queue.pop()[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = TRACK_HZ
        frame.time_base = Fraction(1, TRACK_HZ)
        frame.pts = self._num_frames * FRAME_SAMPLES
        self._num_frames += 1
        return frame
