"""All sessions of one engine: who gets in, whose connection was lost, who has to go.

Runs on the asyncio thread; the engine has its own (`beats.py`), and one call per tick brings its
results here. Knows nothing of protocols and sockets.
"""

import hashlib
import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from interplay.clock import TURN_MS, Clock
from interplay.engine.disk import DiskThread
from interplay.errors import RequestError
from interplay.server.beats import Advanced, Beat, BeatLoop
from interplay.server.delegations import Delegations, NewDelegations
from interplay.server.engines import AnyEngine
from interplay.server.events import Ended, Notice, Turn
from interplay.server.limits import Limits
from interplay.server.metrics import Metrics
from interplay.server.outbox import Outbox
from interplay.server.places import place_in, placed
from interplay.server.seat import Seat
from interplay.server.served import Opening, ServedSession

log = logging.getLogger("interplay.server")
tick_log = logging.getLogger("interplay.server.ticks")

NUM_DECODERS = 2  # threads that decode pictures, for all connections
WAITING_PER_SLOT = 50  # pieces of records that may wait for the disk: 10 s of micro-turns

CLOSE_CODES = {
    "asked": 1000,
    "expired": 1000,
    "idle": 1000,
    "lost": 1001,
    "failed": 1011,
    "drained": 1012,
    "replaced": 4001,
}


class Hub:
    """The core. hand_over(call): runs `call` on the asyncio thread, from any other. delegations:
    makes who does the work of a session whose client does not; None: there is nobody. place: of
    this server among several, "" when it is alone; ids and tokens begin with it."""

    def __init__(
        self,
        engine: AnyEngine,
        clock: Clock,
        hand_over: Callable[[Callable[[], None]], object],
        *,
        limits: Limits | None = None,
        record_root: Path | None = None,
        delegations: NewDelegations | None = None,
        place: str = "",
    ) -> None:
        self.place = place
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.metrics.kv_tokens.set_function(lambda: getattr(engine, "num_kv_tokens", 0))
        self.engine, self.clock = engine, clock
        self.record_root, self.delegations = record_root, delegations
        self.pictures = ThreadPoolExecutor(NUM_DECODERS, "interplay-pictures")
        self.disk = DiskThread(WAITING_PER_SLOT * engine.num_slots) if record_root else None
        self.tokenizer = engine.tokenizer
        self.has_eyes = engine.has_eyes
        self.beats = BeatLoop(engine, clock, lambda beat: hand_over(lambda: self.deliver(beat)))
        self.sessions: dict[str, ServedSession] = {}
        self.lag_s = 0.0
        self._by_seat: dict[Seat, ServedSession] = {}
        self._by_token: dict[str, ServedSession] = {}
        self._drain_at_s: float | None = None
        self._thread: threading.Thread | None = None
        self._show_load()

    def start(self) -> None:
        """Begin to beat, on a thread of its own."""
        self._thread = threading.Thread(target=self.beats.run, name="interplay-beats", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the threads; waits for at most a beat, and until all records are written."""
        self.beats.stop()
        if self._thread:
            self._thread.join()
        if self.disk:
            self.disk.close()
        self.pictures.shutdown(wait=False, cancel_futures=True)

    @property
    def num_free(self) -> int:
        return self.engine.num_slots - len(self.sessions)

    @property
    def is_draining(self) -> bool:
        return self._drain_at_s is not None

    @property
    def is_alive(self) -> bool:
        return self.beats.failure is None

    @property
    def is_ready(self) -> bool:
        """New sessions would be admitted."""
        return (
            self.is_alive
            and not self.is_draining
            and self.num_free > 0
            and self.lag_s <= self.limits.max_lag_s
        )

    def open(self, opening: Opening, outbox: Outbox) -> ServedSession:
        """A new session, which begins with the next tick and tells `outbox` what comes of it.

        Raises RequestError when it is not admitted.
        """
        self.check_admits()
        if opening.record and self.record_root is None:
            raise RequestError(
                "unsupported_value",
                "this server keeps no recordings; leave `store` out",
                param="session.store",
            )
        session = ServedSession(
            opening,
            tokenizer=self.tokenizer,
            limits=self.limits,
            metrics=self.metrics,
            clock=self.clock,
            record_folder=self._record_folder(opening),
            disk=self.disk,
            delegations=self._delegations(opening),
            place=self.place,
        )
        session.primary = outbox
        self.sessions[session.id] = session
        self._by_seat[session.seat] = session
        self.beats.join(session.seat)
        self._show_load()
        log.info("session opened", extra={"session": session.id, "free": self.num_free})
        return session

    def check_admits(self) -> None:
        """Raises RequestError while no new session would be admitted."""
        if self.is_draining:
            raise self._refusal("draining", "this server is about to stop; try another one", None)
        if not self.is_alive:
            raise self._refusal("engine_failed", "the engine of this server has stopped", None)
        if self.num_free <= 0:
            first_s = min(s.begin_s for s in self.sessions.values()) + self.limits.session_s
            wait_s = min(30.0, max(1.0, first_s - self.clock.now()))
            text = (
                f"all {self.engine.num_slots} sessions of this server are taken; try again in "
                f"{wait_s:.0f} s"
            )
            raise self._refusal("no_free_slot", text, wait_s)
        if self.lag_s > self.limits.max_lag_s:
            text = f"this server is {self.lag_s:.1f} s behind its clock; try again in 5 s"
            raise self._refusal("overloaded", text, 5.0)

    def _refusal(self, code: str, message: str, retry_after_s: float | None) -> RequestError:
        log.warning("session refused", extra={"reason": code})
        return RequestError(code, message, retry_after_s=retry_after_s)

    def _delegations(self, opening: Opening) -> Delegations | None:
        """None: the client does the work."""
        if opening.client_delegations:
            return None
        if self.delegations is None:
            raise RequestError(
                "unsupported_value",
                "this server has no background model; use the delegation type `client`",
                param="session.delegation.type",
            )
        return self.delegations()

    def _record_folder(self, opening: Opening) -> Path | None:
        if not opening.record or self.record_root is None:
            return None
        return self.record_root / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"

    def find(self, session_id: str) -> ServedSession:
        """Raises RequestError when there is no such session."""
        if session_id not in self.sessions:
            raise RequestError("unknown_session", "there is no such session; it may have ended")
        return self.sessions[session_id]

    def issue_token(self, session: ServedSession) -> str:
        """A secret with which the session can be taken up again.

        The one before is void unless this connection came with it: the answer that holds the new
        one may get lost together with the connection.
        """
        self._void_tokens(session, keep=session.used_token)
        token = placed("rt", self.place, secrets.token_urlsafe(24))
        self._by_token[_digest(token)] = session
        return token

    def _void_tokens(self, session: ServedSession, keep: str | None = None) -> None:
        self._by_token = {
            digest: owner
            for digest, owner in self._by_token.items()
            if owner is not session or digest == keep
        }

    def resume(
        self, token: str, last_turn: int, outbox: Outbox, only: str | None = None
    ) -> tuple[ServedSession, list[Turn]]:
        """Take a session up again on another connection, which takes the place of the one before.

        Returns the session and what is kept of the micro-turns after `last_turn`, which the
        caller puts into `outbox` once the client was told. only: the one session id that the
        caller may have. Raises RequestError.
        """
        session = self._by_token.get(_digest(token))
        if session is None or only not in (None, session.id):
            text = (
                f"no session can be taken up with this token; it is kept for "
                f"{self.limits.resume_s:g} s and works until the next one is used"
            )
            if self.place and (place := place_in(token)) not in ("", self.place):
                text = (
                    f"this token is of the replica {place}; connect with ?replica={place}. Where "
                    "that leads here, it is gone, and its sessions with it"
                )
            raise RequestError("unknown_token", text, param="token")
        if not -1 <= last_turn < session.num_turns:
            raise RequestError(
                "invalid_value",
                f"last_turn is {last_turn}; the session has micro-turns 0 to "
                f"{session.num_turns - 1}, -1 asks for all",
                param="last_turn",
            )
        if session.primary:
            session.primary.put(_ended("replaced", session, "another connection took over"))
        missed = session.missed(last_turn)
        session.primary, session.lost_s = outbox, None
        session.used_token = _digest(token)
        session.last_message_s = self.clock.now()
        self.metrics.resumes.inc()
        session.resumed(last_turn)
        log.info("session resumed", extra={"session": session.id, "missed": len(missed)})
        return session, missed

    def is_replaced(self, session: ServedSession, outbox: Outbox) -> bool:
        """Whether a running session was taken up on another connection than that of `outbox`."""
        has_part = outbox is session.primary or outbox in session.observers
        return session.id in self.sessions and not has_part

    def lose(self, session: ServedSession, outbox: Outbox) -> None:
        """A connection is gone. The session outlives it where the client asked for that."""
        if outbox in session.observers:
            session.observers.remove(outbox)
        elif session.primary is outbox:
            session.primary = None
            if session.opening.resumable and not self.is_draining:
                session.lost_s = self.clock.now()
                log.info("connection lost", extra={"session": session.id})
            else:
                self.close(session, "lost")

    def close(self, session: ServedSession, reason: str, message: str = "") -> None:
        """End a session. Ending it twice is allowed."""
        if self.sessions.pop(session.id, None) is None:
            return
        del self._by_seat[session.seat]
        self._void_tokens(session)
        self.beats.leave(session.seat)
        ended = _ended(reason, session, message)
        try:
            session.end(ended)
        except Exception:  # a bug; the connections end, and other sessions are not concerned
            log.exception("a session did not end well", extra={"session": session.id})
            session.tell_all(ended)
            session.primary, session.observers = None, []
        self._show_load()
        log.info(
            "session ended",
            extra={"session": session.id, "reason": reason, "turns": session.num_turns},
        )

    def drain(self) -> None:
        """Admit nobody, tell everybody, and end what is left after `drain_s`."""
        if self.is_draining:
            return
        self._drain_at_s = self.clock.now() + self.limits.drain_s
        message = f"this server stops; {self.limits.drain_s:g} s are left"
        for session in [*self.sessions.values()]:
            left_s = self.limits.drain_s
            session.tell_all(Notice(code="server_draining", message=message, left_s=left_s))
            if session.lost_s is not None:
                self.close(session, "drained")
        self._show_load()
        log.info("draining", extra={"sessions": len(self.sessions)})

    def deliver(self, beat: Beat) -> None:
        """The results of one tick, on the asyncio thread."""
        begin_s = self.clock.now()
        compute_ms = 1000 * beat.model_s
        for done in beat.advanced:
            session = self._by_seat.get(done.seat)
            if session:  # it may have ended while it advanced
                self._advance(session, done, compute_ms)
        for seat, error in beat.failed:
            session = self._by_seat.get(seat)
            if session:
                self.close(session, "failed", f"the session failed: {type(error).__name__}")
        for seat in beat.unrecorded:
            session = self._by_seat.get(seat)
            if session:
                message = "the server's disk refused; this session is not recorded any more"
                session.tell_all(Notice(code="recording_ended", message=message))
        self.lag_s = beat.late_s
        self._sweep(begin_s)
        self._measure(beat, self.clock.now() - begin_s)
        if tick_log.isEnabledFor(logging.DEBUG):
            self._log_ticks(beat)

    def _advance(self, session: ServedSession, done: Advanced, compute_ms: float) -> None:
        """What fails for one session must not keep the results of the others."""
        try:
            session.advance(done, compute_ms)
        except Exception as error:  # a bug, mostly in what a protocol makes of it
            log.exception("a session failed and is closed", extra={"session": session.id})
            self.close(session, "failed", f"the session failed: {type(error).__name__}")

    def _sweep(self, now_s: float) -> None:
        """End the sessions whose time is over."""
        limits = self.limits
        for session in [*self.sessions.values()]:
            if session.lost_s is not None and now_s - session.lost_s > limits.resume_s:
                self.close(session, "lost")
            elif now_s - session.begin_s > limits.session_s:
                self.close(session, "expired", f"a session lasts {limits.session_s:g} s at most")
            elif session.lost_s is None and now_s - session.last_message_s > limits.idle_s:
                self.close(session, "idle", f"no message for {limits.idle_s:g} s")
            elif self._drain_at_s is not None and now_s > self._drain_at_s:
                self.close(session, "drained", "this server stops")

    def _measure(self, beat: Beat, deliver_s: float) -> None:
        metrics = self.metrics
        metrics.tick_lag.set(beat.late_s)
        metrics.tick_misses.inc(beat.is_miss)
        metrics.batch_sessions.set(len(beat.advanced))
        if not beat.advanced:
            return
        metrics.session_ticks.inc(len(beat.advanced))
        metrics.model_cpu.inc(beat.model_cpu_s)
        metrics.tick_duration.observe(beat.collect_s + beat.model_s)
        stages = {"collect": beat.collect_s, **beat.stages, "deliver": deliver_s}
        for stage, seconds in stages.items():
            metrics.stage.labels(stage).observe(seconds)
        metrics.input_gaps.inc(sum(done.collected.num_missing > 0 for done in beat.advanced))
        metrics.input_dropped.inc(sum(done.collected.num_dropped > 0 for done in beat.advanced))

    def _log_ticks(self, beat: Beat) -> None:
        for done in beat.advanced:
            session = self._by_seat.get(done.seat)
            if session is None:
                continue
            values = {
                "session": session.id,
                "beat": beat.index,
                "turn": session.num_turns - 1,
                "timeline_ms": (session.num_turns - 1) * TURN_MS,
                "late_ms": round(1000 * beat.late_s, 3),
                "is_miss": beat.is_miss,
                "batch": len(beat.advanced),
                "model_ms": round(1000 * beat.model_s, 3),
                "missing": done.collected.num_missing,
                "dropped": done.collected.num_dropped,
                "waiting": session.seat.num_waiting,
                "voice_on": done.output.voice_on.astype(int).tolist(),
            }
            tick_log.debug("tick", extra=values)

    def _show_load(self) -> None:
        self.metrics.sessions_active.set(len(self.sessions))
        self.metrics.slots_free.set(0 if self.is_draining else self.num_free)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _ended(reason: str, session: ServedSession, message: str) -> Ended:
    return Ended(
        reason=reason,
        close_code=CLOSE_CODES[reason],
        message=message,
        num_turns=session.num_turns,
    )
