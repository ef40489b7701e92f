"""Augmentations: each does what it says, keeps time, and never leaves digital silence."""

import numpy as np
import pytest

from interplay.data import augment, surroundings
from interplay.data.surroundings import Noise
from interplay.errors import ConfigError

RATE = 16_000


def rms_db(sound: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(sound.astype(np.float64) ** 2)))


def burst(num_samples: int, first: int, last: int, seed: int = 0) -> np.ndarray:
    track = np.zeros(num_samples, np.float32)
    rng = np.random.default_rng(seed)
    track[first:last] = 0.08 * rng.standard_normal(last - first, dtype=np.float32)
    return track


def noise_of(color: str, seed: int) -> Noise:
    rng = np.random.default_rng(seed)
    white = rng.standard_normal(64_000, dtype=np.float32)
    hum = surroundings.draw_hum(rng) if color == "hum" else None
    return Noise(color=color, level_db=-50.0, white=white, hum=hum)


@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0])
def test_a_track_has_a_floor_everywhere_and_keeps_its_onset(strength):
    user, own = burst(30_011, 12_000, 18_000), burst(30_011, 22_000, 25_000, seed=1)
    others = [(burst(5_000, 0, 5_000, seed=2) * 20_000).astype(np.int16)]
    for seed in range(8):
        rng = np.random.default_rng(seed)
        track = augment.augment_track(user, own, rng, strength, others=others)
        assert track.shape == user.shape
        assert track.dtype == np.float32
        assert np.abs(track).max() <= 1.0
        for first in range(0, 30_000, 3_000):
            assert rms_db(track[first : first + 3_000]) > -82
        quiet, loud = track[6_000:11_700], track[12_000:14_000]
        assert rms_db(loud) > rms_db(quiet) + 3.0
        same = augment.augment_track(
            user, own, np.random.default_rng(seed), strength, others=others
        )
        np.testing.assert_array_equal(track, same)


def test_some_microphones_open_late_or_close_for_a_while():
    silence = np.zeros(32_000, np.float32)
    closed = {"at first": 0, "in between": 0, "never": 0}
    for seed in range(200):
        track = augment.augment_track(silence, silence, np.random.default_rng(seed), 1.0)
        quiet = [rms_db(track[at : at + 1600]) < -74 for at in range(0, 32_000, 1_600)]
        if any(quiet):
            closed["at first" if quiet[0] and not quiet[-1] else "in between"] += 1
        else:
            closed["never"] += 1
    assert 20 < closed["at first"] < 80
    assert 4 < closed["in between"] < 50
    assert closed["never"] > 80


def test_some_microphones_are_set_too_low_and_none_of_those_that_nothing_befalls():
    user = burst(20_000, 5_000, 9_000)
    own = np.zeros_like(user)

    def levels_db(strength: float) -> np.ndarray:
        tracks = [
            augment.augment_track(user, own, np.random.default_rng(seed), strength)
            for seed in range(100)
        ]
        return np.array([rms_db(track[5_000:9_000]) for track in tracks]) - rms_db(user[5000:9000])

    quiet = levels_db(1.0) < surroundings.GAIN_DB[0] - 3
    assert 0.03 < quiet.mean() < 0.25
    assert np.abs(levels_db(0.0)).max() < 0.5


def test_no_strength_changes_next_to_nothing():
    user = burst(20_000, 5_000, 9_000)
    track = augment.augment_track(user, np.zeros_like(user), np.random.default_rng(0), 0.0)
    assert rms_db(track - user) < -60


def test_a_room_starts_with_the_direct_sound_and_decays():
    rng = np.random.default_rng(3)
    room = surroundings.room_impulse(rng, 0.5)
    assert len(room) == 8_000
    np.testing.assert_allclose(np.sum(room**2), 1.0, rtol=1e-4)
    assert np.argmax(np.abs(room)) == 0
    assert rms_db(room[1_000:2_000]) - rms_db(room[5_000:6_000]) == pytest.approx(30, abs=4)


def test_filtering_is_convolution_cut_to_length():
    rng = np.random.default_rng(4)
    track, impulse = rng.standard_normal(301, np.float32), np.array([1.0, -0.5, 0.25], np.float32)
    np.testing.assert_allclose(
        augment.filter_by(track, impulse), np.convolve(track, impulse)[:301], atol=1e-5
    )


@pytest.mark.parametrize(("color", "octave_db"), [("white", 0.0), ("pink", -3.0), ("brown", -6.0)])
def test_noise_has_its_slope(color, octave_db):
    sound = augment.noise(noise_of(color, 5))
    assert rms_db(sound) == pytest.approx(0.0, abs=0.1)
    power = np.abs(np.fft.rfft(sound)) ** 2
    low, high = power[1_000 * 4 : 1_100 * 4].mean(), power[4_000 * 4 : 4_400 * 4].mean()
    assert 10 * np.log10(high / low) == pytest.approx(2 * octave_db, abs=1.0)


def test_hum_peaks_at_the_mains():
    power = np.abs(np.fft.rfft(augment.noise(noise_of("hum", 6)))) ** 2
    peak_hz = np.argmax(power[100:2_000]) / 4 + 25
    assert min(peak_hz % 50, 50 - peak_hz % 50, peak_hz % 60, 60 - peak_hz % 60) < 3.5


def test_own_echo_is_late_and_faint():
    own = burst(20_000, 2_000, 6_000)
    for seed in range(5):
        echo = augment.own_echo(own, surroundings.draw_echo(np.random.default_rng(seed)))
        late = 2_000 + round(0.03 * RATE)
        assert np.abs(echo[: late - 40]).max() < 0.01 * np.abs(echo).max()
        assert -46 < rms_db(echo) - rms_db(own) < -18


def test_babble_fills_the_track():
    clips = [(burst(3_000, 0, 3_000, seed=s) * 30_000).astype(np.int16) for s in range(3)]
    track = surroundings.babble(clips, 40_000, np.random.default_rng(0))
    assert rms_db(track) == pytest.approx(0.0, abs=0.1)
    assert (np.abs(track).reshape(10, -1).max(1) > 0).all()


def test_others_talk_behind_the_user_quietly_and_all_the_time():
    user = burst(40_000, 0, 40_000)
    clips = [(burst(9_000, 0, 9_000, seed=s) * 20_000).astype(np.int16) for s in range(3)]
    silence, below = np.zeros_like(user), []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        behind = augment.augment_track(user, silence, rng, 0.0, others=clips) - user
        assert (np.abs(behind).reshape(10, -1).max(1) > 1e-3).all()
        below.append(rms_db(user) - rms_db(behind))
    low, high = surroundings.BABBLE_DB
    assert low - 0.2 < min(below) < low + 4 and high - 4 < max(below) < high + 0.2


def test_channels_do_not_move_sound():
    track = burst(16_000, 8_000, 9_000)
    for seed in range(12):
        line = surroundings.draw_line(np.random.default_rng(seed))
        changed = augment.channel(track, line)
        assert changed.dtype == np.float32
        inside = np.sum(changed[7_900:9_100] ** 2) / np.sum(changed**2)
        assert inside > 0.95


def test_speed_scales_times_and_pitch():
    tone = np.sin(2 * np.pi * 400 * np.arange(RATE) / RATE).astype(np.float32)
    fast, scale = augment.change_speed(tone, 1.2)
    assert len(fast) == pytest.approx(RATE * scale, abs=2)
    assert np.argmax(np.abs(np.fft.rfft(fast, RATE))) == pytest.approx(480, abs=2)
    with pytest.raises(ConfigError, match=r"0\.85 to 1\.2"):
        augment.change_speed(tone, 1.5)


def test_refusals():
    rng = np.random.default_rng(0)
    track = np.zeros(100, np.float32)
    with pytest.raises(ConfigError, match=r"0 \(none\) to 1"):
        augment.augment_track(track, track, rng, 2.0)
    with pytest.raises(ConfigError, match="equal lengths"):
        augment.augment_track(track, track[:50], rng)
    with pytest.raises(ConfigError, match="white, pink, brown, hum"):
        augment.noise(noise_of("blue", 0))
