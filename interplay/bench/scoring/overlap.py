"""Scores of behaviour while the user speaks or pauses: wait, stop, go on.

Measured on the model's sound, never on what it meant to do. Knows nothing of answers.
"""

from interplay.bench.scoring.answering import find
from interplay.bench.scoring.score import Outcome
from interplay.bench.traces.trace import VOICE_LAG_S, Span, Trace, overlaps, span_at
from interplay.data.item import KeepTalking, NoTakeover, StopBy

ONSET_SLACK_S = 0.1
MAX_BREAK_S = 1.0  # a longer silence is a stop, not a breath


def pause_takeover(trace: Trace) -> list[Outcome]:
    """1 (bad) for every pause inside a sentence after whose start the voice came on too early.

    Too early: anything audible from the start of the pause to the user's last word; a decision
    made within the pause may sound only after it.
    """
    outcomes = []
    for expect in trace.item.expect:
        if not isinstance(expect, NoTakeover):
            continue
        pause, span = trace.pauses.get(expect.cue), trace.cues[expect.cue]
        if pause is None or span is None:
            continue
        taken = overlaps(trace.voice, pause[0], span[1])
        answered = any(end > span[1] for _, end in trace.voice)
        notes = () if answered else ("silent_after_the_turn",)
        outcomes.append(Outcome(value=float(taken), notes=notes))
    return outcomes


def interrupt_stop(trace: Trace) -> list[Outcome]:
    """1 if the voice was on when the user cut in, off in time, and off while the user went on."""
    return [check_stop(trace, e) for e in trace.item.expect if isinstance(e, StopBy)]


def check_stop(trace: Trace, expect: StopBy) -> Outcome:
    """1 if the voice was on when the cue began, off in time, and off until the cue had ended."""
    cue = trace.cues[expect.after]
    talking = cue and talking_at(trace, cue[0])
    if cue is None or talking is None:
        return Outcome(value=0, notes=("was_not_talking",))
    limit_s = cue[0] + expect.within_s
    if talking[1] > limit_s + 1e-6:
        return Outcome(value=0, notes=("went_on",))
    if overlaps(trace.voice, limit_s, cue[1]):
        return Outcome(value=0, notes=("started_again",))
    answered = any(end > cue[1] for _, end in trace.voice)
    return Outcome(value=1, notes=() if answered else ("silent_afterwards",))


def backchannel_continue(trace: Trace) -> list[Outcome]:
    """1 if the voice was on at the backchannel, and the planned words came out without a break."""
    return [
        _continued(trace, expect) for expect in trace.item.expect if isinstance(expect, KeepTalking)
    ]


def _continued(trace: Trace, expect: KeepTalking) -> Outcome:
    cue = trace.cues[expect.through]
    if cue is None or talking_at(trace, cue[0]) is None:
        return Outcome(value=0, notes=("was_not_talking",))
    words = trace.spoken()
    ends = [
        words[index + len(text.split()) - 1]
        for text in expect.text
        if (index := find(words, text)) is not None
    ]
    if not ends:
        return Outcome(value=0, notes=("not_completed",))
    last_s = ends[0].start_s
    if last_s > cue[0] and _breaks_between(trace, cue[0], last_s):
        return Outcome(value=0, notes=("broke_off",))
    if not overlaps(trace.voice, last_s, last_s + VOICE_LAG_S):
        return Outcome(value=0, notes=("not_completed",))
    return Outcome(value=1)


def talking_at(trace: Trace, time_s: float) -> Span | None:
    """The stretch of voice at a moment, give or take 0.1 s."""
    return (
        span_at(trace.voice, time_s)
        or span_at(trace.voice, time_s - ONSET_SLACK_S)
        or span_at(trace.voice, time_s + ONSET_SLACK_S)
    )


def _breaks_between(trace: Trace, start_s: float, end_s: float) -> bool:
    """Whether the voice is off for more than a second somewhere in [start_s, end_s]."""
    inside = [(max(s, start_s), min(e, end_s)) for s, e in trace.voice if e > start_s and s < end_s]
    edges = [start_s, *(time_s for span in inside for time_s in span), end_s]
    return any(b - a > MAX_BREAK_S for a, b in zip(edges[::2], edges[1::2], strict=True))
