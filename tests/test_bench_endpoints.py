"""What is measured, in real time: the loudspeaker, systems of this process, servers."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from bench_helpers import INTERRUPT, QUESTION, TIMER, beep, item, said
from pretend_helpers import pretender
from websockets.asyncio.server import ServerConnection

from interplay.bench.clients.conversation import play_remote
from interplay.bench.clients.live import LIVE_WIRES
from interplay.bench.clients.loudspeaker import Loudspeaker
from interplay.bench.clients.realtime import REALTIME_WIRES
from interplay.bench.clients.wall import play_wall
from interplay.bench.running.endpoints import (
    Endpoint,
    choose_clock,
    open_endpoint,
    parse_endpoint,
)
from interplay.bench.scoring.answering import answer_latency
from interplay.bench.systems.local import LocalSystem
from interplay.bench.systems.oracle import Oracle
from interplay.bench.traces.trace import Trace
from interplay.clock import FakeClock
from interplay.data.item import Say, Type, When
from interplay.errors import ConfigError, DeviceError
from interplay.model.untrained import untrained
from tests.server_helpers import make_engine, server, url

RATE = 16_000
LOUD = np.full(3200, 3000, np.int16)
QUIET = np.zeros(3200, np.int16)


# Names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("local:xs", "local:xs"),
        ("baseline:silent", "baseline:silent"),
        ("cascade", "cascade"),
        ("recorded", "recorded"),
        ("recorded:a/folder", "recorded:a/folder"),
        ("live:http://h:8/v1", "live:ws://h:8/v1/live/sessions"),
        ("live:https://h/v1/", "live:wss://h/v1/live/sessions"),
        ("live:ws://h:8/v1/live/sessions", "live:ws://h:8/v1/live/sessions"),
        ("live:http://h:8", "live:ws://h:8/v1/live/sessions"),
        ("realtime:http://h:8/v1", "realtime:ws://h:8/v1/realtime?model=any"),
        ("realtime:wss://h/v1/realtime?model=m", "realtime:wss://h/v1/realtime?model=m"),
    ],
)
def test_endpoints_have_one_form(text, found):
    assert str(parse_endpoint(text)) == found


@pytest.mark.parametrize(
    "text", ["", "xs", "local", "local:", "recorded:", "cascade:x", "live:", "live:ftp://h"]
)
def test_other_words_are_refused(text):
    with pytest.raises(ConfigError, match="give"):
        parse_endpoint(text)


def test_a_server_has_no_logical_clock():
    remote = parse_endpoint("live:http://h:8/v1")
    assert choose_clock(remote, None) == "wall"
    assert choose_clock(Endpoint(kind="local", target="xs"), None) == "logical"
    assert choose_clock(Endpoint(kind="local", target="xs"), "wall") == "wall"
    with pytest.raises(ConfigError, match="real time"):
        choose_clock(remote, "logical")


# The loudspeaker


def test_sound_starts_when_it_came_or_when_the_one_before_has_ended():
    speaker = Loudspeaker(cuts_silence=False)
    for now_s in (1.0, 1.1, 1.5):
        speaker.receive(LOUD, now_s)
    track = speaker.track(1.0, RATE)
    sounds = np.flatnonzero(np.diff(track != 0)) + 1
    assert track[0] and sounds.tolist() == [6400, 8000, 11200]  # 1.0 to 1.4, 1.5 to 1.7
    assert speaker.end_s == pytest.approx(1.7) and speaker.next_s(3.0) == 3.0


def test_late_silence_is_cut_where_it_comes_by_the_clock_and_meant_in_a_burst():
    for cuts, start in ((True, 8000), (False, 9600)):
        speaker = Loudspeaker(cuts_silence=cuts)
        for samples, now_s in ((LOUD, 0.1), (QUIET, 0.2), (LOUD, 0.4)):
            speaker.receive(samples, now_s)
        track = speaker.track(0.0, RATE)
        first = [index for index in np.flatnonzero(np.diff(track != 0) & (track[1:] != 0)) + 1]
        assert first == ([1600, 6400] if cuts else [1600, 8000]), start


def test_what_was_played_is_known_after_a_flush():
    speaker = Loudspeaker(cuts_silence=False)
    for _ in range(5):
        speaker.receive(LOUD, 2.0, "one")
    speaker.receive(LOUD, 2.0, "two")
    assert speaker.played_s(1.0) == 0
    assert speaker.played_s(2.5) == pytest.approx(0.5)
    assert speaker.played_of("one", 2.5) == pytest.approx(0.5)
    assert speaker.played_of("two", 2.5) == 0 and speaker.played_of("two", 9.0) == pytest.approx(
        0.2
    )
    speaker.flush(2.5)
    assert speaker.end_s == 2.5 and speaker.received_s == pytest.approx(1.2)
    track = speaker.track(2.0, RATE)
    assert track[:8000].all() and not track[8000:].any()
    speaker.receive(LOUD, 3.0, "three")
    assert speaker.played_s(3.1) == pytest.approx(1.3)
    assert speaker.track(3.0, 6400)[:3200].all()


def test_sound_before_the_item_is_cut_off():
    speaker = Loudspeaker(cuts_silence=False)
    speaker.receive(LOUD, 1.0)
    assert speaker.track(1.1, 3200).tolist() == [3000] * 1600 + [0] * 1600
    assert not speaker.track(0.0, 3200).any()


@pytest.mark.parametrize(
    ("pace", "notes"),
    [(1.0, ()), (1.004, ()), (1.008, ("sound_runs_fast",)), (0.98, ("sound_runs_slow",))],
)
def test_sound_that_does_not_keep_the_time_of_the_clock_is_noted(pace, notes):
    rng, speaker = np.random.default_rng(0), Loudspeaker(cuts_silence=True)
    for number in range(100):
        speaker.receive(QUIET, 5.0 + 0.2 * number / pace + rng.uniform(0, 0.03))
    assert speaker.pace() == pytest.approx(pace, abs=0.001)
    trace = replace(wall_trace(QUESTION, 0.0), pace=speaker.pace())
    assert trace.notes == notes


def test_bursts_and_sound_of_a_moment_have_no_pace():
    burst = Loudspeaker(cuts_silence=False)
    sparse, short = Loudspeaker(cuts_silence=True), Loudspeaker(cuts_silence=True)
    for number in range(100):
        burst.receive(LOUD, 0.2 * number)
        sparse.receive(LOUD, 0.5 * number)
        if number < 40:
            short.receive(LOUD, 0.21 * number)
    assert [speaker.pace() for speaker in (burst, sparse, short)] == [None] * 3


def test_it_is_known_when_the_sound_of_each_micro_turn_arrived():
    speaker = Loudspeaker(cuts_silence=False)
    for now_s in (10.05, 10.1, 10.7):
        speaker.receive(LOUD, now_s)
    *came, never = speaker.arrivals(10.0, 6)
    assert came == pytest.approx([0.05, 0.05, 0.1, 0.7, 0.7]) and never is None


# Systems of this process


class Slow:
    """A system that takes its time for a micro-turn."""

    def __init__(self, clock: FakeClock, takes_s: float) -> None:
        self._inner, self._clock, self._takes_s = Oracle("perfect", beep, "own"), clock, takes_s
        self.name, self.num_seats = "slow", 4
        self.open, self.close = self._inner.open, self._inner.close
        self.encode = self._inner.encode

    def step(self, stages):
        self._clock.advance(self._takes_s)
        return self._inner.step(stages)


def wall_trace(what, takes_s: float) -> Trace:
    clock = FakeClock(100.0)
    [trace] = play_wall([what], Slow(clock, takes_s), beep, clock=clock)
    return trace


def latency(trace: Trace) -> float:
    [outcome] = answer_latency(trace)
    assert outcome.value is not None
    return outcome.value


def test_in_real_time_computing_takes_time():
    free, slow = wall_trace(QUESTION, 0.0), wall_trace(QUESTION, 0.07)
    assert latency(free) == pytest.approx(0.4, abs=0.011)
    assert latency(slow) == pytest.approx(0.47, abs=0.011)
    assert [word.text for word in slow.say] == ["four"]
    assert slow.say[0].start_s == pytest.approx(free.say[0].start_s + 0.07)
    handed, came = zip(*slow.walls, strict=True)
    assert handed[:3] == pytest.approx((0.2, 0.4, 0.6)) and len(slow.walls) == 30
    assert came[0] is None and came[1:3] == pytest.approx((0.27, 0.27))


def test_who_needs_more_than_a_micro_turn_falls_behind():
    trace = wall_trace(TIMER, 0.22)
    lags = [start - due for (start, _), due in zip(trace.voice, (3.5, 5.5), strict=True)]
    assert lags[0] > 0.3 and lags[1] > lags[0] + 0.1, "later and later"


def test_real_time_seats_and_cues_that_wait_for_the_voice():
    clock = FakeClock()
    items = [replace(INTERRUPT, seed=seed) for seed in range(3)]
    traces = list(play_wall(items, Slow(clock, 0.05), beep, num_sessions=2, clock=clock))
    assert sorted(trace.item.seed for trace in traces) == [0, 1, 2]
    for trace in traces:
        cue = trace.cues[1]
        assert cue and cue[0] == pytest.approx(trace.voice[0][0] + 0.6, abs=0.011)
    assert clock.now() == pytest.approx(2 * 6.0 + 0.05, abs=0.3)


def test_an_untrained_model_plays_in_real_time():
    system = LocalSystem(untrained("tiny", seed=1, speaks="always"), name="tiny", num_seats=1)
    [trace] = play_wall([replace(QUESTION, length_s=1.0)], system, beep, clock=FakeClock())
    assert trace.model.any() and len(trace.model) == RATE


# Servers


def delta(samples: np.ndarray) -> str:
    return base64.b64encode(samples.astype("<i2").tobytes()).decode()


def test_a_foreign_live_server_is_spoken_to_plainly():
    """It knows no extensions, takes 24 kHz, and answers half a second of sound with a word."""
    told: list[dict] = []

    async def answer(connection: ServerConnection) -> None:
        first = json.loads(await connection.recv())
        told.append(first)
        if "interplay" in first["session"]:
            await connection.send(json.dumps({"type": "error", "error": {"message": "unknown"}}))
            return
        await connection.send('{"type": "session.started"}')
        async for number in _counted(connection):
            if number == 5:
                word = {"type": "session.output_transcript.delta", "delta": " four", "start_ms": 0}
                await connection.send(json.dumps(word))
                loud = delta(np.full(4800, 3000, np.int16))
                audio = {"type": "session.output_audio.delta", "delta": loud}
                await connection.send(json.dumps(audio))

    with pretender(answer) as address:
        items = [replace(QUESTION, length_s=1.6, seed=seed) for seed in (1, 2)]
        traces = list(play_remote(address, LIVE_WIRES, items, beep))
    assert [("interplay" in each["session"]) for each in told] == [True, False, False]
    for trace in traces:
        [(start_s, end_s)] = trace.voice
        assert start_s > 0.99 and end_s - start_s == pytest.approx(0.185, abs=0.03)
        assert [word.text for word in trace.spoken()] == ["four"]


async def _counted(connection: ServerConnection):
    """1, 2, ... for every message with 200 ms of sound at 24 kHz; the first is a bit short."""
    number = 0
    async for message in connection:
        event = json.loads(message)
        assert event["type"] == "session.input_audio.append"
        assert 4000 <= len(base64.b64decode(event["audio"])) // 2 <= 4900
        number += 1
        yield number


def play_at(address: str, wires=LIVE_WIRES) -> list[Trace]:
    return list(play_remote(address, wires, [replace(QUESTION, length_s=1.0)], beep))


async def _hang_up(connection: ServerConnection) -> None:
    await connection.recv()
    await connection.send('{"type": "session.started"}')
    await connection.recv()
    await connection.close(1011, "it broke")


async def _refuse(connection: ServerConnection) -> None:
    await connection.send(json.dumps({"type": "error", "error": {"message": "no free\nslot"}}))
    await connection.wait_closed()


def failing(*errors: dict, hangs_up: bool = False):
    """A server that reports errors after the first sound, and goes on or hangs up."""

    async def answer(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type": "session.started"}')
        await connection.recv()
        for error in errors:
            await connection.send(json.dumps({"type": "error", "error": error}))
        if not hangs_up:
            async for _ in connection:
                pass

    return answer


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (_hang_up, r"ended a session before its time \(it broke\)"),
        (_refuse, "refused a session: no free slot$"),
        (
            failing({"type": "authentication_error", "message": "the key ran out"}),
            "the server answered: the key ran out",
        ),
        (
            failing({"message": "sound is late"}, hangs_up=True),
            r"ended a session before its time \(.*; its last error: sound is late\)",
        ),
    ],
)
def test_a_server_that_fails_is_one_clear_line(answer, told):
    with pretender(answer) as address, pytest.raises(DeviceError, match=told):
        play_at(address)


def test_errors_that_a_session_survives_are_kept_with_its_trace():
    errors = [
        {"type": "invalid_request_error", "code": "item_truncate_invalid", "message": "too\nlate"},
        {"type": "invalid_request_error", "message": "no such item"},
    ]
    with pretender(failing(*errors)) as address:
        [trace] = play_at(address)
    assert trace.errors == ("too late", "no such item") and trace.notes == ("server_error",)
    assert len(trace.model) == RATE
    assert len(trace.walls) == 5
    for turn, (handed_s, came_s) in enumerate(trace.walls, 1):
        assert handed_s is not None and handed_s >= 0.2 * turn - 0.01 and came_s is None


def test_a_server_that_is_not_there():
    with pytest.raises(DeviceError, match=r"cannot open ws://127.0.0.1:9/.*running"):
        play_at("ws://127.0.0.1:9/")


@pytest.mark.parametrize("kind", ["live", "realtime"])
def test_our_own_server_is_played_in_real_time(kind):
    """An untrained model that always speaks, faintly: its sound comes, and it is typed to."""
    what = item(
        said("what is two plus two"),
        said("yes", When(seconds=0.4, after="cue_end", cue=0)),
        Type(text="a b", at=When(seconds=0.2)),
        expect=[Say(text=("four",), after=0)],
        length_s=3.6,
    )
    path = "/v1/live/sessions" if kind == "live" else "/v1/realtime?model=any"
    with server(engine=make_engine(2, speaks="always")) as serving:
        endpoint = parse_endpoint(f"{kind}:{url(serving, path, 'http')}")
        play = open_endpoint(
            endpoint, clock="wall", seed=0, synthesize=beep, own_voice="own", num_sessions=2
        )
        traces = list(play([what, replace(what, seed=9)]))
    assert sorted(trace.item.seed for trace in traces) == [3, 9]
    for trace in traces:
        assert len(trace.model) == len(trace.user) == round(3.6 * RATE)
        assert np.count_nonzero(trace.model) > 0.2 * RATE  # the more, the less busy the machine
        assert trace.cues[1] == pytest.approx((1.9, 2.1)) and trace.cues[2] is not None
        assert np.abs(trace.user[: RATE // 4].astype(int)).max() < 200, "the floor"


def test_remote_wires_are_the_ones_of_the_protocols():
    assert [wire().rate_hz for wire in (*LIVE_WIRES, *REALTIME_WIRES)] == [
        16000,
        24000,
        24000,
        24000,
    ]
