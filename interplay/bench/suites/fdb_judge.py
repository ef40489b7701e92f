"""What a model did after it was overlapped, by rule: responded, resumed, was uncertain, unknown.

The four labels are those of Full-Duplex-Bench V1.5, which asks an LLM for them. This rule needs
none: it looks for words that only somebody who took the overlap for addressed would say, and at
when the voice stopped and started. Rates by this rule must never stand in a column with an LLM's.
Knows nothing of which label a scenario wants.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from interplay.bench.traces.spoken import chunks
from interplay.bench.traces.trace import Span, Trace, merged, span_at
from interplay.bench.wording.rules import RULE, has
from interplay.bench.wording.spelling import canonical

Label = Literal["respond", "resume", "uncertain", "unknown"]
LABELS: tuple[Label, ...] = ("respond", "resume", "uncertain", "unknown")
JUDGE = RULE

RESPONDS_WITHIN_S = 3.0  # from the end of the overlap to a stop or a new start
BREATH_S = 1.0  # a longer gap is a stop
LAST_WORDS = 2  # of a task: who says them has come to its end
UNCERTAIN = (
    *("pardon", "come again", "say that again", "say again", "repeat that", "please repeat"),
    *(
        "you repeat",
        "did not catch",
        "didn't catch",
        "did not hear",
        "didn't hear",
        "not sure what",
    ),
    *("did not understand", "didn't understand", "do not understand", "don't understand"),
    *("what was that", "what did you say", "who are you talking to", "were you talking to me"),
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """label; notes: what is worth counting beside it."""

    label: Label
    notes: tuple[str, ...] = ()


def window_of(trace: Trace) -> Span | None:
    """The overlap: the span of the cue that the item names. None where it never came."""
    return trace.cues[int(trace.item.about["cue"])]


def judge(trace: Trace) -> Verdict:
    """Label one played item. `Item.about`: cue (index of the overlap), keys (phrases of which one
    shows that the overlap was addressed), task (what the model was asked to say before, or "").

    respond: a key occurs in what is said from the overlap on, and the voice stopped, or started
    anew, at most 3 s after the overlap. uncertain: a phrase of not having understood. resume: no
    key, and the voice went on through the overlap (`_went_on`), or started again after a gap above
    1 s, with its task where that is known (`_started_again`). unknown: all else, silence included.
    """
    window = window_of(trace)
    if window is None:
        return Verdict(label="unknown", notes=("overlap_never_came",))
    runs = merged(trace.voice, BREATH_S)
    before = span_at(runs, window[0])
    later = [span for span in runs if span[0] > window[0]]
    notes = () if before else ("was_not_talking",)
    said = _plain([chunk.text for chunk in chunks(trace, window[0])])
    if _has_any(said, trace.item.about["keys"]):
        in_time = _turned(trace, window)
        return Verdict(label="respond" if in_time else "unknown", notes=notes)
    if _has_any(said, UNCERTAIN):
        return Verdict(label="uncertain", notes=notes)
    if _went_on(trace, window, before) or _started_again(trace, later):
        return Verdict(label="resume", notes=notes)
    return Verdict(label="unknown", notes=notes if later else (*notes, "silent_afterwards"))


def _turned(trace: Trace, window: Span) -> bool:
    """Whether the voice stopped or started between the start of the overlap and 3 s after it."""
    limit_s = window[1] + RESPONDS_WITHIN_S
    stops = [end for start, end in trace.voice if start <= window[0] < end]
    starts = [start for start, _ in trace.voice if start > window[0]]
    return any(time_s <= limit_s for time_s in stops + starts)


def _went_on(trace: Trace, window: Span, before: Span | None) -> bool:
    """Whether the stretch that was overlapped did not yield.

    Where the task is known: it reached the task's last words, or lasted 3 s past the overlap: who
    yields slowly falls silent earlier, and so does who had little left to say. Where it is
    not known, one second past the overlap has to do.
    """
    if before is None:
        return False
    task = _plain([str(trace.item.about["task"])])
    if not task:
        return before[1] >= window[1] + BREATH_S
    said = _plain([c.text for c in chunks(trace) if before[0] <= c.start_s < before[1]])
    return before[1] >= window[1] + RESPONDS_WITHIN_S or has(said, task[-LAST_WORDS:])


def _started_again(trace: Trace, later: Sequence[Span]) -> bool:
    """Whether the voice came on again and, where the task is known, said two words in a row of it:
    one alone may be there by chance."""
    task = _plain([str(trace.item.about["task"])])
    if not task or not later:
        return bool(later)
    pairs = [task[i : i + LAST_WORDS] for i in range(max(1, len(task) - LAST_WORDS + 1))]
    for start, end in later:
        said = _plain([c.text for c in chunks(trace) if start <= c.start_s < end])
        if any(has(said, pair) for pair in pairs):
            return True
    return False


def _plain(texts: Sequence[str]) -> list[str]:
    return canonical(" ".join(texts))


def _has_any(said: Sequence[str], phrases: Sequence[str]) -> bool:
    return any(has(said, canonical(phrase)) for phrase in phrases)
