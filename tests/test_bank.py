"""The utterance bank: what is asked for is what is read back, also after a kill."""

import pickle

import numpy as np
import pytest

from interplay.data import bank as bank_module
from interplay.data.bank import Bank, Request, build_bank
from interplay.data.speech import Utterance, synthesize
from interplay.errors import RecordError, SynthError

VOICE = "espeak:en-us+f3"
REQUESTS = [
    Request(text="stop", voice=VOICE, tag="command"),
    Request(text="turn left", voice=VOICE, tag="command"),
    Request(text="turn left", voice="espeak:en+m3:p30", tag="command"),
    Request(text="it is ten", voice=VOICE, role="own", tag="answer"),
    Request(text="turn left", voice=VOICE, tag="again"),
    Request(text="turn left", voice=VOICE, role="own", tag="echo"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Bank, list[Utterance]]:
    """A bank and what the engine said for it."""
    spoken = []

    def speak(text: str, voice: str) -> Utterance:
        spoken.append(synthesize(text, voice))
        return spoken[-1]

    path = tmp_path_factory.mktemp("data") / "bank"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bank_module, "synthesize", speak)
        return build_bank(path, REQUESTS, workers=1, shard_size=2, quiet=True), spoken


@pytest.fixture(scope="module")
def bank(made) -> Bank:
    return made[0]


def test_clips_are_the_utterances_without_repeats(made):
    bank, spoken = made
    assert len(bank) == len(spoken) == 5
    for clip, utterance in zip(bank, spoken, strict=True):
        assert (clip.text, clip.voice, clip.engine) == (utterance.text, utterance.voice, "espeak")
        np.testing.assert_array_equal(clip.samples, utterance.samples)
        assert [word for word, *_ in clip.words] == clip.text.split()
        got = np.array([span[1:] for span in clip.words])
        np.testing.assert_allclose(got, [span[1:] for span in utterance.words], atol=1e-5)
        assert [phone for phone, *_ in clip.phones] == [phone for phone, *_ in utterance.phones]
    assert not bank.clip(0).samples.flags.writeable
    with pytest.raises(IndexError):
        bank.clip(5)


def test_own_voice_has_mel_of_whole_slots_that_outlast_the_sound(bank):
    for clip in bank:
        if clip.role == "user":
            assert clip.mel is None
            continue
        assert clip.mel.dtype == np.float16
        num_frames, num_mels = clip.mel.shape
        assert num_mels == 80
        assert num_frames % 4 == 0
        assert 600 <= num_frames * 200 - len(clip.samples) < 1400
        loudness = clip.mel.astype(np.float32).mean(1)
        assert loudness[: num_frames // 2].max() > loudness[-1] + 1.0


def test_find_and_by_text(bank):
    assert [bank.clip(i).tag for i in bank.find(role="own")] == ["answer", "echo"]
    assert len(bank.find(role="user", tag="command")) == 3
    assert len(bank.find(text="turn left", role="user")) == 2
    assert len(bank.find(tag="nothing")) == 0
    assert set(bank.by_text) == {"stop", "turn left", "it is ten"}
    assert {bank.clip(i).text for i in bank.by_text["turn left"]} == {"turn left"}
    assert sum(len(found) for found in bank.by_text.values()) == len(bank)


def test_workers_open_the_files_anew(bank):
    packed = pickle.dumps(bank)
    assert len(packed) < 1000
    np.testing.assert_array_equal(pickle.loads(packed).clip(3).samples, bank.clip(3).samples)


def test_a_killed_build_resumes_without_repeating(tmp_path, monkeypatch):
    spoken = []

    def speak(text, voice):
        spoken.append(text)
        if text == "it is ten" and spoken.count(text) == 1:
            raise KeyboardInterrupt
        return synthesize(text, voice)

    monkeypatch.setattr(bank_module, "synthesize", speak)
    with pytest.raises(KeyboardInterrupt):
        build_bank(tmp_path, REQUESTS, workers=1, shard_size=2, quiet=True)
    (tmp_path / "making-1-shard-00009").mkdir()  # what a hard kill leaves behind
    assert len(Bank.open(tmp_path)) == 2
    done = build_bank(tmp_path, REQUESTS, workers=1, shard_size=2, quiet=True)
    assert len(done) == 5
    assert spoken.count("stop") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"shard-{i:05d}" for i in range(3)]
    again = build_bank(tmp_path, REQUESTS, workers=1, quiet=True)
    assert len(again) == 5
    assert spoken.count("it is ten") == 2


def test_worker_processes_make_the_same_bank(tmp_path, bank):
    other = build_bank(tmp_path, REQUESTS[:3], workers=2, shard_size=2, quiet=True)
    for one, same in zip(other, bank, strict=False):
        assert (one.text, one.voice) == (same.text, same.voice)
        assert one.duration_s == pytest.approx(same.duration_s, rel=0.1)


def test_refusals(tmp_path):
    with pytest.raises(RecordError, match="no utterance bank"):
        Bank.open(tmp_path / "nowhere")
    with pytest.raises(SynthError, match="at least one Request"):
        build_bank(tmp_path, [], quiet=True)
    with pytest.raises(SynthError, match="'user', 'own'"):
        build_bank(tmp_path, [Request(text="go", voice=VOICE, role="judge")], quiet=True)
