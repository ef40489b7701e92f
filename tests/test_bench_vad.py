"""Detectors of speech: levels, noise, gaps, clicks, a second opinion, others by name."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bench_helpers import beep, hand_made, item, said

from interplay.bench.listening import plugins, vad
from interplay.bench.results import report
from interplay.bench.running import main as bench_main
from interplay.bench.running import rescore
from interplay.bench.suites import fdb1, fdb15, fdb_rules
from interplay.cli import main
from interplay.errors import ConfigError

RATE = 16_000


def track(length_s: float, *sounds: tuple[float, float, float], noise_db: float | None = None):
    """Square waves (start, end, level in dB of full scale), over white noise."""
    made = np.zeros(round(length_s * RATE))
    if noise_db is not None:
        made += np.random.default_rng(1).standard_normal(len(made)) * 10 ** (noise_db / 20)
    for start, end, level_db in sounds:
        size = round(end * RATE) - round(start * RATE)
        made[round(start * RATE) :][:size] += 10 ** (level_db / 20) * (-1) ** np.arange(size)
    return np.rint(np.clip(made * 32768, -32768, 32767)).astype(np.int16)


def close(spans):
    return [pytest.approx(span, abs=1e-6) for span in spans]


def test_speech_is_above_minus_45_db():
    assert vad.energy_spans(track(3, (0.5, 1, -44.5), (2, 2.5, -45.5))) == close([(0.5, 1)])


def test_speech_is_12_db_above_the_noise():
    noisy = track(4, (1, 2, -36), (3, 3.5, -20), noise_db=-46)
    assert vad.energy_spans(noisy) == close([(3, 3.5)])  # -36 lies only 10 dB above
    quiet = track(4, (1, 2, -36), (3, 3.5, -20), noise_db=-60)
    assert vad.energy_spans(quiet) == close([(1, 2), (3, 3.5)])


def test_talk_without_a_pause_is_not_taken_for_noise():
    assert vad.energy_spans(track(2, (0, 2, -20))) == close([(0, 2)])


def test_short_gaps_are_closed_before_short_sounds_are_dropped():
    sounds = [(0.2, 0.26, -20), (0.34, 0.4, -20), (1.0, 1.08, -20), (1.4, 1.5, -20)]
    assert vad.energy_spans(track(2, *sounds)) == close([(0.2, 0.4), (1.4, 1.5)])
    joined = vad.energy_spans(track(2, *sounds), max_gap_s=1.0)
    assert joined == close([(0.2, 1.5)])


def test_nothing_in_nothing():
    for length in (0, 100, 319, 16_000):
        silence = np.zeros(length, np.int16)
        assert vad.energy_spans(silence) == [] and vad.webrtc_spans(silence) == []


def test_merged():
    spans = [(5.0, 6.0), (0.0, 1.0), (1.5, 2.0), (2.6, 3.0), (2.7, 2.8)]
    assert vad.merged(spans, 0.5) == [(0.0, 2.0), (2.6, 3.0), (5.0, 6.0)]
    assert vad.merged(spans, 0.6) == [(0.0, 3.0), (5.0, 6.0)]
    assert vad.merged([], 1.0) == []


def test_webrtcvad_follows_a_voice_and_ignores_silence():
    rng = np.random.default_rng(0)
    time = np.arange(RATE) / RATE
    voice = sum(np.sin(2 * np.pi * 120 * k * time + k) / k for k in range(1, 30))
    voice *= 3000 * (1 + 0.5 * np.sin(2 * np.pi * 4 * time))
    made = np.concatenate([np.zeros(RATE), voice, np.zeros(RATE)])
    made = (made + rng.standard_normal(len(made)) * 5).astype(np.int16)
    spans = vad.webrtc_spans(made)
    assert len(spans) == 1
    assert spans[0] == pytest.approx((1.0, 2.0), abs=0.3)


def test_webrtcvad_modes():
    with pytest.raises(ConfigError, match="mode 4 is not one of 0, 1, 2, 3"):
        vad.webrtc_spans(np.zeros(320, np.int16), mode=4)


# By name


class Late:
    """Finds what is louder, half a second late."""

    name = "late:3"

    def spans(self, samples):
        return [(start + 0.5, end + 0.5) for start, end in vad.energy_spans(samples)]


@pytest.fixture
def late(monkeypatch) -> type[Late]:
    points = {"late": Late, "odd": dict}

    def entry_points(group, name=None):
        assert group == "interplay.detectors"
        named = [n for n in points if name in (None, n)]
        return [SimpleNamespace(name=n, value=n, load=lambda n=n: points[n]) for n in named]

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    return Late


def test_detectors_come_by_name(late):
    names = [vad.detector(name).name for name in (None, "energy", "webrtc", "webrtc:0", "late")]
    assert names == ["energy", "energy", "webrtc:2", "webrtc:0", "late:3"]
    for name, told in (
        ("x", "no detector of speech 'x'; there are energy, late, odd, webrtc"),
        ("odd", "gives a dict; it has to give an object with `name` and `spans"),
        ("webrtc:7", "mode 7 is not one of 0, 1, 2, 3"),
        ("webrtc:soft", "give webrtc:MODE, MODE 0 to 3"),
        ("energy:1", "no detector of speech 'energy:1'"),
    ):
        with pytest.raises(ConfigError, match=told) as error:
            vad.detector(name)
        assert "\n" not in str(error.value)


def test_without_its_package_webrtcvad_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(ConfigError, match=r"pip install interplay\[bench\]"):
        vad.detector("webrtc")


def overlapped():
    """Interrupted from 4 to 5.5 s, it stops at 4.4 and answers at 6."""
    about = {"part": "user_interruption", "cue": 1, "keys": [], "task": "one"}
    what = replace(item(said("a"), said("b"), length_s=9.0), about=about)
    made = hand_made(what, voice=[(2, 4.4), (6, 7.5)], cues=((0.5, 1.5), (4.0, 5.5)))
    user = np.zeros_like(made.model)
    user[round(0.5 * RATE) : round(1.5 * RATE)] = user[4 * RATE : round(5.5 * RATE)] = 3000
    return replace(made, user=user)


def test_scores_are_read_from_the_speech_that_the_chosen_detector_finds():
    made = overlapped()
    assert vad.detected(made, vad.detector("energy")) is made
    found = vad.detected(made, Late())
    assert found.detected == ((pytest.approx((1, 2)), pytest.approx((4.5, 6))),
                              (pytest.approx((2.5, 4.9)), pytest.approx((6.5, 8))))  # fmt: skip
    assert found.voice == (pytest.approx((2.5, 4.9)), pytest.approx((6.5, 8)))
    assert fdb_rules.sides(found, vad.energy_spans) == fdb_rules.sides(made), "asked for by name"
    stop, response = "fdb15_stop_latency_s", "fdb15_response_latency_s"
    for trace, wanted in ((made, (0.4, 0.5)), (found, (0.4, 0.5))):  # both sides are late
        rows = fdb15.score([trace])
        assert [rows[row][0].value for row in (stop, response)] == pytest.approx(wanted)
    assert found.detected
    half = replace(found, detected=(((0.5, 1.5), (4.0, 5.5)), found.detected[1]))
    rows = fdb15.score([half])
    assert [rows[row][0].value for row in (stop, response)] == pytest.approx((0.9, 1.0))
    assert rows["fdb15_stop_latency_webrtc_s"] == fdb15.score([made])["fdb15_stop_latency_webrtc_s"]


def test_nods_are_the_stretches_that_the_chosen_detector_finds():
    what = replace(item(said("hi"), length_s=10.0), about={"part": "backchannel"})
    made = hand_made(what, voice=[(1, 1.4), (3, 3.4)])
    one = replace(made, detected=((), ((1.0, 1.4),)))
    freq = "fdb1_backchannel_freq"
    assert [fdb1.score([t])[freq][0].value for t in (made, one)] == pytest.approx([0.2, 0.1])


def test_a_result_names_its_detector_and_keeps_to_it(late, tmp_path, monkeypatch, capsys):
    for module in (bench_main, rescore):
        monkeypatch.setattr(module, "synthesize", beep)
    files = [tmp_path / name for name in ("energy.json", "late.json", "again.json")]
    words = ["bench", "fdb1", "--n", "1", "--model", "silent", "--rows", "fdb1_takeover"]
    kept = ["--keep", str(tmp_path / "kept")]
    assert main([*words, *kept, "--json", str(files[0])]) == 0
    page = tmp_path / "page.html"
    assert main([*words, "--vad", "late", "--json", str(files[1]), "--html", str(page)]) == 0
    score = ["bench", "score", kept[1], "--vad", "late", "--rows", "fdb1_takeover"]
    assert main([*score, "--json", str(files[2])]) == 0
    assert [report.read_json(Path(f))["vad"] for f in files] == ["energy", "late:3", "late:3"]
    assert "speech found by late:3" in page.read_text()
    capsys.readouterr()
    assert main(["bench", "compare", *map(str, files[:2])]) == 2
    error = capsys.readouterr().err
    assert "the detector of speech (vad) is energy in the one result and late:3" in error
    assert error.count("\n") == 1
    assert main(["bench", "compare", *map(str, files[1:])]) == 0
