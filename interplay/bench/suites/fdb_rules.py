"""The rules of Full-Duplex-Bench, as its scripts apply them: turns taken, backchannels, latencies.

Source: arXiv 2503.04721 (V1) and 2507.23159 (V1.5), and what their scripts do where the papers say
otherwise. Pure functions of words (traces.spoken) and spans, and the two readings of a trace that
give spans.
Knows nothing of suites, rows or rates.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import jensenshannon

from interplay.bench.listening.vad import Detector, energy_spans
from interplay.bench.traces.spoken import Chunk
from interplay.bench.traces.trace import Span, Trace, merged

TURN_S = 1.0
TURN_WORDS = 3
NOD_S, NOD_WORDS = 1.0, 2
SPEECH_S = 3.0  # a longer stretch of a listener is no backchannel
BIN_S = 0.2
EPSILON = 1e-10
USER_GAP_S, MODEL_GAP_S = 0.6, 0.5  # shorter gaps are closed before latencies are read


def takes_turn(words: Sequence[Chunk]) -> bool:
    """Whether words are a turn: a second or longer, or more than three.

    The paper says two words; the scripts of pauses, turns and interruptions all say three.
    """
    if not words:
        return False
    return words[-1].end_s - words[0].start_s >= TURN_S or len(words) > TURN_WORDS


def backchannels(segments: Sequence[Span], words: Sequence[Chunk]) -> tuple[bool, list[Span]]:
    """(whether a listener took the turn, its backchannels), from its stretches of sound in order.

    A stretch beyond three seconds takes the turn and ends the reading. Every shorter one counts as
    a backchannel, and the last of them alone says whether the turn was taken (a second or longer,
    or more than two words): so the official script.
    """
    taken, found = False, []
    for start, end in segments:
        if end - start > SPEECH_S:
            return True, found
        num_words = sum(
            word.start_s <= end and (word.start_s >= start or word.end_s > start) for word in words
        )
        taken = end - start >= NOD_S or num_words > NOD_WORDS
        found.append((start, end))
    return taken, found


def nod_divergence(found: Sequence[Span], length_s: float, people: Sequence[float]) -> float:
    """Jensen-Shannon distance of where backchannels lie from where people put theirs.

    people: shares over the whole length in bins of equal width, stretched to bins of 0.2 s by
    linear interpolation. 0 is the same, sqrt(ln 2) = 0.8326 nothing in common; 1 by definition for
    a listener who never makes a sound.
    """
    if not found:
        return 1.0
    counts = np.full(int(length_s / BIN_S) + 1, EPSILON)
    for start, end in found:
        counts[int(start / BIN_S) : int(end / BIN_S) + 1] += 1
    where = np.linspace(0, 1, len(counts))
    wanted = np.interp(where, np.linspace(0, 1, len(people)), np.asarray(people, np.float64))
    return float(jensenshannon(counts, wanted))


def stop_intervals(user: Sequence[Span], model: Sequence[Span]) -> list[Span]:
    """Where both sound; of two that end within the same millisecond the shorter one."""
    shortest: dict[int, Span] = {}
    u = m = 0
    while u < len(user) and m < len(model):
        start, end = max(user[u][0], model[m][0]), min(user[u][1], model[m][1])
        key = round(end * 1000)
        if end > start and (key not in shortest or end - start < _length(shortest[key])):
            shortest[key] = (start, end)
        if user[u][1] < model[m][1]:
            u += 1
        else:
            m += 1
    return sorted(shortest.values(), key=lambda span: span[1])


def response_intervals(user: Sequence[Span], model: Sequence[Span]) -> list[Span]:
    """(end of the user's sound, next start of the model's): for every such start the latest end."""
    latest: dict[float, float] = {}
    for _, end in user:
        start = next((start for start, _ in model if start > end), None)
        if start is not None:
            latest[start] = max(end, latest.get(start, end))
    return sorted(((end, start) for start, end in latest.items()), key=lambda pair: pair[1])


def _length(span: Span) -> float:
    return span[1] - span[0]


def speech(trace: Trace, detect: Detector | None = None) -> tuple[Sequence[Span], Sequence[Span]]:
    """Where the user and the model sound: by `detect`, else by the detector of the run."""
    if detect is None and trace.detected is not None:
        return trace.detected
    detect = detect or energy_spans
    return detect(trace.user), detect(trace.model)


def sides(trace: Trace, detect: Detector | None = None) -> tuple[list[Span], list[Span]]:
    """The same, short gaps closed."""
    user, model = speech(trace, detect)
    return merged(user, USER_GAP_S), merged(model, MODEL_GAP_S)


def stop_latency(user: Sequence[Span], model: Sequence[Span], window: Span) -> float | None:
    """Length of the first stretch within a window in which both sound; None if there is none."""
    both = [span for span in stop_intervals(user, model) if _meets(span, window)]
    return _length(both[0]) if both else None


def response_latency(user: Sequence[Span], model: Sequence[Span], window: Span) -> float | None:
    """From the end of the user's sound in a window to the model's next start; None without one."""
    ends = {end for start, end in user if _meets((start, end), window)}
    answered = [pair for pair in response_intervals(user, model) if pair[0] in ends]
    return _length(answered[-1]) if answered else None


def _meets(span: Span, window: Span) -> bool:
    return span[0] < window[1] and span[1] > window[0]
