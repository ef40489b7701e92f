"""What is scored apart from what is played: threads for judges, groups of items."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from bench_helpers import SMALL, beep, small_score, small_twin

from interplay.bench.clients.wall import play_wall
from interplay.bench.playing.logical_clock import play
from interplay.bench.running.apart import Apart
from interplay.bench.running.journal import Journal
from interplay.bench.running.measure import SYSTEM, SuiteBench
from interplay.bench.systems.oracle import Oracle
from interplay.bench.traces.trace import Trace
from interplay.clock import FakeClock

PATIENCE_S = 60.0  # reached only where the test fails


def test_calls_are_made_in_order_and_all_are_awaited():
    found, may = [], threading.Event()

    def slow(number: int) -> None:
        assert may.wait(PATIENCE_S)
        found.append(number)

    with Apart(slow) as apart:
        for number in range(5):
            apart(number)
        assert found == [], "the caller went on"
        may.set()
    assert found == [0, 1, 2, 3, 4]


def test_after_a_failed_call_there_is_no_other():
    found = []

    def failing(number: int) -> None:
        found.append(number)
        if number == 1:
            raise ValueError("one")

    with pytest.raises(ValueError, match="one"), Apart(failing) as apart:
        for number in range(4):
            apart(number)
    assert found == [0, 1]


def test_who_is_left_by_an_error_makes_no_further_call_and_is_not_waited_for():
    found, begun, may = [], threading.Event(), threading.Event()

    def slow(number: int) -> None:
        begun.set()
        assert may.wait(PATIENCE_S)
        found.append(number)

    with pytest.raises(KeyError), Apart(slow) as apart:
        for number in range(3):
            apart(number)
        assert begun.wait(PATIENCE_S)
        raise KeyError
    assert found == [], "the first call still waits"
    may.set()
    apart._thread.join(PATIENCE_S)
    assert found == [0]


def test_no_session_in_real_time_waits_for_a_judge():
    """This judge gives its first answer when all sessions are over."""
    all_are_over, asked = threading.Event(), []

    def judged(traces):
        assert all_are_over.wait(PATIENCE_S)
        asked.extend(trace.item.seed for trace in traces)
        return small_score(traces)

    clock = FakeClock()

    def in_real_time(items) -> Iterator[Trace]:
        yield from play_wall(items, Oracle("perfect", beep, "own"), beep, clock=clock)
        all_are_over.set()

    suite = replace(SMALL, score=judged, baselines=())
    bench = SuiteBench(suite=suite, play=in_real_time, num_items=2, seed=0, in_real_time=True)
    measured = bench.run(suite.rows)
    assert sorted(asked) == [0, 0, 1, 1]
    assert measured.rows["small_right"]["value"] == 1


def both(traces):
    """Says how many traces it was given."""
    first, *others = traces
    assert [trace.item.subset for trace in traces] == ["easy", "hard"]
    assert not others or first.item.seed == others[0].item.seed
    return small_score(traces)


PAIRED = replace(SMALL, score=both, together=lambda item: item.seed, baselines=("silent",))


def test_items_that_belong_together_are_scored_together(tmp_path):
    oracle = Oracle("perfect", beep, "own")
    bench = SuiteBench(
        suite=PAIRED, play=lambda items: play(items, oracle, beep), num_items=3, seed=0
    )
    bench.synthesize, bench.own_voice = beep, "own"
    row = bench.run(PAIRED.rows).rows["small_right"]
    assert row["value"] == 1 and row["n"] == 6 and row["baselines"]["silent"] == 0
    assert len(set(row["outcomes"]["item"])) == 3, "outcomes of a pair are those of its first item"

    # interrupted after one item of the second pair: that pair is played again, the first is not
    items = small_twin(3, 0)
    journal = Journal(tmp_path / "r.items", {})
    begun = replace(bench, journal=journal).begin(PAIRED.rows, items)
    traces = {id(trace.item): trace for trace in play(items, oracle, beep)}
    for index in (0, 3, 1):
        begun.take(SYSTEM, traces[id(items[index])])
    again = replace(bench, journal=Journal(tmp_path / "r.items", {}))
    waiting = again.begin(PAIRED.rows, items).waiting[SYSTEM]
    assert [items.index(item) for item in waiting] == [1, 2, 4, 5]
    assert again.run(PAIRED.rows, items).rows["small_right"] == row
