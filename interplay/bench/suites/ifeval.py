"""IFEval: instructions whose following can be verified, typed to the system (arXiv 2311.07911).

The prompt arrives on `read`; the reply is everything on `say` from then on, as it was written,
spoken or not. The authors define four accuracies and no single one; `ifeval` is their mean, the
convention of VoiceBench. Knows nothing of systems.
"""

from collections.abc import Sequence
from pathlib import Path

from interplay.bench.scoring.instructions import PARTS, instructions_of, outcomes_of
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites.base import Outcomes, Suite
from interplay.bench.suites.following import Prompt, prompts
from interplay.bench.suites.post import reported
from interplay.bench.suites.tables import rows_of
from interplay.bench.traces.trace import Trace
from interplay.bench.wording.written import NOTHING, speakable
from interplay.data.heldout import SEED_BASE, duration_s
from interplay.data.item import Cue, Item, Say, Type, When

REPLY_S = 60.0  # for a reply to a published prompt
TYPED_S = 0.15  # a word on `read`, at four tokens in 0.2 s and up to three tokens a word
BEGIN_S = 1.0
_WHAT = {
    "prompt_strict": "prompts of which every instruction is followed, reply as it stands",
    "instruction_strict": "instructions followed, reply as it stands",
    "prompt_loose": "prompts followed by one of eight trimmed versions of the reply",
    "instruction_loose": "instructions followed by one of eight trimmed versions of the reply",
}


def rows_for(name: str) -> tuple[Row, ...]:
    """The six rows of a suite of such prompts."""
    parts = [
        Row(name=f"{name}_{part}", kind=name, what=_WHAT[part], reach=None, unit="points")
        for part in PARTS
    ]
    what = "mean of the four accuracies above (the convention of VoiceBench)"
    mean = Row(name=name, kind=name, what=what, reach=None, unit="points", statistic="macro")
    what = "prompts to which nothing came on `say`"
    silence = Row(
        name=f"{name}_no_response", kind=name, what=what, reach=None, lower_is_better=True
    )
    return (*parts, mean, silence)


def score_as(name: str, traces: Sequence[Trace]) -> Outcomes:
    """Outcomes of the six rows."""
    found: dict[str, list[Outcome]] = {row.name: [] for row in rows_for(name)}
    for trace in traces:
        span = trace.cues[0]
        reply = "" if span is None else trace.written(span[0])
        instructions = instructions_of(trace.item.about, f"{name} {trace.item.subset}")
        for part, outcome in outcomes_of(reply, instructions).items():
            found[f"{name}_{part}"].append(outcome)
            found[name].append(outcome)
        found[f"{name}_no_response"].append(Outcome(value=float(not reply.strip())))
    return found


def about(prompt: Prompt) -> dict:
    """What an item carries to be scored by."""
    return {"instruction_id_list": list(prompt.ids), "kwargs": list(prompt.kwargs)}


def reply_s(text: str) -> float:
    """More than a slow voice needs for a written reply."""
    return duration_s(speakable(text) or NOTHING)


def twin(n: int, seed: int) -> list[Item]:
    return [
        _item(
            prompt.text,
            SEED_BASE + seed * 100_000 + k,
            reply_s(prompt.reply) + 2.5,
            about(prompt),
            (Say(text=(prompt.reply,), after=0),),
        )
        for k, prompt in enumerate(prompts(n, seed))
    ]


def load(folder: Path, n: int | None) -> list[Item]:
    """`input_data.jsonl` of the authors. Raises RecordError where it is not as published."""
    items = []
    for where, row in rows_of(folder, "input_data", ("key", "prompt")):
        if n is not None and len(items) >= n:
            break
        instructions_of(row, where)  # complain now, not after an hour of playing
        kept = {key: row[key] for key in ("key", "instruction_id_list", "kwargs")}
        items.append(_item(row["prompt"], SEED_BASE + len(items), REPLY_S, kept))
    return items


def _item(text: str, number: int, tail_s: float, about: dict, expect: tuple[Say, ...] = ()) -> Item:
    cues: tuple[Cue, ...] = (Type(text=text, at=When(seconds=BEGIN_S)),)
    length_s = BEGIN_S + TYPED_S * len(text.split()) + 0.4 + tail_s
    return Item(
        kind="ifeval", seed=number, length_s=length_s, cues=cues, expect=expect, about=about
    )


SUITE = Suite(
    name="ifeval",
    what="verifiable instructions in typed prompts",
    rows=rows_for("ifeval"),
    twin=twin,
    score=lambda traces: score_as("ifeval", traces),
    load=load,
    published=reported("ifeval", 89.7, 89.6, 87.5, 85.8, 83.4, 95.2, 90.0),
    how_to_get="input_data.jsonl of google-research/instruction_following_eval on GitHub "
    "(Apache-2.0, 541 prompts). Published numbers do not say which of the accuracies they are.",
)
