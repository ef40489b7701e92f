"""TimeSpeak-open and CueSpeak-open from files: scored like the items they were made of."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bench_helpers import beep, value_in
from test_bench_timespeak import with_pauses

from interplay.bench.playing.logical_clock import play
from interplay.bench.playing.stage import Stage, is_wordless
from interplay.bench.publish import export
from interplay.bench.suites import cuespeak, load_suite, timespeak
from interplay.bench.suites.base import Suite
from interplay.bench.systems.oracle import Oracle
from interplay.bench.systems.recorded import Recordings
from interplay.data.item import Clip, Item
from interplay.errors import AudioError, ConfigError, RecordError

SUITES = {"timespeak": timespeak.SUITE, "cuespeak": cuespeak.SUITE}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """Both suites as files, one item per family (two where the items of a family alternate)."""
    made = {}
    for name in SUITES:
        made[name] = tmp_path_factory.mktemp(name)
        export(ours(name), made[name], with_pauses)
    return made


def ours(name: str) -> list[Item]:
    return [i for i in SUITES[name].twin(2, 0) if i.subset == "F8" or i.seed % 2 == 0]


def table(suite: Suite, items, policy: str) -> dict[str, float | None]:
    found = suite.score(list(play(items, Oracle(policy, beep, "own"), beep)))
    return {row.name: value_in(row, found[row.name]) for row in suite.rows}


@cache
def by_ours(name: str, policy: str) -> dict[str, float | None]:
    return table(SUITES[name], ours(name), policy)


@pytest.mark.parametrize("policy", ["perfect", "half_duplex"])
@pytest.mark.parametrize("name", SUITES)
def test_items_from_files_score_like_the_items_they_were_made_of(folders, name, policy):
    suite = load_suite(name)
    assert suite.load is not None
    found = table(suite, suite.load(folders[name], None), policy)
    for row, wanted in by_ours(name, policy).items():
        near = wanted if wanted is None else pytest.approx(wanted, abs=0.011)
        assert found[row] == near, row


def test_the_sound_is_played_sample_for_sample(folders):
    load = timespeak.SUITE.load
    assert load is not None
    [item] = [i for i in load(folders["timespeak"], 1) if i.subset == "F2"]
    [path] = (folders["timespeak"] / "F2").glob("*.wav")
    samples, _ = soundfile.read(path, dtype="float32")
    stage = Stage(item, beep)
    heard = []
    while not stage.done:
        stage.begin_turn(lambda control, text: [])
        heard.append(stage.hear.copy())
        stage.turn += 1
    assert np.abs(np.concatenate(heard)[: len(samples)] - samples).max() < 0.006  # noise at -60 dB
    spoken = [cue for cue in item.cues if not is_wordless(cue)]
    assert [c.word for c in spoken if isinstance(c, Clip)][1:] == ["stop"]
    assert sum(len(c.samples) for c in item.cues if isinstance(c, Clip)) == len(samples)
    assert [word for word, *_ in stage.user_words].count("stop") == 1


@pytest.fixture
def bare(tmp_path) -> Path:
    """What somebody else may write: the keys that are needed, in a WAV of another rate."""
    soundfile.write(tmp_path / "x.wav", np.full(24_000 * 9, 0.01), 24_000)
    (tmp_path / "x.json").write_text(json.dumps(BARE))
    return tmp_path


BARE = {
    **{"suite": "timespeak", "family": "F1", "seed": 7, "audio": "x.wav", "probe": 0},
    "script": [{"t": 0.5, "end": 2.0, "text": "say tea in three seconds"}],
    "expect": [{"t": 5.0, "lo": -0.5, "hi": 1.5, "any": [["tea"]]}],
}


def read(folder: Path, num_items: int | None = None):
    assert timespeak.SUITE.load is not None
    return timespeak.SUITE.load(folder, num_items)


def test_a_few_keys_are_enough(bare):
    [item] = read(bare)
    assert (item.seed, item.subset, item.length_s) == (7, "F1", pytest.approx(9.0))
    for policy, wanted in (("perfect", 100), ("silent", 0)):
        found = table(timespeak.SUITE, [item], policy)
        assert found["timespeak_probe"] == found["timespeak_strict"] == wanted
    second = BARE | {"seed": 8}
    (bare / "y.json").write_text(json.dumps(second))
    assert len(read(bare)) == 2 and [i.seed for i in read(bare, 1)] == [7]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"probe": 1}, "x.json is not an item .*docs/timespeak.md"),
        ({"script": []}, "x.json is not an item"),
        ({"script": [{"t": 0.5, "text": "a"}]}, "x.json is not an item .*'end'"),
        ({"script": [{"t": 2.0, "end": 0.5, "text": "a"}]}, "does not lie in its sound"),
        ({"script": [{"t": 0.5, "end": 99, "text": "a"}]}, "its sound, which lasts 9.00 s"),
        (
            {"script": [{"t": 0, "end": 3, "text": "a"}, {"t": 1, "end": 4, "text": "b"}]},
            "1–4 s is empty, or begins before",
        ),
        ({"script": [{"t": 0, "end": 9, "text": "a"}]}, "x.json is not an item"),
        ({"expect": [{"t": 5.0, "lo": -0.5, "hi": 1.5}]}, "x.json is not an item .*'any'"),
        ({"expect": None}, "x.json is not an item"),
        ({"suite": "cuespeak"}, "is an item of cuespeak, not of timespeak"),
        ({"family": None, "probe": "x"}, "x.json is not an item"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_clear_line(bare, changed, told):
    (bare / "x.json").write_text(json.dumps(BARE | changed))
    with pytest.raises(RecordError, match=told) as caught:
        read(bare)
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_named(bare, tmp_path):
    with pytest.raises(RecordError, match="not a folder"):
        read(tmp_path / "nowhere")
    (bare / "x.wav").unlink()
    with pytest.raises(AudioError, match=r"x.wav does not exist"):
        read(bare)
    (bare / "x.json").write_text(json.dumps({"suite": "timespeak"}))
    with pytest.raises(RecordError, match="lacks family, seed, audio"):
        read(bare)
    (bare / "x.json").unlink()
    with pytest.raises(RecordError, match="interplay bench export timespeak"):
        read(bare)


@pytest.fixture
def recordings(tmp_path_factory) -> Path:
    """What another system said to the item in `bare`, in a sound of another rate."""
    folder = tmp_path_factory.mktemp("said")
    time_s = np.arange(24_000 * 6) / 24_000
    sound = np.where(time_s >= 5.3, 0.2 * np.sin(2 * np.pi * 300 * time_s), 0)
    soundfile.write(folder / "timespeak-F1-7.wav", sound, 24_000)
    words = [{"text": "your", "timestamp": [5.3, 5.31]}, {"text": "tea.", "timestamp": [5.32, 6]}]
    (folder / "timespeak-F1-7.json").write_text(json.dumps({"chunks": words}))
    return folder


def test_what_another_system_said_is_scored_from_its_files(bare, recordings):
    [trace] = play(read(bare), Recordings(recordings), beep)
    assert [(word.text, word.start_s) for word in trace.say] == [
        ("your", pytest.approx(5.3)),
        ("tea", pytest.approx(5.3)),  # both begin in these 50 ms
    ]
    assert trace.voice == (pytest.approx((5.3, 6.0), abs=0.011),)
    outcomes = timespeak.SUITE.score([trace])
    assert [o.value for o in outcomes["timespeak_probe"]] == [100]
    [error] = outcomes["timespeak_error_median_s"]
    assert error.value == pytest.approx(0.3, abs=0.011)


def test_recordings_that_cannot_be_are_refused(bare, recordings, tmp_path):
    with pytest.raises(ConfigError, match="there is no such folder"):
        Recordings(tmp_path / "nowhere")
    words = recordings / "timespeak-F1-7.json"
    for text in ("{", '{"text": "tea"}', '{"chunks": [{"text": "tea"}]}', '{"chunks": [3]}'):
        words.write_text(text)
        with pytest.raises(RecordError, match=r"F1-7.json does not hold words") as caught:
            list(play(read(bare), Recordings(recordings), beep))
        assert "\n" not in str(caught.value)
    words.write_text('{"chunks": []}')
    [trace] = play(read(bare), Recordings(recordings), beep)
    assert trace.say == () and trace.voice
    words.unlink()
    with pytest.raises(RecordError, match=r"lacks timespeak-F1-7\.json, its words"):
        list(play(read(bare), Recordings(recordings), beep))


def test_files_hold_what_they_are_scored_by(folders):
    """What docs/timespeak.md tells about an item."""
    for path in folders["cuespeak"].glob("*/*.json"):
        found = json.loads(path.read_text())
        for wanted in found["expect"]:
            assert wanted["t"] == pytest.approx(found["script"][wanted["after"]]["end"], abs=1e-3)
            after_s = 0.0 if wanted["answers"] else 0.4  # a question is answered when it is over
            assert wanted["onset"] == pytest.approx(wanted["t"] + after_s, abs=1e-3)
    answered = [
        wanted["answers"]
        for path in folders["timespeak"].glob("F8/*.json")
        for wanted in json.loads(path.read_text())["expect"]
    ]
    assert sorted(answered) == [False, True]
