"""delegate: asks the background model when that is needed, and does not get ahead of it.

Whatever is handed over belongs to the newest thing the user said. A fact is early where it is said
before a result that holds it has begun to arrive, be it the right one or another that could have
stood there. Knows nothing of how items are made, nor of systems.
"""

from collections.abc import Iterator, Sequence

from interplay.bench.scoring.answering import check_delegate, find, sound_of
from interplay.bench.scoring.calls import DELEGATE
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites import delegate_twin
from interplay.bench.suites.base import Outcomes, Suite
from interplay.bench.suites.delegate_twin import WITHIN_S, Result, results_of
from interplay.bench.traces.trace import SLOT_S, Trace, overlaps, span_at
from interplay.data.item import Delegate, Speak

KIND = "delegate"
IN_TIME_S = 3.0  # after the end of a request
NONE, STALE, INTO = "none", "stale", "into"
FAMILIES = {
    "plain": "results that come soon",
    "late": "results that take long, after other talk",
    INTO: "results that arrive while the user speaks, behind that",
    "pieces": "results in two pieces",
    "failed": "apologies for work that failed",
}


def _row(name: str, what: str, reach: float | None = None, **kwargs) -> Row:
    return Row(name=f"{KIND}_{name}", kind=KIND, what=what, reach=reach, **kwargs)


ROWS = (
    _row(
        "recall",
        "questions that only the background model can answer: handed over within 3 s of their end",
        reach=0.95,
    ),
    _row("precision", "of all that is handed over, what had to be, and had not been before"),
    _row(
        "unneeded",
        "questions it can answer itself, words to be said again, remarks and the like: those after "
        "which something is handed over",
        lower_is_better=True,
    ),
    _row("words", "of the questions handed over, those with all their words"),
    _row("bridged", "questions after which something sounds within 3 s and before the result"),
    _row(
        "bridge_s",
        "end of the question to that sound; median",
        reach=0.6,
        lower_is_better=True,
        unit="s",
        statistic="median",
    ),
    _row(
        "early_facts",
        "questions with a fact of the answer, or another that could have stood there, said before "
        "it arrived",
        reach=0.0,
        lower_is_better=True,
    ),
    _row(
        "said",
        f"results said word by word: begun within {WITHIN_S:g} s of their arrival, or of the end "
        "of what was being said then",
    ),
    *(_row(f"said_{name}", f"the same, {what}") for name, what in FAMILIES.items()),
    _row(
        "over_user",
        "results that arrive while the user speaks: those after which the system begins to speak "
        "before the user has ended",
        lower_is_better=True,
    ),
    _row(
        "stale",
        "results that the user does not want to know any more: those of which a fact is said",
        lower_is_better=True,
    ),
)


def score(traces: Sequence[Trace]) -> Outcomes:
    """Outcomes of all rows."""
    found: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        for name, outcome in _outcomes(trace):
            found[f"{KIND}_{name}"].append(outcome)
    return found


def _outcomes(trace: Trace) -> Iterator[tuple[str, Outcome]]:
    yield from _handed_over(trace)
    if trace.item.subset == NONE:
        return
    yield from _bridge(trace)
    yield "early_facts", Outcome(value=float(bool(early_facts(trace))))
    for result in results_of(trace.item):
        if result.wanted:
            outcome = said(trace, result)
            yield "said", outcome
            yield f"said_{trace.item.subset}", outcome
        elif trace.cues[result.cue] is not None:
            yield "stale", Outcome(value=float(_tells(trace, result)))
    yield from _over_user(trace)


def _handed_over(trace: Trace) -> Iterator[tuple[str, Outcome]]:
    """Recall, precision, what was not needed, and the words of what was."""
    owners = [_owner(trace, call.start_s) for call in trace.act if call.name == DELEGATE]
    for expect in trace.item.expect:
        if isinstance(expect, Delegate):
            recalled = _is_asked(trace, expect)
            yield "recall", Outcome(value=float(recalled))
            if recalled:
                yield "words", Outcome(value=check_delegate(trace, expect).value)
    needed = {e.after for e in trace.item.expect if isinstance(e, Delegate)}
    for place, owner in enumerate(owners):
        first = owner in needed and owner not in owners[:place]
        notes = () if first else ("asked_again",) if owner in needed else ("not_needed",)
        yield "precision", Outcome(value=float(first), notes=notes)
    for cue, span in enumerate(trace.cues):
        if isinstance(trace.item.cues[cue], Speak) and cue not in needed and span is not None:
            yield "unneeded", Outcome(value=float(cue in owners))


def _is_asked(trace: Trace, expect: Delegate) -> bool:
    span = trace.cues[expect.after]
    return span is not None and any(
        call.name == DELEGATE and span[0] <= call.start_s <= span[1] + IN_TIME_S
        for call in trace.act
    )


def _owner(trace: Trace, time_s: float) -> int | None:
    """The newest spoken cue at a moment."""
    begun = [
        (span[0], cue)
        for cue, span in enumerate(trace.cues)
        if isinstance(trace.item.cues[cue], Speak) and span is not None and span[0] <= time_s
    ]
    return max(begun)[1] if begun else None


def _bridge(trace: Trace) -> Iterator[tuple[str, Outcome]]:
    span = trace.cues[0]
    if span is None:
        return
    arrivals = [begun[0] for begun in trace.cues[1:] if begun is not None]
    end_s = min([span[1] + IN_TIME_S, *arrivals])
    if overlaps(trace.voice, span[1] - SLOT_S, span[1]):
        yield "bridged", Outcome(value=0, notes=("premature",))
        yield "bridge_s", Outcome(value=None, notes=("premature",))
        return
    onset_s = next((start for start, _ in trace.voice if span[1] <= start < end_s), None)
    notes = ("no_bridge",) if onset_s is None else ()
    yield "bridged", Outcome(value=float(onset_s is not None), notes=notes)
    latency_s = None if onset_s is None else onset_s - span[1]
    yield "bridge_s", Outcome(value=latency_s, notes=notes)


def early_facts(trace: Trace) -> list[str]:
    """Facts said between the question and the result that holds them; where none comes, any."""
    asked = trace.cues[0]
    results = results_of(trace.item)
    begins = [trace.cues[result.cue] for result in results]
    if asked is None:
        return []
    last_s = max((s[0] if s is not None else trace.length_s for s in begins), default=0.0)
    early = []
    for word in trace.spoken():
        here = zip(results, begins, strict=True)
        told = {fact for result, s in here if s and s[0] <= word.start_s for fact in result.facts}
        if asked[0] <= word.start_s < last_s and word.text in {*trace.item.about["pool"]} - told:
            early.append(word.text)
    return early


def said(trace: Trace, result: Result) -> Outcome:
    """1 if all words of a result are said one after another and in time, once it has come and the
    user has ended."""
    span = trace.cues[result.cue]
    if span is None:
        return Outcome(value=0, notes=("never_came",))
    words = [word for word in trace.spoken() if word.start_s >= span[0]]
    index = find(words, result.text)
    if index is None:
        return Outcome(value=0, notes=("wrong_words" if words else "not_said",))
    onset_s, own = sound_of(trace, words[index]), span_at(trace.voice, span[0])
    user = None if result.waits is None else trace.cues[result.waits]
    free_s = max(span[1], own[1] if own else 0.0, user[1] if user else 0.0)
    if onset_s is None or onset_s > free_s + WITHIN_S + 1e-6:
        return Outcome(value=0, notes=("late",))
    if user and onset_s < user[1]:
        return Outcome(value=0, notes=("over_the_user",))
    return Outcome(value=1)


def _over_user(trace: Trace) -> Iterator[tuple[str, Outcome]]:
    for result in results_of(trace.item):
        user = None if result.waits is None else trace.cues[result.waits]
        came = trace.cues[result.cue]
        if user is not None and came is not None:
            begins = [start for start, _ in trace.voice if came[0] <= start < user[1]]
            yield "over_user", Outcome(value=float(bool(begins)))


def _tells(trace: Trace, result: Result) -> bool:
    """Whether a fact of a result is said once it has come."""
    span = trace.cues[result.cue]
    words = [word for word in trace.spoken() if span is not None and word.start_s >= span[0]]
    return any(word.text in result.facts for word in words)


SUITE = Suite(
    name="delegate",
    what="hands over what it cannot know, says something meanwhile, and weaves in what comes back: "
    "soon, late, in pieces, failed or out of date",
    rows=ROWS,
    twin=delegate_twin.twin,
    score=score,
    how_to_get="no data to get: the suite is its own generator",
)
