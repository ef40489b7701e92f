"""The sideband of the Realtime protocol: a second connection to a WebRTC call, which sees what the
client sees and may do what the client may do. No sockets, pretended time.
"""

import asyncio
import json
from typing import Any

import pytest
from starlette.websockets import WebSocket

from interplay.errors import RequestError
from interplay.server.app import App
from interplay.server.auth import Auth, Secret, Visitor
from interplay.server.events import Ended
from interplay.server.hub import Hub
from interplay.server.limits import Limits
from interplay.server.outbox import Outbox
from interplay.server.rtc import Calls
from interplay.server.rtc_realtime import RealtimeCall, RealtimeSideband
from interplay.server.sockets import Gate
from tests.realtime_helpers import ASK, EVENTS, QUESTION, TEN, Client
from tests.server_helpers import KEY, b64, kinds, make_hub, only, pcm, received, refused


class Loudspeaker:
    """A track, as far as a protocol can see it."""

    def __init__(self) -> None:
        self.num_bytes = 0

    def play(self, pcm: bytes) -> None:
        self.num_bytes += len(pcm)

    def flush(self) -> None:
        self.num_bytes = 0


class Caller(Client):
    """A client whose sound is on a track."""

    def __init__(self, hub: Hub, visitor: Visitor | None = None) -> None:
        self.hub, self.track = hub, Loudspeaker()
        self.adapter = RealtimeCall(hub, visitor or Visitor(), None, self.track)


class Side(Client):
    """A sideband of a caller."""

    def __init__(self, caller: Caller, visitor: Visitor | None = None) -> None:
        self.hub = caller.hub
        call: Any = caller.adapter
        self.adapter: Any = RealtimeSideband(self.hub, visitor or Visitor(), call)

    def take(self, kind: str, **fields) -> None:
        """A message, as a connection takes it."""
        asyncio.run(Gate(self.adapter, self.hub).take(json.dumps({"type": kind, **fields})))

    def ends(self) -> list[tuple[str, int]]:
        items = self.adapter.outbox.take()
        return [(item.reason, item.close_code) for item in items if isinstance(item, Ended)]


def pair(hub: Hub) -> tuple[Caller, Side]:
    """A caller and a sideband, with all of their beginning read."""
    caller = Caller(hub)
    side = Side(caller)
    caller.read()
    (created,) = side.read()
    assert created["type"] == "session.created"
    return caller, side


def test_it_sees_what_the_client_sees():
    caller, side = pair(make_hub())
    caller.send("session.update", session={"type": "realtime", "instructions": "be kind"})
    caller.send("response.create", response={"metadata": {"number": "one"}})
    caller.turn(speaks=True, heard=TEN, say=TEN)
    seen = side.read()
    created, updated = only(seen, "response.created"), only(seen, "session.updated")
    assert created[0]["response"]["metadata"] == {"number": "one"}
    assert updated[0]["session"]["instructions"] == "be kind"
    speaking = caller.turn(speaks=True, say=TEN)
    assert "response.output_audio_transcript.delta" in kinds(speaking)
    assert side.read() == speaking, "word for word"
    assert caller.track.num_bytes, "the sound goes to the client's track"


def test_what_it_sets_before_time_begins_is_the_beginning():
    caller, side = pair(make_hub())
    side.take("session.update", session={"type": "realtime", "instructions": "be short"})
    assert caller.adapter.session is None, "it does not begin the client's time"
    assert kinds(caller.read()) == kinds(side.read()) == ["session.updated"]
    caller.adapter.begin()  # type: ignore[union-attr]
    assert "be short" in caller.session.opening.instructions


def test_it_keeps_the_functions_to_itself():
    caller, side = pair(make_hub())
    side.take("session.update", session={"type": "realtime", "tools": [ASK]})
    side.take("response.create")
    caller.turn(act=QUESTION)
    (call,) = only(side.read(), "response.function_call_arguments.done")
    caller.read()
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "one"}
    side.take("conversation.item.create", item=output)
    told = caller.read()
    assert told == side.read() and only(told, "conversation.item.done")
    assert caller.session.seat.num_waiting, "the model is about to read it"
    side.take("conversation.item.create", item={**output, "call_id": "x"})
    assert kinds(side.read()) == ["error"] and not caller.read()


def test_it_sends_no_sound_and_its_mistakes_are_its_own():
    caller, side = pair(make_hub())
    caller.adapter.begin()  # type: ignore[union-attr]
    side.take("input_audio_buffer.append", audio=b64(pcm(0.1)), event_id="mine")
    (answer,) = side.read()
    error = answer["error"]
    assert (error["code"], error["event_id"]) == ("unsupported_event", "mine")
    assert not caller.read() and caller.session.id in caller.hub.sessions


@pytest.mark.parametrize("has_begun", [True, False])
def test_it_ends_with_the_call(has_begun):
    caller, side = pair(make_hub())
    call: Any = caller.adapter
    if has_begun:
        call.begin()
    call.hang_up()
    assert call.is_over and side.ends()[0] == ("asked", 1000)


def test_a_client_that_is_lost_ends_it_too():
    caller, side = pair(make_hub())
    caller.adapter.begin()  # type: ignore[union-attr]
    caller.hub.lose(caller.session, caller.adapter.outbox)
    assert side.ends() == [("lost", 1001)]


@pytest.mark.parametrize("has_begun", [True, False])
def test_the_call_outlives_it(has_begun):
    caller, side = pair(make_hub())
    if has_begun:
        caller.adapter.begin()  # type: ignore[union-attr]
        caller.hub.lose(caller.session, side.adapter.outbox)
    side.adapter.leave()
    assert not side.adapter._call.observers
    caller.send("response.create")
    assert not side.read() and caller.session.id in caller.hub.sessions


def test_only_a_key_or_the_secret_of_the_call_leads_to_it():
    mine, other = (Visitor(secret=Secret(expires_s=60.0)) for _ in range(2))
    caller = Caller(make_hub(), mine)
    for visitor in (Visitor(), mine):
        Side(caller, visitor)
    assert refused(Side, caller, other).code == "forbidden"
    assert refused(Side, Caller(caller.hub), other).code == "forbidden", "nor where a key called"


def attach(app: App, call_id: str, key: str = KEY) -> RequestError:
    """Why a WebSocket is not let in."""
    scope = {
        "type": "websocket",
        "headers": [(b"authorization", f"Bearer {key}".encode())],
        "query_string": f"call_id={call_id}".encode(),
    }

    async def nothing(*_):
        raise AssertionError("it is refused before")

    return refused(asyncio.run, app.realtime(WebSocket(scope, nothing, nothing)))


def test_who_is_not_let_in(monkeypatch):
    hub = make_hub(limits=Limits(sidebands=1))
    caller, calls = Caller(hub), Calls(hub, "127.0.0.1")
    call: Any = caller.adapter
    monkeypatch.setattr(calls, "find", {"rtc_a": call}.get)
    app = App(hub, Auth([KEY]), calls)
    assert attach(app, "rtc_b").code == attach(app, "").code == "unknown_session"
    assert attach(app, "rtc_a", "nobody").code == "unauthorized"
    call.observe(Outbox(1))
    assert attach(app, "rtc_a").code == "too_many_sidebands"
    call.hang_up()
    assert attach(app, "rtc_a").code == "unknown_session", "it is over"


def test_a_slow_sideband_costs_the_client_nothing():
    caller, side = pair(make_hub(limits=Limits(outbox_items=2)))
    caller.adapter.begin()  # type: ignore[union-attr]
    for _ in range(3):
        caller.turn(speaks=True, say=TEN)
    assert side.adapter.outbox.overflow.is_set()
    assert not caller.adapter.outbox.overflow.is_set()
    for message in received(side.adapter):
        EVENTS.validate_python(message)
