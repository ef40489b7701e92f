"""How long a run has worked: a training that is stopped for a while (Ctrl-Z, SIGSTOP, a batch
system that makes room) must not find its budget spent when it goes on.
"""

import signal
import threading
import time
from typing import Any

CONTINUED: Any = getattr(signal, "SIGCONT", None)  # None: a system without stopped processes


def _may_listen() -> bool:
    """Only the main thread may."""
    return CONTINUED is not None and threading.current_thread() is threading.main_thread()


class WorkTime:
    """Seconds of work, read once per step. elapsed_s: before this process.

    A step during which the process stood still counts as long as the step before it.
    """

    def __init__(self, elapsed_s: float = 0.0) -> None:
        self.elapsed_s = elapsed_s
        self._read_s = time.monotonic()
        self._step_s = float("inf")
        self._stood_still = False
        self._handler_before: Any = None

    def __enter__(self) -> "WorkTime":
        if _may_listen():
            self._handler_before = signal.signal(CONTINUED, self._note)
        self._read_s = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        if _may_listen():
            signal.signal(CONTINUED, self._handler_before)

    def _note(self, _number: int, _frame: object) -> None:
        self._stood_still = True

    def read(self) -> float:
        """After every step [s]."""
        now_s = time.monotonic()
        step_s, self._read_s = now_s - self._read_s, now_s
        if self._stood_still:
            step_s, self._stood_still = min(step_s, self._step_s), False
        else:
            self._step_s = step_s
        self.elapsed_s += step_s
        return self.elapsed_s
