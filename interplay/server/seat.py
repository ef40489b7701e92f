"""One session as the engine's thread sees it: what goes into its next micro-turn.

The asyncio thread calls the methods of the first half, the engine's thread those of the second.
They share deques and a flag only, so neither ever waits for the other. Knows nothing of clients
or of what becomes of the output.
"""

from collections import deque
from pathlib import Path
from typing import NamedTuple

import numpy as np

from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_TURN, TURNS_PER_S
from interplay.engine.disk import DiskThread
from interplay.engine.recording import Recording
from interplay.engine.session import Session
from interplay.server.engines import AnyEngine, AnySession
from interplay.server.inbox import AudioInbox
from interplay.turns.types import InputHalf, OutputHalf

CAMERA_TURNS = 2 * TURNS_PER_S  # a camera that sends nothing for so long is off


class Collected(NamedTuple):
    """An input half, and what had to be filled in or dropped for it, in samples."""

    half: InputHalf
    num_missing: int
    num_dropped: int


class _Flushed(NamedTuple):
    """The client threw sound away: of samples [0, received) of the output it played `played`."""

    played: int
    received: int


class Seat:
    """Input of one session, from the thread of its client to the engine's.

    record_folder, disk: where it is kept, and who writes it; None: it is not.
    """

    def __init__(
        self,
        *,
        seed: int,
        prefix: str = "",
        record_folder: Path | None = None,
        disk: DiskThread | None = None,
        held_s: float = 0.0,
    ) -> None:
        self.seed, self.prefix = seed, prefix
        self.is_muted = False
        self.record_folder, self._disk = record_folder, disk
        self.session: AnySession | None = None
        self._inbox = AudioInbox(seed, held_s=held_s)
        self._tokens: deque[int] = deque()
        self._tiles: deque[np.ndarray] = deque(maxlen=1)
        self._flushed: deque[_Flushed] = deque(maxlen=1)
        self._recording: Recording | None = None
        self._camera: np.ndarray | None = None
        self._camera_turns = 0

    def hear(self, samples: np.ndarray) -> None:
        """float32 at 16 kHz, any number of samples."""
        self._inbox.add(samples)

    def unhear(self) -> float:
        """Drop sound that no micro-turn has taken yet; so many seconds of it."""
        return self._inbox.clear() / SAMPLE_RATE_HZ

    def read(self, tokens: list[int]) -> None:
        self._tokens.extend(tokens)

    @property
    def num_waiting(self) -> int:
        """Tokens that the model has not read yet."""
        return len(self._tokens)

    def see(self, tiles: np.ndarray) -> None:
        """uint8 [12, 2, 40, 40, 3]; only the newest picture before a tick is seen."""
        self._tiles.append(tiles)

    def flush(self, *, num_played: int, num_received: int) -> None:
        """Of the first `num_received` samples of output at 16 kHz only `num_played` were played."""
        self._flushed.append(_Flushed(num_played, num_received))

    def sit(self, engine: AnyEngine) -> None:
        """Take a slot. Raises SessionError when there is none."""
        self.session = engine.open(seed=self.seed, prefix=self.prefix)
        if self.record_folder and self._disk:
            assert isinstance(self.session, Session), "only sessions of a model are recorded"
            self._recording = Recording(self.record_folder, self.session, self._disk)

    def collect(self) -> Collected:
        """The next input half."""
        taken = self._inbox.take()
        samples = self._inbox.floor(SAMPLES_PER_TURN) if self.is_muted else taken.samples
        tokens = []
        while self._tokens and len(tokens) < NUM_SLOTS:
            tokens.append(self._tokens.popleft())
        half = InputHalf(
            hear=samples, read=tuple(tokens), see=self._look(), num_played=self._num_played()
        )
        return Collected(half, 0 if self.is_muted else taken.num_missing, taken.num_dropped)

    def _look(self) -> np.ndarray | None:
        """The newest picture with the one before; until the next comes, the last one twice."""
        if self._tiles:
            self._camera, self._camera_turns = self._tiles.popleft(), 0
        elif self._camera is not None:
            self._camera_turns += 1
            is_on = self._camera_turns < CAMERA_TURNS
            self._camera = self._camera[:, [1, 1]] if is_on else None
        return self._camera

    def _num_played(self) -> int | None:
        """Of the newest output half; None: all of it, or all of it will be."""
        flushed = self._flushed.popleft() if self._flushed else None
        if flushed is None or self.session is None or not self.session.num_turns:
            return None
        end = self.session.num_turns * SAMPLES_PER_TURN
        if flushed.received < end:
            return None  # it was still under way when the client threw away what it had
        played = flushed.played - (end - SAMPLES_PER_TURN)
        return None if played >= SAMPLES_PER_TURN else max(0, played)

    def record(self, half: InputHalf, output: OutputHalf, compute_ms: float) -> None:
        """Keep a micro-turn, where that was asked for. Raises when the disk has refused, once:
        then the record is over, but not the session."""
        if self._recording is None:
            return
        try:
            self._recording.add(half, output, compute_ms)
        except Exception:  # whatever it was: a record with a gap in it is none
            self._end_record()
            raise

    def leave(self) -> None:
        """Give the slot back and let the record be written to its end."""
        if self.session:
            self.session.close()
        self._end_record()

    def _end_record(self) -> None:
        recording, self._recording = self._recording, None
        if recording:
            recording.close()
