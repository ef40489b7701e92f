"""Writing to a disk on a thread of its own: whoever has a deadline hands the work over and never
waits. Knows nothing of what is written.
"""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger("interplay.engine")

CLOSE_S = 30.0  # for a disk that has stopped answering; then the program has to end without it

Work = Callable[[], object]


class DiskThread:
    """Does pieces of work one after the other, in the order in which they were posted.

    max_waiting: pieces that may wait; a disk that is slower than what comes must not fill the
    memory.
    """

    def __init__(self, max_waiting: int) -> None:
        self.max_waiting = max_waiting
        self._waiting: SimpleQueue[Work | None] = SimpleQueue()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="interplay-disk", daemon=True)
        self._thread.start()

    def post(self, work: Work, *, is_last: bool = False) -> bool:
        """Hand a piece of work over. Any thread; never waits.

        is_last: it closes files, so it is taken however much waits. Returns False when it is not
        taken: too much waits, or `close` was called.
        """
        is_full = self._waiting.qsize() >= self.max_waiting and not is_last
        if is_full or self._is_closed:
            return False
        self._waiting.put(work)
        return True

    def close(self) -> None:
        """Take nothing more, and wait until all is done, CLOSE_S seconds at most. Closing twice is
        allowed."""
        if not self._is_closed:
            self._is_closed = True
            self._waiting.put(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            log.error(
                "the disk has not taken %d pieces of records in %g s; they are lost",
                self._waiting.qsize(),
                CLOSE_S,
            )

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            try:
                work()
            except Exception:  # a bug in one piece of work; the records of all others go on
                log.exception("a piece of a record was not written")
