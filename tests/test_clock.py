"""Tests of interplay/clock.py: absolute deadlines, counted misses, time that is not stretched."""

import time

import pytest

from interplay import clock
from interplay.clock import TURN_S, FakeClock, Pacer, RealClock


def test_rates_agree_with_each_other():
    assert clock.TURNS_PER_S * clock.TURN_MS == 1000
    assert clock.SLOT_MS * clock.NUM_SLOTS == clock.TURN_MS
    assert clock.SLOTS_PER_S == clock.TURNS_PER_S * clock.NUM_SLOTS == 20
    assert clock.SAMPLES_PER_TURN == clock.NUM_SLOTS * clock.SAMPLES_PER_SLOT == 3200


def test_fake_clock_moves_only_when_somebody_sleeps():
    fake = FakeClock(3.0)
    assert fake.now() == fake.now() == 3.0
    fake.sleep_until(4.5)
    assert fake.now() == 4.5


def test_fake_clock_never_goes_back():
    fake = FakeClock(3.0)
    fake.sleep_until(1.0)
    assert fake.now() == 3.0


def test_real_clock_sleeps_until_the_deadline():
    real = RealClock()
    deadline_s = real.now() + 0.02
    real.sleep_until(deadline_s)
    assert deadline_s <= real.now() < deadline_s + 5


def test_real_clock_returns_at_once_when_late(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("slept past the deadline"))
    real = RealClock()
    real.sleep_until(real.now() - 1)


def test_beats_are_absolute_and_work_between_them_does_not_shift_them():
    fake = FakeClock(10.0)
    pacer = Pacer(fake)
    beats = []
    for work_s in (0.0, 0.05, 0.19, 0.1):
        beats.append(pacer.wait())
        fake.advance(work_s)
    assert beats == pytest.approx([10 + TURN_S * k for k in (1, 2, 3, 4)])
    assert pacer.num_misses == 0
    assert pacer.report() == "0 of 4 deadlines missed"


def test_a_late_beat_is_counted_and_the_schedule_is_caught_up():
    fake = FakeClock()
    pacer = Pacer(fake)
    pacer.wait()  # 0.2
    fake.advance(0.45)  # 0.65: the deadlines at 0.4 and 0.6 have passed
    assert pacer.wait() == pytest.approx(0.4)
    assert fake.now() == pytest.approx(0.65)
    assert pacer.wait() == pytest.approx(0.6)
    assert pacer.wait() == pytest.approx(0.8)
    assert fake.now() == pytest.approx(0.8)
    assert pacer.num_misses == 2
    assert pacer.worst_late_s == pytest.approx(0.25)
    assert pacer.report() == "2 of 4 deadlines missed, worst 250 ms late"


def test_arriving_exactly_at_the_deadline_is_on_time():
    fake = FakeClock()
    pacer = Pacer(fake, period_s=0.25)
    pacer.wait()
    fake.advance(0.25)
    assert pacer.wait() == 0.5
    assert pacer.num_misses == 0


def test_first_beat_is_one_period_after_the_first_wait():
    fake = FakeClock()
    pacer = Pacer(fake, period_s=0.5)
    fake.advance(7.0)  # time before the first wait does not count
    assert pacer.wait() == 7.5
    assert pacer.num_beats == 1
