"""The suite voices: what is put in place of known voices, and how much of a score is left."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from bench_helpers import beep, hand_made, item, numbers, said

from interplay.bench.playing.logical_clock import play
from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.suites import voices as suite
from interplay.bench.suites.voices_twin import CUE_WORDS, KNOWN, PARTS, parts, twin
from interplay.bench.systems.oracle import Oracle
from interplay.data import cuespeak
from interplay.data.human import HumanClips
from interplay.data.item import Clip, Item, Say, Speak
from interplay.data.moments import Moment, Plan, Stretch
from interplay.data.texts.questions import facts
from interplay.data.voices import TEST_VOICES, UNSEEN_ENGINE_VOICES

WORDS = (*CUE_WORDS, "stop", "up")
COLUMNS = "archive,start_sample,end_sample,word,speaker,split,source\n"


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> HumanClips:
    """Half a second of noise for each word, each at a level of its own."""
    folder, rng = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    sound = [rng.normal(0, 300 * (1 + k), 8000) for k in range(len(WORDS))]
    soundfile.write(folder / "a.flac", np.concatenate(sound).astype(np.int16), 16_000)
    lines = [f"a,{8000 * k},{8000 * (k + 1)},{w},ann,test,made\n" for k, w in enumerate(WORDS)]
    (folder / "labels.csv").write_text(COLUMNS + "".join(lines))
    return HumanClips.open(folder, "test")


def pairs(items: list[Item]) -> list[tuple[Item, Item]]:
    return list(zip(items[::2], items[1::2], strict=True))


def own_voice(what: Item) -> str:
    return next(cue.voice for cue in what.cues if isinstance(cue, Speak))


def test_all_items_come_in_pairs_that_differ_in_the_voice_alone(clips):
    items = twin(3, 0, clips)
    assert [what.subset for what in items[::2]] == [part for part in PARTS for _ in range(3)]
    for new, known in pairs(items):
        assert known.subset == new.subset + KNOWN and known.seed == new.seed
        assert new.expect == known.expect and new.about == known.about
        assert [c.at for c in new.cues[:-1]] == [c.at for c in known.cues[:-1]]  # type: ignore
        assert own_voice(known).startswith(tuple(TEST_VOICES))
        assert not any(isinstance(cue, Clip) for cue in known.cues)


def test_users_of_the_engine_left_out_say_all_but_foreign_words(clips):
    for new, known in pairs([w for w in twin(9, 1, clips) if w.subset.startswith("unseen")]):
        assert own_voice(new).startswith(tuple(UNSEEN_ENGINE_VOICES))
        for cue, before in zip(new.cues, known.cues, strict=True):
            if isinstance(cue, Speak) and isinstance(before, Speak):
                is_own = before.voice == own_voice(known)
                assert cue.voice == (own_voice(new) if is_own else before.voice)
                assert replace(cue, voice="") == replace(before, voice="")


def test_a_person_says_the_word_that_all_depends_on(clips):
    answers = {question.text: question.answer for question in facts("test")}
    for new, known in pairs([w for w in twin(9, 0, clips) if w.subset.startswith("human")]):
        said_by = [cue for cue in new.cues if isinstance(cue, Clip)]
        assert len(said_by) == {"human_answer": 1, "human_cue": 3, "human_stop": 1}[new.subset]
        for cue, before in zip(new.cues, known.cues, strict=True):
            assert cue == before or (isinstance(cue, Clip) and isinstance(before, Speak))
            if isinstance(cue, Clip) and isinstance(before, Speak):
                assert (cue.word, cue.gain_db) == (before.text, before.gain_db)
                level = np.sqrt(np.mean((cue.samples / 32768.0) ** 2))
                assert 20 * np.log10(level) == pytest.approx(-22, abs=0.1)
        if new.subset == "human_answer":
            text = " ".join(cue.text for cue in known.cues if isinstance(cue, Speak))
            assert [Say(text=(answers[text],), after=1)] == [*new.expect]
        if new.subset == "human_stop":
            asked = next(cue.text for cue in new.cues if isinstance(cue, Speak))
            assert asked.startswith("remind me to") and asked.endswith("seconds")


def test_key_words_are_said_by_nobody_else():
    talk = " ".join([*cuespeak.cuewords.FILLERS, *cuespeak.cuewords.OPENINGS])
    assert not {*CUE_WORDS} & {*talk.split()}


def test_without_recordings_their_parts_are_left_out(tmp_path):
    items = twin(1, 0, HumanClips(tmp_path, []))
    assert {what.subset.removesuffix(KNOWN) for what in items} == {
        "unseen_engine_answer",
        "unseen_engine_cue",
    }
    assert [*parts(["stop"])][2:] == ["human_stop"]
    assert [*parts(["seven"])][2:] == ["human_answer", "human_cue"]


QUESTION = item(said("what is two plus"), said("two"), expect=[Say(text=("four",), after=1)])
CUE = Moment(after=1, due_s=0.0, lo_s=-0.1, hi_s=2.0, any=(("rain",),), meaning="rain")
BEAT = Moment(after=0, due_s=3.0, lo_s=-0.5, hi_s=1.5, any=(("breathe",),), meaning="breathe")


def played(what: Item, subset: str, text: str = "", at: float = 0.0, cues=((0.5, 1.5), (1.6, 2.0))):
    say = [(text, at)] if text else []
    voice = [(at, at + 0.4)] if text else []
    trace = hand_made(replace(what, subset=subset), say=say, voice=voice, cues=cues)
    return replace(trace, user_words=(("word", 0.5, 6.0),))


def values_of(traces) -> dict[str, float | None]:
    return {
        name: value for name, value in numbers(suite.SUITE, traces).items() if value is not None
    }


def test_answers_of_new_voices_are_divided_by_those_of_known_ones():
    right = [played(QUESTION, "human_answer", "four", 2.5) for _ in range(3)]
    wrong = [played(QUESTION, "human_answer", "five", 2.5)]
    known = [played(QUESTION, "human_answer_known", "four", 2.5) for _ in range(4)]
    silent = [played(QUESTION, "human_answer_known")]
    found = values_of([*right, *wrong, *known, *silent])
    assert found == pytest.approx(
        {"human_answer": 0.75, "human_answer_known": 0.8, "human_answer_kept": 0.75 / 0.8}
    )
    assert "human_answer_kept" not in values_of([*right, *silent]), "nothing to divide by"
    assert "human_answer_kept" not in values_of(right), "nothing beside it"


def test_cues_are_answered_over_the_user():
    plan = Plan(family="C1", moments=(CUE,), probe=0, gap_s=0.3)
    what = replace(QUESTION, about=plan.about())
    hit, late = (played(what, "human_cue", "rain", at) for at in (2.4, 4.1))
    assert values_of([hit])["human_cue"] == 1 and values_of([late])["human_cue"] == 0
    after = replace(hit, user_words=(("word", 0.5, 2.0),))
    assert values_of([after])["human_cue"] == 0, "the user had ended"


def test_a_reminder_has_to_come_before_it_can_be_stopped():
    stop = Stretch(after=1, from_s=2.0)
    plan = Plan(family="F2", moments=(BEAT,), probe=0, quiet=(stop,))
    what = replace(QUESTION, about=plan.about(), length_s=14.0)
    cues = ((0.5, 1.5), (6.0, 6.5))

    def value(*times: float) -> float | None:
        trace = hand_made(
            replace(what, subset="human_stop"),
            say=[("breathe", at) for at in times],
            voice=[(at, at + 0.4) for at in times],
            cues=cues,
        )
        return values_of([trace])["human_stop"]

    assert value(4.5) == 1 and value(4.5, 8.0) == 1 and value(4.5, 10.0) == 0
    assert value() == 0 and value(2.0) == 0, "it never was due"


def test_the_interval_of_a_relative_score_draws_both_sides():
    new = [Outcome(value=float(k < 6)) for k in range(10)]
    known = [Outcome(value=float(k < 8), group="known") for k in range(10)]
    score = summarize([*new, *known], "relative", 0)
    assert score.value == pytest.approx(0.75) and score.n == 20
    low, high = score.ci95 or (0, 0)
    assert 0.2 < low < 0.5 and 1.0 < high < 1.6
    assert summarize(new, "relative", 0).value is None
    assert summarize([*new, *known[8:]], "relative", 0).value is None, "0 is no divisor"


@pytest.mark.parametrize("who", ["half_duplex", "perfect"])
def test_trivial_systems(who, clips):
    traces = list(play(twin(1, 0, clips), Oracle(who, beep, "own"), beep))
    found = numbers(suite.SUITE, traces)
    for part in PARTS:
        right = who == "perfect" or part.endswith("answer")
        assert found[part] == found[part + KNOWN] == right, part
        assert found[f"{part}_kept"] == (1 if right else None), part
