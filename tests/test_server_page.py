"""The page's binary protocol, and what both protocols make of arbitrary messages. No sockets."""

import functools
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.engine.record import read_record
from interplay.errors import RequestError
from interplay.server import live_wire, page_wire
from interplay.server.auth import Visitor
from interplay.server.hub import Hub
from interplay.server.live import LivePrimary
from interplay.server.page import PageConnection
from interplay.server.served import ServedSession
from interplay.server.sockets import messages_of
from tests.server_helpers import beat, client, make_hub, obey, opened, pcm, picture, refused


def messages(page: PageConnection) -> list[str | bytes]:
    """Everything that waits to be sent."""
    sent: list[str | bytes] = []
    for item in page.outbox.take():
        sent += messages_of(item, page)
    return sent


def texts(page: PageConnection) -> list[dict]:
    return [json.loads(message) for message in messages(page) if isinstance(message, str)]


def page_turns(page: PageConnection) -> list[tuple[int, dict, bytes]]:
    return [page_turn(message) for message in messages(page)]


def page_turn(message: str | bytes) -> tuple[int, dict, bytes]:
    assert isinstance(message, bytes)
    version, _, _, turn, size = page_wire.OUTPUT.unpack_from(message)
    assert version == 1
    body = message[page_wire.OUTPUT.size :]
    return turn, json.loads(body[:size]), body[size:]


def page_input(sound: bytes, picture: bytes = b"", played_ms: int = 0, received_ms=None) -> bytes:
    flags = 0 if received_ms is None else page_wire.FLUSHED
    head = page_wire.INPUT.pack(1, flags, 0, played_ms, received_ms or 0, len(sound))
    return head + sound + picture


def test_the_page_sends_sound_and_picture_and_gets_one_message_per_micro_turn():
    hub = make_hub(camera=True)
    page = PageConnection(hub, Visitor())
    page.receive(json.dumps({"type": "start", "rate": 16_000}))
    (started,) = texts(page)
    assert started["type"] == "started" and started["has_eyes"] and started["rate"] == 16_000
    obey(page, page_input(pcm(0.2, 16_000), picture()))
    beat(hub, 2)
    turns = page_turns(page)
    assert [turn for turn, _, _ in turns] == [0, 1]
    assert all(len(sound) == 6400 for _, _, sound in turns)
    assert {"heard", "said", "act", "voice_on", "delegations", "is_gap"} <= set(turns[0][1])
    page.receive(page_input(b"", played_ms=250, received_ms=400))
    assert page.session
    assert page.session.seat.collect().half.num_played == 800
    page.receive(json.dumps({"type": "text", "text": "ten"}))
    page.receive(json.dumps({"type": "mute", "on": True}))
    page.receive(json.dumps({"type": "close"}))
    (ended,) = texts(page)
    assert (ended["type"], ended["reason"], ended["seconds"]) == ("ended", "asked", 0.4)


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ({"picture": b"none"}, "invalid_image"),
        ({"played_ms": 1}, "invalid_playback"),
        ({"picture": b"none", "played_ms": 1}, "invalid_playback"),
    ],
)
def test_sound_is_heard_whatever_is_wrong_with_the_rest(rest, code):
    page = PageConnection(make_hub(camera=True), Visitor())
    page.receive(json.dumps({"type": "start", "rate": 16_000}))
    assert page.session
    assert refused(obey, page, page_input(pcm(0.2, 16_000), **rest)).code == code
    assert np.abs(page.session.seat.collect().half.hear).max() > 0.1


def test_a_session_is_kept_where_the_user_of_the_page_wants_that(tmp_path):
    hub = make_hub(record_root=tmp_path)
    kept, other = (PageConnection(hub, Visitor()) for _ in range(2))
    for page, wish in ((kept, True), (other, False)):
        page.receive(json.dumps({"type": "start", "record": wish}))
        assert texts(page)[0]["records"] is wish
    beat(hub, 3)
    kept.receive(json.dumps({"type": "close"}))
    beat(hub)
    hub.stop()
    (folder,) = tmp_path.iterdir()
    assert len(read_record(folder)) == 3
    nowhere = PageConnection(make_hub(), Visitor())
    error = refused(nowhere.receive, json.dumps({"type": "start", "record": True}))
    assert error.code == "unsupported_value" and nowhere.session is None


def test_the_page_is_told_of_a_camera_that_hangs_and_the_session_goes_on():
    hub = make_hub(camera=True)
    page = PageConnection(hub, Visitor())
    page.receive(json.dumps({"type": "start", "rate": 16_000}))
    for _ in range(20):
        obey(page, page_input(pcm(0.2, 16_000), picture()))
        beat(hub, 1)
    codes = [message["code"] for message in texts(page) if message["type"] == "notice"]
    assert codes == ["camera_frozen"]
    assert page.session and page.session.num_turns == 20


def test_the_page_resumes_and_misses_nothing():
    hub = make_hub()
    page = PageConnection(hub, Visitor())
    page.receive(json.dumps({"type": "start"}))
    token = texts(page)[0]["resume_token"]
    beat(hub, 2)
    assert page.session
    hub.lose(page.session, page.outbox)
    beat(hub, 2)
    again = PageConnection(hub, Visitor())
    again.receive(json.dumps({"type": "resume", "token": token, "last_turn": 0}))
    sent = messages(again)
    assert json.loads(sent[0])["num_lost_turns"] == 0
    assert [page_turn(message)[0] for message in sent[1:]] == [1, 2, 3]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
live_fields = st.sampled_from(
    ["session", "audio", "event_id", "content", "delegation_id", "text", "image", "token", "model"]
)
live_events = st.builds(
    lambda kind, fields: {"type": kind} | fields,
    st.sampled_from([*live_wire.READER.known, *live_wire.READER.unsupported]) | json_values,
    st.dictionaries(live_fields, json_values | st.dictionaries(live_fields, json_values)),
)
fuzz = settings(max_examples=100, deadline=None)


@functools.cache
def _hub() -> tuple[Hub, ServedSession]:
    """One for all examples, and the session in it that nothing may disturb."""
    hub = make_hub(4)
    other, _ = opened(hub)
    return hub, other


def fuzzed_hub() -> tuple[Hub, ServedSession]:
    hub, other = _hub()
    for session in [*hub.sessions.values()]:
        if session is not other:
            hub.close(session, "asked")
    return hub, other


def _never_disturbs(adapter, message: str | bytes, other: ServedSession) -> None:
    """Either obeyed or refused with one error event; never another exception."""
    try:
        obey(adapter, message)
    except RequestError as error:
        answer = json.loads(adapter.refusal(error, message))
        assert answer["type"] == "error" and answer["error"]["code"]
    assert other.id in adapter.hub.sessions


@fuzz
@given(message=st.text() | st.binary(max_size=50) | live_events.map(json.dumps))
def test_the_live_protocol_survives_any_message(message):
    hub, other = fuzzed_hub()
    _never_disturbs(LivePrimary(hub, Visitor()), message, other)
    _never_disturbs(client(hub, "text", "playback"), message, other)


@fuzz
@given(
    message=st.text()
    | st.binary(max_size=80)
    | st.builds(
        lambda head, body: struct.pack("<BBHIII", *head) + body,
        st.tuples(st.just(1), st.integers(0, 2), st.just(0), *[st.integers(0, 300)] * 3),
        st.binary(max_size=60) | st.just(picture()),
    )
    | st.builds(
        lambda kind, fields: json.dumps({"type": kind} | fields),
        st.sampled_from(["start", "resume", "text", "mute", "answer", "close"]),
        st.dictionaries(st.sampled_from(["rate", "text", "token", "on", "last_turn"]), json_values),
    )
)
def test_the_page_protocol_survives_any_message(message):
    hub, other = fuzzed_hub()
    page = PageConnection(hub, Visitor())
    _never_disturbs(page, message, other)
    if page.session is None:
        page.receive(json.dumps({"type": "start"}))
    _never_disturbs(page, message, other)
