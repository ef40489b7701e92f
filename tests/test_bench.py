"""The core suite: traces, player, scorers on hand-made traces, oracles, table and command."""

import json
import subprocess
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from interplay.bench import answering, hearing, overlap, report, suite, system, timing, trace
from interplay.bench.local import LocalSystem
from interplay.bench.oracle import Oracle
from interplay.bench.rows import BASELINES, CORE, ROWS, choose_rows
from interplay.bench.runner import play
from interplay.bench.score import Outcome, summarize
from interplay.bench.stage import Stage
from interplay.bench.suite import Bench
from interplay.bench.trace import Trace, Word
from interplay.cli import main
from interplay.data.item import (
    At,
    Clip,
    Delegate,
    Heard,
    Item,
    KeepTalking,
    Noise,
    NoTakeover,
    Say,
    Silence,
    Speak,
    StopBy,
    Type,
    When,
)
from interplay.errors import ConfigError, RecordError
from interplay.model.untrained import untrained

RATE = 16_000
AT_HALF = When(seconds=0.5)


@dataclass
class Tone:
    """Stand-in for a synthesiser: every word is 0.2 s of a tone."""

    samples: np.ndarray
    words: list
    phones: list = field(default_factory=list)


def beep(text: str, voice: str) -> Tone:
    words = text.split()
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(0.2 * RATE) * len(words)) / RATE)
    times = [(word, 0.2 * i, 0.2 * (i + 1)) for i, word in enumerate(words)]
    return Tone(samples=wave.astype(np.int16), words=times)


def said(text: str, at: When = AT_HALF, **kwargs) -> Speak:
    return Speak(text=text, voice="any", at=at, **kwargs)


def item(*cues, expect=(), kind="answer", seed=3, length_s=6.0) -> Item:
    return Item(kind=kind, seed=seed, length_s=length_s, cues=cues, expect=tuple(expect))


QUESTION = item(
    said("what is two plus two"),
    expect=[Heard(text="what is two plus two"), Say(text=("four", "it is four"), after=0)],
)
PAUSE = item(
    said("what is two plus two", pause_after_word=1, pause_s=1.2),
    expect=[NoTakeover(cue=0), Say(text=("four",), after=0)],
    kind="pause",
)
INTERRUPT = item(
    said("count"),
    said("what is two plus two", When(seconds=0.6, after="voice", cue=0)),
    expect=[StopBy(after=1), Say(text=("four",), after=1)],
    kind="interrupt",
)
BACKCHANNEL = item(
    said("count"),
    said("yes", When(seconds=0.6, after="voice", cue=0)),
    expect=[KeepTalking(through=1, text=("one two three four five six",))],
    kind="backchannel",
)
TIMER = item(
    said("say tea every two seconds"),
    expect=[At(text=("tea",), after=0, due_s=2.0), At(text=("tea",), after=0, due_s=4.0)],
    kind="timer",
    length_s=7.0,
)
DELEGATE = item(
    said("who was here"),
    Type(text="a cat", at=When(seconds=1.0, after="delegate", cue=0), control="<result>"),
    expect=[Delegate(words="who was here", after=0), Say(text=("a cat",), after=1, within_s=1.0)],
    kind="delegate",
)


def oracle_trace(name: str, what: Item) -> Trace:
    [played] = play([what], Oracle(name, beep, "own"), beep)
    return played


def hand_made(what: Item, *, say=(), voice=(), cues=((0.5, 1.5),), heard=(), act=(), **kwargs):
    """A trace from (word, time) and (start, end) of voice."""
    model = np.zeros(int(what.length_s * RATE), np.int16)
    for start, end in voice:
        model[int(start * RATE) : int(end * RATE)] = 3000
    return Trace(
        item=what,
        user=np.zeros_like(model),
        model=model,
        voice=trace.voice_spans(model),
        heard=tuple(Word(text=t, start_s=s, end_s=s + 0.05) for t, s in heard),
        say=tuple(Word(text=t, start_s=s, end_s=s + 0.05) for t, s in say),
        act=tuple(act),
        cues=tuple(cues),
        user_words=(),
        pauses=kwargs.get("pauses", {}),
    )


def values(outcomes) -> list:
    return [outcome.value for outcome in outcomes]


def notes(outcomes) -> list:
    return [note for outcome in outcomes for note in outcome.notes]


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


# Scorers


def test_hearing_counts_words():
    assert hearing.word_errors(["a", "b"], ["a", "c", "d"]) == 2
    assert hearing.word_errors(["a", "b"], []) == 2
    assert hearing.word_errors([], ["a"]) == 1
    played = hand_made(QUESTION, heard=[("what", 1.0), ("is", 1.1), ("too", 1.2), ("two", 1.5)])
    [outcome] = hearing.heard_wer(played)
    assert (outcome.value, outcome.of) == (2, 5)
    one = item(said("yes"), expect=[Heard(text="yes")])
    spam = [(word, 1.0 + 0.1 * i) for i, word in enumerate(["no", "yes", "go"])]
    assert values(hearing.heard_acc(hand_made(one, heard=spam))) == [0]
    assert values(hearing.heard_acc(hand_made(one, heard=spam[1:2]))) == [1]


def answer_at(latency_s: float, *words: str, lead_s: float = 0.1) -> Trace:
    start = 1.5 + latency_s
    spoken = [(word, start - lead_s + 0.3 * i) for i, word in enumerate(words)]
    return hand_made(QUESTION, say=spoken, voice=[(start, start + 0.3 * len(words))])


def test_an_answer_needs_the_right_words_in_time():
    good = answer_at(0.5, "it", "is", "four")
    assert values(answering.answer_acc(good)) == [1]
    assert values(answering.answer_latency(good)) == pytest.approx([0.5], abs=0.011)
    assert notes(answering.answer_acc(answer_at(0.5, "five"))) == ["wrong_words"]
    assert notes(answering.answer_acc(answer_at(2.2, "four"))) == ["late"]
    assert notes(answering.answer_acc(hand_made(QUESTION))) == ["no_response"]


def test_words_without_a_voice_are_no_answer():
    mute = hand_made(QUESTION, say=[("four", 2.0)])
    assert notes(answering.answer_acc(mute)) == ["no_response"]
    assert notes(answering.answer_latency(mute)) == ["no_response"]


def test_saying_every_number_is_no_answer():
    others = ["zero", "one", "two", "three", "five", "six", "seven", "eight", "nine"]
    assert values(answering.answer_acc(answer_at(0.5, *others, "four"))) == [0]


def test_talking_over_the_end_gives_no_flattering_latency():
    for latency_s in (-0.2, -0.4):
        [outcome] = answering.answer_latency(answer_at(latency_s, "four", lead_s=0.0))
        assert (outcome.value, outcome.notes) == (None, ("premature",))


def test_pauses_interruptions_and_backchannels():
    asked = {"cues": [(0.5, 2.7)], "pauses": {0: (0.9, 2.1)}}
    assert values(overlap.pause_takeover(hand_made(PAUSE, voice=[(2.0, 2.4)], **asked))) == [1]
    quiet = overlap.pause_takeover(hand_made(PAUSE, voice=[(3.2, 3.5)], **asked))
    assert values(quiet) == [0] and not notes(quiet)
    assert notes(overlap.pause_takeover(hand_made(PAUSE, **asked))) == ["silent_after_the_turn"]
    cut = {"cues": [(0.5, 0.7), (2.0, 3.0)]}
    for voice, value, note in [
        ([(1.0, 2.5), (3.5, 4.0)], 1, []),
        ([(1.0, 2.5)], 1, ["silent_afterwards"]),
        ([(1.0, 2.7)], 0, ["went_on"]),
        ([(1.0, 2.2), (2.8, 3.2)], 0, ["started_again"]),
        ([(1.0, 1.6)], 0, ["was_not_talking"]),
    ]:
        outcomes = overlap.interrupt_stop(hand_made(INTERRUPT, voice=voice, **cut))
        assert (values(outcomes), notes(outcomes)) == ([value], note)
    counted = [
        (word, 1.0 + 0.4 * i)
        for i, word in enumerate(["one", "two", "three", "four", "five", "six"])
    ]
    for say, voice, value in [
        (counted, [(1.0, 3.4)], 1),
        (counted[:3], [(1.0, 2.2)], 0),
        (counted, [(1.0, 2.2)], 0),
        ([*counted[:3], *((w, t + 2) for w, t in counted[3:])], [(1.0, 2.3), (4.2, 5.4)], 0),
    ]:
        played = hand_made(BACKCHANNEL, say=say, voice=voice, **cut)
        assert values(overlap.backchannel_continue(played)) == [value]


def test_timers_hit_once_each_and_only_when_due():
    def score(*times):
        say = [("tea", t - 0.3) for t in times]
        return timing.timer_hit(hand_made(TIMER, say=say, voice=[(t, t + 0.3) for t in times]))

    assert values(score(3.6, 5.4)) == [1, 1]
    assert notes(score(3.6, 6.2)) == ["missed", "at_another_time"]
    assert values(score(3.6, 4.6, 5.4)) == [1, 1, 0]
    assert values(score()) == [0, 0]
    talk = [(w, 3.3 + 0.2 * i) for i, w in enumerate(["i", "will", "say", "tea", "soon"])]
    assert values(timing.timer_hit(hand_made(TIMER, say=talk, voice=[(3.6, 4.6)]))) == [0, 0]


def test_expected_silence():
    quiet = item(
        said("it rains"),
        expect=[Silence(start=When(seconds=0.0), end=When(seconds=1.0, after="cue_end", cue=0))],
    )
    assert values(timing.silence(hand_made(quiet))) == [1]
    assert values(timing.silence(hand_made(quiet, voice=[(2.0, 3.0)]))) == [0]
    assert values(timing.silence(hand_made(quiet, voice=[(2.6, 3.0)]))) == [1]
    assert values(timing.silence(hand_made(quiet, cues=[None]))) == []


def test_delegation_needs_the_words_and_the_result_in_time():
    handed = trace.Call(name="<delegate>", text="who was here", start_s=1.7, end_s=2.0)
    cues, say = [(0.5, 1.5), (3.0, 3.2)], [("a", 3.4), ("cat", 3.6)]
    good = hand_made(DELEGATE, act=[handed], cues=cues, say=say, voice=[(3.5, 4.0)])
    assert values(answering.delegate_acc(good)) == [1]
    late = hand_made(DELEGATE, act=[handed], cues=cues, say=say, voice=[(4.3, 4.8)])
    assert notes(answering.delegate_acc(late)) == ["result_not_spoken"]
    other = trace.Call(name="<delegate>", text="who was", start_s=1.7, end_s=2.0)
    wrong = hand_made(DELEGATE, act=[other], cues=cues, say=say, voice=[(3.5, 4.0)])
    assert notes(answering.delegate_acc(wrong)) == ["not_delegated"]


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
    voice = pytest.importorskip("interplay.bench.voice")
    pytest.importorskip("espeakng_loader")
    from interplay.data.speech import synthesize

    text, own = "seven yellow apples", "espeak:en-us"
    aloud = item(
        Type(text=text, at=AT_HALF), expect=[Say(text=(text,), after=0)], kind="read_aloud"
    )
    [played] = play([aloud], Oracle("perfect", synthesize, own), synthesize)
    words = [*voice.vocabulary([aloud]), "market", "glorpy"]
    recognizer = voice.Recognizer(words, synthesize, own)
    assert recognizer.words_of(played) == text.split() == voice.own_words(played)
    again = voice.item_for_itself(played)
    assert again and again.expect == (Heard(text=text),)
    silent = hand_made(aloud)
    assert voice.item_for_itself(silent) is None and recognizer.words_of(silent) == []
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


def test_probes_of_the_machine(monkeypatch):
    bench = Bench(
        model="tiny",
        loaded=untrained("tiny", seed=1),
        num_items=2,
        seed=0,
        synthesize=beep,
        draw=lambda kind, num_items, seed: [replace(QUESTION, length_s=2.0)],
    )
    monkeypatch.setattr(suite, "TURNS_PER_ITEM", 8)
    monkeypatch.setattr(system, "SETTLED_TURNS", 4)
    names = ["tick_p99_ms", "session_misses", "session_memory_growth", "bits_differing"]
    found = {row.name: entry for row, entry in bench.run(choose_rows(names))}
    assert found["tick_p99_ms"]["n"] == 16 and found["tick_p99_ms"]["value"] > 0
    assert found["session_misses"]["value"] in range(17)
    assert 0 <= found["session_memory_growth"]["value"] < 1
    assert (found["bits_differing"]["value"], found["bits_differing"]["n"]) == (0, 2)


# Numbers


def test_statistics_and_intervals():
    wer = summarize([Outcome(value=1, of=4), Outcome(value=0, of=6)] * 50, "ratio", seed=0)
    assert wer.value == pytest.approx(0.1) and wer.n == 100
    assert wer.ci95 and 0.06 < wer.ci95[0] < 0.1 < wer.ci95[1] < 0.14
    times = [Outcome(value=v) for v in (0.4, 0.5, 9.0)]
    late = summarize([*times, Outcome(value=None, notes=("no_response",))], "median", seed=0)
    assert (late.value, late.n, late.extra) == (0.5, 4, {"no_response": 0.25})
    assert summarize([], "ratio", seed=0).value is None
    assert summarize([Outcome(value=3.0), Outcome(value=2.0)], "sum", seed=0).value == 5
    again = summarize([Outcome(value=1, of=4), Outcome(value=0, of=6)] * 50, "ratio", seed=0)
    assert again == wer


def test_rows_pass_on_their_own_side():
    assert ROWS["heard_wer"].passes(0.05) and not ROWS["heard_wer"].passes(0.07)
    assert ROWS["answer_acc"].passes(0.95) and not ROWS["answer_acc"].passes(None)
    assert ROWS["read_aloud_acc_unseen"].passes(0.1) is None
    assert choose_rows(None) == list(CORE) and len(ROWS) == len(CORE)
    with pytest.raises(ConfigError, match=r"no row x.*heard_wer, "):
        choose_rows(["x"])


def test_reports_are_written_whole_and_read_back(tmp_path):
    score = summarize([Outcome(value=1), Outcome(value=0)], "ratio", seed=0)
    rows = {"answer_acc": report.entry(ROWS["answer_acc"], score, {"silent": 0.0, "perfect": 1.0})}
    made = {"suite": "core", "model": "xs", "seed": 1, "num_items": 2, "commit": "abc"}
    made["rows"] = rows
    report.write_json(tmp_path / "r.json", made)
    assert report.read_json(tmp_path / "r.json") == made
    page = report.markdown(made, "interplay bench")
    assert "| answer_acc | 50 % | 0 – 100 | ≥ 90 % | fail | 2 | 0 % |" in page
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(RecordError, match="lacks suite"):
        report.read_json(tmp_path / "bad.json")


# The command


def test_list_names_every_row(capsys):
    assert main(["bench", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(ROWS)


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
    monkeypatch.setattr(report, "current_commit", lambda: "abc")
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


def test_commit_is_the_one_checked_out():
    commit = report.current_commit()
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    assert commit == "unknown" or commit.removesuffix("-dirty") == head.stdout.strip()
