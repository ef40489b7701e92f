"""Scores of replies: right words, in time, and how soon the voice began.

A reply is what is said (and sounds) from the end of its cue to the next cue that wants a reply of
its own. For text that arrives on `read` it may begin while the text still comes in.
Knows nothing of how the words sound.
"""

from dataclasses import dataclass, replace
from functools import cache

from interplay.bench.scoring.score import Outcome
from interplay.bench.traces.trace import Span, Trace, Word, normal
from interplay.data.item import Delegate, Say, Speak, Type
from interplay.data.texts.questions import SPLITS, facts

LEAD_S = 0.3  # `say` may run this far ahead of a voice that starts at the end of a cue
SPARE_WORDS = 8  # a reply may hold this many words besides the wanted ones


@dataclass(frozen=True, kw_only=True)
class Reply:
    """latency_s: from the end of the cue to the first sound; None without any.

    premature: the voice came on while the cue was still going on and went on past its end, or
        did not come again.
    """

    words: list[Word]
    latency_s: float | None
    premature: bool


def reply_to(trace: Trace, cue: int) -> Reply | None:
    """What was said to cue `cue`, or None if the cue never came."""
    span = trace.cues[cue]
    if span is None:
        return None
    begin_s = span[0] if isinstance(trace.item.cues[cue], Type) else span[1]
    end_s = _end_of_reply(trace, cue, begin_s)
    words = [word for word in trace.spoken() if begin_s - LEAD_S <= word.start_s < end_s]
    onsets = [start for start, _ in trace.voice if begin_s <= start < end_s]
    early = [end for start, end in trace.voice if span[0] <= start < begin_s]
    premature = any(end > begin_s for end in early) or bool(early and not onsets)
    latency_s = onsets[0] - span[1] if onsets else None
    return Reply(words=words, latency_s=latency_s, premature=premature)


def _end_of_reply(trace: Trace, cue: int, begin_s: float) -> float:
    wanted = {e.after for e in trace.item.expect if isinstance(e, Say)} - {cue}
    starts = [span[0] for index in wanted if (span := trace.cues[index]) is not None]
    return min((s for s in starts if s > begin_s), default=trace.length_s)


def find(words: list[Word], text: str) -> int | None:
    """Index of the first word of `text` as a contiguous run in `words`."""
    wanted, said = normal(text), [word.text for word in words]
    runs = range(len(said) - len(wanted) + 1)
    return next((i for i in runs if said[i : i + len(wanted)] == wanted), None)


def contains(words: list[Word], texts: tuple[str, ...]) -> int | None:
    """Like `find`, for the first alternative present; a reply that says much else has none."""
    for text in texts:
        index = find(words, text)
        if index is not None and len(words) <= len(normal(text)) + SPARE_WORDS:
            return index
    return None


def check_say(trace: Trace, expect: Say) -> Outcome:
    """1 if the reply has the right words and began in time."""
    reply = reply_to(trace, expect.after)
    if reply is None:
        return Outcome(value=0, notes=("cue_never_came",))
    if not reply.words:
        return Outcome(value=0, notes=("no_response",))
    index = contains(reply.words, expect.text)
    if index is None:
        return Outcome(value=0, notes=("wrong_words",))
    span = trace.cues[expect.after]
    assert span is not None
    if isinstance(trace.item.cues[expect.after], Type):
        onset_s = sound_of(trace, reply.words[index])
        late = onset_s is None or onset_s - span[1] > expect.within_s
    else:
        late = not reply.premature and (reply.latency_s or 0.0) > expect.within_s
    return Outcome(value=float(not late), notes=("late",) if late else ())


def sound_of(trace: Trace, word: Word) -> float | None:
    """First audible moment from a word on."""
    return next((max(s, word.start_s) for s, e in trace.voice if e > word.start_s), None)


def says(trace: Trace) -> list[Say]:
    return [expect for expect in trace.item.expect if isinstance(expect, Say)]


def answer_acc(trace: Trace) -> list[Outcome]:
    """Every expected reply is a try; a note tells the kind of a closed question that failed."""
    outcomes = []
    for expect in says(trace):
        outcome, cue = check_say(trace, expect), trace.item.cues[expect.after]
        kind = _kinds().get(cue.text) if isinstance(cue, Speak) else None
        if kind and not outcome.value:
            outcome = replace(outcome, notes=(*outcome.notes, f"failed_{kind}"))
        outcomes.append(outcome)
    return outcomes


@cache
def _kinds() -> dict[str, str]:
    """Of every closed question by its text."""
    return {question.text: question.kind for split in SPLITS for question in facts(split)}


def answer_latency(trace: Trace) -> list[Outcome]:
    """Seconds from the true end of the user's last word to the first sound of the reply.

    A voice that began before that end is `premature` and gives no time, instead of a flattering
    negative one; silence is `no_response`.
    """
    outcomes = []
    for expect in says(trace):
        reply = reply_to(trace, expect.after)
        if reply is None or (reply.latency_s is None and not reply.premature):
            outcomes.append(Outcome(value=None, notes=("no_response",)))
        elif reply.premature:
            outcomes.append(Outcome(value=None, notes=("premature",)))
        else:
            outcomes.append(Outcome(value=reply.latency_s))
    return outcomes


def delegate_acc(trace: Trace) -> list[Outcome]:
    """1 if the question was handed over with its words and every reply came right and in time."""
    notes = []
    for expect in trace.item.expect:
        if isinstance(expect, Delegate):
            notes += check_delegate(trace, expect).notes
        elif isinstance(expect, Say) and not check_say(trace, expect).value:
            notes.append("result_not_spoken")
    return [Outcome(value=float(not notes), notes=tuple(dict.fromkeys(notes)))]


def check_delegate(trace: Trace, expect: Delegate) -> Outcome:
    """1 if something was handed over after the cue began, with all the words in their order."""
    span: Span | None = trace.cues[expect.after]
    found = span is not None and any(
        call.name == "<delegate>" and call.start_s >= span[0] and _in_order(expect.words, call.text)
        for call in trace.act
    )
    return Outcome(value=float(found), notes=() if found else ("not_delegated",))


def _in_order(wanted: str, text: str) -> bool:
    """Whether all wanted words occur in the text, in this order, among others."""
    rest = iter(text.split())
    return all(word in rest for word in normal(wanted))
