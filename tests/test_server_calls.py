"""WebRTC calls before their sessions: how many there may be, when time begins, what may be sent.
No network."""

import asyncio
import json
from typing import Any

import msgspec
import numpy as np
import pytest

from interplay.errors import RequestError
from interplay.server.auth import Secret, Visitor
from interplay.server.hub import Hub
from interplay.server.limits import Limits
from interplay.server.live_wire import SessionConfig
from interplay.server.outbox import Outbox
from interplay.server.rtc import Calls
from interplay.server.rtc_call import Call
from interplay.server.rtc_live import LiveCall
from interplay.server.rtc_offer import Offer
from interplay.server.rtc_realtime import RealtimeCall
from tests.server_helpers import beat, make_hub, pcm, refused


class Peer:
    """In the place of a `Call`: it is answered, or not, and goes on until it is ended."""

    def __init__(self, *_: Any) -> None:
        self.is_over = asyncio.Event()

    async def answer(self, offer: Offer, param: str) -> str:
        if offer.sdp == "bad":
            raise RequestError("invalid_sdp", "bad")
        return "answer"

    def play(self, pcm: bytes) -> None: ...

    def flush(self) -> None: ...

    async def run(self, adapter: RealtimeCall) -> None:
        await self.is_over.wait()

    async def close(self) -> None: ...


class Caller:
    """Calls as one visitor. adapter: of the newest call."""

    def __init__(self, hub: Hub, calls: Calls, visitor: Visitor) -> None:
        self.hub, self.calls, self.visitor = hub, calls, visitor
        self.adapter: Any = None

    def _start(self, track: Any) -> RealtimeCall:
        self.adapter = RealtimeCall(self.hub, self.visitor, None, track)
        return self.adapter

    async def call(self, offer: str = "offer") -> str:
        """The code of the error, "" when there is none."""
        try:
            await self.calls.answer(offer, self._start, visitor=self.visitor, rate_hz=24_000)
        except RequestError as error:
            return error.code
        return ""


def test_a_call_takes_a_place_from_the_offer_on_and_a_secret_makes_one():
    hub = make_hub(2)
    calls = Calls(hub, "127.0.0.1")
    calls._parts = (lambda text, _: Offer(sdp=text, has_video=False)), Peer  # type: ignore[assignment]

    async def talk() -> None:
        page = Caller(hub, calls, Visitor(secret=Secret(expires_s=60.0)))
        other, third = (Caller(hub, calls, Visitor()) for _ in range(2))
        assert await page.call("bad") == "invalid_sdp"
        assert await page.call() == ""
        assert await page.call() == "secret_used"
        assert await other.call() == ""
        assert await third.call() == "no_free_slot" and not hub.sessions
        page.adapter.begin()
        assert await third.call() == "no_free_slot", "one session, and one call before its own"
        other.adapter.begin()
        hub.close(page.adapter.session, "asked")
        assert await third.call() == ""
        for caller in (page, other, third):
            caller.adapter.track.is_over.set()
        await asyncio.gather(*calls._tasks)
        await asyncio.sleep(0)
        assert not calls._callers

    asyncio.run(talk())


def test_time_begins_without_any_sound_and_then_it_is_limited():
    hub = make_hub(1, limits=Limits(idle_s=1.0))

    async def talk() -> None:
        call = Call(hub, "127.0.0.1", 24_000)
        adapter = call._adapter = RealtimeCall(hub, Visitor(), None, call)
        assert adapter.settle_s == 2.0
        adapter.settle_s = 0.0
        settled = asyncio.create_task(call._settle(adapter))
        await asyncio.sleep(0)
        call._hear(pcm(0.2))
        assert adapter.session is None, "there is no channel"
        call._has_channel.set()
        await settled
        assert adapter.session and [*hub.sessions] == [adapter.session.id]
        beat(hub, 6)
        assert not hub.sessions
        await call.close()

    asyncio.run(talk())


def live_call(hub: Hub, **session: Any) -> LiveCall:
    config = msgspec.convert({"model": "any", **session}, SessionConfig)
    return LiveCall(hub, Visitor(), config)


def test_a_peer_whose_session_was_taken_up_elsewhere_is_not_heard():
    hub = make_hub(1)

    async def talk() -> np.ndarray:
        call = Call(hub, "127.0.0.1", 16_000)
        adapter = live_call(hub, interplay={"extensions": ["resume"]}).start(call)
        call._adapter, session = adapter, adapter.session
        assert session
        call._hear(pcm(0.1, 16_000))
        loud = np.abs(session.seat.collect().half.hear).max()
        hub.resume(hub.issue_token(session), -1, Outbox(9))
        call._hear(pcm(0.2, 16_000))
        call._see(np.zeros((12, 2, 40, 40, 3), np.uint8))
        half = session.seat.collect().half
        assert half.see is None
        await call.close()
        assert session.id in hub.sessions
        return np.array([loud, np.abs(half.hear).max()])

    before, after = asyncio.run(talk())
    assert before > 0.1 > after


def test_of_what_the_background_model_does_a_page_gets_what_it_may():
    selectors = [
        {"type": "error"},
        {"type": "response.event", "response_event": "response.completed"},
    ]
    call = live_call(make_hub(), client={"data_channel": {"allowed_server_events": selectors}})

    def permits(kind: str, inside: str | None = None) -> bool:
        event = {"event": {"type": inside, "response": {}}} if inside else {}
        return call.permits(json.dumps({"type": kind, **event}))

    assert permits("error") and permits("response.event", "response.completed")
    assert not permits("response.event", "response.output_text.delta")
    assert not permits("response.event") and not permits("response.completed")
    assert live_call(make_hub()).permits(json.dumps({"type": "response.event", "event": {}}))


@pytest.mark.parametrize(
    "selector", [{"type": "response.event"}, {"type": "error", "response_event": "response.done"}]
)
def test_a_selector_names_the_event_inside_where_there_is_one(selector):
    channel = {"data_channel": {"allowed_server_events": [selector]}}
    error = refused(live_call, make_hub(), client=channel)
    assert error.code == "invalid_request" and "response_event is needed" in str(error)
    assert error.param == "session.client.data_channel.allowed_server_events[0]"
