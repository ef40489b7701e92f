"""Plays items in processes of their own, on the logical clock, at as many cores as are wanted.

Every process opens each system once and keeps its seats taken: whenever an item ends, the next one
goes to the process that played it. An item's bits depend on the item and the seed alone, so the
traces are those that one process plays; only the order in which they come differs. Knows nothing of
suites or scores.
"""

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from interplay.bench.endpoints import Endpoint, Play, open_system
from interplay.bench.local import DEFAULT_SEATS
from interplay.bench.runner import Lockstep, System
from interplay.bench.stage import Synthesizer, num_turns
from interplay.bench.trace import Trace
from interplay.data.item import Item
from interplay.errors import DeviceError
from interplay.model.checkpoint import load_checkpoint

ITEMS_PER_WORKER = 16  # of a part; with fewer, opening the model again takes longer than playing
NUM_SPEECHES = 1024  # utterances a process remembers
Numbered = tuple[int, Item]  # an item, and which of those to be played it is


def choose_processes(num_items: int | None) -> int:
    """Processes for a suite of so many items per part (None: all of official data): one per core,
    if there is enough to do."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return cores if num_items is None else max(1, min(cores, num_items // ITEMS_PER_WORKER))


@dataclass(frozen=True, kw_only=True)
class Opener:
    """Opens systems in a process that knows nothing yet; the parent sends it there."""

    seed: int
    own_voice: str
    synthesize: Synthesizer

    def __call__(self, endpoint: Endpoint) -> System:
        return open_system(
            endpoint,
            seed=self.seed,
            synthesize=self.synthesize,
            own_voice=self.own_voice,
            loaded=load_checkpoint(endpoint.target) if endpoint.kind == "local" else None,
        )


class Workers:
    """`num_workers` processes, started with the first item. They end with `close`, or with this
    process."""

    def __init__(self, num_workers: int, opener: Opener) -> None:
        self._num_workers, self._opener = num_workers, opener
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []

    def play(self, endpoint: Endpoint) -> Play:
        """How items are played at a system of these processes. Raises DeviceError where one of
        them dies, and whatever fails in one of them."""
        return lambda items: self._play(endpoint, items)

    def close(self) -> None:
        """End the processes; what they play is dropped."""
        for process in self._processes:
            process.terminate()
        for process, pipe in zip(self._processes, self._pipes, strict=True):
            process.join()
            pipe.close()
        self._pipes, self._processes = [], []

    def _play(self, endpoint: Endpoint, items: Sequence[Item]) -> Iterator[Trace]:
        self._start()
        ready: list = []
        order = sorted(range(len(items)), key=lambda number: num_turns(items[number]))
        waiting = [(number, items[number]) for number in order]  # the longest last
        share = min(DEFAULT_SEATS, -(-len(items) // self._num_workers))
        hands: list[list[Numbered]] = [[] for _ in self._pipes]
        for hand in [*hands] * share:
            hand += _next(waiting)
        for pipe, hand in zip(self._pipes, hands, strict=True):
            pipe.send((endpoint, hand))
        for _ in items:
            if not ready:
                ready = wait(self._pipes)
            pipe = ready.pop()
            number, trace = _receive(pipe)
            pipe.send(_next(waiting))
            yield replace(trace, item=items[number])

    def _start(self) -> None:
        if self._processes:
            return
        context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
        for _ in range(self._num_workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_main, args=(theirs, self._opener), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)


def _next(waiting: list[Numbered]) -> list[Numbered]:
    """The longest item that is left, if any."""
    return [waiting.pop()] if waiting else []


def _receive(pipe: Connection) -> tuple[int, Trace]:
    try:
        answer = pipe.recv()
    except (EOFError, ConnectionError) as error:
        raise DeviceError(
            "a process that plays items has died, perhaps for want of memory; give fewer --jobs"
        ) from error
    if isinstance(answer, Exception):
        raise answer
    return answer


def _main(pipe: Connection, opener: Opener) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this process
    work(pipe, opener)


def work(pipe: Connection, opener: Opener) -> None:
    """Gets an endpoint and items to begin with, and one item or none in return for each trace;
    sends the error that ends it."""
    try:
        _work(pipe, opener)
    except (EOFError, ConnectionError):
        pass  # nobody waits for it any more
    except Exception as error:  # the parent raises it again, whatever it is
        error.add_note(traceback.format_exc())
        with suppress(ConnectionError):  # another process has failed before
            pipe.send(error)


def _work(pipe: Connection, opener: Opener) -> None:
    opener = replace(opener, synthesize=lru_cache(NUM_SPEECHES)(opener.synthesize))
    systems: dict[Endpoint, System] = {}
    while True:
        endpoint, hand = pipe.recv()
        if endpoint not in systems:
            systems[endpoint] = opener(endpoint)
        table, numbers = Lockstep(systems[endpoint], opener.synthesize), {}
        while hand or table.seated:
            for number, item in hand:
                numbers[id(item)] = number
                table.seat(item)
            hand = []
            for trace in table.beat():
                pipe.send((numbers.pop(id(trace.item)), trace))
                hand += pipe.recv()
