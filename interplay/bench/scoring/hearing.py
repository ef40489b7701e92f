"""Scores of what was heard: words of `heard` against the words the user said.

Knows nothing of sound, timing or answers.
"""

import jiwer

from interplay.bench.scoring.score import Outcome
from interplay.bench.traces.trace import Trace, normal
from interplay.data.item import Heard


def reference(trace: Trace) -> list[str]:
    """The words that should have been heard."""
    return normal(" ".join(e.text for e in trace.item.expect if isinstance(e, Heard)))


def word_errors(said: list[str], heard: list[str]) -> int:
    """Substitutions + deletions + insertions of the cheapest alignment (Levenshtein on words)."""
    if not said or not heard:
        return len(said) + len(heard)
    out = jiwer.process_words(" ".join(said), " ".join(heard))
    return out.substitutions + out.deletions + out.insertions


def heard_wer(trace: Trace) -> list[Outcome]:
    """Word errors of the whole item, of the words said."""
    said, heard = reference(trace), [word.text for word in trace.heard]
    notes = () if heard else ("nothing_heard",)
    return [Outcome(value=word_errors(said, heard), of=len(said), notes=notes)]


def heard_acc(trace: Trace) -> list[Outcome]:
    """Word accuracy (hits - insertions) / words, at least 0: writing more words gains nothing."""
    said, heard = reference(trace), [word.text for word in trace.heard]
    if not heard:
        return [Outcome(value=0, of=len(said), notes=("nothing_heard",))]
    out = jiwer.process_words(" ".join(said), " ".join(heard))
    notes = ("insertions",) if out.insertions else ()
    return [Outcome(value=max(0, out.hits - out.insertions), of=len(said), notes=notes)]
