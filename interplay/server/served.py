"""One session on the side of its clients: what they send goes to its seat, what the model emits
comes back as `Turn`s. Knows nothing of protocols; all of it runs on the asyncio thread.
"""

import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interplay.background.contract import Line
from interplay.background.questions import DelegationReader
from interplay.clock import SAMPLE_RATE_HZ, SLOTS_PER_S, TURN_MS, TURN_S, TURNS_PER_S, Clock
from interplay.engine.disk import DiskThread
from interplay.errors import RequestError
from interplay.media.camera_watch import TROUBLES, CameraWatch
from interplay.server.backing import Backing
from interplay.server.beats import Advanced
from interplay.server.delegations import Delegations
from interplay.server.event_log import EventLog, at_once
from interplay.server.events import Ended, Event, Notice, Turn, UserSound
from interplay.server.limits import Bucket, Limits
from interplay.server.metrics import Metrics
from interplay.server.outbox import Outbox
from interplay.server.pcm import HELD_S, PcmReader, PcmWriter, length_s
from interplay.server.places import placed
from interplay.server.said import SaidLines
from interplay.server.seat import Seat
from interplay.server.transcript import Transcriber
from interplay.server.work import Work
from interplay.turns.tokens import END, RESULT, STOP, TEXT, Tokenizer

log = logging.getLogger("interplay.server")

SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000
JOURNAL_SLACK_S = 10.0  # what may be missing at the moment the connection is lost
LETTERS_PER_TOKEN = 10  # more on average cannot be: such a text is refused unread
OPENERS = {  # how a text on `read` begins
    "context": [],
    "speech": [TEXT],
    "typed": [TEXT],
    "result": [RESULT],
}


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What a client wants of a new session.

    instructions: read before anything else. history: what was said before, for the background
    model; the model that talks has it in the instructions. rate_hz: of its sound, both ways.
    resumable: may be taken up again after a lost connection. record: keep it on the server's disk.
    client_delegations: the client does all the work that the model hands over; otherwise the
    server's background model does, while `Work.client_works` is false.
    """

    instructions: str = ""
    history: tuple[Line, ...] = ()
    rate_hz: int = 24_000
    resumable: bool = False
    record: bool = False
    client_delegations: bool = True
    seed: int = field(default_factory=lambda: secrets.randbits(31))


def encode_text(tokenizer: Tokenizer, text: str, max_tokens: int, param: str) -> list[int]:
    """Tokens of a text. Raises RequestError when there are too many."""
    ids = tokenizer.encode(text) if len(text) <= LETTERS_PER_TOKEN * max_tokens else None
    if ids is None or len(ids) > max_tokens:
        raise RequestError(
            "too_many_tokens",
            f"{param} has {len(text)} letters; send at most {max_tokens} tokens at once",
            param=param,
        )
    return ids


class ServedSession:
    """A live session. record_folder, disk: where it is kept, and who writes it; None: it is not.
    delegations: who does its work; None: the client. place: of the server."""

    def __init__(
        self,
        opening: Opening,
        *,
        tokenizer: Tokenizer,
        limits: Limits,
        metrics: Metrics,
        clock: Clock,
        record_folder: Path | None = None,
        disk: DiskThread | None = None,
        delegations: Delegations | None = None,
        place: str = "",
    ) -> None:
        self.id = placed("live", place, secrets.token_hex(12))
        now_s = clock.now()
        self.opening, self.begin_s, self.last_message_s = opening, now_s, now_s
        self.seat = Seat(
            seed=opening.seed,
            prefix=opening.instructions,
            record_folder=record_folder,
            disk=disk,
            held_s=HELD_S[opening.rate_hz],
        )
        self.num_turns = 0
        self.about: dict[str, Any] = {}  # its protocol's words for it; later connections read them
        self.lost_s: float | None = None  # when the connection went, while it is away
        self.used_token: str | None = None  # digest of the one that the newest connection brought
        self.primary: Outbox | None = None
        self.observers: list[Outbox] = []
        self._tokenizer, self._limits, self._metrics = tokenizer, limits, metrics
        self._clock = clock
        self._rate_hz = opening.rate_hz  # of the user's sound
        self._reader, self._writer = PcmReader(opening.rate_hz), PcmWriter(opening.rate_hz)
        self._media = Bucket(1.0, limits.max_ahead_s, now_s)
        self._heard, self._said = Transcriber(tokenizer), Transcriber(tokenizer)
        self._questions = DelegationReader(tokenizer)
        self.work = Work(
            Backing(delegations) if delegations else None,
            limits,
            metrics,
            lambda kind, text: self.tell(kind, text, is_cut=True),
            self.tell_all,
        )
        self._events = EventLog(record_folder, disk.post if disk else at_once)
        self._finish: Callable[[], None] | None = None
        self._finish_at_turn = 0
        self._lines = SaidLines()
        for line in opening.history:
            self._lines.write(line)
        self._camera_watch = CameraWatch()
        kept_s = limits.resume_s + JOURNAL_SLACK_S if opening.resumable else 0
        self._journal: deque[Turn] = deque(maxlen=round(kept_s / TURN_S))
        self._has_spoken = self._speaks = self._is_dry = False
        self._reflected = b""  # user sound that observers have not got yet

    @property
    def backing(self) -> Backing | None:
        """The server's background model at work for this session."""
        return self.work.backing

    @property
    def now_ms(self) -> int:
        """The end of the session timeline so far."""
        return self.num_turns * TURN_MS

    def hear(self, pcm: bytes) -> None:
        """Sound of the user. Raises RequestError when it is no sound or too much of it."""
        seconds = length_s(pcm, self._rate_hz)
        if not self._media.take(seconds, self._clock.now()):
            raise RequestError(
                "input_backpressure",
                f"sound is more than {self._limits.max_ahead_s:g} s ahead of real time; this "
                "piece was dropped, send at the pace of a clock",
                param="audio",
                retry_after_s=seconds,
            )
        self.seat.hear(self._reader.push(pcm))
        if self.observers:
            self._reflected += pcm

    def see(self, tiles: np.ndarray) -> None:
        """A picture of the user's camera, uint8 [12, 2, 40, 40, 3]; a camera that shows nothing is
        told to whoever is connected, and to the log."""
        self.seat.see(tiles)
        if trouble := self._camera_watch.look(tiles[:, 1], self._clock.now()):
            log.warning("the camera is %s", trouble, extra={"session": self.id})
            self.tell_all(Notice(code=f"camera_{trouble}", message=TROUBLES[trouble]))

    def set_rates(self, heard_hz: int, said_hz: int) -> None:
        """Other rates of the user's sound and the model's, from now on, for a session without
        observers and resume. What a resampler holds back is lost, and the next one holds back
        some: a gap of 15 to 30 ms."""
        if heard_hz != self._rate_hz:
            self._rate_hz, self._reader = heard_hz, PcmReader(heard_hz)
        if said_hz != self._writer.rate_hz:
            self._writer = PcmWriter(said_hz)

    def tell(self, kind: str, text: str, param: str = "content", *, is_cut: bool = False) -> None:
        """Text for the model: `context` to know, `speech` to say (`typed`: by the user), a `result`
        to work in.

        is_cut: of a text that is too long the beginning is read; only the log tells. Raises
        RequestError when it is empty, too long or too much is waiting already.
        """
        limits, num_waiting = self._limits, self.seat.num_waiting
        if num_waiting > limits.waiting_tokens - limits.append_tokens:
            raise RequestError(
                "read_backpressure",
                f"{num_waiting} tokens wait to be read, {SLOTS_PER_S} a second; send less",
                param=param,
                retry_after_s=limits.append_tokens / SLOTS_PER_S,
            )
        if is_cut:
            ids = self._beginning(text, limits.append_tokens)
        else:
            ids = encode_text(self._tokenizer, text, limits.append_tokens, param)
        if not ids:
            raise RequestError("empty_text", f"{param} holds no words; send some", param=param)
        self.seat.read([*OPENERS[kind], *ids, END])
        self._events.add(self.now_ms, "text", kind=kind, text=text)

    def type(self, text: str, param: str = "text") -> None:
        """What the user has written: it is read aloud, and the background model knows of it.
        Raises RequestError as `tell`."""
        self.tell("typed", text, param)
        self._lines.write(Line(role="user", text=text, time_s=self._now_s))

    def _beginning(self, text: str, max_tokens: int) -> list[int]:
        ids = self._tokenizer.encode(text[: LETTERS_PER_TOKEN * max_tokens])
        if len(ids) > max_tokens or len(text) > LETTERS_PER_TOKEN * max_tokens:
            about = {"session": self.id, "letters": len(text)}
            log.warning("only the first %d tokens of a result are read", max_tokens, extra=about)
        return ids[:max_tokens]

    def mute(self, is_muted: bool) -> None:
        """Whether the model hears silence instead of the user."""
        self.seat.is_muted = is_muted
        self._events.add(self.now_ms, "mute", is_muted=is_muted)

    def answer(
        self, delegation_id: str, text: str, param: str = "content", *, is_cut: bool = False
    ) -> None:
        """What came of a delegation that the client does; the first answer ends it, later ones
        are read, too, and what comes after another end is context. Raises RequestError for an id
        that was never given out, for work that the server does, and as `tell`; then nothing has
        ended."""
        kind = self.work.answer(delegation_id)
        self.tell(kind, text, param, is_cut=is_cut)
        self.end_delegation(delegation_id)

    def progress(self, delegation_id: str, text: str, param: str = "content") -> None:
        """Something to know about a delegation that the client goes on with. Raises RequestError
        as `answer`."""
        self.work.answer(delegation_id)
        self.tell("context", text, param)
        self.work.postpone(delegation_id, self._now_s)

    def end_delegation(self, delegation_id: str) -> None:
        """The client has done it; the model is told nothing. Ending it twice is allowed. Raises
        RequestError for an id that was never given out."""
        if self.work.end(delegation_id, "done", self._now_s):
            self._events.add(self.now_ms, "delegation_done", delegation_id=delegation_id)

    def fail_delegation(self, delegation_id: str, text: str) -> None:
        """Nobody can do it; the model is told so."""
        self.work.fail(delegation_id, text, self._now_s)

    def cancel_delegation(self, delegation_id: str) -> None:
        """Nobody wants it any more. Raises RequestError for an id that was never given out or has
        ended."""
        self.work.cancel(delegation_id, self._now_s)

    def played(self, played_ms: int, flushed_ms: int | None) -> None:
        """The client has played the first `played_ms` of the output; of the first `flushed_ms`
        it threw the rest away. Raises RequestError for more than was sent."""
        sent_ms = self.now_ms
        if not 0 <= played_ms <= (flushed_ms if flushed_ms is not None else sent_ms) <= sent_ms:
            raise RequestError(
                "invalid_playback",
                f"played {played_ms} ms, flushed {flushed_ms} ms, but {sent_ms} ms were sent; "
                "count from the first sample of the session",
                param="played_ms",
            )
        if self.num_turns % TURNS_PER_S == 0:  # often enough for a histogram
            self._metrics.playback_delay.observe((sent_ms - played_ms) / 1000)
        is_dry = flushed_ms is None and 0 < played_ms == sent_ms
        if is_dry and not self._is_dry:
            self._metrics.output_underruns.inc()
        self._is_dry = is_dry
        if flushed_ms is not None:
            self._lines.unsay(played_ms, flushed_ms)
            self.seat.flush(
                num_played=played_ms * SAMPLES_PER_MS, num_received=flushed_ms * SAMPLES_PER_MS
            )

    def missed(self, last_turn: int) -> list[Turn]:
        """Kept micro-turns after `last_turn` (-1: all)."""
        return [turn for turn in self._journal if turn.index > last_turn]

    def tell_all(self, event: Event) -> None:
        if isinstance(event, Notice):
            self._events.add(self.now_ms, "notice", code=event.code, message=event.message)
        for outbox in [self.primary, *self.observers]:
            if outbox:
                outbox.put(event)

    def advance(self, done: Advanced, compute_ms: float) -> None:
        """One micro-turn has come back from the engine."""
        output, index = done.output, self.num_turns
        heard = self._heard.heard(index, output.heard)
        said = self._said.said(index, output.say)
        self._lines.add("user", heard, index)
        self._lines.add("assistant", said, index)
        for question in self._questions.push(output.act):
            self._delegate(question)
        yields = STOP in output.say
        if yields and self.backing:
            self.backing.interrupt()
        begun = self.work.take_begun()
        self.num_turns += 1
        voice_on = tuple(output.voice_on.tolist())
        self._speaks = any(voice_on)
        outcomes = self.work.collect(
            self._now_s, user_speaks=done.user_speaks, model_speaks=self._speaks
        )
        self._events.turn(self.now_ms, begun, outcomes)
        turn = Turn(
            index=index,
            pcm=self._writer.push(output.voice) if self._writer.resamples else done.pcm,
            voice_on=voice_on,
            heard=heard,
            said=said,
            act=tuple(self._tokenizer.name(token) for token in output.act if token),
            delegations=begun,
            outcomes=outcomes,
            backend=self.backing.take_events() if self.backing else (),
            yields=yields,
            is_gap=done.collected.num_missing > 0,
            compute_ms=round(compute_ms, 3),
        )
        if self._speaks and not self._has_spoken:
            self._has_spoken = True
            self._metrics.first_audio.observe(self.num_turns * TURN_S)
        self._journal.append(turn)
        self._reflect()
        self.tell_all(turn)
        if self._finish and (not self._speaks or self.num_turns >= self._finish_at_turn):
            self._finish()

    def finish(self, close: Callable[[], None]) -> None:
        """The client wants no more: call `close` once the speech in flight is over, at the latest
        after `close_s`; at once when there is none, or when it asks again. The model hears the
        user no more."""
        num_turns = round(self._limits.close_s / TURN_S)
        if self._finish or not self._speaks or not num_turns:
            close()
            return
        self._finish, self._finish_at_turn = close, self.num_turns + num_turns
        self.seat.is_muted = True

    def _reflect(self) -> None:
        """Once per micro-turn, however small the pieces were: an outbox counts items."""
        pcm, self._reflected = self._reflected, b""
        if pcm:
            for observer in self.observers:
                observer.put(UserSound(pcm=pcm))

    def _delegate(self, question: str) -> None:
        offset_ms = self.now_ms + TURN_MS
        self.work.begin(question, self._now_s, self._lines.lines(), offset_ms)

    def give_output(self, call_id: str, output: str) -> None:
        """What came of a call; once all of a piece of work have been answered, that goes on.
        Raises RequestError for a call that nobody waits for."""
        assert self.backing, "it has called"
        self.backing.add_output(call_id, output)
        self.backing.go_on(self._now_s)

    def respond(self) -> None:
        """The client wants the background model to go on, or to answer what it was told. Raises
        RequestError when there is nothing to do."""
        assert self.backing, "checked by the protocol"
        question = self.backing.respond(self._now_s)
        if question:
            self._delegate(question)

    @property
    def _now_s(self) -> float:
        return self.num_turns * TURN_S

    def resumed(self, last_turn: int) -> None:
        """Another connection has taken the session up."""
        self._events.add(self.now_ms, "resumed", last_turn=last_turn)

    def end(self, ended: Ended) -> None:
        """Tell everybody, and cancel what is delegated."""
        self.work.close(self._now_s)
        if self.backing:
            for event in self.backing.take_events():
                self.tell_all(event)
        self._events.add(self.now_ms, "ended", reason=ended.reason, message=ended.message)
        self.tell_all(ended)
        self.primary, self.observers = None, []
