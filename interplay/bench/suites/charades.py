"""Charades, streamed: saying when a person starts an action and when they stop.

Protocol of Thinking Machines Lab's post on interaction models (2026), scored by temporal
intersection over union. Not the frame-wise average precision of the data set's own script
(Sigurdsson et al., 1604.01753), which is another task. Which items that post used is not known:
here every (video, action) whose action has exactly one interval there, of at least 2 s.
Knows nothing of systems.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.scoring.watching import watch, words_during
from interplay.bench.suites.base import Suite
from interplay.bench.suites.post import reported
from interplay.bench.suites.videos import find_file, find_video, read_table, take
from interplay.bench.traces.trace import Span, Trace, Word
from interplay.data.heldout import SEED_BASE
from interplay.data.item import Item
from interplay.data.scenes.action import KINDS, draw_action
from interplay.errors import RecordError
from interplay.media.video_file import VideoFile

KIND = "charades"
INSTRUCTION = "Say 'start' when the person starts doing {action} then say 'Stop' when they stop."
START, STOP = frozenset(["start"]), frozenset(["stop", "stopped"])
LENIENT_START = frozenset(["start", "started", "starting", "begin", "now"])
MIN_LENGTH_S = 2.0
RECALLS = {"charades_r30": 0.3, "charades_r50": 0.5, "charades_r70": 0.7}
_ACTION = re.compile(r"(c\d{3}) ([\d.]+) ([\d.]+)")


@dataclass(frozen=True, kw_only=True)
class Marks:
    """When the start and the stop were said, seconds of film; None where they were not."""

    start_s: float | None
    stop_s: float | None


def marks(words: Sequence[Word], starts: frozenset[str] = START) -> Marks:
    """The first start word, and the first "stop" or "stopped" after it."""
    for index, word in enumerate(words):
        if word.text in starts:
            later = [w.start_s for w in words[index + 1 :] if w.text in STOP]
            return Marks(start_s=word.start_s, stop_s=later[0] if later else None)
    return Marks(start_s=None, stop_s=None)


def overlap_ratio(said: Span, truth: Span) -> float:
    """Intersection over the stretch that both cover together; 0 if that is empty."""
    union = max(said[1], truth[1]) - min(said[0], truth[0])
    common = min(said[1], truth[1]) - max(said[0], truth[0])
    return max(0.0, common) / union if union > 0 else 0.0


def strict(found: Marks, truth: Span) -> float:
    """0 unless both were said."""
    if found.start_s is None or found.stop_s is None:
        return 0.0
    return overlap_ratio((found.start_s, found.stop_s), truth)


def lenient(found: Marks, truth: Span, film_s: float) -> float:
    """An action that was not stopped lasts to the end of the film."""
    if found.start_s is None:
        return 0.0
    return overlap_ratio((found.start_s, film_s if found.stop_s is None else found.stop_s), truth)


def score(traces: Sequence[Trace]) -> Mapping[str, Sequence[Outcome]]:
    """Row name -> one outcome per item."""
    rows: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        about, words = trace.item.about, words_during(trace)
        truth, film_s = (about["start_s"], about["end_s"]), about["film_s"]
        found = marks(words)
        ratio = strict(found, truth)
        values: dict[str, float | None] = {
            "charades_miou": 100 * ratio,
            "charades_miou_lenient": 100 * lenient(marks(words, LENIENT_START), truth, film_s),
            "charades_miou_whole": 100 * overlap_ratio((0.0, film_s), truth),
            "charades_start_error_s": _minus(found.start_s, truth[0]),
            "charades_stop_error_s": _minus(found.stop_s, truth[1]),
        }
        values |= {name: 100.0 * (ratio >= least) for name, least in RECALLS.items()}
        for name, value in values.items():
            notes = _missing(found) if name == "charades_miou" else ()
            rows[name].append(Outcome(value=value, notes=notes))
        rows["charades_no_response"].append(Outcome(value=float(not words)))
    return rows


def _minus(said_s: float | None, true_s: float) -> float | None:
    return None if said_s is None else said_s - true_s


def _missing(found: Marks) -> tuple[str, ...]:
    if found.start_s is None:
        return ("no_start",)
    return () if found.stop_s is not None else ("no_stop",)


def twin(n: int, seed: int = 0) -> list[Item]:
    """n drawn films with an action of 3 to 7 s."""
    items = []
    for index in range(n):
        film = draw_action(np.random.default_rng([SEED_BASE, seed, index, 10]), index)
        span = (film.start_s, film.end_s)
        items.append(_item(index, KINDS[film.kind], film, film.length_s, span, "twin", seed))
    return items


def _item(
    index: int, action: str, film: Any, film_s: float, span: Span, subset: str, seed: int = 0
) -> Item:
    return watch(
        KIND,
        index,
        INSTRUCTION.format(action=action),
        film,
        film_s,
        due=[("start", span[0]), ("stop", span[1])],
        subset=subset,
        about={"action": action, "start_s": span[0], "end_s": span[1]},
        seed=seed,
    )


def load(folder: Path, n: int | None = None) -> list[Item]:
    """Charades_v1_test.csv, Charades_v1_classes.txt, Charades_v1_480/ID.mp4. Raises RecordError,
    VideoError."""
    what = "Charades annotation"
    table = find_file(folder, ("Charades_v1_test.csv", "Charades/Charades_v1_test.csv"), what)
    classes = _classes(find_file(table.parent, ("Charades_v1_classes.txt",), what))
    rows = read_table(table, ("id", "actions", "length"))
    chosen = [(row["id"], *action) for row in rows for action in _single_actions(row, table)]
    if not chosen:
        raise RecordError(f"{table} has no action with one interval of {MIN_LENGTH_S:g} s or more")
    places = ("Charades_v1_480", "Charades_v1", "videos", ".")
    folders = [base / place for base in dict.fromkeys((folder, table.parent)) for place in places]
    items = []
    for index, (name, code, start_s, end_s) in enumerate(take(chosen, n)):
        if code not in classes:
            raise RecordError(f"{table}: {name} has the action {code}, which the classes lack")
        file = VideoFile(find_video(folders, name))
        film_s = file.facts().length_s
        if start_s >= film_s:
            raise RecordError(
                f"{table}: {name} has an action at {start_s:g} s, but its video lasts "
                f"{film_s:.1f} s; get the video again"
            )
        items.append(_item(index, classes[code], file, film_s, (start_s, min(end_s, film_s)), code))
    return items


def _classes(path: Path) -> dict[str, str]:
    """c000 -> what is done, in small letters."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from error
    pairs = [line.split(" ", 1) for line in lines if line]
    if not pairs or any(len(p) != 2 or not re.fullmatch(r"c\d{3}", p[0]) for p in pairs):
        raise RecordError(f"{path} is not lines such as 'c092 Working on paper'; get it again")
    return {code: text.lower() for code, text in pairs}


def _single_actions(row: Mapping[str, str], table: Path) -> list[tuple[str, float, float]]:
    """(class, start, end) of the actions that a video has once, long enough."""
    parts = [part for part in (row["actions"] or "").split(";") if part.strip()]
    found = [_ACTION.fullmatch(part.strip()) for part in parts]
    if not all(found):
        raise RecordError(
            f"{table}: the actions of {row['id']} are not like 'c092 11.90 21.20;c147 0.00 12.60'"
        )
    spans = [(match[1], float(match[2]), float(match[3])) for match in found if match]
    codes = [code for code, _, _ in spans]
    return [s for s in spans if codes.count(s[0]) == 1 and s[2] - s[1] >= MIN_LENGTH_S]


def _row(
    name: str, what: str, unit: Any = "points", reach: float | None = None, **kwargs: Any
) -> Row:
    return Row(name=name, kind=KIND, what=what, reach=reach, unit=unit, **kwargs)


ROWS = (
    _row(
        "charades_miou",
        'intersection over union of "start" … "stop" with the action, mean',
        reach=70,
    ),
    _row(
        "charades_miou_lenient",
        'the same, also "started", "begin" or "now", and to the end of the film without a "stop"',
    ),
    *(
        _row(name, f"share of items with an intersection over union of at least {least}")
        for name, least in RECALLS.items()
    ),
    _row(
        "charades_start_error_s",
        '"start" after (below zero: before) the true start, median; not corrected for the time '
        "that speaking takes",
        unit="s",
        statistic="median",
    ),
    _row("charades_stop_error_s", 'the same of "stop"', unit="s", statistic="median"),
    _row(
        "charades_miou_whole",
        "charades_miou of whoever marks the whole film, start at 0 and stop at its end",
        lower_is_better=None,
    ),
    _row(
        "charades_no_response",
        "films during which no word was said",
        unit="fraction",
        lower_is_better=True,
    ),
)
SUITE = Suite(
    name=KIND,
    what="says when an action starts and stops (Charades)",
    rows=ROWS,
    twin=twin,
    load=load,
    score=score,
    published=reported("charades_miou", 32.4, 0.0, note="revised (first version: 30.4)"),
    how_to_get="Charades: prior.allenai.org/projects/charades, the annotations "
    "(Charades_v1_test.csv, Charades_v1_classes.txt) and the videos at 480 pixels "
    "(Charades_v1_480/), side by side in one folder. Non-commercial use.",
)
