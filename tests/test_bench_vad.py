"""Detectors of speech: levels, noise, gaps, clicks, a second opinion."""

import numpy as np
import pytest

from interplay.bench import vad
from interplay.errors import ConfigError

RATE = 16_000


def track(length_s: float, *sounds: tuple[float, float, float], noise_db: float | None = None):
    """Square waves (start, end, level in dB of full scale), over white noise."""
    made = np.zeros(round(length_s * RATE))
    if noise_db is not None:
        made += np.random.default_rng(1).standard_normal(len(made)) * 10 ** (noise_db / 20)
    for start, end, level_db in sounds:
        size = round(end * RATE) - round(start * RATE)
        made[round(start * RATE) :][:size] += 10 ** (level_db / 20) * (-1) ** np.arange(size)
    return np.rint(np.clip(made * 32768, -32768, 32767)).astype(np.int16)


def close(spans):
    return [pytest.approx(span, abs=1e-6) for span in spans]


def test_speech_is_above_minus_45_db():
    assert vad.energy_spans(track(3, (0.5, 1, -44.5), (2, 2.5, -45.5))) == close([(0.5, 1)])


def test_speech_is_12_db_above_the_noise():
    noisy = track(4, (1, 2, -36), (3, 3.5, -20), noise_db=-46)
    assert vad.energy_spans(noisy) == close([(3, 3.5)])  # -36 lies only 10 dB above
    quiet = track(4, (1, 2, -36), (3, 3.5, -20), noise_db=-60)
    assert vad.energy_spans(quiet) == close([(1, 2), (3, 3.5)])


def test_talk_without_a_pause_is_not_taken_for_noise():
    assert vad.energy_spans(track(2, (0, 2, -20))) == close([(0, 2)])


def test_short_gaps_are_closed_before_short_sounds_are_dropped():
    sounds = [(0.2, 0.26, -20), (0.34, 0.4, -20), (1.0, 1.08, -20), (1.4, 1.5, -20)]
    assert vad.energy_spans(track(2, *sounds)) == close([(0.2, 0.4), (1.4, 1.5)])
    joined = vad.energy_spans(track(2, *sounds), max_gap_s=1.0)
    assert joined == close([(0.2, 1.5)])


def test_nothing_in_nothing():
    for length in (0, 100, 319, 16_000):
        silence = np.zeros(length, np.int16)
        assert vad.energy_spans(silence) == [] and vad.webrtc_spans(silence) == []


def test_merged():
    spans = [(5.0, 6.0), (0.0, 1.0), (1.5, 2.0), (2.6, 3.0), (2.7, 2.8)]
    assert vad.merged(spans, 0.5) == [(0.0, 2.0), (2.6, 3.0), (5.0, 6.0)]
    assert vad.merged(spans, 0.6) == [(0.0, 3.0), (5.0, 6.0)]
    assert vad.merged([], 1.0) == []


def test_webrtcvad_follows_a_voice_and_ignores_silence():
    rng = np.random.default_rng(0)
    time = np.arange(RATE) / RATE
    voice = sum(np.sin(2 * np.pi * 120 * k * time + k) / k for k in range(1, 30))
    voice *= 3000 * (1 + 0.5 * np.sin(2 * np.pi * 4 * time))
    made = np.concatenate([np.zeros(RATE), voice, np.zeros(RATE)])
    made = (made + rng.standard_normal(len(made)) * 5).astype(np.int16)
    spans = vad.webrtc_spans(made)
    assert len(spans) == 1
    assert spans[0] == pytest.approx((1.0, 2.0), abs=0.3)


def test_webrtcvad_modes():
    with pytest.raises(ConfigError, match="mode 4 is not one of 0, 1, 2, 3"):
        vad.webrtc_spans(np.zeros(320, np.int16), mode=4)
