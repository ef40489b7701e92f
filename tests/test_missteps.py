"""Counts with numbers at wrong moments behind them: what is drawn, and what is learnt of it."""

import numpy as np
import test_eyes
from test_eyes import said, talk_about

from interplay.data.families import eyes, missteps
from interplay.data.families.missteps import JUMPS, SHARES, miscounted
from interplay.data.texts.vocabulary import NUMBERS

films, tokenizer = test_eyes.films, test_eyes.tokenizer  # fixtures


def test_numbers_at_wrong_moments_are_context_and_those_that_come_after_are_right(
    films, tokenizer, monkeypatch
):
    """Of every start of a number either the micro-turn is the first after a repetition, or nothing
    of it is learnt. Where a repetition is passed over, silence is learnt if its number came early,
    and else not."""
    monkeypatch.setattr(eyes, "STUMBLING", 1.0)
    monkeypatch.setattr(eyes, "OTHER", 0.0)
    monkeypatch.setattr(eyes, "HIGHEST", 15)  # above, numbers are of several tokens here
    drawn = []

    def recorded(*given):
        drawn.append(miscounted(*given))
        return drawn[-1]

    monkeypatch.setattr(eyes, "miscounted", recorded)
    kinds = dict.fromkeys(("wrong", "right", "passed over", "counted early"), 0)
    for seed in range(6):
        talk = talk_about("count every rep aloud", tokenizer, seed)
        assert eyes.count_reps(talk)
        timeline, film = talk.timeline, films[-1]
        assert timeline.streams.see_on is not None
        first, known = int(timeline.streams.see_on.argmax()), timeline.say_known
        ends = {first + int(np.ceil(5 * end - 1e-6)) for _, end in film.cycles}
        counted = [(turn, word) for turn, word in said(talk) if turn >= first]
        begin = NUMBERS.index(counted[0][1]) if counted else 1
        assert [word for _, word in counted] == NUMBERS[begin : begin + len(counted)]
        assert begin == 1 or not known[counted[0][0]]
        right = {turn for turn, _ in counted if known[turn]}
        assert all(min(abs(turn - end) for end in ends) <= 2 for turn in right)
        kinds["right"] += len(right)
        kinds["wrong"] += len(counted) - len(right)
        passed = ends - {turn + k for turn in right for k in (-2, -1, 0)}
        silent = {
            first + int(np.ceil(5 * each.time_s - 1e-6)) for each in drawn[-1] if not each.number
        }
        assert silent <= passed
        kinds["passed over"] += len(silent)
        kinds["counted early"] += len(passed - silent)
        assert not known[[turn for turn in silent if turn < len(known)]].any()
        learnt = [bool(known[turn]) for turn in passed - silent if turn < len(known)]
        assert sum(learnt) >= 0.6 * len(learnt)  # of others a number still sounds
        assert known[:first].all()
        example = timeline.example(np.zeros((timeline.num_turns, 4, 4, 80), np.uint8), start=10)
        assert example.say_known is not None
        assert np.array_equal(example.say_known, known[10:])
    assert min(kinds.values()) >= 3, kinds


def test_miscounts_are_drawn_as_often_as_they_should_be(monkeypatch):
    ends_s = np.cumsum(np.full(2000, 2.0)).tolist()
    few = [miscounted(ends_s[:4], np.random.default_rng(seed), most=15) for seed in range(400)]
    firsts = [next((each for each in counts if each.number), None) for counts in few]
    high = [first for first in firsts if first and first.number != 1]
    assert abs(len(high) / 400 - JUMPS) < 0.08 and not any(first.is_right for first in high)
    assert max(each.number or 0 for counts in few for each in counts) == 15
    monkeypatch.setattr(missteps, "JUMPS", 0.0)
    found = miscounted(ends_s, np.random.default_rng(0), most=5000)
    numbers = [each.number for each in found if each.number is not None]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {each.time_s for each in found if each.is_right} <= set(ends_s)
    late_or_missed = sum(each.number is None for each in found)
    early_or_late = sum(not each.is_right and each.number is not None for each in found)
    missed = len(ends_s) - len(numbers)
    assert abs(late_or_missed / 2000 - SHARES["late"] - SHARES["missed"]) < 0.03
    assert abs(early_or_late / 2000 - SHARES["early"] - SHARES["late"]) < 0.03
    assert abs(missed / 2000 - SHARES["missed"]) < 0.03
    times_s = [each.time_s for each in found]
    assert times_s == sorted(times_s)
    all_of_them = miscounted(ends_s[:15], np.random.default_rng(0), most=15)
    assert max(each.number or 0 for each in all_of_them) <= 15
