"""An import: every source checked and stored, then the whole folder named at once.

Sessions that are ready wait in FOLDER.part; a killed import, or one whose data had faults, goes on
from there. Knows nothing of file formats or of the command line.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from interplay.data.own.prepare import Options, Prepared, Source, prepare
from interplay.data.own.store import INDEX, Session, stamp_of, write_index, write_session
from interplay.data.own.timing import Timing
from interplay.data.own.words import spelling_problems
from interplay.errors import DeviceError, RecordError
from interplay.turns.tokens import Tokenizer


@dataclass(kw_only=True)
class Report:
    """problems, notes: one line each. names: the sessions that are good. num_kept: those of them
    that an earlier import had ready. length_s: of all that are stored."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    num_kept: int = 0
    length_s: float = 0.0


def check_all(
    sources: Sequence[Source],
    options: Options,
    *,
    tokenizer: Tokenizer | None = None,
    quiet: bool = False,
) -> Report:
    """What an import would say, without writing anything. tokenizer: has to spell every word."""
    report, timing = Report(), Timing()
    for source in _shown(sources, quiet):
        prepared = prepare(source, options, timing, tokenizer)
        report.problems += prepared.problems
        report.notes += prepared.notes
        if prepared.recording is not None:
            report.names.append(source.name)
    return report


def import_all(
    sources: Sequence[Source],
    options: Options,
    out: Path,
    *,
    tokenizer: Tokenizer | None = None,
    skip: bool = False,
    quiet: bool = False,
) -> Report:
    """Store every source in the folder `out`, which appears when all are there.

    skip: leave out what has problems. Raises RecordError where something has problems and is not
    to be left out, or where `out` holds something; DeviceError where the disk refuses.
    """
    if out.exists():
        held = "imported data" if (out / INDEX).exists() else "something else"
        raise RecordError(f"{out} holds {held} already; choose another --out")
    staging = out.with_name(out.name + ".part")
    report, timing = Report(), Timing()
    try:
        staging.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(
            f"cannot make the folder {staging}: {error.strerror}; choose another --out"
        ) from None
    for source in _shown(sources, quiet):
        if not _is_ready(staging / source.name, source, tokenizer):
            _store(source, prepare(source, options, timing, tokenizer), staging, report)
        else:
            report.num_kept += 1
            report.names.append(source.name)
    if report.problems and not (skip and report.names):
        _stop(report, staging)
    for folder in staging.iterdir():
        if folder.name not in report.names:
            shutil.rmtree(folder, ignore_errors=True)  # of files that are gone
    sessions = [Session(staging / name) for name in report.names]
    report.length_s = sum(session.length_s for session in sessions)
    try:
        write_index(staging, report.names)
        staging.rename(out)
    except OSError as error:
        raise DeviceError(f"cannot write {out}: {error.strerror}; choose another --out") from None
    return report


def _shown(sources: Sequence[Source], quiet: bool) -> Iterator[Source]:
    """The sources, under a progress bar."""
    from rich.progress import track  # only who waits sees it

    return iter(track(sources, "sessions", disable=quiet))


def _is_ready(folder: Path, source: Source, tokenizer: Tokenizer | None) -> bool:
    """Whether an earlier import stored this source, and its words can be spelled."""
    if stamp_of(folder) != source.stamp:
        return False
    return tokenizer is None or not spelling_problems(Session(folder).words, "", tokenizer)


def _store(source: Source, prepared: Prepared, staging: Path, report: Report) -> None:
    report.problems += prepared.problems
    report.notes += prepared.notes
    if prepared.recording is not None:
        write_session(
            staging / source.name, prepared.recording, source=source.file, stamp=source.stamp
        )
        report.names.append(source.name)


def _stop(report: Report, staging: Path) -> None:
    """Nothing is imported; what is ready waits for the next try."""
    if not report.names:
        shutil.rmtree(staging)
    first, *others = report.problems
    more = f" (and {len(others)} more problems, which --check lists)" if others else ""
    raise RecordError(f"{first}{more}")
