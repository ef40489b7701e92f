"""Any suite through the harness: names, items as JSON, the command, resuming."""

import json
import sys
from argparse import Namespace
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bench_helpers import (
    BACKCHANNEL,
    DELEGATE,
    INTERRUPT,
    PAUSE,
    QUESTION,
    SMALL,
    TIMER,
    Fixed,
    beep,
    item,
    oracle_trace,
    small_twin,
)
from small_suite import bench, only_small

from interplay.bench import suites
from interplay.bench.results import report
from interplay.bench.running import judge, run
from interplay.bench.running.journal import Journal
from interplay.bench.running.measure import SuiteBench
from interplay.bench.running.run import num_items_of
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites.base import Suite
from interplay.bench.traces.item_json import NotStored, decode, encode, item_hash, item_id
from interplay.data.item import Clip, When
from interplay.errors import ConfigError, DeviceError, RecordError

RATE = 16_000
ITEMS = (QUESTION, PAUSE, INTERRUPT, BACKCHANNEL, TIMER, DELEGATE)


class Counting(Fixed):
    """A judge that says how often it was asked."""

    def facts(self) -> dict:
        return {"judge_asked": len(self.asked)}


@pytest.fixture
def small(monkeypatch) -> Suite:
    return only_small(monkeypatch)


# Suites by name


def test_behaviours_spreads_the_items_of_a_suite_over_its_parts(small):
    assert [num_items_of(small, Namespace(suite="small", n=n, seed=0)) for n in (3, None)] == [
        3,
        None,
    ]
    shares = [num_items_of(small, Namespace(suite="behaviours", n=n, seed=0)) for n in (1, 4, 5)]
    assert shares == [1, 2, 3], "two parts"


def test_suites_are_found_by_name(small):
    assert suites.load_suites("behaviours") == [small]
    assert suites.load_suite("small", Fixed("yes")).how_to_get == "fixed"
    with pytest.raises(ConfigError, match="no suite 'nope'; suites: small"):
        suites.load_suite("nope")


def test_every_suite_that_is_there_is_whole():
    for name in suites.NAMES:
        found = suites.load_suite(name)
        names = [row.name for row in found.rows]
        assert found.name == name and names and len(set(names)) == len(names)
        assert not any(row.is_judged for row in found.rows)
        with_judge = suites.load_suite(name, Fixed("yes"))
        added = [row for row in with_judge.rows if row.name not in names]
        assert all(row.is_judged for row in added), "rows of a judge are known by their names"
        known = {*names, *(row.name for row in added)}
        assert {published.row for published in with_judge.published} <= known


# Items as JSON


@pytest.mark.parametrize("what", ITEMS, ids=lambda what: what.kind)
def test_items_come_back_from_json(what):
    what = replace(what, about={"pair": [1, 2], "name": "x"}, subset="part")
    assert decode(json.loads(json.dumps(encode(what)))) == what


def test_the_hash_tells_items_apart_to_the_last_sample():
    samples = np.arange(-50, 50, dtype=np.int16)
    clip = Clip(samples=samples, word="yes", at=When(seconds=0.3))
    first, again = item(clip), item(replace(clip, samples=samples.copy()))
    assert item_hash(first) == item_hash(again)
    assert item_id(first).startswith("3-")
    other = samples.copy()
    other[7] += 1
    assert item_hash(first) != item_hash(item(replace(clip, samples=other)))
    [back] = decode(encode(first)).cues
    assert back.samples.dtype == np.int16 and np.array_equal(back.samples, samples)


def test_what_cannot_be_stored_is_told():
    back = decode(encode({"draw": partial(beep, voice="x")}))["draw"]
    assert isinstance(back, NotStored) and "beep" in back.name and "'x'" in back.name
    with pytest.raises(RecordError, match="not stored"):
        back(3)
    with pytest.raises(RecordError, match="cannot be stored"):
        encode({1, 2})
    for foreign in ("subprocess:Popen", "interplay.errors:ConfigError", "interplay.nowhere:X"):
        with pytest.raises(RecordError, match="cannot be read"):
            decode({"$class": foreign, "args": "ls"})


# The command


def test_a_suite_is_measured_kept_scored_again_and_compared(small, tmp_path, capsys):
    files = {name: str(tmp_path / f"{name}.json") for name in ("perfect", "silent", "again")}
    kept, page = str(tmp_path / "kept"), str(tmp_path / "page.html")
    words = ["small", "--n", "2", "--endpoint"]
    assert bench(*words, "baseline:perfect", "--json", files["perfect"], "--keep", kept) == 0
    assert bench(*words, "baseline:silent", "--json", files["silent"], "--html", page) == 0
    found = report.read_json(Path(files["perfect"]))
    row = found["rows"]["small_right"]
    assert (row["value"], row["n"], row["passes"], row["suite"]) == (1.0, 4, True, "small")
    assert row["baselines"] == {"silent": 0, "always": 0, "half_duplex": 1, "perfect": 1}
    assert row["outcomes"]["group"] == ["easy", "easy", "hard", "hard"]
    assert found["rows"]["small_latency_s"]["value"] == pytest.approx(0.4, abs=0.011)
    assert (found["endpoint"], found["clock"]) == ("baseline:perfect", "logical")
    assert {"python", "torch", "cpu", "cores", "interplay"} <= set(found["machine"])
    assert found["published"][0]["system"] == "Somebody"
    assert bench("score", kept, "--json", files["again"]) == 0
    again = report.read_json(Path(files["again"]))
    assert again["rows"] == found["rows"] and again["seed"] == found["seed"]
    capsys.readouterr()
    assert bench("compare", files["silent"], files["perfect"]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if "small_right" in x)
    assert line.split()[1:] == ["0", "%", "100", "%", "100", "%", "100", "–", "100", "better", "4"]
    assert bench("report", "--json", files["perfect"]) == 0
    written = capsys.readouterr().out
    assert "| small_right | Somebody | 40 % | a paper | 2026-05 |" in written
    assert "interplay bench small --model perfect --seed 0 --n 2" in written
    html = Path(page).read_text()
    assert "What went wrong first" in html and "Somebody" in html and "data:audio/" in html
    assert "http:" not in html and "https:" not in html and "<link" not in html


def interrupted_at_the_third(monkeypatch) -> list[int]:
    """From now on Ctrl-C comes with the third item played; returns the seeds of those played."""
    played: list[int] = []
    opened = run.open_endpoint

    def opening(*args, **kwargs):
        play = opened(*args, **kwargs)

        def counted(items):
            for trace in play(items):
                played.append(trace.item.seed)
                if len(played) == 3:
                    raise KeyboardInterrupt
                yield trace

        return counted

    monkeypatch.setattr(run, "open_endpoint", opening)
    return played


def test_an_interrupted_suite_goes_on_where_it_was(small, tmp_path, monkeypatch):
    played = interrupted_at_the_third(monkeypatch)
    words = ["behaviours", "--n", "5", "--model", "perfect", "--keep", str(tmp_path / "kept")]
    assert bench(*words) == 130
    assert bench(*words, "--json", str(tmp_path / "r.json")) == 0
    assert len(played) == 2 + 1 + 4, "two were kept, the third was lost, four were left"
    assert report.read_json(tmp_path / "r.json")["rows"]["small_right"]["n"] == 6


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["small", "--endpoint", "nope:x"], "local:MODEL, live:URL, realtime:URL, cascade"),
        (["small", "--endpoint", "baseline:nope"], "silent"),
        (["small", "--endpoint", "live:nowhere"], "http://HOST:PORT/v1"),
        (["small", "--endpoint", "live:http://h:1/v1", "--clock", "logical"], "real time"),
        (["small", "--model", "silent", "--rows", "x"], "small_right, small_latency_s"),
        (["small", "--model", "silent", "--data", "."], "no data of its own"),
        (["small", "--model", "silent", "--data", "/nowhere"], "no folder"),
        (["small", "--model", "silent", "--json", "/nowhere/x.json"], "no folder /nowhere"),
        (["small", "--model", "silent", "--recogniser", "x"], "no recogniser 'x'; there are own"),
        (["small", "extra"], "takes no files"),
        (["core", "--data", "."], "no data of its own"),
        (["core", "--judge", "x"], "for the other suites"),
        (["core", "--vad", "webrtc"], "leave them out of core"),
        (["small", "--model", "silent", "--vad", "x"], "there are energy, webrtc"),
        (["small", "--jobs", "0"], "at least 1"),
        (["serve", "--jobs", "2"], "leave --endpoint"),
        (["small", "--judge", "x"], "--judge needs --keep"),
        (["serve", "--keep", "x"], "leave --endpoint"),
        (["score"], "needs one FOLDER"),
        (["score", "/nowhere"], "holds no traces"),
        (["compare", "a"], "two files"),
        (["compare", "/no/a.json", "/no/b.json"], "cannot read /no/a.json"),
    ],
)
def test_user_errors_are_one_line(small, capsys, words, told):
    assert bench(*words) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_list_tells_rows_of_a_suite(small, capsys):
    assert bench("small", "--list") == 0
    assert "small_latency_s" in capsys.readouterr().out


def test_an_interrupted_suite_without_traces_goes_on_where_it_was(small, tmp_path, monkeypatch):
    """Nothing is kept but the results: what items gave lies beside them while the suite runs."""
    played = interrupted_at_the_third(monkeypatch)
    words = ["small", "--n", "3", "--model", "perfect", "--json"]
    assert bench(*words, str(tmp_path / "whole.json")) == 130
    [left] = tmp_path.iterdir()
    assert left.name == "whole.json.items" and len(left.read_text().splitlines()) == 1 + 2
    left.write_text(left.read_text()[:-40])  # the plug was pulled while it was written
    assert bench(*words, str(tmp_path / "whole.json")) == 0
    assert len(played) == 3 + 5, "one of two items could be read"
    assert [path.name for path in tmp_path.iterdir()] == ["whole.json"]
    assert bench(*words, str(tmp_path / "again.json")) == 0
    whole, again = (report.read_json(tmp_path / f"{name}.json") for name in ("whole", "again"))
    assert whole["rows"] == again["rows"] and len(played) == 8 + 6


def test_items_of_another_measurement_are_not_taken(tmp_path):
    path, outcomes = tmp_path / "r.json.items", {"r": [Outcome(value=None, of=2, notes=("x",))]}
    journal = Journal(path, {"seed": 1})
    journal.add("s", "a", outcomes)
    journal.add("t", "b", outcomes)
    assert Journal(path, {"seed": 1}).find("s", "a") == {"r": tuple(outcomes["r"])}
    assert Journal(path, {"seed": 1}).find("t", "a") is None
    Journal(path, {"seed": 1}).forget("t")
    again = Journal(path, {"seed": 1})
    assert (again.find("s", "a"), again.find("t", "b")) == ({"r": tuple(outcomes["r"])}, None)
    assert Journal(path, {"seed": 2}).find("s", "a") is None
    assert Journal(path, {"seed": 1}).find("s", "a") is None, "it was begun anew"
    with pytest.raises(DeviceError, match="name another --json"):
        Journal(tmp_path / "nowhere" / "r", {})


def test_a_judge_is_named_where_it_decides_and_nowhere_else(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(judge, "EndpointJudge", lambda model, folder: Counting("yes"))
    file = tmp_path / "r.json"
    words = ["small", "--n", "1", "--model", "silent", "--judge", "m", "--json", str(file)]
    assert bench(*words, "--keep", str(tmp_path / "kept")) == 0
    found = report.read_json(file)
    assert {name: row["judge"] for name, row in found["rows"].items()} == {
        "small_right": "rule",
        "small_latency_s": "rule",
        "small_right_judged": "fixed",
    }
    assert found["judge"] == "fixed" and found["judge_facts"] == {"judge_asked": 2 * 5}
    assert "judges no row" not in capsys.readouterr().out
    monkeypatch.delattr(sys.modules["interplay.bench.suites.small"], "judged")
    assert bench(*words, "--keep", str(tmp_path / "other")) == 0
    assert "fixed judges no row of small" in capsys.readouterr().out
    found = report.read_json(file)
    assert found["judge"] == "rule" == found["rows"]["small_right"]["judge"]


def test_rows_that_were_measured_differently_do_not_share_a_file(small, tmp_path, capsys):
    file = tmp_path / "r.json"
    words = ["small", "--model", "silent", "--json", str(file), "--rows"]
    assert bench(*words, "small_right", "--n", "2") == 0
    before = file.read_text()
    for more, told in (
        (["--clock", "wall"], "clock 'logical', not 'wall'"),
        (["--seed", "5"], "seed 0, not 5"),
        (["--recogniser", "pocketsphinx"], "words_from 'own', not 'pocketsphinx'"),
        (["--vad", "webrtc:1"], "vad 'energy', not 'webrtc:1'"),
        (["--endpoint", "baseline:perfect"], "model 'silent', not 'perfect'"),
    ):
        capsys.readouterr()
        assert bench(*words, "small_latency_s", "--n", "2", *more) == 2
        error = capsys.readouterr().err
        assert told in error and "name another --json" in error and error.count("\n") == 1
        assert file.read_text() == before
    assert bench(*words, "small_latency_s", "--n", "1") == 0
    rows = report.read_json(file)["rows"]
    assert rows["small_right"]["about"] == {"commit": "abc", "num_items": 2}
    assert (rows["small_right"]["n"], rows["small_latency_s"]["n"]) == (4, 2)


def test_who_acts_by_scripts_has_no_column_where_there_are_none():
    bare = [replace(what, expect=()) for what in small_twin(1, 0)]
    made = replace(
        SMALL,
        rows=SMALL.rows[:1],
        load=lambda folder, num_items: bare,
        score=lambda traces: {"small_right": [Outcome(value=float(bool(t.voice))) for t in traces]},
    )
    found = SuiteBench(
        suite=made,
        play=lambda items: (oracle_trace("silent", what) for what in items),
        num_items=None,
        seed=0,
        data=Path(),
        synthesize=beep,
    ).run(made.rows)
    beside = found.rows["small_right"]["baselines"]
    assert beside == {"silent": 0.0, "always": 1.0, "half_duplex": None, "perfect": None}
    assert made.rows[0].reach == 0.5
    assert found.rows["small_right"]["reach"] is None, (
        "a goal for our own items, which these are not"
    )
    assert found.rows["small_right"]["passes"] is None


def test_what_befell_an_item_is_counted_beside_its_scores():
    def play(items):
        for number, what in enumerate(items):
            errors = ("too late", "too long") if number == 0 else ()
            yield replace(oracle_trace("perfect", what), errors=errors)

    bench_of = SuiteBench(suite=SMALL, play=play, num_items=2, seed=0, synthesize=beep)
    found = bench_of.run(SMALL.rows).rows
    assert found["small_right"]["extra"] == {"server_error": 0.25}
    assert found["small_right"]["value"] == 1.0
