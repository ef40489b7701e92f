"""What happens in a recorded session beside its streams, one JSON line each as it happens:
`events.jsonl` in the folder of the record. `ms` is a time on the session timeline.

The lines are written by whoever `post` hands them to. Knows nothing of sound, tokens or protocols.
"""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from interplay.server.delegations import Delegation, Outcome

log = logging.getLogger("interplay.server")

NAME = "events.jsonl"

Post = Callable[[Callable[[], object]], bool]


def at_once(work: Callable[[], object]) -> bool:
    """For those who can wait for a disk."""
    work()
    return True


class EventLog:
    """folder: None keeps nothing. post(work): has the disk work done, in order; false: it will not
    be. A disk that refuses ends the log, not the session."""

    def __init__(self, folder: Path | None, post: Post = at_once) -> None:
        self._folder, self._post = folder, post

    def add(self, ms: int, event: str, **fields: Any) -> None:
        """One line; once it is written, a crash of this program does not undo it."""
        if self._folder is None:
            return
        line = json.dumps({"ms": ms, "event": event} | fields) + "\n"
        if not self._post(lambda: self._write(line)):
            self._end("the disk is too slow")

    def _write(self, line: str) -> None:
        folder = self._folder
        if folder is None:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(folder / NAME, "a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            self._end(error.strerror or "the disk refuses")

    def _end(self, reason: str) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            log.error(
                "cannot write %s: %s; give --record a folder on a disk with space left",
                folder / NAME,
                reason,
            )

    def turn(self, ms: int, begun: Sequence[Delegation], outcomes: Sequence[Outcome]) -> None:
        """What was handed over in a micro-turn, and what came back."""
        for work in begun:
            by = "client" if work.response_id is None else "server"
            about = {"delegation_id": work.id, "question": work.question, "by": by}
            self.add(ms, "delegation", **about)
        for outcome in outcomes:
            ui = outcome.ui
            shown = {"id": ui.id, "kind": ui.kind, "spec": ui.spec} if ui else None
            self.add(
                ms,
                "outcome",
                delegation_id=outcome.delegation_id,
                status=outcome.status,
                content=outcome.content,
                ui=shown,
            )
