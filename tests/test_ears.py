"""Hearing on the device that trains: what the composer hears, session by session, for all at once.

Bins are compared cell by cell. Both ways compute in float32: a filter's rounding errors are some
1e-7 of the loudest sample, which is 1e-4 of a floor 60 dB below, and a bin is 12 dB wide: of ten
thousand cells about one lies so near a border that they differ, by one bin. A sample on a step of
companding may fall to either side, which is faint noise in a few frames.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interplay.data import augment, surroundings
from interplay.data.bank import MEL_CONFIG
from interplay.data.compose import mel_filters
from interplay.data.dry import Dry, Track
from interplay.data.surroundings import Line, Noise, Others, Surroundings, draw_surroundings
from interplay.media.dmel import log_mel, quantize
from interplay.train import ears

CPU = torch.device("cpu")
NUM_TURNS = 11
NUM_SAMPLES = 3200 * NUM_TURNS
TIME_S = np.arange(NUM_SAMPLES, dtype=np.float32) / 16_000
SHARE_OF_EQUAL_CELLS = 0.999


def speech(seed: int) -> np.ndarray:
    """Voiced and unvoiced stretches of a gliding pitch, silence in between."""
    rng = np.random.default_rng(seed)
    pitch_hz = 120 + 60 * np.sin(2 * np.pi * 0.7 * TIME_S + seed)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / 16_000
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    loud = np.repeat(rng.choice([0.0, 0.0, 0.03, 0.2], NUM_TURNS), 3200)
    hiss = np.repeat(rng.random(NUM_TURNS) < 0.3, 3200) * rng.standard_normal(NUM_SAMPLES)
    return (loud * np.where(hiss == 0, voice, hiss)).astype(np.float32)


def sweep(seed: int) -> np.ndarray:
    """A tone from low to high, and a still one."""
    rise = np.sin(2 * np.pi * (100 * TIME_S + 1500 * TIME_S**2))
    return (0.1 * rise + 0.02 * np.sin(2 * np.pi * (300 + 70 * seed) * TIME_S)).astype(np.float32)


def rushing(seed: int) -> np.ndarray:
    return 0.05 * np.random.default_rng(seed).standard_normal(NUM_SAMPLES, dtype=np.float32)


SOUNDS = {"speech": speech, "tones": sweep, "noise": rushing}


def dry(user: np.ndarray, around: Surroundings, filters: int = 0, own_seed: int = 7) -> Dry:
    own = Track.of(np.roll(speech(own_seed), 8000))
    return Dry(user=Track.of(user), own=own, around=around, filters=filters)


def quiet_around(seed: int = 0, **changed) -> Surroundings:
    """Nothing happens but for what is `changed`."""
    drawn = draw_surroundings(
        np.random.default_rng(seed), NUM_SAMPLES, 0.0, has_own=False, as_seeds=True
    )
    return replace(drawn, **{"closed": (0, 0), **changed})


def whole(drawn: Surroundings) -> Surroundings:
    """The same with the noise that the device draws, as samples."""
    seeds = int(drawn.noise.white), int(drawn.floor)
    source, floor = (ears.white(seed, NUM_SAMPLES, CPU).numpy() for seed in seeds)
    return replace(drawn, noise=replace(drawn.noise, white=source), floor=floor)


def heard_alone(session: Dry) -> np.ndarray:
    """By numpy."""
    around = whole(session.around)
    track = augment.apply(session.user.sound(), session.own.sound(), around)
    mel = log_mel(track, MEL_CONFIG, filters=mel_filters()[session.filters])
    return quantize(mel).reshape(NUM_TURNS, 4, 4, 80)


def assert_same(found: torch.Tensor, wanted: np.ndarray) -> None:
    apart = np.abs(found.numpy().astype(int) - wanted)
    assert apart.max() <= 1
    assert (apart == 0).mean() >= SHARE_OF_EQUAL_CELLS


def noise(color: str) -> Noise:
    hum = surroundings.draw_hum(np.random.default_rng(3)) if color == "hum" else None
    return Noise(color=color, level_db=-45.0, white=11, hum=hum)


def line(name: str) -> Line:
    return replace(surroundings.draw_line(np.random.default_rng(4)), name=name)


def others() -> Others:
    rng = np.random.default_rng(5)
    clips = [(20_000 * speech(seed)[: 9000 + seed]).astype(np.int16) for seed in range(1, 4)]
    return Others(talk=surroundings.babble(clips, NUM_SAMPLES, rng), below_db=14.0)


BEFALLING = {
    "nothing": {},
    "gain": {"gain_db": 8.0},
    "room": {"room": surroundings.room_impulse(np.random.default_rng(1))},
    "echo": {"echo": surroundings.draw_echo(np.random.default_rng(2))},
    "others": {"others": others()},
    **{color: {"noise": noise(color)} for color in surroundings.NOISE_COLORS},
    "closed at first": {"noise": noise("white"), "closed": (0, 9_001)},
    "closed for a while": {"noise": noise("pink"), "closed": (30_000, 60_000)},
    **{name: {"line": line(name)} for name in ("none", *surroundings.LINES_HZ)},
    "quiet": {"quiet_db": -20.0},
    "clipping": {"gain_db": 30.0},
}


@pytest.mark.parametrize("kind", SOUNDS)
def test_each_thing_alone_befalls_a_session_as_numpy_has_it(kind: str):
    sessions = [
        dry(SOUNDS[kind](row), quiet_around(row, **changed), filters=row)
        for row, changed in enumerate(BEFALLING.values())
    ]
    found = ears.hear(ears.stack(sessions))
    assert found.dtype == torch.uint8 and found.shape == (len(sessions), NUM_TURNS, 4, 4, 80)
    for row, session in enumerate(sessions):
        assert_same(found[row], heard_alone(session))
    plain = found[list(BEFALLING).index("nothing")]
    assert any((each != plain).float().mean() > 0.02 for each in found)


def test_everything_that_may_happen_to_a_session_together():
    num_befallen = np.zeros(4, int)
    sessions = []
    for seed in range(24):
        rng = np.random.default_rng([9, seed])
        around = draw_surroundings(
            rng, NUM_SAMPLES, float(rng.uniform(0.3, 1.0)), has_own=True, as_seeds=True
        )
        if seed % 3 == 0:
            around = replace(around, others=others())
        happens = [around.room is not None, around.echo, around.line, around.others]
        num_befallen += [bool(each) for each in happens]
        sessions.append(dry(speech(seed), around, filters=seed))
    assert num_befallen.min() >= 5, "there is something to compare"
    found = ears.hear(ears.stack(sessions))
    for row, session in enumerate(sessions):
        assert_same(found[row], heard_alone(session))


def test_a_session_alone_is_heard_as_in_a_batch():
    sessions = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        around = draw_surroundings(rng, NUM_SAMPLES, 0.9, has_own=True, as_seeds=True)
        sessions.append(dry(speech(seed), around, filters=3 * seed))
    together = ears.hear(ears.stack(sessions))
    assert torch.equal(together, ears.hear(ears.stack(sessions)))
    for row, session in enumerate(sessions):
        assert_same(ears.hear(ears.stack([session]))[0], together[row].numpy())


def test_a_cut_session_keeps_what_befalls_it_in_its_place():
    behind = others()
    around = quiet_around(closed=(9_600, 20_000), others=behind, noise=noise("white"))
    part = dry(rushing(0), around).cut(4, 9)
    assert part.around.closed == (0, 7_200)
    assert part.around.others
    np.testing.assert_array_equal(part.around.others.talk, behind.talk[12_800:28_800])
    for track, of in ((part.user, rushing(0)), (part.own, np.roll(speech(7), 8000))):
        np.testing.assert_allclose(track.sound(), of[12_800:28_800], atol=track.step)
    assert ears.hear(ears.stack([part])).shape == (1, 5, 4, 4, 80)


def test_silence_is_packed_and_is_never_silent_when_heard():
    silence = np.zeros(NUM_SAMPLES, np.float32)
    assert not Track.of(silence).sound().any()
    session = dry(silence, quiet_around(closed=(0, NUM_SAMPLES)))
    track = ears.microphone(ears.stack([session]))[0]
    levels_db = 20 * track.unflatten(0, (-1, 400)).std(1).log10()
    assert levels_db.min() > augment.FLOOR_DBFS - 2 and levels_db.max() < augment.FLOOR_DBFS + 2
