"""The rules of Full-Duplex-Bench against values worked out by hand, and against its own scripts.

The scripts are not part of this repository (CC BY-NC). Set FDB_CHECKOUT to a checkout of
https://github.com/DanielLin94144/Full-Duplex-Bench to compare with them on random inputs.
"""

import importlib.util
import itertools
import json
import os
import re
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bench_helpers import RATE, Fixed, hand_made, item, said

from interplay.bench.listening import recognisers
from interplay.bench.listening.vad import energy_spans
from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.suites import fdb1, fdb15, fdb15_clean, fdb15_label, fdb_rules
from interplay.bench.suites.fdb_judge import LABELS, Label
from interplay.bench.traces.kept import official_words
from interplay.bench.traces.spoken import Chunk, chunks

CHECKOUT = os.environ.get("FDB_CHECKOUT", "")
official = pytest.mark.skipif(
    not CHECKOUT, reason="FDB_CHECKOUT does not name a checkout of Full-Duplex-Bench"
)


def spread(start: float, end: float, num_words: int) -> list[Chunk]:
    edges = np.linspace(start, end, num_words + 1)
    return [
        Chunk(text=f"w{i}", start_s=float(a), end_s=float(b))
        for i, (a, b) in enumerate(itertools.pairwise(edges))
    ]


TURN = replace(item(said("hi")), about={"part": "turn", "cue": 0})


class Deaf:
    """A recogniser that finds no word."""

    name = "deaf"

    def words(self, samples):
        return []


# Words of a trace


def test_words_lie_over_the_sound_that_carries_them():
    made = hand_made(
        item(said("hi"), length_s=8.0),
        voice=[(1, 2), (3, 3.5), (5, 7)],
        say=[("one", 0.8), ("two", 1.4), ("three", 3.2)],
    )
    found = chunks(made)
    assert [chunk.text for chunk in found] == ["one", "two", "three", ""]
    times = [(chunk.start_s, chunk.end_s) for chunk in found]
    wanted = [(1, 1.4), (1.4, 2), (3, 3.5), (5, 7)]
    assert times == [pytest.approx(span) for span in wanted]


def test_words_after_a_cut_begin_with_it():
    made = hand_made(item(said("hi")), voice=[(1, 2)], say=[("one", 1.0), ("two", 1.5)])
    found = chunks(made, 1.7)
    assert [(chunk.text, chunk.start_s) for chunk in found] == [("two", 1.7)]
    assert chunks(made, 2.5) == []


def test_a_hum_is_a_turn_of_who_writes_and_none_of_who_is_transcribed():
    hum = replace(hand_made(item(said("hi")), voice=[(1, 2.5)]), item=TURN)
    heard = recognisers.transcribed(hum, Deaf())
    assert fdb_rules.takes_turn(chunks(hum))
    assert chunks(heard) == []
    for trace, tor, silent in ((hum, 1, 0), (heard, 0, 1)):
        found = fdb1.score([trace])
        assert [o.value for o in found["fdb1_takeover"]] == [tor]
        assert [o.value for o in found["fdb1_no_response"]] == [silent]


def test_words_that_come_all_at_once_stay_within_their_sound():
    made = hand_made(item(said("hi")), voice=[(1, 2)], say=[("one", 1.9), ("two", 1.9)])
    found = chunks(made)
    assert [chunk.start_s for chunk in found] == pytest.approx([1, 1.9])
    assert found[-1].end_s == pytest.approx(2)


# Turns


@pytest.mark.parametrize(
    ("start", "end", "num_words", "taken"),
    [(1, 1.99, 3, False), (1, 1.5, 4, True), (1, 2, 1, True), (1, 1.2, 1, False)],
)
def test_a_turn_is_a_second_or_four_words(start, end, num_words, taken):
    assert fdb_rules.takes_turn(spread(start, end, num_words)) is taken


def test_silence_is_no_turn_and_a_greeting_and_a_cough_are_one():
    assert fdb_rules.takes_turn([]) is False
    assert fdb_rules.takes_turn([*spread(0.1, 0.3, 1), *spread(8, 8.2, 1)]) is True


# Backchannels


def test_backchannels_are_counted_and_the_last_says_whether_the_turn_was_taken():
    nod, talk = (1.0, 1.5), (3.0, 4.2)
    assert fdb_rules.backchannels([nod], spread(1, 1.5, 2)) == (False, [nod])
    assert fdb_rules.backchannels([nod], spread(1, 1.5, 3)) == (True, [nod])
    assert fdb_rules.backchannels([nod, talk], []) == (True, [nod, talk])
    assert fdb_rules.backchannels([talk, (6.0, 6.4)], []) == (False, [talk, (6.0, 6.4)])


def test_speech_beyond_three_seconds_ends_the_reading():
    assert fdb_rules.backchannels([(1.0, 1.4), (2.0, 5.1), (6.0, 6.2)], []) == (True, [(1.0, 1.4)])
    assert fdb_rules.backchannels([(0.0, 9.0)], []) == (True, [])
    assert fdb_rules.backchannels([], []) == (False, [])


def test_distance_of_nods():
    even = [0.5, 0.5]  # people nod all the time
    assert fdb_rules.nod_divergence([], 10.0, even) == 1.0
    everywhere = [(0.0, 1.0)]  # bins 0..5 of 1 s: all six
    assert fdb_rules.nod_divergence(everywhere, 1.0, even) == pytest.approx(0, abs=1e-6)
    # one bin of six: KL 0.5 ln(1/(7/12)) + 0.5 (ln((1/6)/(7/12))/6 + 5/6 ln 2)
    one = 0.5 * np.log(12 / 7) + 0.5 * (np.log(2 / 7) / 6 + 5 / 6 * np.log(2))
    assert fdb_rules.nod_divergence([(0.0, 0.1)], 1.0, even) == pytest.approx(np.sqrt(one))


# Latencies


def test_stops_are_where_both_sound():
    user, model = [(0.0, 2.0), (5.0, 7.0)], [(1.0, 3.0), (6.0, 6.5), (6.8, 9.0)]
    assert fdb_rules.stop_intervals(user, model) == [(1.0, 2.0), (6.0, 6.5), (6.8, 7.0)]
    assert fdb_rules.stop_intervals([(1.0, 3.0)], [(0.0, 2.9998), (2.9999, 4.0)]) == [(2.9999, 3.0)]
    assert fdb_rules.stop_intervals([], model) == fdb_rules.stop_intervals(user, []) == []


def test_responses_are_next_starts_for_the_latest_end():
    user, model = [(0.0, 2.0), (3.0, 5.5), (8.0, 9.0)], [(1.0, 2.5), (6.0, 7.0)]
    assert fdb_rules.response_intervals(user, model) == [(5.5, 6.0)]
    assert fdb_rules.response_intervals(user, []) == []


def test_latencies_of_a_window():
    user, model = [(0.0, 1.0), (4.0, 6.0)], [(1.5, 4.6), (7.2, 9.0)]
    assert fdb_rules.stop_latency(user, model, (4.0, 6.0)) == pytest.approx(0.6)
    assert fdb_rules.response_latency(user, model, (4.0, 6.0)) == pytest.approx(1.2)
    deaf = [(1.5, 8.0)]
    assert fdb_rules.stop_latency(user, deaf, (4.0, 6.0)) == pytest.approx(2.0)
    assert fdb_rules.response_latency(user, deaf, (4.0, 6.0)) is None
    assert fdb_rules.stop_latency(user, [], (4.0, 6.0)) is None


# The official scripts


def script(name: str, monkeypatch, **stubs) -> types.ModuleType:
    """An official script as a module; `stubs` stand for packages that it asks for."""
    for package, content in stubs.items():
        module = types.ModuleType(package)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, package, module)
    path = Path(CHECKOUT) / "v1_v1.5" / "evaluation" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"official_{name}", path)
    assert spec and spec.loader, f"{path} is not there"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def number(text: str, label: str) -> float:
    found = re.search(rf"{label}\s*(-?[\d.]+)", text)
    assert found, text
    return float(found[1])


def random_trace(rng, part: str, length_s: float = 12.0, **about):
    """Anything a system could have done around a turn of the user that ends at 3 s."""
    edges = np.sort(rng.uniform(0, length_s - 0.5, 2 * int(rng.integers(0, 5))))
    spans = [(s, e) for s, e in edges.reshape(-1, 2) if e - s > 0.1]
    words = [(f"w{k}", t) for s, e in spans for k, t in enumerate(np.arange(s, e, 0.33))]
    about = {"part": part, "cue": 0} | about
    what = item(said("hi"), length_s=length_s)
    what = type(what)(**{**vars(what), "about": about, "subset": part})
    return hand_made(what, voice=spans, say=words, cues=((1.0, 3.0),))


def write(folder: Path, trace) -> None:
    folder.mkdir(parents=True)
    (folder / "output.json").write_text(json.dumps(official_words(trace)))
    soundfile.write(folder / "output.wav", trace.model, RATE, subtype="PCM_16")


def value(traces, row: str) -> float | None:
    found = {each.name: each for each in fdb1.ROWS}[row]
    return summarize(fdb1.score(traces)[row], found.statistic, 0).value


@official
def test_pauses_and_turns_as_the_scripts(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    parts = (
        ("pause", "fdb1_pause_takeover", "eval_pause_handling"),
        ("turn", "fdb1_takeover", "eval_smooth_turn_taking"),
    )
    for part, row, name in parts:
        traces = [random_trace(rng, part) for _ in range(60)]
        for index, trace in enumerate(traces):
            write(tmp_path / part / str(index), trace)
            timestamp = json.dumps([{"timestamp": [3.0, 3.4]}])
            (tmp_path / part / str(index) / "turn_taking.json").write_text(timestamp)
        getattr(script(name, monkeypatch), name)(str(tmp_path / part))
        printed = capsys.readouterr().out
        tor = number(printed, "Average take turn:")
        assert 0 < tor < 1
        assert value(traces, row) == pytest.approx(tor, abs=1e-9)
        if part == "turn":
            latency_s = number(printed, "Average latency:")
            assert value(traces, "fdb1_latency_s") == pytest.approx(latency_s, abs=1e-9)


class Rates:
    """In place of the client that the script is given: rates every reply alike."""

    def __init__(self) -> None:
        self.chat = self.completions = self
        self.num_asked = 0

    def create(self, **request):
        self.num_asked += 1
        text = "Analysis: fits.\nI would rate the AI's response as 4"
        message = types.SimpleNamespace(content=text)
        return types.SimpleNamespace(choices=[types.SimpleNamespace(message=message)])


@official
def test_interruptions_as_the_script(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(3)
    traces = []
    for index in range(60):
        made = random_trace(rng, "interrupt")
        what = replace(
            made.item, cues=(said("hi"), said("stop")), about={"part": "interrupt", "cue": 1}
        )
        traces.append(replace(made, item=what, cues=((0.2, 0.8), (1.0, 3.0))))
        later = chunks(traces[-1], 3.0)  # the sound before is cut away
        found = [{"text": c.text, "timestamp": [c.start_s, c.end_s]} for c in later]
        (tmp_path / str(index)).mkdir()
        words = {"text": " ".join(c.text for c in later), "chunks": found}
        (tmp_path / str(index) / "output.json").write_text(json.dumps(words))
        about = [{"context": "hi", "interrupt": "stop", "timestamp": [1.0, 3.0]}]
        (tmp_path / str(index) / "interrupt.json").write_text(json.dumps(about))
    client = Rates()
    name = "eval_user_interruption"
    getattr(script(name, monkeypatch), name)(str(tmp_path), client)
    printed = capsys.readouterr().out
    tor = number(printed, "Average take turn:")
    assert 0 < tor < 1
    assert value(traces, "fdb1_interrupt_takeover") == pytest.approx(tor, abs=1e-9)
    latency_s = number(printed, "Average latency:")
    assert value(traces, "fdb1_interrupt_latency_s") == pytest.approx(latency_s, abs=1e-9)
    judge = Fixed('{"rating": 4}')
    rated = fdb1.judged(judge).score(traces)["fdb1_interrupt_rating_judged"]
    assert summarize(rated, "ratio", 0).value == number(printed, "Average rating:")
    assert len(judge.asked) == client.num_asked, "the same ones are rated"


@official
def test_rates_of_behaviour_as_the_script(monkeypatch):
    module = script("eval_behavior", monkeypatch, openai={"OpenAI": None})
    rng = np.random.default_rng(4)
    names = {label: name for name, label in fdb15_label.NAMES.items()}
    rows = {row.name: row for row in fdb15.ROWS}
    for part, (row, wanted) in fdb15.WANTED.items():
        labels: list[Label] = [LABELS[int(k)] for k in rng.integers(len(LABELS), size=99)]
        *_, ratios = module.stats_by_axis([{"behaviour": [names[label]]} for label in labels])
        ours = [
            outcome
            for label in labels
            for name, outcome in fdb15._labelled(part, label, ())
            if name == row
        ]
        rate = summarize(ours, rows[row].statistic, 0).value
        assert rate == pytest.approx(ratios["C"][names[wanted]], abs=1e-12)


@official
def test_backchannels_as_the_script(tmp_path, monkeypatch, capsys):
    where = Path(CHECKOUT) / "v1_v1.5" / "evaluation"
    people = json.loads((where / "icc_gt_distribution.json").read_text())
    rng = np.random.default_rng(1)
    traces = [random_trace(rng, "backchannel", people=people[str(i)]) for i in range(50)]
    for index, trace in enumerate(traces):
        write(tmp_path / str(index), trace)

    def load(path):
        samples, rate = soundfile.read(path, dtype="int16")
        return samples[None], rate

    def stamps(wav, _, **options):
        return [{"start": s, "end": e} for s, e in energy_spans(np.asarray(wav)[0])]

    monkeypatch.chdir(where)
    silero = {"load_silero_vad": lambda: None, "get_speech_timestamps": stamps}
    name = "eval_backchannel"
    module = script(name, monkeypatch, silero_vad=silero, torchaudio={"load": load})
    module.eval_backchannel(str(tmp_path))
    printed = capsys.readouterr().out
    for row, label in (("jsd", "JSD"), ("tor", "TOR"), ("freq", "Frequency")):
        ours = value(traces, f"fdb1_backchannel_{row}")
        assert ours == pytest.approx(number(printed, f"{label} - Mean:"), abs=5.1e-5)


@official
def test_latencies_as_the_script(monkeypatch):
    vad = {"VoiceActivityDetector": lambda sample_rate: None}
    module = script("get_timing", monkeypatch, silero_vad=vad, torchaudio={})
    rng = np.random.default_rng(2)
    for _ in range(300):
        user, model = (
            [(float(s), float(e)) for s, e in np.sort(rng.integers(0, 400, 2 * n)).reshape(-1, 2)]
            for n in rng.integers(0, 9, 2)
        )
        user, model = ([(s / 20, e / 20) for s, e in side if e > s] for side in (user, model))
        stops = [[round(s, 3), round(e, 3)] for s, e in fdb_rules.stop_intervals(user, model)]
        assert stops == module.overlaps(user, model)
        gaps = [[round(s, 3), round(e, 3)] for s, e in fdb_rules.response_intervals(user, model)]
        assert gaps == module.response_gaps(user, model)


@official
def test_speed_of_speech_after_an_overlap_as_the_script(monkeypatch):
    sound = types.ModuleType("torchaudio.functional")
    networks = types.ModuleType("torchaudio.pipelines")
    vars(networks).update(SQUIM_OBJECTIVE=None, SQUIM_SUBJECTIVE=None)
    monkeypatch.setitem(sys.modules, sound.__name__, sound)
    monkeypatch.setitem(sys.modules, networks.__name__, networks)
    stubs: dict = {"torchaudio": {"functional": sound}, "utmosv2": {}}
    module = script("eval_general_before_after", monkeypatch, **stubs)
    rng = np.random.default_rng(6)
    for _ in range(300):
        words = chunks(random_trace(rng, "user_interruption"))
        words = [word for word in words if word.text]
        end_s = float(rng.uniform(0, 12))
        theirs = [{"text": w.text, "timestamp": [w.start_s, w.end_s]} for w in words]
        at_s = module._choose_split_time_word_aligned(end_s, theirs)
        wanted = module._partition_chunks_word_aligned(theirs, at_s)
        for ours, part in zip(fdb15_clean.split(words, end_s), wanted, strict=True):
            assert [(w.start_s, w.end_s) for w in ours] == [tuple(p["timestamp"]) for p in part]
            speed = module._wpm_speech_only(part)
            assert fdb15_clean.words_per_minute(ours) == pytest.approx(speed, rel=1e-12)


@official
def test_means_without_outliers_as_the_script(monkeypatch):
    pytest.importorskip("pandas")
    module = script("significance_test", monkeypatch)
    rng = np.random.default_rng(7)
    for _ in range(50):
        before, after = rng.normal(150, 20, 40), rng.normal(160, 20, 40)
        after[:3] += rng.uniform(-900, 900, 3)
        outcomes = [Outcome(value=float(value)) for value in after - before]
        theirs = module.paired_compare(before, after)["mean_diff"]
        assert summarize(outcomes, "trimmed", 0).value == pytest.approx(theirs, abs=1e-9)
