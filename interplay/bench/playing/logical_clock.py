"""Plays items against a system in lockstep on the logical clock, up to a batch at a time.

A finished item gives its seat to the next one, so the batch stays full. What the system emits in
micro-turn i sounds in micro-turn i + 1; computing costs no time. Knows nothing of scores.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from interplay.bench.playing.stage import Emission, Stage, Synthesizer, num_turns
from interplay.bench.traces.trace import Trace
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


class Lockstep:
    """The items that are being played at one system, side by side."""

    def __init__(self, system: System, synthesize: Synthesizer) -> None:
        self.seated: list[Stage] = []
        self._system, self._synthesize = system, synthesize

    @property
    def is_full(self) -> bool:
        return len(self.seated) >= self._system.num_seats

    def seat(self, item: Item) -> None:
        """It begins with the next beat."""
        stage = Stage(item, self._synthesize)
        self._system.open(stage)
        self.seated.append(stage)

    def beat(self) -> list[Trace]:
        """One micro-turn of every item; the traces of those that ended with it."""
        for stage in self.seated:
            stage.begin_turn(self._system.encode)
        for stage, emitted in zip(self.seated, self._system.step(self.seated), strict=True):
            stage.end_turn(emitted)
        ended = [stage for stage in self.seated if stage.done]
        for stage in ended:
            self._leave(stage)
        return [stage.trace() for stage in ended]

    def close(self) -> None:
        """Drop what has not ended."""
        for stage in [*self.seated]:
            self._leave(stage)

    def _leave(self, stage: Stage) -> None:
        self.seated.remove(stage)
        self._system.close(stage)


def play(items: Sequence[Item], system: System, synthesize: Synthesizer) -> Iterator[Trace]:
    """Play every item once; traces come in the order in which items end.

    Long items are seated first, so that the last ones end together.
    """
    waiting, table = sorted(items, key=num_turns), Lockstep(system, synthesize)
    try:
        while waiting or table.seated:
            while waiting and not table.is_full:
                table.seat(waiting.pop())
            yield from table.beat()
    finally:
        table.close()
