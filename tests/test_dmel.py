"""The dMel front end: equal to Inkling's, equal in pieces and whole, and refusing what it must."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.errors import ConfigError
from interplay.media.audio import read_audio
from interplay.media.dmel import (
    BIN_CENTERS,
    NUM_BINS,
    DmelConfig,
    StreamingDmel,
    dequantize,
    filterbank,
    log_mel,
    quantize,
)

SPEECH = Path(__file__).parent / "data" / "speech.flac"
INKLING = DmelConfig(subframes=1)
FINE = DmelConfig(subframes=4)
BOTH = pytest.mark.parametrize("config", [INKLING, FINE], ids=["inkling", "fine"])


def speech() -> np.ndarray:
    return read_audio(SPEECH).samples


def signal(name: str) -> np.ndarray:
    rng = np.random.default_rng(3)
    t = np.arange(16_000 * 2) / 16_000
    made = {
        "noise": 0.1 * rng.standard_normal(len(t)),
        "quiet": 1e-4 * rng.standard_normal(len(t)),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * t),
        "chord": sum(0.1 * np.sin(2 * np.pi * hz * t) for hz in (197.3, 1234.5, 5021.7)),
        "zeros": 0 * t,
    }
    return speech() if name == "speech" else made[name].astype(np.float32)


def inkling_bins(samples: np.ndarray) -> np.ndarray:
    """The oracle: transformers' extractor, then its processor's rule for the bins."""
    from transformers.models.inkling import InklingFeatureExtractor

    features = InklingFeatureExtractor()(samples, sampling_rate=16_000, return_tensors="pt")
    mel = features["input_features"][0].clamp(-7.0, 2.0)
    centers = torch.linspace(-7.0, 2.0, 16, dtype=torch.float64).float()
    return (mel[..., None] - centers).abs().argmin(-1).numpy()


@pytest.mark.parametrize("name", ["noise", "quiet", "tone", "chord", "zeros", "speech"])
def test_bins_are_those_of_inkling(name):
    samples = signal(name)
    samples = samples[: len(samples) // INKLING.hop * INKLING.hop]
    ours = quantize(log_mel(samples, INKLING))
    assert ours.dtype == np.uint8 and ours.shape == (len(samples) // 800, 80)
    np.testing.assert_array_equal(ours, inkling_bins(samples))


def test_filters_are_those_of_inkling():
    from transformers.models.inkling import InklingFeatureExtractor

    oracle = InklingFeatureExtractor().mel_filters.numpy().T
    np.testing.assert_allclose(filterbank(INKLING), oracle, atol=1e-9)


@BOTH
@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 11), min_size=1, max_size=6))
def test_pieces_equal_the_whole_bit_for_bit(config, sizes):
    """Any cut at micro-turn borders, with the samples before as tail."""
    samples = np.resize(speech(), sum(sizes) * 3200)
    whole = log_mel(samples, config)
    ends = np.cumsum(sizes) * 3200
    starts = ends - np.array(sizes) * 3200
    past = np.concatenate([np.zeros(config.tail, np.float32), samples])
    pieces = [
        log_mel(samples[start:end], config, tail=past[start : start + config.tail])
        for start, end in zip(starts, ends, strict=True)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces).view(np.int32), whole.view(np.int32))


@BOTH
def test_stream_equals_whole_and_its_state_is_a_value(config):
    turns = np.resize(speech(), (13, 3200))
    stream = StreamingDmel(config)
    state, out = stream.initial_state(), []
    for turn in turns:
        again = stream.push(turn, state)[0]
        mel, state = stream.push(turn, state)
        assert mel.shape == (4, config.subframes, 80)
        np.testing.assert_array_equal(mel, again)
        out.append(mel.reshape(-1, 80))
    np.testing.assert_array_equal(np.concatenate(out), log_mel(turns.reshape(-1), config))


@BOTH
def test_many_streams_at_once_are_each_alone(config):
    turns = np.resize(speech(), (2 * 11, 3200))
    stream = StreamingDmel(config)
    states = np.resize(speech(), (11, config.tail))
    for part in np.split(turns, 2):
        mel, after = stream.push_all(part, states)
        for i in range(11):
            alone, state = stream.push(part[i], states[i])
            np.testing.assert_array_equal(mel[i], alone)
            np.testing.assert_array_equal(after[i], state)
            whole = log_mel(part[i], config, tail=states[i]).reshape(alone.shape)
            np.testing.assert_array_equal(alone, whole)
        states = after


@BOTH
def test_causal(config):
    """What comes later changes nothing before."""
    samples = np.resize(speech(), 4 * 3200)
    changed = samples.copy()
    changed[2 * 3200 :] = 0.5
    cut = 2 * config.frames_per_turn
    before, after = log_mel(samples, config), log_mel(changed, config)
    np.testing.assert_array_equal(before[:cut], after[:cut])
    assert (before[cut:] != after[cut:]).all()


@BOTH
def test_any_number_of_frames(config):
    samples = np.resize(speech(), 3200)
    assert log_mel(samples[:0], config).shape == (0, 80)
    one = log_mel(samples[: config.hop], config)
    np.testing.assert_array_equal(one, log_mel(samples, config)[:1])


@BOTH
def test_a_tone_lands_in_its_channel_and_warp_moves_it(config):
    tone = np.sin(2 * np.pi * 1000 * np.arange(6400) / 16_000).astype(np.float32)
    loudest = log_mel(tone, config)[-1].argmax()
    centers_hz = filterbank(config).argmax(axis=0) * 16_000 / config.n_fft
    assert abs(centers_hz[loudest] - 1000) < 40
    lower = log_mel(tone, config, filters=filterbank(config, 1.2))[-1].argmax()
    higher = log_mel(tone, config, filters=filterbank(config, 0.85))[-1].argmax()
    assert lower < loudest < higher


@pytest.mark.parametrize("warp", [0.5, 0.9, 1.0, 1.15, 2.0])
@BOTH
def test_no_filter_is_empty(config, warp):
    filters = filterbank(config, warp)
    assert filters.shape == (config.n_fft // 2 + 1, 80) and filters.dtype == np.float32
    assert (filters >= 0).all() and (filters.sum(axis=0) > 0).all()


@settings(max_examples=200, deadline=None)
@given(value=st.floats(-9, 4, width=32))
def test_the_nearest_centre_wins(value):
    distances = np.abs(np.float64(value) - BIN_CENTERS)
    assert quantize(np.array([value], np.float32))[0] == distances.argmin()


def test_borders_between_bins():
    """The two float32 around every middle, and the one exact tie, -2.5."""
    middles = ((BIN_CENTERS[1:] + BIN_CENTERS[:-1]) / 2).astype(np.float32)
    for values in (middles, np.nextafter(middles, np.float32(9)), np.nextafter(middles, -middles)):
        nearest = np.abs(values.astype(np.float64)[:, None] - BIN_CENTERS).argmin(axis=1)
        np.testing.assert_array_equal(quantize(values), nearest)


def test_bins_survive_a_round_trip():
    bins = np.arange(NUM_BINS, dtype=np.uint8).reshape(2, 8)
    assert dequantize(bins).dtype == np.float32
    np.testing.assert_array_equal(quantize(dequantize(bins)), bins)


def test_refusals_say_what_is_allowed():
    with pytest.raises(ConfigError, match=r"subframes is 2; use 1 \(Inkling\) or 4"):
        DmelConfig(subframes=2)
    with pytest.raises(ConfigError, match=r"warp is 3\.0; use 0\.5 to 2\.0"):
        filterbank(FINE, 3.0)
