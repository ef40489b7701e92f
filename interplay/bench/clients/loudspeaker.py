"""When received sound is played: each piece as it arrives, or when the one before it has ended.

This is the recorder that duplex benchmarks use (a piece starts at max(arrival, end of the piece
before)): nothing is buffered ahead, nothing is lost. Knows nothing of sockets; times are seconds
of any one clock.
"""

from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np
from jaxtyping import Int16

from interplay.bench.traces.trace import audible, laid_out
from interplay.clock import SAMPLE_RATE_HZ, TURN_S

MIN_PACED_S = 10.0  # in less, one late message looks like a slow clock
MAX_PACED_ERROR = 0.1  # further from the clock is no stream: bursts, or sound only while it speaks


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """came_s: when it arrived. from_s: its place in all that was received. part: what it belongs
    to."""

    came_s: float
    start_s: float
    from_s: float
    samples: np.ndarray
    part: str

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.samples) / SAMPLE_RATE_HZ


@dataclass(kw_only=True)
class Loudspeaker:
    """cuts_silence: whether sound comes at the pace of a clock, silence included, so that silence
    which is late can be cut short to catch up; a server that sends bursts means its silences."""

    cuts_silence: bool
    received_s: float = 0.0
    end_s: float = float("-inf")  # of the last piece
    _pieces: list[_Piece] = field(default_factory=list)

    def receive(self, samples: Int16[np.ndarray, " T"], now_s: float, part: str = "") -> None:
        """Sound at 16 kHz that arrived at `now_s`."""
        start_s, length_s = max(now_s, self.end_s), len(samples) / SAMPLE_RATE_HZ
        from_s, self.received_s = self.received_s, self.received_s + length_s
        if self.cuts_silence and not audible(samples).any():
            samples = samples[: max(0, round((now_s + length_s - start_s) * SAMPLE_RATE_HZ))]
        piece = _Piece(came_s=now_s, start_s=start_s, from_s=from_s, samples=samples, part=part)
        self._pieces.append(piece)
        self.end_s = piece.end_s

    def next_s(self, now_s: float) -> float:
        """When sound that arrived now would be played."""
        return max(now_s, self.end_s)

    def flush(self, now_s: float) -> None:
        """Throw away what is not played yet."""
        for index, piece in enumerate(self._pieces):
            keep = max(0, round((now_s - piece.start_s) * SAMPLE_RATE_HZ))
            self._pieces[index] = replace(piece, samples=piece.samples[:keep])
        self.end_s = min(self.end_s, now_s)

    def played_s(self, now_s: float) -> float:
        """Of all that was received, counted from its first sample; cut silence counts."""
        begun = [piece for piece in self._pieces if piece.start_s <= now_s]
        if not begun:
            return 0.0
        if begun[-1].end_s <= now_s:
            behind = self._pieces[len(begun) :]
            return behind[0].from_s if behind else self.received_s
        return min(begun[-1].from_s + now_s - begun[-1].start_s, self.received_s)

    def played_of(self, part: str, now_s: float) -> float:
        """Seconds of one part that have been played."""
        pieces = [piece for piece in self._pieces if piece.part == part]
        return sum(max(0.0, min(piece.end_s, now_s) - piece.start_s) for piece in pieces)

    def pace(self) -> float | None:
        """Seconds of sound per second of the clock, where sound comes at the pace of a clock: the
        slope of what was received over when it came. None for any other, and for too little."""
        came = np.array([piece.came_s for piece in self._pieces])
        if not self.cuts_silence or not len(came) or came[-1] - came[0] < MIN_PACED_S:
            return None
        received = np.array([piece.from_s for piece in self._pieces])
        came -= came.mean()
        slope = float(came @ (received - received.mean()) / (came @ came))
        return slope if abs(slope - 1) <= MAX_PACED_ERROR else None

    def arrivals(self, begin_s: float, num_turns: int) -> list[float | None]:
        """Of every micro-turn from `begin_s` on, when the first sound that plays in it arrived."""
        found: list[float | None] = [None] * num_turns
        for piece in self._pieces:
            first, end = ((t - begin_s) / TURN_S for t in (piece.start_s, piece.end_s))
            for turn in range(max(0, int(first + 1e-6)), min(num_turns, ceil(end - 1e-6))):
                if found[turn] is None:
                    found[turn] = piece.came_s - begin_s
        return found

    def track(self, begin_s: float, num_samples: int) -> Int16[np.ndarray, " T"]:
        """What sounds from `begin_s` on, 16 kHz."""
        placed = [(piece.start_s - begin_s, piece.samples) for piece in self._pieces]
        return laid_out(placed, num_samples)
