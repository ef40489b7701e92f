"""voices: answers and cues for users whom no training heard: an engine left out, and people.

Each part is scored as the suite it comes from, and beside the same items in a known voice: what is
left of that score is `..._kept`. Knows nothing of how items are made.
"""

from collections.abc import Sequence

from interplay.bench.scoring import moments
from interplay.bench.scoring.answering import check_say, says
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites import cuespeak, voices_twin
from interplay.bench.suites.base import Outcomes, Suite
from interplay.bench.suites.timespeak import obeys
from interplay.bench.suites.voices_twin import KNOWN, PARTS
from interplay.bench.traces.trace import Trace

KIND = "voices"
KEPT = 0.7  # of the score in a known voice


def _rows(part: str, what: str) -> tuple[Row, Row, Row]:
    return (
        Row(name=part, kind=KIND, what=what, reach=None),
        Row(name=part + KNOWN, kind=KIND, what="the same items, a known voice", reach=None),
        Row(
            name=f"{part}_kept",
            kind=KIND,
            what="the first of the two divided by the second",
            reach=KEPT,
            statistic="relative",
        ),
    )


ROWS = tuple(row for part, what in PARTS.items() for row in _rows(part, what))


def score(traces: Sequence[Trace]) -> Outcomes:
    """Outcomes of all rows."""
    found: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        subset = trace.item.subset
        part, is_known = subset.removesuffix(KNOWN), subset.endswith(KNOWN)
        for outcome in _outcomes(part, trace):
            found[subset].append(outcome)
            kept = Outcome(value=outcome.value, group="known" if is_known else "")
            found[f"{part}_kept"].append(kept)
    return found


def _outcomes(part: str, trace: Trace) -> list[Outcome]:
    """1 or 0 for what an item asks."""
    what = part.rsplit("_", 1)[1]
    if what == "answer":
        return [check_say(trace, expect) for expect in says(trace)]
    if what == "stop":
        return [_stopped(trace)]
    [probe] = cuespeak.score([trace])["cuespeak_micro"]
    return [Outcome(value=float(bool(probe.value)), notes=probe.notes)]


def _stopped(trace: Trace) -> Outcome:
    reading = moments.read(trace)
    if all(bound is None for bound in reading.bound):
        return Outcome(value=0, notes=("never_began",))
    return Outcome(value=1) if obeys(reading) else Outcome(value=0, notes=("went_on",))


SUITE = Suite(
    name="voices",
    what="answers and cues for users whom no training heard: an engine left out, and people",
    rows=ROWS,
    twin=voices_twin.twin,
    score=score,
    how_to_get="no data to get but recordings of people, in the folder that INTERPLAY_HUMAN names "
    "(docs/data.md); without them the rows human_* are empty",
)
