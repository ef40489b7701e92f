"""The loop that keeps one session in step with time. Knows nothing of devices or servers.

It waits on absolute deadlines only (`Pacer`): a late micro-turn is counted, and the ones after it
are not moved.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from interplay.clock import Clock, Pacer
from interplay.engine.session import Session
from interplay.turns.types import InputHalf, OutputHalf

Source = Callable[[int], InputHalf | None]
Sink = Callable[[InputHalf, OutputHalf, float], None]


@dataclass(kw_only=True)
class LiveReport:
    """compute_ms: of every micro-turn. num_misses: deadlines at which the work was not done.
    stopped: ended by Ctrl-C, not by the source."""

    num_turns: int = 0
    num_misses: int = 0
    stopped: bool = False
    compute_ms: list[float] = field(default_factory=list)

    @property
    def worst_ms(self) -> float:
        return max(self.compute_ms, default=0.0)


def run_live(session: Session, source: Source, sink: Sink, clock: Clock) -> LiveReport:
    """Advance `session` every 200 ms until `source` gives None or Ctrl-C.

    source(k): the input half that ended at beat k (0, 1, ...), or None to stop.
    sink(input half, output half, compute ms): called once per micro-turn, right after it.
    """
    pacer, report = Pacer(clock), LiveReport()
    try:
        while True:
            pacer.wait()
            half = source(report.num_turns)
            if half is None:
                break
            start_s = clock.now()
            output = session.push(half)
            report.compute_ms.append(1000 * (clock.now() - start_s))
            report.num_turns += 1
            sink(half, output, report.compute_ms[-1])
    except KeyboardInterrupt:
        report.stopped = True
    report.num_misses = pacer.num_misses
    return report
