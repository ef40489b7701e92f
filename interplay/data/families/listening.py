"""Listening: speech that asks for nothing, closed questions, words to be said again.

Knows nothing of batches, noise or how clips were made.
"""

from dataclasses import replace

from interplay.data.bank import Clip
from interplay.data.talk import SECOND, Talk, seconds
from interplay.data.texts.questions import Question


def listen(talk: Talk) -> bool:
    """Speech that asks for nothing: transcribe, stay silent. The pause behind it is longer than a
    breath in a story, at which the model would nod."""
    tag = str(talk.rng.choice(["listen", "everyday", "statement", "word"], p=[0.4, 0.3, 0.2, 0.1]))
    return only_heard(talk, tag, 0.6, (0.5, 0.8))


def only_heard(talk: Talk, tag: str, room_s: float, rest_s: tuple[float, float]) -> bool:
    """One clip of a kind is written down and not answered; False where not `room_s` are left
    behind it."""
    clip = talk.source.user(tag, talk.rng)
    if not talk.fits(seconds(clip) + room_s):
        return False
    talk.user(clip)
    talk.rest(*rest_s)
    return True


def people(talk: Talk) -> bool:
    """A few single words recorded by people: transcribe, stay silent."""
    heard = False
    for _ in range(int(talk.rng.integers(1, 5))):
        clip = talk.source.user("human", talk.rng)
        if talk.fits(seconds(clip) + 0.6):
            talk.user(clip)
            talk.rest(0.15, 1.0)
            heard = True
    return heard


def question(talk: Talk, *, tags: tuple[str, ...] = ("fact", "fact", "fact", "greeting")) -> bool:
    """A closed question, sometimes with a pause inside, answered aloud."""
    clip = talk.source.user(str(talk.rng.choice(tags)), talk.rng)
    asked = talk.source.question(clip.text)
    if not talk.fits(seconds(clip) + 2.5):
        return False
    end = ask(talk, clip, asked)
    talk.answer(asked.answer, end)
    return True


def ask(talk: Talk, clip: Clip, asked: Question, pause_rate: float = 0.4) -> int:
    """The clip is heard, maybe cut by a pause where the sentence is open; returns its end."""
    if not asked.breaks or talk.rng.random() >= pause_rate:
        return talk.user(clip)[1]
    cut = int(talk.rng.choice(asked.breaks))
    before, after = split_clip(clip, cut)
    talk.user(before)
    talk.cursor += int(talk.uniform(0.3, 1.5) * SECOND)
    return talk.user(after, goes_on=True)[1]


def split_clip(clip: Clip, num_words: int) -> tuple[Clip, Clip]:
    """Two clips: the first `num_words` words and the others."""
    border_s = clip.words[num_words - 1][2]
    border = int(border_s * SECOND)
    parts = []
    for low, high, span in (
        (0.0, border_s, slice(None, num_words)),
        (border_s, 1e9, slice(num_words, None)),
    ):
        shifted = [(w, a - low, b - low) for w, a, b in clip.words[span]]
        phones = [(p, a - low, b - low) for p, a, b in clip.phones if low <= a < high]
        samples = clip.samples[:border] if low == 0.0 else clip.samples[border:]
        text = " ".join(word for word, _, _ in shifted)
        parts.append(replace(clip, samples=samples, words=shifted, phones=phones, text=text))
    return parts[0], parts[1]


def say_after_me(talk: Talk) -> bool:
    """ "say X": X comes back."""
    clip = talk.source.user("say", talk.rng)
    if not talk.fits(seconds(clip) * 1.8 + 0.8):
        return False
    _, end = talk.user(clip)
    talk.answer(clip.text.split("say ", 1)[1], end)
    return True


def repeat(talk: Talk) -> bool:
    """A statement, silence, then "what did I say"."""
    clip = talk.source.user("statement", talk.rng)
    back = talk.source.user("repeat", talk.rng)
    if not talk.fits(2 * seconds(clip) + seconds(back) + 3.0):
        return False
    talk.user(clip)
    talk.rest(0.7, 1.6)
    _, end = talk.user(back)
    talk.answer(clip.text, end)
    return True
