"""Any suite through the harness: names, traces on disk, resuming, results, comparing, the page."""

import json
import sys
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from bench_helpers import (
    BACKCHANNEL,
    DELEGATE,
    INTERRUPT,
    PAUSE,
    QUESTION,
    TIMER,
    Fixed,
    beep,
    item,
    oracle_trace,
    small_score,
    small_twin,
)

from interplay.bench import main as bench_main
from interplay.bench import report, rescore, suites
from interplay.bench.item_json import NotStored, decode, encode, item_hash, item_id
from interplay.bench.kept import Kept, read_traces, resuming
from interplay.bench.outcomes import columns
from interplay.bench.page.charts import histogram, nice_step
from interplay.bench.page.page import page_html, worst_first
from interplay.bench.page.timeline import timeline
from interplay.bench.rows import Row
from interplay.bench.score import summarize
from interplay.bench.suites.base import Published, Suite
from interplay.cli import main
from interplay.data import heldout
from interplay.data.item import Clip, Item, When
from interplay.errors import ConfigError, RecordError

RATE = 16_000
ITEMS = (QUESTION, PAUSE, INTERRUPT, BACKCHANNEL, TIMER, DELEGATE)


SMALL = Suite(
    name="small",
    what="two questions",
    rows=(
        Row(name="small_right", kind="small", what="answered", reach=0.5, statistic="macro"),
        Row(
            name="small_latency_s",
            kind="small",
            what="time to the answer",
            reach=None,
            lower_is_better=True,
            unit="s",
            statistic="median",
        ),
    ),
    twin=small_twin,
    score=small_score,
    published=(
        Published(
            row="small_right", system="Somebody", value=0.4, source="a paper", date="2026-05"
        ),
    ),
)


@pytest.fixture
def small(monkeypatch) -> Suite:
    """The suite `small` is the only one there is; speech is tones."""
    module = ModuleType("interplay.bench.suites.small")
    module.SUITE = SMALL  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(suites, "NAMES", ("small",))
    judged = replace(SMALL, what="judged")
    module.judged = lambda judge: replace(judged, how_to_get=judge.name)  # type: ignore[attr-defined]
    monkeypatch.setattr(rescore, "NAMES", ("small",))
    monkeypatch.setattr(bench_main, "synthesize", beep)
    monkeypatch.setattr(rescore, "synthesize", beep)
    monkeypatch.setattr(bench_main, "current_commit", lambda: "abc")
    return SMALL


# Suites by name


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
        assert {n.row.removesuffix("_judged") for n in found.published} <= set(names)


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


# Traces on disk


def kept_in(folder: Path, **about) -> Kept:
    return Kept(folder=folder, suite="small", about={"endpoint": "baseline:perfect"} | about)


@pytest.mark.parametrize("what", ITEMS, ids=lambda what: what.kind)
def test_a_trace_comes_back_as_it_was(tmp_path, what):
    kept = kept_in(tmp_path)
    written = oracle_trace("perfect", what)
    kept.write(written)
    [read] = read_traces(tmp_path)["small"]
    for field in fields(written):
        if field.name not in ("user", "model"):
            assert getattr(read, field.name) == getattr(written, field.name), field.name
    assert np.array_equal(read.user, written.user) and np.array_equal(read.model, written.model)
    assert read.model.dtype == np.int16
    found = kept.find(what)
    assert found is not None and found.item is what


def test_the_files_are_what_others_read(tmp_path):
    kept = kept_in(tmp_path)
    trace = oracle_trace("perfect", QUESTION)
    kept.write(trace)
    place = tmp_path / "small" / "answer" / item_id(QUESTION)
    assert kept.place(QUESTION) == place
    for name, track in (("input.wav", trace.user), ("output.wav", trace.model)):
        samples, rate_hz = soundfile.read(place / name, dtype="int16")
        assert rate_hz == RATE and np.array_equal(samples, track)
    words = json.loads((place / "output.json").read_text())
    assert words["text"] == "four"
    assert words["chunks"][0]["timestamp"] == pytest.approx([1.9, 1.95], abs=0.06)
    lines = [json.loads(line) for line in (place / "trace.jsonl").read_text().splitlines()]
    assert len(lines) == 30 and (lines[7]["t0"], lines[7]["t1"]) == (1.4, 1.6)
    assert [line["i"] for line in lines if line["agent_speech"]] == [9, 10]
    assert [line["i"] for line in lines if line["user_speech"]] == [2, 3, 4, 5, 6, 7]
    assert [line["agent_text"] for line in lines if line["agent_text"]] == ["four"]


def test_what_is_kept_is_not_played_again(tmp_path):
    asked: list[Item] = []

    def play(items):
        for what in items:
            asked.append(what)
            yield oracle_trace("perfect", what)

    again = resuming(play, kept_in(tmp_path))
    first = again([QUESTION, PAUSE])
    next(first)  # and then somebody pulls the plug
    del first
    traces = list(again([QUESTION, PAUSE]))
    assert asked == [QUESTION, PAUSE]
    assert [trace.item for trace in traces] == [QUESTION, PAUSE]
    list(again([replace(QUESTION, length_s=7.0)]))
    assert len(asked) == 3, "another item of the same seed is another item"


def test_traces_of_another_system_are_not_taken(tmp_path):
    kept_in(tmp_path, seed=1).write(oracle_trace("perfect", QUESTION))
    with pytest.raises(RecordError, match="seed 1, not 2; name another --keep"):
        kept_in(tmp_path, seed=2).find(QUESTION)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("meta.json", "{", "cannot be read"),
        ("meta.json", "{}", "lacks about"),
        ("output.wav", "RIFF", "damaged"),
    ],
)
def test_damaged_traces_are_one_clear_line(tmp_path, name, text, told):
    kept = kept_in(tmp_path)
    kept.write(oracle_trace("perfect", QUESTION))
    (kept.place(QUESTION) / name).write_text(text)
    with pytest.raises(RecordError, match=told):
        read_traces(tmp_path)
    with pytest.raises(RecordError, match="holds no traces"):
        read_traces(tmp_path / "small")


# The command


def bench(*words: str) -> int:
    return main(["bench", *words])


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


def test_traces_of_core_are_scored_again(small, tmp_path, monkeypatch):
    files = [str(tmp_path / name) for name in ("a.json", "b.json", "kept")]
    rows = "answer_acc,pause_takeover"
    monkeypatch.setattr(heldout, "items", lambda kind, n, seed: [by_kind(kind)] * 1)
    words = ["core", "--n", "1", "--rows", rows, "--endpoint", "baseline:perfect"]
    assert bench(*words, "--keep", files[2], "--json", files[0]) == 0
    assert bench("score", files[2], "--json", files[1]) == 0
    first, again = (report.read_json(Path(name)) for name in files[:2])
    assert {name: again["rows"][name] for name in first["rows"]} == first["rows"]
    assert again["suite"] == "core"
    assert first["rows"]["answer_acc"]["value"] == 1.0


def by_kind(kind: str) -> Item:
    return next(what for what in ITEMS if what.kind == kind)


def test_an_interrupted_suite_goes_on_where_it_was(small, tmp_path, monkeypatch):
    played: list[int] = []
    opened = bench_main.open_endpoint

    def opening(*args, **kwargs):
        play = opened(*args, **kwargs)

        def counted(items):
            for trace in play(items):
                played.append(trace.item.seed)
                if len(played) == 3:
                    raise KeyboardInterrupt
                yield trace

        return counted

    monkeypatch.setattr(bench_main, "open_endpoint", opening)
    words = ["behaviours", "--n", "3", "--model", "perfect", "--keep", str(tmp_path / "kept")]
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
        (["small", "extra"], "takes no files"),
        (["core", "--data", "."], "no data of its own"),
        (["core", "--judge", "x"], "for the other suites"),
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


# The page


def result(traces, name: str = "silent") -> dict:
    rows = {}
    for row in SMALL.rows:
        tagged = [(item_id(t.item), o) for t in traces for o in small_score([t])[row.name]]
        outcomes = [outcome for _, outcome in tagged]
        entry = report.entry(row, summarize(outcomes, row.statistic, 0), {"silent": 0.0})
        rows[row.name] = entry | {"suite": "small", "outcomes": columns(tagged)}
    return {"suite": "small", "model": name, "seed": 0, "commit": "abc", "rows": rows}


def test_the_worst_item_comes_first_and_says_why():
    right, wrong = small_twin(1, 0)
    traces = [oracle_trace("perfect", right), oracle_trace("silent", wrong)]
    (first, why), (second, nothing) = worst_first(result(traces))
    assert (first, second) == (item_id(wrong), item_id(right)) and nothing == []
    assert why == ["small_right (no response)", "small_latency_s (no response)"]


@pytest.mark.parametrize("what", ITEMS, ids=lambda what: what.kind)
@pytest.mark.parametrize("name", ["perfect", "silent"])
def test_timelines_are_well_formed_and_hold_what_was_said(what, name):
    drawn = timeline(oracle_trace(name, what))
    ElementTree.fromstring(drawn)
    assert ("moment never came" in drawn) == (
        name == "silent" and what in (INTERRUPT, BACKCHANNEL, DELEGATE)
    )
    if name == "perfect" and what is QUESTION:
        assert ">four</text>" in drawn and ">plus</text>" in drawn and "say “four”" in drawn


def test_histograms_tell_how_many_gave_nothing():
    drawn = histogram("x", [0.1, 0.2, 0.2, 1.0], "s", 6)
    assert "n 6, 2 without a value" in drawn and "median 0.2 s" in drawn
    ElementTree.fromstring(drawn)
    assert drawn.count('class="bar"') == 3
    ElementTree.fromstring(histogram("x", [], "s", 3))
    ElementTree.fromstring(histogram("x", [0.3], "s", 1))
    assert [nice_step(e, 10) for e in (1, 9, 20, 21, 0.03)] == pytest.approx(
        [0.1, 1, 2, 2.5, 0.005]
    )


def test_text_from_outside_stays_text(tmp_path):
    traces = [oracle_trace("silent", replace(QUESTION, subset="<b>x"))]
    html = page_html(result(traces, name="<script>alert(1)</script>"), traces)
    assert "<script>alert" not in html and "<b>x" not in html
