"""A suite of two questions as the only one there is, and the command that measures it."""

import sys
from dataclasses import replace
from types import ModuleType

from bench_helpers import SMALL, beep, small_score

from interplay.bench import suites
from interplay.bench.running import main as bench_main
from interplay.bench.running import rescore
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites.base import Suite
from interplay.cli import main


def bench(*words: str) -> int:
    return main(["bench", *words])


def small_judged(judge) -> Suite:
    """The suite with one row more, which the judge decides."""
    row = replace(SMALL.rows[0], name="small_right_judged")

    def score(traces):
        asked = [judge.judge("", trace.item.subset) == "yes" for trace in traces]
        verdicts = [Outcome(value=float(right), group="easy") for right in asked]
        return small_score(traces) | {row.name: verdicts}

    return replace(SMALL, rows=(*SMALL.rows, row), score=score, how_to_get=judge.name)


def only_small(monkeypatch) -> Suite:
    """The suite `small` is the only one there is, from now on; speech is tones."""
    module = ModuleType("interplay.bench.suites.small")
    module.SUITE = SMALL  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(suites, "NAMES", ("small",))
    module.judged = small_judged  # type: ignore[attr-defined]
    monkeypatch.setattr(rescore, "NAMES", ("small",))
    monkeypatch.setattr(bench_main, "synthesize", beep)
    monkeypatch.setattr(rescore, "synthesize", beep)
    monkeypatch.setattr(bench_main, "current_commit", lambda: "abc")
    return SMALL
