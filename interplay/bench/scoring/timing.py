"""Scores of time kept: timers and intervals, and silence where a moment is not due.

Knows nothing of replies to questions.
"""

from interplay.bench.scoring.answering import find
from interplay.bench.scoring.score import Outcome
from interplay.bench.traces.spoken import utterances
from interplay.bench.traces.trace import (
    SLOT_S,
    Span,
    Trace,
    Word,
    anchor_s,
    normal,
    overlaps,
)
from interplay.data.item import At, Silence, When

SPARE_WORDS = 2  # longer utterances around the wanted words are talk about the timer, not the timer


def timer_hit(trace: Trace) -> list[Outcome]:
    """Every due utterance is a try: right words, voice starting within the tolerance.

    An utterance of the same words at any other time counts as one more, failed, try: saying it
    all the time gains nothing.
    """
    spoken = utterances(trace)
    used: set[int] = set()
    outcomes = []
    expected = [expect for expect in trace.item.expect if isinstance(expect, At)]
    for expect in expected:
        anchor = anchor_s(expect, trace.cues, trace.user_words)
        due_s = None if anchor is None else anchor + expect.due_s
        hit = _nearest(spoken, expect, due_s, used)
        if hit is None:
            outcomes.append(Outcome(value=0, notes=("missed",)))
        else:
            used.add(hit)
            outcomes.append(Outcome(value=1))
    for index, (_, words) in enumerate(spoken):
        if index not in used and any(_matches(words, expect.text) for expect in expected):
            outcomes.append(Outcome(value=0, notes=("at_another_time",)))
    return outcomes


def _nearest(
    spoken: list[tuple[Span, list[Word]]], expect: At, due_s: float | None, used: set[int]
) -> int | None:
    if due_s is None:
        return None
    near = [
        (abs(start - due_s), index)
        for index, ((start, _), words) in enumerate(spoken)
        if index not in used and _matches(words, expect.text)
    ]
    return next((index for error, index in sorted(near) if error <= expect.tol_s + 1e-6), None)


def _matches(words: list[Word], texts: tuple[str, ...]) -> bool:
    return any(
        find(words, text) is not None and len(words) <= len(normal(text)) + SPARE_WORDS
        for text in texts
    )


def silence(trace: Trace) -> list[Outcome]:
    """1 for every stretch of expected silence that is silent; one that never came is skipped."""
    outcomes = []
    for expect in trace.item.expect:
        if isinstance(expect, Silence):
            start_s, end_s = moment(trace, expect.start), moment(trace, expect.end)
            if start_s is not None and end_s is not None:
                broken = overlaps(trace.voice, start_s, end_s)
                outcomes.append(Outcome(value=float(not broken)))
    return outcomes


def moment(trace: Trace, when: When) -> float | None:
    """Where a `When` fell in a played item."""
    if when.after == "start":
        return when.seconds
    span = trace.cues[when.cue] if when.cue is not None else (0.0, 0.0)
    if span is None:
        return None
    anchors: list[float] = {
        "cue_start": [span[0]],
        "cue_end": [span[1]],
        "voice": [max(start, span[1]) for start, end in trace.voice if end > span[1]],
        "delegate": [
            call.end_s
            for call in trace.act
            if call.name == "<delegate>" and call.start_s >= span[0] - SLOT_S
        ],
    }[when.after]
    return anchors[0] + when.seconds if anchors else None
