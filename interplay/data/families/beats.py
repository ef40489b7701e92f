"""Beats: the same again and again, two words in turn, a number of times, a countdown.

Knows nothing of batches, noise or how clips were made.
"""

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.data.bank import Clip
from interplay.data.families.clockwork import LEAD_TURNS, count_left, decided_turn, put
from interplay.data.talk import Talk, seconds
from interplay.data.texts import vocabulary as words
from interplay.data.texts import wordings
from interplay.data.texts.templates import NUMBER_OF, Request, seconds_of
from interplay.data.timeline import Running
from interplay.turns import tokens

STOP_S = 3.0  # to say stop and be acknowledged


def beat(talk: Talk) -> bool:
    """One text on a beat, until the user says stop."""
    clip = talk.source.user("beat", talk.rng)
    request = wordings.EVERY.parse(clip.text)
    return _beats(talk, clip, request, [request.slots["x"]], 0)


def times(talk: Talk) -> bool:
    """One text on a beat, so often as the user said."""
    clip = talk.source.user("times", talk.rng)
    request = wordings.TIMES.parse(clip.text)
    return _beats(talk, clip, request, [request.slots["x"]], NUMBER_OF[request.slots["n"]])


def in_turn(talk: Talk) -> bool:
    """Two words in turn, until the user says stop."""
    clip = talk.source.user("in_turn", talk.rng)
    request = wordings.IN_TURN.parse(clip.text)
    return _beats(talk, clip, request, [request.slots["w"], request.slots["v"]], 0)


def _beats(talk: Talk, clip: Clip, request: Request, texts: list[str], number: int) -> bool:
    """`number` beats, or until told to stop if 0."""
    period = seconds_of(request.slots["t"])
    times = number or int(talk.rng.integers(2, 7))
    while times and not talk.fits(seconds(clip) + period * times + STOP_S + 1.5):
        times -= 1
    if not times or times < number:
        return False
    end = put(talk, clip, request.marks)
    decided = decided_turn(end)
    _agree(talk, NUM_SLOTS * decided + 1, period, texts, 0)
    talk.answer(words.ACKNOWLEDGE, end)
    due = decided - LEAD_TURNS
    for k in range(times):
        due += 5 * period
        count_left(talk, due, period)
        talk.timeline.write("act", [tokens.DUE], NUM_SLOTS * due)
        talk.reply(texts[k % len(texts)], NUM_SLOTS * due + 1)
        if len(texts) > 1:
            _agree(talk, NUM_SLOTS * (due + 1), period, texts, k + 1)
    stopped = due + 1 if number else _stop(talk, due, period)
    if number:
        talk.timeline.write("act", [tokens.CANCEL], NUM_SLOTS * stopped)
    ids = _ids(talk, texts, times)
    talk.timeline.running.append(
        Running(tokens.EVERY, decided - LEAD_TURNS, stopped, 5 * period, ids)
    )
    return True


def _stop(talk: Talk, due: int, period: int) -> int:
    """The user says stop before the next beat; returns the micro-turn in which it is obeyed."""
    clip = talk.source.user("cancel", talk.rng)
    room_s = period - 1.2 - (talk.cursor / SAMPLES_PER_TURN - due) / 5 - seconds(clip)
    talk.rest(0.2, max(0.3, room_s))
    end = talk.user(clip)[1]
    stopped = decided_turn(end)
    count_left(talk, due + 5 * period, period, stopped)
    talk.timeline.write("act", [tokens.CANCEL], NUM_SLOTS * stopped + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    return stopped


def _agree(talk: Talk, slot: int, period: int, texts: list[str], number: int) -> None:
    """On `act`; what is said next stands at the end."""
    ids = [tokens.EVERY, tokens.count_token(period), *_ids(talk, texts, number), tokens.END]
    talk.timeline.write("act", ids, slot)


def _ids(talk: Talk, texts: list[str], number: int) -> list[int]:
    encode = talk.timeline.tokenizer.encode
    if len(texts) == 1:
        return encode(texts[0])
    return [*encode(texts[(number + 1) % 2]), tokens.TEXT, *encode(texts[number % 2])]


def count_down(talk: Talk) -> bool:
    """Numbers downwards at one or two seconds, beginning at once."""
    clip = talk.source.user("count_down", talk.rng)
    slots = wordings.COUNT_DOWN.parse(clip.text).slots
    high, period = NUMBER_OF[slots["n"]], seconds_of(slots["t"])
    if not talk.fits(seconds(clip) + period * high + 1.5):
        return False
    end = put(talk, clip)
    decided = decided_turn(end)
    start = [tokens.EVERY, tokens.count_token(period), tokens.END]
    talk.timeline.write("act", start, NUM_SLOTS * decided + 1)
    talk.answer(words.NUMBERS[high], end)
    for value in range(high - 1, 0, -1):
        due = decided + 5 * period * (high - value)
        ids = [tokens.DUE, tokens.count_token(value)]
        talk.timeline.write("act", ids, NUM_SLOTS * due)
        talk.reply(words.NUMBERS[value], NUM_SLOTS * due + 2)
    stopped = decided + 5 * period * (high - 1) + 1
    talk.timeline.write("act", [tokens.CANCEL], NUM_SLOTS * stopped)
    talk.timeline.running.append(Running(tokens.EVERY, decided, stopped, 5 * period))
    return True
