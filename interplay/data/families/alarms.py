"""Alarms: say something once, later; two at once; moved, replaced, dropped; after a word; minutes.

Knows nothing of batches, noise or how clips were made.
"""

from interplay.clock import NUM_SLOTS
from interplay.data.families.clockwork import Alarms, decided_turn, meanwhile, put
from interplay.data.talk import NO_MARKS, SECOND, Talk, seconds
from interplay.data.texts import vocabulary, wordings
from interplay.data.texts.templates import seconds_of
from interplay.turns import tokens

MEANWHILE_RATE = 0.5
NEW_WORDS = 0.5  # of what is to be said once
LEFT_S = (3, 290)  # of an alarm that was set before the session began


def once(talk: Talk) -> bool:
    """Said after so many seconds, whatever is said meanwhile; minutes run past the session."""
    clip = talk.source.user("reminder" if talk.rng.random() < NEW_WORDS else "once", talk.rng)
    request = wordings.ONCE.parse(clip.text)
    text, wait = request.slots["x"], seconds_of(request.slots["t"])
    if not talk.fits(seconds(clip) + min(wait, 9) + 2.5) or (wait < 30 and not talk.fits(wait + 5)):
        return False
    end = put(talk, clip, request.marks)
    alarms = Alarms(talk)
    alarms.set(decided_turn(end), (text, wait))
    talk.answer(vocabulary.ACKNOWLEDGE, end)
    _wait(talk, alarms)
    return True


def _wait(talk: Talk, alarms: Alarms) -> None:
    """Until everything has rung, or the session is over."""
    is_busy = talk.rng.random() < MEANWHILE_RATE
    while alarms.waiting:
        until = min(alarms.first.sounds, talk.timeline.num_samples)
        if is_busy or until - talk.cursor > 12 * SECOND:
            meanwhile(talk, until)
        if alarms.first.sounds >= talk.timeline.num_samples:
            talk.cursor = talk.timeline.num_samples
        alarms.ring()
    alarms.close()


def running(talk: Talk) -> bool:
    """The session begins while an alarm is running: what is left of it stands in the note."""
    if talk.cursor > SECOND:
        return False
    talk.timeline.begin_at_note()
    wait = int(talk.rng.integers(*LEFT_S)) if talk.rng.random() < 0.4 else int(talk.uniform(3, 20))
    text = talk.source.phrase(talk.rng, 2)
    alarms = Alarms(talk)
    alarms.resume(text, wait)
    talk.cursor = max(talk.cursor, SECOND)
    _wait(talk, alarms)
    return True


def two(talk: Talk) -> bool:
    """Two at once; sometimes one of them is dropped, or both are."""
    clip = talk.source.user("two", talk.rng)
    request = wordings.TWO.parse(clip.text)
    slots = request.slots
    entries = [(slots["x"], seconds_of(slots["t"])), (slots["y"], seconds_of(slots["u"]))]
    if not talk.fits(seconds(clip) + entries[1][1] + 2.5):
        return False
    end = put(talk, clip, request.marks, typed_rate=0.0)
    alarms = Alarms(talk)
    both = alarms.set(decided_turn(end), *entries)
    talk.answer(vocabulary.ACKNOWLEDGE, end)
    if talk.rng.random() < 0.4:
        drop = talk.source.user("drop", talk.rng)
        talk.rest(0.2, 0.8)
        if talk.cursor + (seconds(drop) + 1.8) * SECOND < both[0].sounds:
            end = talk.user(drop)[1]
            which = wordings.DROP.parse(drop.text).slots["w"]
            alarms.cancel(decided_turn(end), both[("first", "second").index(which)])
            talk.answer(vocabulary.ACKNOWLEDGE, end)
    _wait(talk, alarms)
    return True


def changed(talk: Talk) -> bool:
    """An alarm is moved, replaced by another, or taken back."""
    clip = talk.source.user("once", talk.rng)
    kind = str(talk.rng.choice(["moved", "instead", "never_mind"], p=[0.4, 0.35, 0.25]))
    change = talk.source.user(kind, talk.rng)
    request = wordings.ONCE.parse(clip.text)
    text, wait = request.slots["x"], seconds_of(request.slots["t"])
    new = {"moved": wordings.MOVED, "instead": wordings.INSTEAD}.get(kind)
    then = new.parse(change.text) if new else None
    later = seconds_of(then.slots["t"]) if then else 2
    length = seconds(clip) + seconds(change) + 3.5
    if wait < seconds(change) + 4 or not talk.fits(length + later + 1.5):
        return False
    end = put(talk, clip, request.marks)
    alarms = Alarms(talk)
    alarms.set(decided_turn(end), (text, wait))
    talk.answer(vocabulary.ACKNOWLEDGE, end)
    talk.rest(0.3, max(0.4, min(2.5, wait - seconds(change) - 3.5)))
    end = talk.user(change, marks=then.marks if then else NO_MARKS)[1]
    alarms.cancel(decided_turn(end))
    if then:
        alarms.set(decided_turn(end), (then.slots.get("x", text), later))
    talk.answer(vocabulary.ACKNOWLEDGE, end)
    _wait(talk, alarms)
    return True


def event(talk: Talk) -> bool:
    """The time runs from a word that is said later."""
    clip = talk.source.user("event", talk.rng)
    request = wordings.EVENT.parse(clip.text)
    word, text, wait = request.slots["w"], request.slots["x"], seconds_of(request.slots["t"])
    with_word = talk.source.user_with("mention", talk.rng, [word])
    other = talk.source.user_where("statement", talk.rng, lambda t: word not in t.split())
    if not (with_word and other):
        return False
    if not talk.fits(seconds(clip) + seconds(with_word) + seconds(other) + wait + 6.0):
        return False
    end = put(talk, clip, request.marks, typed_rate=0.0)
    encode = talk.timeline.tokenizer.encode
    ids = [tokens.EVERY, *encode(word), tokens.count_token(wait), tokens.TEXT, *encode(text)]
    talk.timeline.write("act", [*ids, tokens.END], NUM_SLOTS * decided_turn(end) + 1)
    talk.answer(vocabulary.ACKNOWLEDGE, end)
    talk.rest(0.4, 1.5)
    if talk.rng.random() < 0.4:
        talk.user(other)
        talk.rest(0.3, 1.0)
    end = talk.user(with_word)[1]
    alarms = Alarms(talk)
    alarms.set(decided_turn(end), (text, wait))
    _wait(talk, alarms)
    return True


def after_talk(talk: Talk) -> bool:
    """The time runs from the end of what is said: every sentence sets the alarm anew."""
    clip = talk.source.user("after_talk", talk.rng)
    request = wordings.AFTER_TALK.parse(clip.text)
    text, wait = request.slots["x"], seconds_of(request.slots["t"])
    if not talk.fits(seconds(clip) + wait + 5.0):
        return False
    end = talk.user(clip, marks=request.marks)[1]
    alarms = Alarms(talk)
    alarms.set(decided_turn(end), (text, wait))
    for _ in range(int(talk.rng.integers(1, 4))):
        more = talk.source.user("statement", talk.rng)
        talk.rest(0.4, min(1.2, wait - 1.2))
        if not talk.fits(seconds(more) + wait + 2.0):
            break
        end = talk.user(more)[1]
        alarms.cancel(decided_turn(end))
        alarms.set(decided_turn(end), (text, wait))
    alarms.ring()
    alarms.close()
    return True
