"""The judge of one run: opened with a place for what it was asked, named where it decides, counted.

Knows nothing of how a judge is asked (bench.scoring.judges) or of what suites ask it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from interplay.bench.scoring.judges import EndpointJudge, Judge
from interplay.bench.suites.base import Suite
from interplay.bench.wording.rules import RULE

FOLDER = "judged"  # prompts and replies, beside the traces


def open_judge(model: str | None, folder: Path | None) -> Any:
    """A judge whose prompts and replies are stored in `folder`; None without a model."""
    if model is None:
        return None
    assert folder is not None
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    return EndpointJudge(model, folder=folder / FOLDER)


def judge_of(judge: Judge | None, suites: Sequence[Suite]) -> str:
    """Who decides the rows that are not decided by rule; RULE where there are none."""
    return judge.name if judge is not None and any(map(_is_judged, suites)) else RULE


def tell_unjudged(judge: Judge | None, suites: Sequence[Suite], console: Console) -> None:
    """Suites that the judge is not asked in are told before anything is played."""
    names = [suite.name for suite in suites if not _is_judged(suite)]
    if judge is not None and names:
        console.print(f"{judge.name} judges no row of {', '.join(names)}: all of them go by rule")


def facts_of(judge: Any) -> dict[str, Any]:
    """What a result says of how its judge was asked."""
    return {} if judge is None else {"judge_facts": judge.facts()}


def _is_judged(suite: Suite) -> bool:
    return any(row.is_judged for row in suite.rows)
