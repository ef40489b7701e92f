"""The broker keeps its promises whatever a backend does, in whatever order things happen."""

import logging
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.background.broker import MAX_WAITING, TOO_MANY, Broker, Budget
from interplay.background.contract import (
    TOO_LATE,
    UNREACHABLE,
    Delegation,
    Line,
    Result,
    Ui,
    notice,
)
from interplay.errors import BackgroundError, ConfigError

MAX_S = 10.0


@dataclass
class Puppet:
    """A backend that does what it is told, and raises what it is given."""

    outbox: list[Result] = field(default_factory=list)
    error: Exception | None = None
    given: dict[int, Delegation] = field(default_factory=dict)
    cancelled: list[int] = field(default_factory=list)
    num_closed: int = 0

    def _maybe_raise(self) -> None:
        if self.error:
            raise self.error

    def delegate(self, delegation: Delegation, now_s: float) -> None:
        self._maybe_raise()
        assert delegation.id not in self.given, "given twice"
        self.given[delegation.id] = delegation

    def cancel(self, delegation_id: int) -> None:
        self._maybe_raise()
        self.cancelled.append(delegation_id)

    def results(self, now_s: float) -> list[Result]:
        self._maybe_raise()
        out, self.outbox = self.outbox, []
        return out

    def close(self) -> None:
        self.num_closed += 1

    def send(self, delegation_id: int | None, content: str = "words", **fields) -> None:
        self.outbox.append(Result(delegation_id=delegation_id, content=content, **fields))


def pair(**budget) -> tuple[Broker, Puppet]:
    puppet = Puppet()
    return Broker(puppet, Budget(max_seconds=MAX_S, **budget)), puppet


def told(results: list[Result]) -> list[tuple[int | None, str | None, str, str]]:
    return [(r.delegation_id, r.status, r.urgency, r.content) for r in results]


IDS = st.integers(0, 3)
SEND = st.tuples(
    st.just("send"),
    st.none() | IDS,
    st.sampled_from([None, None, "done", "failed", "cancelled"]),
    st.sampled_from(["silent", "when_idle", "interrupt"]),
    st.none() | IDS,
    st.none() | st.floats(0, 12),
)
STEP = st.one_of(
    SEND,
    st.just(("delegate",)),
    st.just(("interrupt",)),
    st.tuples(st.just("cancel"), IDS),
    st.tuples(st.just("advance"), st.sampled_from([0.0, 0.2, 1.0, 7.0])),
    st.tuples(st.just("poll"), st.booleans(), st.booleans()),
    st.tuples(st.just("break"), st.sampled_from([None, BackgroundError("dead"), KeyError("bug")])),
)


class Witness:
    """Plays steps and notes everything that was given out, with what was so at that moment."""

    def __init__(self, broker: Broker, puppet: Puppet) -> None:
        self.broker, self.puppet = broker, puppet
        self.now_s = 0.0
        self.out: list[Result] = []
        self.ids: list[int] = []
        self.cancelled: set[int] = set()

    def play(self, step: tuple) -> None:
        match step:
            case ("delegate",):
                self.ids.append(self.broker.delegate("why", self.now_s))
            case ("send", delegation_id, status, urgency, supersedes, expires):
                if delegation_id is None:
                    status = None
                self.puppet.send(
                    delegation_id,
                    status=status,
                    urgency=urgency,
                    supersedes=supersedes,
                    expires_at_s=expires,
                )
            case ("cancel", delegation_id):
                if self.broker.cancel(delegation_id, self.now_s):
                    self.cancelled.add(delegation_id)
            case ("advance", seconds):
                self.now_s += seconds
            case ("interrupt",):
                before = self.broker.open
                self.broker.interrupt()
                assert self.broker.open == before, "interrupting speech cancels nothing"
            case ("break", error):
                self.puppet.error = error
            case ("poll", user_speaks, model_speaks):
                self.poll(user_speaks, model_speaks)

    def poll(self, user_speaks: bool, model_speaks: bool) -> None:
        given = self.broker.poll(self.now_s, user_speaks=user_speaks, model_speaks=model_speaks)
        for result in given:
            assert result.urgency == "silent" or not user_speaks, "talks over the user"
            assert result.urgency != "when_idle" or not model_speaks
            assert result.urgency == "silent" or not result.is_expired(self.now_s)
        overdue = [d for d in self.broker.open if self.now_s >= d.deadline_s]
        assert not overdue
        self.out += given


@given(
    steps=st.lists(STEP, max_size=60),
    max_parallel=st.integers(1, 3),
    max_queued=st.integers(0, 3),
)
@settings(max_examples=100, deadline=None)
def test_every_delegation_ends_exactly_once(steps, max_parallel, max_queued):
    logging.disable(logging.CRITICAL)
    broker, puppet = pair(max_parallel=max_parallel, max_queued=max_queued)
    witness = Witness(broker, puppet)
    for step in steps:
        witness.play(step)
        in_work = [d for d in broker.open if d.id in puppet.given]
        assert len(in_work) <= max_parallel
        assert len(broker.open) <= max_parallel + max_queued + 1
    witness.out += broker.close(witness.now_s)
    logging.disable(logging.NOTSET)
    assert broker.open == []
    assert witness.ids == list(range(len(witness.ids)))
    for delegation_id in witness.ids:
        own = [r for r in witness.out if r.delegation_id == delegation_id]
        assert [r.final for r in own] == [False] * (len(own) - 1) + [True], "one end, and last"
        if delegation_id in witness.cancelled:
            assert own[-1].status == "cancelled"
    assert {r.delegation_id for r in witness.out} <= {None, *witness.ids}
    assert broker.close(witness.now_s) == [] and puppet.num_closed == 1


@given(steps=st.lists(STEP, max_size=40))
@settings(max_examples=100, deadline=None)
def test_whatever_happens_everything_has_ended_after_its_time(steps):
    logging.disable(logging.CRITICAL)
    witness = Witness(*pair())
    for step in steps:
        witness.play(step)
    witness.now_s += MAX_S
    witness.poll(False, False)
    witness.poll(False, False)
    logging.disable(logging.NOTSET)
    ended = [r.delegation_id for r in witness.out if r.final]
    assert len(ended) == len(witness.ids) and set(ended) == set(witness.ids)


def test_partial_results_come_before_the_end_and_none_after_it():
    broker, puppet = pair()
    i = broker.delegate("why", 0.0)
    puppet.send(i, "first", status=None)
    puppet.send(i, "second", status=None)
    puppet.send(i, "third")
    puppet.send(i, "late", status=None)
    puppet.send(i, "again")
    assert [r.content for r in broker.poll(1.0)] == ["first", "second", "third"]
    puppet.send(i, "much later", status="failed")
    assert broker.poll(2.0) == []


def test_a_delegation_carries_the_conversation_its_deadline_and_its_budget():
    broker, puppet = pair(max_tool_rounds=3)
    lines = [Line(role="user", text="hello", time_s=0.4)]
    broker.delegate("why", 5.0, lines)
    lines.clear()
    [delegation] = puppet.given.values()
    assert (delegation.question, delegation.created_at_s) == ("why", 5.0)
    assert [line.text for line in delegation.conversation] == ["hello"]
    assert (delegation.deadline_s, delegation.max_tool_rounds) == (15.0, 3)


def test_too_many_wait_for_their_place_and_too_many_of_those_fail():
    broker, puppet = pair(max_parallel=1, max_queued=1)
    first, second, third = (broker.delegate("why", 0.0) for _ in range(3))
    assert list(puppet.given) == [first]
    assert told(broker.poll(0.0)) == [(third, "failed", "when_idle", TOO_MANY)]
    puppet.send(first)
    broker.poll(1.0)
    assert list(puppet.given) == [first, second]


def test_what_takes_too_long_fails_and_its_backend_is_told():
    broker, puppet = pair()
    i = broker.delegate("why", 0.0)
    assert broker.poll(MAX_S - 0.1) == []
    assert told(broker.poll(MAX_S)) == [(i, "failed", "when_idle", TOO_LATE)]
    assert puppet.cancelled == [i]


def test_cancelling_is_silent_drops_words_not_yet_given_and_happens_once():
    broker, puppet = pair()
    i = broker.delegate("why", 0.0)
    puppet.send(i, "half", status=None)
    assert broker.poll(0.0, user_speaks=True) == []
    assert broker.cancel(i, 1.0) and puppet.cancelled == [i]
    puppet.send(i, "too late")
    assert told(broker.poll(1.0)) == [(i, "cancelled", "silent", "")]
    assert not broker.cancel(i, 1.0) and not broker.cancel(99, 1.0)


def test_interrupting_speech_keeps_work_and_answers_but_not_progress():
    broker, puppet = pair()
    i, j = broker.delegate("why", 0.0), broker.delegate("who", 0.0)
    puppet.send(i, "still looking", status=None)
    puppet.send(j, "the answer")
    assert broker.poll(0.0, model_speaks=True) == []
    broker.interrupt()
    assert [d.id for d in broker.open] == [i] and puppet.cancelled == []
    given = broker.poll(0.0)
    assert told(given) == [
        (i, None, "silent", "still looking"),
        (j, "done", "when_idle", "the answer"),
    ]


def test_urgent_words_wait_for_the_users_pause_only():
    broker, puppet = pair()
    i = broker.delegate("why", 0.0)
    puppet.send(i, "by the way", status=None)
    puppet.send(i, "fire", urgency="interrupt")
    assert broker.poll(0.0, user_speaks=True, model_speaks=True) == []
    given = broker.poll(0.0, model_speaks=True)
    assert [(r.content, r.urgency) for r in given] == [
        ("by the way", "interrupt"),
        ("fire", "interrupt"),
    ]


def test_what_has_expired_is_dropped_or_ends_silently():
    broker, puppet = pair()
    i = broker.delegate("why", 0.0)
    puppet.send(i, "soon", status=None, expires_at_s=2.0)
    puppet.send(i, "answer", expires_at_s=2.0)
    assert broker.poll(1.0, user_speaks=True) == []
    assert told(broker.poll(2.0)) == [(i, "done", "silent", "answer")]


def test_a_superseded_answer_is_not_said_any_more():
    broker, puppet = pair()
    old, older, new = (broker.delegate(f"weather {name}", 0.0) for name in "abc")
    puppet.send(older, "rain in rome")
    puppet.send(new, "sun in paris", supersedes=older)
    puppet.send(old, "cloudy", status=None)
    puppet.send(new, "ignored, it has ended", supersedes=old)
    assert told(broker.poll(0.0)) == [
        (older, "done", "silent", "rain in rome"),
        (new, "done", "when_idle", "sun in paris"),
        (old, None, "when_idle", "cloudy"),
    ]
    another = broker.delegate("weather", 0.0)
    puppet.send(another, "sun", status=None, supersedes=old)
    puppet.send(old, "cloudy all day")
    assert told(broker.poll(0.0))[-1] == (old, "done", "silent", "cloudy all day")


def test_the_same_words_again_supersede_what_is_open():
    broker, puppet = pair()
    old, other = broker.delegate("the weather", 0.0), broker.delegate("the time", 0.0)
    new = broker.delegate(" The  weather", 1.0)
    for i in (old, new, other):
        puppet.send(i)
    assert told(broker.poll(1.0)) == [
        (old, "done", "silent", "words"),
        (new, "done", "when_idle", "words"),
        (other, "done", "when_idle", "words"),
    ]


def test_an_answer_that_could_not_be_said_by_its_deadline_is_not_said_any_more():
    broker, puppet = pair()
    i = broker.delegate("why", 0.0)
    puppet.send(i, "because")
    assert broker.poll(MAX_S - 0.1, user_speaks=True) == []
    assert told(broker.poll(MAX_S)) == [(i, "done", "silent", "because")]


def test_a_result_may_replace_its_own_progress():
    broker, puppet = pair()
    i = broker.delegate("why", 0.0)
    puppet.send(i, "found 3", status=None)
    puppet.send(i, "found 5", supersedes=i)
    assert told(broker.poll(0.0)) == [(i, "done", "when_idle", "found 5")]


def test_a_silent_end_does_not_overtake_words_that_wait():
    broker, puppet = pair()
    i = broker.delegate("why", 0.0)
    puppet.send(i, "words", status=None)
    puppet.send(i, "", urgency="silent")
    assert broker.poll(0.0, model_speaks=True) == []
    assert [(r.content, r.final) for r in broker.poll(0.0)] == [("words", False), ("", True)]


def test_a_chart_does_not_wait_for_speech_to_end():
    broker, puppet = pair()
    i = broker.delegate("why", 0.0)
    ui = Ui(id="c", kind="vega-lite", spec={})
    puppet.send(i, "words", status=None)
    puppet.send(i, "", status=None, urgency="silent", ui=ui)
    assert [r.ui for r in broker.poll(0.0, user_speaks=True)] == [ui]


def test_a_notice_belongs_to_no_delegation():
    broker, puppet = pair()
    puppet.outbox.append(notice("your timer is up", "interrupt"))
    assert told(broker.poll(0.0)) == [(None, None, "interrupt", "your timer is up")]


@pytest.mark.parametrize(
    ("error", "level"), [(BackgroundError("gone"), "WARNING"), (ValueError("bug"), "ERROR")]
)
def test_a_dead_backend_gives_one_failed_result_each_and_a_log_line(error, level, caplog):
    broker, puppet = pair()
    i = broker.delegate("why", 0.0)
    puppet.error = error
    j = broker.delegate("who", 0.0)
    assert told(broker.poll(1.0)) == [
        (j, "failed", "when_idle", UNREACHABLE),
        (i, "failed", "when_idle", UNREACHABLE),
    ]
    assert broker.poll(2.0) == []
    assert level in {record.levelname for record in caplog.records}
    assert f"delegation {i} failed after 1.0 s" in caplog.text
    puppet.error = None
    k = broker.delegate("when", 3.0)
    puppet.send(k, "now")
    assert [r.content for r in broker.poll(3.0)] == ["now"], "the conversation goes on"


def test_long_words_are_cut():
    broker, puppet = pair(max_content_chars=5)
    puppet.send(broker.delegate("why", 0.0), "abcdefgh")
    assert [r.content for r in broker.poll(0.0)] == ["abcd…"]


def test_a_backend_that_never_stops_talking_fills_no_memory():
    broker, puppet = pair()
    i = broker.delegate("why", 0.0)
    for k in range(MAX_WAITING + 10):
        puppet.send(i, f"word {k}", status=None)
    puppet.send(i, "the end")
    assert broker.poll(0.0, user_speaks=True) == []
    given = broker.poll(0.0)
    assert len(given) == MAX_WAITING + 1 and given[-1].content == "the end"


def test_nothing_can_be_handed_over_after_the_end():
    broker, _ = pair()
    i = broker.delegate("why", 0.0)
    assert told(broker.close(1.0)) == [(i, "cancelled", "silent", "")]
    with pytest.raises(BackgroundError, match="closed"):
        broker.delegate("why", 2.0)
    assert broker.poll(3.0) == []


@pytest.mark.parametrize("name", ["max_seconds", "max_parallel", "max_content_chars"])
def test_a_budget_of_nothing_is_refused(name):
    with pytest.raises(ConfigError, match=name):
        Budget(**{name: 0})
    with pytest.raises(ConfigError, match="max_queued"):
        Budget(max_queued=-1)


def test_a_notice_that_ends_something_is_refused():
    with pytest.raises(BackgroundError, match="notice"):
        Result(delegation_id=None, content="words")
