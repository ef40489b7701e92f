"""What a good client does with the sound it receives: when it plays what, on its own clock.

Micro-turns come every 200 ms, give or take the jitter of the way. The client plays each one as
soon as the worst one of the last ten seconds would have come: no sooner, or it would stutter. Voice
is played without a seam; what is too long is cut out of silence, and when the model yields what
is left is thrown away. Knows nothing of sockets; times are seconds of any one clock.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int16

from interplay.bench.traces.trace import laid_out
from interplay.clock import SAMPLE_RATE_HZ, TURN_MS, TURN_S

BLOCK_S = 0.01  # what a device plays at once; the least that is held
WINDOW_TURNS = 50


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """start_s: when its first sample is played. from_ms: its place in the output."""

    start_s: float
    from_ms: int
    samples: np.ndarray

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.samples) / SAMPLE_RATE_HZ


@dataclass
class Playback:
    """One loudspeaker. num_underruns: times it ran dry while the model spoke. held_s: how long the
    first piece of every stretch of voice waited to be played."""

    num_underruns: int = 0
    held_s: list[float] = field(default_factory=list)
    received_ms: int = 0
    _pieces: list[_Piece] = field(default_factory=list)
    _late: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW_TURNS))
    _end_s: float = float("-inf")
    _is_voiced: bool = False

    @property
    def jitter_s(self) -> float:
        """How much later than the earliest the latest of the last micro-turns came."""
        return max(self._late) - min(self._late) if self._late else 0.0

    def receive(
        self, turn: int, samples: Int16[np.ndarray, " T"], *, voiced: bool, now_s: float
    ) -> None:
        """200 ms at 16 kHz, the output of micro-turn `turn`. voiced: the model speaks in it."""
        self.received_ms = (turn + 1) * TURN_MS
        self._late.append(now_s - turn * TURN_S)
        plan_s = turn * TURN_S + max(self._late) + BLOCK_S
        if voiced:
            is_dry = self._end_s < now_s
            self.num_underruns += bool(is_dry and self._pieces and self._pieces[-1].samples.any())
            start_s = plan_s if is_dry else self._end_s
            if not self._is_voiced:
                self.held_s.append(start_s - now_s)
        else:
            start_s = max(plan_s, self._end_s)
            samples = samples[: max(0, round((plan_s + TURN_S - start_s) * SAMPLE_RATE_HZ))]
        piece = _Piece(start_s=start_s, from_ms=turn * TURN_MS, samples=samples)
        self._pieces.append(piece)
        self._end_s, self._is_voiced = piece.end_s, voiced

    def flush(self, now_s: float) -> None:
        """Throw away what is not played yet."""
        for index, piece in enumerate(self._pieces):
            keep = max(0, round((now_s - piece.start_s) * SAMPLE_RATE_HZ))
            if keep < len(piece.samples):
                self._pieces[index] = _Piece(
                    start_s=piece.start_s, from_ms=piece.from_ms, samples=piece.samples[:keep]
                )
        self._end_s = min(self._end_s, now_s)

    def played_ms(self, now_s: float) -> int:
        """Of the output, counted from its first sample; silence that was cut out counts."""
        done = 0
        for piece in self._pieces:
            if piece.start_s <= now_s:
                played_s = min(now_s - piece.start_s, len(piece.samples) / SAMPLE_RATE_HZ)
                is_whole = piece.end_s <= now_s
                done = piece.from_ms + (TURN_MS if is_whole else int(1000 * played_s))
        return min(done, self.received_ms)

    def track(self, begin_s: float, num_samples: int) -> Int16[np.ndarray, " T"]:
        """What sounds from `begin_s` on, 16 kHz."""
        placed = [(piece.start_s - begin_s, piece.samples) for piece in self._pieces]
        return laid_out(placed, num_samples)
