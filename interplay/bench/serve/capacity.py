"""The largest number of sessions at once that a machine serves without a missed deadline.

A short look brackets it, then the candidate has to hold for the whole time; one that does not is
followed by one an eighth smaller. What lies between the first that holds and the last that did not
is halved until nothing does: one more than what is found did not hold. Knows nothing of servers:
`probe` loads one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from interplay.bench.serve.load import LoadReport

LOOK_S = 20.0
MAX_SESSIONS = 256
STEPS = 8  # from what a short look holds down to nothing: a load takes ten minutes
Probe = Callable[[int, float], LoadReport]


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """num_sessions: without a miss over the whole time; 0: not even one. held: that load, or the
    last one tried where none held. tried: (sessions, seconds that it lasted, misses) in order."""

    num_sessions: int
    held: LoadReport
    tried: tuple[tuple[int, float, int], ...]


def search(probe: Probe, *, first: int, seconds: float) -> Capacity:
    """probe(num_sessions, seconds): puts that load on a fresh server, so long or until a deadline
    is missed. first: where to begin."""
    reports: list[LoadReport] = []

    def holds(num_sessions: int, for_s: float) -> bool:
        reports.append(probe(num_sessions, for_s))
        return reports[-1].num_misses == 0

    candidate = _bracket(lambda count: holds(count, min(LOOK_S, seconds)), first)
    too_many = candidate + 1
    while candidate > 0 and not holds(candidate, seconds):
        too_many = candidate
        candidate -= max(1, candidate // STEPS)
    held = reports[-1]
    while too_many - candidate > 1:
        middle = (candidate + too_many) // 2
        if holds(middle, seconds):
            candidate, held = middle, reports[-1]
        else:
            too_many = middle
    tried = tuple((one.num_sessions, one.seconds, one.num_misses) for one in reports)
    return Capacity(num_sessions=candidate, held=held, tried=tried)


def _bracket(holds: Callable[[int], bool], first: int) -> int:
    """The largest count that a short look found to hold, by doubling and halving; 0: none."""
    good, bad = 0, None
    count = first
    while bad is None or bad - good > 1:
        if holds(count):
            good = count
        else:
            bad = count
        if bad is None:
            if good >= MAX_SESSIONS:
                return good
            count = min(MAX_SESSIONS, good + max(1, good // 4))
        elif good == 0:
            count = bad // 2
            if count == 0:
                return 0
        else:
            count = (good + bad) // 2
    return good
