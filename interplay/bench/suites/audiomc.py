"""Audio MultiChallenge: does the last reply hold what was said before (arXiv 2512.14865).

Fixed context: every turn of the user is sound; the assistant's earlier turns are reference text,
given to the system after each of them as what it has said itself: to ours as context on `read`,
over Realtime as a message of the assistant (a full-duplex system cannot be made to have said
them; its own replies to earlier turns are ignored). Only what comes on `say` after the last turn
is judged, rubric by rubric. APR: conversations with all rubrics met; ARS: mean share of rubrics
met. Rubrics of the twin are word sets, decided by rule; published ones are sentences and need a
judge (`judged`), and the two have rows of their own. Knows nothing of systems.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from interplay.bench.scoring.judges import Judge, Verdict, ask, json_field
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites.audiomc_twin import twin
from interplay.bench.suites.base import Outcomes, Published, Suite
from interplay.bench.suites.ifeval import TYPED_S
from interplay.bench.suites.post import reported
from interplay.bench.suites.tables import rows_of, sound_of
from interplay.bench.traces.trace import Trace
from interplay.bench.wording.rules import meets
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.heldout import SEED_BASE
from interplay.data.item import Clip, Cue, Item, Noise, Speak, Type, When
from interplay.errors import RecordError

AXES = ("INFERENCE_MEMORY", "INSTRUCTION_RETENTION", "SELF_COHERENCE", "VOICE_EDITING")
MAX_TURNS = 8
GAP_S = 1.0  # between a turn and the reference reply, and the next turn
REPLY_S = 60.0
LEAD_S = 0.3  # `say` may run this far ahead of the end of the last turn
SYSTEM = (
    "You judge the last reply of an assistant in a conversation by one criterion. A transcript of "
    "speech may lack punctuation and capitals; that is no fault. A criterion that is met in part "
    'is not met. Answer with one JSON object: {"explanation": why, "criteria_met": true or false}'
)
Rubric = Any  # a sentence, or a word rule of bench.wording.rules
Decide = Callable[[Trace, Rubric], Verdict[bool]]


def rows_for(ending: str, by: str) -> tuple[Row, ...]:
    """APR and ARS, of all and of each axis. ending: of their names; by: who decides."""
    rows = []
    for short, what in (
        ("apr", "conversations whose last reply meets every rubric"),
        ("ars", "share of rubrics met, mean of conversations"),
    ):
        for axis in ("", *AXES):
            tail = f"_{axis.lower()}" if axis else ""
            about = f"{what}{', ' + axis.lower().replace('_', ' ') if axis else ''}; {by}"
            name = f"audiomc_{short}{tail}{ending}"
            rows.append(Row(name=name, kind="audiomc", what=about, reach=None))
    return tuple(rows)


def by_rule(trace: Trace, rubric: Rubric) -> Verdict[bool]:
    """A word rule is decided; a sentence is not, and counted."""
    if not isinstance(rubric, Mapping):
        return Verdict(value=None, notes=("needs_judge",))
    return Verdict(value=meets(reply_of(trace), rubric))


def reply_of(trace: Trace) -> str:
    """What is on `say` after the last turn of the user."""
    span = trace.cues[trace.item.about["last"]]
    return "" if span is None else trace.written(span[1] - LEAD_S)


def score_by(decide: Decide, ending: str, traces: Sequence[Trace]) -> Outcomes:
    """Outcomes of all rows; a conversation with an undecided rubric is left out and counted."""
    found: dict[str, list[Outcome]] = {row.name: [] for row in rows_for(ending, "")}
    for trace in traces:
        is_empty = not reply_of(trace).strip()
        rubrics = trace.item.about["rubrics"]
        verdicts = [Verdict(value=False)] * len(rubrics)
        if not is_empty:
            verdicts = [decide(trace, rubric) for rubric in rubrics]
        notes = dict.fromkeys(note for verdict in verdicts for note in verdict.notes)
        notes |= {"empty": None} if is_empty else {}
        met = [verdict.value for verdict in verdicts]
        of = float(None not in met)
        share = sum(map(bool, met)) / len(met)
        for short, value in (("apr", float(all(met))), ("ars", share)):
            outcome = Outcome(value=value * of, of=of, notes=tuple(notes), group=trace.item.subset)
            for tail in ("", f"_{trace.item.subset.lower()}"):
                found[f"audiomc_{short}{tail}{ending}"].append(outcome)
    return found


def judged(judge: Judge) -> Suite:
    """The suite with rows of its own for what `judge` decides, one question for each rubric."""

    def decide(trace: Trace, rubric: Rubric) -> Verdict[bool]:
        user = (
            f"Conversation:\n{_conversation(trace)}\n\nLast reply:\n{reply_of(trace)}\n\n"
            f"Criterion:\n{rubric if isinstance(rubric, str) else _worded(rubric)}"
        )
        return ask(judge, SYSTEM, user, _met)

    def score_with(traces: Sequence[Trace]) -> Outcomes:
        return {**score(traces), **score_by(decide, "_judged", traces)}

    return replace(SUITE, rows=(*ROWS, *rows_for("_judged", "by a judge")), score=score_with)


def _met(reply: str) -> bool | None:
    met = json_field(reply, "criteria_met")
    return met if isinstance(met, bool) else None


def _conversation(trace: Trace) -> str:
    texts = []
    for cue in trace.item.cues:
        if isinstance(cue, Type):
            texts.append(("Assistant", cue.text))
        elif isinstance(cue, Speak | Clip):
            texts.append(("User", cue.word if isinstance(cue, Clip) else cue.text))
    return "\n".join(f"{name}: {text}" for name, text in texts)


def _worded(rule: Mapping[str, Any]) -> str:
    """A word rule as a sentence."""
    parts = [f"one of: {', '.join(words)}" for words in rule["all_of"]]
    unwanted = ", ".join(rule.get("none_of", ()))
    text = f"The reply says {'; and '.join(parts)}."
    return f"{text} It says none of: {unwanted}." if unwanted else text


def score(traces: Sequence[Trace]) -> Outcomes:
    silent = [Outcome(value=float(not reply_of(trace).strip())) for trace in traces]
    return {**score_by(by_rule, "", traces), SILENT.name: silent}


def load(folder: Path, n: int | None) -> list[Item]:
    """The first n of every axis: the Parquet files of ScaleAI/audiomc, or `audiomc.jsonl` with the
    same columns and wav files. Raises RecordError where a column is missing or an axis is
    unknown."""
    items: list[Item] = []
    columns = ("id", "axis", "rubric", "user_turn_1_audio")
    left = dict.fromkeys(AXES, math.inf if n is None else n)
    for number, (where, row) in enumerate(rows_of(folder, "audiomc", columns)):
        if not any(left.values()):
            break
        axis = str(row["axis"]).upper().replace(" ", "_").replace("-", "_")
        if axis not in AXES:
            raise RecordError(f"{where}: unknown axis {row['axis']!r}; known: {', '.join(AXES)}")
        if not left[axis]:
            continue
        left[axis] -= 1
        cues, last, length_s = _turns(row, where)
        about = {"id": row["id"], "rubrics": rubrics_of(row["rubric"], where), "last": last}
        items.append(
            Item(
                kind="audiomc",
                seed=SEED_BASE + number,
                length_s=length_s + REPLY_S,
                cues=(*cues, Noise(level_db=-65.0)),
                expect=(),
                subset=axis,
                about=about,
            )
        )
    return items


def _turns(row: Mapping[str, Any], where: str) -> tuple[list[Cue], int, float]:
    """The cues of a conversation, the index of the last turn, and when that ends. Raises
    RecordError for one without a turn."""
    cues: list[Cue] = []
    last, length_s = 0, 0.6
    at = When(seconds=0.6)
    for turn in range(1, MAX_TURNS + 1):
        sound = row.get(f"user_turn_{turn}_audio")
        if sound is None:
            break
        samples = sound_of(sound, where)
        text = row.get(f"user_turn_{turn}_transcript") or "speech"
        last = len(cues)
        cues.append(Clip(samples=samples, word=text, at=at))
        length_s += len(samples) / SAMPLE_RATE_HZ
        given = row.get(f"assistant_turn_{turn}_transcript")
        at = When(seconds=GAP_S, after="cue_end", cue=last)
        if given:
            cues.append(Type(text=given, at=at, control=""))
            length_s += 2 * GAP_S + TYPED_S * len(given.split()) + 0.4
            at = When(seconds=GAP_S, after="cue_end", cue=len(cues) - 1)
    if not cues:
        raise RecordError(f"{where}: user_turn_1_audio is empty; get the file again")
    if isinstance(cues[-1], Type):  # a reply to the last turn would give the answer away
        del cues[-1]
    return cues, last, length_s


def rubrics_of(cell: Any, where: str) -> list[str]:
    """The rubrics of a cell: a list, a JSON list, or one in each line. Raises RecordError if
    there are none."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except ValueError:
            cell = [line.strip(" -*\t") for line in cell.splitlines()]
    if isinstance(cell, Mapping):
        cell = cell.get("rubrics", list(cell.values()))
    found = [_sentence(rubric) for rubric in cell] if isinstance(cell, list) else []
    found = [rubric for rubric in found if rubric]
    if not found:
        raise RecordError(f"{where}: no rubrics in {cell!r:.60}; a list of sentences is wanted")
    return found


def _sentence(rubric: Any) -> str:
    if isinstance(rubric, Mapping):
        rubric = rubric.get("rubric") or rubric.get("criterion") or rubric.get("text") or ""
    return str(rubric).strip()


SILENT = Row(
    name="audiomc_no_response",
    kind="audiomc",
    what="conversations whose last turn nothing on `say` follows",
    reach=None,
    lower_is_better=True,
)
ROWS = (*rows_for("", "by rule"), SILENT)
SUITE = Suite(
    name="audiomc",
    what="what the last reply of a spoken conversation holds",
    rows=ROWS,
    twin=twin,
    score=score,
    load=load,
    published=(
        *reported("audiomc_apr_judged", 0.434, 0.376, 0.347, 0.268, None, 0.485, 0.361),
        Published(
            row="audiomc_apr_judged",
            system="Gemini 3 Pro (thinking)",
            value=0.5465,
            source="arXiv 2512.14865",
            date="2025-12",
        ),
    ),
    how_to_get="the Parquet files of ScaleAI/audiomc on Hugging Face (MIT, 452 conversations, "
    "5.3 GB) in one folder; its own judge is o4-mini, one rubric a question.",
)
