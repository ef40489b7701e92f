"""Families practised without a sound: what stands where, and that nothing of it is held out."""

from dataclasses import replace

import numpy as np
import pytest
from family_helpers import LoggedTalk, small_tokenizer

from interplay.clock import NUM_SLOTS
from interplay.data.compose import ComposeConfig, Composer
from interplay.data.corpus import USER_TAGS, Corpus
from interplay.data.families import FAMILIES, REHEARSED, fill
from interplay.data.rehearsal import Rehearsal, Unspoken, unheard
from interplay.data.texts import cue_wordings, everyday, kinds, questions, vocabulary
from interplay.data.texts.questions import split_of
from interplay.data.texts.speakers import speakers
from interplay.data.timeline import Timeline
from interplay.turns import tokens
from interplay.turns.types import PAD

NUM_TURNS = 128
DECISIONS = (tokens.DELEGATE, tokens.TIMER, tokens.EVERY, tokens.CLOCK)


class Logged(LoggedTalk, Rehearsal):
    """A rehearsal that remembers what the user said."""


@pytest.fixture(scope="module")
def unspoken() -> Unspoken:
    return Unspoken(small_tokenizer())


def rehearsals(unspoken: Unspoken, name: str, count: int = 4) -> list[Logged]:
    """So many sessions full of one family."""
    found = []
    for seed in range(6 * count):
        timeline = Timeline(NUM_TURNS, small_tokenizer(), first_turn=7)
        talk = Logged(timeline, unspoken, np.random.default_rng(seed), unheard, cursor=3000)
        fill(talk, {name: 1.0})
        if talk.said:
            found.append(talk)
        if len(found) == count:
            return found
    pytest.fail(f"{name} fits into too few sessions")


def slots(talk: Logged, stream: str, wanted: tuple[int, ...] = ()) -> list[int]:
    """Of everything on a stream, or of some tokens."""
    row = getattr(talk.timeline.streams, stream).reshape(-1)
    return np.flatnonzero(np.isin(row, wanted) if wanted else row != PAD).tolist()


@pytest.mark.parametrize("name", sorted(REHEARSED))
def test_every_family_is_rehearsed_word_by_word(unspoken, name: str):
    for talk in rehearsals(unspoken, name):
        written = talk.timeline.tokenizer.decode(talk.timeline.streams.heard.reshape(-1).tolist())
        wanted = " ".join(h.text for h in talk.heard).split()
        assert written.split() == wanted[: len(written.split())], talk.table()
        assert not talk.timeline.user.any() and not talk.timeline.own.any()


@pytest.mark.parametrize("name", ["once", "beat", "called", "cue", "deed"])
def test_a_request_is_over_when_no_word_comes_any_more(unspoken, name: str):
    """What is agreed stands on `act` once the sentence does on `heard`, and mostly in a micro-turn
    that has none of it any more."""
    later, asked = 0, 0
    for talk in rehearsals(unspoken, name):
        heard = talk.timeline.streams.heard.reshape(-1)
        for slot in slots(talk, "act", DECISIONS):
            before, after = (np.flatnonzero(part) for part in (heard[:slot], heard[slot:]))
            assert not len(after) or heard[slot + after[0]] == tokens.TEXT, talk.table()
            asked += 1
            later += not len(before) or slot // NUM_SLOTS > before[-1] // NUM_SLOTS
    assert asked >= 4 and later > 0.7 * asked


def test_a_cue_is_answered_once_the_whole_word_is_written(unspoken):
    found = 0
    for talk in rehearsals(unspoken, "cue", 12):
        tokenizer, streams = talk.timeline.tokenizer, talk.timeline.streams
        heard, act = streams.heard.reshape(-1), streams.act.reshape(-1)
        for slot in slots(talk, "act", (tokens.DUE,)):
            named = []
            for token in act[slot + 1 :]:
                if token < len(tokens.SPECIALS) and token != PAD:
                    break
                named.append(int(token))
            cue = tokenizer.decode(named)
            if act[slot + 1 + len([n for n in named if n])] != tokens.TEXT:
                continue  # `<due> answer <end>`: the cue is not named
            assert tokenizer.decode(heard[:slot].tolist()).endswith(cue), talk.table()
            found += 1
    assert found > 10


def test_texts_are_those_of_the_training(unspoken):
    rng = np.random.default_rng(0)
    assert set(speakers({"short": (), "statement": (), "phrase": ()})) == set(USER_TAGS)
    for tag in ("fact", "statement", "delegate", "deed"):
        found = {unspoken.user(tag, rng).text for _ in range(60)}
        assert len(found) > 15 and {split_of(text) for text in found} == {"train"}
    nouns = everyday.nouns(everyday.folder())
    for _ in range(60):
        slots_ = cue_wordings.CUE.parse(unspoken.user("cue", rng).text).slots
        assert slots_["w"] in (*kinds.CUE_WORDS, *nouns)
        assert slots_["w"] not in kinds.HELD_OUT_CUES
    with_piano = unspoken.user_with("listen", rng, ["piano"])
    assert with_piano is not None and with_piano.text.split()[-1] == "piano"
    assert unspoken.user_where("fact", rng, lambda text: "nowhere" in text) is None
    sums = unspoken.user_where("fact", rng, lambda text: "plus" in text)
    assert sums is not None and "plus" in sums.text
    assert all(len(unspoken.phrase(rng, 2).split()) <= 2 for _ in range(20))
    asked = questions.facts("train")[0]
    assert unspoken.question(asked.text) == asked
    assert unspoken.trait(rng).split()[1] in vocabulary.NOUNS


def test_a_word_takes_a_micro_turn_or_a_slot_for_each_token(unspoken):
    encode = small_tokenizer().encode_word
    rng = np.random.default_rng(1)
    for _ in range(40):
        clip = unspoken.user("tell", rng)
        for number, (word, start_s, end_s) in enumerate(clip.words):
            num_slots = max(4, len(encode(word)) + (number == 0))
            assert round(20 * (end_s - start_s)) == num_slots
        assert len(clip.samples) == round(16000 * clip.words[-1][2])
    own = unspoken.own("river table")
    assert own.mel is not None and len(own.mel) == 4 * 8 and own.role == "own"


def a_composer(**changes) -> Composer:
    corpus = Corpus.__new__(Corpus)
    corpus.tokenizer = small_tokenizer()
    config = ComposeConfig(batch_size=4, num_turns=64, listening_until=0.0, drilled=1.0, **changes)
    return Composer(corpus, config)


def test_rehearsals_are_a_share_of_the_drills_and_nothing_is_learnt_of_ears_or_voice():
    composer = a_composer(rehearsed=0.5, rehearsal=(("called", 1.0),))
    batches = [composer.batch(step, 0.1) for step in range(12)]
    sessions = [example for batch in batches for example in batch]
    called = [e for e in sessions if tokens.DELEGATE in e.streams.act]
    assert 0.25 < len(called) / len(sessions) < 0.75
    for example in sessions:
        assert example.muted and not example.heard_known.any()
        assert not example.streams.voice_on.any() and not example.streams.voice.any()
        assert (example.phones_user == -1).all() and (example.phones_own == -1).all()
        assert example.streams.hear.std() > 0, "a room is never silent"
    again = a_composer(rehearsed=0.5, rehearsal=(("called", 1.0),)).batch(3, 0.1)
    for one, other in zip(batches[3], again, strict=True):
        np.testing.assert_array_equal(one.streams.act, other.streams.act)
        np.testing.assert_array_equal(one.streams.hear, other.streams.hear)


def test_without_rehearsals_drills_are_what_they_were():
    plain, also = a_composer(), a_composer(rehearsed=0.5)
    config = replace(also.config, rehearsed=0.0)
    for one, other in zip(
        plain.batch(2, 0.1), Composer(also.corpus, config).batch(2, 0.1), strict=True
    ):
        assert not one.streams.act.any()
        np.testing.assert_array_equal(one.streams.heard, other.streams.heard)


def test_what_is_rehearsed_are_families():
    assert set(REHEARSED) <= set(FAMILIES) and min(REHEARSED.values()) > 0
