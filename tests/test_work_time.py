"""A run's budget is spent by work, not by standing still."""

import os
import signal

import pytest

from interplay.train import work_time
from interplay.train.work_time import WorkTime


def test_time_in_which_the_process_stood_still_is_not_work(monkeypatch: pytest.MonkeyPatch):
    now_s = [100.0]
    monkeypatch.setattr(work_time.time, "monotonic", lambda: now_s[0])
    before = signal.getsignal(signal.SIGCONT)
    with WorkTime(50.0) as work:
        now_s[0] += 2
        assert work.read() == 52
        now_s[0] += 4000  # stopped for more than an hour
        os.kill(os.getpid(), signal.SIGCONT)
        assert work.read() == 54
        now_s[0] += 3
        assert work.read() == 57
    assert signal.getsignal(signal.SIGCONT) == before


def test_a_slow_step_is_work(monkeypatch: pytest.MonkeyPatch):
    now_s = [0.0]
    monkeypatch.setattr(work_time.time, "monotonic", lambda: now_s[0])
    with WorkTime() as work:
        now_s[0] += 1
        work.read()
        now_s[0] += 60
        assert work.read() == 61
