"""How much a client may ask for, and the bucket that counts it. Knows nothing of protocols.

Time is an argument, in seconds of a clock that only goes forward.
"""

from dataclasses import dataclass

MAX_MESSAGE_BYTES = 1 << 20
CLOSE_BYTES = 4 << 20  # a message above this is not even read, and its connection is closed
MAX_BODY_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What every session is held to.

    events_per_s, events_burst: messages of one connection. max_ahead_s: how far sound may run
    ahead of real time. max_errors, errors_s: a connection is closed when so many messages were
    refused in so much time; sound or text that came too fast after a stall does not count.
    start_s: time to start a session after connecting. idle_s: without any message.
    session_s: length of a session. resume_s: how long a session outlives its connection.
    outbox_items: what may wait for a slow reader (a micro-turn is one item). append_tokens: of
    one text. waiting_tokens: given to the model but not read yet. history_items: messages before
    the start. key_sessions: of one key at the same time, its client secrets included; None: as
    many as there are slots. sidebands: of one session. open_delegations: at once. answer_s: for
    a client to answer one, anew after every sign of progress; also how long words wait that the
    model cannot take yet. close_s: for the speech in flight once a client has asked to close.
    held_s: of sound that a Realtime client has sent further ahead, given to the model at its
    pace. drain_s: for running sessions once the server was asked to stop. max_lag_s: how late
    ticks may be before new sessions are refused.
    """

    events_per_s: float = 200.0
    events_burst: float = 400.0
    max_ahead_s: float = 2.0
    max_errors: int = 100
    errors_s: float = 60.0
    start_s: float = 10.0
    idle_s: float = 300.0
    session_s: float = 7200.0
    resume_s: float = 30.0
    outbox_items: int = 50
    append_tokens: int = 500
    waiting_tokens: int = 2048
    history_items: int = 128
    key_sessions: int | None = None
    sidebands: int = 4
    open_delegations: int = 4
    answer_s: float = 60.0
    close_s: float = 10.0
    held_s: float = 30.0
    drain_s: float = 30.0
    max_lag_s: float = 0.4


class Bucket:
    """Fills with `rate` per second up to `burst`; whoever takes more than is in it is refused."""

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self.rate, self.burst = rate, burst
        self._level, self._now_s = burst, now_s

    def take(self, amount: float, now_s: float) -> bool:
        """Take `amount` if it is there."""
        self._level = min(self.burst, self._level + self.rate * (now_s - self._now_s))
        self._now_s = now_s
        if amount > self._level:
            return False
        self._level -= amount
        return True
