"""What befalls the sound of a session between the people's mouths and the model's ears, drawn.

Plain values; no sound is touched. `data.augment` applies them where a session is composed,
`train.ears` to all sessions of a batch at once. Knows nothing of banks, scenarios or features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int16

from interplay.clock import SAMPLE_RATE_HZ
from interplay.errors import ConfigError

Sound = Float32[np.ndarray, " T"]
Impulse = Float32[np.ndarray, " K"]
Clips = Sequence[Int16[np.ndarray, " _"]]

NOISE_COLORS = ("white", "pink", "brown", "hum")
NOISE_DBFS = (-70.0, -34.0)
NOISE_FULL_AT = 0.2  # strength from which noise may be as loud as it ever is: few rooms are quiet
T60_S = (0.1, 0.8)
ECHO_DB = (-40.0, -20.0)
BABBLE_DB = (10.0, 25.0)  # below the user
ECHO_DELAY_S = (0.03, 0.15)
ECHO_T60_S = (0.1, 0.3)
GAIN_DB = (-10.0, 10.0)
QUIET_DB = (-24.0, 0.0)  # of a microphone that is set too low
LINES_HZ = {
    "telephone": (300, 3400),
    "narrowband": (40, 3900),  # sampled at 8 kHz, and nothing else
    "wideband": (80, 7000),
    "speaker": (150, 5500),
}
NO_LINE = "none"
NUM_BUMPS = 3  # and dents of a response
_EARLY_S = 0.03


@dataclass(frozen=True, kw_only=True)
class Echo:
    """The own voice from the loudspeaker. impulse: float32, its delay and a short room."""

    impulse: np.ndarray
    level_db: float


@dataclass(frozen=True, kw_only=True)
class Others:
    """People behind the user. talk: float32 [T], root mean square 1; below_db: than the user."""

    talk: np.ndarray
    below_db: float


@dataclass(frozen=True, kw_only=True)
class Noise:
    """color: one of NOISE_COLORS. white: float32 [T], what it is made of, or a seed of that.
    hum: one period of the mains, float32, for that color."""

    color: str
    level_db: float
    white: np.ndarray | int
    hum: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """A microphone's response, and perhaps a line. bumps: (height [dB], centre [octaves above
    1 Hz], width [octaves]); tilt_db: per octave; name: one of LINES_HZ, or NO_LINE."""

    bumps: tuple[tuple[float, float, float], ...]
    tilt_db: float
    name: str

    @property
    def band_hz(self) -> tuple[float, float]:
        """From where to where it lets sound pass."""
        return LINES_HZ.get(self.name, (0.0, float("inf")))


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """In the order in which they act; None: that does not happen.

    closed: samples [first, last) in which the microphone lets no noise through. floor: float32
    [T], white noise of the electronics, or a seed of that.
    """

    gain_db: float
    room: np.ndarray | None
    echo: Echo | None
    others: Others | None
    noise: Noise
    closed: tuple[int, int]
    line: Line | None
    quiet_db: float
    floor: np.ndarray | int

    def cut(self, first: int, last: int) -> "Surroundings":
        """Of samples [first, last) of the session, where noise is seeds."""
        begun, ended = (min(max(at, first), last) - first for at in self.closed)
        others = self.others and replace(self.others, talk=self.others.talk[first:last])
        return replace(self, closed=(begun, ended), others=others)


def draw_surroundings(
    rng: np.random.Generator,
    num_samples: int,
    strength: float,
    *,
    has_own: bool,
    others: Clips = (),
    as_seeds: bool = False,
) -> Surroundings:
    """strength: 0 (nothing but a faint floor) to 1; scales how often and how hard each step acts.
    has_own: the own voice sounds somewhere. others: int16 clips at 16 kHz of people who talk behind
    the user all the time; none: nobody does. as_seeds: noise is drawn where it is applied.
    Raises ConfigError on a strength outside 0..1.
    """
    if not 0.0 <= strength <= 1.0:
        raise ConfigError(f"augmentation strength is {strength}; use 0 (none) to 1 (all)")

    def white() -> np.ndarray | int:
        if as_seeds:
            return int(rng.integers(2**62))
        return rng.standard_normal(num_samples, dtype=np.float32)

    reach = min(1.0, strength / NOISE_FULL_AT)
    loudest_db = NOISE_DBFS[0] + reach * (NOISE_DBFS[1] - NOISE_DBFS[0])
    return Surroundings(  # drawn in this order: a batch is a function of its seed
        gain_db=strength * rng.uniform(*GAIN_DB),
        room=room_impulse(rng) if rng.random() < 0.6 * strength else None,
        echo=draw_echo(rng) if has_own and rng.random() < 0.7 * strength else None,
        others=_draw_others(others, num_samples, rng) if others else None,
        noise=_draw_noise(rng, rng.uniform(NOISE_DBFS[0], loudest_db), white),
        closed=_draw_closed(num_samples, rng),
        line=draw_line(rng) if rng.random() < 0.5 * reach else None,
        quiet_db=rng.uniform(*QUIET_DB) if rng.random() < 0.2 * reach else 0.0,
        floor=white(),
    )


def room_impulse(rng: np.random.Generator, t60_s: float | None = None) -> Impulse:
    """A room: the direct sound, a few early reflections and a noise tail that decays by 60 dB in
    `t60_s` (drawn from 0.1..0.8 s if not given). float32 [about t60 * 16000], energy 1.

    The direct sound is sample 0 and 0 to 18 dB above the rest (the model of Polack 1988).
    """
    t60_s = rng.uniform(*T60_S) if t60_s is None else t60_s
    num_samples = max(2, round(t60_s * SAMPLE_RATE_HZ))
    decay = np.exp(np.linspace(0.0, -np.log(1000), num_samples, dtype=np.float32))
    rest = rng.standard_normal(num_samples, dtype=np.float32) * decay
    early = rng.integers(1, min(num_samples, round(_EARLY_S * SAMPLE_RATE_HZ)), size=6)
    rest[early] += rng.choice((-1.0, 1.0), 6) * rng.uniform(1.0, 4.0, 6) * decay[early]
    rest[0] = 0.0
    rest *= amplitude(-rng.uniform(0.0, 18.0)) / np.sqrt(np.sum(rest**2))
    rest[0] = 1.0
    return rest / np.sqrt(np.sum(rest**2))


def draw_echo(rng: np.random.Generator) -> Echo:
    """Delayed by 30..150 ms, a short room, 20..40 dB down."""
    delay = round(rng.uniform(*ECHO_DELAY_S) * SAMPLE_RATE_HZ)
    room = room_impulse(rng, rng.uniform(*ECHO_T60_S))
    impulse = np.concatenate([np.zeros(delay, np.float32), room])
    return Echo(impulse=impulse, level_db=rng.uniform(*ECHO_DB))


def draw_line(rng: np.random.Generator) -> Line:
    """An uneven response, and in two of three cases a line."""
    bumps = [
        (rng.uniform(-6, 6), rng.uniform(6.0, 12.8), rng.uniform(0.5, 2.0))
        for _ in range(NUM_BUMPS)
    ]
    tilt_db = rng.uniform(-2.0, 2.0)
    name = str(rng.choice((NO_LINE, *LINES_HZ), p=(0.35, 0.15, 0.2, 0.15, 0.15)))
    return Line(bumps=tuple(bumps), tilt_db=tilt_db, name=name)


def babble(others: Clips, num_samples: int, rng: np.random.Generator) -> Sound:
    """Three to six voices talking at random all the time; root mean square 1. float32 [T]."""
    track = np.zeros(num_samples, np.float32)
    for _ in range(rng.integers(3, 7)):
        at = -int(rng.integers(0, SAMPLE_RATE_HZ))
        while at < num_samples:
            clip = others[int(rng.integers(len(others)))]
            first, last = max(at, 0), min(at + len(clip), num_samples)
            if last > first:
                track[first:last] += clip[first - at : last - at]
            at += len(clip) + int(rng.integers(1, SAMPLE_RATE_HZ // 2))
    return track / (np.sqrt(np.mean(track**2)) + 1e-9)


def draw_hum(rng: np.random.Generator) -> Float32[np.ndarray, " period"]:
    """One period of the mains with eight harmonics."""
    mains_hz = rng.choice((50.0, 60.0)) * rng.uniform(0.995, 1.005)
    period = round(SAMPLE_RATE_HZ / mains_hz)
    phase = 2 * np.pi * np.arange(period) / period
    harmonics = np.arange(1, 9)
    weights = rng.uniform(0.0, 2.0, 8) / harmonics
    wave = np.sin(np.outer(harmonics, phase) + rng.uniform(0, 2 * np.pi, (8, 1)))
    return (weights @ wave).astype(np.float32)


def amplitude(db: float) -> np.float32:
    """What a level is as a factor."""
    return np.float32(10 ** (db / 20))


def _draw_others(clips: Clips, num_samples: int, rng: np.random.Generator) -> Others:
    below_db = rng.uniform(*BABBLE_DB)
    return Others(below_db=below_db, talk=babble(clips, num_samples, rng))


def _draw_noise(rng: np.random.Generator, level_db: float, white) -> Noise:
    color = str(rng.choice(NOISE_COLORS))
    source = white()
    hum = draw_hum(rng) if color == "hum" else None
    return Noise(color=color, level_db=level_db, white=source, hum=hum)


def _draw_closed(num_samples: int, rng: np.random.Generator) -> tuple[int, int]:
    """Most microphones are open all the time, some open late (a quarter) or close for a while (a
    tenth), and then there is nothing but the floor."""
    kind = rng.random()
    if kind < 0.25:
        return 0, int(rng.uniform(0.0, 0.5) * num_samples)
    if kind < 0.35:
        first, length = int(rng.uniform(0, num_samples)), int(rng.uniform(0.2, 2) * SAMPLE_RATE_HZ)
        return first, first + length
    return 0, 0
