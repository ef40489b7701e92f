"""Batches ahead of time: worker processes make them while the main one trains.

Knows nothing of models. A batch is asked for by (step, progress) and is a pure function of both, so
neither the workers nor a resumed run can change what is seen. Workers are spawned, not forked: the
trainer's threads would be copied in whatever state they are.
"""

import multiprocessing
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence

from interplay.errors import InterplayError

Batches = Callable[[int, float], Sequence]  # of examples, or of train.parcel's parcels
NICE = 10
POLL_S = 2.0
NUM_READY = 2  # batches that wait where they are needed


class PlainFeed:
    """Makes a batch when it is taken, in this process."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._asked: deque[tuple[int, float]] = deque()

    def __enter__(self) -> "PlainFeed":
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._asked.clear()

    def ask(self, step: int, progress: float) -> None:
        self._asked.append((step, progress))

    def take(self) -> Sequence:
        return self._batches(*self._asked.popleft())


class WorkerFeed:
    """Makes batches in niced processes that take turns; `batches` must be picklable, and small when
    pickled. A thread receives them while others are trained on, and does to each what `ready`
    does."""

    def __init__(
        self,
        batches: Batches,
        num_workers: int = 1,
        ready: Callable[[Sequence], Sequence] = lambda made: made,
    ) -> None:
        self._workers = [_Worker(batches) for _ in range(num_workers)]
        self._num_asked, self._is_over = 0, False
        self._coming: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        self._ready: queue.Queue[Sequence | Exception] = queue.Queue(NUM_READY)
        self._receiver = threading.Thread(target=self._receive, args=(ready,), daemon=True)

    def _receive(self, ready: Callable[[Sequence], Sequence]) -> None:
        while (worker := self._coming.get()) and not self._is_over:
            try:
                self._ready.put(ready(worker.take()))
            except Exception as error:  # whoever takes the batch gets it
                self._ready.put(error)

    def __enter__(self) -> "WorkerFeed":
        threads = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = "1"  # read when a worker loads its libraries
        for worker in self._workers:
            worker.process.start()
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = threads
        self._receiver.start()
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._is_over = True
        self._coming.put(None)
        for worker in self._workers:
            worker.end()
        while not self._ready.empty():  # the receiver may wait for room, with a batch in hand
            self._ready.get_nowait()

    def ask(self, step: int, progress: float) -> None:
        worker = self._workers[self._num_asked % len(self._workers)]
        worker.asked.put((step, progress))
        self._coming.put(worker)
        self._num_asked += 1

    def take(self) -> Sequence:
        made = self._ready.get()
        if isinstance(made, Exception):
            raise made
        return made


class _Worker:
    def __init__(self, batches: Batches) -> None:
        context = multiprocessing.get_context("spawn")
        self.asked, self._made = context.Queue(), context.Queue()
        self.process = context.Process(
            target=_serve, args=(batches, self.asked, self._made, os.getpid()), daemon=True
        )

    def take(self) -> Sequence:
        while True:
            try:
                made = self._made.get(timeout=POLL_S)
            except queue.Empty:
                if not self.process.is_alive():
                    raise RuntimeError("the batch worker died; its traceback is above") from None
            else:
                if isinstance(made, InterplayError):
                    raise made
                return made

    def end(self) -> None:
        self.process.kill()  # it keeps nothing, and is deaf to gentler signals
        self.process.join()
        for line in (self.asked, self._made):
            line.cancel_join_thread()
            line.close()


Feed = PlainFeed | WorkerFeed


def _serve(batches: Batches, asked, made, parent: int) -> None:
    """The worker: until the parent is gone. The parent alone answers Ctrl-C and SIGTERM: a worker
    that dies with half a batch written would leave it waiting for the other half."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    while os.getppid() == parent:
        try:
            step, progress = asked.get(timeout=POLL_S)
        except queue.Empty:
            continue
        try:
            made.put(batches(step, progress))
        except InterplayError as error:
            made.put(error)
