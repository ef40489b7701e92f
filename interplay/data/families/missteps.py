"""A past in which the model counted at the wrong moments, as it does when it is left to itself.

With right numbers behind it a model learns when the next is due from when the last ones were; alone
it then counts in a rhythm of its own, whatever the body before the camera does. So in some sessions
numbers come early, late or not at all, or the first is not one; they are context and not to be
learnt, and what is right comes after them. A repetition has one number: after one that came early
none is due at its end, or a number said twice would shift all that follow. The idea is that of
DAgger (Ross et al. 2011, arXiv 1011.0686), with mistakes that are drawn instead of made. Knows
nothing of films, timelines or words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SHARES = {"early": 0.4, "late": 0.1, "missed": 0.1}  # of the repetitions; the others are right
SOON, SOON_S = 0.5, 0.6  # of the early ones come so soon: said twice, as a model does most often
JUMPS = 0.4  # of the films begin with some other number: sessions are too short to count to twenty
AFTER_S, BEFORE_S = 0.4, 0.2  # an early number is so far from the ends before and behind it
LATE_S = (0.25, 0.7)


@dataclass(frozen=True)
class Counted:
    """number: what is said at `time_s`; None: nothing, though it was due. is_right: to be
    learnt."""

    time_s: float
    number: int | None
    is_right: bool = True


def counted(ends_s: Sequence[float]) -> list[Counted]:
    """As it should be: one number at every end."""
    return [Counted(end, k) for k, end in enumerate(ends_s, 1)]


def miscounted(ends_s: Sequence[float], rng: np.random.Generator, most: int) -> list[Counted]:
    """With mistakes. ends_s: when repetitions end, in order, at most `most`: the highest number
    there is."""
    jumps = rng.random() < JUMPS and len(ends_s) < most
    begin = int(rng.integers(1, most - len(ends_s) + 1)) if jumps else 0
    found, before_s, number = [], 0.0, begin
    for end_s in ends_s:
        kind = str(rng.choice([*SHARES, "right"], p=[*SHARES.values(), 1 - sum(SHARES.values())]))
        low, high = before_s + AFTER_S, end_s - BEFORE_S
        if kind == "missed" or (kind == "early" and low >= high):
            found.append(Counted(end_s, None, is_right=False))
        else:
            number += 1
            if kind == "early":
                until = min(high, low + SOON_S) if rng.random() < SOON else high
                found.append(Counted(float(rng.uniform(low, until)), number, is_right=False))
            elif kind == "late":
                found.append(Counted(end_s, None, is_right=False))
                found.append(Counted(end_s + float(rng.uniform(*LATE_S)), number, is_right=False))
            else:
                is_first = bool(begin) and number == begin + 1
                found.append(Counted(end_s, number, is_right=not is_first))
        before_s = max(end_s, found[-1].time_s)
    return found
