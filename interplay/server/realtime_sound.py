"""Sound that a Realtime client sends ahead of its time, as a clip in one message: it is held, and
given to the model at the pace of the clock.

A burst after a stall looks the same, but its client goes on sending; then what is quiet is skipped,
and some of the rest, until the model hears the client without delay again. Knows nothing of
messages or sessions.
"""

from collections.abc import Callable

import numpy as np

from interplay.clock import TURN_S
from interplay.server.inbox import QUIET
from interplay.server.pcm import SAMPLE_BYTES, to_samples

SKIP_TURNS = 10  # of a client that goes on sending, one is skipped however loud it is
MAX_RECENT_BYTES = 1 << 18  # 5 s: of what a client may send again


class HeldSound:
    """Of one connection. max_s: so much is held."""

    def __init__(self, max_s: float) -> None:
        self.max_s = max_s
        self._pcm = bytearray()
        self._num_bytes = 0  # of a micro-turn
        self._num_fed = 0  # micro-turns in a row in which more came
        self._is_fed = False

    def __bool__(self) -> bool:
        return bool(self._pcm)

    def add(self, pcm: bytes, rate_hz: int) -> bool:
        """Hold it; False when that would be too much, and then nothing of it."""
        if len(self._pcm) + len(pcm) > self.max_s * rate_hz * SAMPLE_BYTES:
            return False
        self._num_bytes = round(TURN_S * rate_hz) * SAMPLE_BYTES
        self._pcm += pcm
        self._is_fed = True
        return True

    def advance(self, hear: Callable[[bytes], bool]) -> bool:
        """A micro-turn goes by: its sound goes to `hear`, which may refuse. Returns whether another
        one was skipped."""
        self._num_fed = self._num_fed + 1 if self._is_fed else 0
        self._is_fed = False
        if not self._pcm or not hear(bytes(self._pcm[: self._num_bytes])):
            return False
        del self._pcm[: self._num_bytes]
        spare = bytes(self._pcm[: self._num_bytes])
        is_due = self._num_fed > 0 and self._num_fed % SKIP_TURNS == 0
        is_quiet = bool(spare) and self._num_fed > 1 and np.abs(to_samples(spare)).max() < QUIET
        if not (spare and (is_due or is_quiet)):
            return False
        del self._pcm[: self._num_bytes]
        return True

    def clear(self) -> int:
        """Forget all of it, so many bytes."""
        num_bytes = len(self._pcm)
        self._pcm.clear()
        return num_bytes


class SentAgain:
    """Sound that a client has cleared and sends again, as Pipecat does with the beginning of what
    is said: what the model has heard of it cannot be taken back, and is not heard twice."""

    def __init__(self) -> None:
        self._recent = bytearray()  # the newest that was sent
        self._num_unheard: int | None = None  # bytes of it, once it was cleared

    def cleared(self, num_unheard: int) -> None:
        """The client takes back what it has sent; of that the model has not heard so many bytes."""
        self._num_unheard = num_unheard

    def fresh(self, pcm: bytes) -> bytes:
        """What of the next piece is to be heard: all of it, unless it is the one sent again."""
        num_unheard, self._num_unheard = self._num_unheard, None
        if num_unheard is not None and self._recent.endswith(pcm):
            return pcm[max(0, len(pcm) - num_unheard) :]
        self._recent += pcm
        del self._recent[:-MAX_RECENT_BYTES]
        return pcm
