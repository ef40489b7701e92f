"""Items that end when the system has been quiet: on either clock, over a socket, and at most so
long."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from bench_helpers import beep
from pretend_helpers import pretender
from websockets.asyncio.server import ServerConnection

from interplay.bench.clients.conversation import play_remote
from interplay.bench.clients.live import LIVE_WIRES
from interplay.bench.clients.wall import play_wall
from interplay.bench.playing.logical_clock import play
from interplay.bench.playing.stage import QUIET_S, Emission
from interplay.bench.suites import audiomc, fdb1_folder, voice_ifeval
from interplay.bench.traces.kept import Kept
from interplay.bench.traces.trace import Trace
from interplay.clock import FakeClock
from interplay.data.item import Clip, Item, Noise, When

CAP_S = 20.0
PROMPT = Clip(samples=np.full(16_000, 2000, np.int16), word="speech", at=When(seconds=0.6))
ITEM = Item(
    kind="voice_ifeval",
    seed=1,
    length_s=CAP_S,
    cues=(PROMPT, Noise(level_db=-65.0)),
    expect=(),
    about={QUIET_S: 3.0},
)  # the user has ended at 1.6 s
TONE = np.full(3200, 0.2, np.float32)


class Talker:
    """Sounds in the micro-turns of `sounds`, writes a word in those of `writes`."""

    name, num_seats = "talker", 4

    def __init__(self, *sounds: range, writes: range = range(0)) -> None:
        self._sounds, self._writes = sounds, writes

    def open(self, stage) -> None: ...

    def close(self, stage) -> None: ...

    def encode(self, control: str, text: str) -> list:
        return []

    def step(self, stages) -> list[Emission]:
        return [self._emit(stage.turn + 1) for stage in stages]  # it sounds in the next one

    def _emit(self, turn: int) -> Emission:
        is_on = any(turn in sounds for sounds in self._sounds)
        say = (" word" if turn in self._writes else "", "", "", "")
        return Emission(say=say, voice=TONE if is_on else 0 * TONE)


def seconds(start: float, end: float) -> range:
    return range(round(5 * start), round(5 * end))


LASTS = [  # what it does, when the item ends
    ((seconds(2, 4),), range(0), 7.0),
    ((seconds(2, 2.2),), range(0), 5.2),
    ((seconds(0.4, 3),), range(0), 6.0),  # it began before the user had ended
    ((seconds(2, 4), seconds(6.8, 7.4)), range(0), 10.4),  # a pause of 2.8 s ends nothing
    ((seconds(2, 4), seconds(7.4, 8)), range(0), 7.0),  # one of 3.4 s does
    ((seconds(9, 11),), range(0), 14.0),  # who is slow is waited for
    ((), range(0), CAP_S),
    ((seconds(0.4, 1.2),), range(0), CAP_S),  # that was no answer
    ((seconds(2, 60),), range(0), CAP_S),
    ((), seconds(3, 3.2), 6.0),  # an answer in writing alone
    ((seconds(2, 3),), seconds(3, 8), 10.8),
]


@pytest.mark.parametrize(("sounds", "writes", "ends_s"), LASTS)
def test_an_item_ends_three_seconds_after_the_answer(sounds, writes, ends_s):
    [trace] = play([ITEM], Talker(*sounds, writes=writes), beep)
    assert trace.length_s == pytest.approx(ends_s)
    assert len(trace.user) == len(trace.model)
    assert trace.cues[0] == pytest.approx((0.6, 1.6))


def test_in_real_time_it_ends_alike():
    talker = Talker(seconds(2, 4))
    [trace] = play_wall([ITEM], talker, beep, clock=FakeClock(50.0))
    assert trace.length_s == pytest.approx(7.0)
    assert trace.voice == (pytest.approx((2.0, 4.0), abs=0.02),)
    assert len(trace.walls) == 35


def test_others_last_as_long_as_they_say():
    talker = Talker(seconds(2, 4))
    [trace] = play([replace(ITEM, about={})], talker, beep)
    assert trace.length_s == CAP_S
    two = replace(ITEM, seed=2, about={QUIET_S: 1.0})
    ended = list(play([ITEM, two], talker, beep))
    assert [round(each.length_s, 3) for each in ended] == [5.0, 7.0], "each by its own rule"


def test_a_trace_that_ended_early_is_kept_and_read_back(tmp_path):
    [trace] = play([ITEM], Talker(seconds(2, 4)), beep)
    kept = Kept(folder=tmp_path, suite="voice-ifeval", about={})
    kept.write(trace)
    back = kept.find(ITEM)
    assert isinstance(back, Trace) and back.length_s == pytest.approx(7.0)


def test_a_server_is_left_when_it_has_been_quiet():
    sound = base64.b64encode(np.full(3200, 3000, "<i2").tobytes()).decode()

    async def answer(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type": "session.started"}')
        number = 0
        async for message in connection:
            number += json.loads(message)["type"] == "session.input_audio.append"
            if number == 3:
                delta = {"type": "session.output_audio.delta", "delta": sound}
                await connection.send(json.dumps(delta))
                number += 1

    short = replace(PROMPT, samples=PROMPT.samples[:3200], at=When(seconds=0.0))
    item = replace(ITEM, cues=(short,), about={QUIET_S: 0.6})
    with pretender(answer) as address:
        [trace] = play_remote(address, LIVE_WIRES, [item], beep)
    [(start_s, end_s)] = trace.voice
    assert 0.5 < start_s < 1.5 and end_s + 0.5 < trace.length_s < end_s + 1.3
    assert len(trace.walls) == round(5 * trace.length_s)


def test_only_the_suite_whose_definition_asks_for_it_has_the_rule(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(8000, 0.25), 8000)
    row = {"prompt": "No commas.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    (tmp_path / "ifeval.jsonl").write_text(json.dumps({**row, "audio": "a.wav"}))
    [what] = voice_ifeval.load(tmp_path, None)
    assert what.about[QUIET_S] == 3.0 and what.length_s == pytest.approx(0.6 + 1.0 + 60.0)
    [trace] = play([what], Talker(seconds(2, 4)), beep)
    assert trace.length_s == pytest.approx(7.0)
    assert not any(QUIET_S in each.about for each in voice_ifeval.twin(2, 0))
    row = {"id": "1", "axis": "SELF_COHERENCE", "rubric": ["x"], "user_turn_1_audio": "a.wav"}
    (tmp_path / "audiomc.jsonl").write_text(json.dumps(row))
    assert QUIET_S not in audiomc.load(tmp_path, None)[0].about, "up to 60 s, as published"
    folder = tmp_path / "synthetic_pause_handling" / "1"
    folder.mkdir(parents=True)
    soundfile.write(folder / "input.wav", np.full(32_000, 0.25), 16_000)
    (folder / "pause.json").write_text('[{"text": "[PAUSE]", "timestamp": [0.5, 1.0]}]')
    [what] = fdb1_folder.load(folder.parent)
    assert QUIET_S not in what.about and what.length_s == 2.0, "its length is part of the task"
