"""Microphone in, loudspeaker out, full duplex, 200 ms at a time. Knows nothing of models.

The sound card's callback and the engine's loop run apart: a queue each way joins them.
"""

import queue

import numpy as np

from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN, TURN_S
from interplay.errors import DeviceError
from interplay.turns.types import InputHalf, OutputHalf

BLOCK = SAMPLES_PER_TURN // 10  # 20 ms: small enough to keep the loudspeaker close behind
PATIENCE_S = 10 * TURN_S


class Microphone:
    """Input halves from the default microphone; output halves to the default loudspeaker.

    Use as a context manager. `input` and `play` belong to the loop that advances the session.
    """

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
        try:
            self._stream = sounddevice.Stream(
                samplerate=SAMPLE_RATE_HZ,
                channels=1,
                dtype="float32",
                blocksize=BLOCK,
                callback=self._exchange,
            )
        except sounddevice.PortAudioError as error:
            raise DeviceError(_no_device(error)) from None

    def __enter__(self) -> "Microphone":
        self._stream.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stream.close()

    def input(self, _turn: int) -> InputHalf:
        """The newest 200 ms; waits for the sound card, whose clock is not the computer's.

        Raises DeviceError when it delivers nothing for two seconds.
        """
        while len(self._pending) < SAMPLES_PER_TURN:
            try:
                block = self._heard.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise DeviceError(
                    "the microphone delivers no sound; check that it is connected and allowed"
                ) from None
            self._pending = np.concatenate([self._pending, block])
        hear, self._pending = np.split(self._pending, [SAMPLES_PER_TURN])
        return InputHalf(hear=hear)

    def play(self, out: OutputHalf) -> None:
        self._to_play.put(out.voice)

    def _exchange(self, indata, outdata, num_frames: int, _time: object, _status: object) -> None:
        """Called by the sound card: take what was heard, give what is to be played."""
        self._heard.put(indata[:, 0].copy())
        while len(self._current) < num_frames:
            try:
                self._current = np.concatenate([self._current, self._to_play.get_nowait()])
            except queue.Empty:
                break
        size = min(num_frames, len(self._current))
        outdata[:size, 0], outdata[size:, 0] = self._current[:size], 0.0
        self._current = self._current[size:]


def _no_device(error: Exception) -> str:
    return (
        f"no microphone and loudspeaker that can be used ({error}); connect them, or play a "
        "recording: interplay talk FILE"
    )
