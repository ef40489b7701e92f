"""A record whose files are written by a `DiskThread`: for engine threads, which cannot wait for a
disk. Knows nothing of servers.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from interplay.engine.disk import DiskThread
from interplay.engine.record import Keeper, Kept, RecordFiles
from interplay.engine.session import Session
from interplay.errors import DeviceError, RecordError
from interplay.turns.types import InputHalf, OutputHalf

log = logging.getLogger("interplay.engine")


class Recording:
    """As `record.Recorder`, but what the disk refuses is raised by the next `add`, and once the
    session is over it is told by the log. What was written until then stays readable."""

    def __init__(self, folder: Path, session: Session, disk: DiskThread) -> None:
        """Raises RecordError when the session has a past already."""
        self._folder, self._disk = folder, disk
        self._keeper = Keeper(session)
        self._files: RecordFiles | None = None  # of the disk's thread alone
        self._failure: Exception | None = None
        self._is_told = False
        if not disk.post(lambda: self._try(self._open)):
            self._failure = self._too_slow()

    def add(self, half: InputHalf, output: OutputHalf, compute_ms: float = 0.0) -> None:
        """Call after every micro-turn of the session. Raises DeviceError or RecordError when the
        disk has refused an earlier one or is too slow; the record is over then."""
        kept = self._keeper.take(half, output, compute_ms)
        if self._failure is None and self._disk.post(lambda: self._try(self._write, kept)):
            return
        self._is_told = True
        raise self._failure or self._too_slow()

    def close(self) -> None:
        """Let everything be written that was added; does not wait for it."""
        self._disk.post(self._close, is_last=True)

    def _open(self) -> None:
        self._files = RecordFiles(self._folder, self._keeper.about, self._keeper.tokenizer)

    def _write(self, kept: Kept) -> None:
        assert self._files is not None, "it was opened before"
        self._files.write(kept)

    def _try(self, work: Callable[..., None], *args: Kept) -> None:
        if self._failure is not None:
            return  # a record with a gap in it is none
        try:
            work(*args)
        except Exception as error:  # whatever it was, the engine's thread has to hear of it
            self._failure = error

    def _close(self) -> None:
        if self._files is not None and self._failure is None:
            self._try(self._files.close)
        elif self._files is not None:
            with suppress(DeviceError):  # of a disk that has refused before, and was told of
                self._files.close()
        if self._failure is not None and not self._is_told:
            log_failure(self._failure)

    def _too_slow(self) -> DeviceError:
        return DeviceError(
            f"cannot write the record {self._folder}: the disk is too slow, "
            f"{self._disk.max_waiting} pieces of records wait for it; choose a folder on a faster "
            "disk"
        )


def log_failure(error: Exception) -> None:
    """One line where the disk refuses; with its traceback where it is a bug."""
    is_bug = not isinstance(error, DeviceError | RecordError)
    log.error("recording ended: %s", error, exc_info=error if is_bug else None)
