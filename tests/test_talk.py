"""Talking: what tokens become, users that follow the model's voice, what a talk leaves behind."""

import argparse
import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from rich.console import Console

from interplay.background.scripted import Handover, ScriptedBackend
from interplay.clock import SAMPLES_PER_TURN, FakeClock
from interplay.engine.engine import Engine
from interplay.engine.record import read_record
from interplay.errors import ConfigError, DeviceError
from interplay.model.checkpoint import save_checkpoint
from interplay.model.untrained import untrained
from interplay.talk import command, lanes, picture, script
from interplay.talk.conversation import Conversation, EventReader, Word, WordReader, utterances
from interplay.talk.lanes import Window
from interplay.talk.live import (
    PAGE,
    RECORD,
    WAV,
    SkippingClock,
    Talk,
    results_folder,
    write_results,
)
from interplay.talk.page import page_html, sound_source
from interplay.talk.script import (
    RecordedUser,
    Script,
    ScriptedUser,
    Step,
    example_script,
    load_script,
)
from interplay.talk.terminal import LineView, LiveView, timeline
from interplay.turns import tokens
from interplay.turns.tokens import END, Tokenizer, count_token
from interplay.turns.types import InputHalf, OutputHalf

TOKENIZER = Tokenizer.train(["drink water what is the weather hello there okay"] * 3, 400)
EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def soon_over(monkeypatch) -> None:
    """Little is listened to after the last sound."""
    monkeypatch.setattr(script, "QUIET_S", 0.6)
    monkeypatch.setattr(script, "MAX_QUIET_S", 1.2)


def timed(*ids: int, start_s: float = 0.0) -> list[tuple[int, float]]:
    return [(i, start_s + k) for k, i in enumerate(ids)]


def out(voice_on: bool = False, **streams) -> OutputHalf:
    pad = {name: (*streams.get(name, ()), 0, 0, 0, 0)[:4] for name in ("heard", "say", "act")}
    voice = np.full(SAMPLES_PER_TURN, 0.1 * voice_on, np.float32)
    return OutputHalf(**pad, voice_on=np.full(4, voice_on), voice=voice)


def quiet() -> InputHalf:
    return InputHalf(hear=np.zeros(SAMPLES_PER_TURN, np.float32))


def conversation() -> Conversation:
    """Forty micro-turns: a question, an answer over it, a timer, a delegation and its result."""
    talk = Conversation(TOKENIZER, title="<tiny> & co")
    hello, there = TOKENIZER.encode("hello"), TOKENIZER.encode("there")
    loud = np.sin(np.arange(SAMPLES_PER_TURN) / 9).astype(np.float32) / 3
    weather = [tokens.DELEGATE, *TOKENIZER.encode("weather"), END]
    timer = [tokens.TIMER, count_token(2), *TOKENIZER.encode("water"), END]
    acts = {3: timer, 8: [count_token(1)], 13: [tokens.DUE], 20: weather}
    for turn in range(40):
        speaks = 4 <= turn < 9
        half = InputHalf(
            hear=loud if 2 <= turn < 6 else quiet().hear,
            read=(tokens.RESULT, hello[0], END) if turn == 30 else (),
        )
        say = hello if turn == 4 else (there if turn == 7 else [])
        heard = there if turn in (3, 6) else ()
        act = acts.get(turn, [])
        assert len(act) <= 8
        talk.add(half, out(speaks, say=say, heard=heard, act=act[:4]), 10.0 + turn)
        if len(act) > 4:
            talk.act.push(timed(*act[4:], start_s=talk.length_s))
    talk.num_deadlines = talk.num_turns
    return talk


def test_tokens_become_words_with_the_time_of_their_first_token():
    reader = WordReader(TOKENIZER)
    ids = [*TOKENIZER.encode("hello umbrella"), END, *TOKENIZER.encode("there")]
    assert len(ids) > 4, "a word the tokenizer has to spell"
    for pair in timed(*ids):
        reader.push([pair])
    assert [word.text for word in reader.words] == ["hello", "umbrella", "there"]
    assert [word.time_s for word in reader.words] == [0.0, 1.0, float(len(ids) - 1)]


def test_a_countdown_may_fall_into_a_call_that_is_being_written():
    reader = EventReader(TOKENIZER)
    ids = [tokens.EVERY, count_token(3), *TOKENIZER.encode("drink")]
    ids += [count_token(1), tokens.DUE, *TOKENIZER.encode("water"), END, tokens.CANCEL]
    reader.push(timed(*ids))
    found = [(event.kind, event.text, event.seconds) for event in reader.events]
    assert found == [
        ("every", "drink water", 3),
        ("count", "", 1),
        ("due", "", None),
        ("cancel", "", None),
    ]
    assert not any(event.is_open for event in reader.events)


def test_a_note_is_one_event_whatever_is_in_it():
    reader = EventReader(TOKENIZER)
    ids = [tokens.NOTE, tokens.TIMER, count_token(2), *TOKENIZER.encode("water")]
    reader.push(timed(*ids, tokens.CLOCK, count_token(9), END, count_token(1)))
    assert [event.kind for event in reader.events] == ["note", "count"]
    assert reader.events[0].text == "timer 2 s water clock 9 s"


def test_delegated_words_come_back_once_as_a_result_two_seconds_later():
    handover = Handover(ScriptedBackend({"weather": "okay there"}), TOKENIZER)
    ids = [tokens.DELEGATE, *TOKENIZER.encode("what is the weather"), count_token(4), END]
    for at, token in enumerate(ids):
        handover.watch([token, 0], 0.1 * at)
    asked_s = 0.1 * (len(ids) - 1)
    assert handover.arrivals(asked_s + 1.9) == []
    expected = [tokens.RESULT, *TOKENIZER.encode("okay there"), END]
    assert handover.arrivals(asked_s + 2.1) == expected
    assert handover.arrivals(asked_s + 99) == []
    assert (handover.num_delegations, handover.num_results) == (1, 1)


def test_a_question_without_an_answer_fails_and_says_so():
    backend = ScriptedBackend({}, delay_s=0.5)
    backend.delegate(7, "hello there", now_s=1.0)
    [result] = backend.results(1.5)
    assert (result.delegation_id, result.status, result.content) == (7, "failed", "no answer")


def test_an_empty_delegation_is_none():
    handover = Handover(ScriptedBackend(), TOKENIZER)
    handover.watch([tokens.DELEGATE, END, END, TOKENIZER.encode("hello")[0]], 0.0)
    assert handover.num_delegations == 0


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


def test_pages_need_nothing_from_elsewhere():
    html = page_html(conversation(), subtitle="a <test>", sound_name=WAV)
    assert not re.findall(r"(?:src|href)=\"(?!data:)|url\(|@import|<link|<script src", html)
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "&lt;tiny&gt; &amp; co" in html and "a &lt;test&gt;" in html and "<tiny>" not in html
    assert not re.findall(r"\$[a-z_]+", html), "an unfilled place"


def test_the_page_plays_the_same_sound_or_names_the_file(monkeypatch):
    talk = conversation()
    kind, encoded = sound_source(talk, WAV).split(",")
    assert kind == "data:audio/flac;base64"
    sound, _ = soundfile.read(io.BytesIO(base64.b64decode(encoded)), dtype="float32")
    assert np.array_equal(sound, talk.tracks())
    monkeypatch.setattr("interplay.talk.page.MAX_SOUND_BYTES", 10)
    assert sound_source(talk, WAV) == WAV


def elements(talk: Conversation, window: Window) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(f"<svg>{lanes.draw(talk, window)}</svg>"))


def test_words_stand_at_their_times_and_do_not_overlap():
    talk = conversation()
    talk.heard.words = [Word(text="wonderful", time_s=1 + 0.3 * i) for i in range(20)]
    drawn = elements(talk, Window(start_s=0.0, end_s=12.0, px_per_s=80.0))
    words = [e for e in drawn if e.get("class") == "word heard"]
    assert len(words) == 20
    rows: dict[str, list[float]] = {}
    for word in words:
        rows.setdefault(word.attrib["y"], []).append(float(word.attrib["x"]))
        late_px = float(word.attrib["x"]) - 80 * float(word.attrib["data-t"])
        assert -0.1 <= late_px < 80
    assert len(rows) == 3
    for xs in rows.values():
        assert np.diff(sorted(xs)).min() >= 9 * lanes.CHAR_PX


def test_bars_last_until_what_they_wait_for():
    bars = {bar.kind: bar for bar in lanes.act_bars(conversation())}
    assert bars["timer"].label == "timer 2 s · water"
    assert (bars["timer"].start_s, bars["timer"].end_s) == pytest.approx((0.8, 2.8))
    assert bars["delegate"].end_s == pytest.approx(6.0), "when the result arrived on read"
    assert [bar.label for bar in lanes.read_bars(conversation())] == ["result · hello"]


def test_overlaps_are_where_both_speak():
    [(start_s, end_s)] = lanes.overlap_spans(conversation())
    assert (start_s, end_s) == pytest.approx((1.0, 1.2), abs=0.06)


def test_late_micro_turns_are_drawn_apart():
    talk = conversation()
    window = Window(start_s=0.0, end_s=9.0, px_per_s=50.0)
    assert not [e for e in elements(talk, window) if e.get("class") == "tick-late"]
    talk.ticks[5].compute_ms = 250.0
    [late] = [e for e in elements(talk, window) if e.get("class") == "tick-late"]
    assert late.attrib["d"].count("M") == 1


def test_the_picture_is_plain_svg_even_of_an_untrained_model(tmp_path):
    talk, _ = hold(tmp_path / "out", num_s=0.8, speaks="some")
    talk.heard.push([(i, 0.1 * i) for i in range(1, 400)])
    for made in (talk, conversation()):
        root = ElementTree.fromstring(picture.session_svg(made))
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert tags <= {"svg", "style", "g", "rect", "text", "line", "path", "title"}


def test_lines_for_a_pipe_say_everything_once():
    talk, stdout = conversation(), io.StringIO()
    with LineView(stdout) as view:
        for _ in range(3):
            view.show(talk)
    lines = [line.split(maxsplit=3)[2:] for line in stdout.getvalue().splitlines()]
    assert sorted(lines) == [
        ["act", "delegate · weather"],
        ["act", "due"],
        ["act", "timer 2 s · water"],
        ["model", "hello there"],
        ["read", "result · hello"],
        ["user", "there there"],
    ]


@pytest.mark.parametrize("width", [40, 131])
def test_the_terminal_shows_words_energy_and_events(width):
    talk, stdout = conversation(), io.StringIO()
    console = Console(file=stdout, force_terminal=True, width=width, color_system=None)
    with LiveView(console) as view:
        view.show(Conversation(TOKENIZER, title="empty"))
        view.show(talk)
    console.print(timeline(talk, 110))
    shown = stdout.getvalue()
    assert "0:08.0" in shown and "no deadline missed" in shown and "█" in shown
    for text in ("hello", "there", "[timer 2 s", "result"):
        assert text in shown


def test_utterances_end_where_nothing_came_for_a_second():
    words = [Word(text=text, time_s=t) for text, t in (("a", 0.0), ("b", 0.9), ("c", 2.0))]
    assert list(utterances(words)) == [(0.0, 0.9, "a b"), (2.0, 2.0, "c")]


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
