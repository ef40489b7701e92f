"""Talking live: users that follow the voice, what a talk leaves behind, `interplay demo`."""

import argparse
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from talk_helpers import TOKENIZER, conversation, out

from interplay.clock import SAMPLES_PER_TURN, FakeClock
from interplay.engine.engine import Engine
from interplay.engine.record import read_record
from interplay.errors import ConfigError, DeviceError
from interplay.model.checkpoint import save_checkpoint
from interplay.model.untrained import untrained
from interplay.talk import command, picture, script
from interplay.talk.conversation import Conversation
from interplay.talk.live import (
    PAGE,
    RECORD,
    WAV,
    SkippingClock,
    Talk,
    results_folder,
    write_results,
)
from interplay.talk.script import (
    RecordedUser,
    Script,
    ScriptedUser,
    Step,
    example_script,
    load_script,
)
from interplay.turns import tokens
from interplay.turns.tokens import END

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def soon_over(monkeypatch) -> None:
    """Little is listened to after the last sound."""
    monkeypatch.setattr(script, "QUIET_S", 0.6)
    monkeypatch.setattr(script, "MAX_QUIET_S", 1.2)


def starts(steps: list[Step], speaking: set[int], max_s: float = 20.0) -> list[float]:
    """When each step of a script begins while the model's voice is on in the turns given."""
    began: list[float] = []

    class Watched(ScriptedUser):
        def _start(self, step: Step, moment_s: float) -> None:
            began.append(round(moment_s, 3))
            super()._start(step, moment_s)

    sounds = {"one": np.full(8000, 0.2, np.float32)}  # half a second
    user = Watched(Script(steps=tuple(steps), sounds=sounds, max_s=max_s), TOKENIZER.encode)
    for turn in range(1000):
        half = user.input(turn)
        if half is None:
            break
        assert half.hear.shape == (SAMPLES_PER_TURN,) and half.hear.any()
        user.watch(out(turn in speaking))
    return began


def test_a_script_follows_the_voice_of_the_model():
    steps = [
        Step(play="one", after="start", seconds=0.35),  # ends at 0.85
        Step(play="one", after="speaks", seconds=0.5),  # voice from 2.0 on; ends at 3.0
        Step(play="one", after="stops", seconds=0.5),  # voice until 4.0; ends at 5.0
        Step(play="one", after="previous", seconds=1.0),
    ]
    speaking = set(range(9, 19))  # sounds one micro-turn later: 2.0 to 4.0 s
    assert starts(steps, speaking) == [0.35, 2.5, 4.5, 6.0]


def test_a_script_goes_on_when_the_model_is_silent_or_never_stops():
    steps = [
        Step(play="one", after="start", seconds=0.0),
        Step(play="one", after="speaks", seconds=1.0, at_most=3.0),
        Step(play="one", after="stops", seconds=1.0, at_most=2.0),
    ]
    assert starts(steps, set()) == [0.0, 3.5, 6.0]
    assert starts(steps, set(range(1000))) == [0.0, 1.5, 4.0]


def test_a_pause_of_the_model_is_not_its_end():
    steps = [
        Step(play="one", after="start", seconds=0.0),
        Step(play="one", after="stops", seconds=0.7, at_most=9.0),
    ]
    speaking = {*range(4, 9), *range(11, 14)}  # 1.0-2.0 s and 2.4-3.0 s
    assert starts(steps, speaking) == [0.0, 3.7]


def test_typed_text_arrives_four_tokens_at_a_time():
    step = Step(read="drink water", after="start", seconds=0.0)
    ids = [tokens.TEXT, *TOKENIZER.encode("drink water umbrella"), END]
    user = ScriptedUser(Script(steps=(step,), sounds={}, max_s=9.0), lambda text: ids)
    reads = []
    for turn in range(4):
        half = user.input(turn)
        assert half is not None and len(half.read) <= 4
        reads += half.read
    assert reads == ids


@pytest.mark.parametrize(
    ("entry", "seen"),
    [
        ({"play": "hello_there", "after": "lunch", "seconds": 1}, "start, previous, speaks, stops"),
        ({"play": "hello_there", "seconds": 1}, "no 'after'"),
        ({"after": "start", "seconds": 1}, "`play`"),
        ({"play": "hello_there", "after": "start", "seconds": 1, "volume": 2}, "volume"),
    ],
)
def test_a_script_that_is_wrong_is_refused(tmp_path, entry, seen):
    path = tmp_path / "demo.json"
    path.write_text(str({"seconds": 5, "steps": [entry]}).replace("'", '"'))
    with pytest.raises(ConfigError, match=re.escape(seen)):
        load_script(path)


def test_what_is_no_script_says_what_it_lacks(tmp_path):
    path = tmp_path / "demo.json"
    for content, seen in (("{}", "has no 'seconds'"), ("[]", "is not a script")):
        path.write_text(content)
        with pytest.raises(ConfigError, match=re.escape(seen)):
            load_script(path)


def test_the_demo_plays_every_recording_it_ships_and_names_where_it_is_from():
    demo = load_script(example_script())
    files = {path.stem: path for path in (EXAMPLES / "audio").glob("*.flac")}
    assert set(demo.sounds) == set(files)
    assert sum(path.stat().st_size for path in files.values()) <= 2_000_000
    readme = (EXAMPLES / "audio" / "README.md").read_text()
    assert not [name for name in files if name not in readme]
    people = [name for name in files if name.startswith("human_")]
    assert len(people) >= 4
    for name in people:
        assert re.search(rf"`{name}.flac` .*\| CC BY(-SA)? 4.0 \|", readme)


class Slow:
    """A view that takes its time."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds

    def __enter__(self) -> "Slow":
        return self

    def __exit__(self, *_error: object) -> None: ...

    def show(self, talk: Conversation) -> None:
        self.clock.advance(self.seconds)


def hold(folder: Path, num_s: float = 1.0, slow_s: float = 0.0, speaks: str = "always"):
    """A whole talk on a pretended clock; returns it and its report."""
    clock = FakeClock()
    session = Engine(untrained("tiny", speaks=speaks)).open()
    samples = np.random.default_rng(3).standard_normal(round(16000 * num_s)).astype(np.float32)
    talk = Talk(session, RecordedUser(samples / 9), Slow(clock, slow_s))
    with results_folder(folder) as draft:
        report = talk.run(clock, draft / RECORD)
        write_results(draft, talk.conversation, "a test")
    return talk.conversation, report


def test_a_talk_leaves_sound_page_and_record(tmp_path):
    talk, report = hold(tmp_path / "out", speaks="never")
    assert report.num_turns == talk.num_turns == 9, "1 s of sound, 0.6 s of quiet, one more"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {WAV, PAGE, RECORD}
    sound, rate = soundfile.read(tmp_path / "out" / WAV)
    assert rate == 16000 and sound.shape == (10 * SAMPLES_PER_TURN, 2)
    assert np.abs(sound[:16000, 0]).mean() > 0.02 and not sound[:, 1].any()
    assert len(read_record(tmp_path / "out" / RECORD)) == 9


def test_user_and_model_stand_side_by_side_on_one_clock(tmp_path):
    talk, _ = hold(tmp_path / "out", num_s=0.4)
    sound, _ = soundfile.read(tmp_path / "out" / WAV)
    recorded, _ = soundfile.read(tmp_path / "out" / RECORD / "audio.wav")
    assert np.abs(sound - recorded).max() < 1e-4
    assert not sound[:SAMPLES_PER_TURN, 1].any(), "an output half sounds one micro-turn later"
    assert sound[SAMPLES_PER_TURN : 2 * SAMPLES_PER_TURN, 1].any()
    assert talk.num_turns == 8, "a model that never stops is not listened to for ever"


def test_missed_deadlines_are_counted_and_told(tmp_path):
    talk, report = hold(tmp_path / "out", slow_s=0.3, speaks="never")
    assert report.num_misses == talk.num_missed == talk.num_deadlines == talk.num_turns
    assert talk.deadlines() == f"0 of {talk.num_turns} deadlines met"


def test_a_second_talk_takes_the_place_of_the_first_and_of_nothing_else(tmp_path):
    hold(tmp_path, num_s=0.6, speaks="never")
    (tmp_path / "mine.txt").write_text("keep")
    talk, _ = hold(tmp_path, num_s=0.2, speaks="never")
    assert len(read_record(tmp_path / RECORD)) == talk.num_turns
    assert (tmp_path / "mine.txt").read_text() == "keep"
    assert {path.name for path in tmp_path.iterdir()} == {WAV, PAGE, RECORD, "mine.txt"}


def test_a_talk_that_fails_leaves_what_was_there(tmp_path):
    hold(tmp_path / "out", num_s=0.2, speaks="never")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*")}
    for folder in (tmp_path / "out", tmp_path / "new"):
        with pytest.raises(DeviceError, match="No space left"), results_folder(folder) as draft:
            (draft / WAV).write_text("half")
            raise OSError(28, "No space left on device")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*")} == before
    assert not (tmp_path / "new").exists()


def test_the_skipping_clock_counts_work_and_skips_waiting():
    clock = SkippingClock()
    start_s = clock.now()
    clock.sleep_until(start_s + 50)
    assert 50 <= clock.now() - start_s < 51
    clock.sleep_until(start_s + 10)
    assert clock.now() - start_s < 51


def test_the_picture_is_plain_svg_even_of_an_untrained_model(tmp_path):
    talk, _ = hold(tmp_path / "out", num_s=0.8, speaks="some")
    talk.heard.push([(i, 0.1 * i) for i in range(1, 400)])
    for made in (talk, conversation()):
        root = ElementTree.fromstring(picture.session_svg(made))
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert tags <= {"svg", "style", "g", "rect", "text", "line", "path", "title"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    loaded = untrained("tiny", speaks="never")
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(path, loaded.model, None, loaded.tokenizer, loaded.facts)
    return path


def short_script(folder: Path) -> Path:
    (folder / "audio").mkdir()
    sound = np.sin(np.arange(3200) / 5) / 4
    soundfile.write(folder / "audio" / "beep.flac", sound, 16000)
    path = folder / "demo.json"
    path.write_text(
        '{"seconds": 1.6, "steps": ['
        '{"play": "beep", "after": "start", "seconds": 0.2},'
        '{"read": "hello", "after": "previous", "seconds": 0.2}]}'
    )
    return path


@pytest.mark.parametrize("late_s", [0.0, 0.5])
def test_demo_says_whether_every_deadline_was_met(
    tmp_path, monkeypatch, capsys, checkpoint, late_s
):
    clock = FakeClock()
    monkeypatch.setattr(command, "RealClock", lambda: clock)
    monkeypatch.setattr(command, "view_for", lambda stdout: Slow(clock, late_s))
    parser = argparse.ArgumentParser()
    command.add_demo_arguments(parser)
    words = ["--model", str(checkpoint), "--script", str(short_script(tmp_path))]
    words += ["--out", str(tmp_path / "out"), "--picture", str(tmp_path / "session.svg")]
    assert command.run_demo(parser.parse_args(words)) == (1 if late_s else 0)
    told = capsys.readouterr().out
    assert f"{0 if late_s else 8} of 8 deadlines met" in told
    assert "interplay replay" in told and "p99" in told
    assert ElementTree.parse(tmp_path / "session.svg").getroot().tag.endswith("svg")
