"""Calls a function in a thread of its own, one call after another, while the caller goes on.

Who plays in real time must not wait for who scores: a judge may take a minute to answer.
Knows nothing of what is called.
"""

import queue
import threading
from collections.abc import Callable
from typing import Any


class Apart:
    """`apart(...)` has `function(...)` called later and returns at once. After a call that failed
    no other one is made; its error is raised by the next `apart(...)`, or at the end of the `with`,
    which waits for all calls. Left by an error it waits for none: Ctrl-C ends a run at once."""

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._calls: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._is_left = False
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Apart":
        self._thread.start()
        return self

    def __call__(self, *args: Any) -> None:
        self._tell()
        self._calls.put(args)

    def _work(self) -> None:
        while (args := self._calls.get()) is not None and not self._is_left:
            try:
                self._function(*args)
            except BaseException as error:  # the caller raises it again, whatever it is
                self._error = error
                return

    def _tell(self) -> None:
        if self._error is not None:
            raise self._error

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._is_left = kind is not None
        self._calls.put(None)
        if kind is None:
            self._thread.join()
            self._tell()
