"""Time: the 200 ms micro-turn, the rates that follow from it, clocks and the pacer.

Knows nothing about audio, models or sessions. Inside the engine time is an argument; a `Clock`
exists so that the one loop that must wait (`Pacer`) can be run on real or on pretended time.
"""

import time
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

TURN_MS = 200  # the micro-turn: the unit of everything
TURN_S = TURN_MS / 1000
TURNS_PER_S = 1000 // TURN_MS
NUM_SLOTS = 4  # positions per half of a micro-turn, for sound and text
SLOT_MS = TURN_MS // NUM_SLOTS
SLOTS_PER_S = 1000 // SLOT_MS
SAMPLE_RATE_HZ = 16_000
SAMPLES_PER_TURN = SAMPLE_RATE_HZ * TURN_MS // 1000
SAMPLES_PER_SLOT = SAMPLE_RATE_HZ * SLOT_MS // 1000


@runtime_checkable  # the tests check signatures while they run
class Clock(Protocol):
    """Seconds that only go forward."""

    def now(self) -> float: ...

    def sleep_until(self, deadline_s: float) -> None: ...


class RealClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep_until(self, deadline_s: float) -> None:
        while (left_s := deadline_s - time.monotonic()) > 0:
            time.sleep(left_s)


class FakeClock:
    """Time that passes only when somebody sleeps: tests, benchmarks and rollouts."""

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s

    def now(self) -> float:
        return self._now_s

    def sleep_until(self, deadline_s: float) -> None:
        self._now_s = max(self._now_s, deadline_s)

    def advance(self, seconds: float) -> None:
        self._now_s += seconds


@dataclass
class Pacer:
    """Keeps absolute deadlines `start + k * period` and counts the missed ones.

    A late beat never moves the beats after it: `wait` returns at once until the schedule is
    caught up, so time is not stretched.
    """

    clock: Clock
    period_s: float = TURN_S
    num_beats: int = 0
    num_misses: int = 0
    worst_late_s: float = 0.0
    _start_s: float | None = field(default=None, repr=False)

    def wait(self) -> float:
        """Sleep until the next deadline and return it [s]; count it as missed when already past."""
        if self._start_s is None:
            self._start_s = self.clock.now()
        self.num_beats += 1
        deadline_s = self._start_s + self.num_beats * self.period_s
        late_s = self.clock.now() - deadline_s
        if late_s > 0:
            self.num_misses += 1
            self.worst_late_s = max(self.worst_late_s, late_s)
        self.clock.sleep_until(deadline_s)
        return deadline_s

    def report(self) -> str:
        worst = f", worst {1000 * self.worst_late_s:.0f} ms late" if self.num_misses else ""
        return f"{self.num_misses} of {self.num_beats} deadlines missed{worst}"
