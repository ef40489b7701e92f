"""The second run of Full-Duplex-Bench V1.5: the same input without the overlap.

Every item is followed by one that nobody interrupts, played at the same system and scored together
with it: judges read what the system says undisturbed, and how fast it speaks after an overlap is
compared with before it and with that run. Knows nothing of labels.
"""

from collections.abc import Iterator, Sequence

from interplay.bench.scoring.score import Outcome
from interplay.bench.traces.spoken import Chunk, chunks
from interplay.bench.traces.trace import Span, Trace
from interplay.data.item import Item

CLEAN = "clean"  # in `Item.about` of an item that nobody interrupts
CHANGES = ("fdb15_wpm_after_before", "fdb15_wpm_after_clean")


def together(item: Item) -> tuple[str, int]:
    """What an item and the one without its overlap have in common, and no other."""
    return item.subset, item.seed


def pairs(traces: Sequence[Trace]) -> Iterator[tuple[Trace, Trace | None]]:
    """(with the overlap, without it or None where that was not played), in order."""
    clean = {together(trace.item): trace for trace in traces if is_clean(trace.item)}
    for trace in traces:
        if not is_clean(trace.item):
            yield trace, clean.get(together(trace.item))


def is_clean(item: Item) -> bool:
    return bool(item.about.get(CLEAN))


def changes(trace: Trace, clean: Trace | None, window: Span) -> list[tuple[str, Outcome]]:
    """(row, how many words per minute more after the overlap than before it, or than in the clean
    run). As published: the sound is split where the first word that outlasts the overlap begins;
    an item of which any part has no speed weighs nothing."""
    parts = [*split(chunks(trace), window[1]), *([] if clean is None else [chunks(clean)])]
    before, after, *alone = map(words_per_minute, parts)
    counts = float(before > 0 and after > 0 and 0 not in alone)
    notes = () if counts else ("no_speed",)
    without = Outcome(value=0, of=0, notes=("no_clean_run",))
    return [
        (CHANGES[0], Outcome(value=after - before, of=counts, notes=notes)),
        (
            CHANGES[1],
            Outcome(value=after - alone[0], of=counts, notes=notes) if alone else without,
        ),
    ]


def split(words: Sequence[Chunk], overlap_end_s: float) -> tuple[list[Chunk], list[Chunk]]:
    """(before, after): words up to the start of the first one that ends after the overlap, and the
    others; all are before where none does."""
    late = next((word.start_s for word in words if word.end_s > overlap_end_s), None)
    if late is None:
        return list(words), []
    return (
        [word for word in words if word.end_s <= late],
        [word for word in words if word.end_s > late],
    )


def words_per_minute(words: Sequence[Chunk]) -> float:
    """Words over the time from the first one's start to the last one's end, pauses included; 0
    where there are none. Sound without words counts for nothing."""
    spoken = [word for word in words if word.text]
    length_s = spoken[-1].end_s - spoken[0].start_s if spoken else 0.0
    return 60 * len(spoken) / length_s if length_s > 0 else 0.0
