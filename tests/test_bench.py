"""The core suite: traces, the stage, oracles, an untrained model, the command."""

import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from bench_helpers import (
    AT_HALF,
    BACKCHANNEL,
    DELEGATE,
    INTERRUPT,
    PAUSE,
    QUESTION,
    RATE,
    TIMER,
    beep,
    hand_made,
    item,
    oracle_trace,
    said,
)

from interplay.bench.playing.logical_clock import play
from interplay.bench.playing.stage import Stage
from interplay.bench.results import report
from interplay.bench.running import core
from interplay.bench.running import main as bench_main
from interplay.bench.running.core import Bench
from interplay.bench.scoring import bits, machine
from interplay.bench.scoring.rows import BASELINES, CORE, ROWS, choose_rows
from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.suites import ALONE, NAMES
from interplay.bench.systems.local import LocalSystem
from interplay.bench.systems.oracle import Oracle
from interplay.bench.traces import trace
from interplay.cli import main
from interplay.data.item import Clip, Heard, Noise, Say, Type, When
from interplay.model.untrained import untrained

# Traces


def test_voice_is_what_sounds_with_breaths_joined_and_clicks_dropped():
    track = np.zeros(4 * RATE, np.int16)
    for start, end, level in [(0.5, 1, 3000), (1.2, 1.5, 3000), (2, 2.02, 9000), (3, 3.4, 100)]:
        track[int(start * RATE) : int(end * RATE)] = level
    assert trace.voice_spans(track) == (pytest.approx((0.5, 1.5)),)
    track[:] = 3000
    assert trace.voice_spans(track) == (pytest.approx((0.0, 4.0)),)


def test_pieces_become_words_and_calls():
    pieces = [(" se", 0.1), ("ven", 0.15), (" Two,", 0.2), ("<stop>", 0.3), ("x", 0.4)]
    words = trace.words_of(pieces)
    assert [word.text for word in words] == ["seven", "two", "x"]
    assert (words[0].start_s, words[0].end_s) == pytest.approx((0.1, 0.2))
    pieces = [("<delegate>", 1.0), (" who", 1.05), (" is", 1.1), ("<end>", 1.2), ("<due>", 2.0)]
    calls = trace.calls_of(pieces)
    assert [(call.name, call.text) for call in calls] == [("<delegate>", "who is"), ("<due>", "")]
    assert trace.calls_of([]) == ()


# The stage


def test_cues_sound_where_they_should_over_a_floor_that_is_never_silent():
    played = oracle_trace("silent", item(said("two words", gain_db=-6.0), length_s=2.0))
    assert played.cues == (pytest.approx((0.5, 0.9)),)
    assert played.user_words[1] == ("words", pytest.approx(0.7), pytest.approx(0.9))
    user = played.user.astype(float) / 32768
    sound, rest = user[RATE // 2 : int(0.9 * RATE)], user[RATE:]
    assert 20 * np.log10(sound.std()) == pytest.approx(-15.25 - 6, abs=0.3)
    assert 20 * np.log10(rest.std()) == pytest.approx(-60, abs=1)
    assert (np.diff(played.user) != 0).mean() > 0.9
    assert not played.model.any() and not played.voice


def test_a_pause_opens_between_two_words():
    played = oracle_trace("silent", PAUSE)
    assert played.pauses == {0: pytest.approx((0.9, 2.1))}
    assert played.cues == (pytest.approx((0.5, 2.7)),)
    pause = played.user[int(1.0 * RATE) : int(2.0 * RATE)] / 32768
    assert 20 * np.log10(pause.std()) < -58


def test_clips_noise_and_seeds():
    clip = Clip(samples=np.full(1600, 0.5, np.float32), word="yes", at=When(seconds=0.31))
    noisy = item(clip, Noise(level_db=-30.0), seed=5, length_s=2.0)
    first, again = oracle_trace("silent", noisy), oracle_trace("silent", noisy)
    assert np.array_equal(first.user, again.user)
    assert first.cues[0] == pytest.approx((0.31, 0.41)) and first.cues[1] is None
    assert 20 * np.log10((first.user[RATE:] / 32768).std()) == pytest.approx(-30, abs=1)
    other = oracle_trace("silent", item(clip, Noise(level_db=-30.0), seed=6, length_s=2.0))
    assert not np.array_equal(first.user, other.user)


def test_typed_text_comes_four_tokens_a_turn():
    stage = Stage(item(Type(text="a b c d e", at=When(seconds=0.3))), beep)
    read = []
    for _ in range(5):
        stage.begin_turn(lambda control, text: [control, *text.split(), "<end>"])
        read.append(stage.read)
        stage.turn += 1
    assert read == [(), ("<text>", "a", "b", "c"), ("d", "e", "<end>"), (), ()]
    assert stage.cues == [pytest.approx((0.2, 0.6))]


def test_a_cue_that_waits_for_the_voice_never_comes_to_a_silent_system():
    assert oracle_trace("silent", INTERRUPT).cues[1] is None
    played = oracle_trace("perfect", INTERRUPT)
    cue = played.cues[1]
    assert cue and cue[0] == pytest.approx(played.voice[0][0] + 0.6, abs=0.011)


def test_items_play_alike_in_any_company():
    items = [QUESTION, PAUSE, INTERRUPT, TIMER, DELEGATE, QUESTION]
    crowd = Oracle("perfect", beep, "own")
    crowd.num_seats = 4
    together = {id(t.item): t for t in play(items, crowd, beep)}
    for what in items:
        alone = oracle_trace("perfect", what)
        assert np.array_equal(alone.model, together[id(what)].model)
        assert alone.say == together[id(what)].say


# Oracles through the player

EXPECTED = {  # row: item, then silent, always, half_duplex, perfect
    "heard_wer": (QUESTION, 1.0, 1.0, 0.0, 0.0),
    "answer_acc": (QUESTION, 0, 0, 1, 1),
    "answer_latency_p50_s": (QUESTION, None, None, 0.9, 0.4),
    "pause_takeover": (PAUSE, 0, 1, 1, 0),
    "interrupt_stop": (INTERRUPT, 0, 0, 0, 1),
    "backchannel_continue": (BACKCHANNEL, 0, 0, 1, 1),
    "timer_hit": (TIMER, 0, 0, 0, 1),
    "delegate_acc": (DELEGATE, 0, 0, 1, 1),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_trivial_systems_score_what_they_must(name: str):
    what, *expected = EXPECTED[name]
    bench = Bench(
        model="perfect",
        loaded=None,
        num_items=2,
        seed=0,
        synthesize=beep,
        draw=lambda kind, num_items, seed: [what] * num_items,
    )
    [(row, entry)] = bench.run([ROWS[name]])
    assert row.name == name
    found = [entry["baselines"][baseline] for baseline in BASELINES]
    assert found == [e if e is None else pytest.approx(e, abs=0.011) for e in expected]
    assert entry["value"] == pytest.approx(expected[-1], abs=0.011)
    assert entry["passes"] is True and set(entry) >= {"value", "unit", "n", "ci95", "baselines"}


def test_sound_is_recognised_with_a_closed_grammar():
    from interplay.bench.listening import recognisers  # pocketsphinx is slow to import
    from interplay.bench.listening.grammar import Recognizer
    from interplay.bench.scoring import voice
    from interplay.data.speech import synthesize

    text, own = "seven yellow apples", "espeak:en-us"
    aloud = item(
        Type(text=text, at=AT_HALF), expect=[Say(text=(text,), after=0)], kind="read_aloud"
    )
    [played] = play([aloud], Oracle("perfect", synthesize, own), synthesize)
    words = [*voice.vocabulary([aloud]), "market", "glorpy"]
    recognizer = Recognizer(words, synthesize, own)
    assert voice.words_aloud(recognizer, played) == text.split() == voice.own_words(played)
    elsewhere = Recognizer([], synthesize, own)
    elsewhere.listen_for(["market", "glorpy"], seed=0)
    [(_, sound)] = recognisers.utterance_sounds(played)
    assert set(elsewhere.words(sound)) <= {"market", "glorpy"}, "the grammar is closed"
    again = voice.item_for_itself(played)
    assert again and again.expect == (Heard(text=text),)
    silent = hand_made(aloud)
    assert voice.item_for_itself(silent) is None and voice.words_aloud(recognizer, silent) == []
    assert voice.accuracy(["a", "b"], ["a", "b", "c", "d", "e"]).value == 0


# A model that nobody trained


def test_a_session_plays_alike_alone_and_in_a_batch():
    loaded = untrained("tiny", seed=1, speaks="always")
    items = [replace(QUESTION, seed=seed, length_s=2.0) for seed in (1, 2)]
    together = list(play(items, LocalSystem(loaded, name="tiny", num_seats=2), beep))
    alone = list(play(items, LocalSystem(loaded, name="tiny", num_seats=1), beep))
    for ours in together:
        [theirs] = [t for t in alone if t.item is ours.item]
        assert ours.model.any() and np.array_equal(ours.model, theirs.model)
        assert (ours.say, ours.heard, ours.act) == (theirs.say, theirs.heard, theirs.act)


@pytest.mark.parametrize("camera", [False, True])
def test_probes_of_the_machine(monkeypatch, camera):
    seen = []
    plain = machine.long_session

    def watched(engine, halves, **kwargs):
        seen.append([half.see for half in halves])
        return plain(engine, halves, **kwargs)

    monkeypatch.setattr(machine, "long_session", watched)
    bench = Bench(
        model="tiny",
        loaded=untrained("tiny", seed=1, camera=camera),
        num_items=2,
        seed=0,
        synthesize=beep,
        draw=lambda kind, num_items, seed: [replace(QUESTION, length_s=2.0)],
    )
    monkeypatch.setattr(core, "TURNS_PER_ITEM", 8)
    monkeypatch.setattr(machine, "SETTLED_TURNS", 4)
    monkeypatch.setattr(bits, "_past_the_window", lambda loaded: 8)  # test_replay goes past it
    monkeypatch.setattr(bits, "TURNS", (3, 6))
    monkeypatch.setattr(bits, "SEEDS", 1)
    names = ["tick_p99_ms", "session_misses", "session_memory_growth", "bits_differing"]
    found = {row.name: entry for row, entry in bench.run(choose_rows(names))}
    tick = found["tick_p99_ms"]
    assert tick["n"] == 16 and tick["value"] > 0
    assert tick["reach"] == (100 if camera else 60) and tick["about"]["saw"] is camera
    assert (tick["about"].get("hearing_alone_p99_ms", 0) > 0) is camera
    for shown, sees in zip(seen, [True, False] if camera else [False], strict=True):
        assert [see is not None for see in shown] == [sees] * len(shown)
    if camera:
        assert any((now[:, 0] != now[:, 1]).any() for now in seen[0]), "the picture moves"
    assert found["session_misses"]["value"] in range(17)
    assert 0 <= found["session_memory_growth"]["value"] < 1
    assert found["bits_differing"]["value"] == 0
    assert found["bits_differing"]["n"] == 2 + 2 + 4 + 4  # by part of the chain


# The command


def test_list_names_every_row(capsys):
    assert main(["bench", "--list"]) == 0
    *lines, others = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [row.name for row in CORE]
    assert all(name in others for name in (*NAMES, *ALONE, "serve", "speed"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--rows", "nope"], "heard_wer"),
        (["--model", "no-such-model"], "no-such-model"),
        (["nope"], "core, report"),
        (["--model", "silent", "--n", "0"], "at least 1"),
        (["report", "--json", "/nowhere/x.json"], "/nowhere/x.json"),
    ],
)
def test_user_errors_are_one_line(capsys, words, told):
    assert main(["bench", *words]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_an_interrupted_run_is_taken_up_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench_main, "current_commit", lambda: "abc")
    started: list[str] = []

    def run(self, rows):
        for row in rows:
            started.append(row.name)
            if row.name == "timer_hit" and started.count("timer_hit") == 1:
                raise KeyboardInterrupt
            yield row, report.entry(row, summarize([Outcome(value=1)], "ratio", 0), {})

    monkeypatch.setattr(Bench, "run", run)
    words = ["bench", "--model", "perfect", "--rows", "answer_acc,timer_hit", "--json"]
    assert main([*words, str(tmp_path / "r.json")]) == 130
    assert main([*words, str(tmp_path / "r.json")]) == 0
    assert started == ["answer_acc", "timer_hit", "timer_hit"]
    written = json.loads((tmp_path / "r.json").read_text())
    assert list(written["rows"]) == ["answer_acc", "timer_hit"]
    assert (written["suite"], written["model"], written["commit"]) == ("core", "perfect", "abc")
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
    monkeypatch.setattr("interplay.bench.running.main.current_commit", lambda: "later")
    one = [*words[:3], "--rows", "timer_hit", "--json", str(tmp_path / "r.json")]
    assert main(one) == 0
    added = json.loads((tmp_path / "r.json").read_text())
    assert list(added["rows"]) == ["answer_acc", "timer_hit"] and added["commit"] == "later"
    kept, again = added["rows"]["answer_acc"], added["rows"]["timer_hit"]
    assert kept["about"]["commit"] == "abc" and "commit" not in again.get("about", {})


def test_core_does_without_recordings_of_people_where_there_are_none(tmp_path, monkeypatch, capsys):
    def run(self, rows):
        for row in rows:
            yield row, report.entry(row, summarize([Outcome(value=1)], "ratio", 0), {})

    monkeypatch.setattr(Bench, "run", run)
    monkeypatch.setenv("INTERPLAY_HUMAN", str(tmp_path / "nowhere"))
    assert main(["bench", "--model", "perfect", "--json", str(tmp_path / "r.json")]) == 0
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert set(rows) == {row.name for row in CORE} - {"heard_acc_human"}
    assert "heard_acc_human is left out" in capsys.readouterr().out


def test_a_row_of_no_items_is_neither_reached_nor_missed_and_zero_has_no_sign():
    row = next(row for row in CORE if row.name == "answer_latency_p50_s")
    assert report.entry(row, summarize([], row.statistic, 0), {})["passes"] is None
    silent = summarize([Outcome(value=None)], row.statistic, 0)
    assert silent.n == 1 and report.entry(row, silent, {})["passes"] is False
    assert report.number(-0.001, "s") == "0.00 s" and report.number(-0.01, "s") == "-0.01 s"


def test_commit_is_the_one_checked_out():
    commit = report.current_commit()
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    assert commit == "unknown" or commit.removesuffix("-dirty") == head.stdout.strip()
