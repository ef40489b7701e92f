"""A stored run as a system: it sounds when the agent of that run spoke, and does nothing else.

For official data that holds both sides (`interplay bench tau --data FOLDER --endpoint recorded`):
scores, intervals and baselines are made as for every other system. Knows nothing of formats.
"""

from collections.abc import Sequence

import numpy as np

from interplay.bench.stage import Emission, Stage
from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN
from interplay.errors import ConfigError

AGENT = "agent"  # of `Item.about`: whether the agent speaks, for each micro-turn
NAME = "recorded"
_TONE = np.float32(0.1) * np.sin(
    2 * np.pi * 440 * np.arange(SAMPLES_PER_TURN, dtype=np.float32) / SAMPLE_RATE_HZ
)


class Recorded:
    """A `System` (bench.runner). Nothing can sound in the first micro-turn of an item."""

    name = NAME
    num_seats = 4  # calls last minutes

    def open(self, stage: Stage) -> None:
        """Raises ConfigError for an item that was not stored with an agent."""
        if AGENT not in stage.item.about:
            raise ConfigError(
                f"the endpoint {NAME} gives back stored runs alone; use it with a suite that reads "
                "them, as in `interplay bench tau --data FOLDER --endpoint recorded`"
            )

    def close(self, stage: Stage) -> None:
        pass

    def encode(self, control: str, text: str) -> list:
        return []

    def step(self, stages: Sequence[Stage]) -> list[Emission]:
        return [self._step(stage) for stage in stages]

    @staticmethod
    def _step(stage: Stage) -> Emission:
        speaks = stage.item.about[AGENT][stage.turn + 1 : stage.turn + 2]
        return Emission(voice=_TONE.copy()) if any(speaks) else Emission()
