"""A model's own voice as a user's: what is in the bank is what it read aloud, and only that."""

from pathlib import Path

import numpy as np
import pytest

from interplay.bench.systems.oracle import Oracle
from interplay.data import heldout, speech
from interplay.data.bank import Bank, Request, build_bank
from interplay.data.item import Type
from interplay.model.checkpoint import Loaded
from interplay.model.untrained import untrained
from interplay.recipes import own_ears
from interplay.recipes.own_ears import add_own_voice

VOICE = "espeak:en-us+f3"  # stands for the model's: one that is always installed
NUM = 6
TEXTS = [
    cue.text
    for item in heldout.items("read_aloud", NUM, 0, split="train")
    for cue in item.cues
    if isinstance(cue, Type)
]
UNCLEAR, MISREAD = TEXTS[1], TEXTS[2]


def spoken(text: str, voice: str) -> speech.Utterance:
    """The model's voice, which mumbles one text."""
    utterance = speech.synthesize(text, VOICE)
    if text == UNCLEAR:
        utterance.samples[800:-800] = 0  # 50 ms of either end
    return utterance


class Reader(Oracle):
    """Stands for the model, which reads one text wrong."""

    num_made = 0

    def __init__(self, loaded: Loaded, *, name: str, seed: int) -> None:
        super().__init__("perfect", spoken, VOICE)

    def open(self, stage) -> None:
        Reader.num_made += 1
        super().open(stage)

    def _speak(self, mouth, text, at_s) -> None:
        super()._speak(mouth, "never mind" if text == MISREAD else text, at_s)


@pytest.fixture
def bank(tmp_path: Path, monkeypatch) -> Bank:
    monkeypatch.setattr(own_ears, "LocalSystem", Reader)
    monkeypatch.setattr(own_ears, "OWN_VOICE", VOICE)
    monkeypatch.setattr(Reader, "num_made", 0)
    requests = [Request(text="yes", voice="espeak:en+m3", tag="word")]
    return build_bank(tmp_path / "bank", requests, workers=1, quiet=True)


@pytest.fixture
def loaded() -> Loaded:
    loaded = untrained("tiny", seed=3)
    loaded.facts = {"name": "xs-long"}
    return loaded


def test_users_say_what_the_model_read_right_and_clearly(bank, loaded):
    add_own_voice(bank.path, loaded, NUM)
    grown = Bank.open(bank.path)
    made = [grown.clip(i) for i in grown.find(voice="own:xs-long")]
    assert sorted(clip.text for clip in made) == sorted({*TEXTS} - {UNCLEAR, MISREAD})
    for clip in made:
        assert (clip.role, clip.engine, clip.tag) == ("user", "own", "listen")
        assert [word for word, *_ in clip.words] == clip.text.split()
        assert np.abs(clip.samples - speech.leveled(clip.samples)).max() <= 2
        was = speech.synthesize(clip.text, VOICE)
        assert len(clip.samples) == pytest.approx(len(was.samples), abs=1600)
        for (_, start_s, end_s), (_, true_start_s, true_end_s) in zip(
            clip.words, was.words, strict=True
        ):
            assert start_s == pytest.approx(true_start_s, abs=0.1)
            assert end_s == pytest.approx(true_end_s, abs=0.1)
        assert clip.phones


def test_what_is_there_is_kept_and_not_made_again(bank, loaded):
    add_own_voice(bank.path, loaded, NUM)
    assert Reader.num_made == NUM
    before = len(Bank.open(bank.path))
    add_own_voice(bank.path, loaded, NUM)
    assert len(Bank.open(bank.path)) == before
    assert Reader.num_made == NUM + 2, "what was left out is tried again"


def test_a_name_that_begins_alike_is_another_voice(bank, loaded):
    add_own_voice(bank.path, loaded, NUM)
    loaded.facts = {"name": "xs"}
    add_own_voice(bank.path, loaded, NUM)
    assert len(Bank.open(bank.path).find(voice="own:xs")) == NUM - 2
