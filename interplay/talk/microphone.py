"""Microphone in, loudspeaker out, full duplex. Knows nothing of models.

The sound card is the clock: 200 ms have passed when it has delivered 3200 samples, whatever the
computer's own clock says, so a long talk never drifts. Its callback and the engine's loop run in
two threads that share a queue each way.
"""

import queue
import time

import numpy as np

from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN
from interplay.errors import DeviceError
from interplay.turns.types import InputHalf, OutputHalf

BLOCK = SAMPLES_PER_TURN // 10  # 20 ms: small, to keep the loudspeaker close behind
PATIENCE_S = 2.0


class Microphone:
    """A `Clock` and a user: input halves from the default microphone, output halves to the
    default loudspeaker. Use as a context manager."""

    film = ()  # no camera

    def __init__(self) -> None:
        """Raises DeviceError when there is no device, ModuleNotFoundError without the extra."""
        try:
            import sounddevice  # of the `mic` extra
        except OSError as error:
            raise DeviceError(
                f"sound library missing ({error}); on Debian: apt install libportaudio2"
            ) from None
        self._heard: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
        self._to_play: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
        self._current = np.zeros(0, np.float32)
        self._pending = np.zeros(0, np.float32)
        self._newest = 0.0, time.monotonic()  # seconds heard, and when that was known
        try:
            self._stream = sounddevice.Stream(
                samplerate=SAMPLE_RATE_HZ,
                channels=1,
                dtype="float32",
                blocksize=BLOCK,
                callback=self._exchange,
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            raise DeviceError(
                f"no microphone and loudspeaker that can be used ({_one_line(error)}); connect "
                "them, or play a recording: interplay talk FILE"
            ) from None

    def __enter__(self) -> "Microphone":
        self._newest = 0.0, time.monotonic()
        self._stream.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stream.close()

    def now(self) -> float:
        """Seconds of sound so far."""
        heard_s, known_at_s = self._newest
        return heard_s + time.monotonic() - known_at_s

    def sleep_until(self, deadline_s: float) -> None:
        """Raises DeviceError when the sound card delivers nothing for two seconds."""
        while (left_s := deadline_s - self.now()) > 0:
            time.sleep(left_s)
        if time.monotonic() - self._newest[1] > PATIENCE_S:
            raise DeviceError(
                "the microphone delivers no sound; check that it is connected and allowed"
            )

    def input(self, _turn: int) -> InputHalf:
        """The 200 ms that have just ended."""
        while len(self._pending) < SAMPLES_PER_TURN:
            try:
                block = self._heard.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise DeviceError("the microphone has stopped; connect it again") from None
            self._pending = np.concatenate([self._pending, block])
        hear, self._pending = np.split(self._pending, [SAMPLES_PER_TURN])
        return InputHalf(hear=hear)

    def watch(self, out: OutputHalf) -> None:
        """Play what the model emitted; all of it will be heard, right behind the one before."""
        self._to_play.put(out.voice)

    def _exchange(self, indata, outdata, num_frames: int, _time: object, _status: object) -> None:
        """Called by the sound card: take what was heard, give what is to be played."""
        self._heard.put(indata[:, 0].copy())
        self._newest = self._newest[0] + num_frames / SAMPLE_RATE_HZ, time.monotonic()
        while len(self._current) < num_frames:
            try:
                self._current = np.concatenate([self._current, self._to_play.get_nowait()])
            except queue.Empty:
                break
        size = min(num_frames, len(self._current))
        outdata[:size, 0], outdata[size:, 0] = self._current[:size], 0.0
        self._current = self._current[size:]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
