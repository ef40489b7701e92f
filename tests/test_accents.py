"""English in other languages' phones: which rendering is taken, and what the databases hold."""

from functools import cache

import numpy as np
import pytest

from interplay.data.engines import diphones, festival
from interplay.data.engines.accents import LANGUAGES, render
from interplay.data.engines.diphones import SPEAKERS, foreign_segments, phone_names, recorded_pairs
from interplay.data.speech import synthesize
from interplay.data.texts import questions
from interplay.errors import SynthError


def database(folder, *pairs: str):
    lines = [f"{pair} 0 10 5" for pair in pairs]
    head = ["EST_File index", f"NumEntries {len(pairs)}", "EST_Header_End"]
    file = folder / "x.group"
    file.write_bytes("\n".join([*head, *lines, ""]).encode() + b"\xff\n\x00-\x00 sound")
    return file


def installed(name: str):
    """The speaker's database; skips where it is missing."""
    file = SPEAKERS[name].file()
    if file is None:
        pytest.skip(f"{SPEAKERS[name].package} is not installed")
    return file


def test_the_first_rendering_is_taken_unless_its_pairs_were_never_recorded():
    pairs = {("#", "z"), ("z", "#"), ("#", "s"), ("s", "#")}
    assert render(["pau", "z", "pau"], "finnish", pairs) == [("#",), ("s",), ("#",)]
    assert render(["pau", "z", "pau"], "czech", pairs) == [("#",), ("z",), ("#",)]
    assert render(["pau", "z", "pau"], "czech", pairs - {("z", "#")}) == [("#",), ("s",), ("#",)]
    assert render(["s", "s"], "finnish", set()) == [("s",), ("s",)]
    assert render([], "czech", pairs) == []


def test_two_phones_share_a_duration_and_two_alike_are_one(tmp_path):
    file = database(tmp_path, "#-a", "a-u", "u-s", "s-#")
    segments = [("pau", 0.2), ("aw", 0.4), ("s", 0.5), ("z", 0.6), ("pau", 0.8)]
    spoken = foreign_segments(segments, "mv", file)
    assert [phone for phone, _ in spoken] == ["#", "a", "u", "s", "#"]
    np.testing.assert_allclose([end_s for _, end_s in spoken], [0.2, 0.31, 0.4, 0.6, 0.8])
    with pytest.raises(SynthError, match="no finnish phone for festival's 'qq'"):
        foreign_segments([("qq", 0.1)], "mv", file)


def test_the_index_at_the_head_of_a_database_is_read_and_no_more(tmp_path):
    file = database(tmp_path, "#-a:", "n*-k")
    assert recorded_pairs(file) == {("#", "a:"), ("n*", "k")}
    (tmp_path / "y.group").write_bytes(b"RIFF")
    with pytest.raises(SynthError, match="reinstall"):
        recorded_pairs(tmp_path / "y.group")


def test_every_language_speaks_every_english_phone_in_one_or_two_of_its_own():
    assert len({frozenset(table) for table in LANGUAGES.values()}) == 1
    ways = [way for table in LANGUAGES.values() for ways in table.values() for way in ways]
    assert {len(way) for way in ways} == {1, 2}
    assert {phone for way in ways for phone in way} < set(phone_names())


@pytest.mark.parametrize("name", SPEAKERS)
def test_every_rendering_is_of_recorded_phones(name):
    known = {phone for pair in recorded_pairs(installed(name)) for phone in pair}
    table = LANGUAGES[SPEAKERS[name].language]
    assert all(any(known.issuperset(way) for way in ways) for ways in table.values())


@cache
def started() -> festival.Festival:
    return festival.Festival()


@cache
def planned() -> list[list[str]]:
    """Every word of the corpus as the English front end plans it, which is alike for all."""
    engine, words = started(), questions.vocabulary()
    texts = [" ".join(words[start : start + 20]) for start in range(0, len(words), 20)]
    return [engine._ask(f'(interplay_plan "{text}" 0.4 100 10)') for text in texts]


@pytest.mark.parametrize("name", SPEAKERS)
def test_no_word_of_the_corpus_needs_a_pair_that_was_not_recorded(name, tmp_path):
    installed(name)
    engine = started()
    for plan in planned():
        assert engine._join(name, plan, tmp_path / "x.wav") == []  # festival remarks on others
    segments = "((# 0.2 (0.1 99)) (tS 0.1) (7: 0.1) (# 0.2 (0.1 99)))"
    remarks = engine._ask(f'(interplay_join "{name}" \'{segments} "{tmp_path / "y.wav"}")')
    assert "tS-7:" in " ".join(remarks)


@pytest.mark.parametrize("name", SPEAKERS)
def test_a_foreign_speaker_is_heard_in_every_word_at_a_pitch_of_its_own(name):
    installed(name)
    utterance = synthesize("seven yellow birds never open a small window", f"festival:{name}")
    sound = utterance.samples.astype(np.float64)
    level = np.sqrt(np.mean(sound**2))
    for word, start_s, end_s in utterance.words:
        part = sound[round(start_s * 16_000) : round(end_s * 16_000)]
        assert np.sqrt(np.mean(part**2)) > 0.25 * level, word
    block = sound[: len(sound) // 640 * 640].reshape(-1, 640)
    power = np.sqrt((block**2).mean(1))
    assert (power < 0.01 * level).mean() < 0.1  # a pair left out would be silence


def test_a_missing_database_is_named_with_its_package(monkeypatch):
    engine = festival.Festival()
    monkeypatch.setattr(diphones, "_FOLDERS", ())
    assert set(festival.missing_voices()) == set(SPEAKERS)
    with pytest.raises(SynthError, match=r"apt install festvox-czech-dita.*festival:ked"):
        engine.speak(["go"], "festival:dita")
