"""A model that falls silent is noticed while it is trained, once, and after a resume as well."""

import json

import torch

from interplay.train.losses import Losses
from interplay.train.monitor import Monitor
from interplay.train.silence import SayWatch


def seen(*recalls: float, watch: SayWatch | None = None, progress: float = 0.5) -> list[int]:
    """Lines after which there was a warning."""
    watch = watch or SayWatch()
    lines = [{"step": 10 * k, "progress": progress, "say_recall": r} for k, r in enumerate(recalls)]
    return [k for k, line in enumerate(lines) if watch.see(line)]


def test_a_collapse_is_told_once_and_again_after_a_recovery():
    assert seen(0.5, 0.9, 0.44, 0.3, 0.1, 0.1, 0.1) == [4]
    assert seen(0.9, 0.4, 0.4, 0.4, 0.5, 0.4, 0.4, 0.4) == [3, 7]


def test_what_is_no_collapse_is_not_told():
    assert seen(0.9, 0.46, 0.46, 0.46, 0.46) == [], "half of the best is enough"
    assert seen(0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.9) == [], "odd sessions"
    assert seen(0.1, 0.2, 0.2, 0.2) == [], "who has said nothing yet"
    untrained = SayWatch()
    assert seen(1.0, 0.3, 0.2, 0.2, watch=untrained, progress=0.01) == [] and untrained.best == 0
    watch = SayWatch(best=0.9)
    assert watch.see({"step": 1, "progress": 0.5}) is None, "nothing was to be said"


def written(monitor: Monitor, num_said: list[int]) -> list[dict[str, float]]:
    """Lines of a run in which so many of ten words were said."""
    for step, said in enumerate(num_said):
        losses = Losses(total=torch.zeros(()))
        counts = torch.tensor(said), torch.tensor(10)
        losses.parts["say"] = torch.tensor(1.5)
        losses.metrics |= {"say_recall": counts, "say_accuracy": counts}
        facts = {"step": step, "progress": 0.5, "elapsed_s": float(step)}
        monitor.add(losses, facts | {"positions": 1, "waited_s": 0.0})
        monitor.write()
    assert monitor._log
    return [json.loads(line) for line in monitor._log.read_text().splitlines()]


def test_the_screen_and_the_log_say_so_and_a_resumed_run_knows_its_best(tmp_path, capsys):
    log = tmp_path / "log.jsonl"
    lines = written(Monitor(log), [7, 9, 4, 4])
    assert [line["say_recall_best"] for line in lines] == [0.7, 0.9, 0.9, 0.9]
    before = capsys.readouterr().err
    assert "say 1.50 (70%, 30% unsaid)" in before and "falls silent" not in before
    written(Monitor(log), [4, 4, 2, 1, 0])
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: at step 2 the model falls silent: of the words")
    assert "20% get any word, and 90% did" in warnings[0]
