"""TimeSpeak-open: speaks at a given time, and says the right thing. Rows and scores.

The published benchmark has neither items nor code; this is a reconstruction from its description,
with items of our own (data.timespeak, docs/timespeak.md), so its published numbers are on another
set. Words are compared by rule (bench.wording.rules); with a judge, which the published numbers
have, rows of their own stand beside these. Knows nothing of how items are made.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from interplay.bench.scoring import moments
from interplay.bench.scoring.judges import Judge
from interplay.bench.scoring.meaning import judged_outcome
from interplay.bench.scoring.moments import Reading
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites import moments_folder
from interplay.bench.suites.base import Outcomes, Suite
from interplay.bench.suites.post import reported
from interplay.bench.traces.trace import Trace
from interplay.data import timespeak
from interplay.data.item import Item

CURVE_S = (0.25, 0.5, 1.0, 2.0)
POINTS = 100.0
KIND = "timespeak"
FAMILIES = {
    "F1": "one delay",
    "F2": "a beat until told to stop",
    "F3": "two words in turn on a beat",
    "F4": "a countdown",
    "F5": "a delay from an event after the request",
    "F6": "a delay with talk in between",
    "F7": "two timers, the later one",
    "F8": "elapsed time",
    "F9": "a timer that is moved, replaced or taken out of two",
}
BESIDE = {"LONGER": "a sign as soon as something takes longer than last time"}
OWN_SET = "its own set, LLM judge"


def _curve_row(width_s: float) -> str:
    return f"timespeak_within_{width_s:g}_s".replace(".", "")


ROWS = (
    Row(
        name="timespeak_probe",
        kind=KIND,
        what="right words with their onset in the window, one probe per item; mean of families",
        reach=80,
        unit="points",
        statistic="macro",
    ),
    Row(
        name="timespeak_micro",
        kind=KIND,
        what="the same, mean of items",
        reach=None,
        unit="points",
    ),
    Row(
        name="timespeak_strict",
        kind=KIND,
        what="all that is due hit, nothing said before, after or in between; mean of families",
        reach=50,
        unit="points",
        statistic="macro",
    ),
    Row(
        name="timespeak_all",
        kind=KIND,
        what="hits among all that is due, not only the probes",
        reach=None,
        unit="points",
    ),
    *(
        Row(name=f"timespeak_{name.lower()}", kind=KIND, what=what, reach=None, unit="points")
        for name, what in (FAMILIES | BESIDE).items()
    ),
    *(
        Row(
            name=_curve_row(width_s),
            kind=KIND,
            what=f"as timespeak_probe, onset within {width_s:g} s before or after",
            reach=None,
            unit="points",
            statistic="macro",
        )
        for width_s in CURVE_S
    ),
    Row(
        name="timespeak_error_median_s",
        kind=KIND,
        what="signed error of the onset of what was hit, median (late is positive)",
        reach=None,
        unit="s",
        statistic="median",
    ),
    Row(
        name="timespeak_error_mean_s",
        kind=KIND,
        what="the same error, mean",
        reach=None,
        unit="s",
    ),
    Row(
        name="timespeak_error_abs_p95_s",
        kind=KIND,
        what="size of that error, 95th percentile",
        reach=None,
        lower_is_better=True,
        unit="s",
        statistic="p95",
    ),
    Row(
        name="timespeak_drift",
        kind=KIND,
        what="F2 to F4: seconds by which the error grows with each beat, median of items",
        reach=None,
        unit="s",
        statistic="median",
    ),
    Row(
        name="timespeak_premature",
        kind=KIND,
        what="items in which the content was said outside its window",
        reach=None,
        lower_is_better=True,
    ),
    Row(
        name="timespeak_obeys",
        kind=KIND,
        what="after a stop or a cancellation nothing of it was said (a silent system has 1)",
        reach=None,
    ),
    Row(
        name="timespeak_neg",
        kind=KIND,
        what="NEG, a timer that is cancelled: nothing of it was said (a silent system has 1)",
        reach=None,
    ),
    Row(
        name="timespeak_no_response",
        kind=KIND,
        what="items without any utterance, of those that want one",
        reach=None,
        lower_is_better=True,
    ),
)
JUDGED_ROWS = (
    Row(
        name="timespeak_probe_judged",
        kind=KIND,
        what="as timespeak_probe, the meaning by a language model, the time by rule",
        reach=None,
        unit="points",
        statistic="macro",
    ),
    Row(
        name="timespeak_micro_judged",
        kind=KIND,
        what="the same, mean of items",
        reach=None,
        unit="points",
    ),
)


def twin(num_items: int, seed: int) -> list[Item]:
    """`num_items` per family."""
    return timespeak.items(num_items, seed)


def is_strict(reading: Reading) -> bool:
    """All due utterances came, no other one outside the windows and acknowledgements, none that
    anticipates the content, nothing that was cancelled, nothing where silence is wanted."""
    return not (
        None in reading.bound
        or moments.stray(reading)
        or moments.premature(reading)
        or moments.taken_back(reading)
        or moments.sounding(reading, reading.plan.quiet) > 0
    )


def score(traces: Sequence[Trace]) -> Outcomes:
    """Outcomes of all rows."""
    found: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        reading = moments.read(trace)
        if reading.plan.probe is None:
            found["timespeak_neg"].append(Outcome(value=float(obeys(reading))))
            continue
        if reading.plan.family in BESIDE:
            found[f"timespeak_{reading.plan.family.lower()}"].append(_hit(reading)[1])
            continue
        for name, outcome in [*_probe(reading), *_details(reading)]:
            found[name].append(outcome)
    return found


def judged(judge: Judge) -> Suite:
    """The suite with rows of its own in which `judge` decides about the meaning."""

    def score_with(traces: Sequence[Trace]) -> Outcomes:
        readings = [moments.read(trace) for trace in traces]
        outcomes = [
            judged_outcome(judge, reading, probe, moments.timely(reading, probe), POINTS)
            for reading in readings
            if (probe := reading.plan.probe) is not None and reading.plan.family not in BESIDE
        ]
        return {**score(traces), **{row.name: outcomes for row in JUDGED_ROWS}}

    return replace(SUITE, rows=(*ROWS, *JUDGED_ROWS), score=score_with)


def _hit(reading: Reading) -> tuple[int, Outcome]:
    """Which moment is the probe, and whether it was hit."""
    plan = reading.plan
    assert plan.probe is not None
    hit = reading.bound[plan.probe] is not None
    notes = () if hit else (why_missed(reading, plan.probe),)
    return plan.probe, Outcome(value=POINTS * hit, notes=notes, group=plan.family)


def _probe(reading: Reading) -> list[tuple[str, Outcome]]:
    plan, (probe, outcome) = reading.plan, _hit(reading)
    strict = Outcome(value=POINTS * is_strict(reading), group=plan.family)
    rows = [
        ("timespeak_probe", outcome),
        ("timespeak_micro", outcome),
        ("timespeak_strict", strict),
        (f"timespeak_{plan.family.lower()}", outcome),
    ]
    for width_s in CURVE_S:
        near = moments.hit_within(reading, probe, -width_s, width_s)
        rows.append((_curve_row(width_s), Outcome(value=POINTS * near, group=plan.family)))
    return rows


def _details(reading: Reading) -> list[tuple[str, Outcome]]:
    rows = []
    for index in range(len(reading.dues)):
        error_s = reading.error_s(index)
        rows.append(("timespeak_all", Outcome(value=POINTS * (error_s is not None))))
        if error_s is not None:
            rows.append(("timespeak_error_median_s", Outcome(value=error_s)))
            rows.append(("timespeak_error_mean_s", Outcome(value=error_s)))
            rows.append(("timespeak_error_abs_p95_s", Outcome(value=abs(error_s))))
    slope = moments.drift(reading)
    if slope is not None:
        rows.append(("timespeak_drift", Outcome(value=slope)))
    early = bool(moments.premature(reading))
    rows.append(("timespeak_premature", Outcome(value=float(early))))
    if reading.plan.taken_back:
        rows.append(("timespeak_obeys", Outcome(value=float(obeys(reading)))))
    rows.append(("timespeak_no_response", Outcome(value=float(not reading.utterances))))
    return rows


def obeys(reading: Reading) -> bool:
    """Nothing cancelled is said, and nothing sounds where silence is wanted."""
    quiet = moments.sounding(reading, reading.plan.quiet) == 0
    return quiet and not moments.taken_back(reading)


def why_missed(reading: Reading, index: int) -> str:
    """Why moment `index` was not hit, in a word or two."""
    due = reading.dues[index]
    window = due.window()
    if window is None:
        return "cue_never_came"
    if not reading.utterances:
        return "no_response"
    right = [u.start_s for u in reading.utterances if moments.content_ok(u, due.moment)]
    if not right:
        return "wrong_words"
    if all(start_s < window[0] for start_s in right):
        return "too_early"
    return "too_late" if all(start_s > window[1] for start_s in right) else "at_another_time"


SUITE = Suite(
    name="timespeak",
    what="speaks at user-specified times, with the right content (TimeSpeak-open, nine families, "
    "one that wants silence, and one beside them)",
    rows=ROWS,
    twin=twin,
    score=score,
    published=reported("timespeak_probe_judged", 64.7, 4.3, note=OWN_SET),
    load=partial(moments_folder.load, suite=KIND),
    loads_own=True,
    how_to_get="what `interplay bench export timespeak FOLDER` has written, here or elsewhere, or "
    "items of the same form (docs/timespeak.md); the published TimeSpeak set is not released.",
    baselines=("silent", "metronome", "immediate", "half_duplex", "jitter", "perfect"),
)
