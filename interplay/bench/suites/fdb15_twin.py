"""Items in the structure of Full-Duplex-Bench V1.5, made here: four ways of being overlapped.

The model answers a request with a recital; a moment after it began to speak, there comes a second
request, a nod, a sentence for somebody else or a voice from behind. What would address the overlap
(`keys`) never occurs in the recital. Each item is followed by the same without its overlap, as
published. Knows nothing of scores.
"""

from dataclasses import replace

import numpy as np

from interplay.bench.suites import fdb_twin as twin
from interplay.bench.suites.fdb15_clean import CLEAN
from interplay.data.item import Clip, Cue, Expect, Item, KeepTalking, Say, StopBy, When
from interplay.data.overheard import aside, behind
from interplay.data.texts import questions, vocabulary
from interplay.data.texts.questions import Question

AFTER_OVERLAP_S = 6.0
FACTS = questions.facts("test")
CONTENT = frozenset(vocabulary.CONTENT)


def user_interruption(rng: np.random.Generator, number: int) -> Item:
    """A question by the same person, dry: to be answered."""
    user, asked = twin.somebody(rng), twin.recital(rng, long=True)
    fact = _fact(rng, asked)
    cue = user.says(fact.text, _overlap_at(rng))
    expect: list[Expect] = [
        Say(text=(asked.answer,), after=0),
        StopBy(after=1),
        Say(text=(fact.answer,), after=1),
    ]
    return _item(rng, number, "user_interruption", user, asked, cue, fact.text, expect, [fact])


def user_backchannel(rng: np.random.Generator, number: int) -> Item:
    """A nod by the same person: to be talked through."""
    user, asked = twin.somebody(rng), twin.recital(rng, long=True)
    nod = twin.pick(rng, list(vocabulary.BACKCHANNELS))
    cue = user.says(nod, _overlap_at(rng))
    return _item(rng, number, "user_backchannel", user, asked, cue, nod, _goes_on(asked), [])


def talking_to_other(rng: np.random.Generator, number: int) -> Item:
    """A sentence that the same person says to somebody else."""
    user, asked = twin.somebody(rng), twin.recital(rng, long=True)
    text = _told(rng, asked)
    cue = _clip(rng, aside(_sound(user, text)), text, user.gain_db)
    return _item(rng, number, "talking_to_other", user, asked, cue, text, _goes_on(asked), [])


def background_speech(rng: np.random.Generator, number: int) -> Item:
    """A sentence by somebody else in the room."""
    user, other = twin.somebody(rng), twin.somebody(rng)
    asked = twin.recital(rng, long=True)
    text = _told(rng, asked)
    cue = _clip(rng, behind(_sound(other, text)), text, user.gain_db)
    return _item(rng, number, "background_speech", user, asked, cue, text, _goes_on(asked), [])


def _item(
    rng: np.random.Generator,
    number: int,
    part: str,
    user: twin.User,
    asked: Question,
    overlap: Cue,
    text: str,
    expect: list[Expect],
    facts: list[Question],
) -> Item:
    at = twin.at_first(rng)
    keys = [fact.answer for fact in facts]
    if part in ("talking_to_other", "background_speech"):
        keys = [word for word in text.split() if word in CONTENT]
    seconds = (
        at.seconds + user.seconds(asked.text) + 1.0 + twin.AFTER_ONSET_S[1] + user.seconds(text)
    )
    return twin.item(
        rng,
        number,
        kind=f"fdb15_{part}",
        length_s=seconds + AFTER_OVERLAP_S,
        cues=[user.says(asked.text, at), overlap],
        expect=expect,
        about={"part": part, "cue": 1, "keys": keys, "task": asked.answer},
    )


def _overlap_at(rng: np.random.Generator) -> When:
    return When(seconds=float(rng.uniform(*twin.AFTER_ONSET_S)), after="voice", cue=0)


def _goes_on(asked: Question) -> list[Expect]:
    return [Say(text=(asked.answer,), after=0), KeepTalking(through=1, text=(asked.answer,))]


def _fact(rng: np.random.Generator, asked: Question) -> Question:
    """A question whose answer shares no word with the recital."""
    recited = set(asked.answer.split())
    return twin.pick(rng, [f for f in FACTS if not recited & set(f.answer.split())])


def _told(rng: np.random.Generator, asked: Question) -> str:
    """A statement with words to recognise it by, none of them in the recital."""
    recited = set(asked.answer.split())
    while recited & set((text := twin.statement(rng)).split()) or not CONTENT & set(text.split()):
        pass
    return text


def _sound(user: twin.User, text: str) -> np.ndarray:
    return user.sound(text).samples.astype(np.float32) / 32768


def _clip(rng: np.random.Generator, samples: np.ndarray, text: str, gain_db: float) -> Clip:
    return Clip(samples=samples, word=text, at=_overlap_at(rng), gain_db=gain_db)


PARTS = {
    "user_interruption": user_interruption,
    "user_backchannel": user_backchannel,
    "talking_to_other": talking_to_other,
    "background_speech": background_speech,
}


def items(num_items: int, seed: int) -> list[Item]:
    """So many items of every scenario, each before the one that nobody interrupts; the same for
    ever for the same seed."""
    return [
        item
        for index, make in enumerate(PARTS.values())
        for number, rng in twin.draws(10 + index, num_items, seed)
        for item in _with_clean(make(rng, number))
    ]


def _with_clean(item: Item) -> tuple[Item, Item]:
    """The item, and the same request in the same noise without the second cue, the overlap."""
    request, _, *rest = item.cues
    about = {"part": item.about["part"], CLEAN: True, "task": item.about["task"]}
    answer = item.expect[:1]  # the recital
    return item, replace(item, cues=(request, *rest), expect=answer, about=about)
