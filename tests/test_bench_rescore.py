"""Traces that were kept: scored again by the command, with other ears; folders it refuses."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bench_helpers import PAUSE, QUESTION, SMALL, small_twin
from small_suite import bench, only_small

from interplay.bench.listening import recognisers
from interplay.bench.results import report
from interplay.bench.suites.base import Suite
from interplay.data import heldout

BY_KIND = {what.kind: what for what in (QUESTION, PAUSE)}


@pytest.fixture
def small(monkeypatch) -> Suite:
    return only_small(monkeypatch)


def test_traces_of_core_are_scored_again(small, tmp_path, monkeypatch):
    files = [str(tmp_path / name) for name in ("a.json", "b.json", "kept")]
    rows = "answer_acc,pause_takeover"
    monkeypatch.setattr(heldout, "items", lambda kind, n, seed: [BY_KIND[kind]])
    words = ["core", "--n", "1", "--rows", rows, "--endpoint", "baseline:perfect"]
    assert bench(*words, "--keep", files[2], "--json", files[0]) == 0
    assert bench("score", files[2], "--json", files[1]) == 0
    assert bench("score", files[2], "--vad", "webrtc") == 2, "its rows are by energy"
    first, again = (report.read_json(Path(name)) for name in files[:2])
    assert {name: again["rows"][name] for name in first["rows"]} == first["rows"]
    assert again["suite"] == "core"
    assert first["rows"]["answer_acc"]["value"] == 1.0


def test_traces_scored_again_show_the_words_that_were_scored(small, tmp_path, monkeypatch, capsys):
    class Hears:
        name = "hears"

        def words(self, samples):
            return [("plum", 0.3, 0.4)]

    monkeypatch.setitem(recognisers.BUILT_IN, "hears", Hears)
    kept, page = str(tmp_path / "kept"), tmp_path / "page.html"
    assert bench("small", "--n", "1", "--model", "perfect", "--keep", kept) == 0
    assert bench("score", kept, "--recogniser", "hears", "--html", str(page)) == 0
    html = page.read_text()
    assert html.count(">plum</text>") == 2 and ">four</text>" not in html
    capsys.readouterr()
    assert bench("score", kept, "--rows", "small_right,small_wrong") == 2
    error = capsys.readouterr().err
    assert "no row small_wrong" in error and "rows: small_right, small_latency_s" in error


def test_the_name_of_a_recogniser_and_what_it_was_asked_for_are_told(
    small, tmp_path, monkeypatch, capsys
):
    class Hears:
        name = "hears:large"  # with what changes what it hears

        def words(self, samples):
            return [("plum", 0.3, 0.4)]

    monkeypatch.setitem(recognisers.BUILT_IN, "hears", Hears)
    file, kept = tmp_path / "r.json", str(tmp_path / "kept")
    words = ["small", "--n", "1", "--model", "perfect", "--recogniser", "hears", "--vad", "webrtc"]
    assert bench(*words, "--json", str(file), "--keep", kept) == 0
    found = report.read_json(file)
    assert (found["words_from"], found["vad"]) == ("hears:large", "webrtc:2")
    told = "--seed 0 --n 1 --recogniser hears:large --vad webrtc:2 --json x.json"
    assert report.command_of(found, "x.json").endswith(told)
    judged = found | {"judge": "a-model", "words_from": "own", "vad": "energy", "sessions": 2}
    assert report.command_of(judged | {"clock": "wall", "data": "D"}, "x.json").endswith(
        "--n 1 --clock wall --jobs 2 --data D --judge a-model --keep FOLDER --json x.json"
    )
    assert bench("score", kept, "--recogniser", "hears", "--json", str(file)) == 0
    assert report.read_json(file)["words_from"] == "hears:large"


def test_a_folder_of_another_system_is_refused_before_anything_is_played(small, tmp_path, capsys):
    kept = str(tmp_path / "kept")
    words = ["small", "--n", "1", "--keep", kept, "--model"]
    assert bench(*words, "perfect") == 0
    capsys.readouterr()
    assert bench(*words, "silent") == 2
    assert "'baseline:perfect', not 'baseline:silent'; name another" in capsys.readouterr().err
    assert bench(*words, "perfect", "--seed", "1") == 2, "other items, and another run"
    assert "seed 0, not 1" in capsys.readouterr().err


def test_traces_of_official_data_scored_again_say_so(small, tmp_path, monkeypatch):
    official = replace(SMALL, load=lambda folder, num_items: small_twin(1, 0))
    monkeypatch.setattr(sys.modules["interplay.bench.suites.small"], "SUITE", official)
    kept, file, page = (tmp_path / name for name in ("kept", "r.json", "page.html"))
    words = ["small", "--model", "perfect", "--keep", str(kept), "--data", str(tmp_path)]
    assert bench(*words, "--jobs", "1") == 0
    assert bench("score", str(kept), "--json", str(file), "--html", str(page)) == 0
    assert report.read_json(file)["data"] == str(tmp_path)
    assert f"data {tmp_path}" in page.read_text()
