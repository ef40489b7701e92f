"""Plays items against a system in lockstep on the logical clock, up to a batch at a time.

A finished item gives its seat to the next one, so the batch stays full. What the system emits in
micro-turn i sounds in micro-turn i + 1; computing costs no time. Knows nothing of scores.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from interplay.bench.stage import Emission, Stage, Synthesizer, num_turns
from interplay.bench.trace import Trace
from interplay.data.item import Item


@runtime_checkable  # the tests check signatures while they run
class System(Protocol):
    """What can be measured. A stage is one item being played; it is also the session's key.

    The real systems look only at `stage.hear` and `stage.read`; the oracles at all of it.
    """

    name: str
    num_seats: int

    def open(self, stage: Stage) -> None:
        """Start a session for this stage."""
        ...

    def encode(self, control: str, text: str) -> list:
        """Tokens of `control text <end>` for the `read` stream."""
        ...

    def step(self, stages: Sequence[Stage]) -> list[Emission]:
        """One micro-turn of every stage, in the same order."""
        ...

    def close(self, stage: Stage) -> None:
        """End the session of this stage."""
        ...


def play(items: Sequence[Item], system: System, synthesize: Synthesizer) -> Iterator[Trace]:
    """Play every item once; traces come in the order in which items end.

    Long items are seated first, so that the last ones end together.
    """
    waiting = sorted(items, key=num_turns)
    seated: list[Stage] = []
    try:
        while waiting or seated:
            while waiting and len(seated) < system.num_seats:
                stage = Stage(waiting.pop(), synthesize)
                system.open(stage)
                seated.append(stage)
            _beat(seated, system)
            for stage in [stage for stage in seated if stage.done]:
                seated.remove(stage)
                system.close(stage)
                yield stage.trace()
    finally:
        for stage in seated:
            system.close(stage)


def _beat(seated: list[Stage], system: System) -> None:
    for stage in seated:
        stage.begin_turn(system.encode)
    for stage, emitted in zip(seated, system.step(seated), strict=True):
        stage.end_turn(emitted)
