"""Speakers of other languages whose recorded pairs of sounds (diphones) festival can put together.

Where each database lies, what is in it, and how to write English down for it. Knows nothing about
sound or about how festival is called. Databases: Debian's festvox packages; the index at the head
of a grouped UniSyn database lists a pair `left-right` per line.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from interplay.data.engines.accents import LANGUAGES, render
from interplay.errors import SynthError

_FOLDERS = (Path("/usr/share/festival/voices"), Path("/usr/lib/festival/voices"))
_FIRST_SHARE = 0.55  # of a phone's duration where two phones speak it
_NUM_ENTRIES = re.compile(rb"NumEntries (\d+)")
_HEAD_END = b"EST_Header_End\n"

Segment = tuple[str, float]  # (phone, end [s])


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """A diphone database. `pitch_hz` and `spread_hz`: mean and deviation of the natural pitch."""

    language: str
    path: str
    package: str
    pitch_hz: float
    spread_hz: float

    def file(self) -> Path | None:
        """The database; None where its package is not installed."""
        files = (folder / self.path for folder in _FOLDERS)
        return next((file for file in files if file.exists()), None)


# Those of whose words a recogniser takes 60 % or more; festvox-czech-krb and -italp16k had less.
SPEAKERS = {
    "machac": Speaker(
        language="czech",
        path="czech/czech_machac/group/machac.group",
        package="festvox-czech-machac",
        pitch_hz=85,
        spread_hz=12,
    ),
    "ph": Speaker(
        language="czech",
        path="czech/czech_ph/group/ph.group",
        package="festvox-czech-ph",
        pitch_hz=140,
        spread_hz=18,
    ),
    "dita": Speaker(
        language="czech",
        path="czech/czech_dita/group/dita.group",
        package="festvox-czech-dita",
        pitch_hz=215,
        spread_hz=28,
    ),
    "lj": Speaker(
        language="finnish",
        path="finnish/suo_fi_lj_diphone/group/ljlpc.group",
        package="festvox-suopuhe-lj",
        pitch_hz=185,
        spread_hz=26,
    ),
    "mv": Speaker(
        language="finnish",
        path="finnish/hy_fi_mv_diphone/group/mvlpc.group",
        package="festvox-suopuhe-mv",
        pitch_hz=95,
        spread_hz=14,
    ),
    "pc": Speaker(
        language="italian",
        path="italian/pc_diphone/group/pc_diphone.group",
        package="festvox-itapc16k",
        pitch_hz=115,
        spread_hz=16,
    ),
}


def phone_names() -> list[str]:
    """Every phone of any language, and the pause."""
    ways = [way for table in LANGUAGES.values() for ways in table.values() for way in ways]
    return sorted({"#", *(phone for way in ways for phone in way)})


@cache
def recorded_pairs(file: Path) -> frozenset[tuple[str, str]]:
    """Pairs of neighbours in a database. Raises SynthError when the file has no such index."""
    head, found, rest = file.read_bytes().partition(_HEAD_END)
    count = _NUM_ENTRIES.search(head)
    if not found or count is None:
        raise SynthError(f"{file} is not a grouped diphone database; reinstall its package")
    names = [
        line.split(maxsplit=1)[0] for line in rest.split(b"\n", int(count[1]))[: int(count[1])]
    ]
    cuts = [name.decode("latin-1").partition("-") for name in names]
    return frozenset((left, right) for left, _, right in cuts)


def foreign_segments(segments: Sequence[Segment], name: str, file: Path) -> list[Segment]:
    """English segments, each as one or two of the speaker's phones that end when it ends.

    Raises SynthError on an English phone that the language's table lacks.
    """
    language = SPEAKERS[name].language
    try:
        ways = render([phone for phone, _ in segments], language, recorded_pairs(file))
    except KeyError as error:
        raise SynthError(
            f"no {language} phone for festival's {error}; "
            "add it to the table in interplay/data/engines/accents.py"
        ) from error
    foreign: list[Segment] = []
    start_s = 0.0
    for (_, end_s), way in zip(segments, ways, strict=True):
        cut_s = start_s + _FIRST_SHARE * (end_s - start_s)
        ends = (end_s,) if len(way) == 1 else (cut_s, end_s)
        for phone, phone_end_s in zip(way, ends, strict=True):
            if foreign and foreign[-1][0] == phone:  # one long phone instead of two alike
                foreign.pop()
            foreign.append((phone, phone_end_s))
        start_s = end_s
    return foreign
