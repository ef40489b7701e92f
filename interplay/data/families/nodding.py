"""The model's own nods: the user tells something long, in sentences with short breaths between.

From the second sentence on, and not sooner than NOD_S after the start or the last nod, the end of
a sentence is answered with a short sound. Knows nothing of batches or noise.
"""

from interplay.data.talk import SECOND, Talk, seconds
from interplay.data.texts.kinds import NOD

NOD_S = 3.0
BREATH_S = (0.35, 0.65)
TAGS = ("tell", "statement", "everyday")


def story(talk: Talk) -> bool:
    """Three to six sentences, nodded at; the user goes on over the nod."""
    clips = [
        talk.source.user(str(talk.rng.choice(TAGS)), talk.rng)
        for _ in range(int(talk.rng.integers(3, 7)))
    ]
    while len(clips) > 2 and not talk.fits(sum(seconds(clip) + BREATH_S[1] for clip in clips) + 1):
        clips.pop()
    if not talk.fits(sum(seconds(clip) + BREATH_S[1] for clip in clips) + 1.0):
        return False
    since = talk.cursor
    spoken = None
    for number, clip in enumerate(clips):
        end = talk.user(clip)[1]
        if number and end - since > NOD_S * SECOND:
            own = talk.source.own(NOD)
            spoken = talk.timeline.speak(own, talk.timeline.answer_slot(end))
            since = spoken.ends
        talk.rest(*BREATH_S)
    if spoken:
        talk.cursor = max(talk.cursor, spoken.ends)
    talk.rest(0.6, 1.0)
    return True
