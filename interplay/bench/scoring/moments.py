"""What was said when, against the moments at which it was due: utterances, binding, hits.

An utterance is a stretch of voice with the words that belong to it; what counts is its onset.
Knows nothing of benchmark families or of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interplay.bench.traces.trace import FRAME_S, VOICE_LAG_S, Span, Trace, Word, merged
from interplay.bench.wording.rules import says
from interplay.data.moments import Moment, Plan, Stretch, plan_of

_EPSILON_S = FRAME_S / 2 + 1e-9  # onsets are known to a frame
USER_GAP_S = 0.3  # such gaps and shorter ones lie inside the user's speech


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """start_s, end_s: of its sound."""

    start_s: float
    end_s: float
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Due:
    """A moment on the clock of a trace; at_s is None where its cue never came."""

    moment: Moment
    at_s: float | None

    def window(self, lo_s: float | None = None, hi_s: float | None = None) -> Span | None:
        """Where its onset may lie: its own window, or another one around the same time."""
        if self.at_s is None:
            return None
        lo_s = self.moment.lo_s if lo_s is None else lo_s
        hi_s = self.moment.hi_s if hi_s is None else hi_s
        return self.at_s + lo_s, self.at_s + hi_s


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A trace as scorers of moments see it. bound: utterance of each moment, by index, or None."""

    trace: Trace
    plan: Plan
    utterances: tuple[Utterance, ...]
    dues: tuple[Due, ...]
    bound: tuple[int | None, ...]

    def error_s(self, index: int) -> float | None:
        """Signed time from when moment `index` was due to the onset of its utterance."""
        found, at_s = self.bound[index], self.dues[index].at_s
        if found is None or at_s is None:
            return None
        return self.utterances[found].start_s - at_s

    def loose(self) -> list[Utterance]:
        """Utterances that are bound to no moment."""
        taken = {index for index in self.bound if index is not None}
        return [u for index, u in enumerate(self.utterances) if index not in taken]


def read(trace: Trace) -> Reading:
    """Utterances of a trace, bound to the moments of its item within their own windows."""
    plan = plan_of(trace.item)
    spoken = utterances(trace, plan.gap_s)
    dues = tuple(Due(moment=moment, at_s=_time(trace, moment)) for moment in plan.moments)
    windows = [due.window() for due in dues]
    bound = bind(spoken, dues, windows)
    return Reading(trace=trace, plan=plan, utterances=spoken, dues=dues, bound=bound)


def utterances(trace: Trace, gap_s: float) -> tuple[Utterance, ...]:
    """Stretches of voice, those up to `gap_s` apart as one, each with the words it carries.

    A word belongs to the first stretch that still sounds when the word comes out or begins within
    a second of it: `say` runs ahead of the voice. Stretches without a word count as utterances.
    """
    spans = merged(trace.voice, gap_s + _EPSILON_S)
    words: list[list[str]] = [[] for _ in spans]
    for word in trace.say:
        index = _home(spans, word)
        if index is not None:
            words[index].append(word.text)
    return tuple(
        Utterance(start_s=start_s, end_s=end_s, words=tuple(said))
        for (start_s, end_s), said in zip(spans, words, strict=True)
    )


def _home(spans: Sequence[Span], word: Word) -> int | None:
    found = (
        index
        for index, (start_s, end_s) in enumerate(spans)
        if word.start_s < end_s and start_s <= word.start_s + VOICE_LAG_S
    )
    return next(found, None)


def bind(
    spoken: Sequence[Utterance], dues: Sequence[Due], windows: Sequence[Span | None]
) -> tuple[int | None, ...]:
    """The utterance of every moment: right words, onset in its window, one to one, nearest pairs
    first."""
    pairs = []
    for index, (due, window) in enumerate(zip(dues, windows, strict=True)):
        if window is None or due.at_s is None:
            continue
        for number, utterance in enumerate(spoken):
            inside = window[0] - _EPSILON_S <= utterance.start_s <= window[1] + _EPSILON_S
            if inside and content_ok(utterance, due.moment):
                pairs.append((abs(utterance.start_s - due.at_s), index, number))
    bound: list[int | None] = [None] * len(dues)
    taken: set[int] = set()
    for _, index, number in sorted(pairs):
        if bound[index] is None and number not in taken:
            bound[index] = number
            taken.add(number)
    return tuple(bound)


def timely(reading: Reading, index: int) -> list[Utterance]:
    """The utterances with their onset in the window of moment `index`, whatever they say."""
    window = reading.dues[index].window()
    return [u for u in reading.utterances if window is not None and _inside(u.start_s, [window])]


def content_ok(utterance: Utterance, moment: Moment) -> bool:
    """Whether the utterance says what the moment asks for."""
    return says(utterance.words, moment.any, fuzzy=moment.fuzzy)


def hit_within(reading: Reading, index: int, lo_s: float, hi_s: float) -> bool:
    """Whether moment `index` is hit when all windows are [lo_s, hi_s] instead of their own."""
    windows = [due.window(lo_s, hi_s) for due in reading.dues]
    return bind(reading.utterances, reading.dues, windows)[index] is not None


def stray(reading: Reading) -> list[Utterance]:
    """Utterances that nothing asked for: bound to no moment, their onset neither in the window of
    a moment nor where a request may be acknowledged."""
    windows = [window for due in reading.dues if (window := due.window()) is not None]
    allowed = [*windows, *spans_of(reading, reading.plan.acks)]
    return [u for u in reading.loose() if not _inside(u.start_s, allowed)]


def premature(reading: Reading) -> list[Utterance]:
    """Utterances outside all windows that already (or still) say what some moment asks for."""
    windows = [window for due in reading.dues if (window := due.window()) is not None]
    return [
        utterance
        for utterance in reading.loose()
        if not _inside(utterance.start_s, windows)
        and any(content_ok(utterance, due.moment) for due in reading.dues)
    ]


def taken_back(reading: Reading) -> list[Utterance]:
    """Utterances of what the user had cancelled, at the time for which it was ordered."""
    found = []
    for moment in reading.plan.taken_back:
        window = Due(moment=moment, at_s=_time(reading.trace, moment)).window()
        if window is not None:
            found += [
                utterance
                for utterance in reading.loose()
                if _inside(utterance.start_s, [window]) and content_ok(utterance, moment)
            ]
    return found


def sounding(reading: Reading, stretches: Sequence[Stretch]) -> float:
    """Seconds of voice inside stretches."""
    spans = spans_of(reading, stretches)
    return sum(common_s((u.start_s, u.end_s), spans) for u in reading.utterances)


def spans_of(reading: Reading, stretches: Sequence[Stretch]) -> list[Span]:
    """Stretches on the clock of the trace; those whose cues never came are left out. A stretch
    that begins and ends with one cue begins with its first sound."""
    spans = []
    for stretch in stretches:
        begin = reading.trace.cues[stretch.after]
        end = None if stretch.until is None else reading.trace.cues[stretch.until]
        if begin is None or (stretch.until is not None and end is None):
            continue
        start_s = begin[0] if stretch.until == stretch.after else begin[1] + stretch.from_s
        end_s = reading.trace.length_s if end is None else end[1] + stretch.to_s
        spans.append((start_s, end_s))
    return spans


def user_speech(trace: Trace) -> list[Span]:
    """When the user speaks: their words, gaps up to 0.3 s closed."""
    return merged([(start_s, end_s) for _, start_s, end_s in trace.user_words], USER_GAP_S)


def common_s(span: Span, spans: Sequence[Span]) -> float:
    """Seconds that a span has in common with disjoint spans."""
    return sum(max(0.0, min(span[1], end_s) - max(span[0], start_s)) for start_s, end_s in spans)


def drift(reading: Reading) -> float | None:
    """Seconds by which the error grows with every beat (least squares); None below three beats."""
    points = [
        (due.moment.beat, error_s)
        for index, due in enumerate(reading.dues)
        if due.moment.beat is not None and (error_s := reading.error_s(index)) is not None
    ]
    if len(points) < 3:
        return None
    beats, errors = np.array(points, dtype=np.float64).T
    beats = beats - beats.mean()
    return float(beats @ errors / (beats @ beats))


def _time(trace: Trace, moment: Moment) -> float | None:
    span = trace.cues[moment.after]
    return None if span is None else span[1] + moment.due_s


def _inside(time_s: float, spans: Sequence[Span]) -> bool:
    return any(s - _EPSILON_S <= time_s <= e + _EPSILON_S for s, e in spans)
