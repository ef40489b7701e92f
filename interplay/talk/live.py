"""One live conversation from the first micro-turn to the files it leaves behind.

Joins a user, a session, a background model, the recorder and what is shown; the engine's own loop
keeps the pace. Knows nothing of command lines.
"""

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from interplay.background.scripted import Backend, Handover, ScriptedBackend
from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_TURN, TURN_S, Clock
from interplay.engine.engine import Engine
from interplay.engine.record import Recorder
from interplay.engine.scheduler import LiveReport, run_live
from interplay.engine.session import Session
from interplay.errors import DeviceError
from interplay.media.audio import write_wav
from interplay.talk.conversation import Conversation
from interplay.talk.page import write_page
from interplay.talk.terminal import View
from interplay.turns.types import InputHalf, OutputHalf

WAV, PAGE, RECORD = "conversation.wav", "timeline.html", "record"
RECORD_FILES = ("record.json", "record.part", "audio.wav", "turns.jsonl", "streams-*")


class User(Protocol):
    """Who talks to the model."""

    def input(self, turn: int, /) -> InputHalf | None: ...

    def watch(self, out: OutputHalf) -> None: ...


class SkippingClock:
    """The machine's clock, but nobody waits: `sleep_until` jumps. Work takes what it takes."""

    def __init__(self) -> None:
        self._skipped_s = 0.0

    def now(self) -> float:
        return time.monotonic() + self._skipped_s

    def sleep_until(self, deadline_s: float) -> None:
        self._skipped_s += max(0.0, deadline_s - self.now())


@dataclass
class CountingClock:
    """Another clock, and how often somebody came too late to sleep."""

    inner: Clock
    num_late: int = 0

    def now(self) -> float:
        return self.inner.now()

    def sleep_until(self, deadline_s: float) -> None:
        self.num_late += self.inner.now() > deadline_s
        self.inner.sleep_until(deadline_s)


def warm_up(engine: Engine) -> None:
    """One micro-turn in a session of its own: the first one is slow, and nobody should notice."""
    session = engine.open()
    session.push(InputHalf(hear=np.zeros(SAMPLES_PER_TURN, np.float32)))
    session.close()


class Talk:
    """A conversation about to happen, in `session`, which must be new."""

    def __init__(
        self, session: Session, user: User, view: View, backend: Backend | None = None
    ) -> None:
        loaded = session.engine.loaded
        self.conversation = Conversation(loaded.tokenizer, title=str(loaded.facts.get("name", "")))
        self._session, self._user, self._view = session, user, view
        self._handover = Handover(backend or ScriptedBackend(), loaded.tokenizer)
        self._arriving: deque[int] = deque()

    def run(self, clock: Clock, record_folder: Path) -> LiveReport:
        """Talk until the user is done or Ctrl-C. Raises DeviceError when the record cannot be
        written; nothing of it is left then."""
        counting = CountingClock(clock)
        try:
            with Recorder(record_folder, self._session) as recorder, self._view:

                def keep(half: InputHalf, out: OutputHalf, compute_ms: float) -> None:
                    recorder.add(half, out, compute_ms)
                    self._watch(half, out, compute_ms, counting.num_late)

                report = run_live(self._session, self._input, keep, counting)
        except BaseException:
            remove_record(record_folder)
            raise
        self.conversation.num_missed = report.num_misses
        return report

    def _input(self, turn: int) -> InputHalf | None:
        """The user's half; what the background model answered arrives behind what is typed."""
        half = self._user.input(turn)
        self._arriving.extend(self._handover.arrivals(turn * TURN_S))
        if half is None or half.read or not self._arriving:
            return half
        count = min(NUM_SLOTS, len(self._arriving))
        read = tuple(self._arriving.popleft() for _ in range(count))
        return InputHalf(hear=half.hear, read=read, see=half.see, num_played=half.num_played)

    def _watch(self, half: InputHalf, out: OutputHalf, compute_ms: float, num_late: int) -> None:
        talk = self.conversation
        talk.add(half, out, compute_ms)
        talk.num_missed = num_late
        talk.num_deadlines = talk.num_turns
        self._user.watch(out)
        self._handover.watch(out.act, talk.length_s)
        self._view.show(talk)


def prepare_folder(out: Path) -> Path:
    """Make the output folder; returns where the record is written until it is whole.

    Raises DeviceError, one line, when it cannot be made.
    """
    draft = out / f".{RECORD}.part"
    try:
        out.mkdir(parents=True, exist_ok=True)
        remove_record(draft)
        draft.mkdir()
    except OSError as error:
        raise DeviceError(
            f"cannot write to {out}: {error.strerror}; choose another folder with --out"
        ) from None
    return draft


def write_results(out: Path, draft: Path, talk: Conversation, subtitle: str) -> None:
    """conversation.wav, timeline.html and record/ in place of those of an earlier talk.

    Raises DeviceError when the disk refuses.
    """
    write_wav(out / WAV, talk.tracks(), SAMPLE_RATE_HZ)
    write_page(out / PAGE, talk, subtitle=subtitle, sound_name=WAV)
    try:
        remove_record(out / RECORD)
        draft.rename(out / RECORD)
    except OSError as error:
        raise DeviceError(
            f"cannot write {out / RECORD}: {error.strerror}; the record is in {draft}"
        ) from None


def remove_record(folder: Path) -> None:
    """Delete a record's own files and its folder if nothing else is in it."""
    if folder.is_dir():
        for pattern in RECORD_FILES:
            for path in folder.glob(pattern):
                path.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()
