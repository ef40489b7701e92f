"""How soon a model that is interrupted is silent: a score of traces, on either clock.

Measured on the model's sound, never on what it meant to do. Knows nothing of servers.
"""

from interplay.bench.scoring.overlap import talking_at
from interplay.bench.scoring.score import Outcome
from interplay.bench.traces.trace import Trace
from interplay.data.item import StopBy

WENT_ON_S = 2.0  # what sounds longer than this did not stop for the user


def stop_time(trace: Trace) -> list[Outcome]:
    """Seconds from the first sound of the interruption to the end of the stretch of voice that was
    on then, gaps up to 0.3 s belonging to it.

    A voice that goes on counts with all it played; only a model that was silent when the user
    cut in, or was never interrupted, gives no time.
    """
    return [_stop(trace, expect) for expect in trace.item.expect if isinstance(expect, StopBy)]


def _stop(trace: Trace, expect: StopBy) -> Outcome:
    cue = trace.cues[expect.after]
    talking = cue and talking_at(trace, cue[0])
    if cue is None or talking is None:
        return Outcome(value=None, notes=("was_not_talking",))
    seconds = max(0.0, talking[1] - cue[0])
    return Outcome(value=seconds, notes=("went_on",) if seconds > WENT_ON_S else ())
