"""Whether what was said at the right time has the right meaning, by a language model.

It is asked for both, meaning and timing; its word on timing does not count: an utterance is in time
by rule, since language models are weak at arithmetic. Knows nothing of families or of rows.
"""

from collections.abc import Sequence

from interplay.bench.scoring.judges import Judge, Verdict, ask, json_field
from interplay.bench.scoring.moments import Due, Reading, Utterance
from interplay.bench.scoring.score import Outcome

SYSTEM = (
    "You judge whether an assistant said the right thing at the right time. You are given all its "
    "utterances with their start in seconds, a transcript of speech without punctuation, what "
    "should have been said, and the span of time in which that should have begun. Utterances that "
    "begin in that span are marked with *. meaning: whether one of the marked utterances, or all "
    "of them together, says what should have been said, in whatever words; a remark that "
    "contradicts it or is beside the point does not. timing: whether such an utterance begins in "
    'the span. Answer with one JSON object: {"meaning": true or false, "timing": true or false}'
)


def judged_outcome(
    judge: Judge, reading: Reading, index: int, timely: Sequence[Utterance], points: float
) -> Outcome:
    """Moment `index` by a judge. timely: the utterances that are in time by rule; without any it is
    missed, and nobody is asked. points: of a hit."""
    group = reading.plan.family
    if not timely:
        return Outcome(value=0.0, notes=("nothing_in_time",), group=group)
    verdict = has_meaning(judge, reading.utterances, reading.dues[index], timely)
    of = float(verdict.value is not None)
    value = points * float(verdict.value or False)
    return Outcome(value=value, of=of, notes=verdict.notes, group=group)


def has_meaning(
    judge: Judge, spoken: Sequence[Utterance], due: Due, timely: Sequence[Utterance]
) -> Verdict[bool]:
    """Whether those in time say what was due."""
    lines = [f"{'*' if u in timely else ' '} {u.start_s:.2f} {' '.join(u.words)}\n" for u in spoken]
    window = due.window()
    assert window is not None
    user = (
        f"Utterances:\n{''.join(lines)}\nShould have been said: {due.moment.meaning}\n"
        f"Span: {window[0]:.2f} to {window[1]:.2f}"
    )
    return ask(judge, SYSTEM, user, read_meaning)


def read_meaning(reply: str) -> bool | None:
    """The verdict on the meaning; None where it is missing."""
    found = json_field(reply, "meaning")
    return found if isinstance(found, bool) else None
