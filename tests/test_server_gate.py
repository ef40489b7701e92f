"""What one connection may do, message by message: errors, stalls, a session that was taken over,
sidebands. No sockets."""

import asyncio
import json

import numpy as np
from starlette.websockets import WebSocket

from interplay.clock import FakeClock
from interplay.server.app import App
from interplay.server.auth import Auth, Visitor
from interplay.server.limits import Limits
from interplay.server.live import LivePrimary, LiveSideband
from interplay.server.rtc import Calls
from interplay.server.sockets import Gate, serve_socket
from tests.server_helpers import b64, client, kinds, make_hub, only, pcm, received, refused, send

MUTE = json.dumps({"type": "session.input_audio.mute"})
CLOSE = json.dumps({"type": "session.close"})


def sound(seconds: float) -> str:
    return json.dumps({"type": "session.input_audio.append", "audio": b64(pcm(seconds))})


def take(gate: Gate, message: str) -> bool:
    return asyncio.run(gate.take(message))


def test_errors_count_for_a_minute_only():
    hub = make_hub(limits=Limits(max_errors=3, errors_s=60.0))
    gate = Gate(client(hub), hub)
    assert isinstance(hub.clock, FakeClock)
    for _ in range(6):
        assert take(gate, "{}"), "one now and then, for as long as it takes"
        hub.clock.advance(31)
    hub.clock.advance(61)
    assert [take(gate, "{}") for _ in range(3)] == [True, True, False]


def test_a_message_that_is_too_big_is_answered_and_the_session_goes_on():
    hub = make_hub()
    adapter = client(hub)
    received(adapter)
    append = {"type": "session.input_audio.append", "event_id": "a", "audio": "A" * (1 << 20)}
    assert take(Gate(adapter, hub), json.dumps(append))
    (error,) = [message["error"] for message in received(adapter)]
    assert (error["code"], error["client_event_id"]) == ("event_too_big", "a")
    assert "smaller pictures" in error["message"] and len(hub.sessions) == 1


def test_a_stall_is_no_reason_to_close():
    hub = make_hub(limits=Limits(max_errors=2, outbox_items=300))
    adapter = client(hub)
    gate = Gate(adapter, hub)
    assert all(take(gate, sound(0.02)) for _ in range(200)), "4 s that come at once"
    errors = only(received(adapter), "error")
    assert {e["error"]["code"] for e in errors} == {"input_backpressure"} and len(errors) > 90


def test_a_connection_that_was_replaced_has_no_say():
    hub = make_hub()
    old = client(hub, "resume")
    session = old.session
    assert session
    token = hub.issue_token(session)
    new = LivePrimary(hub, Visitor())
    send(new, "interplay.session.resume", token=token, last_turn=-1)
    received(old)
    for message in (MUTE, sound(0.2), CLOSE):
        assert take(Gate(old, hub), message)
    assert not received(old) and session.id in hub.sessions and not session.seat.is_muted
    assert np.abs(session.seat.collect().half.hear).max() < 0.1
    assert take(Gate(new, hub), CLOSE) and session.id not in hub.sessions
    assert take(Gate(new, hub), MUTE)
    assert kinds(received(new))[-1] == "error", "after the end the answer is an error, as before"


class Gone(WebSocket):
    """A client that hangs up before it is let in."""

    def __init__(self) -> None:
        """Without a connection."""

    async def accept(self, subprotocol=None, headers=None) -> None:
        raise OSError("gone")


def test_who_is_gone_before_being_let_in_leaves_nothing_behind():
    hub = make_hub()
    session = client(hub).session
    assert session
    side = LiveSideband(hub, session)
    assert side.outbox in session.observers
    asyncio.run(serve_socket(Gone(), side, hub))
    assert not session.observers and session.id in hub.sessions


def test_a_session_has_so_many_sidebands_and_no_more():
    hub = make_hub(limits=Limits(sidebands=2))
    session = client(hub).session
    assert session
    scope = {
        "type": "websocket",
        "headers": [],
        "query_string": b"",
        "path_params": {"session_id": session.id},
    }

    async def nothing(*_):
        raise AssertionError("it is refused before")

    app = App(hub, Auth(), Calls(hub, "127.0.0.1"))
    LiveSideband(hub, session)
    side = LiveSideband(hub, session)
    attach = app.sideband(WebSocket(scope, nothing, nothing))
    error = refused(asyncio.run, attach)
    assert error.code == "too_many_sidebands" and "2 sidebands" in str(error)
    hub.lose(session, side.outbox)
    assert len(session.observers) == 1
