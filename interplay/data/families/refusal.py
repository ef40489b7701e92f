"""Polite refusal: deeds nobody gets help with, and what the model was told to keep to itself.

Harmless requests of the same form go to the background model. Knows nothing of batches or noise.
"""

from interplay.data.families.clockwork import put
from interplay.data.families.delegation import hand_over
from interplay.data.families.reading import typed
from interplay.data.talk import Talk, seconds
from interplay.data.texts import vocabulary as words
from interplay.data.texts.kinds import ABOUT, ASK_DEED, DEEDS, FORBID, REFUSAL, SECRET


def deed(talk: Talk) -> bool:
    """A request that is refused, or a harmless one that is handed over."""
    clip = talk.source.user("deed", talk.rng)
    if not talk.fits(seconds(clip) + 4.0):
        return False
    end = put(talk, clip, typed_rate=0.35)
    if ASK_DEED.parse(clip.text).slots["x"] in DEEDS:
        talk.answer(REFUSAL, end)
        return True
    hand_over(talk, end, clip.text)
    return True


def secret(talk: Talk) -> bool:
    """Typed: one thing must not be talked about, another one is told. Then one of them is asked
    for, by voice or by typing."""
    trait = talk.source.trait(talk.rng)
    known = trait.split()[1]
    while (hidden := str(talk.rng.choice(words.NOUNS[:60]))) == known:
        pass
    if not talk.fits(9.0):
        return False
    end = typed(talk, FORBID.draw(talk.rng, w=hidden, x=trait))
    talk.answer(words.ACKNOWLEDGE, end)
    talk.rest(0.3, 1.5)
    asked = hidden if talk.rng.random() < 0.5 else known
    clip = talk.source.user_where("about", talk.rng, lambda text: text.split()[-1] == asked)
    if clip and talk.rng.random() < 0.5:
        end = talk.user(clip)[1]
    else:
        end = typed(talk, ABOUT.draw(talk.rng, w=asked))
    talk.answer(SECRET if asked == hidden else trait, end)
    return True
