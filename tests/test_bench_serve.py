"""The serve suite without sockets: what a client plays, and that every row is computed right."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bench_helpers import INTERRUPT, hand_made, oracle_trace, values

from interplay.bench.results.report import command_of, entry, markdown
from interplay.bench.scoring.rows import ROWS, SERVE, choose_rows
from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.serve import long
from interplay.bench.serve.capacity import search
from interplay.bench.serve.live_client import AUDIO
from interplay.bench.serve.load import LoadReport
from interplay.bench.serve.long import LongSession, drift_outcomes, lag_slots, memory_outcomes
from interplay.bench.serve.playback import BLOCK_S, Playback
from interplay.bench.serve.program import change, parse_numbers
from interplay.bench.serve.resuming import Received, compare
from interplay.bench.serve.stopping import stop_time
from interplay.cli import main
from interplay.clock import FakeClock
from interplay.errors import ConfigError
from tests.server_helpers import b64, make_hub, opened

RATE = 16_000
TURN = np.full(3200, 5000, np.int16)


def receive_all(playback: Playback, arrivals_s, *, voiced=True) -> None:
    for turn, now_s in enumerate(arrivals_s):
        sound = TURN if voiced else 0 * TURN
        playback.receive(turn, sound, voiced=voiced, now_s=now_s)


# The loudspeaker


def test_voice_is_played_without_a_seam_as_soon_as_it_comes():
    playback = Playback()
    receive_all(playback, [1.0, 1.205, 1.4])
    track = playback.track(0.0, 2 * RATE)
    sounding = np.flatnonzero(track) / RATE
    assert sounding[0] == pytest.approx(1 + BLOCK_S, abs=0.001)
    assert sounding[-1] == pytest.approx(1.6 + BLOCK_S, abs=0.001)
    assert len(sounding) == 3 * 3200 and not playback.num_underruns
    assert playback.held_s == [pytest.approx(BLOCK_S)], "one stretch of voice"
    assert playback.jitter_s == pytest.approx(0.005)
    assert playback.played_ms(1.31) == 300 and playback.played_ms(9.0) == 600


def test_a_loudspeaker_that_runs_dry_is_counted_and_waits_for_what_is_late_from_then_on():
    playback = Playback()
    receive_all(playback, [1.0, 1.3])
    assert playback.num_underruns == 1
    onset_s = np.flatnonzero(playback.track(1.3, RATE))[0] / RATE
    assert onset_s == pytest.approx(BLOCK_S, abs=0.001)


def test_silence_gives_back_what_a_late_micro_turn_cost():
    playback = Playback()
    receive_all(playback, [1.0, 1.19, 1.39], voiced=False)
    playback.receive(3, TURN, voiced=True, now_s=1.6)
    assert np.flatnonzero(playback.track(1.6, RATE))[0] / RATE <= 0.01 + BLOCK_S


def test_a_flush_ends_the_sound_at_once():
    playback = Playback()
    receive_all(playback, [1.0, 1.2])
    assert playback.played_ms(1.26) == 250 and playback.received_ms == 400
    playback.flush(1.26)
    assert np.flatnonzero(playback.track(0.0, 2 * RATE))[-1] / RATE < 1.26
    playback.receive(2, TURN, voiced=True, now_s=1.4)
    assert np.flatnonzero(playback.track(1.3, RATE))[0] / RATE == pytest.approx(0.11, abs=0.002)


# Stopping


def test_the_time_to_stop_is_that_of_the_sound_and_a_model_that_goes_on_counts():
    long_item = replace(INTERRUPT, length_s=8.0)
    cues = ((0.5, 0.9), (2.0, 3.0))
    [quick] = stop_time(hand_made(long_item, voice=[(1.5, 2.4)], cues=cues))
    assert quick.value == pytest.approx(0.4) and not quick.notes
    [breath] = stop_time(hand_made(long_item, voice=[(1.5, 2.2), (2.4, 2.6)], cues=cues))
    assert breath.value == pytest.approx(0.6), "a gap of 0.2 s is no stop"
    [deaf] = stop_time(hand_made(long_item, voice=[(1.5, 7.0)], cues=cues))
    assert deaf.value == pytest.approx(5.0) and deaf.notes == ("went_on",)
    [mute] = stop_time(hand_made(long_item, cues=cues))
    assert mute.value is None and mute.notes == ("was_not_talking",)
    [never] = stop_time(hand_made(long_item, voice=[(1.5, 2.4)], cues=((0.5, 0.9), None)))
    assert never.value is None


def test_trivial_systems_stop_as_they_must():
    assert values(stop_time(oracle_trace("silent", INTERRUPT))) == [None]
    [always] = values(stop_time(oracle_trace("always", INTERRUPT)))
    [perfect] = values(stop_time(oracle_trace("perfect", INTERRUPT)))
    assert perfect <= 0.6 < 2 < always


def test_percentile_95():
    outcomes = [Outcome(value=float(k)) for k in range(101)] + [Outcome(value=None)]
    assert summarize(outcomes, "p95", 0).value == pytest.approx(95.0)


# Load


def test_a_stall_of_the_engine_is_a_miss_in_the_report(monkeypatch):
    hub = make_hub()
    opened(hub)
    clock, tick, num_ticks = hub.clock, hub.engine.tick, 0
    assert isinstance(clock, FakeClock)
    before = parse_numbers(hub.metrics.text().decode())

    def stalling(halves):
        nonlocal num_ticks
        num_ticks += 1
        clock.advance(0.5 if num_ticks == 4 else 0.01)
        if num_ticks == 10:
            hub.beats.stop()
        return tick(halves)

    monkeypatch.setattr(hub.engine, "tick", stalling)
    hub.beats.run()
    numbers = change(before, parse_numbers(hub.metrics.text().decode()))
    report = LoadReport.of(numbers, 1, 2.0)
    assert report.num_misses == 2, "two deadlines lie within the stall"
    assert report.num_session_ticks == 10


def test_overhead_is_what_the_program_took_outside_the_model():
    numbers = {
        "im_session_ticks_total": 1000.0,
        "im_tick_deadline_miss_total": 0.0,
        "im_input_gap_total": 0.0,
        "process_cpu_seconds_total": 5.0,
        "im_model_cpu_seconds_total": 4.6,
    }
    report = LoadReport.of(numbers, 16, 12.5)
    assert report.overhead_ms == pytest.approx(0.4) and report.model_ms == pytest.approx(4.6)


def probe(limits):
    """A machine that holds as many sessions as `limits` says for a time of so many seconds."""

    def run(num_sessions: int, seconds: float) -> LoadReport:
        return LoadReport(
            num_sessions=num_sessions,
            seconds=seconds,
            num_session_ticks=1,
            num_misses=int(num_sessions > limits(seconds)),
            num_gaps=0,
            cpu_s=0.0,
            model_cpu_s=0.0,
        )

    return run


@pytest.mark.parametrize("limit", [0, 1, 2, 7, 16, 23, 40])
def test_the_search_finds_the_largest_load(limit: int):
    found = search(probe(lambda seconds: limit), first=16, seconds=600.0)
    assert found.num_sessions == limit
    assert not limit or found.tried[-1] == (limit, 600.0, 0)


def test_what_holds_for_a_moment_must_hold_for_the_whole_time():
    found = search(probe(lambda seconds: 9 if seconds > 60 else 11), first=16, seconds=600.0)
    assert found.num_sessions == 9
    assert found.tried[-3:] == ((11, 600.0, 1), (10, 600.0, 1), (9, 600.0, 0))
    found = search(probe(lambda seconds: 16 if seconds > 60 else 24), first=16, seconds=600.0)
    held = [count for count, seconds, _ in found.tried if seconds == 600.0]
    assert held == [24, 21, 19, 17, 15, 16] and found.num_sessions == 16
    assert found.held.num_sessions == 16


# The long session


def session(**changes) -> LongSession:
    looks = np.arange(1, 61) * 10.0
    rng = np.random.default_rng(0)
    voiced = np.repeat(rng.random(600) < 0.3, 20)
    calm = LongSession(
        clock_s=looks,
        sent_s=looks,
        memory=np.full(60, 1e9),
        voiced=voiced,
        sounding=voiced.copy(),
        num_filled=0,
    )
    return replace(calm, **changes)


def test_memory_that_grows_after_minute_5_is_growth_and_before_it_is_not():
    assert values(memory_outcomes(session())) == [0]
    early = np.minimum(np.arange(60), 29) * 1e7 + 1e9
    assert values(memory_outcomes(session(memory=early))) == [0]
    [leak] = values(memory_outcomes(session(memory=1e9 + np.arange(60) * 1e6)))
    assert leak == pytest.approx(0.03 / 1.029, rel=0.01)
    spike = np.full(60, 1e9)
    spike[40] = 1.5e9
    assert values(memory_outcomes(session(memory=spike))) == [pytest.approx(0.5)]
    short = session(memory=np.full(20, 1e9), clock_s=np.arange(1, 21) * 10.0)
    assert values(memory_outcomes(short)) == [None]


def test_drift_is_the_furthest_of_three():
    calm = session()
    assert values(drift_outcomes(calm)) == [0]
    assert values(drift_outcomes(session(sent_s=calm.clock_s - 0.3))) == [pytest.approx(1.5)]
    assert values(drift_outcomes(session(num_filled=3))) == [3]
    later = calm.voiced.copy()
    later[6000:] = np.roll(later, 6)[6000:]
    assert values(drift_outcomes(session(sounding=later))) == [pytest.approx(1.5)]
    [mute] = drift_outcomes(session(voiced=0 * calm.voiced > 0))
    assert mute.notes == ("place_of_the_voice_unknown",)


def test_lags_are_found_in_slots():
    voiced = np.random.default_rng(1).random(400) < 0.4
    assert [lag_slots(voiced, np.roll(voiced, lag)) for lag in (0, 3, -2)] == [0, 3, -2]
    assert lag_slots(voiced, np.zeros(400, bool)) is None
    assert long.TURN_BYTES == 9600


# Resuming


def received(*turns: int, words=(), spoken_by: str = "output") -> Received:
    """Micro-turns in order; `words` are (turn, letters)."""
    client = Received()
    for turn in turns:
        for at, letters in words:
            if at == turn:
                about = {"delta": letters, "start_ms": 200 * at, "end_ms": 200 * at + 200}
                client.add({"type": f"session.{spoken_by}_transcript.delta", **about})
        client.add({"type": AUDIO, "turn": turn, "delta": b64(bytes([turn]))})
    return client


WORDS = [(1, " one"), (2, " two"), (2, "ty"), (4, " two")]


def test_a_client_that_has_all_once_has_lost_nothing():
    truth = received(*range(1, 6), words=WORDS)
    found = compare(received(*range(6), words=[(0, " zero"), *WORDS]), truth, num_kills=4)
    assert found.num_words == 4
    assert [outcome.value for outcome in found.outcomes()] == [0, 0, 0, 0]


def test_words_and_micro_turns_that_are_doubled_or_missing_are_counted():
    truth = received(*range(1, 6), words=WORDS)
    twice = received(0, 1, 2, 2, 3, 4, 5, words=WORDS)
    found = compare(twice, truth, num_kills=4)
    assert (found.num_doubled_words, found.num_doubled_turns, found.num_missing_words) == (2, 1, 0)
    assert summarize(found.outcomes(), "sum", 0).value == 3
    gap = compare(received(0, 1, 3, 4, 5, words=WORDS), truth, num_kills=4)
    assert (gap.num_missing_words, gap.num_missing_turns, gap.num_doubled_words) == (2, 1, 0)
    lost = compare(received(0, 1, words=WORDS), truth, num_kills=4, num_lost=1)
    notes = [note for outcome in lost.outcomes() for note in outcome.notes]
    assert notes == ["lost_session", "missing_turn", "missing_word"]
    wrong = received(*range(6), words=WORDS)
    wrong.sound[3] = b"other"
    assert compare(wrong, truth, num_kills=4).num_wrong_turns == 1


def test_words_of_an_unfinished_micro_turn_are_forgotten_when_the_connection_goes():
    client = received(1)
    about = {"delta": " two", "start_ms": 400, "end_ms": 600}
    client.add({"type": "session.input_transcript.delta", **about})
    client.cut()
    client.add({"type": "session.input_transcript.delta", **about})
    client.add({"type": AUDIO, "turn": 2, "delta": b64(b"x")})
    assert client.words == [("heard", " two", 400, 600)] and client.last_turn == 2


def test_a_session_without_words_proves_nothing_about_words():
    found = compare(received(0, 1), received(1), num_kills=3)
    assert summarize(found.outcomes(), "sum", 0).value is None


# Rows, report, command


def test_list_names_every_row_with_its_goal(capsys):
    assert main(["bench", "serve", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [row.name for row in SERVE]
    assert "≤ 0.50 ms" in lines[5] and "--n 16 --seconds 60" in lines[5]


def test_rows_of_one_suite_are_not_those_of_the_other():
    assert [row.name for row in choose_rows(["overhead_ms"], "serve")] == ["overhead_ms"]
    with pytest.raises(ConfigError, match="no row answer_acc in the suite serve; rows: first"):
        choose_rows(["answer_acc"], "serve")
    assert len(ROWS) == len({*ROWS})


def test_the_page_of_a_report_shows_what_goes_with_a_row():
    row = ROWS["overhead_ms"]
    score = summarize([Outcome(value=400.0, of=1000.0)], "ratio", 0)
    rows = {row.name: entry(row, score, {}) | {"about": {"sessions": 16, "misses": 0}}}
    report = {"suite": "serve", "model": "xs", "seed": 0, "num_items": None, "seconds": 5.0}
    text = markdown(report | {"commit": "c", "rows": json.loads(json.dumps(rows))}, "how")
    assert "| overhead_ms | 0.40 ms |" in text and "sessions 16, misses 0" in text
    assert command_of(report, "a.json") == (
        "interplay bench serve --model xs --seed 0 --seconds 5 --json a.json"
    )


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["serve", "--seconds", "0"], "at least 1"),
        (["core", "--seconds", "5"], "for the suite serve"),
        (["serve", "--clock", "wall"], "for the other suites"),
        (["serve", "--model", "perfect", "--rows", "overhead_ms"], "only a model can be served"),
        (["server"], "choose one of core, report"),
    ],
)
def test_wrong_options_are_explained(words: list[str], hint: str, capsys):
    assert main(["bench", *words]) == 2
    assert hint in capsys.readouterr().err
