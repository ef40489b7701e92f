"""The Live protocol, message by message, without sockets."""

import base64
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from interplay.errors import RequestError
from interplay.server import live_wire, realtime_wire
from interplay.server.auth import Visitor
from interplay.server.hub import CLOSE_CODES
from interplay.server.limits import Limits
from interplay.server.live import LivePrimary, LiveSideband
from interplay.server.sockets import FAILED, POLICY, TOO_SLOW
from interplay.turns.tokens import DELEGATE, END, RESULT
from tests.server_helpers import (
    advanced,
    beat,
    client,
    kinds,
    loaded,
    make_hub,
    obey,
    only,
    pcm,
    picture,
    received,
    send,
    start,
)

ROOT = Path(__file__).resolve().parent.parent
TOKENIZER = loaded().tokenizer


def refused(adapter, message: str | bytes) -> dict:
    """The error event that answers a message."""
    with pytest.raises(RequestError) as caught:
        obey(adapter, message)
    answer = json.loads(adapter.refusal(caught.value, message))
    assert answer["type"] == "error" and "\n" not in answer["error"]["message"]
    return answer["error"]


def event(kind: str, **fields) -> str:
    return json.dumps({"type": kind, **fields})


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_whole_session_in_order():
    hub = make_hub()
    adapter = client(hub, instructions="be kind", audio={"format": {"type": "audio/pcm"}})
    (started, info) = received(adapter)
    about = started["session"]
    assert started["type"] == "session.started" and started["client_event_id"] == "start"
    assert about["id"].startswith("live_") and about["status"] == "active"
    assert about["audio"]["format"] == {"type": "audio/pcm", "rate": 24_000}
    assert (info["type"], info["code"]) == ("info", "model_substituted")
    send(adapter, "session.input_audio.append", audio=b64(pcm(0.2)))
    beat(hub, 3)
    messages = received(adapter)
    sound = only(messages, "session.output_audio.delta")
    assert [len(base64.b64decode(m["delta"])) for m in sound] == [9600] * 3
    words = [m for m in messages if m["type"].endswith("transcript.delta")]
    assert words and all(0 <= m["start_ms"] <= m["end_ms"] for m in words)
    assert {m["type"] for m in messages} <= {
        "session.output_audio.delta",
        "session.input_transcript.delta",
        "session.output_transcript.delta",
    }
    send(adapter, "session.close", event_id="bye")
    (closed,) = received(adapter)
    assert (closed["type"], closed["reason"]) == ("session.closed", "close_requested")
    assert closed["usage"] == {"seconds": 0.6} and closed["client_event_id"] == "bye"
    assert refused(adapter, event("session.input_audio.mute"))["code"] == "not_started"
    ids = [m["event_id"] for m in [started, info, *messages, closed]]
    assert len(set(ids)) == len(ids)


def test_of_a_long_history_the_newest_is_read_and_the_client_is_told():
    words = ("one", "two", "six", "ten")
    history = [
        {"role": role, "content": [{"text": f"{word} ten ten"}]}
        for word, role in zip(words, ("user", "assistant") * 2, strict=True)
    ]
    adapter = client(make_hub(limits=Limits(waiting_tokens=30)), instructions="be", input=history)
    assert adapter.session
    instructions, *lines = adapter.session.seat.prefix.split("\n")
    assert instructions == "be" and lines[-1] == "assistant: ten ten ten" and len(lines) < 4
    (info,) = [m for m in only(received(adapter), "info") if m["code"] == "history_cut"]
    assert f"oldest {4 - len(lines)} messages" in info["message"]
    whole = client(make_hub(), instructions="be", input=history)
    assert whole.session and whole.session.seat.prefix.count("\n") == 4
    assert "history_cut" not in {message["code"] for message in only(received(whole), "info")}


def test_muted_input_is_silence_for_the_model_and_acknowledged():
    hub = make_hub()
    adapter = client(hub)
    received(adapter)
    send(adapter, "session.input_audio.mute", event_id="m")
    assert adapter.session
    send(adapter, "session.input_audio.append", audio=b64(pcm(0.4)))
    assert np.abs(adapter.session.seat.collect().half.hear).max() < 0.01
    send(adapter, "session.input_audio.unmute")
    assert np.abs(adapter.session.seat.collect().half.hear).max() > 0.1
    muted, unmuted = received(adapter)
    assert (muted["type"], muted["client_event_id"]) == ("session.input_audio.muted", "m")
    assert unmuted["type"] == "session.input_audio.unmuted"


@pytest.mark.parametrize("name", ["instructions", "thinking", "commentary"])
def test_context_is_appended_and_acknowledged_on_the_timeline(name):
    hub = make_hub()
    adapter = client(hub)
    beat(hub, 2)
    received(adapter)
    send(adapter, f"session.{name}.append", content="one", delegation_id=None, event_id="c")
    (ack,) = received(adapter)
    assert ack["type"] == f"session.{name}.appended" and ack["client_event_id"] == "c"
    assert (ack["start_ms"], ack["end_ms"]) == (400, 400)
    missing = refused(adapter, event(f"session.{name}.append", content="one"))
    assert (missing["code"], "delegation_id" in missing["message"]) == ("invalid_event", True)


def test_a_delegation_is_announced_and_its_answers_are_read():
    hub = make_hub()
    adapter = client(hub, delegation={"type": "client"})
    assert adapter.session
    received(adapter)
    done = advanced(adapter.session, act=(DELEGATE, *TOKENIZER.encode("six"), END))
    adapter.session.advance(done, 1.0)
    (created,) = only(received(adapter), "session.delegation.created")
    assert created["offset_ms"] == 200 and created["delegation"]["target"] == "client"
    answer = {"content": "ten", "delegation_id": created["delegation"]["id"]}
    for _ in range(2):
        send(adapter, "session.commentary.append", **answer)
        assert adapter.session.seat.collect().half.read[0] == RESULT
    count = hub.metrics.registry.get_sample_value
    assert count("im_delegation_seconds_count", {"status": "done"}) == 1
    assert count("im_delegations_inflight") == 0
    unknown = event("session.thinking.append", content="ten", delegation_id="dlg_x")
    assert refused(adapter, unknown)["code"] == "unknown_delegation"


def test_usage_comes_every_15_seconds():
    hub = make_hub()
    adapter = client(hub)
    assert adapter.session
    for _ in range(75):
        adapter.session.advance(advanced(adapter.session), 1.0)
        messages = received(adapter)
    (usage,) = only(messages, "session.usage.updated")
    assert usage["usage"] == {"seconds": 15.0}


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"audio": {"format": {"type": "audio/opus"}}}, "unsupported_value", "type"),
        ({"audio": {"format": {"type": "audio/pcm", "rate": 8000}}}, "unsupported_value", "rate"),
        ({"delegation": {"type": "responses", "responses": {}}}, "unsupported_value", "type"),
        ({"delegation": {"type": "decisions", "decisions": {}}}, "unsupported_value", "type"),
        ({"delegation": {"type": "client", "responses": {}}}, "unsupported_value", "responses"),
        ({"triggers": [{}]}, "unsupported_value", "triggers"),
        ({"store": True}, "unsupported_value", "store"),
        ({"client": {"data_channel": {}}}, "unsupported_value", "client"),
        ({"interplay": {"extensions": ["video"]}}, "unsupported_value", "extensions"),
        ({"interplay": {"extensions": ["smell"]}}, "invalid_event", "extensions"),
        ({"voice": "marin"}, "invalid_event", "session"),
        ({"model": 5}, "invalid_event", "model"),
        ({"instructions": "ten " * 3000}, "too_many_tokens", "instructions"),
        (
            {"input": [{"role": "user", "content": [{"text": "a"}]}] * 129},
            "too_many_items",
            "input",
        ),
    ],
)
def test_a_start_that_cannot_be_had_is_refused_with_its_field(session, code, param):
    adapter = LivePrimary(make_hub(), Visitor())
    error = refused(adapter, start(**session))
    assert (error["code"], error["client_event_id"]) == (code, "start")
    assert param in error["param"]
    adapter.receive(start())
    assert received(adapter)[0]["type"] == "session.started", "the next start may be better"


def test_wishes_that_change_nothing_are_remarked_on():
    adapter = client(
        make_hub(),
        audio={"output": {"voice": "marin"}},
        delegation={"type": "client", "acknowledgement_delay_ms": 400},
        safety_identifier="someone",
    )
    codes = [info["code"] for info in only(received(adapter), "info")]
    assert codes == [
        "model_substituted",
        "voice_substituted",
        "safety_identifier_ignored",
        "acknowledgement_ignored",
    ]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        ("{}", "unknown_event"),
        ("[" * 100_000, "invalid_json"),
        ('{"type":"session.start","session":{"client":{"a":' + "[" * 100_000, "invalid_json"),
        ('{"type":"session.close","event_id":"\\ud800"}', "invalid_json"),
        (b"\x00\x01", "invalid_json"),
        (event("session.fly"), "unknown_event"),
        (event("response.create"), "unsupported_event"),
        (event("session.output_audio.fixture.play", audio=""), "unsupported_event"),
        (event("session.input_audio.append", audio="!!!"), "invalid_event"),
        (event("session.input_audio.append", audio="AA=="), "invalid_audio"),
        (event("session.input_audio.append", audio=""), "invalid_audio"),
        (event("session.input_audio.append", audio=b64(pcm(2.5))), "input_backpressure"),
        (event("session.input_audio.append", audio="AAAA", rate=5), "invalid_event"),
        (event("session.start", session={"model": "any"}), "already_started"),
        (event("session.update", session={"model": "any"}), "invalid_event"),
        (event("session.update", session={"delegation": {"type": "responses"}}), "immutable_value"),
        (event("session.update", session={"triggers": [1]}), "unsupported_value"),
        (event("session.commentary.append", content="", delegation_id=None), "empty_text"),
        (event("interplay.input_text.append", text="ten"), "extension_not_enabled"),
        (event("interplay.playback.ack", played_ms=0), "extension_not_enabled"),
        (event("interplay.session.resume", token="rt_x", last_turn=0), "already_started"),
        (event("session.close", event_id="x" * 600), "invalid_event"),
    ],
)
def test_what_cannot_be_done_is_answered_with_an_error(message, code):
    hub = make_hub()
    adapter = client(hub)
    other = client(hub)
    assert refused(adapter, message)["code"] == code
    beat(hub)
    for each in (adapter, other):
        assert only(received(each), "session.output_audio.delta"), "both sessions go on"


def test_an_update_is_acknowledged():
    adapter = client(make_hub())
    received(adapter)
    change = {"delegation": {"type": "client", "acknowledgement_delay_ms": 5}}
    send(adapter, "session.update", session=change, event_id="u")
    updated, info = received(adapter)
    assert updated["type"] == "session.updated" and updated["client_event_id"] == "u"
    assert info["code"] == "acknowledgement_ignored"


def test_extensions_are_there_for_those_who_ask():
    hub = make_hub(camera=True)
    adapter = client(hub, "text", "video", "playback", "turns")
    assert adapter.session
    assert received(adapter)[0]["session"]["interplay"]["extensions"][0] == "text"
    send(adapter, "interplay.input_text.append", text="ten")
    send(adapter, "interplay.input_video.append", image=b64(picture()))
    beat(hub, 2)
    messages = received(adapter)
    assert messages[0]["type"] == "interplay.input_text.appended"
    assert [m["turn"] for m in only(messages, "interplay.turn")] == [0, 1]
    assert adapter.session.seat._camera is not None
    send(adapter, "interplay.playback.ack", played_ms=300, flushed_ms=400)
    assert adapter.session.seat.collect().half.num_played == 1600
    error = refused(adapter, event("interplay.playback.ack", played_ms=500))
    assert error["code"] == "invalid_playback"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_image"),
        (b"GIF89a" + bytes(50), "invalid_image"),
        (picture()[:100], "invalid_image"),
        (picture(2000, 1200, "PNG"), "image_too_big"),
    ],
)
def test_pictures_are_small_jpegs_or_pngs(data, code):
    adapter = client(make_hub(camera=True), "video")
    error = refused(adapter, event("interplay.input_video.append", image=b64(data)))
    assert error["code"] == code


def test_resume_on_a_new_connection_sends_what_was_missed():
    hub = make_hub()
    adapter = client(hub, "resume")
    token = received(adapter)[0]["session"]["interplay"]["resume_token"]
    assert adapter.session
    beat(hub, 2)
    messages = received(adapter)
    assert [m["turn"] for m in only(messages, "session.output_audio.delta")] == [0, 1]
    hub.lose(adapter.session, adapter.outbox)
    beat(hub, 3)
    again = LivePrimary(hub, Visitor())
    send(again, "interplay.session.resume", token=token, last_turn=1, event_id="r")
    beat(hub)
    resumed, *messages = received(again)
    assert resumed["type"] == "interplay.session.resumed" and resumed["client_event_id"] == "r"
    assert resumed["num_lost_turns"] == 0
    assert resumed["session"]["interplay"]["resume_token"] != token
    assert [m["turn"] for m in only(messages, "session.output_audio.delta")] == [2, 3, 4, 5]
    assert kinds(messages)[-1] == "session.output_audio.delta", "sound comes last in a turn"
    send(again, "session.close")
    assert kinds(received(again)) == ["session.closed"]


def test_a_sideband_sees_both_sides_and_controls_but_sends_no_sound():
    hub = make_hub()
    adapter = client(hub, audio={"format": {"type": "audio/pcm", "rate": 16_000}})
    assert adapter.session
    side = LiveSideband(hub, adapter.session)
    for _ in range(20):
        send(adapter, "session.input_audio.append", audio=b64(pcm(0.02, 16_000)))
    beat(hub, 2)
    messages = received(side)
    sound = only(messages, "session.output_audio.delta")
    assert [(m["start_ms"], m["end_ms"]) for m in sound] == [(200, 400), (400, 600)]
    (user,) = only(messages, "session.input_audio.append")
    assert len(base64.b64decode(user["audio"])) > 0.3 * 48_000
    side.receive(event("session.input_audio.mute"))
    assert adapter.session.seat.is_muted
    for kind, fields in (
        ("session.input_audio.append", {"audio": "AAAA"}),
        ("session.start", {"session": {"model": "any"}}),
    ):
        assert refused(side, event(kind, **fields))["code"] == "unsupported_event"
    side.receive(event("session.close"))
    assert kinds(received(side))[-1] == kinds(received(adapter))[-1] == "session.closed"


def test_a_full_server_says_when_to_come_back():
    hub = make_hub(1)
    client(hub)
    error = refused(LivePrimary(hub, Visitor()), start())
    assert error["code"] == "no_free_slot" and error["retry_after_s"] > 0


def test_the_protocol_page_names_every_event_extension_and_close_code():
    page = (ROOT / "docs" / "protocol.md").read_text()
    for kind in live_wire.READER.known:
        if kind.startswith("interplay."):
            assert kind in page
        else:
            assert kind.rpartition(".")[2] in page
    for kind in realtime_wire.READER.known:
        assert kind.rpartition(".")[0] in page and kind.rpartition(".")[2] in page
    for extension in get_args(live_wire.Extension):
        assert f"| `{extension}` |" in page
    for code in {*CLOSE_CODES.values(), POLICY, FAILED, TOO_SLOW} - {1001}:
        assert f"| {code} |" in page
    limits = Limits()
    for number in (limits.append_tokens, limits.open_delegations, limits.max_errors):
        assert str(number) in page
    assert f"{limits.events_per_s:g} messages/s (burst {limits.events_burst:g})" in page
    assert f"{limits.idle_s:g} s without" in " ".join(page.split())
