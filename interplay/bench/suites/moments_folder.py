"""Items of TimeSpeak-open and CueSpeak-open from files: FAMILY/ID.wav and FAMILY/ID.json.

As `interplay bench export` writes them (bench.publish), or anybody with other voices: the sound is
played sample for sample, and all times are those of the file. Every error is one line that names
it. Knows nothing of families or scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from interplay.bench.suites import fdb_folder as published
from interplay.bench.traces.trace import Span, to_int16
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.item import At, Expect, Item, Say
from interplay.data.moments import Moment, Plan, Stretch
from interplay.errors import RecordError
from interplay.media.audio import read_audio

KEYS = ("suite", "family", "seed", "audio", "script", "expect", "probe")
GAP_S = 0.5  # between utterances, where the file does not say
ROUNDED_S = 1e-3  # times in a file may be off by so much
FORM = "docs/timespeak.md tells what an item looks like"
Found = Mapping[str, Any]


def load(folder: Path, num_items: int | None, suite: str) -> list[Item]:
    """The first `num_items` of every family in a folder, or all.

    Raises RecordError or AudioError, one line, where nothing of the kind is there, or a file is not
    as described.
    """
    if not folder.is_dir():
        raise RecordError(f"{folder} is not a folder; give one that `interplay bench export` wrote")
    paths = sorted(folder.glob("*/*.json")) or sorted(folder.glob("*.json"))
    if not paths:
        raise RecordError(
            f"{folder} holds no items (FAMILY/ID.json, with a WAV beside each); write some with "
            f"`interplay bench export {suite} {folder}`"
        )
    items: list[Item] = []
    counts: dict[str, int] = {}
    for path in paths:
        found = published.annotation(path, KEYS)
        if found["suite"] != suite:
            raise RecordError(f"{path} is an item of {found['suite']}, not of {suite}")
        family = str(found["family"])
        counts[family] = counts.get(family, 0) + 1
        if num_items is None or counts[family] <= num_items:
            items.append(_item(path, found))
    return items


def _item(path: Path, found: Found) -> Item:
    track = to_int16(read_audio(path.parent / str(found["audio"])).samples)
    try:
        return _made(_Clock(path, found["script"], track), found)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise RecordError(f"{path} is not an item ({error!r}); {FORM}") from error


class _Clock:
    """The sound of an item cut into cues, and its times as times after these: line k of the script
    is cue k, behind the lines come the stretches in which nothing is said."""

    def __init__(self, path: Path, script: Sequence[Found], track: np.ndarray) -> None:
        self.path, self.length_s = path, len(track) / SAMPLE_RATE_HZ
        self.lines = [self.span([line["t"], line["end"]]) for line in script]
        self._check_lines()
        cuts_s = [time_s for line in self.lines for time_s in line]
        first = [2 * k + 1 for k in range(len(self.lines))]
        pieces = published.clips(track, cuts_s, first)
        words = [*(str(line["text"]) for line in script), *[""] * (len(pieces) - len(script))]
        self.cues = [replace(p, word=word) for p, word in zip(pieces, words, strict=True)]
        rest = self.cues[len(script)]  # of which there is always some: room for answers
        self._rest_end_s = rest.at.seconds + len(rest.samples) / SAMPLE_RATE_HZ

    def span(self, value: Any) -> Span:
        """Raises RecordError for a span outside the sound."""
        return published.span(self.path, value, self.length_s, "its sound")

    def line_of(self, wanted: Found) -> int:
        """The line that something hangs on; where it does not say, the last one that has ended."""
        if "after" in wanted:
            return range(len(self.lines))[wanted["after"]]
        past = [k for k, (_, end_s) in enumerate(self.lines) if end_s <= wanted["t"] + ROUNDED_S]
        return past[-1] if past else 0

    def stretch(self, value: Any) -> Stretch:
        """A span of the sound as one after cues."""
        start_s, end_s = self.span(value)
        return Stretch(
            after=0,
            from_s=start_s - self.lines[0][1],
            until=len(self.lines),
            to_s=end_s - self._rest_end_s,
        )

    def _check_lines(self) -> None:
        before_s = 0.0
        for start_s, end_s in self.lines:
            if not before_s - ROUNDED_S <= start_s < end_s:
                raise RecordError(
                    f"{self.path}: the line of the script at {start_s:g}–{end_s:g} s is empty, or "
                    f"begins before the one before it has ended; {FORM}"
                )
            before_s = end_s


def _made(clock: _Clock, found: Found) -> Item:
    moments = [_moment(wanted, clock) for wanted in found["expect"]]
    probe = found["probe"]
    plan = Plan(
        family=str(found["family"]),
        moments=tuple(moments),
        probe=None if probe is None else range(len(moments))[probe],
        acks=tuple(clock.stretch(value) for value in found.get("acks", ())),
        quiet=tuple(clock.stretch(value) for value in found.get("quiet", ())),
        taken_back=tuple(_moment(wanted, clock) for wanted in found.get("taken_back", ())),
        gap_s=float(found.get("gap_s", GAP_S)),
        monologue=clock.stretch(value) if (value := found.get("monologue")) else None,
    )
    expect = [_duty(w, m, clock) for w, m in zip(found["expect"], moments, strict=True)]
    return Item(
        kind=found["suite"],
        seed=int(found["seed"]),
        length_s=clock.length_s,
        cues=tuple(clock.cues),
        expect=tuple(expect),
        subset=plan.family,
        about=plan.about(),
    )


def _moment(wanted: Found, clock: _Clock) -> Moment:
    alternatives = tuple(tuple(str(word) for word in words) for words in wanted["any"])
    after = clock.line_of(wanted)
    return Moment(
        after=after,
        due_s=float(wanted["t"]) - clock.lines[after][1],
        lo_s=float(wanted["lo"]),
        hi_s=float(wanted["hi"]),
        any=alternatives,
        meaning=str(wanted.get("meaning") or " ".join(alternatives[0])),
        fuzzy=bool(wanted.get("fuzzy")),
        beat=wanted.get("beat"),
        again=bool(wanted.get("again")),
    )


def _duty(wanted: Found, moment: Moment, clock: _Clock) -> Expect:
    """What the trivial systems go by."""
    if wanted.get("answers"):
        return Say(text=(moment.meaning,), after=moment.after, within_s=moment.hi_s)
    begins_s = float(wanted.get("onset", wanted["t"])) - clock.lines[moment.after][1]
    return At(text=(moment.meaning,), after=moment.after, due_s=begins_s)
