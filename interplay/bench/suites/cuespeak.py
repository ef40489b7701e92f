"""CueSpeak-open: speaks on a cue while the user goes on talking. Rows and scores.

The published benchmark has neither items nor code; this is a reconstruction from its description,
with items of our own (data.cuespeak, docs/timespeak.md), so its published numbers are on another
set. Words are compared by rule (bench.wording.rules); with a judge, which the published numbers
have, rows of their own stand beside these. Knows nothing of how items are made.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from interplay.bench.scoring import moments
from interplay.bench.scoring.judges import Judge
from interplay.bench.scoring.meaning import judged_outcome
from interplay.bench.scoring.moments import Reading, Utterance
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites import moments_folder
from interplay.bench.suites.base import Outcomes, Suite
from interplay.bench.suites.post import reported
from interplay.bench.suites.timespeak import OWN_SET, POINTS, why_missed
from interplay.bench.traces.trace import Trace
from interplay.data import cuespeak
from interplay.data.item import Item

OVERLAP_S = 0.2
KIND = "cuespeak"
FAMILIES = {
    "C1": "a key word",
    "C2": "a word of another language",
    "C3": "a filler",
    "C4": "a wrong fact",
    "C5": "a running count",
    "C6": "last words or foreign phrases said again",
    "C7": "a wrong sum",
    "C8": "a wrong name",
    "C9": "a game",
}
NEGATIVE = {
    "NEG1": "no cue comes",
    "NEG2": "words that sound like the cue",
    "NEG3": "the instruction was taken back",
}


OF_A_KIND = {
    "STORY": "things of a kind, such as animals, counted aloud as they are named",
    "CATEGORY": "things of a kind answered with a word",
    "QUIET": "things of a kind counted in silence, the number told within 2 s when asked for",
}
HEADLINE = ""  # the row that has the suite's own name


def named(name: str) -> str:
    """The row that is called `name` here."""
    return f"{KIND}_{name}" if name else KIND


def _row(name: str, what: str, reach: float | None = None, **kwargs) -> Row:
    return Row(name=named(name), kind=KIND, what=what, reach=reach, **kwargs)


ROWS = (
    _row(
        HEADLINE,
        "right words, onset −0.1 to 2.0 s after the cue, over the user's speech for 0.2 s; one "
        "probe per item; mean of C1 to C9",
        reach=80,
        unit="points",
        statistic="macro",
    ),
    _row("micro", "the same, mean of items", unit="points"),
    _row(
        "strict",
        "every cue hit and nothing else said; mean of C1 to C9",
        unit="points",
        statistic="macro",
    ),
    _row("hit", "hits among all cues of C1 to C9", unit="points"),
    *(_row(name.lower(), what, unit="points") for name, what in FAMILIES.items()),
    _row("latency_p50_s", "end of the cue to the onset, of hits", unit="s", statistic="median"),
    _row("latency_p90_s", "the same, 90th percentile", unit="s", statistic="p90"),
    _row("latency_p95_s", "the same, 95th percentile", unit="s", statistic="p95"),
    _row("overlap", "of cues answered in their window, those answered over the user's speech"),
    _row(
        "post_turn",
        "cues answered with the right words only after the user had finished",
        lower_is_better=None,
    ),
    _row(
        "still_listening",
        "of cues that come within 2 s of another one that was hit, those that are hit too: the "
        "system hears while it speaks",
    ),
    _row(
        "false_alarms_per_min",
        "NEG1 to NEG3: utterances per minute of speech without a valid cue (one that is going on "
        "when it begins counts)",
        lower_is_better=True,
        unit="number",
    ),
    _row(
        "talks_over",
        "NEG1 to NEG3: share of that speech under sound of the system",
        lower_is_better=True,
    ),
    *(
        _row(name.lower(), f"{what}: items without a false alarm (a silent system has 1)")
        for name, what in NEGATIVE.items()
    ),
    *(
        _row(
            name.lower(),
            f"{what}; of what is due, and what is said besides, the share that is right",
            unit="points",
        )
        for name, what in OF_A_KIND.items()
    ),
    _row("no_response", "items of C1 to C9 without any utterance", lower_is_better=True),
)


JUDGED_ROWS = (
    _row(
        "judged",
        "as cuespeak, the meaning by a language model, time and overlap by rule",
        unit="points",
        statistic="macro",
    ),
    _row("micro_judged", "the same, mean of items", unit="points"),
)


def twin(num_items: int, seed: int) -> list[Item]:
    """`num_items` per family, those that want silence included."""
    return cuespeak.items(num_items, seed)


def score(traces: Sequence[Trace]) -> Outcomes:
    """Outcomes of all rows."""
    found: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        reading = moments.read(trace)
        for name, outcome in _outcomes(reading):
            found[named(name)].append(outcome)
    return found


def _outcomes(reading: Reading) -> list[tuple[str, Outcome]]:
    if reading.plan.family in OF_A_KIND:
        return _of_a_kind(reading)
    return _alarms(reading) if reading.plan.probe is None else _cues(reading)


def judged(judge: Judge) -> Suite:
    """The suite with rows of its own in which `judge` decides about the meaning."""

    def judge_probe(reading: Reading, probe: int) -> Outcome:
        speech = moments.user_speech(reading.trace)
        over = [u for u in moments.timely(reading, probe) if is_over(u, speech)]
        return judged_outcome(judge, reading, probe, over, POINTS)

    def score_with(traces: Sequence[Trace]) -> Outcomes:
        readings = [moments.read(trace) for trace in traces]
        outcomes = [
            judge_probe(reading, probe)
            for reading in readings
            if (probe := reading.plan.probe) is not None and reading.plan.family not in OF_A_KIND
        ]
        return {**score(traces), **{row.name: outcomes for row in JUDGED_ROWS}}

    return replace(SUITE, rows=(*ROWS, *JUDGED_ROWS), score=score_with)


def _cues(reading: Reading) -> list[tuple[str, Outcome]]:
    plan, speech = reading.plan, moments.user_speech(reading.trace)
    assert plan.probe is not None
    over = [
        is_over(reading.utterances[b], speech) if b is not None else None for b in reading.bound
    ]
    hits = [value is True for value in over]
    notes = () if hits[plan.probe] else (_why(reading, plan.probe, over),)
    probe = Outcome(value=POINTS * hits[plan.probe], notes=notes, group=plan.family)
    clean = all(hits) and not (moments.stray(reading) or moments.premature(reading))
    rows = [
        (HEADLINE, probe),
        ("micro", probe),
        (plan.family.lower(), probe),
        ("strict", Outcome(value=POINTS * clean, group=plan.family)),
        ("no_response", Outcome(value=float(not reading.utterances))),
    ]
    turn_end_s = max((end_s for _, end_s in speech), default=0.0)
    for index, due in enumerate(reading.dues):
        rows.append(("hit", Outcome(value=POINTS * hits[index])))
        if over[index] is not None:
            rows.append(("overlap", Outcome(value=float(hits[index]))))
        if hits[index]:
            rows.append(("latency_p50_s", Outcome(value=reading.error_s(index))))
            rows.append(("latency_p90_s", Outcome(value=reading.error_s(index))))
            rows.append(("latency_p95_s", Outcome(value=reading.error_s(index))))
        late = not hits[index] and any(
            u.start_s >= turn_end_s and moments.content_ok(u, due.moment)
            for u in reading.utterances
        )
        rows.append(("post_turn", Outcome(value=float(late))))
        if due.moment.again and hits[index - 1]:
            rows.append(("still_listening", Outcome(value=float(hits[index]))))
    return rows


def _of_a_kind(reading: Reading) -> list[tuple[str, Outcome]]:
    """Everything due, and everything that nothing asked for. Only the question of QUIET is answered
    when the user has ended."""
    plan, speech = reading.plan, moments.user_speech(reading.trace)
    outcomes = []
    for index, bound in enumerate(reading.bound):
        over = None
        if bound is not None:
            over = plan.family == "QUIET" or is_over(reading.utterances[bound], speech)
        notes = (
            () if over else ("not_over_the_user" if over is False else why_missed(reading, index),)
        )
        outcomes.append(Outcome(value=POINTS * bool(over), notes=notes))
    outcomes += [Outcome(value=0, notes=("said_unasked",)) for _ in moments.stray(reading)]
    return [(plan.family.lower(), outcome) for outcome in outcomes]


def is_over(utterance: Utterance, speech: Sequence[tuple[float, float]]) -> bool:
    """Whether it sounds for 0.2 s or more, or all the time, while the user speaks."""
    span = utterance.start_s, utterance.end_s
    return moments.common_s(span, speech) >= min(OVERLAP_S, span[1] - span[0]) - 1e-6


def _why(reading: Reading, index: int, over: Sequence[bool | None]) -> str:
    return "not_over_the_user" if over[index] is False else why_missed(reading, index)


def _alarms(reading: Reading) -> list[tuple[str, Outcome]]:
    plan = reading.plan
    assert plan.monologue is not None
    spans = moments.spans_of(reading, [plan.monologue])
    if not spans:
        return []
    [(start_s, end_s)] = spans
    alarms = [u for u in reading.loose() if u.start_s < end_s and u.end_s > start_s]
    seconds = end_s - start_s
    covered_s = moments.sounding(reading, [plan.monologue])
    return [
        ("false_alarms_per_min", Outcome(value=float(len(alarms)), of=seconds / 60)),
        ("talks_over", Outcome(value=covered_s, of=seconds)),
        (plan.family.lower(), Outcome(value=float(not alarms))),
    ]


SUITE = Suite(
    name="cuespeak",
    what="speaks on a cue while the user goes on talking (CueSpeak-open, nine families, three "
    "that want silence, and three about things of a kind)",
    rows=ROWS,
    twin=twin,
    score=score,
    published=reported("cuespeak_judged", 81.7, 2.9, note=OWN_SET),
    load=partial(moments_folder.load, suite=KIND),
    loads_own=True,
    how_to_get="what `interplay bench export cuespeak FOLDER` has written, here or elsewhere, or "
    "items of the same form (docs/timespeak.md); the published CueSpeak set is not released.",
    baselines=("silent", "always", "metronome", "half_duplex", "perfect"),
)
