"""Speech engines: exact words, times that match the sound, letters, refusals. No bank here."""

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data import speech
from interplay.data.engines import festival, flite
from interplay.data.engines.espeak import ACCENTS, share_phones
from interplay.data.engines.pico import british
from interplay.data.phones import PHONE_ID, PHONES, from_flite, from_ipa
from interplay.data.speech import (
    EDGE_S,
    LEVEL_DBFS,
    Utterance,
    installed_engines,
    synthesize,
    voices_not_installed,
)
from interplay.errors import SynthError

SIBILANTS = {PHONE_ID[name] for name in ("S", "SH", "Z", "CH")}


def power(sound: np.ndarray, kind: str, cut_hz: float) -> np.ndarray:
    """Of what lies above ("high") or below ("low") a frequency, at every sample."""
    from scipy import signal  # takes a second to import: only in the worker that needs it

    band = signal.butter(4, cut_hz, kind, fs=SAMPLE_RATE_HZ, output="sos")
    return np.asarray(signal.sosfilt(band, sound)) ** 2


def speak(text: str, voice: str) -> Utterance | None:
    """None when it is flite that is missing, and the error says what to do about it.

    Skips where festival or pico is not installed.
    """
    try:
        return synthesize(text, voice)
    except SynthError as error:
        if "apt install fest" in str(error) or "interplay[voices]" in str(error):
            pytest.skip(str(error))
        if not voice.startswith("flite"):
            raise
        assert "apt install libflite1" in str(error)
        assert "espeak:" in str(error)
        return None


def spelled(utterance: Utterance) -> str:
    return " ".join(PHONES[phone] for phone, *_ in utterance.phones)


@pytest.mark.parametrize(
    "voice",
    [
        *("espeak:en-us+f3:r150", "flite:slt", "flite:kal16:d0.9:p1.2", "festival:ked:d0.9:p1.2"),
        *("festival:mv:d0.9:p1.2", "festival:lj", "festival:pc:d1.2"),
        *("pico:en-US:d0.9:p1.2", "pico:en-GB:d1.2"),
    ],
)
def test_words_are_exact_and_in_order_and_edges_are_sound(voice):
    text = "what's in the middle of the s e a"
    utterance = speak(text, voice)
    if utterance is None:
        return
    assert [word for word, *_ in utterance.words] == text.split()
    times = np.array([span[1:] for span in utterance.words])
    assert (times[:, 1] > times[:, 0]).all()
    assert (times[1:, 0] >= times[:-1, 1] - 1e-6).all()
    num_s = len(utterance.samples) / SAMPLE_RATE_HZ
    assert times[0, 0] <= EDGE_S
    assert num_s - EDGE_S <= times[-1, 1] <= num_s
    sound = np.abs(utterance.samples.astype(np.float32)) / np.abs(utterance.samples).max()
    before = sound[: int(times[0, 0] * SAMPLE_RATE_HZ)]
    assert before.max(initial=0.0) < 0.02
    phones = np.array([span[1:] for span in utterance.phones])
    assert (np.diff(phones[:, 0]) >= 0).all()
    assert phones[0, 0] == times[0, 0]
    assert phones[-1, 1] == times[-1, 1]


@pytest.mark.parametrize(
    "voice",
    [
        "espeak:en-us+klatt2",
        "espeak:en-gb-x-rp+f2:r190",
        "flite:rms",
        "flite:kal16",
        "pico:en-US",
        "pico:en-GB",
    ],
)
def test_sibilants_hiss_where_the_phone_times_say(voice):
    utterance = speak("seven pushed a bus into a mud house", voice)
    if utterance is None:
        return
    hiss = power(utterance.samples.astype(np.float64), "high", 3500)
    inside = np.zeros(len(hiss), bool)
    for phone, start_s, end_s in utterance.phones:
        if phone in SIBILANTS:
            inside[int(start_s * SAMPLE_RATE_HZ) : int(end_s * SAMPLE_RATE_HZ)] = True
    share = hiss[inside].sum() / hiss.sum()
    shifted = max(hiss[np.roll(inside, lag)].sum() / hiss.sum() for lag in (-1600, 1600))
    assert 0.05 < inside.mean() < 0.5
    assert share > 2 * inside.mean()
    assert share > 1.5 * shifted


@pytest.mark.parametrize("voice", ["flite:kal16", "festival:ked", "festival:ked:d1.25:p0.8"])
def test_sound_hisses_more_than_it_hums_in_sibilants_only(voice):
    utterance = speak("seven pushed a bus into a mud house", voice)
    if utterance is None:
        return
    block = SAMPLE_RATE_HZ // 200
    sound = utterance.samples[: len(utterance.samples) // block * block].astype(np.float64)
    hiss, hum = (
        power(sound, *band).reshape(-1, block).mean(1) for band in (("high", 3500), ("low", 900))
    )
    hissing = (hiss > hum) & (hiss > 1e3)
    inside = np.zeros(len(hissing), bool)
    for phone, start_s, end_s in utterance.phones:
        if phone in SIBILANTS:
            inside[round(start_s * 200) : round(end_s * 200)] = True
    assert (inside == hissing).mean() > 0.9
    assert all((np.roll(inside, lag) == hissing).mean() < 0.86 for lag in (-20, 20))


def test_level_is_the_same_for_quiet_and_loud_voices():
    for voice in ("espeak:en-us+Denis", "espeak:en-us+Jacky"):
        samples = synthesize("turn it down please", voice).samples.astype(np.float64)
        level_db = 20 * np.log10(np.sqrt(np.mean(samples**2)) / 32768)
        assert LEVEL_DBFS - 4 < level_db < LEVEL_DBFS + 0.1
        assert np.abs(samples).max() < 32767


@pytest.mark.parametrize(
    "voice", [*(f"espeak:{a}" for a in ACCENTS), "flite:slt", "festival:ked", "pico:en-US"]
)
def test_a_is_an_article_alone_and_a_letter_among_letters(voice):
    article, letters, forced = (speak(text, voice) for text in ("a bed", "a b", "the letter A"))
    if article is None or letters is None or forced is None:
        return
    assert article.phones[0][0] in (PHONE_ID["AX"], PHONE_ID["AE"], PHONE_ID["AH"])
    assert letters.phones[0][0] == PHONE_ID["EY"]
    assert forced.phones[-1][0] == PHONE_ID["EY"]
    assert [word for word, *_ in letters.words] == ["a", "b"]
    assert forced.words[-1][0] == "a"


@pytest.mark.parametrize("voice", ["espeak:en-us", "flite:slt", "festival:ked", "pico:en-US"])
def test_letters_have_their_names_and_hums_are_hummed(voice):
    spelling = speak("s e v e n", voice)
    hum = speak("mm hmm", voice)
    if spelling is None or hum is None:
        return
    assert spelled(spelling) == "EH S IY V IY IY EH N"
    assert spelled(hum) == "AH M HH AH M"


def test_words_said_as_one_get_their_own_phones():
    utterance = synthesize("in the of the", "espeak:en-us")
    assert spelled(utterance) == "IH N DH IH AH V DH AX"
    middle = utterance.words[1]
    phones = [PHONES[p] for p, start_s, _ in utterance.phones if middle[1] <= start_s < middle[2]]
    assert phones == ["DH", "IH"]


def test_sharing_follows_the_least_edits_and_leaves_nobody_out():
    assert share_phones([5, 6, 7, 8], [[5, 6], [7, 9]]) == [0, 0, 1, 1]
    assert share_phones([5, 7, 8], [[5, 6], [7, 8]]) == [0, 1, 1]
    assert share_phones([1, 1], [[2], [3, 3, 3]]) == [0, 1]
    with pytest.raises(SynthError, match="reword"):
        share_phones([1], [[1], [2]])


REPEATED = ("flite:slt", "festival:ked", "festival:mv", "pico:en-GB:d0.9", "espeak:en-us+f4")


@pytest.mark.parametrize("voice", [*REPEATED, "espeak:en-us+Reed:p43", "espeak:en-us+m7:p40"])
def test_voices_repeat_themselves_exactly_whatever_was_said_before(voice):
    first = speak("four birds", voice)
    speak("no", "espeak:en-gb-x-rp+aunty:p41:r130")
    second = speak("four birds", voice)
    if first is None or second is None:
        return
    np.testing.assert_array_equal(first.samples, second.samples)
    assert first.phones == second.phones


@pytest.mark.parametrize(
    ("text", "voice", "message"),
    [
        ("at 7 o'clock", "espeak:en-us", "'7'.*numbers are written out"),
        ("Hello there", "espeak:en-us", "lower-case"),
        ("stop!", "espeak:en-us", "stop!"),
        ("  ", "espeak:en-us", "cannot speak"),
        ("go", "svox:anna", "espeak, flite, festival, pico"),
        ("go", "espeak:en-xx", "en-us, en-us-nyc"),
        ("go", "espeak:en-us+nobody", "f1, f2"),
        ("go", "espeak:en-us:r900", "r80..320 .words per minute"),
        ("go", "espeak:en-us:rfast", "pitch range"),
        ("go", "espeak:", "no name"),
    ],
)
def test_refusals_list_what_is_allowed(text, voice, message):
    with pytest.raises(SynthError, match=message):
        synthesize(text, voice)


def test_flite_refuses_unknown_voices_or_says_what_to_install():
    with pytest.raises(SynthError, match=r"slt, rms, awb|apt install libflite1"):
        synthesize("go", "flite:nobody")


def test_missing_flite_names_the_package_and_another_voice(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError("cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    with pytest.raises(SynthError, match=r"apt install libflite1.*espeak:en-us\+f3"):
        flite.Flite()


def test_festival_changes_pace_and_pitch_and_counts_every_word():
    text = "very very first birds don't heal her"
    usual, slow, high = (speak(text, f"festival:ked{s}") for s in ("", ":d1.5", ":p1.5"))
    assert usual is not None and slow is not None and high is not None
    assert spelled(usual) == (
        "V EH R IY V EH R IY F ER S T B ER D Z D OW N T HH IY L HH ER"  # no R after ER
    )
    assert 1.35 < len(slow.samples) / len(usual.samples) < 1.6
    assert 0.95 < len(high.samples) / len(usual.samples) < 1.05
    assert 1.3 < pitch_hz(high) / pitch_hz(usual) < 1.7
    assert [word for word, *_ in usual.words] == text.split()


def pitch_hz(utterance: Utterance) -> float:
    """Median over the loud half of frames: the lag, 60 to 250 Hz, most like the frame itself."""
    frames = utterance.samples[: len(utterance.samples) // 640 * 640].astype(np.float64)
    frames = frames.reshape(-1, 640) - frames.reshape(-1, 640).mean(1, keepdims=True)
    power = (frames**2).mean(1)
    lags = range(SAMPLE_RATE_HZ // 250, SAMPLE_RATE_HZ // 60)
    likeness = np.array([(frames[:, lag:] * frames[:, :-lag]).mean(1) for lag in lags])
    best = likeness[:, power > np.median(power)].argmax(0) + lags.start
    return SAMPLE_RATE_HZ / float(np.median(best))


def test_festival_starts_afresh_after_its_child_has_died():
    speak("go", "festival:ked")
    engine = festival.Festival()
    engine._child()._process.kill()
    engine._child()._process.wait()
    with pytest.raises(SynthError, match="festival failed"):
        engine.speak(["go"], "festival:ked")
    assert len(engine.speak(["go"], "festival:ked").phones) == 2


@pytest.mark.parametrize(
    ("does", "message"),
    [
        ("exit 1", "festival failed .*it ended|Broken pipe"),
        ("exec sleep 60", "festival failed .*no answer in 0.2 s"),
        ("echo 'SIOD ERROR: unbound variable'; printf '\ninterplay-done\n'; cat", "no voice ked"),
    ],
)
def test_a_festival_that_does_not_answer_is_an_error(does, message, tmp_path, monkeypatch):
    program = Path(tmp_path, "festival")
    program.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(festival.shutil, "which", lambda _: str(program))
    monkeypatch.setattr(festival, "TIMEOUT_S", 0.2 if "sleep" in does else 60.0)
    with pytest.raises(SynthError, match=message):
        festival.Festival()


def test_without_festival_the_other_engines_speak_and_a_line_says_so(monkeypatch, capsys):
    monkeypatch.setattr(festival.shutil, "which", lambda _: None)
    monkeypatch.setattr(speech, "_engine", lambda name: speech.ENGINES[name]())
    assert installed_engines(("espeak", "flite", "festival")) == ("espeak", "flite")
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert "apt install festival festvox-kdlpc16k" in line
    assert installed_engines(("espeak",)) == ("espeak",)
    assert not capsys.readouterr().out


def test_without_a_foreign_speaker_a_line_names_its_package(monkeypatch, capsys):
    monkeypatch.setattr(speech, "missing_voices", lambda: {"lj": "festvox-suopuhe-lj"})
    assert voices_not_installed(("espeak", "festival")) == ("festival:lj:",)
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert "speaks as lj" in line and "`apt install festvox-suopuhe-lj`" in line
    assert voices_not_installed(("espeak",)) == ()
    assert not capsys.readouterr().out


def test_without_pico_the_other_engines_speak_and_a_line_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ttspico", None)  # as if it were not installed
    monkeypatch.setattr(speech, "_engine", lambda name: speech.ENGINES[name]())
    assert installed_engines(("espeak", "flite", "pico")) == ("espeak", "flite")
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert "pip install 'interplay[voices]'" in line


def test_pico_changes_pace_and_pitch_and_refuses_other_voices():
    text = "remind me to open the window"
    usual, slow, high = (speak(text, f"pico:en-US{s}") for s in (":p0.8", ":p0.8:d1.5", ":p1.1"))
    assert usual is not None and slow is not None and high is not None
    assert 1.4 < len(slow.samples) / len(usual.samples) < 1.6
    assert 0.95 < len(high.samples) / len(usual.samples) < 1.05
    assert 1.25 < pitch_hz(high) / pitch_hz(usual) < 1.5
    with pytest.raises(SynthError, match="en-US, en-GB"):
        synthesize(text, "pico:de-DE")


def test_british_drops_r_before_consonants_and_pauses_only():
    def said(word: str) -> str:
        return " ".join(PHONES[p] for p in british(tuple(PHONE_ID[p] for p in word.split())))

    assert said("K AA R") == "K AA"
    assert said("P AE R AX T") == "P AE R AX T"
    assert said("R EH D") == "R EH D"
    assert said("W AO T ER") == "W AO T AX"
    assert said("HH ER") == "HH ER"
    assert said("L AA T") == "L OH T"


def test_festival_lists_its_segments_by_word():
    lines = ["segment 0 pau 0.2", "segment 1 er 0.3", "segment 0 r 0.4", "a remark"]
    lines += ["segment 2 t 0.5", "segment 0 pau 0.7"]
    expected = [(0, PHONE_ID["ER"], 0.2, 0.4), (1, PHONE_ID["T"], 0.4, 0.5)]
    assert festival._read_phones(lines) == expected


def test_symbols_outside_the_inventory_are_errors():
    assert from_ipa("ˈɔːɹ") == (PHONE_ID["AO"], PHONE_ID["R"])
    assert from_ipa("oʊɚ") == (PHONE_ID["OW"], PHONE_ID["ER"])
    assert from_ipa("") == ()
    assert from_flite("pau") == 0
    assert len(PHONES) == len(set(PHONES)) == 44
    with pytest.raises(SynthError, match="no class"):
        from_ipa("ɬ")
    with pytest.raises(SynthError, match="no class"):
        from_flite("qq")
