"""What happens in a recorded session beside its streams, one JSON line each as it happens:
`events.jsonl` in the folder of the record. `ms` is a time on the session timeline.

Knows nothing of sound, tokens or protocols.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interplay.server.delegations import Delegation, Outcome

log = logging.getLogger("interplay.server")

NAME = "events.jsonl"


class EventLog:
    """folder: None keeps nothing. A disk that refuses ends the log, not the session."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def add(self, ms: int, event: str, **fields: Any) -> None:
        """One line, which a crash of this program does not undo."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with open(self._folder / NAME, "a", encoding="utf-8") as file:
                file.write(json.dumps({"ms": ms, "event": event} | fields) + "\n")
        except OSError as error:
            log.error("cannot write %s: %s", self._folder / NAME, error.strerror)
            self._folder = None

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
