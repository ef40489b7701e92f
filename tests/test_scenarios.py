"""Questions, timing rules of the timeline, older families, held-out items. No engine, no bank."""

from dataclasses import replace

import numpy as np
import pytest
from family_helpers import WORD_S, clip_of

from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_SLOT, SAMPLES_PER_TURN
from interplay.data import heldout
from interplay.data.families import FAMILIES
from interplay.data.families.conversation import recite
from interplay.data.families.delegation import delegate
from interplay.data.families.listening import listen, say_after_me, split_clip
from interplay.data.families.overlaps import overlap
from interplay.data.families.reading import duet
from interplay.data.families.timers import every, stopwatch, timer
from interplay.data.item import Speak, Type
from interplay.data.talk import Talk
from interplay.data.texts import questions, vocabulary
from interplay.data.timeline import (
    HEARD_DELAY,
    YIELD_DELAY,
    Running,
    Timeline,
    time_tokens,
    turn_with,
)
from interplay.errors import ConfigError
from interplay.turns import tokens
from interplay.turns.follow import PAIRS
from interplay.turns.layout import lay_out
from interplay.turns.tokens import Tokenizer

TEXTS = {
    "listen": "river table",
    "everyday": "my dog is in the garden",
    "statement": "my dog is in the garden",
    "word": "left",
    "human": "left",
    "say": "please say river table",
    "fact": "what is seven plus five",
    "greeting": "hello",
    "recital": "count to six",
    "repeat": "what did i say",
    "timer": "say river in three seconds",
    "every": "remind me to stretch every two seconds",
    "cancel": "stop",
    "clock_start": "start the clock",
    "clock_ask": "how long was that",
    "delegate": "who invented the piano",
    "backchannel": "mm hmm",
    "hesitation": "um",
    "aside": "come here please",
}


class FakeSource:
    """One text per kind; every text can be said."""

    def user(self, tag, rng):
        return clip_of(TEXTS[tag])

    def user_where(self, tag, rng, wanted):
        return self.user(tag, rng)

    def user_with(self, tag, rng, words):
        return self.user(tag, rng)

    def trait(self, rng):
        return "the table is golden"

    def own(self, text):
        return clip_of(text, own=True)

    def question(self, text):
        known = [*questions.facts("train"), *questions.facts("test")]
        known += [*questions.greetings(), *questions.recitals()]
        return next(q for q in known if q.text == text)

    def phrase(self, rng, max_words):
        return "river table"


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(questions.vocabulary(), 1536)


def talk_with(tokenizer, seed=0, num_turns=120, first_turn=0):
    timeline = Timeline(num_turns, tokenizer, first_turn=first_turn)
    rng = np.random.default_rng(seed)

    def arrive(clip):
        return clip.samples.astype(np.float32) / 32768

    return Talk(timeline, FakeSource(), rng, arrive, cursor=1000)


def emitted(timeline, stream):
    """(slot, token name) of everything on a stream."""
    row = getattr(timeline.streams, stream).reshape(-1)
    return [(int(s), timeline.tokenizer.name(int(row[s]))) for s in np.flatnonzero(row)]


def voice_slots(timeline):
    return np.flatnonzero(timeline.streams.voice_on.reshape(-1))


def test_every_fact_is_trained_and_no_test_sentence_is():
    train, test = questions.facts("train"), questions.facts("test")
    assert not {q.text for q in train} & {q.text for q in test}
    assert len(test) > 200

    def facts_of(pool):
        numbers = set(vocabulary.NUMBERS)
        return {
            (q.kind, q.answer, *(w for w in q.text.split() if w in numbers or w in KEYS))
            for q in pool
        }

    assert facts_of(test) <= facts_of(train)


KEYS = {*vocabulary.OPPOSITE, *vocabulary.COLOUR_OF, *vocabulary.DAYS, "plus", "minus"}
KEYS |= {"before", "after"}


def test_breaks_leave_the_sentence_open():
    for question in questions.arithmetic():
        for cut in question.breaks:
            assert question.text.split()[cut - 1] in {"is", "plus", "minus"}


def test_words_are_heard_after_their_end_and_before_half_a_second(tokenizer):
    talk = talk_with(tokenizer)
    assert listen(talk)
    clip = clip_of(TEXTS["listen"])
    heard = [(slot, name) for slot, name in emitted(talk.timeline, "heard") if name != "<text>"]
    assert [name.strip() for _, name in heard] in (
        ["river", "table"],
        ["left"],
        *[TEXTS["statement"].split()],
    )
    for (slot, _), (_, _, end_s) in zip(heard, clip.words, strict=False):
        known_s = (slot // NUM_SLOTS + 1) * 0.2
        late_s = known_s - (1000 / SAMPLE_RATE_HZ + end_s)
        assert 0.2 - 1e-3 <= late_s < 0.2 + 0.2 + 1e-6
    assert not len(voice_slots(talk.timeline))


def test_a_border_opens_every_sentence_and_what_it_quotes(tokenizer):
    talk = talk_with(tokenizer)
    for text in ("please say river table", "remind me to stretch every two seconds", "left"):
        talk.user(clip_of(text))
        talk.rest(0.4, 0.5)
    talk.user(clip_of("seven plus five"), goes_on=True)
    heard = "".join(name for _, name in emitted(talk.timeline, "heard"))
    assert heard == (
        "<text> please say<text> river table<text> remind me to<text> stretch every two seconds"
        "<text> left seven plus five"
    )
    assert questions.borders("what did i say") == (0,)


def test_the_first_quoted_word_is_handed_over_to_say_and_act(tokenizer):
    talk = talk_with(tokenizer)
    assert timer(talk)
    laid, _ = lay_out(talk.timeline.streams)
    first = tokenizer.encode("river")[0]
    for stream, pair in (("act", ("act", "heard")), ("say", ("say", "act"))):
        row = getattr(talk.timeline.streams, stream).reshape(-1)
        handed = laid.previous.follow.reshape(-1, len(PAIRS))[:, PAIRS.index(pair)]
        assert (handed[row == first] == first).all() and (row == first).any()


@pytest.mark.parametrize(("slip", "unknown"), [(0, []), (-1, [2]), (1, [3])])
def test_a_slip_moves_a_word_and_is_not_learnt(tokenizer, slip, unknown):
    timeline, clip = Timeline(10, tokenizer), clip_of("left")
    timeline.hear(clip, clip.samples / 32768, 4640, slips=[slip])
    ((slot, name),) = emitted(timeline, "heard")
    assert (slot // NUM_SLOTS, name.strip()) == (3 + slip, "left")
    assert np.flatnonzero(~timeline.heard_known).tolist() == unknown
    example = timeline.example(timeline.streams.hear, start=1)
    assert np.flatnonzero(~example.heard_known).tolist() == [turn - 1 for turn in unknown]


def test_words_stay_in_order_when_they_slip(tokenizer):
    timeline, clip = Timeline(30, tokenizer), clip_of("river table left right")
    timeline.hear(clip, clip.samples / 32768, 4000, slips=[1, -1, 1, -1])
    heard = "".join(name for _, name in emitted(timeline, "heard"))
    assert heard == " river table left right"


def test_answer_starts_in_the_micro_turn_of_the_last_word(tokenizer):
    talk = talk_with(tokenizer)
    assert say_after_me(talk)
    heard, say = emitted(talk.timeline, "heard"), emitted(talk.timeline, "say")
    assert say[0][0] == heard[-1][0] + 1 == voice_slots(talk.timeline)[0] - 1
    assert [name.strip() for _, name in say] == ["river", "table", "<end>"]
    end = 1000 + 4 * WORD_S * SAMPLE_RATE_HZ
    latency_s = (voice_slots(talk.timeline)[0] + 4) / 20 - end / SAMPLE_RATE_HZ
    assert 0.3 < latency_s < 0.6


def test_interruption_stops_the_voice_in_time(tokenizer):
    found = 0
    for seed in range(40):
        talk = talk_with(tokenizer, seed)
        assert recite(talk)
        stops = [slot for slot, name in emitted(talk.timeline, "say") if name == "<stop>"]
        if not stops:
            continue
        found += 1
        (slot,) = stops
        assert slot % NUM_SLOTS == 0
        assert not talk.timeline.streams.voice_on.reshape(-1)[slot : slot + 4].any()
        user = np.flatnonzero(talk.timeline.user)
        onsets = user[np.flatnonzero(np.diff(user, prepend=-9999) > 1)]
        silent_from = (slot + 4) * SAMPLES_PER_SLOT
        late_s = (silent_from - onsets[onsets < silent_from].max()) / SAMPLE_RATE_HZ
        assert 0.3 < late_s < 0.56
    assert found > 10


@pytest.mark.parametrize("seed", range(6))
def test_speech_for_others_is_not_written_down_and_changes_nothing(tokenizer, seed):
    talk = talk_with(tokenizer, seed)
    spoken = talk.timeline.speak(clip_of("river " * 9, own=True), 4)
    overlap(talk, spoken, {"others": 1.0})
    heard = np.flatnonzero(talk.timeline.user)
    assert spoken.starts < heard[0] < spoken.ends
    assert abs(talk.timeline.user).max() < 3000 / 32768, "quieter than for the model"
    assert not emitted(talk.timeline, "heard")
    assert talk.timeline.streams.voice_on.sum() == spoken.last - spoken.first
    assert talk.cursor >= max(spoken.ends, heard[-1])


def test_timer_counts_down_and_speaks_when_due(tokenizer):
    talk = talk_with(tokenizer)
    assert timer(talk)
    act = emitted(talk.timeline, "act")
    names = [name for _, name in act]
    assert names[:4] == ["<timer>", "<t3>", " river", "<end>"]
    assert names[-3:] == ["<t2>", "<t1>", "<due>"]
    two, one, due = (slot for slot, _ in act[-3:])
    assert one - two == due - one == 5 * NUM_SLOTS
    end_s = (1000 / SAMPLE_RATE_HZ) + 5 * WORD_S
    sounds_s = (due + 2 + 4) / 20
    assert abs(sounds_s - end_s - 3.0) < 0.35


def test_reminders_repeat_until_cancelled_and_notes_tell_them(tokenizer):
    talk = talk_with(tokenizer, num_turns=160, first_turn=30)
    assert every(talk)
    talk.timeline.write_notes()
    act = emitted(talk.timeline, "act")
    dues = [slot for slot, name in act if name == "<due>"]
    assert len(dues) >= 1 and set(np.diff(dues)) <= {2 * 5 * NUM_SLOTS}
    assert any(name == "<cancel>" and slot > dues[-1] for slot, name in act)
    notes = [slot for slot, name in act if name == "<note>"]
    assert all((30 + slot // NUM_SLOTS) % 50 == 0 for slot in notes)


def test_stopwatch_answers_its_own_count(tokenizer):
    talk = talk_with(tokenizer, seed=3)
    assert stopwatch(talk)
    counts = [name for _, name in emitted(talk.timeline, "act") if name.startswith("<t")]
    say = [name.strip() for _, name in emitted(talk.timeline, "say") if name.strip() != "<end>"]
    assert say[0] == "okay" and say[2] in {"second", "seconds"}
    assert counts[-1] == f"<t{vocabulary.NUMBERS.index(say[1])}>"


def test_delegation_carries_the_words_and_waits_for_the_result(tokenizer):
    talk = talk_with(tokenizer)
    assert delegate(talk)
    names = [name.strip() for _, name in emitted(talk.timeline, "act")]
    assert names == ["<delegate>", *TEXTS["delegate"].split(), "<end>"]
    read = emitted(talk.timeline, "read")
    assert read[0][1] == "<result>" and read[-1][1] == "<end>"
    say = emitted(talk.timeline, "say")
    first = next(slot for slot, name in say if name == " river")
    assert 0 <= first // NUM_SLOTS - read[-1][0] // NUM_SLOTS <= 1


def test_a_duet_talks_through_whatever_the_user_says(tokenizer):
    talk = talk_with(tokenizer, num_turns=64)
    assert duet(talk)
    read = [name.strip() for _, name in emitted(talk.timeline, "read")]
    say = [name.strip() for _, name in emitted(talk.timeline, "say")]
    assert read[:2] == ["<through>", "<text>"] and read.count("<through>") == 1
    assert [word for word in read if word[0] != "<"] == [word for word in say if word[0] != "<"]
    assert "<stop>" not in say and len(emitted(talk.timeline, "heard")) > 4
    speaks = talk.timeline.streams.voice_on.reshape(-1)
    hears = talk.timeline.user.reshape(len(speaks), -1).any(-1)
    assert (speaks & hears).mean() > 0.2
    assert talk.cursor == talk.timeline.num_samples


def test_split_clip_keeps_words_and_sound():
    clip = clip_of("what is seven plus five")
    before, after = split_clip(clip, 4)
    assert before.text == "what is seven plus" and after.text == "five"
    assert len(before.samples) + len(after.samples) == len(clip.samples)
    assert after.words[0][1] == pytest.approx(0.0)


def test_the_older_families_fit_their_session(tokenizer):
    names = ("listen", "question", "say_after_me", "repeat", "recite", "read_aloud", "timer")
    for name in (*names, "every", "stopwatch", "delegate", "duet"):
        for seed in range(5):
            talk = talk_with(tokenizer, seed, num_turns=64)
            talk.cursor = int(np.random.default_rng(seed).integers(12 * SAMPLE_RATE_HZ))
            FAMILIES[name](talk)
            talk.timeline.write_notes()
            assert len(talk.timeline.user) == 64 * SAMPLES_PER_TURN
            on = talk.timeline.streams.voice_on
            assert (talk.timeline.streams.voice[~on] == 0).all()


def test_turn_rules():
    assert turn_with(1) == 0 and turn_with(3200) == 0 and turn_with(3201) == 1
    assert HEARD_DELAY < 0.3 * SAMPLE_RATE_HZ < YIELD_DELAY


@pytest.mark.parametrize("kind", sorted(heldout.KINDS))
def test_heldout_items_are_seeded_and_unseen(kind):
    first, again = heldout.items(kind, 6, seed=1), heldout.items(kind, 6, seed=1)
    assert first == again
    assert first != heldout.items(kind, 6, seed=2)
    for item in first:
        texts = [c.text for c in item.cues if isinstance(c, Speak | Type)]
        if kind in {"hear", "hear_unseen", "answer", "pause", "delegate", "read_aloud"}:
            assert questions.split_of(texts[0]) == "test"
        assert item.expect and item.length_s > 2


def test_unseen_words_are_unseen():
    assert not set(vocabulary.UNSEEN) & set(questions.vocabulary())
    assert len(questions.vocabulary()) >= 400


def test_unknown_kind_lists_the_known():
    with pytest.raises(ConfigError, match="answer"):
        heldout.items("dance", 1)


def test_a_timeline_drops_what_lies_past_its_end(tokenizer):
    timeline = Timeline(5, tokenizer)
    spoken = timeline.speak(clip_of("river table", own=True), 18)
    assert spoken.last == 20
    timeline.hear(clip_of("river"), np.ones(9000, np.float32), 12000)
    short = replace(clip_of("river"), phones=[])
    timeline.hear(short, np.ones(100, np.float32), 0)
    assert timeline.phones_user[0] == -1
    assert tokens.STOP not in timeline.streams.say


def test_a_note_waits_for_a_moment_between_the_seconds(tokenizer):
    timeline, ids = Timeline(100, tokenizer), tokenizer.encode("river table left right river table")
    timeline.running.append(Running(tokens.TIMER, 5, 82, 77, ids))
    told = {}
    for second in range(1, 15):
        told[NUM_SLOTS * (82 - 5 * second)] = tokens.count_token(second)
        timeline.write("act", [tokens.count_token(second)], NUM_SLOTS * (82 - 5 * second))
    timeline.write_notes()
    act = timeline.streams.act.reshape(-1).tolist()
    note = act.index(tokens.NOTE)
    size = act[note:].index(tokens.END) + 1
    left = time_tokens(6)
    assert act[note : note + size] == [tokens.NOTE, tokens.TIMER, *left, *ids, tokens.END]
    assert note == NUM_SLOTS * 52 + 1, "due in micro-turn 50, and a second is told in 52"
    assert size > NUM_SLOTS and {slot: act[slot] for slot in told} == told
