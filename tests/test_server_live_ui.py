"""The extension `ui` of the Live protocol: charts of background results, for who asks."""

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from interplay.background.charts import SCHEMA
from interplay.background.contract import Result, Ui
from interplay.server.auth import Visitor
from interplay.server.live import LivePrimary, LiveSideband
from interplay.turns.tokens import DELEGATE, END
from tests.responses_helpers import Backend, backed
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
    server,
    start,
    url,
)

LIVE = "/v1/live/sessions"
SPEC = {"mark": "bar", "data": {"values": [{"a": 1, "b": 2}]}}


def chart(name: str, spec: dict, **about) -> Result:
    ui = Ui(id=name, kind="vega-lite", spec=spec)
    return Result(**{"delegation_id": None, "status": None, **about}, ui=ui)


def advance(adapter: LivePrimary, act: tuple[int, ...] = ()) -> list[dict]:
    assert adapter.session
    adapter.session.advance(advanced(adapter.session, act=act), 1.0)
    return received(adapter)


def hand_over(adapter: LivePrimary) -> str:
    """The id of a new delegation."""
    words = (*loaded().tokenizer.encode("six"),)
    (created,) = only(advance(adapter, (DELEGATE, *words, END)), "session.delegation.created")
    return created["delegation"]["id"]


def drawn(adapter: LivePrimary, backend: Backend, *results: Result) -> list[dict]:
    """What a client is told when these results come."""
    backend.ready = [*results]
    return advance(adapter)


def test_charts_come_with_their_micro_turn_for_who_asked():
    adapter, backend = backed("ui")
    assert "info" not in [m["code"] for m in only(received(adapter), "info")]
    delegation_id = hand_over(adapter)
    messages = drawn(adapter, backend, chart("one", SPEC, delegation_id=0, status="done"))
    (shown,) = only(messages, "interplay.ui")
    about = {"id": "one", "kind": "vega-lite", "spec": {"$schema": SCHEMA, **SPEC}}
    about |= {"delegation_id": delegation_id, "start_ms": 400}
    assert about == {name: shown[name] for name in about} and shown["event_id"]
    assert "turn" not in shown, "that is of resume"
    assert kinds(messages).index("interplay.ui") < kinds(messages).index(
        "session.output_audio.delta"
    )
    again, other = chart("one", {**SPEC, "mark": "line"}), chart("two", SPEC)
    messages = only(drawn(adapter, backend, again, other), "interplay.ui")
    assert [(m["id"], m["spec"]["mark"], m["delegation_id"]) for m in messages] == [
        ("one", "line", None),
        ("two", "bar", None),
    ]
    assert {m["start_ms"] for m in messages} == {600}


def test_who_did_not_ask_never_sees_one():
    adapter, backend = backed("turns")
    hand_over(adapter)
    messages = drawn(adapter, backend, chart("one", SPEC))
    assert "interplay.turn" in kinds(messages) and "interplay.ui" not in kinds(messages)


def test_a_chart_that_would_load_something_is_refused_as_for_the_page():
    adapter, backend = backed("ui")
    messages = drawn(adapter, backend, chart("one", {**SPEC, "data": {"url": "https://a.example"}}))
    assert "interplay.ui" not in kinds(messages) and "example" not in json.dumps(messages)
    assert "chart_refused" in [message["code"] for message in only(messages, "info")]


def test_a_sideband_asks_for_itself():
    adapter, backend = backed()
    assert adapter.session
    asks, asks_not = (LiveSideband(adapter.hub, adapter.session, e) for e in (("ui",), ()))
    drawn(adapter, backend, chart("one", SPEC))
    (shown,) = only(received(asks), "interplay.ui")
    assert shown["id"] == "one"
    assert "interplay.ui" not in kinds(received(asks_not))
    error = refused(LiveSideband, adapter.hub, adapter.session, ("ui", "video"))
    assert (error.code, error.param) == ("unsupported_value", "extensions")
    assert "'video'" in str(error) and len(adapter.session.observers) == 2


def test_a_resumed_connection_gets_the_charts_that_it_missed():
    adapter, backend = backed("ui", "resume")
    assert adapter.session
    token = received(adapter)[0]["session"]["interplay"]["resume_token"]
    hand_over(adapter)
    adapter.hub.lose(adapter.session, adapter.outbox)
    drawn(adapter, backend, chart("one", SPEC))
    again = LivePrimary(adapter.hub, Visitor())
    send(again, "interplay.session.resume", token=token, last_turn=0)
    (shown,) = only(received(again), "interplay.ui")
    assert (shown["id"], shown["turn"]) == ("one", 1)


def test_with_client_delegation_the_extension_is_of_no_use_and_that_is_said():
    messages = received(client(make_hub(), "ui"))
    assert messages[0]["session"]["interplay"] == {"extensions": ["ui"]}
    assert [message["code"] for message in only(messages, "info")].count("ui_unused") == 1


def test_a_sidebands_wish_is_in_its_address():
    with server(1) as serving, connect(url(serving, LIVE), open_timeout=60) as primary:
        primary.send(start())
        session_id = json.loads(primary.recv())["session"]["id"]
        side = url(serving, f"{LIVE}/{session_id}/attach?extensions=")
        with pytest.raises(InvalidStatus) as caught:
            connect(f"{side}ui,smell", open_timeout=60)
        response = caught.value.response
        assert response.status_code == 400 and b"'smell'" in (response.body or b"")
        with connect(f"{side}ui,turns", open_timeout=60) as observer:
            while json.loads(observer.recv(60))["type"] != "interplay.turn":
                pass
