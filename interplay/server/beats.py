"""The tick loop: every 200 ms all sessions advance by one micro-turn, in one batch.

Runs on a thread of its own and keeps absolute deadlines: a late beat is counted, the ones after
it do not move. Other threads leave commands in a deque, results leave as one call per beat; there
is no lock. Knows nothing of asyncio, sockets or clients.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from interplay.clock import Clock, Pacer
from interplay.engine.recording import log_failure
from interplay.server.engines import AnyEngine, AnySession, Staged
from interplay.server.host import NOTHING, Waits, waits
from interplay.server.pcm import to_pcm
from interplay.server.seat import Collected, Seat
from interplay.turns.types import InputHalf, OutputHalf

log = logging.getLogger("interplay.server.beats")
LATE = "a tick was not done in time"  # in the log, once for each
SPOKEN_POWER = 10 ** (-42 / 10)  # louder than this, of full scale, somebody speaks


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """One session's micro-turn. pcm: `output.voice` as `to_pcm` makes it, at 16 kHz.
    user_speaks: somebody was loud enough."""

    seat: Seat
    collected: Collected
    output: OutputHalf
    pcm: bytes
    user_speaks: bool


@dataclass(frozen=True, kw_only=True)
class Beat:
    """What one tick did. index: 0, 1, ... is_miss: the beat before was not done in time.
    late_s: start of the work after the deadline. collect_s, model_s: where its time went;
    stages: parts of model_s in seconds by name, where the engine tells them, else all of it as
    `model`. model_cpu_s: CPU time of this thread inside the model.
    waits: how often this thread waited meanwhile for pages and for the processor.
    failed: sessions that the engine could not advance or that could not begin, and why.
    unrecorded: sessions whose record the disk has refused since the beat before."""

    index: int = 0
    is_miss: bool = False
    late_s: float = 0.0
    collect_s: float = 0.0
    model_s: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    model_cpu_s: float = 0.0
    waits: Waits = NOTHING
    advanced: list[Advanced] = field(default_factory=list)
    failed: list[tuple[Seat, Exception]] = field(default_factory=list)
    unrecorded: list[Seat] = field(default_factory=list)


class BeatLoop:
    """Owns the engine: nobody else calls it once `run` has begun.

    deliver(beat): called after every beat, on this thread; it should hand over and return.
    failure: what ended the thread, None while all is well.
    """

    def __init__(self, engine: AnyEngine, clock: Clock, deliver: Callable[[Beat], object]) -> None:
        self.engine, self.clock = engine, clock
        self.failure: BaseException | None = None
        self._deliver = deliver
        self._commands: deque[tuple[Callable[[Seat], object], Seat]] = deque()
        self._seats: dict[Seat, None] = {}
        self._failed: list[tuple[Seat, Exception]] = []
        self._unrecorded: list[Seat] = []
        self._num_beats = 0
        self._newest = Beat()
        self._is_stopping = False
        self._stages: dict[str, float] = {}
        self._stage_s = 0.0  # when the newest stage began
        if isinstance(engine, Staged):
            engine.on_stage = self._end_stage

    def join(self, seat: Seat) -> None:
        """The session begins with the next beat. Any thread."""
        self._commands.append((self._sit, seat))

    def leave(self, seat: Seat) -> None:
        """The session ends before the next beat. Any thread."""
        self._commands.append((self._leave, seat))

    def stop(self) -> None:
        """End `run` within one beat. Any thread."""
        self._is_stopping = True

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called: a clock that waits for more than time should let go."""
        return self._is_stopping

    def run(self) -> None:
        """Beat until `stop`, then end every session."""
        pacer = Pacer(self.clock)
        try:
            while not self._is_stopping:
                num_misses = pacer.num_misses
                deadline_s = pacer.wait()
                late_s = self.clock.now() - deadline_s
                is_miss = pacer.num_misses > num_misses
                if is_miss:
                    self._explain_miss()
                self.beat(late_s=late_s, is_miss=is_miss)
        except BaseException as error:
            self.failure = error
            log.exception("tick loop ended by an error")
            raise
        finally:
            self._obey()
            for seat in list(self._seats):
                self._leave(seat)

    def beat(self, *, late_s: float = 0.0, is_miss: bool = False) -> None:
        """One micro-turn of every session, now."""
        begin_s, before = self.clock.now(), waits()
        self._obey()
        collected = self._collect()
        sessions = {_session(seat): seat for seat in self._seats}
        halves = {session: collected[seat].half for session, seat in sessions.items()}
        collected_s, collected_cpu_s = self.clock.now(), time.thread_time()
        self._stages, self._stage_s = {}, collected_s
        outputs = {
            sessions[session]: output for session, output in self._tick(halves, sessions).items()
        }
        model_s = self.clock.now() - collected_s
        model_cpu_s = time.thread_time() - collected_cpu_s
        failed, self._failed = self._failed, []
        unrecorded, self._unrecorded = self._unrecorded, []
        advanced = _advance(outputs, collected)
        beat = Beat(
            index=self._num_beats,
            is_miss=is_miss,
            late_s=max(0.0, late_s),
            collect_s=collected_s - begin_s,
            model_s=model_s,
            stages=self._stages or {"model": model_s},
            model_cpu_s=model_cpu_s,
            advanced=advanced,
            failed=failed,
            unrecorded=unrecorded,
        )
        done_s = self.clock.now()
        self._deliver(beat)
        self._num_beats += 1
        for one in advanced:  # after the hand-over: clients do not wait for what is kept
            self._record(one, 1000 * model_s)
        stages = {**beat.stages, "deliver": self.clock.now() - done_s}
        self._newest = replace(beat, advanced=[], stages=stages, waits=waits().since(before))

    def _explain_miss(self) -> None:
        """Where the time of the newest beat went, which was not done in time."""
        beat = self._newest
        times = {"late": beat.late_s, "collect": beat.collect_s, **beat.stages}
        log.warning(
            LATE,
            extra={
                "beat": beat.index,
                "sessions": len(self._seats),
                "ms": {name: round(1000 * seconds, 1) for name, seconds in times.items()},
                "model_cpu_ms": round(1000 * beat.model_cpu_s, 1),
                **beat.waits._asdict(),
            },
        )

    def _end_stage(self, name: str) -> None:
        """Called by the engine within its tick; again where it has to try again."""
        now_s = self.clock.now()
        self._stages[name] = self._stages.get(name, 0.0) + now_s - self._stage_s
        self._stage_s = now_s

    def _collect(self) -> dict[Seat, Collected]:
        collected = {}
        for seat in list(self._seats):
            try:
                collected[seat] = seat.collect()
            except Exception as error:  # as below: it concerns this session alone
                log.exception("a session failed and is closed")
                self._failed.append((seat, error))
                self._leave(seat)
        return collected

    def _tick(
        self, halves: dict[AnySession, InputHalf], sessions: dict[AnySession, Seat]
    ) -> dict[AnySession, OutputHalf]:
        """All sessions in one batch; when that fails, one by one, and the guilty ones leave."""
        try:
            return dict(self.engine.tick(halves))
        except Exception:  # whatever fails for one session, the others go on
            log.exception("a tick failed; its sessions advance one by one")
        outputs = {}
        for session, half in halves.items():
            try:
                outputs |= self.engine.tick({session: half})
            except Exception as error:  # this is the guilty one
                log.exception("a session failed and is closed")
                self._failed.append((sessions[session], error))
                self._leave(sessions[session])
        return outputs

    def _record(self, done: Advanced, compute_ms: float) -> None:
        try:
            done.seat.record(done.collected.half, done.output, compute_ms)
        except Exception as error:  # no record is worth a session, nor the thread of all others
            self._unrecorded.append(done.seat)
            log_failure(error)

    def _obey(self) -> None:
        while self._commands:
            command, seat = self._commands.popleft()
            command(seat)

    def _sit(self, seat: Seat) -> None:
        try:
            seat.sit(self.engine)
        except Exception as error:  # it concerns this session alone
            log.exception("a session could not begin")
            self._failed.append((seat, error))
        else:
            self._seats[seat] = None

    def _leave(self, seat: Seat) -> None:
        if seat in self._seats:
            del self._seats[seat]
            try:
                seat.leave()
            except Exception:  # the session is over; the thread is that of all others
                log.exception("a session did not leave well")


def _advance(outputs: dict[Seat, OutputHalf], collected: dict[Seat, Collected]) -> list[Advanced]:
    """All sessions' sound goes through each operation at once: for one alone it costs about as
    much."""
    if not outputs:
        return []
    heard = np.stack([collected[seat].half.hear for seat in outputs])
    loud = (np.square(heard).mean(axis=1) > SPOKEN_POWER).tolist()
    pcm = to_pcm(np.concatenate([output.voice for output in outputs.values()]))
    size = len(pcm) // len(outputs)
    return [
        Advanced(
            seat=seat,
            collected=collected[seat],
            output=output,
            pcm=pcm[k * size : (k + 1) * size],
            user_speaks=loud[k],
        )
        for k, (seat, output) in enumerate(outputs.items())
    ]


def _session(seat: Seat) -> AnySession:
    assert seat.session is not None, "it sat down before"
    return seat.session
