"""Clocks that run upwards: a sign after so much talk, and "longer than the last time".

Knows nothing of batches, noise or how clips were made.
"""

from interplay.clock import NUM_SLOTS
from interplay.data.families.clockwork import LEAD_TURNS, decided_turn
from interplay.data.families.timers import measure
from interplay.data.talk import SECOND, Talk, seconds
from interplay.data.texts import vocabulary as words
from interplay.data.texts import wordings
from interplay.data.texts.templates import seconds_of
from interplay.data.timeline import Running, turn_with
from interplay.turns import tokens

PIECES = ("tell", "everyday", "statement", "listen")
SIGN, LONGER = "now", "longer"


def talked(talk: Talk) -> bool:
    """A sign in the middle of the user's talk, so many seconds after it began."""
    clip = talk.source.user("talked", talk.rng)
    wait = seconds_of(wordings.TALKED.parse(clip.text).slots["t"])
    if not talk.fits(seconds(clip) + wait + 6.0):
        return False
    end = talk.user(clip)[1]
    talk.answer(words.ACKNOWLEDGE, end)
    talk.rest(0.2, 0.8)
    first, until = talk.cursor, talk.cursor + int((wait + talk.uniform(0.8, 3.0)) * SECOND)
    while talk.cursor < until:
        piece = talk.source.user(str(talk.rng.choice(PIECES)), talk.rng)
        if not talk.fits(seconds(piece)):
            break
        talk.user(piece)
        talk.rest(0.05, 0.25)
    begun = talk.timeline.yield_turn(first)
    due = turn_with(first) + 5 * wait - LEAD_TURNS
    _run(talk, begun, turn_with(first), due, SIGN)
    return True


def _run(talk: Talk, begun: int, zero: int, due: int, sign: str) -> None:
    """On `act` from micro-turn `begun` on the seconds since `zero`; `sign` is said when due."""
    talk.timeline.write("act", [tokens.CLOCK], NUM_SLOTS * begun)
    for second in range(1, (due - 1 - zero) // 5 + 1):
        if zero + 5 * second > begun:
            slot = NUM_SLOTS * (zero + 5 * second)
            talk.timeline.write("act", [tokens.count_token(second)], slot)
    talk.timeline.write("act", [tokens.DUE], NUM_SLOTS * due)
    talk.reply(sign, NUM_SLOTS * due + 1)
    talk.timeline.write("act", [tokens.CANCEL], NUM_SLOTS * (due + 1))
    talk.timeline.running.append(Running(tokens.CLOCK, zero, due + 1, 1))


def longer(talk: Talk) -> bool:
    """Something is timed; then it begins again, and the model says when it takes longer."""
    clip = talk.source.user("longer", talk.rng)
    if not talk.fits(seconds(clip) + 16.0):
        return False
    elapsed = measure(talk, high=6)
    if elapsed is None or not talk.fits(seconds(clip) + elapsed + 4.0):
        return elapsed is not None
    talk.rest(0.4, 1.2)
    end = talk.user(clip)[1]
    decided = decided_turn(end)
    talk.answer(words.ACKNOWLEDGE, end)
    _run(talk, decided, decided, decided + 5 * (elapsed + 1) - LEAD_TURNS, LONGER)
    return True
