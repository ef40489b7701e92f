"""ProactiveVideoQA, streamed: answers that come unasked, when the film shows them.

Protocol of Thinking Machines Lab's post on interaction models (2026): a spoken question, two
seconds in which it may be acknowledged, then the film; a reply counts from its first sound, by all
its words. Scored by PAUC (bench.scoring.pauc). Films are shown without sound; subtitles that the
official annotation gives apart are not drawn into them. Knows nothing of systems.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from interplay.bench.scoring.judges import Judge, Verdict
from interplay.bench.scoring.pauc import (
    OMEGAS,
    Gold,
    Grade,
    Graded,
    area_ratio,
    by_judge,
    by_rule,
    grade_turn,
    is_reply,
)
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.scoring.watching import TAIL_S, said_during, watch
from interplay.bench.suites.base import Suite
from interplay.bench.suites.post import reported
from interplay.bench.suites.videos import find_file, find_video, read_list, take, wanted
from interplay.bench.traces.trace import Trace
from interplay.data.heldout import SEED_BASE
from interplay.data.item import Item
from interplay.data.scenes.events import KINDS, Change, Events, draw_events
from interplay.data.texts.vocabulary import NUMBERS
from interplay.errors import RecordError
from interplay.media.video_file import VideoFile

KIND = "pvqa"
CATEGORIES = ("EGO", "TV", "VAD", "WEB")
INSTRUCTION = (
    "Watch the video and stay quiet until a new moment answers the question. "
    "When one happens, say a concise answer. {question}"
)
REACTION_S = 0.2  # a picture is seen in one micro-turn, and answered in the next one at best
RELATED_S, REPLY_S = 2.2, 4.0  # of the drawn films, after a change
_QUESTIONS = {
    "counter": "What number does the counter change to?",
    "door": "Does the door open or close?",
    "lamp": "Which light goes on?",
    "gauge": "Which colour does the gauge move to?",
    "light": "Does the light go on or off?",
}
_DOOR = {"open": ("open", "opens", "opened", "opening"), "closed": ("close", "closes", "closed")}


def score(traces: Sequence[Trace]) -> Mapping[str, Sequence[Outcome]]:
    """Row name -> one outcome per item; replies are graded by rule."""
    rows: dict[str, list[Outcome]] = {**_pauc_rows(traces, _rule, "")}
    rows |= {"pvqa_no_response": [], "pvqa_duplicates": []}
    for trace in traces:
        said, golds = said_during(trace), [Gold.of(turn) for turn in trace.item.about["turns"]]
        missed = sum(not any(is_reply(gold, at_s) for at_s, _ in said) for gold in golds)
        rows["pvqa_no_response"].append(Outcome(value=float(missed), of=float(len(golds))))
        again = len(said) - len({text for _, text in said})
        rows["pvqa_duplicates"].append(Outcome(value=float(again), of=float(len(said))))
    return rows


def _rule(question: str, gold: Gold, said: str) -> Verdict[int]:
    return Verdict(value=by_rule(question, gold, said))


def _pauc_rows(traces: Sequence[Trace], grade: Grade, suffix: str) -> dict[str, list[Outcome]]:
    """The rows of PAUC, their names with a suffix."""
    rows: dict[str, list[Outcome]] = {name + suffix: [] for name in _OMEGA_OF}
    for trace in traces:
        about, said = trace.item.about, said_during(trace)
        golds = [Gold.of(turn) for turn in about["turns"]]
        graded = [grade_turn(about["question"], gold, said, grade) for gold in golds]
        notes = tuple(dict.fromkeys(note for turn in graded for note in turn.notes))
        for name, omega in _OMEGA_OF.items():
            outcome = _points(golds, graded, omega, trace.item.subset, notes)
            rows[name + suffix].append(outcome)
    return rows


def _points(
    golds: Sequence[Gold], graded: Sequence[Graded], omega: float, group: str, notes: tuple
) -> Outcome:
    """100 × PAUC summed over the gold answers of an item: the row is their pooled mean."""
    ratios = [
        area_ratio(turn.points, gold.reply_s[1] - gold.reply_s[0], omega)
        for gold, turn in zip(golds, graded, strict=True)
    ]
    return Outcome(value=100 * sum(ratios), of=float(len(ratios)), group=group, notes=notes)


def twin(n: int, seed: int = 0) -> list[Item]:
    """n drawn films of each kind of event."""
    items = []
    for number, kind in enumerate(KINDS):
        for index in range(n):
            rng = np.random.default_rng([SEED_BASE, seed, number, index, 9])
            num_changes = 3 if kind == "shape" else int(rng.integers(1, 4))
            film = draw_events(kind, rng, index, num_changes)
            asked = film.changes[int(rng.integers(num_changes))].colour
            question = _QUESTIONS.get(kind, f"What {asked} shape appears?")
            turns = _turns(film, asked)
            place = number * n + index
            items.append(_item(place, question, film, film.length_s, turns, kind, seed))
    return items


def _turns(film: Events, asked: str) -> list[dict[str, Any]]:
    """What is wanted at which change; changes in another colour than the asked one answer nothing
    and end the stretch of the one before."""
    turns = []
    ends = [change.time_s for change in film.changes[1:]] + [film.length_s + TAIL_S]
    for change, end_s in zip(film.changes, ends, strict=True):
        if change.colour != asked:
            continue
        content, keys = _answer(film.kind, change)
        reply_s = [change.time_s, min(change.time_s + REPLY_S, end_s)]
        related_s = [change.time_s, min(change.time_s + RELATED_S, reply_s[1])]
        turns.append({"content": content, "related_s": related_s, "reply_s": reply_s, "keys": keys})
    return turns


def _answer(kind: str, change: Change) -> tuple[str, list[list[str]]]:
    if kind == "counter":
        return NUMBERS[int(change.what)], [[change.what]]
    if kind == "door":
        return f"the door {'opens' if change.what == 'open' else 'closes'}", [
            [word] for word in _DOOR[change.what]
        ]
    return f"a {change.colour} {change.what}" if kind == "shape" else change.what, [[change.what]]


def _item(
    index: int,
    question: str,
    film: Any,
    film_s: float,
    turns: list[dict[str, Any]],
    subset: str,
    seed: int = 0,
) -> Item:
    return watch(
        KIND,
        index,
        INSTRUCTION.format(question=question),
        film,
        film_s,
        due=[(turn["content"], turn["reply_s"][0] + REACTION_S) for turn in turns],
        subset=subset,
        about={"question": question, "turns": turns},
        seed=seed,
    )


def load(folder: Path, n: int | None = None) -> list[Item]:
    """<folder>/{EGO,TV,VAD,WEB}/anno.json and videos/; at most n of each.

    Raises RecordError, VideoError."""
    found = [name for name in CATEGORIES if (folder / name / "anno.json").is_file()]
    if not found:
        find_file(folder, [f"{name}/anno.json" for name in CATEGORIES], "ProactiveVideoQA")
    items: list[Item] = []
    for name in found:
        path = folder / name / "anno.json"
        for entry in take(read_list(path), n):
            where = f"{path}, question {entry.get('question_id', '?')}"
            wanted(entry, ("video", "conversation", "answer"), where)
            folders = [path.parent / "videos", path.parent / "video", path.parent]
            file = VideoFile(find_video(folders, str(entry["video"])))
            question, turns = _annotated(entry, where)
            film_s = file.facts().length_s
            items.append(_item(len(items), question, file, film_s, turns, name))
    return items


def _annotated(entry: dict[str, Any], where: str) -> tuple[str, list[dict[str, Any]]]:
    """The question and the gold answers of an annotation."""
    asked, answers = entry["conversation"], entry["answer"]
    if not isinstance(asked, list) or not asked or not isinstance(answers, list) or not answers:
        raise RecordError(f"{where}: conversation and answer must be lists that are not empty")
    wanted(asked[0], ("content",), where)
    turns = []
    for answer in answers:
        wanted(answer, ("content", "reply_timespan"), where)
        reply_s = answer["reply_timespan"]
        related_s = answer.get("related_timespan", reply_s)
        for span in (reply_s, related_s):
            if not _is_span(span):
                raise RecordError(f"{where}: {span} is not [start, end] in seconds")
        turns.append({"content": answer["content"], "related_s": related_s, "reply_s": reply_s})
    return asked[0]["content"], turns


def _is_span(span: Any) -> bool:
    numbers = isinstance(span, list) and all(isinstance(value, int | float) for value in span)
    return numbers and len(span) == 2 and span[0] <= span[1]


_OMEGA_OF = {
    "pvqa_pauc": OMEGAS[1],
    "pvqa_pauc_categories": OMEGAS[1],
    "pvqa_pauc_w0": OMEGAS[0],
    "pvqa_pauc_w0_categories": OMEGAS[0],
    "pvqa_pauc_w1": OMEGAS[2],
    "pvqa_pauc_w1_categories": OMEGAS[2],
}


def _row(
    name: str, what: str, unit: Any = "points", reach: float | None = None, **kwargs: Any
) -> Row:
    return Row(name=name, kind=KIND, what=what, reach=reach, unit=unit, **kwargs)


REACH = 60  # by rule, ω = 0.5


def _pauc_row_list(suffix: str, grader: str) -> tuple[Row, ...]:
    text = f"100 × PAUC at ω = 0.5, graded by {grader}: mean over all gold answers; silence gets 25"
    return (
        _row(f"pvqa_pauc{suffix}", text, reach=None if suffix else REACH),
        _row(
            f"pvqa_pauc_categories{suffix}",
            f"the same by {grader}, mean over the means of categories",
            statistic="macro",
        ),
        *(
            row
            for omega, meaning in ((0, "all weight on time"), (1, "time does not count"))
            for row in (
                _row(f"pvqa_pauc_w{omega}{suffix}", f"by {grader} at ω = {omega}: {meaning}"),
                _row(
                    f"pvqa_pauc_w{omega}_categories{suffix}",
                    f"the same by {grader}, mean over the means of categories",
                    statistic="macro",
                ),
            )
        ),
    )


ROWS = (
    *_pauc_row_list("", "rule"),
    _row(
        "pvqa_no_response",
        "share of gold answers to which nothing was said",
        unit="fraction",
        lower_is_better=True,
    ),
    _row(
        "pvqa_duplicates",
        "share of utterances with the very words of an earlier one",
        unit="fraction",
        lower_is_better=True,
    ),
)
JUDGED = "_judged"


SUITE = Suite(
    name=KIND,
    what="answers a question when a film shows the answer (ProactiveVideoQA)",
    rows=ROWS,
    twin=twin,
    load=load,
    score=score,
    published=reported(
        f"pvqa_pauc{JUDGED}",
        33.5,
        25.0,
        note="revised (first version: 31.5), graded by a language model",
    ),
    how_to_get="ProactiveVideoQA: github.com/yellow-binary-tree/ProactiveVideoQA links the data; "
    "one folder each EGO, TV, VAD, WEB with anno.json and videos/.",
)


def judged(judge: Judge) -> Suite:
    """The suite with rows of its own for the grades of a language model, beside those by rule."""

    def score_with(traces: Sequence[Trace]) -> Mapping[str, Sequence[Outcome]]:
        return {**score(traces), **_pauc_rows(traces, by_judge(judge), JUDGED)}

    rows = (*ROWS, *_pauc_row_list(JUDGED, "a judge"))
    return replace(SUITE, rows=rows, score=score_with)
