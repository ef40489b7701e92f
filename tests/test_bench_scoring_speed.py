"""The benchmark of the scorers: what it counts. How long they take is not tested."""

from bench_helpers import beep

from interplay.bench import scoring_speed


def test_every_suite_has_a_line_and_all_of_them_a_sum(monkeypatch):
    monkeypatch.setattr(scoring_speed, "NAMES", ("harmbench", "stress"))
    clock = iter([0.0, 2.0, 3.0, 10.0, 10.5, 12.0])
    monkeypatch.setattr(scoring_speed, "process_time", lambda: next(clock))
    head, first, second, total = scoring_speed.lines(1, beep, "own")
    assert head.split() == ["suite", "traces", "outcomes", "intervals"]
    assert first.split() == ["harmbench", "2", "2.00", "s", "1.00", "s"]
    assert second.split() == ["stress", "8", "0.50", "s", "1.50", "s"], "without the long session"
    assert total == "1,000 such traces: 500.0 s"


def test_what_is_timed_is_scored():
    traces = scoring_speed.traces_of("harmbench", 1, beep, "own")
    assert [trace.item.subset for trace in traces] in (
        ["standard", "benign"],
        ["benign", "standard"],
    )
    outcomes_s, intervals_s = scoring_speed.seconds_of("harmbench", traces)
    assert outcomes_s > 0 and intervals_s > 0
