"""Families of behaviour: what they expect of the model holds, over seeds. No engine, no bank."""

import numpy as np
import pytest
from family_helpers import LoggedTalk, is_in, is_one_of, talk_with

from interplay.clock import SAMPLE_RATE_HZ, TURN_S
from interplay.data.families import BEHAVIOURS, EYES, FAMILIES, LISTENING
from interplay.data.families.nodding import NOD_S
from interplay.data.families.rules import agreement
from interplay.data.texts import (
    claims,
    cue_wordings,
    kinds,
    questions,
    templates,
    vocabulary,
    wordings,
)
from interplay.data.texts.kinds import NOD, REFUSAL, SECRET
from interplay.data.timeline import SCORED_FROM
from interplay.turns import tokens
from interplay.turns.follow import FIRST_WORD
from interplay.turns.types import PAD

ACK, BRIDGE = vocabulary.ACKNOWLEDGE, vocabulary.BRIDGE
OVER = {"cue", "once", "running", "changed", "two", "event", "talked", "duet", "recite"}
OVER |= {
    "translate",
    "read_aloud",
    "delegate",
    "story",
}  # a text read aloud may be interrupted; nods are late


def talks(name: str, count: int, **options) -> list[LoggedTalk]:
    """So many sessions with one exchange of a family."""
    found = []
    for seed in range(6 * count):
        talk = talk_with(seed, **options)
        if FAMILIES[name](talk):
            talk.timeline.write_notes()
            found.append(talk)
        if len(found) == count:
            return found
    pytest.fail(f"{name} fits into too few sessions")


def texts(talk: LoggedTalk) -> list[str]:
    return [said.text for said in talk.said]


@pytest.mark.parametrize("name", sorted(BEHAVIOURS))
def test_a_session_is_whole_whatever_is_drawn(name: str):
    for seed in range(6):
        talk = talk_with(seed, num_turns=64, first_turn=31 * seed)
        talk.cursor = int(np.random.default_rng(seed).integers(9 * SAMPLE_RATE_HZ))
        before = talk.cursor
        drawn = FAMILIES[name](talk)
        talk.timeline.write_notes()
        streams = talk.timeline.streams
        assert talk.cursor >= before and (drawn or not talk.said), talk.table()
        assert (streams.voice[~streams.voice_on] == 0).all()
        assert len(talk.timeline.user) == len(talk.timeline.own) == 64 * 3200


@pytest.mark.parametrize("name", sorted(BEHAVIOURS))
def test_what_is_heard_is_written_and_nobody_is_talked_over(name: str):
    for talk in talks(name, 4):
        if talk.cursor < talk.timeline.num_samples and not name.startswith("read"):
            written = talk.timeline.tokenizer.decode(
                talk.timeline.streams.heard.reshape(-1).tolist()
            )
            said = sorted(talk.heard, key=lambda heard: heard.start_s)
            assert written.split() == " ".join(h.text for h in said).split(), talk.table()
        if name not in OVER:
            for said in talk.said:
                over = [h for h in talk.heard if h.start_s < said.start_s < h.end_s]
                assert not over, talk.table()


def test_shares_name_families_and_every_family_has_one():
    assert set(LISTENING) <= set(BEHAVIOURS) == set(FAMILIES) - set(EYES)
    assert min(BEHAVIOURS.values()) > 0


@pytest.mark.parametrize(
    "name", ["listen", "people", "hesitation", "aside", "others", "noise_only"]
)
def test_nothing_is_said_to_what_asks_for_nothing(name: str):
    for talk in talks(name, 12):
        assert not talk.said and not talk.act, talk.table()
        if name in ("others", "noise_only"):
            assert talk.timeline.user.any() and not talk.timeline.streams.heard.any()


def test_a_false_start_is_answered_once_and_at_its_end():
    for talk in talks("false_start", 12):
        (answer,) = talk.said
        assert 0.3 < answer.start_s - talk.heard[-1].end_s < 0.7, talk.table()


def test_nods_come_after_later_sentences_and_not_too_often():
    nods = 0
    for talk in talks("story", 12):
        ends = [heard.end_s for heard in talk.heard]
        last = talk.heard[0].start_s
        for said in talk.said:
            end = max(end for end in ends if end < said.start_s)
            assert said.text == NOD and said.start_s - end < 0.7, talk.table()
            assert end != ends[0] and end - last > NOD_S - 0.1
            last, nods = said.end_s, nods + 1
    assert nods > 12


def due(talk: LoggedTalk, text: str, at_s: float) -> bool:
    """Whether the text begins to sound at a time, or would do so after the session."""
    starts = [said.start_s for said in talk.said if said.text == text]
    return any(abs(start - at_s) < 0.35 for start in starts) or at_s > talk.timeline.num_turns / 5


def test_an_alarm_rings_on_time_whatever_is_said_meanwhile():
    meanwhile = 0
    for talk in talks("once", 30):
        if not talk.heard or "<text>" in _read(talk):
            continue
        slots = wordings.ONCE.parse(talk.heard[0].text).slots
        at_s = talk.heard[0].end_s + templates.seconds_of(slots["t"])
        assert due(talk, slots["x"], at_s), talk.table()
        answers = [text for text in texts(talk) if text not in (ACK, slots["x"])]
        assert len(answers) <= len(talk.heard) - 1 and texts(talk).count(slots["x"]) <= 1
        meanwhile += len(talk.heard) > 1
    assert meanwhile > 5


def _read(talk: LoggedTalk) -> list[str]:
    row = talk.timeline.streams.read.reshape(-1)
    return [talk.timeline.tokenizer.name(int(token)) for token in row[row != 0]]


def test_two_alarms_ring_in_turn_and_dropped_ones_do_not():
    dropped = 0
    for talk in talks("two", 24):
        slots = wordings.TWO.parse(talk.heard[0].text).slots
        drops = [h.text for h in talk.heard if is_in(wordings.DROP, h.text)]
        gone = wordings.DROP.parse(drops[0]).slots["w"] if drops else ""
        for which, x, t in (("first", "x", "t"), ("second", "y", "u")):
            at_s = talk.heard[0].end_s + templates.seconds_of(slots[t])
            if which == gone:
                assert slots[x] not in texts(talk), talk.table()
            else:
                assert due(talk, slots[x], at_s), talk.table()
        dropped += bool(drops)
    assert dropped > 3


def test_a_changed_alarm_rings_at_its_new_time_only():
    kinds_seen = set()
    answer_of = {question.text: question.answer for question in questions.facts("train")}
    for talk in talks("changed", 30):
        old = wordings.ONCE.parse(talk.heard[0].text).slots if "<text>" not in _read(talk) else None
        change = next(
            h
            for h in talk.heard
            if is_in(wordings.MOVED, h.text)
            or is_in(wordings.INSTEAD, h.text)
            or h.text in wordings.CANCEL
        )
        if change.text in wordings.CANCEL:
            kinds_seen.add("cancel")
            assert texts(talk) == [ACK, ACK], talk.table()
            continue
        new = wordings.MOVED if is_in(wordings.MOVED, change.text) else wordings.INSTEAD
        slots = new.parse(change.text).slots
        kinds_seen.add(new)
        if old:
            text = slots.get("x", old["x"])
            assert due(talk, text, change.end_s + templates.seconds_of(slots["t"])), talk.table()
            answers = [answer_of.get(heard.text) for heard in talk.heard]
            assert texts(talk).count(text) <= 1 + answers.count(text)
    assert len(kinds_seen) == 3


def test_a_session_that_begins_at_a_note_goes_on_with_its_alarm():
    minutes = 0
    for talk in talks("running", 20, first_turn=33):
        streams = talk.timeline.streams
        assert streams.first_turn == 0 and talk.timeline.scored_from == SCORED_FROM
        assert talk.act[:2] == ["<note>", "<timer>"], talk.table()
        first, second = talk.act[2:4]
        is_long = second.startswith("<t")
        minutes += is_long
        left = int(first[2:-1]) * (60 if is_long else 1) + (int(second[2:-1]) if is_long else 0)
        ring = [i for i, token in enumerate(streams.act.reshape(-1)) if token == tokens.DUE]
        assert len(ring) == (left < 25) and all(abs(slot / 20 - left) < 0.3 for slot in ring)
    assert minutes > 2


def test_the_time_runs_from_a_word_or_from_the_end_of_talk():
    for talk in talks("event", 10):
        slots = wordings.EVENT.parse(talk.heard[0].text).slots
        word = next(h for h in talk.heard[1:] if slots["w"] in h.text.split())
        assert due(talk, slots["x"], word.end_s + templates.seconds_of(slots["t"])), talk.table()
    for talk in talks("after_talk", 10):
        slots = wordings.AFTER_TALK.parse(talk.heard[0].text).slots
        at_s = talk.heard[-1].end_s + templates.seconds_of(slots["t"])
        assert texts(talk) == [slots["x"]] and due(talk, slots["x"], at_s), talk.table()


@pytest.mark.parametrize("name, wording", [("beat", wordings.EVERY), ("times", wordings.TIMES)])
def test_beats_keep_time_and_stop(name: str, wording: templates.Wordings):
    for talk in talks(name, 12):
        if "<text>" in _read(talk):
            continue
        slots = wording.parse(talk.heard[0].text).slots
        beats = [said for said in talk.said if said.text == slots["x"]]
        for number, said in enumerate(beats, 1):
            at_s = talk.heard[0].end_s + number * templates.seconds_of(slots["t"])
            assert abs(said.start_s - at_s) < 0.35, talk.table()
        if name == "times":
            assert len(beats) == templates.NUMBER_OF[slots["n"]]
        else:
            assert talk.heard[-1].text in vocabulary.CANCELS
        assert talk.act.count("<due>") == len(beats) >= 1
        if talk.heard[-1].end_s < TURN_S * talk.timeline.num_turns - 1.0:  # the session goes on
            assert "<cancel>" in talk.act
            assert name == "times" or texts(talk)[-1] == ACK


def test_two_words_come_in_turn_and_numbers_go_down():
    for talk in talks("in_turn", 8):
        if "<text>" not in _read(talk):
            slots = wordings.IN_TURN.parse(talk.heard[0].text).slots
            said = [text for text in texts(talk) if text != ACK]
            assert said == [slots["wv"[k % 2]] for k in range(len(said))], talk.table()
    for talk in talks("count_down", 8):
        numbers = [vocabulary.NUMBERS.index(text) for text in texts(talk)]
        assert numbers == list(range(numbers[0], 0, -1)), talk.table()
        gaps = np.diff([said.start_s for said in talk.said[1:]])
        assert np.allclose(gaps, gaps[0], atol=0.01) and round(gaps[0]) in (1, 2)


def test_a_sign_comes_after_so_much_talk_and_longer_means_longer():
    for talk in talks("talked", 10):
        wait = templates.seconds_of(wordings.TALKED.parse(talk.heard[0].text).slots["t"])
        assert due(talk, "now", talk.heard[1].start_s + wait), talk.table()
    for talk in talks("longer", 10):
        if "longer" in texts(talk):
            told = vocabulary.NUMBERS.index(texts(talk)[1].split()[0])
            again = next(h for h in talk.heard if h.text in wordings.LONGER)
            assert due(talk, "longer", again.end_s + told + 1), talk.table()


def expected(talk: LoggedTalk) -> list[tuple[str, float]]:
    """What a listener who knows the rules would say, and when each cue was over. Spoken rules
    only: the log does not hold what was typed."""
    encode, due_now, rules = talk.timeline.tokenizer.encode, [], []
    for heard in talk.heard:
        for tag in ("cue", "category", "filler", "count_word", "count_kind", "count_quietly"):
            try:
                rules.append(agreement(tag, heard.text).make(encode))
                break
            except KeyError:
                continue
        else:
            if is_one_of(cue_wordings.FOREIGN, heard.text):
                rules.append(agreement("foreign_rule", "").make(encode))
            elif is_one_of(cue_wordings.CORRECT, heard.text):
                rules.append(agreement("correct", "").make(encode))
            elif is_one_of(cue_wordings.LAST_WORD, heard.text):
                rules.append(agreement("last_word", "").make(encode))
            elif is_in(cue_wordings.NAMED, heard.text):
                rules.append(agreement("named", heard.text).make(encode))
            elif is_one_of((*cue_wordings.CUES_OFF, *cue_wordings.HOW_MANY), heard.text):
                rules = []
            else:
                found = sorted(
                    ((place, rule) for rule in rules for place in rule.found(heard.text)),
                    key=lambda pair: pair[0],
                )
                for place, rule in found:
                    text = rule.reply(heard.text, place).text
                    if text:
                        due_now.append((text, heard.start_s + 0.3 * (place + 1)))
    return due_now


def test_cues_are_answered_over_the_user_and_nothing_else_is():
    over, quiet, num = 0, 0, 0
    for talk in talks("cue", 50):
        if "<text>" in _read(talk):
            continue
        wanted = expected(talk)
        said = [s for s in talk.said if s.text != ACK]
        if any(h.text in cue_wordings.HOW_MANY for h in talk.heard):
            said, quiet = said[:-1], quiet + 1
        assert [s.text for s in said] == [text for text, _ in wanted], talk.table()
        for reply, (_, end_s) in zip(said, wanted, strict=True):
            assert reply.start_s - end_s > 0.4, talk.table()
            num += 1
            over += any(
                min(h.end_s, reply.end_s) - max(h.start_s, reply.start_s) >= 0.2 for h in talk.heard
            )
        late = [s.start_s - end_s for s, (_, end_s) in zip(said, wanted, strict=True)]
        assert sum(late_s > 2.0 for late_s in late) <= 0.2 * len(late) + 1, talk.table()
    assert num > 40 and over > 0.8 * num and quiet


@pytest.mark.parametrize("name", ["delegate", "called", "late", "in_pieces", "failed"])
def test_results_are_said_when_they_have_come_and_never_before(name: str):
    for talk in talks(name, 10):
        names = talk.act
        assert names.count("<delegate>") == 1 and BRIDGE in texts(talk), talk.table()
        bridge = next(s for s in talk.said if s.text == BRIDGE)
        asked = max(h.end_s for h in talk.heard if h.end_s < bridge.start_s)
        assert bridge.start_s - asked < 0.6
        results = _results(talk)
        starts = {said.text: said.start_s for said in talk.said}
        for text, arrived_s in results:
            assert starts[text] >= arrived_s - 1e-6, talk.table()


def _results(talk: LoggedTalk) -> list[tuple[str, float]]:
    row = talk.timeline.streams.read.reshape(-1)
    parts, found = [], []
    for token in row[row != 0]:
        parts.append(int(token))
        if token == tokens.END:
            found.append((parts[0], talk.timeline.tokenizer.decode(parts)))
            parts = []
    return [
        (text, at_s)
        for (opener, text), at_s in zip(found, talk.arrivals(), strict=True)
        if opener == tokens.RESULT
    ]


def test_what_nobody_wants_any_more_is_not_said_and_corrections_count():
    arrived = 0
    for talk in talks("dropped", 12):
        arrived += len(_results(talk))
        assert texts(talk) == [BRIDGE, ACK], talk.table()
    assert arrived
    for talk in talks("called", 20):
        handed = "".join(talk.act[1:-1]).strip()
        whole = talk.heard[0].text
        back = next((b for b in kinds.CALL_BACK if f" {b} " in whole), None)
        assert handed == (whole.split(f" {back} ")[1] if back else whole), talk.table()


def test_harm_is_refused_and_secrets_are_kept():
    replies = set()
    for talk in talks("deed", 20):
        text = talk.heard[0].text if talk.heard else _typed(talk)[0]
        harmful = kinds.ASK_DEED.parse(text).slots["x"] in kinds.DEEDS
        assert texts(talk) == [REFUSAL if harmful else BRIDGE], talk.table()
        assert ("<delegate>" in talk.act) != harmful
    for talk in talks("secret", 20):
        rule, *asked = _typed(talk)
        hidden = kinds.FORBID.parse(rule).slots
        about = kinds.ABOUT.parse(asked[0] if asked else talk.heard[0].text).slots["w"]
        reply = SECRET if about == hidden["w"] else hidden["x"]
        replies.add(reply == SECRET)
        assert texts(talk) == [ACK, reply], talk.table()
    assert len(replies) == 2


def _typed(talk: LoggedTalk) -> list[str]:
    parts = "".join(_read(talk)).split("<text>")[1:]
    return [part.removesuffix("<end>").strip() for part in parts]


def test_foreign_words_and_claims_have_one_answer():
    assert all(english in kinds.own_texts() for english in claims.ENGLISH_OF.values())
    truths = [claim.is_true for claim in claims.CLAIM_OF.values()]
    assert 100 < sum(truths) < len(truths) / 4
    wrong = claims.CLAIM_OF["i think tokyo is the capital of france"]
    assert (wrong.right, wrong.is_true) == ("paris", False)


def test_a_cue_is_due_when_all_of_its_word_is_written():
    """What is not written yet cannot be compared with the word that was agreed."""
    whole = parts = 0
    for talk in talks("cue", 40):
        heard, act = (getattr(talk.timeline.streams, name).reshape(-1) for name in ("heard", "act"))
        for slot in np.flatnonzero(act == tokens.DUE):
            named = next(k for k, token in enumerate(act[slot + 1 :]) if token < FIRST_WORD)
            word = act[slot + 1 : slot + 1 + named].tolist()  # which cue it is
            written = [int(token) for token in heard[:slot] if token != PAD]
            begun = [k for k in range(1, named) if written[-k:] == word[:k]]
            whole += written[-named:] == word
            parts += bool(begun) and written[-named:] != word
    assert whole > 30 and not parts
