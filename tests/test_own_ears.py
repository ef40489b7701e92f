"""A model's own voice as a user's: what is in the bank is what the model says, where it says it."""

import numpy as np
import pytest
import torch

from interplay.data import speech
from interplay.data.bank import Bank, Request, build_bank
from interplay.data.speech import Utterance
from interplay.model.checkpoint import Loaded
from interplay.model.untrained import untrained
from interplay.train import own_ears
from interplay.train.own_ears import add_own_voice

TEXTS = {"one two": "listen", "stop": "word", "tell me nine": "say"}


@pytest.fixture
def loaded() -> Loaded:
    """A model that says nothing but what its voice's average is."""
    loaded = untrained("tiny", seed=3)
    with torch.no_grad():
        loaded.model.voice.mean_out.zero_()
    return loaded


@pytest.fixture
def bank(tmp_path, monkeypatch) -> Bank:
    """Users who speak with the recorded own voice, which here is one that is always installed."""
    voice = "espeak:en-us+f3"
    monkeypatch.setattr(own_ears, "OWN_VOICE", voice)
    requests = [Request(text=text, voice=voice, tag=tag) for text, tag in TEXTS.items()]
    requests.append(Request(text="yes", voice="espeak:en+m3", tag="word"))
    requests.append(Request(text="no", voice=voice, role="own"))
    return build_bank(tmp_path / "bank", requests, workers=1, quiet=True)


def test_what_users_say_with_the_own_voice_is_said_again(bank, loaded):
    add_own_voice(bank.path, loaded, 10)
    grown = Bank.open(bank.path)
    made = [grown.clip(i) for i in np.flatnonzero(grown.spoken_with(("own:",)))]
    assert {clip.text: clip.tag for clip in made} == TEXTS
    for clip in made:
        [recorded] = [c for c in grown if c.text == clip.text and c.engine == "espeak"]
        assert (clip.role, clip.engine) == ("user", "own")
        assert clip.words == recorded.words and clip.phones == recorded.phones
        assert 0 <= len(recorded.samples) - len(clip.samples) < 800
        assert np.abs(clip.samples - speech.leveled(clip.samples)).max() <= 2


def test_what_is_there_is_kept_and_not_made_again(bank, loaded, monkeypatch):
    add_own_voice(bank.path, loaded, 2)
    said = []

    def spoken(text: str, voice: str) -> Utterance:
        said.append(text)
        return speech.synthesize(text, voice)

    monkeypatch.setattr(own_ears, "synthesize", spoken)
    add_own_voice(bank.path, loaded, 2)
    assert said == []


def test_the_model_decides_how_it_sounds(bank, loaded):
    other = untrained("tiny", seed=4)
    add_own_voice(bank.path, loaded, 1)
    other.facts = {"name": "other"}
    add_own_voice(bank.path, other, 1)
    grown = Bank.open(bank.path)
    [flat] = np.flatnonzero(grown.spoken_with((f"own:{loaded.facts['name']}",)))
    [wild] = np.flatnonzero(grown.spoken_with(("own:other",)))
    size = min(len(grown.clip(flat).samples), len(grown.clip(wild).samples))
    assert not np.array_equal(grown.clip(flat).samples[:size], grown.clip(wild).samples[:size])


def test_a_name_that_begins_alike_is_another_voice(bank, loaded):
    loaded.facts = {"name": "xs-long"}
    add_own_voice(bank.path, loaded, 10)
    loaded.facts = {"name": "xs"}
    add_own_voice(bank.path, loaded, 10)
    assert len(Bank.open(bank.path).find(voice="own:xs")) == len(TEXTS)
