"""Realtime beside the conversation: sound ahead of time, remarks of the server, recording."""

import json
import time

import numpy as np
import pytest

from interplay.clock import TURN_S, FakeClock
from interplay.server.events import Notice
from interplay.server.inbox import QUIET
from interplay.server.limits import Limits
from interplay.server.pcm import to_pcm
from interplay.server.realtime_sound import SKIP_TURNS, HeldSound
from tests.realtime_helpers import Client, talker
from tests.server_helpers import b64, beat, kinds, make_hub, only, pcm

RATE_HZ = 24_000
TURN_BYTES = round(TURN_S * RATE_HZ) * 2


def heard(client: Client) -> float:
    """How loud the model's next micro-turn is."""
    return float(np.abs(client.session.seat.collect().half.hear).max())


def test_a_clip_in_one_message_is_heard_whole_at_the_pace_of_the_clock():
    client = talker(make_hub())
    clock = client.hub.clock
    assert isinstance(clock, FakeClock)
    heard(client)
    clip = pcm(4.0)
    assert client.send("input_audio_buffer.append", audio=b64(clip)) == []
    assert client.send("input_audio_buffer.append", audio=b64(pcm(0.1))) == [], "behind it"
    loud = 0
    for _ in range(22):
        client.turn()
        clock.advance(TURN_S)
        loud += heard(client) > 0.05
    assert loud == 21, "the clip, and the piece behind it"
    assert kinds(client.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_more_than_can_be_held_is_refused_and_clearing_forgets_it():
    client = talker(make_hub(limits=Limits(held_s=5.0)))
    client.send("input_audio_buffer.append", audio=b64(pcm(4.0)))
    error = client.refused("input_audio_buffer.append", audio=b64(pcm(2.0)))
    assert error["code"] == "input_backpressure" and "5 s" in error["message"]
    client.send("input_audio_buffer.clear")
    heard(client)
    client.turn()
    assert heard(client) < 0.05
    assert client.refused("input_audio_buffer.append", audio="AA==")["code"] == "invalid_audio"


def test_what_is_sent_again_after_a_clear_is_not_heard_twice(monkeypatch):
    """Of 400 ms the model has heard half when the client clears the rest and sends all again."""
    client = talker(make_hub())
    sound, other = pcm(0.4, seed=5), pcm(0.4, seed=6)
    heard(client)
    client.send("input_audio_buffer.append", audio=b64(sound[:TURN_BYTES]))
    heard(client)
    client.send("input_audio_buffer.append", audio=b64(sound[TURN_BYTES:]))
    pieces: list[bytes] = []
    monkeypatch.setattr(client.session, "hear", pieces.append)
    client.send("input_audio_buffer.clear")
    client.send("input_audio_buffer.append", audio=b64(sound))
    (again,) = pieces
    assert abs(len(again) - TURN_BYTES) < 0.1 * TURN_BYTES and sound.endswith(again)
    assert client.send("input_audio_buffer.commit"), "it was sent, whatever is heard of it"
    client.send("input_audio_buffer.append", audio=b64(sound))
    client.send("input_audio_buffer.clear")
    client.send("input_audio_buffer.append", audio=b64(other))
    assert pieces[1:] == [sound, other], "only after a clear, and only what was sent before"


def test_a_clip_alone_is_never_skipped():
    held, got = HeldSound(30.0), bytearray()
    clip = to_pcm(np.zeros(round(2 * RATE_HZ), np.float32))
    assert held.add(clip, RATE_HZ)
    while held:
        assert not held.advance(lambda piece: got.extend(piece) is None)
    assert got == clip
    assert not held.advance(lambda _: pytest.fail("there is nothing left"))


def test_what_is_refused_stays():
    held = HeldSound(30.0)
    held.add(pcm(0.3), RATE_HZ)
    assert not held.advance(lambda _: False)
    pieces = []
    while held:
        held.advance(lambda piece: pieces.append(piece) is None)
    assert b"".join(pieces) == pcm(0.3) and [len(piece) for piece in pieces] == [TURN_BYTES, 4800]


@pytest.mark.parametrize(("loud", "num_turns"), [(False, 12), (True, 11 * SKIP_TURNS)])
def test_a_client_that_goes_on_after_a_stall_is_heard_in_time_again(loud, num_turns):
    """Two seconds too late: quiet sound is skipped at once, loud sound now and then."""
    piece = to_pcm(np.full(TURN_BYTES // 2, 0.5 if loud else QUIET / 2, np.float32))
    held, count, num_skipped = HeldSound(30.0), 0, 0
    held.add(piece * 10, RATE_HZ)
    while held and count < 1000:
        held.add(piece, RATE_HZ)
        num_skipped += held.advance(lambda _: True)
        count += 1
    assert count <= num_turns and num_skipped == 10


def test_another_model_in_the_address_is_remarked_on():
    hub = make_hub()
    client = Client(hub, model="gpt-realtime")
    (created,) = client.read()
    (remark,) = created["session"]["interplay"]["remarks"]
    assert remark["code"] == "model_substituted"
    ours = Client(hub, model=hub.engine.facts["model"])
    assert "interplay" not in ours.read()[0]["session"]


def test_a_server_that_stops_says_how_much_time_is_left():
    hub = make_hub(limits=Limits(drain_s=20.0))
    client = talker(hub)
    hub.drain()
    (updated,) = client.read()
    assert updated["type"] == "session.updated"
    session = updated["session"]
    assert 15 <= session["expires_at"] - time.time() <= 20
    assert session["interplay"]["remarks"][0]["code"] == "server_draining"
    client.session.tell_all(Notice(code="recording_ended", message="the disk is full"))
    (told,) = client.read()
    assert told["session"]["expires_at"] == session["expires_at"], "that stays"


def test_a_session_is_kept_where_its_client_asks_before_time_begins(tmp_path):
    hub = make_hub(record_root=tmp_path)
    client = Client(hub)
    client.read()
    session = client.update(interplay={"extensions": ["record"]})
    assert session["interplay"] == {"extensions": ["record"]}
    assert client.update(instructions="be kind")["interplay"] == {"extensions": ["record"]}
    client.begin()
    beat(hub, 2)
    client.read()
    content = [{"type": "input_text", "text": "ten"}]
    message = {"type": "message", "role": "user", "content": content}
    client.send("conversation.item.create", item=message)
    error = client.refused("session.update", session={"interplay": {"extensions": []}})
    assert error["code"] == "immutable_value"
    hub.close(client.session, "asked")
    beat(hub)
    hub.stop()
    (folder,) = tmp_path.iterdir()
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert {"ms": 400, "event": "text", "kind": "typed", "text": "ten"} in lines
    assert (folder / "audio.wav").stat().st_size > 10_000
    late = talker(hub)
    error = late.refused("session.update", session={"interplay": {"extensions": ["record"]}})
    assert (error["code"], error["param"]) == ("immutable_value", "session.interplay.extensions")


def test_recording_is_refused_where_nothing_is_kept():
    client = Client(make_hub())
    client.read()
    error = client.refused("session.update", session={"interplay": {"extensions": ["record"]}})
    assert error["code"] == "unsupported_value"
    assert not only(client.begin(), "error")
