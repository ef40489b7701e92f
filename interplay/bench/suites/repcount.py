"""RepCount-A, streamed: counting repetitions aloud while they happen.

Protocol of Thinking Machines Lab's post on interaction models (2026): a spoken instruction, then
the film; the prediction is the last number that is said after the true end of the last repetition
but one. Errors as in TransRAC (Hu et al., CVPR 2022, arXiv 2204.01018). Knows nothing of systems.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median, median_low

import numpy as np

from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.scoring.watching import watch, words_during
from interplay.bench.suites.base import Suite
from interplay.bench.suites.post import reported
from interplay.bench.suites.videos import find_file, find_video, read_table, take
from interplay.bench.traces.trace import Trace
from interplay.bench.wording.numbers import cardinals, last_number
from interplay.bench.wording.spelling import number_words
from interplay.data.heldout import SEED_BASE
from interplay.data.item import Item
from interplay.data.scenes.reps import KINDS, draw_reps
from interplay.errors import RecordError
from interplay.media.video_file import VideoFile

KIND = "repcount"
INSTRUCTION = "Please count out reps for {action}."
METRONOME_S = 2.0  # the baseline that counts without looking: one more every so often
SPARE_S = 1e-6
_NAMES = {"others": "the movement", "jump_jack": "jumping jacks", "situp": "sit ups"}
_CYCLE = re.compile(r"L\d+")


def off_by_one(said: int | None, count: int) -> float:
    """100 if a number was said and is within one of the truth, else 0."""
    return 100.0 if said is not None and abs(said - count) <= 1 else 0.0


def relative_error(said: int | None, count: int) -> float:
    """|said - count| / (count + 0.1); no number is the number zero. The paper's "MAE"."""
    return abs((said or 0) - count) / (count + 0.1)


def prediction(trace: Trace) -> int | None:
    """The last number of the words from the end of the last repetition but one on."""
    ends_s = trace.item.about["ends_s"]
    from_s = ends_s[-2] if len(ends_s) > 1 else 0.0
    return last_number([w for w in words_during(trace) if w.start_s >= from_s - SPARE_S])


def metronome(ends_s: Sequence[float], film_s: float) -> int | None:
    """What counting every two seconds gets: its last number, None if that came too early."""
    count = int((film_s + SPARE_S) / METRONOME_S)
    from_s = ends_s[-2] if len(ends_s) > 1 else 0.0
    return count if count and count * METRONOME_S >= from_s - SPARE_S else None


def count_errors(trace: Trace) -> dict[int, float]:
    """k -> seconds from the end of repetition k to the nearest "k" that was said."""
    said = cardinals(words_during(trace))
    errors = {}
    for k, end_s in enumerate(trace.item.about["ends_s"], 1):
        late = [number.time_s - end_s for number in said if number.value == k]
        if late:
            errors[k] = min(late, key=abs)
    return errors


def score(traces: Sequence[Trace]) -> Mapping[str, Sequence[Outcome]]:
    """Row name -> one outcome per item."""
    rows: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        about, said, errors = trace.item.about, prediction(trace), count_errors(trace)
        count, missing = about["count"], about["count"] - len(errors)
        notes = () if said is not None else ("no_number",)
        beat = metronome(about["ends_s"], about["film_s"])
        found = list(errors.values())
        values = {
            "repcount_obo": off_by_one(said, count),
            "repcount_mae": relative_error(said, count),
            "repcount_timing_s": median(map(abs, found)) if found else None,
            "repcount_bias_s": median(found) if found else None,
            "repcount_obo_constant": off_by_one(about["usual"], count),
            "repcount_mae_constant": relative_error(about["usual"], count),
            "repcount_obo_metronome": off_by_one(beat, count),
        }
        for name, value in values.items():
            own = name in ("repcount_obo", "repcount_mae")
            rows[name].append(Outcome(value=value, notes=notes if own else ()))
        rows["repcount_no_response"].append(Outcome(value=float(not words_during(trace))))
        rows["repcount_missing"].append(Outcome(value=float(missing), of=float(count)))
    return rows


def twin(n: int, seed: int = 0) -> list[Item]:
    """n drawn films of 3 to 15 repetitions."""
    items = []
    for index in range(n):
        rng = np.random.default_rng([SEED_BASE, seed, index, 8])
        film = draw_reps(rng, index)
        ends_s = [end for _, end in film.cycles]
        items.append(_item(index, KINDS[film.kind], film, film.length_s, ends_s, "twin", seed))
    return with_usual(items)


def _item(index, action, frames, length_s, ends_s, subset, seed=0) -> Item:
    due = [(" ".join(number_words(k)), end_s) for k, end_s in enumerate(ends_s, 1)]
    about = {"action": action, "count": len(ends_s), "ends_s": list(ends_s)}
    instruction = INSTRUCTION.format(action=action)
    return watch(
        KIND, index, instruction, frames, length_s, due=due, subset=subset, about=about, seed=seed
    )


def load(folder: Path, n: int | None = None) -> list[Item]:
    """The test part: annotation/test.csv, video/test/. The count is the number of annotated
    cycles, as in the official evaluation; films without any have no end to count to and are left
    out. Raises RecordError, VideoError."""
    table = find_file(folder, ("annotation/test.csv", "test.csv"), "RepCount-A annotation")
    rows = read_table(table, ("type", "name", "L1", "L2"))
    rows = [row for row in rows if any(_CYCLE.fullmatch(k) and v for k, v in row.items())]
    if not rows:
        raise RecordError(f"{table} has no row with cycles in L1, L2 ...; get it again")
    folders = [folder / place for place in ("video/test", "videos/test", "test", "video", ".")]
    items = []
    for index, row in enumerate(take(rows, n)):
        file = VideoFile(find_video(folders, row["name"]))
        facts = file.facts()
        ends_s = [frame / facts.rate_hz for frame in _cycle_ends(row, table)]
        if ends_s[-1] > facts.length_s + 1.0:
            raise RecordError(
                f"{table}: {row['name']} has a cycle that ends at {ends_s[-1]:.1f} s, but the "
                f"video lasts {facts.length_s:.1f} s; its frame rate may have been changed"
            )
        action = _NAMES.get(row["type"], row["type"].replace("_", " "))
        items.append(_item(index, action, file, facts.length_s, ends_s, row["type"]))
    return with_usual(items)


def with_usual(items: list[Item]) -> list[Item]:
    """The items, told the median of all their counts: what a system that never looks would say."""
    usual = median_low(item.about["count"] for item in items) if items else 0
    return [replace(item, about={**item.about, "usual": usual}) for item in items]


def _cycle_ends(row: dict[str, str], table: Path) -> list[float]:
    """Last frame of every cycle; the cells hold start, end, start, end."""
    cells = sorted((int(k[1:]), v) for k, v in row.items() if _CYCLE.fullmatch(k) and v)
    try:
        frames = [float(value) for _, value in cells]
    except ValueError as error:
        raise RecordError(f"{table}: {row['name']} has a cycle that is no number") from error
    if len(frames) % 2 or any(b < a for a, b in pairwise(frames)):
        raise RecordError(
            f"{table}: the cycles of {row['name']} are not pairs of frames in order; get it again"
        )
    return frames[1::2]


ROWS = (
    Row(
        name="repcount_obo",
        kind=KIND,
        what="last number said after the last repetition but one is within one of the count",
        reach=85,
        unit="points",
    ),
    Row(
        name="repcount_mae",
        kind=KIND,
        what="|number - count| / (count + 0.1) of that number; no number counts as zero",
        reach=None,
        lower_is_better=True,
        unit="number",
    ),
    Row(
        name="repcount_timing_s",
        kind=KIND,
        what='time between the end of repetition k and the nearest "k", median of medians',
        reach=None,
        lower_is_better=True,
        unit="s",
        statistic="median",
    ),
    Row(
        name="repcount_bias_s",
        kind=KIND,
        what="the same with its sign; below zero: ahead of the repetition",
        reach=None,
        unit="s",
        statistic="median",
    ),
    Row(
        name="repcount_missing",
        kind=KIND,
        what="share of repetitions whose number was never said",
        reach=None,
        lower_is_better=True,
    ),
    Row(
        name="repcount_no_response",
        kind=KIND,
        what="films during which no word was said",
        reach=None,
        lower_is_better=True,
    ),
    Row(
        name="repcount_obo_constant",
        kind=KIND,
        what="repcount_obo of whoever always says the median count of these items",
        reach=None,
        lower_is_better=None,
        unit="points",
    ),
    Row(
        name="repcount_mae_constant",
        kind=KIND,
        what="repcount_mae of the same",
        reach=None,
        lower_is_better=None,
        unit="number",
    ),
    Row(
        name="repcount_obo_metronome",
        kind=KIND,
        what="repcount_obo of whoever counts on every two seconds without looking",
        reach=None,
        lower_is_better=None,
        unit="points",
    ),
)
SUITE = Suite(
    name=KIND,
    what="counts repetitions aloud while it watches them (RepCount-A)",
    rows=ROWS,
    twin=twin,
    load=load,
    score=score,
    published=reported("repcount_obo", 35.4, 1.3, note="revised (first version: 33.4)"),
    how_to_get="RepCount-A: github.com/SvipRepetitionCounting/TransRAC links the data (part A; "
    "annotation/test.csv and video/test/). For research; the code's licence is Anti-996.",
)
