"""Plays items at a system of this process in real time: computing takes the time it takes.

The user's sound of a micro-turn is handed over when it is complete; what the system emits is
stamped when it is there. Knows nothing of scores or of networks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from interplay.bench.clients.loudspeaker import Loudspeaker
from interplay.bench.playing.logical_clock import System
from interplay.bench.playing.stage import Emission, Stage, Synthesizer
from interplay.bench.traces.trace import SLOT_S, Trace, to_int16
from interplay.clock import TURN_S, Clock, RealClock
from interplay.data.item import Item


def play_wall(
    items: Sequence[Item],
    system: System,
    synthesize: Synthesizer,
    *,
    num_sessions: int = 1,
    clock: Clock | None = None,
) -> Iterator[Trace]:
    """Play every item once, `num_sessions` at a time; traces come in the order in which they end.

    A system that needs longer than a micro-turn falls behind, and its sound comes late.
    """
    clock, waiting = clock or RealClock(), list(reversed(items))
    for item in items:
        speak_ahead(item, synthesize)
    seated: list[_Seat] = []
    beat_s = clock.now()
    try:
        while waiting or seated:
            beat_s = beat_s if seated else clock.now()
            while waiting and len(seated) < min(num_sessions, system.num_seats):
                seated.append(_Seat(Stage(waiting.pop(), synthesize), beat_s))
                system.open(seated[-1].stage)
            beat_s += TURN_S
            for seat in seated:
                seat.hear_back()
                seat.stage.begin_turn(system.encode)
            clock.sleep_until(beat_s)
            for seat in seated:
                seat.handed_s.append(clock.now())
            emitted = system.step([seat.stage for seat in seated])
            now_s = clock.now()
            for seat, emission in zip(seated, emitted, strict=True):
                seat.receive(emission, now_s)
            for seat in [seat for seat in seated if seat.stage.done]:
                seated.remove(seat)
                system.close(seat.stage)
                seat.hear_back()
                yield seat.trace()
    finally:
        for seat in seated:
            system.close(seat.stage)


def speak_ahead(item: Item, synthesize: Synthesizer) -> None:
    """Make the speech of an item now: it takes longer than it may while the clock runs."""
    for cue in item.cues:
        text, voice = getattr(cue, "text", None), getattr(cue, "voice", None)
        if text is not None and voice is not None:
            synthesize(text, voice)


class _Seat:
    """A stage, when its time 0 was, and what plays its sound."""

    def __init__(self, stage: Stage, begin_s: float) -> None:
        self.stage, self._begin_s = stage, begin_s
        self._speaker = Loudspeaker(cuts_silence=True)
        self.handed_s: list[float] = []  # when the user's sound of each micro-turn was complete

    def hear_back(self) -> None:
        """The item hears what has been played, as far as it is known."""
        self.stage.model[:] = self._speaker.track(self._begin_s, len(self.stage.model))

    def receive(self, emitted: Emission, now_s: float) -> None:
        plays_s = self._speaker.next_s(now_s) - self._begin_s
        for name, pieces in self.stage.pieces.items():
            base_s = plays_s if name == "say" else now_s - self._begin_s
            for slot, piece in enumerate(getattr(emitted, name)):
                if piece:
                    pieces.append((piece, base_s + slot * SLOT_S))
        self._speaker.receive(to_int16(emitted.voice), now_s)
        self.stage.turn += 1

    def trace(self) -> Trace:
        return replace(
            self.stage.trace(), walls=walls_of(self.handed_s, self._speaker, self._begin_s)
        )


def walls_of(
    handed_s: Sequence[float], speaker: Loudspeaker, begin_s: float
) -> tuple[tuple[float | None, float | None], ...]:
    """`Trace.walls`, from times of the clock on which the item began at `begin_s`."""
    came = speaker.arrivals(begin_s, len(handed_s))
    return tuple((handed - begin_s, back) for handed, back in zip(handed_s, came, strict=True))
