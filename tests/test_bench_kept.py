"""Traces on disk: written whole, read back as they were, in the form that others read."""

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path

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
    TYPED,
    hand_made,
    oracle_trace,
)

from interplay.bench.traces.item_json import item_id
from interplay.bench.traces.kept import (
    Kept,
    about_traces,
    check_folder,
    official_words,
    read_traces,
    resuming,
)
from interplay.data.item import Item
from interplay.errors import RecordError

RATE = 16_000
ITEMS = (QUESTION, PAUSE, INTERRUPT, BACKCHANNEL, TIMER, DELEGATE)


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
    assert words["chunks"][0]["timestamp"] == pytest.approx([1.9, 2.1], abs=0.02)
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


def test_a_folder_is_of_one_system_be_it_of_other_items(tmp_path):
    kept_in(tmp_path, seed=1).write(oracle_trace("perfect", QUESTION))
    check_folder(kept_in(tmp_path, seed=1))
    check_folder(kept_in(tmp_path / "new", seed=2))
    with pytest.raises(RecordError, match="seed 1, not 2; name another --keep"):
        check_folder(kept_in(tmp_path, seed=2))
    kept_in(tmp_path, seed=2).write(oracle_trace("perfect", PAUSE))
    with pytest.raises(RecordError, match="holds traces of several systems"):
        read_traces(tmp_path)


def test_a_folder_holds_one_kind_of_data_of_a_suite(tmp_path):
    ours = kept_in(tmp_path)
    for kept in (replace(ours, facts={"data": None}), replace(ours, suite="other", facts={})):
        kept.write(oracle_trace("perfect", QUESTION))
    assert about_traces(tmp_path) == {"endpoint": "baseline:perfect", "data": None}
    official = replace(ours, facts={"data": "v1_0"})
    with pytest.raises(RecordError, match="traces of small with data None, not 'v1_0'"):
        check_folder(official)
    check_folder(replace(official, suite="third"))
    check_folder(replace(official, suite="other"))  # an older folder does not say


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


def test_words_on_disk_lie_over_the_sound_that_our_rows_count():
    """The text ran 0.3 s ahead of the voice, and a second stretch of voice has no words."""
    made = hand_made(QUESTION, voice=[(2.0, 2.6), (4.0, 5.0)], say=[("it", 1.7), ("is", 2.2)])
    written = official_words(made)
    assert written["text"] == "it is"
    assert [chunk["text"] for chunk in written["chunks"]] == ["it", "is", ""]
    times = [pytest.approx(chunk["timestamp"]) for chunk in written["chunks"]]
    assert times == [[2.0, 2.2], [2.2, 2.6], [4.0, 5.0]]


def test_meta_tells_what_a_number_depends_on(tmp_path):
    facts = {"judge": "rule", "versions": {"python": "3"}}
    kept = replace(kept_in(tmp_path), facts=facts)
    for what in (QUESTION, TYPED):
        kept.write(oracle_trace("perfect", what))
    asked, typed = (
        json.loads((kept.place(i) / "meta.json").read_text()) for i in (QUESTION, TYPED)
    )
    assert {name: asked[name] for name in facts} == facts
    assert asked["tail_s"] == pytest.approx(4.5) and asked["prompt"] == []
    assert typed["prompt"] == ["x"]


def test_lines_of_a_trace_in_real_time_say_when_sound_went_and_came(tmp_path):
    walls = tuple((0.2 * turn + 0.2, None if turn < 2 else 0.2 * turn + 0.05) for turn in range(30))
    kept = kept_in(tmp_path)
    kept.write(replace(oracle_trace("silent", QUESTION), walls=walls))
    lines = (kept.place(QUESTION) / "trace.jsonl").read_text().splitlines()
    found = [(line["wall_in"], line["wall_out"]) for line in map(json.loads, lines)]
    assert found[:3] == [(0.2, None), (0.4, None), (0.6, 0.45)] and len(found) == 30
    [back] = read_traces(tmp_path)["small"]
    assert back.walls == walls
    kept.write(oracle_trace("silent", QUESTION))
    [line, *_] = (kept.place(QUESTION) / "trace.jsonl").read_text().splitlines()
    assert (json.loads(line)["wall_in"], json.loads(line)["wall_out"]) == (None, None)


@pytest.mark.parametrize("missing_s", [0.1, 0.3])
def test_two_sides_that_do_not_last_alike_are_no_trace(tmp_path, missing_s):
    """A micro-turn more or less is what a server may leave out; more is another clock."""
    kept = kept_in(tmp_path)
    kept.write(oracle_trace("perfect", QUESTION))
    place = kept.place(QUESTION)
    short = oracle_trace("perfect", QUESTION).model[: -round(missing_s * RATE)]
    soundfile.write(place / "output.wav", short, RATE)
    meta = json.loads((place / "meta.json").read_text())
    meta["output_sha256"] = hashlib.sha256(short.tobytes()).hexdigest()
    (place / "meta.json").write_text(json.dumps(meta))
    if missing_s < 0.2:
        [trace] = read_traces(tmp_path)["small"]
        assert len(trace.user) == len(trace.model) == round(5.9 * RATE)
        return
    with pytest.raises(RecordError, match=r"input.wav lasts 6.00 s, output.wav 5.70 s.*one clock"):
        read_traces(tmp_path)


def test_sound_that_was_changed_is_not_taken(tmp_path):
    kept = kept_in(tmp_path)
    kept.write(oracle_trace("perfect", QUESTION))
    place = kept.place(QUESTION)
    soundfile.write(place / "input.wav", np.zeros(6 * RATE, np.int16), RATE)
    with pytest.raises(RecordError, match=r"input.wav is not the sound that was written"):
        read_traces(tmp_path)
