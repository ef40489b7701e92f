"""Items of the suite voices: users whom no training heard, and the same items without them.

In `unseen_engine_*` the whole of what the user says comes from flite's diphone voices, which are
left out of all training. Recordings of people are single words; in `human_*` a known voice speaks
and a person says the word that all depends on:

    human_answer   the last word of a question: "what is the opposite of | left"
    human_cue      the key word of an agreement, three times in a long turn
    human_stop     "stop", which ends a reminder

Every item has a twin of the subset `..._known`, in which that part is said by the known voice, too,
a word by itself where a person says a word by itself. Knows nothing of scores.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from interplay.data import cuespeak, heldout, timespeak
from interplay.data.heldout import duration_s
from interplay.data.human import HumanClips
from interplay.data.item import Clip, Item, Noise, Say, Speak, When
from interplay.data.speech import leveled
from interplay.data.texts import questions
from interplay.data.texts.questions import Question
from interplay.data.voices import random_voice

SEED_BASE = 8_200_000  # no training seed is near
KNOWN = "_known"  # ends the subset of what a known voice says
SEAM_S = 0.03  # before a word that is said by itself; recordings begin with up to 0.1 s of quiet
CUE_WORDS = (  # of the recordings; none is spoken in the talk around it, or sounds like what is
    *("left", "right", "off", "zero", "three", "five", "six", "seven", "nine"),
)
_CUE_FAMILIES = [name for name in cuespeak.FAMILIES if name not in cuespeak.NEGATIVE]
_ENDINGS = ("arithmetic", "opposite", "spelling")  # kinds of questions that end with such a word
Draw = Callable[[np.random.Generator, int], Item]


def unseen_engine_answer(rng: np.random.Generator, number: int) -> Item:
    return heldout.answer(rng, number)


def unseen_engine_cue(rng: np.random.Generator, number: int) -> Item:
    """All families of CueSpeak-open that want something, in turn."""
    return cuespeak.FAMILIES[_CUE_FAMILIES[number % len(_CUE_FAMILIES)]](rng, number)


def human_answer(rng: np.random.Generator, number: int, words: Collection[str]) -> Item:
    """A question whose last word is a cue of its own; words: of recordings."""
    pools = _endings(words)
    pool = pools[number % len(pools)]
    asked = pool[int(rng.integers(len(pool)))]
    start, last = asked.text.rsplit(" ", 1)
    voice, gain_db = random_voice(rng, "test"), float(rng.uniform(-8, 4))
    at = When(seconds=float(rng.uniform(0.4, 1.2)))
    then = When(seconds=SEAM_S, after="cue_end", cue=0)
    length_s = 1.4 + duration_s(asked.text) + duration_s(asked.answer) + 1.6
    return Item(
        kind="voices",
        seed=number,
        length_s=float(np.ceil(length_s * 5) / 5),
        cues=(
            Speak(text=start, voice=voice, at=at, gain_db=gain_db),
            Speak(text=last, voice=voice, at=then, gain_db=gain_db),
            Noise(level_db=float(rng.uniform(-65, -42))),
        ),
        expect=(Say(text=(asked.answer,), after=1),),
        first_turn=int(rng.integers(300)),
    )


def _endings(words: Collection[str]) -> list[list[Question]]:
    """Questions that end with one of the words, kind by kind."""
    asked = [q for q in questions.facts("test") if q.text.rsplit(" ", 1)[1] in words]
    pools = ([q for q in asked if q.kind == kind] for kind in _ENDINGS)
    return [pool for pool in pools if pool]


def human_cue(rng: np.random.Generator, number: int, words: Sequence[str]) -> Item:
    """words: what can be a key word."""
    return cuespeak.keyword_apart(rng, number, words[number % len(words)])


def human_stop(rng: np.random.Generator, number: int) -> Item:
    """A reminder in the plainest wording, so that nothing but "stop" is new."""
    plain = re.compile(timespeak.BEATS[0].format(x=".*", n="[a-z]+"))
    while True:
        item = timespeak.beat(rng, number)
        [asked, *_] = [cue for cue in item.cues if isinstance(cue, Speak)]
        if plain.fullmatch(asked.text):
            return item


def parts(words: Collection[str]) -> dict[str, Draw]:
    """How items are drawn, part by part; words: of recordings of people."""
    found: dict[str, Draw] = {
        "unseen_engine_answer": unseen_engine_answer,
        "unseen_engine_cue": unseen_engine_cue,
    }
    if _endings(words):
        found["human_answer"] = partial(human_answer, words=words)
    if keys := [word for word in CUE_WORDS if word in words]:
        found["human_cue"] = partial(human_cue, words=keys)
    if "stop" in words:
        found["human_stop"] = human_stop
    return found


def twin(num_items: int, seed: int, clips: HumanClips | None = None) -> list[Item]:
    """`num_items` of each part, each in a new voice and in a known one. Without recordings of
    people (`clips`; None: those that are installed) their parts are left out."""
    clips = HumanClips.open(None, "test") if clips is None else clips
    return [
        item
        for place, (part, draw) in enumerate(parts(frozenset(clips.words)).items())
        for index in range(num_items)
        for item in _pair(part, place, draw, seed, index, clips)
    ]


def _pair(
    part: str, place: int, draw: Draw, seed: int, index: int, clips: HumanClips
) -> Iterator[Item]:
    rng = np.random.default_rng([SEED_BASE, seed, place, index])
    item = replace(draw(rng, index), seed=SEED_BASE + (seed * 10 + place) * 10_000 + index)
    if part.startswith("human"):
        new = by_people(item, clips, rng)
    else:
        voice = cuespeak.paced_voice if part.endswith("cue") else random_voice
        new = in_voice(item, voice(rng, "unseen"))
    yield replace(new, kind="voices", subset=part)
    yield replace(item, kind="voices", subset=part + KNOWN)


def in_voice(item: Item, voice: str) -> Item:
    """The item with another user; words in the voice of another language stay as they are."""
    own = next(cue.voice for cue in item.cues if isinstance(cue, Speak))
    cues = [
        replace(cue, voice=voice) if isinstance(cue, Speak) and cue.voice == own else cue
        for cue in item.cues
    ]
    return replace(item, cues=tuple(cues))


def by_people(item: Item, clips: HumanClips, rng: np.random.Generator) -> Item:
    """The item with every recorded word that is a cue by itself said by a person, as loud as the
    user."""
    words, cues = clips.words, list(item.cues)
    for index, cue in enumerate(cues):
        if isinstance(cue, Speak) and cue.text in words:
            known = [place for place, word in enumerate(words) if word == cue.text]
            samples = leveled(clips[known[int(rng.integers(len(known)))]].samples)
            cues[index] = Clip(samples=samples, word=cue.text, at=cue.at, gain_db=cue.gain_db)
    return replace(item, cues=tuple(cues))


PARTS: Mapping[str, str] = {
    "unseen_engine_answer": "questions (those of core's answer_acc) answered rightly and in time; "
    "the user has a voice of an engine that no training heard",
    "unseen_engine_cue": "the probes of cuespeak's C1 to C9, likewise",
    "human_answer": "questions answered rightly and in time; their last word is a recording of a "
    "person that no training heard",
    "human_cue": "agreed key words, recordings of such people in a known voice's talk: answered "
    "over the user (cuespeak's probe)",
    "human_stop": 'reminders that such a person\'s "stop" ends: said before, and never again',
}
