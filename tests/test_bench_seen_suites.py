"""RepCount, ProactiveVideoQA, Charades: twins under trivial systems, official folders."""

import json
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import pytest
from bench_helpers import beep, value_in
from video_helpers import write_video

from interplay.bench.playing.logical_clock import play
from interplay.bench.suites import charades, pvqa, repcount
from interplay.bench.suites.base import Suite
from interplay.bench.systems.oracle import Oracle
from interplay.data.item import At, Show
from interplay.errors import RecordError, VideoError

SUITES = {"repcount": repcount.SUITE, "pvqa": pvqa.SUITE, "charades": charades.SUITE}


@lru_cache
def values_of(name: str, system: str) -> dict:
    """Row -> value on the suite's twin, played by a trivial system."""
    suite = SUITES[name]
    traces = list(play(suite.twin(1, 0), Oracle(system, beep, "own"), beep))
    outcomes = suite.score(traces)
    return {row.name: value_in(row, outcomes[row.name]) for row in suite.rows}


def test_silence_gets_nothing_but_a_quarter_of_pauc():
    values = values_of("repcount", "silent")
    assert values["repcount_obo"] == 0 and values["repcount_missing"] == 1
    assert values["repcount_timing_s"] is None and values["repcount_no_response"] == 1
    values = values_of("pvqa", "silent")
    assert [values[row] for row in pvqa._OMEGA_OF] == [pytest.approx(25, abs=1e-9)] * 6
    assert values["pvqa_no_response"] == 1
    values = values_of("charades", "silent")
    assert values["charades_miou"] == values["charades_miou_lenient"] == 0
    assert values["charades_no_response"] == 1


def test_who_waits_for_the_end_of_the_film_marks_nothing_and_answers_late():
    assert 25 <= values_of("pvqa", "half_duplex")["pvqa_pauc"] <= 62.5
    assert values_of("charades", "half_duplex")["charades_miou"] == 0


def test_who_talks_without_end_gets_nothing_and_less_than_silence():
    assert values_of("repcount", "always")["repcount_obo"] == 0
    assert values_of("charades", "always")["charades_miou_lenient"] == 0
    assert values_of("pvqa", "always")["pvqa_pauc"] < 20
    assert values_of("pvqa", "always")["pvqa_pauc_w1"] == pytest.approx(0, abs=1e-9)


def test_who_knows_everything_gets_all():
    values = values_of("repcount", "perfect")
    assert values["repcount_obo"] == 100 and values["repcount_mae"] == 0
    assert values["repcount_missing"] == 0 and values["repcount_timing_s"] < 0.1
    assert values["repcount_no_response"] == 0
    values = values_of("pvqa", "perfect")
    assert values["pvqa_pauc"] > 96 and values["pvqa_pauc_w1"] == pytest.approx(100)
    assert values["pvqa_pauc_categories"] > 96 and values["pvqa_no_response"] == 0
    values = values_of("charades", "perfect")
    assert values["charades_miou"] > 97 and values["charades_r70"] == 100
    assert values["charades_no_response"] == 0
    assert abs(values["charades_start_error_s"]) < 0.1


def test_baselines_that_never_look_are_the_same_for_every_system():
    for name, row in (("repcount", "repcount_obo_constant"), ("charades", "charades_miou_whole")):
        assert values_of(name, "silent")[row] == values_of(name, "perfect")[row] > 0


@pytest.mark.parametrize("name", SUITES)
def test_twins_are_the_same_for_a_seed_and_differ_between_seeds(name):
    suite: Suite = SUITES[name]
    items = suite.twin(2, 5)
    assert items == suite.twin(2, 5)
    assert items != suite.twin(2, 6)
    assert len({item.seed for item in items}) == len(items)
    assert all(json.loads(json.dumps(item.about)) == item.about for item in items)
    assert all(len(item.expect) >= 1 for item in items)


def test_a_question_about_shapes_is_answered_by_those_of_its_colour():
    for item in pvqa.twin(12, 0)[:12]:
        asked = item.about["question"].split()[1]
        film = item.cues[1]
        assert item.subset == "shape" and isinstance(film, Show)
        changes = [change for change in film.frames.changes if change.colour == asked]  # type: ignore[attr-defined]
        turns = item.about["turns"]
        assert [turn["reply_s"][0] for turn in turns] == [c.time_s for c in changes]
        assert [turn["keys"] for turn in turns] == [[[c.what]] for c in changes]
        assert all(a["reply_s"][1] <= b["reply_s"][0] for a, b in pairwise(turns))


def test_no_traces_no_outcomes():
    for suite in SUITES.values():
        assert set(suite.score([])) == {row.name for row in suite.rows}
        assert not any(suite.score([]).values())


# ── official folders ─────────────────────────────────────────────────────────────────────────

FRAMES = [20] * 90  # 3 s at 30 per second


def repcount_folder(root: Path, body: str = "bench_pressing,a.mp4,3,0,20,25,50,55,80\n") -> Path:
    (root / "annotation").mkdir()
    header = "type,name,count,L1,L2,L3,L4,L5,L6\n"
    (root / "annotation" / "test.csv").write_text(header + body, encoding="utf-8")
    write_video(root / "video" / "test" / "a.mp4", FRAMES)
    return root


def test_repcount_is_loaded(tmp_path):
    folder = repcount_folder(tmp_path, "squat,b.mp4,0,,,,,,\nbench_pressing,a,3,0,20,25,50,55,80")
    [item] = repcount.load(folder)  # a film without cycles is left out
    assert item.about["ends_s"] == pytest.approx([20 / 30, 50 / 30, 80 / 30])
    assert item.about["count"] == 3 and item.subset == "bench_pressing"
    assert item.cues[0].text == "please count out reps for bench pressing"  # type: ignore[union-attr]
    dues = [e.due_s + item.about["film_s"] for e in item.expect if isinstance(e, At)]
    assert dues == pytest.approx(item.about["ends_s"])
    [trace] = play([item], Oracle("perfect", beep, "own"), beep)
    assert repcount.prediction(trace) == 3


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("squat,none.mp4,1,0,20,,,,\n", "video none.mp4 is not there; looked in"),
        ("squat,a.mp4,2,0,20,30,,,\n", "cycles of a.mp4 are not pairs of frames in order"),
        ("squat,a.mp4,2,0,20,10,15,,\n", "cycles of a.mp4 are not pairs of frames in order"),
        ("squat,a.mp4,1,0,x,,,,\n", "a.mp4 has a cycle that is no number"),
        ("squat,a.mp4,1,0,900,,,,\n", "a cycle that ends at 30.0 s, but the video lasts 3.0 s"),
        ("squat,a.mp4,0,,,,,,\n", "has no row with cycles"),
        ("", "has a header but no rows"),
    ],
)
def test_what_is_wrong_in_a_repcount_folder_is_told(tmp_path, body, told):
    with pytest.raises(RecordError, match=told):
        repcount.load(repcount_folder(tmp_path, body))


def charades_folder(root: Path, actions: str = "c001 0.50 2.60;c092 0.00 1.00") -> Path:
    table = f'id,subject,actions,length\nAB12C,X1,"{actions}",3.0\n'
    (root / "Charades_v1_test.csv").write_text(table, encoding="utf-8")
    classes = "c001 Putting clothes somewhere\nc092 Working on paper\n"
    (root / "Charades_v1_classes.txt").write_text(classes, encoding="utf-8")
    write_video(root / "Charades_v1_480" / "AB12C.mp4", FRAMES)
    return root


def test_charades_is_loaded(tmp_path):
    [item] = charades.load(charades_folder(tmp_path), 5)  # the other action is too short
    assert (item.about["start_s"], item.about["end_s"]) == (0.5, 2.6)
    text = (
        "say start when the person starts doing putting clothes somewhere then say stop when they"
    )
    assert item.cues[0].text == f"{text} stop"  # type: ignore[union-attr]


def test_an_action_that_comes_twice_is_no_item(tmp_path):
    twice = "c001 0.00 2.20;c001 2.30 3.00;c092 0.40 2.90"
    items = charades.load(charades_folder(tmp_path, twice))
    assert [item.about["action"] for item in items] == ["working on paper"]


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        ("c001 0.5", "actions of AB12C are not like"),
        ("c777 0.00 3.00", "AB12C has the action c777, which the classes lack"),
        ("c001 0.00 1.00", "no action with one interval of 2 s or more"),
        ("c001 5.00 9.00", "an action at 5 s, but its video lasts 3.0 s"),
    ],
)
def test_what_is_wrong_in_a_charades_folder_is_told(tmp_path, actions, told):
    with pytest.raises(RecordError, match=told):
        charades.load(charades_folder(tmp_path, actions))


ANSWER = {"content": "a cat", "related_timespan": [0.5, 1.5], "reply_timespan": [0.5, 2.5]}
ASKED = [{"role": "user", "content": "What comes in?", "time": 0}]


def pvqa_folder(root: Path, **changed) -> Path:
    entry = {"video": "a.mp4", "question_id": "7", "duration": 3.0, "conversation": ASKED}
    entry |= {"answer": [ANSWER]} | changed
    entry = {key: value for key, value in entry.items() if value is not None}
    write_video(root / "WEB" / "videos" / "a.mp4", FRAMES)
    (root / "WEB" / "anno.json").write_text(json.dumps([entry]), encoding="utf-8")
    return root


def test_pvqa_is_loaded_and_graded_by_the_words_of_the_answer(tmp_path):
    [item] = pvqa.load(pvqa_folder(tmp_path))
    assert item.subset == "WEB" and item.about["turns"][0]["reply_s"] == [0.5, 2.5]
    [trace] = play([item], Oracle("perfect", beep, "own"), beep)
    [outcome] = pvqa.score([trace])["pvqa_pauc"]
    assert outcome.value == pytest.approx(100 * (0.1 * 0.5 + 1.9 * 2) / 4, abs=0.5)  # 0.2 s late


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"answer": None}, "question 7 lacks answer; it has video, question_id"),
        ({"answer": []}, "conversation and answer must be lists that are not empty"),
        ({"answer": [{"content": "x"}]}, "question 7 lacks reply_timespan; it has content"),
        ({"answer": [{**ANSWER, "reply_timespan": [3]}]}, r"\[3\] is not \[start, end\]"),
        ({"answer": [{**ANSWER, "reply_timespan": [3, 2]}]}, r"\[3, 2\] is not \[start, end\]"),
        ({"conversation": [{}]}, "question 7 lacks content; it has nothing"),
        ({"video": "b.mp4"}, "the video b.mp4 is not there"),
    ],
)
def test_what_is_wrong_in_a_pvqa_folder_is_told(tmp_path, changed, told):
    with pytest.raises(RecordError, match=told):
        pvqa.load(pvqa_folder(tmp_path, **changed))


@pytest.mark.parametrize("name", SUITES)
def test_another_folder_is_refused_with_what_was_looked_for(tmp_path, name):
    load = SUITES[name].load
    assert load is not None
    with pytest.raises(RecordError, match=r"holds no .*; looked for "):
        load(tmp_path, None)
    with pytest.raises(RecordError, match=r"is no folder"):
        load(tmp_path / "none", None)


def test_a_damaged_table_or_video_is_refused(tmp_path):
    folder = pvqa_folder(tmp_path)
    (folder / "WEB" / "videos" / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(VideoError, match=r"a.mp4 cannot be read as video"):
        pvqa.load(folder)
    (folder / "WEB" / "anno.json").write_text("{", encoding="utf-8")
    with pytest.raises(RecordError, match=r"anno.json cannot be read as JSON"):
        pvqa.load(folder)
    (folder / "WEB" / "anno.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RecordError, match=r"is not a list of objects"):
        pvqa.load(folder)
    (charades_folder(tmp_path) / "Charades_v1_classes.txt").write_bytes(b"c001 \xff\xfe\n")
    with pytest.raises(RecordError, match=r"classes.txt cannot be read"):
        charades.load(tmp_path)
    (folder / "test.csv").write_text("type,name\n", encoding="utf-8")
    with pytest.raises(RecordError, match=r"lacks the column L1, L2; its header: type, name"):
        repcount.load(folder)
