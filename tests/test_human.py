"""The reader of human recordings: splits stay apart, words are cut to their sound."""

import numpy as np
import pytest
import soundfile

from interplay.data.human import HumanClips
from interplay.errors import ConfigError, RecordError

HEADER = "archive,start_sample,end_sample,word,speaker,split,source\n"
ROWS = (
    "small,0,8000,seven,ann,train,made\n",
    "small,8000,16000,stop,bob,test,made\n",
    "small,16000,24000,go,ann,train,made\n",
)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 20, 24_000)
    sound[2_000:6_000] += rng.normal(0, 3_000, 4_000)
    sound[16_000:24_000] += rng.normal(0, 3_000, 8_000)
    soundfile.write(tmp_path / "small.flac", sound.astype(np.int16), 16_000)
    (tmp_path / "labels.csv").write_text(HEADER + "".join(ROWS))
    return tmp_path


def test_a_word_is_cut_to_its_energy(folder):
    clips = HumanClips.open(folder, "train")
    assert len(clips) == 2
    ((word, start_s, end_s),) = clips[0].words
    assert word == clips[0].text == "seven"
    assert start_s == pytest.approx(0.1, abs=0.011)
    assert end_s - start_s == pytest.approx(0.25, abs=0.035)
    assert clips[0].duration_s - end_s == pytest.approx(0.1, abs=0.011)
    assert clips[1].words[0][1:] == (0.0, 0.5)  # loud throughout: the whole clip
    assert clips[0].voice == "human:ann"
    assert clips[0].role == "user"
    assert [clip.text for clip in clips] == clips.words == ["seven", "go"]


def test_splits_share_no_speaker(folder):
    train, test = HumanClips.open(folder, "train"), HumanClips.open(folder, "test")
    assert not train.speakers & test.speakers
    assert test.words == ["stop"]
    with pytest.raises(ConfigError, match="train, test"):
        HumanClips.open(folder, "all")
    (folder / "labels.csv").write_text(HEADER + "".join(ROWS).replace("bob", "ann"))
    with pytest.raises(RecordError, match="'ann' is in train and in test"):
        HumanClips.open(folder, "train")


def test_absent_folder_is_empty_and_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INTERPLAY_HUMAN", str(tmp_path / "nowhere"))
    assert len(HumanClips.open(None, "test")) == 0
    printed = capsys.readouterr().out
    assert "nowhere" in printed
    assert printed.count("\n") == 1


def test_environment_names_the_folder(folder, monkeypatch):
    monkeypatch.setenv("INTERPLAY_HUMAN", str(folder))
    assert len(HumanClips.open(None, "test")) == 1


def test_damaged_folders_are_named(folder):
    (folder / "labels.csv").write_text("archive,word\nsmall,go\n")
    with pytest.raises(RecordError, match="lacks the columns end_sample"):
        HumanClips.open(folder, "train")
    (folder / "labels.csv").write_text(HEADER + ROWS[0].replace("small", "gone"))
    with pytest.raises(RecordError, match=r"gone\.flac is not there"):
        HumanClips.open(folder, "train")[0]
    (folder / "labels.csv").write_text(HEADER + "small,90000,95000,go,ann,train,made\n")
    with pytest.raises(RecordError, match="ends before"):
        HumanClips.open(folder, "train")[0]
