"""Calls a function in a thread of its own, one call after another, while the caller goes on.

Who plays in real time must not wait for who scores: a judge may take a minute to answer.
Knows nothing of what is called.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Apart:
    """`apart(...)` has `function(...)` called later and returns at once. After a call that failed
    no other one is made; its error is raised by the next `apart(...)`, or at the end of the `with`,
    which waits for all calls unless it is left by an error."""

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._executor = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()
        self._has_failed = False

    def __enter__(self) -> "Apart":
        return self

    def __call__(self, *args: Any) -> None:
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft().result()
        self._waiting.append(self._executor.submit(self._call, *args))

    def _call(self, *args: Any) -> None:
        if self._has_failed:
            return
        try:
            self._function(*args)
        except BaseException:
            self._has_failed = True
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while kind is None and self._waiting:
                self._waiting.popleft().result()
        finally:
            self._executor.shutdown(cancel_futures=True)
