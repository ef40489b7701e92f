"""A user's sound on its way to the engine: one thread adds, the engine's thread takes micro-turns.

What has not come in time is filled with a faint noise floor (models never hear digital zero) and
counted; time never waits. Without locks: the only thing both threads touch is a deque. Knows
nothing of sessions, rates or protocols: samples are float32 at 16 kHz.
"""

from collections import deque
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN

FLOOR = np.float32(10 ** (-60 / 20))  # a quiet room: when a microphone opens, noise must not jump
JITTER_S = 0.010  # a client that sends in blocks may have one block less to its name at a tick
QUIET = 10 ** (-50 / 20)
PATIENT_BEATS, LAST_BEATS = 25, 50


class Taken(NamedTuple):
    """200 ms of sound. num_missing, num_dropped: samples filled in and thrown away."""

    samples: Float32[np.ndarray, " 3200"]
    num_missing: int
    num_dropped: int


class AudioInbox:
    """The sound of one user. held_s: what a resampler in front of it holds back; so much of the
    floor goes before the first sound, and JITTER_S more unless whole micro-turns are sent."""

    def __init__(self, seed: int, *, held_s: float = 0.0) -> None:
        self._num_held = round(held_s * SAMPLE_RATE_HZ)
        self._arrived: deque[np.ndarray] = deque()
        self._held = np.empty(0, np.float32)
        self._has_begun = False
        self._spare_beats = 0
        self._random = np.random.default_rng(seed)

    def add(self, samples: Float32[np.ndarray, " T"]) -> None:
        """Called by the thread of the client."""
        self._arrived.append(samples)

    def clear(self) -> int:
        """Forget what has come since the last micro-turn; its time becomes a gap. Returns how many
        samples that were. Called by the thread of the client."""
        num_samples = 0
        with suppress(IndexError):
            while True:
                num_samples += len(self._arrived.popleft())
        return num_samples

    def floor(self, num_samples: int) -> Float32[np.ndarray, " T"]:
        """The sound of nobody."""
        return self._random.standard_normal(num_samples, np.float32) * FLOOR

    def take(self) -> Taken:
        """The next micro-turn, whatever has come. Called by the engine's thread.

        Before the first sound nothing counts as missing.
        """
        self._collect()
        if not self._has_begun:
            return Taken(self.floor(SAMPLES_PER_TURN), 0, 0)
        turn, self._held = self._held[:SAMPLES_PER_TURN], self._held[SAMPLES_PER_TURN:]
        num_missing = SAMPLES_PER_TURN - len(turn)
        if num_missing:
            turn = np.concatenate([turn, self.floor(num_missing)])
        return Taken(turn, num_missing, self._catch_up())

    def _collect(self) -> None:
        parts = [self._held]
        with suppress(IndexError):  # it is empty; asking first would race with `clear`
            while True:
                parts.append(self._arrived.popleft())
        if len(parts) > 1:
            if not self._has_begun:
                is_whole = self._num_held + len(parts[1]) >= SAMPLES_PER_TURN
                jitter_s = 0.0 if is_whole else JITTER_S
                parts[0] = self.floor(self._num_held + round(jitter_s * SAMPLE_RATE_HZ))
                self._has_begun = True
            self._held = np.concatenate(parts)

    def _catch_up(self) -> int:
        """Drop a micro-turn when for 5 s there was always one too many: a client's clock that is
        fast, or a burst after a stall, must not make the model late for ever. A quiet one is
        preferred; after 10 s any will do."""
        if len(self._held) < SAMPLES_PER_TURN:
            self._spare_beats = 0
            return 0
        self._spare_beats += 1
        if self._spare_beats < PATIENT_BEATS:
            return 0
        is_quiet = np.abs(self._held[:SAMPLES_PER_TURN]).max() < QUIET
        if not is_quiet and self._spare_beats < LAST_BEATS:
            return 0
        self._held = self._held[SAMPLES_PER_TURN:]
        self._spare_beats = 0
        return SAMPLES_PER_TURN
