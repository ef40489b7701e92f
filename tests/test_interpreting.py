"""Simultaneous translation in training: what is said, when, and when not. No engine, no bank."""

from dataclasses import dataclass
from functools import cache

from family_helpers import WORD_S, LoggedTalk, clip_of, is_in, is_one_of, talk_with

from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_SLOT
from interplay.data.families import BEHAVIOURS, FAMILIES
from interplay.data.families.interpreting import QUEUE_SLOTS, Interpreter
from interplay.data.texts import cue_wordings, vocabulary
from interplay.data.texts.languages.lexicon import LANGUAGES
from interplay.data.texts.languages.sentences import Sentence, sentences
from interplay.data.timeline import Spoken
from interplay.turns import tokens

ACK = vocabulary.ACKNOWLEDGE


@cache
def known() -> dict[str, Sentence]:
    """Every sentence of every language by its text."""
    return {text: s for language in LANGUAGES for text, s in sentences(language).items()}


@cache
def beginnings() -> set[str]:
    return {text[:k] for text in known() for k, letter in enumerate(text) if letter == " "}


@dataclass
class Piece:
    """English that is due: the slot of its first word, if nothing is being said."""

    text: str
    due_slot: int


def talks(count: int) -> list[LoggedTalk]:
    """So many spoken sessions of the family."""
    found, seed = [], 0
    while len(found) < count:
        talk = talk_with(seed)
        seed += 1
        if FAMILIES["translate"](talk) and not talk.timeline.streams.read.any():
            talk.timeline.write_notes()
            found.append(talk)
    return found


def wanted(talk: LoggedTalk) -> list[Piece]:
    """What a listener who knows both languages would say, and when."""
    pieces, words, is_agreed = [], [], False
    for heard in talk.heard:
        if not words and is_in(cue_wordings.TRANSLATE, heard.text):
            is_agreed = True
            continue
        if is_one_of(cue_wordings.TRANSLATE_OFF, heard.text):
            is_agreed = False
            continue
        spoken = heard.text.split()
        words += [(word, heard.start_s + WORD_S * (k + 1)) for k, word in enumerate(spoken)]
        text = " ".join(word for word, _ in words)
        sentence = known().get(text)
        if sentence is None and text in beginnings():
            continue  # it pauses within a sentence
        if sentence and is_agreed:
            for said in sentence.english:
                end_s = words[sentence.num_words(said.after) - 1][1]
                slot = talk.timeline.answer_slot(round(end_s * SAMPLE_RATE_HZ))
                pieces.append(Piece(said.text, slot))
        words = []
    return pieces


def _starts_s(slot: int) -> float:
    return Spoken(slot + 1, slot + 1).starts / SAMPLE_RATE_HZ


def test_every_phrase_is_said_once_it_can_be_and_nothing_else_is():
    overlapping = late = num = 0
    for talk in talks(20):
        due = wanted(talk)
        said = [s for s in talk.said if s.text != ACK]
        assert [s.text for s in said] == [piece.text for piece in due] and due, talk.table()
        for k, (one, piece) in enumerate(zip(said, due, strict=True)):
            soonest_s = _starts_s(piece.due_slot)
            before_s = said[k - 1].end_s if k else 0.0
            waits_s = one.start_s - soonest_s
            assert one.start_s >= before_s and waits_s >= -0.21, talk.table()
            assert waits_s <= (QUEUE_SLOTS + 5) * SAMPLES_PER_SLOT / SAMPLE_RATE_HZ, talk.table()
            is_next = one.start_s - before_s < 0.11
            assert waits_s < 0.21 or is_next, "it waits for its own voice only"
            late += waits_s > 0.21
            over = [min(h.end_s, one.end_s) - max(h.start_s, one.start_s) for h in talk.heard]
            overlapping, num = overlapping + (max(over) > 0.1), num + 1
    assert num > 80 and overlapping > 0.6 * num and 0 < late < 0.7 * num


def test_a_user_whose_english_takes_long_has_to_wait():
    talk = talk_with(0)
    sentence = next(s for s in known().values() if len(s.english) == 3 and s.english[0].after == 0)
    clip = clip_of(sentence.text)
    interpreter = Interpreter(talk)
    free = interpreter.free = talk.timeline.answer_slot(talk.cursor) + 4 * QUEUE_SLOTS
    planned = interpreter.schedule(clip, sentence)
    first_word = len(sentence.source[0].split())
    end = talk.cursor + planned.pauses[0] + round(first_word * WORD_S * SAMPLE_RATE_HZ)
    assert planned.spoken[0] == (sentence.english[0].text, free)
    assert 0 < free - talk.timeline.answer_slot(end) <= QUEUE_SLOTS
    interpreter.say(clip, planned)
    assert " ".join(heard.text for heard in talk.heard) == sentence.text
    assert [said.text for said in talk.said] == [said.text for said in sentence.english]


def test_it_is_agreed_told_in_notes_and_ended():
    ended = 0
    for talk in talks(16):
        agreed = "".join(talk.act).split("<end>")[0]
        assert agreed == "<every> translate<text> english", talk.table()
        is_off = any(is_one_of(cue_wordings.TRANSLATE_OFF, heard.text) for heard in talk.heard)
        assert ("<cancel>" in talk.act) == is_off
        ended += is_off
        acks = [said for said in talk.said if said.text == ACK]
        assert len(acks) == 1 + is_off
        row = talk.timeline.streams.act.reshape(-1).tolist()
        assert tokens.DUE not in row
        assert "".join(talk.act).count("<note><every> translate<text> english<end>") >= 1
    assert 4 < ended < 16


def test_foreign_talk_without_an_agreement_stays_untranslated():
    before = after = english = 0
    for talk in talks(60):
        texts = [heard.text for heard in talk.heard]
        asked = next(k for k, text in enumerate(texts) if is_in(cue_wordings.TRANSLATE, text))
        before += asked > 0
        ended = any(is_one_of(cue_wordings.TRANSLATE_OFF, text) for text in texts)
        after += texts[-1] in known() and ended
        pieces = {word for text in texts[asked + 1 :] for word in text.split()}
        english += bool(pieces & {"the", "we", "they"})
    assert before and after and english


def test_it_has_a_share_and_leaves_the_core_alone():
    assert BEHAVIOURS["translate"] > 0
