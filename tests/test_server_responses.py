"""Delegation of the type `responses`: envelopes, functions of the client, errors, cancellation."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from openai.types.live.server_event import ServerEvent
from openai.types.responses import ResponseStreamEvent
from pydantic import ConfigDict, TypeAdapter

from interplay.background.address import Address
from interplay.background.broker import Broker
from interplay.background.chat import ChatBackground
from interplay.background.contract import FunctionCall, Result
from interplay.background.echo import EchoBackground
from interplay.background.loop_thread import LoopThread
from interplay.server.auth import Visitor
from interplay.server.live import LivePrimary, LiveSideband
from interplay.server.live_delegation import MAX_OUTPUT
from interplay.turns.tokens import DELEGATE, END, RESULT
from tests.responses_helpers import WEATHER, Backend, backed
from tests.server_helpers import (
    advanced,
    client,
    kinds,
    loaded,
    make_hub,
    only,
    received,
    refused,
    send,
    start,
)

TOKENIZER = loaded().tokenizer
LATER = ConfigDict(defer_build=True)  # with the first event, not while tests are collected
STREAM_EVENT = TypeAdapter(ResponseStreamEvent, config=LATER)
SERVER_EVENT = TypeAdapter(ServerEvent, config=LATER)


def advance(adapter: LivePrimary, act: Sequence[int] = ()) -> list[dict]:
    assert adapter.session
    adapter.session.advance(advanced(adapter.session, act=tuple(act)), 1.0)
    return received(adapter)


def hand_over(adapter: LivePrimary) -> list[dict]:
    return advance(adapter, (DELEGATE, *TOKENIZER.encode("six"), END))


def nested(messages: list[dict]) -> list[dict]:
    """The Responses events in the envelopes, each checked against the SDK's types."""
    events = []
    for message in only(messages, "response.event"):
        SERVER_EVENT.validate_python(message)
        parsed: Any = STREAM_EVENT.validate_python(message["event"], strict=True)
        assert parsed.type == message["event"]["type"]
        assert parsed.to_dict(exclude_unset=True).keys() == message["event"].keys()
        events.append(message["event"])
    return events


def reads(adapter: LivePrimary) -> tuple[int, ...]:
    assert adapter.session
    return adapter.session.seat.collect().half.read


def call_ids(events: list[dict]) -> list[str]:
    done = only(events, "response.output_item.done")
    return [event["item"]["call_id"] for event in done if event["item"]["type"] == "function_call"]


def test_a_whole_response_in_the_order_of_the_api():
    adapter, backend = backed()
    assert adapter.session
    received(adapter)
    messages = hand_over(adapter)
    (created,) = only(messages, "session.delegation.created")
    about = created["delegation"]
    assert kinds(messages).index("session.delegation.created") < kinds(messages).index(
        "response.event"
    )
    events = nested(messages)
    assert kinds(events) == ["response.created", "response.in_progress"]
    assert about["target"] == "responses" and about["response_id"] == events[0]["response"]["id"]
    backend.ready = [
        Result(delegation_id=0, content="ten and", status=None),
        Result(delegation_id=0, content="six"),
    ]
    messages = advance(adapter)
    assert {m["delegation_id"] for m in only(messages, "response.event")} == {about["id"]}
    later = nested(messages)
    item = [
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
    ]
    assert kinds(later) == [*item, *item, "response.completed"]
    numbers = [event["sequence_number"] for event in [*events, *later]]
    assert numbers == [*range(len(numbers))]
    texts = [e["item"]["content"][0]["text"] for e in only(later, "response.output_item.done")]
    assert texts == ["ten and", "six"]
    last = later[-1]["response"]
    assert (last["status"], last["output"], last["error"]) == ("completed", [], None)
    assert last["usage"] is None, "this backend does not count"
    assert reads(adapter)[0] == RESULT, "the model reads it, too"
    count = adapter.hub.metrics.registry.get_sample_value
    assert count("im_delegation_seconds_count", {"status": "done"}) == 1


def test_functions_of_the_client_are_called_and_the_work_goes_on():
    adapter, backend = backed(tools=[WEATHER], instructions="be short", tool_choice="required")
    started = received(adapter)[0]["session"]
    assert backend.settings.functions[0]["name"] == "weather"
    assert (backend.settings.instructions, backend.settings.function_choice) == (
        "be short",
        "required",
    )
    assert started["delegation"]["responses"]["tools"] == [WEATHER]
    first = nested(hand_over(adapter))
    calls = [FunctionCall(id=i, name="weather", arguments='{"city":"oslo"}') for i in ("a", "b")]
    backend.ready = [Result(delegation_id=0, status=None, urgency="silent", calls=calls)]
    events = nested(advance(adapter))
    item = [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]
    assert kinds(events) == [*item, *item, "response.completed"]
    one, two = call_ids(events)
    assert len({one, two, "a", "b"}) == 4, "ids on the wire are ours"
    done = only(events, "response.output_item.done")[0]["item"]
    assert (done["name"], done["arguments"]) == ("weather", '{"city":"oslo"}')
    assert not any(reads(adapter)), "calls are no words for the model"

    output = {"type": "function_call_output", "call_id": one, "output": "sunny"}
    send(adapter, "response.item.create", item=output)
    error = refused(adapter.receive, json.dumps({"type": "response.create"}))
    assert error.code == "missing_output" and two in str(error)
    part = [{"type": "input_text", "text": "rain"}]
    send(adapter, "response.item.create", item={**output, "call_id": two, "output": part})
    send(adapter, "response.create")
    assert backend.given == [(0, {"a": "sunny", "b": "rain"})]
    again = nested(advance(adapter))
    assert kinds(again) == ["response.created", "response.in_progress"]
    assert again[0]["response"]["id"] != first[0]["response"]["id"], "another response"
    backend.ready = [Result(delegation_id=0, content="sunny")]
    assert kinds(nested(advance(adapter)))[-1] == "response.completed"
    late = refused(send, adapter, "response.item.create", item=output)
    assert late.code == "unknown_call"
    assert refused(send, adapter, "response.create").code == "nothing_to_answer"


def test_of_a_long_output_the_beginning_is_passed_on_and_the_client_is_told():
    adapter, backend = backed(tools=[WEATHER])
    hand_over(adapter)
    call = FunctionCall(id="a", name="weather", arguments="{}")
    backend.ready = [Result(delegation_id=0, status=None, urgency="silent", calls=[call])]
    (call_id,) = call_ids(nested(advance(adapter)))
    item = {"type": "function_call_output", "call_id": call_id, "name": "weather", "caller": None}
    send(adapter, "response.item.create", item={**item, "output": "x" * (MAX_OUTPUT + 1)})
    (info,) = received(adapter)
    assert info["code"] == "output_cut" and str(MAX_OUTPUT + 1) in info["message"]
    send(adapter, "response.create")
    assert backend.given == [(0, {"a": "x" * MAX_OUTPUT})]


def test_a_dead_backend_fails_the_response_is_said_and_the_session_goes_on():
    adapter, backend = backed()
    received(adapter)
    hand_over(adapter)
    backend.is_dead = True
    (failed,) = nested(advance(adapter))
    assert failed["type"] == "response.failed"
    error = failed["response"]["error"]
    assert (failed["response"]["status"], error["code"]) == ("failed", "server_error")
    assert "reach" in error["message"] and "10.0.0.1" not in json.dumps(failed)
    assert reads(adapter)[0] == RESULT, "it is said"
    backend.is_dead = False
    assert only(advance(adapter), "session.output_audio.delta")
    assert kinds(nested(hand_over(adapter))) == ["response.created", "response.in_progress"]
    count = adapter.hub.metrics.registry.get_sample_value
    assert count("im_delegation_seconds_count", {"status": "failed"}) == 1


def test_work_that_waits_for_the_client_fails_when_its_time_is_over():
    adapter, backend = backed(tools=[WEATHER])
    received(adapter)
    hand_over(adapter)
    call = FunctionCall(id="a", name="weather", arguments="{}")
    backend.ready = [Result(delegation_id=0, status=None, urgency="silent", calls=[call])]
    (call_id,) = call_ids(nested(advance(adapter)))
    events: list[dict] = []
    for _ in range(260):
        events += nested(advance(adapter))
    assert kinds(events) == ["response.created", "response.in_progress", "response.failed"]
    output = {"type": "function_call_output", "call_id": call_id, "output": "late"}
    assert refused(send, adapter, "response.item.create", item=output).code == "unknown_call"


def test_the_end_of_a_session_cancels_its_work():
    adapter, _ = backed()
    received(adapter)
    hand_over(adapter)
    send(adapter, "session.close")
    messages = received(adapter)
    (cancelled,) = nested(messages)
    assert cancelled["type"] == "response.incomplete"
    assert cancelled["response"]["status"] == "cancelled"
    assert kinds(messages)[-1] == "session.closed"
    count = adapter.hub.metrics.registry.get_sample_value
    assert count("im_delegation_seconds_count", {"status": "cancelled"}) == 1


def test_a_client_may_ask_the_backend_by_itself():
    adapter, backend = backed()
    received(adapter)
    for content in ("what is", [{"type": "input_text", "text": "six"}]):
        send(adapter, "response.item.create", item={"role": "user", "content": content})
    send(adapter, "response.create")
    assert backend.begun == [(0, "what is\nsix")]
    messages = advance(adapter)
    assert len(only(messages, "session.delegation.created")) == 1
    assert kinds(nested(messages)) == ["response.created", "response.in_progress"]
    long = {"role": "user", "content": "x" * 2001}
    assert refused(send, adapter, "response.item.create", item=long).code == "too_many_tokens"


def test_a_sideband_does_the_calls_and_a_resumed_connection_misses_nothing():
    adapter, backend = backed("resume", tools=[WEATHER])
    session = adapter.session
    assert session
    token = received(adapter)[0]["session"]["interplay"]["resume_token"]
    hand_over(adapter)
    side = LiveSideband(adapter.hub, session)
    adapter.hub.lose(session, adapter.outbox)
    call = FunctionCall(id="a", name="weather", arguments="{}")
    backend.ready = [Result(delegation_id=0, status=None, urgency="silent", calls=[call])]
    advance(adapter)
    events = nested(received(side))
    (call_id,) = call_ids(events)
    output = {"type": "function_call_output", "call_id": call_id, "output": "sunny"}
    for kind, fields in (("response.item.create", {"item": output}), ("response.create", {})):
        side.receive(json.dumps({"type": kind, **fields}))
    assert backend.given == [(0, {"a": "sunny"})]
    again = LivePrimary(adapter.hub, Visitor())
    send(again, "interplay.session.resume", token=token, last_turn=0)
    envelopes = only(received(again), "response.event")
    assert [message["event"] for message in envelopes] == events
    assert {message["turn"] for message in envelopes} == {1}


def test_settings_change_and_what_is_left_out_stays():
    adapter, backend = backed(tools=[WEATHER], instructions="be short")
    received(adapter)
    change = {"type": "responses", "responses": {"max_output_tokens": 50, "reasoning": {}}}
    send(adapter, "session.update", session={"delegation": change})
    updated, info = received(adapter)
    settings = backend.settings
    assert (settings.instructions, len(settings.functions), settings.max_tokens) == (
        "be short",
        1,
        50,
    )
    about = updated["session"]["delegation"]["responses"]
    assert (about["instructions"], about["max_output_tokens"]) == ("be short", 50)
    assert (info["code"], "reasoning" in info["message"]) == ("backend_setting_ignored", True)
    named = {"type": "function", "name": "weather"}
    choice = {"type": "responses", "responses": {"tool_choice": named}}
    send(adapter, "session.update", session={"delegation": choice})
    assert backend.settings.function_choice == "weather"


def test_a_backend_that_takes_no_wishes_says_so():
    background = EchoBackground()
    try:
        hub = make_hub(delegations=lambda: Broker(background.open()))
        wishes = {"model": "any", "tools": [WEATHER]}
        adapter = client(hub, delegation={"type": "responses", "responses": wishes})
        codes = [message["code"] for message in only(received(adapter), "info")]
        assert codes == ["model_substituted", "backend_substituted", "backend_setting_ignored"]
    finally:
        background.close()


@pytest.mark.parametrize(
    ("responses", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "responses.tools[0].type"),
        ({"tools": [{"type": "mcp", "server_url": "http://10.0.0.1"}]}, "responses.tools[0].type"),
        ({"tools": [WEATHER, WEATHER]}, "responses.tools[1].name"),
        ({"tools": [{**WEATHER, "name": "a b"}]}, "responses.tools[0].name"),
        ({"tools": [{**WEATHER, "url": 1}]}, "responses.tools[0]"),
        ({"tools": [{**WEATHER, "name": f"f{i}"} for i in range(65)]}, "responses.tools"),
        ({"tool_choice": {"type": "function", "name": "nobody"}}, "responses.tool_choice"),
        ({"tool_choice": "whatever"}, "responses.tool_choice"),
        ({"max_output_tokens": 0}, "responses.max_output_tokens"),
        ({"flavour": "sweet"}, "responses"),
    ],
)
def test_settings_that_cannot_be_had_are_refused_with_their_field(responses, param):
    hub = make_hub(delegations=lambda: Broker(Backend()))
    adapter = LivePrimary(hub, Visitor())
    delegation = {"type": "responses", "responses": {"model": "any", **responses}}
    error = refused(adapter.receive, start(delegation=delegation))
    assert error.param == f"session.delegation.{param}"
    assert hub.num_free == 2, "no slot was taken"


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"type": "reasoning"}, "unsupported_value"),
        ({"type": "function_call_output", "output": "x"}, "invalid_event"),
        ({"type": "function_call_output", "call_id": "c", "output": 5}, "invalid_event"),
        ({"role": "assistant", "content": "x"}, "invalid_event"),
        ({"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}, "invalid_event"),
    ],
)
def test_items_that_cannot_be_had_are_refused(item, code):
    adapter, _ = backed()
    error = refused(send, adapter, "response.item.create", item=item)
    assert error.code == code and error.param and error.param.startswith("item")


def test_with_client_delegation_there_is_no_backend_to_talk_to():
    adapter = client(make_hub())
    for kind, fields in (("response.item.create", {"item": {}}), ("response.create", {})):
        error = refused(send, adapter, kind, **fields)
        assert error.code == "unsupported_event" and "responses" in str(error)


@pytest.fixture(scope="module")
def chat_url() -> Iterator[str]:
    program = [sys.executable, str(Path(__file__).with_name("chat_server.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout and server.stdin
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        server.stdin.close()


def test_a_language_model_calls_functions_of_the_client_beside_its_own_tools(chat_url):
    """Over a real server of the Chat Completions API, on real time."""
    loop = LoopThread()
    chat = ChatBackground(Address(url=chat_url, model="asks-client"), loop)
    try:
        hub = make_hub(delegations=lambda: Broker(chat.open()))
        wishes = {"model": "any", "tools": [WEATHER], "max_output_tokens": 99}
        adapter = client(hub, delegation={"type": "responses", "responses": wishes})
        received(adapter)
        events = nested(hand_over(adapter))
        events += until(adapter, "response.completed")
        usage = events[-1]["response"]["usage"]
        assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (
            100,
            20,
            120,
        )
        assert usage["input_tokens_details"]["cached_tokens"] == 30
        texts = [e["delta"] for e in only(events, "response.output_text.delta")]
        assert texts == ["One moment please."]
        arguments = [e["arguments"] for e in only(events, "response.function_call_arguments.done")]
        assert sorted(arguments) == ['{"city": "oslo"}', '{"city": "rome"}']
        for call_id, weather in zip(call_ids(events), ("snow", "sun"), strict=True):
            output = {"type": "function_call_output", "call_id": call_id, "output": weather}
            send(adapter, "response.item.create", item=output)
        send(adapter, "response.create")
        events = until(adapter, "response.completed")
        said = " ".join(e["delta"] for e in only(events, "response.output_text.delta"))
        assert said == "42 and snow and sun"
        assert events[-1]["response"]["usage"] == usage, "of the second response alone"
        send(adapter, "session.close")
    finally:
        chat.close()
        loop.close()


def until(adapter: LivePrimary, kind: str) -> list[dict]:
    """Advance until an event of a kind comes."""
    begin_s, events = time.monotonic(), []
    while not only(events, kind):
        assert time.monotonic() - begin_s < 60, kinds(events)
        events += nested(advance(adapter))
        time.sleep(0.005)
    return events
