"""Text on `read`: what is to be read aloud, what is asked or ordered by typing.

A request that is typed is done as if it had been spoken; any other text is read aloud. Knows
nothing of batches or noise.
"""

from interplay.clock import NUM_SLOTS, SAMPLES_PER_TURN
from interplay.data.families.overlaps import overlap
from interplay.data.talk import Talk, seconds
from interplay.data.timeline import HEARD_DELAY, Spoken, turn_with
from interplay.turns import tokens


def read_aloud(talk: Talk) -> bool:
    """Text that arrives on `read` is read aloud; it, too, can be nodded at or interrupted."""
    text = talk.source.phrase(talk.rng, 9)
    own = talk.source.own(text)
    if not talk.fits(seconds(own) + 1.5):
        return False
    spoken = deliver(talk, tokens.TEXT, text, turn_with(talk.cursor))
    shares = {"alone": 1.0}
    if seconds(own) > 2.2:
        shares = {"alone": 0.3, "nods": 0.25, "interrupt": 0.3, "others": 0.15}
    overlap(talk, spoken, shares)
    return True


def deliver(talk: Talk, control: int, text: str, turn: int, slot: int = 0) -> Spoken:
    """Tokens on `read` from micro-turn `turn` on; spoken from output slot `slot` on, or when the
    last has come, whatever is later."""
    ids = [control, *talk.timeline.tokenizer.encode(text), tokens.END]
    last = talk.timeline.write("read", ids, NUM_SLOTS * turn) - 1
    ready = NUM_SLOTS * (last // NUM_SLOTS) + 1
    return talk.timeline.speak(talk.source.own(text), max(slot, ready))


def typed(talk: Talk, text: str) -> int:
    """The user types a request; the cursor moves behind it.

    Returns the sample at which speech would have ended that is acted on in the same micro-turn.
    """
    ids = [tokens.TEXT, *talk.timeline.tokenizer.encode(text), tokens.END]
    last = talk.timeline.write("read", ids, NUM_SLOTS * turn_with(talk.cursor)) - 1
    talk.cursor = (last // NUM_SLOTS + 1) * SAMPLES_PER_TURN
    return talk.cursor - HEARD_DELAY


def typed_question(talk: Talk) -> bool:
    """A closed question that is typed, answered aloud."""
    tag = str(talk.rng.choice(["fact", "fact", "greeting"]))
    asked = talk.source.question(talk.source.user(tag, talk.rng).text)
    if not talk.fits(5.0):
        return False
    talk.answer(asked.answer, typed(talk, asked.text))
    return True


def duet(talk: Talk) -> bool:
    """Told to talk through, the model reads texts aloud while the user talks of other things.

    Fills what is left of the session. Nothing else trains ears, copying and voice at once: both
    lanes are busy most of the time.
    """
    turn = turn_with(talk.cursor)
    talk.timeline.write("read", [tokens.THROUGH], NUM_SLOTS * turn)
    _read_on(talk, turn + 1)
    while talk.fits(1.0):
        tag = str(talk.rng.choice(["listen", "statement", "fact", "human"], p=[0.6, 0.2, 0.1, 0.1]))
        clip = talk.source.user(tag, talk.rng)
        if not talk.fits(seconds(clip) + 0.4):
            break
        talk.user(clip)
        talk.rest(0.15, 0.7)
    talk.cursor = talk.timeline.num_samples
    return True


def _read_on(talk: Talk, turn: int) -> None:
    """Text after text on `read`, each spoken when the one before it has been."""
    while turn < talk.timeline.num_turns - 15:
        spoken = deliver(talk, tokens.TEXT, talk.source.phrase(talk.rng, 9), turn)
        turn = spoken.last // NUM_SLOTS + int(talk.rng.integers(1, 4))
