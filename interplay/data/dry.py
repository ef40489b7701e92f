"""A session's sound before anything has befallen it, and what will: for ears that hear later.

Half the bytes of float32, the noise as seeds. Knows nothing of tensors or of how it is heard.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int16

from interplay.clock import SAMPLES_PER_TURN
from interplay.data.surroundings import Surroundings


@dataclass(frozen=True, kw_only=True)
class Track:
    """Sound as whole numbers of `step`; the loudest is full range."""

    samples: Int16[np.ndarray, " T"]
    step: float

    @staticmethod
    def of(sound: Float32[np.ndarray, " T"]) -> "Track":
        step = max(float(sound.max()), -float(sound.min()), 1e-9) / 32767
        return Track(samples=np.rint(sound / np.float32(step)).astype(np.int16), step=step)

    def sound(self) -> Float32[np.ndarray, " T"]:
        return self.samples * np.float32(self.step)


@dataclass(frozen=True, kw_only=True)
class Dry:
    """user, own: the clean tracks. filters: number of the mel filters that it is heard with
    (data.compose)."""

    user: Track
    own: Track
    around: Surroundings
    filters: int

    def cut(self, start: int, stop: int) -> "Dry":
        """Micro-turns [start, stop): what sounded before is not heard any more."""
        first, last = SAMPLES_PER_TURN * start, SAMPLES_PER_TURN * stop
        user, own = (replace(t, samples=t.samples[first:last]) for t in (self.user, self.own))
        return replace(self, user=user, own=own, around=self.around.cut(first, last))
