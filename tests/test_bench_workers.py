"""Items played by several workers: the traces of one process, and errors that reach the parent."""

import threading
from dataclasses import replace
from multiprocessing import Pipe

import numpy as np
import pytest
from bench_helpers import BACKCHANNEL, INTERRUPT, PAUSE, QUESTION, TIMER, beep, small_twin

from interplay.bench.playing.logical_clock import play
from interplay.bench.running import workers
from interplay.bench.running.endpoints import Endpoint, open_system
from interplay.bench.running.measure import SuiteBench
from interplay.bench.running.workers import Opener, Workers, choose_processes
from interplay.bench.suites import load_suite
from interplay.bench.systems.oracle import Oracle
from interplay.errors import DeviceError, SynthError

ITEMS = [
    replace(what, seed=seed, length_s=what.length_s + seed)
    for seed in range(3)
    for what in (QUESTION, PAUSE, INTERRUPT, BACKCHANNEL, TIMER)
]
PERFECT = Endpoint(kind="baseline", target="perfect")


def mute(text: str, voice: str):
    raise SynthError("no voice today")


class Threads(Workers):
    """The same on threads, which start at once."""

    def _start(self) -> None:
        while len(self._pipes) < self._num_workers:
            ours, theirs = Pipe()
            threading.Thread(target=workers.work, args=(theirs, self._opener), daemon=True).start()
            self._pipes.append(ours)

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.close()


@pytest.fixture
def pool():
    made: list[Workers] = []

    def make(num_workers: int = 2, synthesize=beep, kind=Threads) -> Workers:
        opener = Opener(seed=0, own_voice="own", synthesize=synthesize)
        made.append(kind(num_workers, opener))
        return made[-1]

    yield make
    for each in made:
        each.close()


def alone(endpoint: Endpoint, items):
    system = open_system(endpoint, seed=0, synthesize=beep, own_voice="own")
    return {id(trace.item): trace for trace in play(items, system, beep)}


@pytest.mark.parametrize("num_workers", [1, 2, 20])
def test_workers_play_what_one_process_plays(pool, monkeypatch, num_workers):
    monkeypatch.setattr(workers, "DEFAULT_SEATS", 3)
    several = pool(num_workers)
    for name in ("perfect", "always"):  # the same processes, one system after another
        endpoint = Endpoint(kind="baseline", target=name)
        wanted = alone(endpoint, ITEMS)
        found = {id(trace.item): trace for trace in several.play(endpoint)(ITEMS)}
        assert found.keys() == wanted.keys() == {id(what) for what in ITEMS}
        for key, trace in found.items():
            assert np.array_equal(trace.user, wanted[key].user)
            assert np.array_equal(trace.model, wanted[key].model)
            assert (trace.say, trace.act) == (wanted[key].say, wanted[key].act)
            assert (trace.cues, trace.voice) == (wanted[key].cues, wanted[key].voice)


def test_a_suite_measured_by_workers_has_the_same_result(pool):
    several, suite = pool(3), load_suite("harmbench")

    def measured(play_items, baseline):
        bench = SuiteBench(
            suite=suite,
            play=play_items,
            num_items=2,
            seed=1,
            baseline=baseline,
            synthesize=beep,
            own_voice="own",
        )
        return bench.run(suite.rows).rows

    one = Oracle("perfect", beep, "own")
    assert measured(
        several.play(PERFECT), lambda who: several.play(Endpoint(kind="baseline", target=who))
    ) == measured(lambda items: play(items, one, beep), None)


def test_what_fails_in_a_worker_fails_here(pool):
    with pytest.raises(SynthError, match="no voice today") as caught:
        list(pool(synthesize=mute).play(PERFECT)(ITEMS))
    assert any("in mute" in note for note in caught.value.__notes__)


class Dying(Threads):
    def _start(self) -> None:
        ours, theirs = Pipe()
        threading.Thread(target=lambda: (theirs.recv(), theirs.close()), daemon=True).start()
        self._pipes.append(ours)


def test_a_worker_that_dies_is_told(pool):
    with pytest.raises(DeviceError, match="has died"):
        list(pool(1, kind=Dying).play(PERFECT)(ITEMS[:1]))


@pytest.mark.slow  # a process of its own imports torch
def test_real_processes(pool):
    items = small_twin(2, 0)
    found = list(pool(2, kind=Workers).play(PERFECT)(items))
    wanted = alone(PERFECT, items)
    assert all(np.array_equal(t.model, wanted[id(t.item)].model) for t in found)
    assert len(found) == len(items)


def test_processes_are_as_many_as_have_enough_to_do(monkeypatch):
    monkeypatch.setattr(workers.sys, "platform", "linux")
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda pid: range(4), raising=False)
    assert [choose_processes(n) for n in (1, 16, 31, 32, 50, 1000, None)] == [1, 1, 1, 2, 3, 4, 4]
