"""Ctrl-C and SIGTERM as a wish, to be granted at a good moment. Knows nothing of training."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Gives a list that fills when the user presses Ctrl-C or the system asks to end.

    A second Ctrl-C ends at once.
    """
    asked: list[int] = []

    def note(number: int, _frame: object) -> None:
        asked.append(number)
        signal.signal(number, before[number])

    if threading.current_thread() is not threading.main_thread():
        yield asked  # only the main thread may listen
        return
    before = {int(n): signal.signal(n, note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
