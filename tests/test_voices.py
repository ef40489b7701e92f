"""Voice splits: no voice of a test is ever drawn for training."""

from collections import Counter

import numpy as np
import pytest

from interplay.data.engines.diphones import SPEAKERS
from interplay.data.engines.espeak import Espeak
from interplay.data.speech import synthesize
from interplay.data.voices import (
    OWN_VOICE,
    SPLITS,
    TEST_VOICES,
    TRAIN_VOICES,
    UNSEEN_ENGINE_VOICES,
    random_voice,
)
from interplay.errors import ConfigError


def base(voice: str) -> str:
    return ":".join(voice.split(":")[:2])


def variant(voice: str) -> str:
    return base(voice).partition("+")[2]


def draw(split: str, num_voices: int) -> list[str]:
    rng = np.random.default_rng(7)
    return [random_voice(rng, split) for _ in range(num_voices)]


def test_draws_stay_inside_their_split():
    train, test, unseen = (draw(split, 400) for split in SPLITS)
    assert {base(voice) for voice in train} <= set(TRAIN_VOICES)
    assert {base(voice) for voice in test} <= set(TEST_VOICES)
    assert {base(voice) for voice in unseen} == set(UNSEEN_ENGINE_VOICES)
    assert not set(train) & set(test)
    assert OWN_VOICE not in train
    assert not {variant(v) for v in TRAIN_VOICES} & {variant(v) for v in TEST_VOICES} - {""}
    assert not set(UNSEEN_ENGINE_VOICES) & {*TRAIN_VOICES, *TEST_VOICES}
    assert len({variant(voice) for voice in TRAIN_VOICES}) > 50


def test_users_are_mixed_as_promised():
    shares = Counter(
        "espeak" if voice.startswith("espeak") else voice.split(":")[1]
        for voice in draw("train", 3000)
    )
    assert 0.34 < shares["espeak"] / 3000 < 0.42
    assert 0.06 < shares["ked"] / 3000 < 0.1
    accented = [shares[name] / 3000 for name in SPEAKERS]
    assert 0.12 < sum(accented) < 0.16 and min(accented) > 0.008
    assert 0.035 < shares["en-US"] / 3000 < 0.055
    assert 0.025 < shares["en-GB"] / 3000 < 0.045
    assert all(0.06 < shares[speaker] / 3000 < 0.17 for speaker in ("rms", "awb", "slt"))
    held_out = [*draw("test", 400), *draw("unseen", 400)]
    assert not any("festival" in voice or "pico" in voice for voice in held_out)


def test_every_espeak_variant_exists_and_a_draw_can_speak():
    variants = {variant(voice) for voice in (*TRAIN_VOICES, *TEST_VOICES)} - {""}
    assert variants <= set(Espeak().variants)
    for split in ("train", "test"):
        voice = next(v for v in draw(split, 20) if v.startswith("espeak"))
        assert synthesize("go", voice).words[0][0] == "go"


def test_unknown_split_is_refused():
    with pytest.raises(ConfigError, match="train, test, unseen"):
        random_voice(np.random.default_rng(0), "dev")
