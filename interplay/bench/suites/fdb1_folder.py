"""Items from the published folders of Full-Duplex-Bench V1, played open loop as they were recorded.

The oracles count aloud where they should answer; they take no pause of a recording for its end.
Knows nothing of scores.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from interplay.bench.suites import fdb_folder as published
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.item import At, Clip, Expect, Item, Say, StopBy
from interplay.errors import RecordError

PEOPLE = "icc_gt_distribution.json"
HOW_TO_GET = (
    "the folder v1_0 of Full-Duplex-Bench (links in the README of "
    "https://github.com/DanielLin94144/Full-Duplex-Bench; mirror Ssshangfu/Full-Duplex-Bench-Data "
    f"on Hugging Face) and beside its folders {PEOPLE} from v1_v1.5/evaluation of that repository; "
    "CC BY-NC 4.0; the recordings of CANDOR and ICC have terms of their own"
)
NUM_NODS, NODS_APART_S = 6, 3.0
Made = tuple[list[Clip], list[Expect], dict[str, Any]]


def load(folder: Path, num_items: int | None = None) -> list[Item]:
    """The first `num_items` of every part in the folder, or all.

    Raises RecordError or AudioError, one line, where the layout, an annotation or a sound is not
    as published.
    """
    return [_item(part, path) for part, path in published.item_folders(folder, FILES, num_items)]


def _item(part: str, path: Path) -> Item:
    track = published.sound(path)
    cues, expect, about = MAKERS[part](path, track)
    return Item(
        kind=f"fdb1_{about['part']}",
        seed=published.seed_of(part, path),
        length_s=len(track) / SAMPLE_RATE_HZ,
        cues=tuple(cues),
        expect=tuple(expect),
        subset=part,
        about=about | {"id": path.name},
    )


def _pause(path: Path, track: np.ndarray) -> Made:
    published.annotation(path / "pause.json", ("timestamp",))
    return published.clips(track, []), [], {"part": "pause"}


def _turn(path: Path, track: np.ndarray) -> Made:
    file = path / "turn_taking.json"
    found = published.annotation(file, ("timestamp",))["timestamp"]
    end_s, _ = published.span(file, found, len(track) / SAMPLE_RATE_HZ)
    if end_s == 0:
        raise RecordError(f"{file}: the turn ends at 0 s, before it began")
    answer = published.recital(0)
    expect: list[Expect] = [Say(text=(answer,), after=0)]
    return published.clips(track, [end_s]), expect, {"part": "turn", "cue": 0}


def _interrupt(path: Path, track: np.ndarray) -> Made:
    file = path / "interrupt.json"
    found = published.annotation(file, ("context", "interrupt", "timestamp"))
    cues, expect = overlapped(file, found["timestamp"], track)
    about = {"context": str(found["context"]), "interrupt": str(found["interrupt"])}
    return cues, expect, {"part": "interrupt", "cue": 1, **about}


def overlapped(file: Path, timestamp: Any, track: np.ndarray) -> tuple[list[Clip], list[Expect]]:
    """Cues of a recording with an overlap, the context first and the overlap second; expected is
    that the context is answered, and that the overlap is yielded to and answered."""
    start_s, end_s = published.span(file, timestamp, len(track) / SAMPLE_RATE_HZ)
    if not 0 < start_s < end_s:
        raise RecordError(f"{file}: {start_s:g}–{end_s:g} s leaves no room for a context before it")
    context_s = published.speech_end(track, start_s)
    cues = published.clips(track, [context_s, start_s, end_s], first=(0, 2))
    expect: list[Expect] = [
        Say(text=(published.recital(end_s - context_s + 1.0),), after=0),
        StopBy(after=1),
        Say(text=(published.recital(0),), after=1),
    ]
    return cues, expect


def _backchannel(path: Path, track: np.ndarray) -> Made:
    length_s = len(track) / SAMPLE_RATE_HZ
    people = _people(path)
    expect: list[Expect] = [
        At(text=("yeah",), after=0, due_s=time_s - length_s) for time_s in _nods(people, length_s)
    ]
    return published.clips(track, []), expect, {"part": "backchannel", "people": people}


def _people(path: Path) -> list[float]:
    """Where people put their backchannels in the recording of that number."""
    places = [path.parent / PEOPLE, path.parent.parent / PEOPLE]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise RecordError(
            f"{PEOPLE} is neither in {path.parent} nor beside it; copy it from v1_v1.5/evaluation "
            "of the official repository"
        )
    shares = published.annotation(file, (path.name,))[path.name]
    if not isinstance(shares, list) or not shares or min(shares) < 0 or sum(shares) <= 0:
        raise RecordError(f"{file}: {path.name} is not a list of shares; copy the file again")
    return [float(share) for share in shares]


def _nods(people: list[float], length_s: float) -> list[float]:
    """The moments at which most people nod, some seconds apart; all above the average."""
    times: list[float] = []
    often = [index for index in np.argsort(people)[::-1] if people[index] > np.mean(people)]
    for index in often:
        time_s = float(index) / max(1, len(people) - 1) * length_s
        if len(times) < NUM_NODS and all(abs(time_s - t) >= NODS_APART_S for t in times):
            times.append(time_s)
    return sorted(times)


MAKERS: dict[str, Callable[[Path, np.ndarray], Made]] = {
    "candor_pause_handling": _pause,
    "synthetic_pause_handling": _pause,
    "candor_turn_taking": _turn,
    "icc_backchannel": _backchannel,
    "synthetic_user_interruption": _interrupt,
}
FILES = {
    "candor_pause_handling": ("input.wav", "pause.json"),
    "synthetic_pause_handling": ("input.wav", "pause.json"),
    "candor_turn_taking": ("input.wav", "turn_taking.json"),
    "icc_backchannel": ("input.wav",),
    "synthetic_user_interruption": ("input.wav", "interrupt.json"),
}
