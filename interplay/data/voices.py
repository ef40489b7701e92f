"""Who speaks: voice specs for training, for testing, and of two voices no training ever hears.

Knows nothing about how a voice is synthesised or what it says.
"""

from collections.abc import Sequence

import numpy as np

from interplay.errors import ConfigError

OWN_VOICE = "flite:slt"
MODEL_VOICE = "own:"  # of a trained model (recipes.own_ears), whose name follows

# espeak-ng variants a recogniser with a 20-word grammar follows; whispers, croaks,
# robots and the variants it loses are left out.
_TRAIN_VARIANTS = (
    *("f1", "f2", "f3", "f5", "m1", "m3", "m4", "m5", "m6", "m8"),
    *("klatt", "klatt2", "klatt4", "klatt5", "klatt6", "Alex", "Andy", "Annie", "Diogo", "Gene"),
    *("Henrique", "Hugo", "Jacky", "Mario", "Mike", "Nguyen", "adam", "announcer", "antonio"),
    *("belinda", "caleb", "david", "ed", "edward", "edward2", "grandma", "grandpa", "iven3"),
    *("iven4", "john", "max", "miguel", "mike2", "pablo", "paul", "pedro", "quincy", "rob"),
    *("robert", "sandro", "RicishayMax2", "steph", "steph2", "travis", "victor", "RicishayMax3"),
)
_TEST_VARIANTS = ("f4", "m2", "m7", "klatt3", "Denis", "Reed", "anika", "aunty", "benjamin")
_TEST_VARIANTS += ("linda", "michel", "steph3")
_TRAIN_ACCENTS = {
    **{"en-us": 0.45, "en": 0.25, "en-gb-scotland": 0.08, "en-gb-x-gbclan": 0.08},
    **{"en-029": 0.07, "en-gb-x-gbcwmd": 0.07},
}
_TEST_ACCENTS = {"en-us": 0.5, "en-us-nyc": 0.25, "en-gb-x-rp": 0.25}

# Speakers of Czech, Finnish and Italian who read English.
ACCENTED: tuple[str, ...] = ("machac", "ph", "dita", "lj", "mv", "pc")
_ACCENTED_SHARE = 0.14

# Bases; `random_voice` adds pitch, rate and range. Train and test share no espeak variant, two of
# the three test accents are never trained on, flite's settings differ, and the voices of
# festival and pico are for training only.
TRAIN_VOICES = (
    *(f"espeak:{accent}+{variant}" for accent in _TRAIN_ACCENTS for variant in _TRAIN_VARIANTS),
    *("flite:rms", "flite:awb", "flite:slt", "festival:ked"),
    *(f"festival:{speaker}" for speaker in ACCENTED),
    *("pico:en-US", "pico:en-GB"),
)
TEST_VOICES = (
    *(f"espeak:{accent}+{variant}" for accent in _TEST_ACCENTS for variant in _TEST_VARIANTS),
    *("flite:rms", "flite:awb"),
)
LANGUAGES_SPOKEN = {"german": ("de",), "spanish": ("es", "es-419")}  # as in espeak-ng
UNSEEN_ENGINE_VOICES = ("flite:kal16", "flite:kal")  # flite's diphone voices
SPLITS = ("train", "test", "unseen")

_SHARES = {
    "train": {
        **{"espeak": 0.38, "rms": 0.13, "awb": 0.11, "slt": 0.08, "ked": 0.08},
        **dict.fromkeys(ACCENTED, _ACCENTED_SHARE / len(ACCENTED)),
        **{"en-US": 0.045, "en-GB": 0.035},
    },
    "test": {"espeak": 0.8, "rms": 0.1, "awb": 0.1},
    "unseen": {"kal16": 0.7, "kal": 0.3},
}
# Of the speakers with a name; the others are flite's.
_ENGINE = dict.fromkeys(("ked", *ACCENTED), "festival") | {"en-US": "pico", "en-GB": "pico"}
_PITCH = (12, 88)
_RATE = (110, 220)
_FOREIGN_RATE = (115, 175)
_FACTOR = (0.8, 1.25)
_OWN_PITCH = (0.85, 1.2)


def random_voice(rng: np.random.Generator, split: str) -> str:
    """Draw a user's voice spec of split `train`, `test` or `unseen` (never trained on).

    Raises ConfigError on another split.
    """
    if split not in SPLITS:
        raise ConfigError(f"voice split {split!r} is not one of {', '.join(SPLITS)}")
    speaker = _pick(rng, _SHARES[split])
    if speaker != "espeak":
        pitch = rng.uniform(*(_OWN_PITCH if speaker == "slt" else _FACTOR))
        stretch = rng.uniform(*_FACTOR)
        if split == "train":
            return f"{_ENGINE.get(speaker, 'flite')}:{speaker}:d{stretch:.2f}:p{pitch:.2f}"
        # half a step off the training grid: known speakers at settings no training drew
        stretch, pitch = (int(100 * value) / 100 + 0.005 for value in (stretch, pitch))
        return f"flite:{speaker}:d{stretch:.3f}:p{pitch:.3f}"
    accent = _pick(rng, _TRAIN_ACCENTS if split == "train" else _TEST_ACCENTS)
    variant = rng.choice(_TRAIN_VARIANTS if split == "train" else _TEST_VARIANTS)
    pitch, rate = rng.uniform(*_PITCH), rng.uniform(*_RATE)
    return f"espeak:{accent}+{variant}:p{pitch:.0f}:r{rate:.0f}:g{rng.integers(25, 81)}"


def foreign_voice(rng: np.random.Generator, languages: Sequence[str], split: str) -> str:
    """A voice spec of a speaker of one of the languages, by their names in espeak-ng; split `train`
    or `test`."""
    language = languages[int(rng.integers(len(languages)))]
    variant = rng.choice(_TRAIN_VARIANTS if split == "train" else _TEST_VARIANTS)
    pitch, rate = rng.uniform(*_PITCH), rng.uniform(*_FOREIGN_RATE)
    return f"espeak:{language}+{variant}:p{pitch:.0f}:r{rate:.0f}:g{rng.integers(25, 81)}"


def _pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))
