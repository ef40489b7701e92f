"""The Live and Realtime protocols as the bench speaks them, message by message."""

import base64
import json

import numpy as np
import pytest
from bench_helpers import QUESTION, beep, item, said

from interplay.bench.clients.conversation import Ears, jpeg_of
from interplay.bench.clients.live import LiveWire
from interplay.bench.clients.realtime import RealtimeWire
from interplay.bench.playing.stage import Stage
from interplay.data.item import Delegate
from interplay.errors import ConfigError

RATE = 16_000
LOUD = np.full(3200, 3000, np.int16)
QUIET = np.zeros(3200, np.int16)


# The wires, message by message


def ears(wire) -> Ears:
    made = Ears(Stage(QUESTION, beep), wire)
    made.begin_s = 10.0
    return made


def kinds(messages: list[str]) -> list[str]:
    return [json.loads(message)["type"] for message in messages]


def delta(samples: np.ndarray) -> str:
    return base64.b64encode(samples.astype("<i2").tobytes()).decode()


def test_live_words_sound_with_the_sound_that_follows_them():
    wire = LiveWire(extensions=True)
    side = ears(wire)
    assert wire.rate_hz == RATE and kinds(wire.opening(QUESTION)) == ["session.start"]
    side.now_s = 11.0
    for text, start_ms in ((" four", 800), (" it", 950)):
        event = {"type": "session.output_transcript.delta", "delta": text, "start_ms": start_ms}
        assert wire.take(event, side) == []
    wire.take({"type": "session.output_audio.delta", "delta": delta(LOUD)}, side)
    side.now_s = 11.1
    wire.take({"type": "session.output_transcript.delta", "delta": " is", "start_ms": 1000}, side)
    times = [(piece, pytest.approx(time_s)) for piece, time_s in side.stage.pieces["say"]]
    assert times == [(" four", 1.0), (" it", 1.15), (" is", 1.2)]
    assert side.speaker.track(11.0, 3200).all()


def test_a_live_model_that_yields_is_thrown_away_and_told():
    wire = LiveWire(extensions=True)
    side = ears(wire)
    side.now_s = 11.0
    for _ in range(3):
        wire.take({"type": "session.output_audio.delta", "delta": delta(LOUD)}, side)
    side.now_s = 11.25
    turn = {"type": "interplay.turn", "act": ["<delegate>", " who", "<end>"], "yields": True}
    [message] = wire.take(turn, side)
    assert json.loads(message) == {
        "type": "interplay.playback.ack",
        "played_ms": 250,
        "flushed_ms": 600,
    }
    assert side.speaker.end_s == 11.25
    assert [piece for piece, _ in side.stage.pieces["act"]] == ["<delegate>", " who", "<end>"]
    assert kinds(wire.sound(b"\0\0", side))[0] == "session.input_audio.append"


def test_typed_text_and_results_go_where_the_protocols_want_them():
    wire = LiveWire(extensions=True)
    assert kinds(wire.typed("<text>", "a b")) == ["interplay.input_text.append"]
    wire.take({"type": "session.delegation.created", "delegation": {"id": "d1"}}, ears(wire))
    [message] = wire.typed("<result>", "a cat")
    assert json.loads(message)["delegation_id"] == "d1"
    with pytest.raises(ConfigError, match="takes none"):
        LiveWire(extensions=False).typed("<text>", "a")
    real = RealtimeWire()
    assert kinds(real.typed("<text>", "a")) == ["conversation.item.create", "response.create"]
    call = {"type": "response.function_call_arguments.done", "call_id": "c1", "name": "delegate"}
    side = ears(real)
    real.take(call | {"arguments": '{"question": "who was here"}'}, side)
    assert [piece for piece, _ in side.stage.pieces["act"]] == [
        "<delegate>",
        " who",
        " was",
        " here",
        "<end>",
    ]
    [given] = real.typed("", "a reply")  # the assistant has said it: nothing is to be answered
    assert json.loads(given)["item"] == {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "a reply"}],
    }
    for extends in (True, False):
        context = LiveWire(extensions=extends).typed("", "a reply")
        assert kinds(context) == ["session.thinking.append"]
    created = json.loads(real.typed("<result>", "a cat")[0])["item"]
    assert (created["type"], created["call_id"]) == ("function_call_output", "c1")
    asks = item(said("who"), expect=[Delegate(words="who", after=0)])
    assert "tools" in json.loads(real.opening(asks)[0])["session"]
    assert "tools" not in json.loads(real.opening(QUESTION)[0])["session"]


def test_pictures_go_out_every_micro_turn_or_every_second():
    jpeg = jpeg_of(np.zeros((12, 16, 3), np.uint8))
    assert jpeg.startswith(b"\xff\xd8")
    live, real = LiveWire(extensions=True), RealtimeWire()
    assert [kinds(live.picture(jpeg, turn)) for turn in range(6)] == [
        ["interplay.input_video.append"]
    ] * 6
    sent = [real.picture(jpeg, turn) for turn in range(6)]
    assert [len(messages) for messages in sent] == [1, 0, 0, 0, 0, 1]
    [part] = json.loads(sent[0][0])["item"]["content"]
    assert part["image_url"].startswith("data:image/jpeg;base64,/9j/")


def test_a_burst_is_truncated_where_the_user_cut_in():
    wire = RealtimeWire()
    side = ears(wire)
    side.now_s = 11.0
    second = np.full(24_000, 3000, np.int16)
    audio = {"type": "response.output_audio.delta", "item_id": "i1", "delta": delta(second)}
    words = {"type": "response.output_audio_transcript.delta", "item_id": "i1"}
    wire.take(words | {"delta": "One"}, side)
    wire.take(audio, side)
    wire.take(words | {"delta": " two"}, side)
    wire.take(words | {"item_id": "i2", "delta": "Three"}, side)
    said_ = side.stage.pieces["say"]
    assert [piece for piece, _ in said_] == [" One", " two", " Three"]
    assert said_[0][1] == pytest.approx(1.0) and said_[1][1] == pytest.approx(2.0, abs=0.05)
    side.now_s = 11.3
    [message] = wire.take({"type": "input_audio_buffer.speech_started"}, side)
    cut = json.loads(message)
    assert (cut["item_id"], cut["audio_end_ms"]) == ("i1", pytest.approx(300, abs=1))
    assert wire.take(audio, side) == [] and side.speaker.end_s == 11.3, "what comes late is dropped"
    assert wire.take({"type": "input_audio_buffer.speech_started"}, side) == []
