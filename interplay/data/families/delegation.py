"""Delegation: a short bridge, then what the background model sends, when it sends it.

Nothing of a result is said before it is there, and never into the user's speech. Knows nothing of
what a background model is.
"""

from dataclasses import dataclass

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.data.families.clockwork import decided_turn
from interplay.data.families.reading import deliver, read_aloud
from interplay.data.talk import NO_MARKS, SECOND, Talk, seconds
from interplay.data.texts import vocabulary as words
from interplay.data.texts.kinds import CALL_BACK, SORRY
from interplay.data.texts.templates import Marks
from interplay.data.timeline import Spoken, turn_with
from interplay.turns import tokens

RESULT_WORDS = 4
CHARTS = 0.25  # of the calls


def delegate(talk: Talk) -> bool:
    """An open question goes to the background model on `act`; its result is spoken on arrival.

    Now and then a text was read aloud just before: the bridge is not that text.
    """
    has_read = talk.rng.random() < 0.25 and read_aloud(talk)
    if has_read:
        talk.rest(0.3, 1.2)
    text = talk.source.phrase(talk.rng, RESULT_WORDS)
    wait_s = talk.uniform(1.2, 4.0)
    bridge = _ask(talk, wait_s + seconds(talk.source.own(text)) + 1.5)
    if bridge is None:
        return has_read
    arrival = max(bridge.decided + int(5 * wait_s), turn_with(bridge.spoken.ends))
    _result(talk, text, arrival)
    return True


@dataclass(frozen=True)
class Bridge:
    """What is said until there is more. decided: the micro-turn in which it was decided."""

    decided: int
    spoken: Spoken


def hand_over(talk: Talk, end: int, asked: str) -> Bridge:
    """What was asked until sample `end` goes to the background model, in the words `asked`."""
    decided = decided_turn(end)
    ids = [tokens.DELEGATE, *talk.timeline.tokenizer.encode(asked), tokens.END]
    talk.timeline.write("act", ids, NUM_SLOTS * decided + 1)
    return Bridge(decided, talk.answer(words.BRIDGE, end))


def _ask(talk: Talk, room_s: float, tag: str = "delegate") -> Bridge | None:
    """The user asks; None where there are not `room_s` seconds left behind the question."""
    clip = talk.source.user(tag, talk.rng)
    if not talk.fits(seconds(clip) + room_s):
        return None
    asked, marks = clip.text, NO_MARKS
    for back in CALL_BACK:
        if f" {back} " in clip.text:
            asked = clip.text.split(f" {back} ", 1)[1]
            marks = Marks(quotes=(len(clip.text.split()) - len(asked.split()),))
    return hand_over(talk, talk.user(clip, marks=marks)[1], asked)


def _result(talk: Talk, text: str, turn: int, slot: int = 0) -> Spoken:
    """A result arrives from micro-turn `turn` on and is said, not before output slot `slot`; the
    cursor moves behind it."""
    spoken = deliver(talk, tokens.RESULT, text, turn, slot)
    talk.cursor = max(talk.cursor, spoken.ends)
    return spoken


def called(talk: Talk) -> bool:
    """A request for one or two function calls, or for a chart; words that were taken back are not
    handed over."""
    text = talk.source.phrase(talk.rng, RESULT_WORDS)
    tag = "chart" if talk.rng.random() < CHARTS else "call"
    bridge = _ask(talk, seconds(talk.source.own(text)) + 4.5, tag=tag)
    if bridge is None:
        return False
    arrival = max(bridge.decided + int(talk.uniform(5, 12)), turn_with(bridge.spoken.ends))
    _result(talk, text, arrival)
    return True


def late(talk: Talk) -> bool:
    """The result takes long; meanwhile there is other talk, and it may arrive into a sentence."""
    text = talk.source.phrase(talk.rng, RESULT_WORDS)
    bridge = _ask(talk, seconds(talk.source.own(text)) + 9.0)
    if bridge is None:
        return False
    talk.rest(0.4, 1.5)
    clip = talk.source.user("fact", talk.rng)
    answer = talk.source.question(clip.text).answer
    length = seconds(clip) + seconds(talk.source.own(answer)) + seconds(talk.source.own(text))
    if talk.fits(length + 7.0):
        talk.answer(answer, talk.user(clip)[1])
        talk.rest(0.4, 1.5)
    into = talk.source.user(
        str(talk.rng.choice(["statement", "listen", "tell", "everyday"])), talk.rng
    )
    if not talk.fits(seconds(into) + seconds(talk.source.own(text)) + 2.0):
        _result(talk, text, turn_with(talk.cursor))
        return True
    start = talk.cursor
    end = talk.user(into)[1]
    turn = turn_with(int(talk.uniform(start + 0.2 * SECOND, end)))
    _result(talk, text, turn, talk.timeline.answer_slot(end))
    return True


def in_pieces(talk: Talk) -> bool:
    """Two or three results, one after the other; the next may come while one is being said."""
    texts = [
        talk.source.phrase(talk.rng, RESULT_WORDS) for _ in range(int(talk.rng.integers(2, 4)))
    ]
    room_s = sum(seconds(talk.source.own(text)) + 1.5 for text in texts) + 3.0
    bridge = _ask(talk, room_s)
    if bridge is None:
        return False
    turn, spoken = bridge.decided + int(talk.uniform(5, 15)), bridge.spoken
    for text in texts:
        turn = max(turn, turn_with(bridge.spoken.ends))
        spoken = _result(talk, text, turn, spoken.last + 2)
        turn = spoken.first // NUM_SLOTS + int(talk.uniform(3, 12))
    return True


def dropped(talk: Talk) -> bool:
    """The user does not want to know any more; what comes after all is not said."""
    text = talk.source.phrase(talk.rng, RESULT_WORDS)
    bridge = _ask(talk, 6.0)
    if bridge is None:
        return False
    talk.rest(0.3, 1.5)
    end = talk.user(talk.source.user("never_mind", talk.rng))[1]
    decided = decided_turn(end)
    talk.timeline.write("act", [tokens.CANCEL], NUM_SLOTS * decided + 1)
    talk.answer(words.ACKNOWLEDGE, end)
    if talk.rng.random() < 0.6 and talk.fits(2.5):
        turn = turn_with(talk.cursor) + int(talk.uniform(1, 8))
        ids = [tokens.RESULT, *talk.timeline.tokenizer.encode(text), tokens.END]
        last = talk.timeline.write("read", ids, NUM_SLOTS * turn)
        talk.cursor = max(talk.cursor, SAMPLES_PER_TURN * (last // NUM_SLOTS + 4))
    return True


def failed(talk: Talk) -> bool:
    """The background model fails: its apology is said as it came."""
    text = SORRY[int(talk.rng.integers(len(SORRY)))]
    bridge = _ask(talk, seconds(talk.source.own(text)) + 4.5)
    if bridge is None:
        return False
    arrival = max(bridge.decided + int(talk.uniform(5, 15)), turn_with(bridge.spoken.ends))
    _result(talk, text, arrival)
    return True
