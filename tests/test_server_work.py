"""Delegations from start to end: deadlines, progress, late answers, cancelling, and what the model
is told."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from interplay.background.broker import Broker
from interplay.background.contract import TOO_LATE, TOO_MANY, Result
from interplay.server.auth import Visitor
from interplay.server.events import Notice, Turn
from interplay.server.limits import Limits
from interplay.server.live import LiveSideband
from interplay.server.outbox import Outbox
from interplay.server.page import PageConnection
from interplay.server.served import ServedSession
from interplay.turns.tokens import DELEGATE, END, RESULT, STOP
from tests.responses_helpers import Backend, backed
from tests.server_helpers import (
    advanced,
    client,
    loaded,
    make_hub,
    only,
    opened,
    received,
    refused,
    send,
    tidings,
    turns,
)

TOKENIZER = loaded().tokenizer
HAND_OVER = (DELEGATE, *TOKENIZER.encode("six"), END)
SHORT = Limits(answer_s=1.0, close_s=0.0)


def step(session: ServedSession, act: Sequence[int] = (), count: int = 1) -> None:
    for _ in range(count):
        session.advance(advanced(session, act=tuple(act)), 1.0)


def handed_over(session: ServedSession, outbox: Outbox) -> str:
    """The id of a delegation that the client is to do."""
    step(session, HAND_OVER)
    (delegation,) = turns(outbox)[-1].delegations
    return delegation.id


def read_tokens(session: ServedSession) -> list[int]:
    tokens: list[int] = []
    while session.seat.num_waiting:
        tokens += session.seat.collect().half.read
    return tokens


def count(session_hub, status: str) -> float | None:
    value = session_hub.metrics.registry.get_sample_value
    return value("im_delegation_seconds_count", {"status": status})


def test_what_the_client_does_not_answer_fails_once_and_frees_its_place():
    hub = make_hub(limits=replace(SHORT, open_delegations=1))
    session, outbox = opened(hub)
    name = handed_over(session, outbox)
    step(session, count=5)
    told = outbox.take()
    assert [item.message for item in told if isinstance(item, Notice)] == [
        f"{name} had no answer for 1 s; the model was told that it failed"
    ]
    (outcome,) = [o for turn in told if isinstance(turn, Turn) for o in turn.outcomes]
    assert (outcome.delegation_id, outcome.status) == (name, "failed")
    assert read_tokens(session) == [RESULT, *TOKENIZER.encode(TOO_LATE), END]
    assert count(hub, "failed") == 1
    assert hub.metrics.registry.get_sample_value("im_delegations_inflight") == 0
    step(session, count=9)
    assert read_tokens(session) == [] and tidings(outbox) == []
    assert handed_over(session, outbox), "its place is free again"


def test_a_late_answer_is_context_only():
    session, outbox = opened(make_hub(limits=SHORT))
    name = handed_over(session, outbox)
    step(session, count=5)
    read_tokens(session)
    session.answer(name, "ten")
    assert read_tokens(session) == [*TOKENIZER.encode("ten"), END]


def test_too_many_at_once_fail_and_the_model_is_told():
    session, outbox = opened(make_hub(limits=Limits(open_delegations=1)))
    handed_over(session, outbox)
    step(session, HAND_OVER)
    assert tidings(outbox) == ["delegation_dropped"]
    assert read_tokens(session) == [RESULT, *TOKENIZER.encode(TOO_MANY), END]


def test_an_answer_that_is_refused_ends_nothing():
    hub = make_hub(limits=Limits(append_tokens=4, waiting_tokens=8))
    session, outbox = opened(hub)
    name = handed_over(session, outbox)
    assert refused(session.answer, name, "").code == "empty_text"
    assert refused(session.answer, name, "ten " * 9).code == "too_many_tokens"
    session.tell("context", "ten ten")
    session.seat.read([0] * 9)
    assert refused(session.answer, name, "ten").code == "read_backpressure"
    assert hub.metrics.registry.get_sample_value("im_delegations_inflight") == 1
    read_tokens(session)
    session.answer(name, "ten")
    assert count(hub, "done") == 1


def test_a_result_waits_until_the_model_can_take_it():
    adapter, backend = backed()
    session, outbox = adapter.session, adapter.outbox
    assert session
    step(session, HAND_OVER)
    limits = adapter.hub.limits
    session.seat.read([0] * limits.waiting_tokens)
    backend.ready = [Result(delegation_id=0, content="ten")]
    step(session)
    assert adapter.hub.metrics.registry.get_sample_value("im_delegations_inflight") == 1
    session.seat._tokens.clear()
    outbox.take()
    step(session)
    assert read_tokens(session) == [RESULT, *TOKENIZER.encode("ten"), END]
    assert count(adapter.hub, "done") == 1
    ((outcome,),) = [turn.outcomes for turn in turns(outbox)]
    assert (outcome.status, outcome.content) == ("done", "ten")


def test_a_result_that_can_never_be_read_has_failed():
    adapter, backend = backed(limits=SHORT)
    session = adapter.session
    assert session
    step(session, HAND_OVER)
    session.seat.read([0] * adapter.hub.limits.waiting_tokens)
    backend.ready = [Result(delegation_id=0, content="ten")]
    step(session, count=7)
    assert count(adapter.hub, "failed") == 1 and count(adapter.hub, "done") in (None, 0)


@pytest.mark.parametrize("name", ["thinking", "instructions"])
def test_progress_is_context_keeps_the_work_open_and_gives_it_time(name):
    hub = make_hub(limits=SHORT)
    adapter = client(hub)
    assert adapter.session
    step(adapter.session, HAND_OVER)
    (created,) = only(received(adapter), "session.delegation.created")
    about = {"content": "ten", "delegation_id": created["delegation"]["id"]}
    step(adapter.session, count=3)
    send(adapter, f"session.{name}.append", **about)
    assert read_tokens(adapter.session) == [*TOKENIZER.encode("ten"), END], "not a result"
    step(adapter.session, count=4)
    assert only(received(adapter), "info") == [], "its time began anew"
    send(adapter, "session.commentary.append", **about)
    assert read_tokens(adapter.session) == [RESULT, *TOKENIZER.encode("ten"), END]
    assert count(hub, "done") == 1 and count(hub, "failed") in (None, 0)
    unknown = {"content": "ten", "delegation_id": "dlg_x"}
    error = refused(send, adapter, f"session.{name}.append", **unknown)
    assert error.code == "unknown_delegation"


@pytest.mark.parametrize("name", ["thinking", "instructions", "commentary"])
def test_with_responses_an_id_is_refused_and_the_work_goes_on(name):
    adapter, _ = backed()
    assert adapter.session
    step(adapter.session, HAND_OVER)
    (created,) = only(received(adapter), "session.delegation.created")
    about = {"content": "ten", "delegation_id": created["delegation"]["id"]}
    error = refused(send, adapter, f"session.{name}.append", **about)
    assert (error.code, error.param) == ("unsupported_value", "delegation_id")
    assert "non-null" in str(error)
    assert adapter.hub.metrics.registry.get_sample_value("im_delegations_inflight") == 1
    send(adapter, f"session.{name}.append", content="ten", delegation_id=None)
    assert refused(adapter.session.answer, about["delegation_id"], "ten").param == "delegation_id"


def test_a_client_cancels_its_own_work():
    adapter = client(make_hub(), "delegations")
    assert adapter.session
    step(adapter.session, HAND_OVER)
    (created,) = only(received(adapter), "session.delegation.created")
    name = created["delegation"]["id"]
    send(adapter, "interplay.delegation.cancel", delegation_id=name)
    step(adapter.session)
    (ended,) = only(received(adapter), "interplay.delegation.ended")
    assert (ended["delegation_id"], ended["status"]) == (name, "cancelled")
    assert count(adapter.hub, "cancelled") == 1 and not adapter.session.seat.num_waiting
    again = refused(send, adapter, "interplay.delegation.cancel", delegation_id=name)
    assert again.code == "delegation_ended"
    other = refused(send, adapter, "interplay.delegation.cancel", delegation_id="dlg_x")
    assert other.code == "unknown_delegation"
    plain = client(make_hub())
    error = refused(send, plain, "interplay.delegation.cancel", delegation_id=name)
    assert error.code == "extension_not_enabled"


def test_a_sideband_cancels_the_work_of_the_server():
    adapter, backend = backed()
    assert adapter.session
    step(adapter.session, HAND_OVER)
    (created,) = only(received(adapter), "session.delegation.created")
    name = created["delegation"]["id"]
    side = LiveSideband(adapter.hub, adapter.session, ["delegations"])
    side.receive(json.dumps({"type": "interplay.delegation.cancel", "delegation_id": name}))
    assert backend.cancelled == [0]
    backend.ready = [Result(delegation_id=0, content="too late")]
    step(adapter.session)
    messages = received(side)
    (ended,) = only(messages, "interplay.delegation.ended")
    assert (ended["delegation_id"], ended["status"]) == (name, "cancelled")
    (event,) = only(messages, "response.event")[-1:]
    assert event["event"]["response"]["status"] == "cancelled"
    assert not adapter.session.seat.num_waiting and count(adapter.hub, "cancelled") == 1
    assert not only(received(adapter), "interplay.delegation.ended"), "it has not asked for them"


def test_the_background_model_gets_what_was_said_before_and_what_is_typed():
    backend = Backend()
    hub = make_hub(delegations=lambda: Broker(backend))
    before = [("developer", "be kind"), ("user", "six"), ("assistant", "one")]
    told = [{"role": role, "content": [{"text": text}]} for role, text in before]
    adapter = client(hub, "text", input=told, delegation={"type": "responses"})
    page = PageConnection(hub, Visitor())
    page.receive('{"type": "start"}')
    assert adapter.session and page.session
    send(adapter, "interplay.input_text.append", text="ten")
    step(adapter.session, HAND_OVER)
    assert [(line.role, line.text) for line in backend.lines] == [*before[1:], ("user", "ten")]
    page.receive('{"type": "text", "text": "two"}')
    step(page.session, HAND_OVER)
    assert [(line.role, line.text) for line in backend.lines] == [("user", "two")]


def test_progress_words_are_not_said_once_the_user_has_broken_in():
    adapter, backend = backed()
    session = adapter.session
    assert session
    step(session, HAND_OVER)
    backend.ready = [Result(delegation_id=0, content="ten", status=None)]
    session.advance(advanced(session, True), 1.0)
    assert not session.seat.num_waiting, "the model speaks"
    session.advance(advanced(session, False, say=(STOP,)), 1.0)
    assert read_tokens(session) == [*TOKENIZER.encode("ten"), END], "context, not a result"
