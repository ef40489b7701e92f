"""The largest number of sessions at once that a machine serves without a missed deadline.

A short look brackets it, then the candidate has to hold for the whole time; one that does not is
followed by one an eighth smaller, so what is found holds, and an eighth more may. Knows nothing of
servers: `probe` loads one.
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
    last one tried. tried: (sessions, seconds that it lasted, misses) in order."""

    num_sessions: int
    held: LoadReport
    tried: tuple[tuple[int, float, int], ...]


def search(probe: Probe, *, first: int, seconds: float) -> Capacity:
    """probe(num_sessions, seconds): puts that load on a fresh server, so long or until a deadline
    is missed. first: where to begin."""
    tried: list[tuple[int, float, int]] = []
    last: LoadReport | None = None

    def holds(num_sessions: int, for_s: float) -> bool:
        nonlocal last
        last = probe(num_sessions, for_s)
        tried.append((num_sessions, last.seconds, last.num_misses))
        return last.num_misses == 0

    candidate = _bracket(lambda count: holds(count, min(LOOK_S, seconds)), first)
    while candidate > 0 and not holds(candidate, seconds):
        candidate -= max(1, candidate // STEPS)
    assert last is not None, "the bracket has probed at least once"
    return Capacity(num_sessions=candidate, held=last, tried=tuple(tried))


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
