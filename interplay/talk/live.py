"""One live conversation from the first micro-turn to the files it leaves behind.

Joins a user, a session, a background model, the recorder and what is shown; the engine's own loop
keeps the pace. Knows nothing of command lines.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from safetensors import SafetensorError

from interplay.background.contract import Line
from interplay.background.scripted import Backend, Handover, ScriptedBackend
from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_TURN, TURN_S, Clock
from interplay.engine.engine import Engine
from interplay.engine.record import Recorder
from interplay.engine.scheduler import LiveReport, run_live
from interplay.engine.session import Session
from interplay.errors import DeviceError
from interplay.media.audio import write_wav
from interplay.talk.conversation import SPOKEN_DB, Conversation, loudness_db, utterances
from interplay.talk.film import Film
from interplay.talk.page import page_html
from interplay.talk.terminal import View
from interplay.turns.types import InputHalf, OutputHalf

WAV, PAGE, RECORD, CLIP = "conversation.wav", "timeline.html", "record", "clip.mp4"
FILES = (WAV, PAGE, CLIP, "record.json", "record.part", "audio.wav", "turns.jsonl", "streams-*")


@runtime_checkable
class User(Protocol):
    """Who talks to the model. film: what their camera showed, a frame in each micro-turn; empty
    where there is none."""

    @property
    def film(self) -> Film: ...

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
    """A conversation about to happen, in `session`, which must be new.

    backend: does what the model hands over, and nobody is talked over by its results; it is closed
    at the end. Without one, the scripted answers come when their time has come, whoever speaks.
    """

    def __init__(
        self, session: Session, user: User, view: View, backend: Backend | None = None
    ) -> None:
        loaded = session.engine.loaded
        self.conversation = Conversation(loaded.tokenizer, title=str(loaded.facts.get("name", "")))
        self._session, self._user, self._view = session, user, view
        self._handover = Handover(
            backend or ScriptedBackend(), loaded.tokenizer, conversation=self._lines
        )
        self._arriving: deque[int] = deque()
        self._is_polite = backend is not None
        self._is_paced = True  # by a clock that waits, so there are deadlines
        self._speaking = {"user_speaks": False, "model_speaks": False}

    def run(self, clock: Clock, record_folder: Path) -> LiveReport:
        """Talk until the user is done or Ctrl-C. Raises DeviceError when the record cannot be
        written."""
        counting = CountingClock(clock)
        self._is_paced = not isinstance(clock, SkippingClock)
        with ExitStack() as parts:
            recorder = parts.enter_context(Recorder(record_folder, self._session))
            parts.enter_context(self._view)
            parts.callback(lambda: self._handover.broker.close(self.conversation.length_s))

            def keep(half: InputHalf, out: OutputHalf, compute_ms: float) -> None:
                recorder.add(half, out, compute_ms)
                self._watch(half, out, compute_ms, counting.num_late)

            report = run_live(self._session, self._input, keep, counting)
        if self._is_paced:
            self.conversation.num_missed = report.num_misses
        return report

    def _input(self, turn: int) -> InputHalf | None:
        """The user's half; what the background model answered arrives behind what is typed."""
        half = self._user.input(turn)
        self._arriving.extend(self._handover.arrivals(turn * TURN_S, **self._speaking))
        if half is None or half.read or not self._arriving:
            return half
        count = min(NUM_SLOTS, len(self._arriving))
        read = tuple(self._arriving.popleft() for _ in range(count))
        return InputHalf(hear=half.hear, read=read, see=half.see, num_played=half.num_played)

    def _lines(self) -> list[Line]:
        """What both have said so far, in the order in which they began."""
        talk = self.conversation
        heard = [
            Line(role="user", text=text, time_s=start_s)
            for start_s, _, text in utterances(talk.heard.words)
        ]
        said = [
            Line(role="assistant", text=text, time_s=start_s)
            for start_s, _, text in utterances(talk.said.words)
        ]
        return sorted([*heard, *said], key=lambda line: line.time_s)

    def _watch(self, half: InputHalf, out: OutputHalf, compute_ms: float, num_late: int) -> None:
        talk = self.conversation
        talk.add(half, out, compute_ms)
        if self._is_paced:
            talk.num_missed, talk.num_deadlines = num_late, talk.num_turns
        self._user.watch(out)
        self._handover.watch(out.act, talk.length_s)
        if self._is_polite:
            loud = float(loudness_db(half.hear, TURN_S)[0]) > SPOKEN_DB
            self._speaking = {"user_speaks": loud, "model_speaks": bool(out.voice_on.any())}
        self._view.show(talk)


@contextmanager
def results_folder(out: Path) -> Iterator[Path]:
    """A draft folder for the results; they take the place of an earlier talk's when all is well,
    and when not, nothing of them is left.

    Raises DeviceError, one line, when `out` cannot be written.
    """
    is_new, draft = not out.exists(), out / ".part"
    try:
        out.mkdir(parents=True, exist_ok=True)
        _remove(draft)
        draft.mkdir()
    except OSError as error:
        raise _device_error(out, error) from None
    try:
        yield draft
        _publish(draft, out)
    except BaseException as error:
        _remove(draft)
        if is_new and not any(out.iterdir()):
            out.rmdir()
        if isinstance(error, OSError | SafetensorError):  # both mean that the disk refuses
            raise _device_error(out, error) from None
        raise


def write_results(draft: Path, talk: Conversation, subtitle: str, film: Film = ()) -> None:
    """conversation.wav and timeline.html, beside the record. Raises DeviceError or OSError."""
    write_wav(draft / WAV, talk.tracks(), SAMPLE_RATE_HZ)
    page = page_html(talk, subtitle=subtitle, sound_name=WAV, seen=film)
    (draft / PAGE).write_text(page, encoding="utf-8")


def _publish(draft: Path, out: Path) -> None:
    _remove(out / RECORD)
    for path in list(draft.iterdir()):
        path.replace(out / path.name)
    draft.rmdir()


def _remove(folder: Path) -> None:
    """Delete what a talk writes, and the folder if nothing else is in it."""
    if folder.is_dir():
        _remove(folder / RECORD)
        for pattern in FILES:
            for path in folder.glob(pattern):
                path.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()


def _device_error(out: Path, error: OSError | SafetensorError) -> DeviceError:
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return DeviceError(f"cannot write to {out}: {reason}; choose another folder with --out")
