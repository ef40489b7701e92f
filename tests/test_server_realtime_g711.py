"""Telephone sound in the Realtime protocol: either way, agreed before, changed while time runs."""

import base64
import json

import numpy as np
import pytest

from interplay.clock import FakeClock
from interplay.media import g711
from interplay.server.auth import Auth
from interplay.server.formats import LAWS
from interplay.server.realtime_secret import issue
from interplay.server.realtime_wire import SessionConfig
from tests.realtime_helpers import SIX, TEN, Client, talker
from tests.server_helpers import KEY, b64, make_hub, only, pcm

TONE = (9000 * np.sin(2 * np.pi * 440 * np.arange(1600) / 8000)).astype("<i2").tobytes()
PCM = {"type": "audio/pcm", "rate": 24_000}
ULAW, ALAW = ({"type": name} for name in LAWS)
SILENCE = np.zeros(3200, np.float32)


def audio(form_in: dict | None = None, form_out: dict | None = None) -> dict:
    """The settings; None says nothing."""
    ways = {"input": form_in, "output": form_out}
    return {way: {"format": form} for way, form in ways.items() if form}


def tone(form: dict) -> str:
    """200 ms of it, as a client writes it."""
    if form == PCM:
        samples = 9000 * np.sin(2 * np.pi * 440 * np.arange(4800) / 24_000)
        return b64(samples.astype("<i2").tobytes())
    return b64(g711.encode(TONE, LAWS[form["type"]]))


def formats(session: dict) -> tuple[dict, dict]:
    return tuple(session["audio"][way]["format"] for way in ("input", "output"))


def heard(client: Client) -> np.ndarray:
    """What the model hears in the next micro-turn."""
    return client.session.seat.collect().half.hear


def pitch_hz(sound: np.ndarray, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * len(sound)))
    return float(spectrum.argmax() * rate_hz / (8 * len(sound)))


def said(messages: list[dict]) -> list[bytes]:
    deltas = only(messages, "response.output_audio.delta")
    return [base64.b64decode(message["delta"]) for message in deltas]


@pytest.mark.parametrize(
    ("form_in", "form_out", "num_bytes"),
    [(ULAW, ULAW, 1600), (ALAW, ALAW, 1600), (ULAW, PCM, 9600), (PCM, ALAW, 1600)],
)
def test_each_way_has_a_format_of_its_own(form_in, form_out, num_bytes):
    client = Client(make_hub())
    client.read()
    session = client.update(audio=audio(form_in, form_out))
    assert formats(session) == (form_in, form_out) and "interplay" not in session
    assert client.send("input_audio_buffer.append", audio=tone(form_in)) == []
    sound = heard(client)
    assert abs(pitch_hz(sound[1000:], 16_000) - 440) < 10 and 0.2 < np.abs(sound).max() < 0.35
    messages = client.turn(True, say=TEN) + client.turn(True) + client.turn()
    sounds = said(messages)
    assert [len(data) for data in sounds] == [num_bytes] * 3, "200 ms each"
    (created,) = only(messages, "response.created")
    assert created["response"]["audio"]["output"]["format"] == form_out
    samples = sounds[1] if form_out == PCM else g711.decode(sounds[1], LAWS[form_out["type"]])
    assert abs(np.median(np.frombuffer(samples, "<i2")) / 32768 - 0.5) < 0.02, "as loud as it was"


def test_truncation_counts_milliseconds_in_every_format(monkeypatch):
    client = talker(make_hub(), audio=audio(ULAW, ULAW))
    client.quiet(2)
    messages = client.turn(True, say=TEN) + client.turn(True, say=SIX)
    flushes = []
    monkeypatch.setattr(client.session.seat, "flush", lambda **about: flushes.append(about))
    item = only(messages, "conversation.item.added")[0]["item"]["id"]
    about = {"item_id": item, "content_index": 0}
    client.send("conversation.item.truncate", **about, audio_end_ms=350)
    assert flushes == [{"num_played": (400 + 350) * 16, "num_received": 800 * 16}]
    error = client.refused("conversation.item.truncate", **about, audio_end_ms=401)
    assert "400 ms" in error["message"]


def test_a_format_may_change_while_time_runs():
    """Bridges to telephones send sound before their settings."""
    client = talker(make_hub())
    assert [len(data) for data in said(client.turn(True, say=TEN))] == [9600]
    session = client.update(audio=audio(ULAW, ALAW))
    assert formats(session) == (ULAW, ALAW)
    client.send("input_audio_buffer.clear")
    client.send("input_audio_buffer.append", audio=tone(ULAW))
    assert abs(pitch_hz(heard(client)[1000:], 16_000) - 440) < 10
    assert [len(data) for data in said(client.turn(True) + client.turn(True))] == [1600] * 2
    session = client.update(audio=audio(None, PCM))
    assert formats(session) == (ULAW, PCM), "sparse"
    assert [len(data) for data in said(client.turn(True))] == [9600]


def test_the_format_of_one_response_is_the_sessions():
    client = talker(make_hub(), audio=audio(None, ULAW))
    for form in (ULAW, {"type": "audio/pcmu", "rate": 8000}):
        client.send("response.create", response={"audio": {"output": {"format": form}}})
    for form in (PCM, ALAW):
        response = {"audio": {"output": {"format": form}}}
        error = client.refused("response.create", response=response)
        assert error["param"] == "response.audio.output.format" and "audio/pcmu" in error["message"]


@pytest.mark.parametrize("text", ["", "!"])
def test_what_is_no_sound_is_refused(text):
    client = talker(make_hub(), audio=audio(ULAW))
    error = client.refused("input_audio_buffer.append", audio=text)
    assert error["code"] in ("invalid_audio", "invalid_event")


def test_telephone_sound_too_far_ahead_is_measured_in_its_own_seconds():
    client = talker(make_hub(), audio=audio(ALAW))
    assert isinstance(client.hub.clock, FakeClock)
    client.hub.clock.advance(1.2)  # as much as `begin` sent
    held = []
    for size in (15_000, 2000):
        client.send("input_audio_buffer.append", audio=b64(bytes(size)))
        held.append(bool(client.adapter._held))
    assert held == [False, True]


def test_a_secret_settles_the_format():
    hub, auth = make_hub(), Auth([KEY])
    wanted = {"session": {"type": "realtime", "audio": audio(ULAW, ALAW)}}
    answer = issue(hub, auth, json.dumps(wanted).encode())
    assert formats(answer["session"]) == (ULAW, ALAW)
    visitor = auth.visit(f"Bearer {answer['value']}", [], 0.0)
    assert visitor.secret and isinstance(visitor.secret.config, SessionConfig)
    client = Client(hub, visitor, config=visitor.secret.config)
    assert formats(client.read()[0]["session"]) == (ULAW, ALAW)
    client.send("input_audio_buffer.append", audio=tone(ULAW))
    assert abs(pitch_hz(heard(client)[1000:], 16_000) - 440) < 10


class Speaker:
    """A media track that notes how much it was given."""

    def __init__(self) -> None:
        self.num_bytes: list[int] = []

    def play(self, pcm: bytes) -> None:
        self.num_bytes.append(len(pcm))

    def flush(self) -> None:
        pass


def test_with_a_media_track_formats_change_nothing_and_that_is_said():
    speaker = Speaker()
    client = Client(make_hub(), track=speaker)
    client.read()
    assert "interplay" not in client.update(audio=audio(PCM, PCM))
    session = client.update(audio=audio(ULAW, ALAW))
    assert formats(session) == (PCM, PCM)
    remarks = [(remark["code"], remark["param"]) for remark in session["interplay"]["remarks"]]
    assert remarks == [
        ("format_ignored", "session.audio.input.format"),
        ("format_ignored", "session.audio.output.format"),
    ]
    client.adapter.hear(pcm(0.2))
    client.turn(True, say=TEN)
    assert speaker.num_bytes == [9600]
    error = client.refused("session.update", session={"audio": audio({"type": "audio/opus"})})
    assert error["code"] == "unsupported_value"
