"""Telephone sound: G.711 to PCM and back, and a Live session that speaks it."""

import base64

import numpy as np
import pytest

from interplay.media import g711
from interplay.media.audio import StreamingResampler
from interplay.server.auth import Visitor
from interplay.server.formats import LAWS, SoundFormat, check_format
from interplay.server.live import LivePrimary, LiveSideband
from interplay.server.pcm import HELD_S, PcmReader, PcmWriter, to_samples
from tests.server_helpers import (
    advanced,
    b64,
    beat,
    client,
    make_hub,
    only,
    received,
    refused,
    send,
    start,
)


def sounds(adapter) -> list[bytes]:
    """The sound that waits to be sent, a micro-turn each."""
    deltas = only(received(adapter), "session.output_audio.delta")
    return [base64.b64decode(message["delta"]) for message in deltas]


def mu_law(sample: int) -> int:
    """One sample by the segments of ITU-T G.711 with 14 bits, written down once more."""
    sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
    magnitude = min(magnitude, 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | (magnitude >> (exponent + 3)) & 15) & 0xFF


def mu_level(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 15) << 3) + 132 << (code >> 4 & 7)) - 132
    return -magnitude if code & 0x80 else magnitude


def test_mu_law_is_the_one_of_the_recommendation():
    levels = np.frombuffer(g711.decode(bytes(range(256)), "ULAW"), "<i2")
    assert levels.tolist() == [mu_level(code) for code in range(256)]
    samples = np.arange(-32768, 32768, 7, dtype="<i2")
    ours = np.frombuffer(g711.encode(samples.tobytes(), "ULAW"), np.uint8)
    for code, sample in zip(ours.tolist(), samples.tolist(), strict=True):
        step = max(8, abs(sample) // 16)
        assert abs(mu_level(code) - mu_level(mu_law(sample))) <= step, "another rounding at most"


@pytest.mark.parametrize("law", ["ULAW", "ALAW"])
def test_codes_survive_and_the_error_is_a_few_percent(law):
    codes = bytes(range(256))
    levels = g711.decode(codes, law)
    assert len(levels) == 512
    again = np.frombuffer(g711.decode(g711.encode(levels, law), law), "<i2")
    assert np.array_equal(again, np.frombuffer(levels, "<i2"))
    samples = np.arange(-32768, 32768, dtype="<i2")
    back = np.frombuffer(g711.decode(g711.encode(samples.tobytes(), law), law), "<i2")
    error = np.abs(back.astype(int) - samples)
    assert (error <= np.maximum(16, np.abs(samples.astype(int)) // 16)).all()
    loud = np.abs(samples.astype(int)) > 16
    assert (np.sign(back[loud]) == np.sign(samples[loud])).all()
    assert g711.decode(b"", law) == g711.encode(b"", law) == b""


RATES = [(16_000, 8_000), (8_000, 16_000), (24_000, 16_000), (16_000, 24_000)]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
@pytest.mark.parametrize("chunk_ms", [20, 200])
def test_no_resampler_holds_more_back_than_the_lead_covers(from_hz, to_hz, chunk_ms):
    stream, num_in, num_out, held_s = StreamingResampler(from_hz, to_hz), 0, 0, []
    for _ in range(4000 // chunk_ms):
        size = from_hz * chunk_ms // 1000
        num_out += len(stream.push(np.zeros(size, np.float32)))
        num_in += size
        held_s.append(num_in / from_hz - num_out / to_hz)
    [client_hz] = {from_hz, to_hz} - {16_000}
    assert max(held_s) < HELD_S[client_hz] + 1e-9


def test_a_tone_goes_through_the_telephone_and_back():
    seconds = np.arange(16_000 * 2) / 16_000
    tone = (0.3 * np.sin(2 * np.pi * 1000 * seconds)).astype(np.float32)
    form = SoundFormat(name="audio/pcmu", rate_hz=8000)
    writer, reader, heard = PcmWriter(8000), PcmReader(8000), []
    for turn in tone.reshape(-1, 3200):
        data = form.from_pcm(writer.push(turn))
        assert len(data) == 1600, "exactly 200 ms per micro-turn"
        heard.append(reader.push(form.to_pcm(data)))
    out = np.concatenate(heard)[3200:-3200]
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    peak = int(spectrum.argmax())
    assert abs(peak * 16_000 / len(out) - 1000) < 2
    rest = np.concatenate([spectrum[: peak - 4], spectrum[peak + 5 :]])
    assert np.square(spectrum).sum() > 300 * np.square(rest).sum(), "25 dB above the noise"


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("rate", [None, 8000])
def test_a_live_session_speaks_g711(name, rate):
    hub = make_hub()
    form = {"type": name} if rate is None else {"type": name, "rate": rate}
    adapter = client(hub, "resume", audio={"format": form})
    assert adapter.session
    started = received(adapter)[0]["session"]
    assert started["audio"]["format"] == {"type": name, "rate": 8000}
    side = LiveSideband(hub, adapter.session)
    loud = (9000 * np.sin(np.arange(1600) / 4)).astype("<i2").tobytes()
    send(adapter, "session.input_audio.append", audio=b64(g711.encode(loud, LAWS[name])))
    assert np.abs(adapter.session.seat.collect().half.hear).max() > 0.2
    beat(hub, 2)
    assert [len(data) for data in sounds(adapter)] == [1600, 1600]
    observed = received(side)
    (user,) = only(observed, "session.input_audio.append")
    heard = to_samples(base64.b64decode(user["audio"]))
    assert 0.2 < np.abs(heard).max() < 0.35 and len(heard) > 3600, "PCM at 24 kHz"
    silence = advanced(adapter.session)
    for _ in range(3):
        adapter.session.advance(silence, 1.0)
    level = np.frombuffer(g711.decode(sounds(adapter)[-1], LAWS[name]), "<i2")
    assert np.abs(level).max() <= 8, "silence is silent"
    token = started["interplay"]["resume_token"]
    hub.lose(adapter.session, adapter.outbox)
    again = LivePrimary(hub, Visitor())
    send(again, "interplay.session.resume", token=token, last_turn=-1)
    assert [len(data) for data in sounds(again)][:2] == [1600, 1600]


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"type": "audio/pcmu", "rate": 16_000}, "rate"),
        ({"type": "audio/pcm", "rate": 8000}, "rate"),
        ({"type": "audio/opus"}, "type"),
    ],
)
def test_other_forms_are_refused_with_what_is_allowed(form, param):
    adapter = LivePrimary(make_hub(), Visitor())
    error = refused(adapter.receive, start(audio={"format": form}))
    assert error.code == "unsupported_value"
    assert error.param == f"session.audio.format.{param}"
    assert "use" in str(error)


def test_a_protocol_may_allow_fewer_rates():
    assert check_format("audio/pcm", None, "f", pcm_hz=(24_000,)).rate_hz == 24_000
    assert refused(check_format, "audio/pcm", 16_000, "f", pcm_hz=(24_000,)).param == "f.rate"
