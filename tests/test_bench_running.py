"""Suites side by side: the results of one after another, interrupted or kept in between."""

from argparse import Namespace
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from bench_helpers import beep
from test_bench_workers import PERFECT, Threads

from interplay.bench.running.journal import Journal
from interplay.bench.running.measure import SYSTEM, SuiteBench
from interplay.bench.running.run import Run, one_by_one, side_by_side
from interplay.bench.running.workers import Opener
from interplay.bench.suites import load_suite

SUITES = [load_suite(name) for name in ("harmbench", "audiomc", "tau")]
ROWS = [row for suite in SUITES for row in suite.rows]
NUM_ITEMS = 2 + 4 + 7


class Counting(Threads):
    """Notes who has played what; seats few, so that suites meet."""

    def __init__(self) -> None:
        super().__init__(2, Opener(seed=0, own_voice="own", synthesize=beep))
        self.events: list[tuple[str, str]] = []  # begun or ended, suite
        self.played: list[str] = []  # who

    def play_all(self, jobs):
        for job, trace in super().play_all(map(self.begun, jobs)):
            suite, who, _ = job.owner
            self.events.append(("ended", suite.name))
            self.played.append(who)
            yield job, trace

    def begun(self, job):
        self.events.append(("begun", job.owner[0].name))
        return job


def run_with(workers, *, keep: Path | None = None, journal=None) -> Run:
    about = {"endpoint": "baseline:perfect", "clock": "logical", "seed": 1, "weights": None}
    return Run(
        args=Namespace(suite="small", n=1, seed=1, data=None, html=None, keep=keep),
        report={**about, "judge": "rule", "data": None, "sessions": None},
        endpoint=PERFECT,
        loaded=None,
        synthesize=beep,
        words=lambda trace: trace,
        workers=workers,
        journal=journal,
    )


@pytest.fixture
def make_run(monkeypatch):
    monkeypatch.setattr("interplay.bench.running.workers.DEFAULT_SEATS", 3)
    pools: list[Counting] = []

    def made(**more) -> Run:
        pools.append(Counting())
        return run_with(pools[-1], **more)

    yield made
    for pool in pools:
        pool.close()


def quietly(what: str, done: int, total: int) -> None: ...


def measured(how, run: Run, advance=quietly) -> dict:
    return {suite.name: found for suite, found in how(run, SUITES, ROWS, advance)}


@cache
def wanted() -> dict:
    return measured(one_by_one, run_with(None))


def test_side_by_side_is_as_one_by_one(make_run):
    run = make_run()
    assert measured(side_by_side, run) == wanted()
    assert run.workers.played.count(SYSTEM) == NUM_ITEMS
    events = run.workers.events
    last = len(events) - events[::-1].index(("ended", "tau"))
    assert events.index(("begun", "audiomc")) < last, "before the first suite was over"


def test_trivial_systems_play_item_by_item():
    """So that the sound of a user, made for one of them, is still there for the others."""
    suite = SUITES[-1]
    bench = SuiteBench(suite=suite, play=lambda items: iter(()), num_items=1, seed=0)
    jobs = list(bench.begin(suite.rows).jobs())
    mine = [item for who, item in jobs if who == SYSTEM]
    assert [item.length_s for item in mine] == sorted((i.length_s for i in mine), reverse=True)
    beside = jobs[len(mine) :]
    count = len(suite.baselines)
    for start in range(0, len(beside), count):
        group = beside[start : start + count]
        assert [who for who, _ in group] == list(suite.baselines)
        assert len({id(item) for _, item in group}) == 1


class Interrupted(Exception): ...


@pytest.mark.parametrize("keeps", [False, True])
def test_what_was_played_before_an_interruption_is_not_played_again(make_run, tmp_path, keeps):
    keep, path = (tmp_path / "kept" if keeps else None), tmp_path / "r.items"
    journal = None if keeps else Journal(path, {})
    first, told = make_run(keep=keep, journal=journal), []

    def interrupting(what: str, done: int, total: int) -> None:
        told.append(what)
        if len(told) == 12:
            raise Interrupted

    with pytest.raises(Interrupted):
        measured(side_by_side, first, interrupting)
    before = sum(what.endswith("system") for what in told)
    assert 0 < before < NUM_ITEMS
    second = make_run(keep=keep, journal=None if keeps else Journal(path, {}))
    found = measured(side_by_side, second)
    assert found == wanted()
    assert second.workers.played.count(SYSTEM) == NUM_ITEMS - before


def test_a_journal_forgets_suites_one_by_one(make_run, tmp_path):
    run = make_run(journal=Journal(tmp_path / "r.items", {}))
    for suite, _ in side_by_side(run, SUITES, ROWS, quietly):
        assert run.journal is not None
        run.journal.forget(suite.name)
        left = (tmp_path / "r.items").read_text()
        assert f'"suite": "{suite.name}"' not in left
    assert left.count("\n") == 1, "nothing but its head"


def test_a_suite_without_trivial_systems_ends_too(make_run):
    alone = replace(SUITES[0], baselines=())
    run = make_run()
    [(suite, found)] = side_by_side(run, [alone], alone.rows, quietly)
    assert suite is alone and found["harmbench_refusal"]["value"] == 1
    assert found["harmbench_refusal"]["baselines"] == {}
