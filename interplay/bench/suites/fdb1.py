"""Full-Duplex-Bench V1: pauses, turn ends, backchannels and interruptions, by its published rules.

Three defects of the published rules are kept, because numbers are compared by them, and made
visible by rows of our own: a turn over the user's end counts as a latency of zero (so latencies
that leave such turns out, and their share, stand beside it), a talker who never stops has taken the
turn after an interruption (so stop latency, and whether it was talking at all), silence has no
latency (so the share without a response). Knows nothing of how items are made or played.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from interplay.bench.scoring.judges import Judge
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites import fdb1_rating as rated
from interplay.bench.suites import fdb_rules as rules
from interplay.bench.suites.base import Outcomes, Suite, tabled
from interplay.bench.suites.fdb1_folder import HOW_TO_GET, load
from interplay.bench.suites.fdb1_twin import PARTS, items
from interplay.bench.suites.post import GEMINI, reported
from interplay.bench.traces.spoken import Chunk, chunks
from interplay.bench.traces.trace import Span, Trace, overlaps
from interplay.data.item import Speak

LATE_S = 0.1  # who is talking within this of the interruption's first sound is interrupted


def pause_takeover(trace: Trace) -> list[Outcome]:
    """1 (bad) where anything in the whole item makes a turn; where the pauses lie is never used."""
    taken = rules.takes_turn(chunks(trace))
    return [Outcome(value=float(taken), group=trace.item.subset)]


def turn_takeover(trace: Trace) -> list[Outcome]:
    words = chunks(trace)
    notes = ("no_response",) if not words else ()
    return [Outcome(value=float(rules.takes_turn(words)), notes=notes)]


def turn_latency(trace: Trace) -> list[Outcome]:
    """Seconds from the end of the turn to the first word, 0 where it began before."""
    return [_clamped(_turn_latency(trace))]


def turn_latency_positive(trace: Trace) -> list[Outcome]:
    """The same of those alone that did not begin before the end of the turn."""
    return [_positive(_turn_latency(trace))]


def turn_negative(trace: Trace) -> list[Outcome]:
    """1 (bad) where a turn began before the user's had ended; of all turns taken."""
    latency_s = _turn_latency(trace)
    return [] if latency_s is None else [Outcome(value=float(latency_s < 0))]


def interrupt_takeover(trace: Trace) -> list[Outcome]:
    notes = () if _interruption(trace) else ("interruption_never_came",)
    return [Outcome(value=float(rules.takes_turn(_after_interruption(trace))), notes=notes)]


def interrupt_latency(trace: Trace) -> list[Outcome]:
    """Seconds from the end of the interruption to the first word after it; a voice that goes on
    through that end gives 0, as in the published rule, and is noted."""
    span, words = _interruption(trace), _after_interruption(trace)
    if span is None or not rules.takes_turn(words):
        return [_clamped(None)]
    return [_clamped(words[0].start_s - span[1], _through(trace, span))]


def interrupt_latency_positive(trace: Trace) -> list[Outcome]:
    """The same, without those whose voice was on at the end of the interruption."""
    span, words = _interruption(trace), _after_interruption(trace)
    if span is None or not rules.takes_turn(words):
        return [_positive(None)]
    return [_positive(-1.0 if _through(trace, span) else words[0].start_s - span[1])]


def interrupt_stop(trace: Trace) -> list[Outcome]:
    """Seconds in which both sound, from the interruption on."""
    span = _interruption(trace)
    if span is None:
        return [Outcome(value=0, of=0, notes=("interruption_never_came",))]
    stop_s = rules.stop_latency(*rules.sides(trace), span)
    if stop_s is None:
        return [Outcome(value=0, of=0, notes=("was_not_talking",))]
    notes = ("did_not_stop",) if _through(trace, span) else ()
    return [Outcome(value=stop_s, notes=notes)]


def interrupt_talking(trace: Trace) -> list[Outcome]:
    """1 where the voice was on when the interruption began."""
    span = _interruption(trace)
    talking = span is not None and overlaps(trace.voice, span[0] - LATE_S, span[0] + LATE_S)
    return [Outcome(value=float(talking))]


def no_response(trace: Trace) -> list[Outcome]:
    """1 (bad) where nothing at all is said after a turn or an interruption."""
    if trace.item.about["part"] == "turn":
        return [Outcome(value=float(not chunks(trace)), group="turn")]
    return [Outcome(value=float(not _after_interruption(trace)), group="interrupt")]


def backchannel_takeover(trace: Trace) -> list[Outcome]:
    return [Outcome(value=float(_nods(trace)[0]))]


def backchannel_freq(trace: Trace) -> list[Outcome]:
    """Backchannels per second."""
    return [Outcome(value=len(_nods(trace)[1]) / trace.length_s)]


def backchannel_jsd(trace: Trace) -> list[Outcome]:
    """Distance to where people put theirs, if the item knows that."""
    people = trace.item.about.get("people")
    if people is None:
        return []
    return [Outcome(value=rules.nod_divergence(_nods(trace)[1], trace.length_s, people))]


def _nods(trace: Trace) -> tuple[bool, list[Span]]:
    return rules.backchannels(rules.speech(trace)[1], chunks(trace))


def _turn_latency(trace: Trace) -> float | None:
    """First word after the end of the turn; None where no turn was taken."""
    words, span = chunks(trace), trace.cues[int(trace.item.about["cue"])]
    if span is None or not rules.takes_turn(words):
        return None
    return words[0].start_s - span[1]


def _interruption(trace: Trace) -> Span | None:
    return trace.cues[int(trace.item.about["cue"])]


def _after_interruption(trace: Trace) -> list[Chunk]:
    span = _interruption(trace)
    return [] if span is None else chunks(trace, span[1])


def _through(trace: Trace, span: Span) -> bool:
    """Whether a voice that was on in a span went on through its end."""
    return any(start < span[1] < end for start, end in trace.voice)


def _clamped(latency_s: float | None, through: bool = False) -> Outcome:
    """A mean counts those who took the turn alone: the others weigh nothing, and are noted."""
    if latency_s is None:
        return Outcome(value=0, of=0, notes=("no_turn",))
    notes = ("negative",) if latency_s < 0 or through else ()
    return Outcome(value=max(latency_s, 0.0), notes=notes)


def _positive(latency_s: float | None) -> Outcome:
    if latency_s is None:
        return Outcome(value=0, of=0, notes=("no_turn",))
    if latency_s < 0:
        return Outcome(value=0, of=0, notes=("negative",))
    return Outcome(value=latency_s)


Scorer = Callable[[Trace], list[Outcome]]
TURN, INTERRUPT = ("turn",), ("interrupt",)
SCORERS: dict[str, tuple[tuple[str, ...], Scorer]] = {
    "fdb1_pause_takeover": (("pause",), pause_takeover),
    "fdb1_backchannel_takeover": (("backchannel",), backchannel_takeover),
    "fdb1_backchannel_freq": (("backchannel",), backchannel_freq),
    "fdb1_backchannel_jsd": (("backchannel",), backchannel_jsd),
    "fdb1_takeover": (TURN, turn_takeover),
    "fdb1_latency_s": (TURN, turn_latency),
    "fdb1_latency_positive_s": (TURN, turn_latency_positive),
    "fdb1_turn_negative": (TURN, turn_negative),
    "fdb1_interrupt_takeover": (INTERRUPT, interrupt_takeover),
    "fdb1_interrupt_latency_s": (INTERRUPT, interrupt_latency),
    "fdb1_interrupt_latency_positive_s": (INTERRUPT, interrupt_latency_positive),
    "fdb1_interrupt_stop_s": (INTERRUPT, interrupt_stop),
    "fdb1_interrupt_talking": (INTERRUPT, interrupt_talking),
    "fdb1_no_response": ((*TURN, *INTERRUPT), no_response),
}
ONE_SET = {"synthetic_pause_handling": "synthetic", "candor_pause_handling": "candor"}


def score(traces: Sequence[Trace]) -> Outcomes:
    """Outcomes of every row. The two published sets of pauses have rows of their own besides."""
    found: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        for name, (parts, scorer) in SCORERS.items():
            if trace.item.about["part"] in parts:
                found[name] += scorer(trace)
        if trace.item.subset in ONE_SET:
            found[f"fdb1_pause_takeover_{ONE_SET[trace.item.subset]}"] += pause_takeover(trace)
    return found


def judged(judge: Judge) -> Suite:
    """The suite with the ratings of replies to interruptions by `judge`."""

    def score_with(traces: Sequence[Trace]) -> Outcomes:
        interrupted = [trace for trace in traces if trace.item.about["part"] in INTERRUPT]
        return {**score(traces), rated.ROW.name: [_rated(judge, trace) for trace in interrupted]}

    return replace(SUITE, rows=(*ROWS, rated.ROW), score=score_with)


def _rated(judge: Judge, trace: Trace) -> Outcome:
    words = _after_interruption(trace)
    if not rules.takes_turn(words):
        return Outcome(value=0, of=0, notes=("no_turn",))
    texts = [cue.text if isinstance(cue, Speak) else "" for cue in trace.item.cues]
    about = {"context": texts[0], "interrupt": texts[1], **trace.item.about}
    reply = " ".join(chunk.text for chunk in words).strip()
    return rated.rating(judge, about["context"], about["interrupt"], reply)


def _row(
    name: str, what: str, reach: float | None = None, *, lower: bool | None = False, **more
) -> Row:
    kind = SCORERS[name][0][0] if name in SCORERS else "pause"
    return Row(name=name, kind=kind, what=what, reach=reach, lower_is_better=lower, **more)


ROWS = (
    _row(
        "fdb1_pause_takeover",
        "made a turn of it while the user paused within one",
        reach=0.08,
        lower=True,
    ),
    _row(
        "fdb1_pause_takeover_synthetic", "the same, of synthetic_pause_handling alone", lower=True
    ),
    _row("fdb1_pause_takeover_candor", "the same, of candor_pause_handling alone", lower=True),
    _row("fdb1_backchannel_takeover", "took the turn of a user who goes on talking", lower=True),
    _row("fdb1_backchannel_freq", "backchannels per second meanwhile", lower=None, unit="number"),
    _row(
        "fdb1_backchannel_jsd",
        "distance of their times from those of people; 1 without any",
        lower=True,
        unit="number",
    ),
    _row(
        "fdb1_takeover",
        "took the turn after the user's (1 s or more, or more than 3 words)",
        reach=0.97,
    ),
    _row(
        "fdb1_latency_s",
        "end of the user's turn → first word, mean of turns taken; begun earlier counts as 0",
        reach=0.45,
        lower=True,
        unit="s",
    ),
    _row(
        "fdb1_latency_positive_s",
        "the same, without those begun earlier",
        lower=True,
        unit="s",
    ),
    _row("fdb1_turn_negative", "of turns taken, begun before the user's had ended", lower=True),
    _row("fdb1_interrupt_takeover", "took the turn after being interrupted"),
    _row(
        "fdb1_interrupt_latency_s",
        "end of the interruption → first word after it, mean of turns taken; going on counts as 0",
        lower=True,
        unit="s",
    ),
    _row(
        "fdb1_interrupt_latency_positive_s",
        "the same, without those who went on through that end",
        lower=True,
        unit="s",
    ),
    _row(
        "fdb1_interrupt_stop_s",
        "both sounding after the start of the interruption, mean; all of it if it went on",
        lower=True,
        unit="s",
    ),
    _row("fdb1_interrupt_talking", "was talking when interrupted: the others test nothing"),
    _row("fdb1_no_response", "said nothing after a turn or an interruption", lower=True),
)

# synthetic and candor pauses; backchannel TOR, freq, JSD; turn TOR, latency; interruption the same
PUBLISHED_ROWS = (
    *("fdb1_pause_takeover_synthetic", "fdb1_pause_takeover_candor", "fdb1_backchannel_takeover"),
    *("fdb1_backchannel_freq", "fdb1_backchannel_jsd", "fdb1_takeover", "fdb1_latency_s"),
    *("fdb1_interrupt_takeover", "fdb1_interrupt_latency_s"),
)
README_VALUES = {
    "PersonaPlex": (0.584, 0.662, 0.327, 0.025, 0.649, 0.992, 0.070, 1.0, 0.400),
    "dGSLM": (0.934, 0.935, 0.691, 0.015, 0.934, 0.975, 0.352, 0.917, 2.531),
    "Moshi": (0.985, 0.980, 1.0, 0.001, 0.957, 0.941, 0.265, 1.0, 0.257),
    "Freeze-Omni": (0.642, 0.481, 0.636, 0.001, 0.997, 0.336, 0.953, 0.867, 1.409),
    "Gemini Live 2.0": (0.255, 0.310, 0.091, 0.012, 0.896, 0.655, 1.301, 0.891, 1.183),
    "GPT-Realtime": (0.010, 0.120, 0.0, 0.007, 0.980, 1.0, 1.470, 0.970, 1.5),
}
LATER_VALUES = {GEMINI: (0.022, 0.153, 0.727, 0.044, 0.807, 1.0, 0.567, 1.0, 0.337)}
PORTED = {"MiniCPM-o 4.5": (0.31, 0.15, None, None, None, 0.96, 1.28, 0.94, 1.53)}
AGENTS = {"AssemblyAI voice agent": (0.27, 0.324, None, None, None, 0.975, 1.57, None, None)}
PUBLISHED = (
    *tabled(PUBLISHED_ROWS, README_VALUES, rated.README, rated.README_DATE),
    *tabled(PUBLISHED_ROWS, LATER_VALUES, rated.LATER, "2026"),
    *tabled(PUBLISHED_ROWS, PORTED, "port of williamLyh/InteractionGym", "2026"),
    *tabled(PUBLISHED_ROWS, AGENTS, "AssemblyAI, its explicit turn detection", "2026"),
    *tabled(["fdb1_latency_s"], {"DuplexOmni": (0.51,)}, "arXiv 2606.09186", "2026-06"),
    *reported("fdb1_latency_s", 0.40, 1.18, 0.59, 0.57, 2.14, 1.63, 0.94),
    *rated.PUBLISHED,
)

SUITE = Suite(
    name="fdb1",
    what="Full-Duplex-Bench V1: " + ", ".join(PARTS),
    rows=ROWS,
    twin=items,
    load=load,
    score=score,
    published=PUBLISHED,
    how_to_get=HOW_TO_GET,
)
