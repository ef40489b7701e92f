"""Whose turn it is: false starts, hesitation, recitals and what overlaps them, speech for others.

Knows nothing of batches, noise or how clips were made.
"""

from interplay.data.families.listening import ask, only_heard, split_clip
from interplay.data.families.noises import noise
from interplay.data.families.overlaps import from_away, overlap
from interplay.data.talk import SECOND, Talk, seconds

OVERLAPS = {
    **{"alone": 0.05, "nods": 0.3, "interrupt": 0.38, "others": 0.14, "asides": 0.08},
    **{"noise": 0.05},
}
OTHERS = {"listen": 0.3, "statement": 0.3, "fact": 0.25, "tell": 0.05, "everyday": 0.1}


def recite(talk: Talk) -> bool:
    """A long answer; nods, noise and speech for others change nothing, a request stops it."""
    clip = talk.source.user("recital", talk.rng)
    asked = talk.source.question(clip.text)
    own = talk.source.own(asked.answer)
    if not talk.fits(seconds(clip) + seconds(own) + 1.5):
        return False
    end = ask(talk, clip, asked, pause_rate=0.2)
    spoken = talk.timeline.speak(own, talk.timeline.answer_slot(end))
    overlap(talk, spoken, OVERLAPS)
    return True


def false_start(talk: Talk) -> bool:
    """A question that begins twice, or hesitates in the middle; the answer waits for its end."""
    clip = talk.source.user("fact", talk.rng)
    asked = talk.source.question(clip.text)
    num_words = len(clip.words)
    if num_words < 3 or not talk.fits(2 * seconds(clip) + 4.5):
        return False
    hesitates = bool(asked.breaks) and talk.rng.random() < 0.5
    breaks = asked.breaks if hesitates else range(1, num_words - 1)
    before, after = split_clip(clip, int(talk.rng.choice(list(breaks))))
    talk.user(before)
    talk.rest(0.15, 0.7)
    if hesitates or talk.rng.random() < 0.3:
        talk.user(talk.source.user("hesitation", talk.rng), goes_on=True)
        talk.rest(0.15, 0.6)
    end = talk.user(after, goes_on=True)[1] if hesitates else talk.user(clip)[1]
    talk.answer(asked.answer, end)
    return True


def hesitation(talk: Talk) -> bool:
    """A sound between two thoughts: written down, answered by nobody."""
    return only_heard(talk, "hesitation", 1.0, (0.6, 1.2))


def aside(talk: Talk) -> bool:
    """Words for somebody else in the room, as loud as any: written down, not answered."""
    return only_heard(talk, "aside", 1.6, (1.0, 1.6))


def others(talk: Talk) -> bool:
    """Speech from further away, by the user who has turned or by somebody else: neither written
    down nor answered, even where it is a question."""
    tag = str(talk.rng.choice(list(OTHERS), p=list(OTHERS.values())))
    clip = talk.source.user(tag, talk.rng)
    if not talk.fits(seconds(clip) + 1.6):
        return False
    sound = from_away(talk, clip)
    talk.timeline.overhear(sound, talk.cursor)
    talk.cursor += len(sound)
    talk.rest(0.9, 1.5)
    return True


def noise_only(talk: Talk) -> bool:
    """Something falls, a motor runs: nothing is written down or said."""
    sound = noise(talk.rng)
    if not talk.fits(len(sound) / SECOND + 0.8):
        return False
    talk.timeline.overhear(sound, talk.cursor)
    talk.cursor += len(sound)
    talk.rest(0.3, 0.8)
    return True
