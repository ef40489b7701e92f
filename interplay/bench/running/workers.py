"""Plays items in processes of their own, on the logical clock, at as many cores as are wanted.

Every process opens each system once and keeps its seats taken, be it by items of several systems:
whenever an item ends, the next one goes to the process that played it. An item's bits depend on the
item and the seed alone, so the traces are those that one process plays; only the order in which
they come differs. Knows nothing of suites or scores.
"""

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from interplay.bench.playing.logical_clock import Lockstep, System
from interplay.bench.playing.stage import Synthesizer, num_turns
from interplay.bench.running.endpoints import Endpoint, Play, open_system
from interplay.bench.systems.local import DEFAULT_SEATS
from interplay.bench.traces.trace import Trace
from interplay.data.item import Item
from interplay.errors import DeviceError
from interplay.model.checkpoint import load_checkpoint

ITEMS_PER_WORKER = 16  # of a part; with fewer, opening the model again takes longer than playing
NUM_SPEECHES = 1024  # utterances a process remembers


@dataclass(frozen=True, kw_only=True)
class Job:
    """One item to be played at one system. owner: whatever whoever asked for it wants back."""

    endpoint: Endpoint
    item: Item
    owner: Any = None


Numbered = tuple[int, Endpoint, Item]  # which of the jobs it is


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
        """How items are played at a system of these processes, the longest first. Raises
        DeviceError where one of them dies, and whatever fails in one of them."""

        def played(items: Sequence[Item]) -> Iterator[Trace]:
            ordered = sorted(items, key=num_turns, reverse=True)
            for _, trace in self.play_all(Job(endpoint=endpoint, item=i) for i in ordered):
                yield trace

        return played

    def play_all(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Trace]]:
        """Play jobs side by side, begun in their order; each with its trace, as items end. Raises
        as `play`."""
        self._start()
        waiting, begun = enumerate(jobs), dict[int, Job]()

        def following() -> list[Numbered]:
            """The next job, if any."""
            number, job = next(waiting, (0, None))
            if job is None:
                return []
            begun[number] = job
            return [(number, job.endpoint, job.item)]

        hands: list[list[Numbered]] = [[] for _ in self._pipes]
        for hand in [*hands] * DEFAULT_SEATS:
            hand += following()
        for pipe, hand in zip(self._pipes, hands, strict=True):
            pipe.send(hand)
        ready: list = []
        while begun:
            ready = ready or wait(self._pipes)
            pipe = ready.pop()
            number, trace = _receive(pipe)
            pipe.send(following())
            job = begun.pop(number)
            yield job, replace(trace, item=job.item)

    def close(self) -> None:
        """End the processes; what they play is dropped."""
        for process in self._processes:
            process.terminate()
        for process, pipe in zip(self._processes, self._pipes, strict=True):
            process.join()
            pipe.close()
        self._pipes, self._processes = [], []

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
    """Gets jobs to begin with, and one or none in return for each trace; sends the error that ends
    it."""
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
    tables: dict[Endpoint, Lockstep] = {}
    numbers: dict[int, int] = {}
    while True:
        hand: list[Numbered] = pipe.recv()
        while hand or numbers:
            for number, endpoint, item in hand:
                if endpoint not in tables:
                    tables[endpoint] = Lockstep(opener(endpoint), opener.synthesize)
                mine = replace(item)  # one item may be there for several systems
                numbers[id(mine)] = number
                tables[endpoint].seat(mine)
            hand = []
            for table in tables.values():
                for trace in table.beat() if table.seated else ():
                    pipe.send((numbers.pop(id(trace.item)), trace))
                    hand += pipe.recv()
