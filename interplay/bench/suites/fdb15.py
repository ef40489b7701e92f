"""Full-Duplex-Bench V1.5: overlapped by a user, a nod, an aside or a voice behind, what now?

The published labels come from an LLM; these come from a rule (fdb_judge), and say so; with a judge
those of a language model (fdb15_label) have rows of their own, and published rates stand there
alone. The average of four rates is what is quoted; a talker who answers once and hears nothing
afterwards has 75 of it, so the balanced one, in which the interruption weighs half, stands beside
it and gives him 50.
Stop and response latencies are those of interruptions, from the sound of both sides. Every item is
played a second time without its overlap (fdb15_clean): the language model reads that, too, and
what changes in the speech of who answers an interruption is told beside it.
Knows nothing of how items are made or played.
"""

from collections.abc import Sequence
from dataclasses import replace

from interplay.bench.listening.vad import Detector, webrtc_spans
from interplay.bench.scoring.judges import Judge
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites import fdb_rules as rules
from interplay.bench.suites.base import Outcomes, Suite, tabled
from interplay.bench.suites.fdb15_clean import CHANGES, changes, pairs, together
from interplay.bench.suites.fdb15_folder import HOW_TO_GET, load
from interplay.bench.suites.fdb15_label import label_of
from interplay.bench.suites.fdb15_twin import PARTS, items
from interplay.bench.suites.fdb_judge import JUDGE, Label, Verdict, judge, window_of
from interplay.bench.suites.post import reported
from interplay.bench.traces.trace import Trace

WANTED: dict[str, tuple[str, Label]] = {
    "user_interruption": ("fdb15_interrupt_respond", "respond"),
    "user_backchannel": ("fdb15_backchannel_resume", "resume"),
    "talking_to_other": ("fdb15_other_resume", "resume"),
    "background_speech": ("fdb15_background_resume", "resume"),
}
AVERAGES = ("fdb15_average", "fdb15_balanced")
OTHERS: dict[str, tuple[Label, str]] = {
    "fdb15_uncertain": ("uncertain", "said it had not understood, mean of the four scenarios"),
    "fdb15_unknown": ("unknown", "fell silent or said something else, mean of the four scenarios"),
}
INTERRUPTION_WEIGHT = 0.5
JUDGED = "_judged"


def score(traces: Sequence[Trace]) -> Outcomes:
    """Outcomes of every row."""
    found: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace, clean in pairs(traces):
        part, verdict = str(trace.item.about["part"]), judge(trace)
        of_label = _labelled(part, verdict.label, verdict.notes)
        for name, outcome in (*of_label, *_changed(trace, clean, verdict.label)):
            found[name].append(outcome)
        found["fdb15_no_response"].append(_silence(verdict, part))
        if part == "user_interruption":
            for which, detector in DETECTED.items():
                for name, outcome in zip(LATENCIES, latencies(trace, detector), strict=True):
                    found[name.format(which)].append(outcome)
    return found


def _labelled(part: str, label: Label | None, notes: Sequence[str]) -> list[tuple[str, Outcome]]:
    """(row, outcome) of one label; without one the item weighs nothing."""
    name, wanted = WANTED[part]
    of, right = float(label is not None), float(label == wanted)
    notes = (*([label] if label else []), *notes)
    rows = [(name, Outcome(value=right, of=of, notes=notes, group=part))]
    for average in AVERAGES:
        rows.append((average, Outcome(value=100 * right, of=of, notes=notes, group=part)))
    for other, (meant, _) in OTHERS.items():
        rows.append((other, Outcome(value=float(label == meant), of=of, group=part)))
    return rows


def _changed(trace: Trace, clean: Trace | None, label: Label | None) -> list[tuple[str, Outcome]]:
    """How the speech of who answered an interruption changed; as published, nobody else counts."""
    window = window_of(trace)
    if trace.item.about["part"] != "user_interruption" or label != "respond" or window is None:
        return []
    return changes(trace, clean, window)


def judged(by: Judge) -> Suite:
    """The suite with rows of its own for the labels of a language model."""

    def score_with(traces: Sequence[Trace]) -> Outcomes:
        found: dict[str, list[Outcome]] = {row.name: [] for row in JUDGED_ROWS}
        for trace, clean in pairs(traces):
            part, verdict = str(trace.item.about["part"]), label_of(by, trace, clean)
            of_label = _labelled(part, verdict.value, verdict.notes)
            for name, outcome in (*of_label, *_changed(trace, clean, verdict.value)):
                found[name + JUDGED].append(outcome)
        return {**score(traces), **found}

    return replace(SUITE, rows=(*ROWS, *JUDGED_ROWS), score=score_with)


def _silence(verdict: Verdict, part: str) -> Outcome:
    silent = {"silent_afterwards", "overlap_never_came"} & set(verdict.notes)
    return Outcome(value=float(bool(silent)), group=part)


def latencies(trace: Trace, detector: Detector | None) -> tuple[Outcome, Outcome]:
    """(stop, response) of one interruption; one that has none weighs nothing and is noted.
    detector: None is that of the run."""
    window = window_of(trace)
    if window is None:
        never = Outcome(value=0, of=0, notes=("overlap_never_came",))
        return never, never
    user, model = rules.sides(trace, detector)
    stop_s = rules.stop_latency(user, model, window)
    response_s = rules.response_latency(user, model, window)
    notes = ("did_not_stop",) if _through(trace, window[1]) else ()
    return (
        Outcome(value=0, of=0, notes=("was_not_talking",))
        if stop_s is None
        else Outcome(value=stop_s, notes=notes),
        Outcome(value=0, of=0, notes=("no_new_start",))
        if response_s is None
        else Outcome(value=response_s),
    )


def _through(trace: Trace, time_s: float) -> bool:
    return any(start < time_s < end for start, end in trace.voice)


REACH = 85  # of both averages
LATENCIES = ("fdb15_stop_latency{}_s", "fdb15_response_latency{}_s")  # of which detector
DETECTED: dict[str, Detector | None] = {"": None, "_webrtc": webrtc_spans}
MEANINGS = (
    "both sounding (all of the interruption if it went on)",
    "end of the user's sound → next start of the model's",
)
_REST = (1 - INTERRUPTION_WEIGHT) / (len(WANTED) - 1)
BALANCE = {part: INTERRUPTION_WEIGHT if part == "user_interruption" else _REST for part in WANTED}


def _row(
    name: str, what: str, reach: float | None = None, *, lower: bool | None = False, **more
) -> Row:
    kind = next((f"fdb15_{part}" for part, (row, _) in WANTED.items() if row == name), "fdb15")
    return Row(name=name, kind=kind, what=what, reach=reach, lower_is_better=lower, **more)


def _rates(by: str) -> tuple[Row, ...]:
    """The four rates and their two averages."""
    return (
        _row("fdb15_interrupt_respond", f"interrupted: answered that (judge: {by})"),
        _row("fdb15_backchannel_resume", f"nodded at: went on (judge: {by})"),
        _row("fdb15_other_resume", f"the user talks to somebody else: went on (judge: {by})"),
        _row("fdb15_background_resume", f"somebody talks behind: went on (judge: {by})"),
        _row(
            "fdb15_average",
            "mean of the four rates above; 75 for who answers once and then hears nothing",
            reach=REACH,
            unit="points",
            statistic="macro",
            weights=dict.fromkeys(WANTED, 1.0),  # fewer scenarios would be another measure
        ),
        _row(
            "fdb15_balanced",
            "the same, the interruption weighing as much as the other three; 50 for such a talker",
            reach=REACH,
            unit="points",
            statistic="macro",
            weights=BALANCE,
        ),
    )


def _other_labels(by: str) -> tuple[Row, ...]:
    return tuple(
        _row(name, f"{what} (judge: {by})", lower=True, statistic="macro")
        for name, (_, what) in OTHERS.items()
    )


def _changes(by: str) -> tuple[Row, ...]:
    """How the speech of who answers an interruption changes."""
    return tuple(
        _row(
            name,
            f"answered an interruption: words per minute after it, more than {beside} "
            f"(judge: {by}), mean without outliers",
            lower=None,
            unit="wpm",
            statistic="trimmed",
        )
        for name, beside in zip(CHANGES, ("before it", "when nobody interrupts"), strict=True)
    )


ROWS = (
    *_rates(JUDGE),
    *(
        _row(name.format(which), f"interrupted: {what}, mean{by}", lower=True, unit="s")
        for which, by in (("", ""), ("_webrtc", ", by webrtcvad, mode 2"))
        for name, what in zip(LATENCIES, MEANINGS, strict=True)
    ),
    *_other_labels(JUDGE),
    _row(
        "fdb15_no_response",
        "said nothing more after the overlap, mean of the four scenarios",
        lower=True,
        statistic="macro",
    ),
    *_changes(JUDGE),
)

JUDGED_ROWS = tuple(
    replace(row, name=row.name + JUDGED, reach=None)
    for rows in (_rates, _other_labels, _changes)
    for row in rows("a language model")
)

PAPER = "arXiv 2507.23159, table 2, as a third party gives it; judge gpt-4o-2024-08-06"
PAPER_ROWS = (
    *(row + JUDGED for row, _ in WANTED.values()),
    "fdb15_average" + JUDGED,
    *(name.format("") for name in LATENCIES),
)
PAPER_VALUES = {
    "Nova Sonic": (0.24, 0.98, 0.90, 0.98, 77.5, 2.25, 2.75),
    "Gemini Live": (0.33, 0.93, 0.99, 0.30, 63.8, 2.20, 2.62),
    "Freeze-Omni": (0.72, 0.80, 0.25, 0.25, 50.5, 1.42, 1.35),
    "GPT-4o Realtime": (0.78, 0.70, 0.02, 0.04, 38.5, 0.23, 1.50),
    "Moshi": (0.50, 0.06, 0.19, 0.07, 20.5, 1.16, 1.47),
}
AGENTS = {"AssemblyAI voice agent": (0.83, 0.84, 0.38, 0.94, 74.8, 2.27, 1.60)}
PORTED = {"MiniCPM-o 4.5": (0.77, 1.00, 0.30, 0.47, 63.5, None, None)}
PUBLISHED = (
    *reported(
        *("fdb15_average" + JUDGED, 77.8, 46.8, 48.3, 54.3, 39.0, 47.8, 45.5),
        note="its own LLM judge, formula unpublished",
    ),
    *tabled(PAPER_ROWS, PAPER_VALUES, PAPER, "2025-07"),
    *tabled(PAPER_ROWS, AGENTS, "AssemblyAI's re-run of the official program", "2026-05"),
    *tabled(PAPER_ROWS, PORTED, "port of williamLyh/InteractionGym", "2026"),
    *tabled(["fdb15_average" + JUDGED], {"DuplexOmni": (72.6,)}, "arXiv 2606.09186", "2026-06"),
)

SUITE = Suite(
    name="fdb15",
    what="Full-Duplex-Bench V1.5: " + ", ".join(PARTS),
    rows=ROWS,
    twin=items,
    load=load,
    together=together,
    score=score,
    published=PUBLISHED,
    how_to_get=HOW_TO_GET,
    baselines=("silent", "always", "deaf", "always_yields", "half_duplex", "perfect"),
)
