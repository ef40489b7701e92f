"""Words of a trace over the sound that carries them. Knows nothing of systems or of scores."""

from dataclasses import dataclass

import numpy as np

from interplay.bench.traces.trace import VOICE_LAG_S, Span, Trace, Word


def utterances(trace: Trace) -> list[tuple[Span, list[Word]]]:
    """Stretches of voice with the words whose sound they carry (`say` runs ahead of the voice)."""
    found: list[tuple[Span, list[Word]]] = [(span, []) for span in trace.voice]
    for word in trace.spoken():
        for (start, end), words in found:
            if word.start_s < end and start <= word.start_s + VOICE_LAG_S:
                words.append(word)
                break
    return found


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A spoken word and its time in the sound; `text` is empty for sound that has no words."""

    text: str
    start_s: float
    end_s: float


def chunks(trace: Trace, after_s: float | None = None) -> list[Chunk]:
    """The words of a trace over the sound that carries them, in order.

    The first word of a stretch of voice starts with it, the last ends with it, a word lasts until
    the next one. A stretch without words is one chunk where the words are the system's own: who
    speaks without writing has spoken. Where a recogniser found none it is no chunk, as published.
    after_s: as if everything before had been cut away, which is how the words that follow an
    interruption are taken.
    """
    found = []
    for (start, end), words in utterances(trace):
        if not words and trace.transcribed:
            continue
        texts = [word.text for word in words] or [""]
        starts = [start, *(min(max(word.start_s, start), end) for word in words[1:])]
        starts = [float(time_s) for time_s in np.maximum.accumulate(starts)]
        for text, first, last in zip(texts, starts, [*starts[1:], end], strict=True):
            found.append(Chunk(text=text, start_s=first, end_s=last))
    if after_s is None:
        return found
    return [
        Chunk(text=chunk.text, start_s=max(chunk.start_s, after_s), end_s=chunk.end_s)
        for chunk in found
        if chunk.end_s > after_s
    ]
