"""A talk whose clips are made up on the spot, and what a test wants to know of it afterwards.

Every text comes from the generators of the training; every word takes 0.3 s. Knows nothing of
what a family should do.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_SLOT
from interplay.data.bank import Clip
from interplay.data.command import session_table
from interplay.data.corpus import _spellings
from interplay.data.talk import NO_MARKS, Talk
from interplay.data.texts import kinds, questions, vocabulary
from interplay.data.texts.templates import Wordings
from interplay.data.timeline import Spoken, Timeline
from interplay.turns import tokens
from interplay.turns.tokens import Tokenizer

WORD_S = 0.3
POOLS = {
    "short": ("river table", "yellow", "happy doctor"),
    "statement": ("my dog is in the garden", "we visit the museum on friday"),
    "phrase": ("river table", "left lion moon"),
}


@cache
def small_tokenizer() -> Tokenizer:
    return Tokenizer.train(_spellings(), 800)


def clip_of(text: str, *, own: bool = False) -> Clip:
    """A clip with 0.3 s a word and a constant sound."""
    words = text.split()
    times = [(w, k * WORD_S, (k + 1) * WORD_S) for k, w in enumerate(words)]
    num_samples = round(len(words) * WORD_S * SAMPLE_RATE_HZ)
    num_slots = -(-(num_samples + 600) // SAMPLES_PER_SLOT)
    return Clip(
        samples=np.full(num_samples, 3000, np.int16),
        words=times,
        phones=[(1 + k % 40, start, end) for k, (_, start, end) in enumerate(times)],
        text=text,
        voice="fake",
        engine="fake",
        role="own" if own else "user",
        tag="",
        mel=np.full((4 * num_slots, 80), -2.0, np.float16) if own else None,
    )


_QUESTIONS = {
    q.text: q for q in [*questions.facts("train"), *questions.greetings(), *questions.recitals()]
}
_FACTS = [q.text for q in questions.facts("train")]
_FIXED = {
    "word": vocabulary.CONTENT,
    "human": vocabulary.CONTENT,
    "fact": _FACTS,
    "greeting": [q.text for q in questions.greetings()],
    "recital": [q.text for q in questions.recitals()],
    "repeat": vocabulary.REPEAT_ASK,
    "cancel": vocabulary.CANCELS,
    "clock_start": vocabulary.CLOCK_START,
    "clock_ask": vocabulary.CLOCK_ASK,
    "backchannel": vocabulary.BACKCHANNELS,
    "say": ("please say river table", "say yellow"),
    "timer": ("say river in three seconds", "say yellow in nine seconds"),
    "every": ("remind me to stretch every two seconds", "remind me to relax every four seconds"),
}


class MadeUp:
    """A source without a bank: texts as the corpus plans them, any voice."""

    def user(self, tag, rng):
        if tag in kinds.KINDS:
            return clip_of(kinds.KINDS[tag].draw(rng, POOLS))
        if tag in _FIXED:
            return clip_of(_FIXED[tag][int(rng.integers(len(_FIXED[tag])))])
        draw = {
            "listen": lambda: questions.phrase(rng, 2, 7),
            "statement": lambda: questions.statement(rng),
            "delegate": lambda: questions.open_question(rng),
        }[tag]
        return clip_of(draw())

    def user_where(self, tag, rng, wanted):
        found = (clip for _ in range(400) if wanted((clip := self.user(tag, rng)).text))
        return next(found, None)

    def user_with(self, tag, rng, words):
        text = self.user(tag, rng).text.split()
        return clip_of(" ".join([*text[:-1], words[int(rng.integers(len(words)))]]))

    def own(self, text):
        return clip_of(text, own=True)

    def question(self, text):
        return _QUESTIONS[text]

    def phrase(self, rng, max_words):
        return questions.phrase(rng, 1, min(max_words, 4))

    def trait(self, rng):
        return kinds.traits(rng, 1)[0]


@dataclass
class Heard:
    """Something that the user said, with the seconds of its edges."""

    text: str
    start_s: float
    end_s: float


@dataclass
class Said:
    """Something that the model said: its words, and the seconds between which it sounds."""

    text: str
    start_s: float
    end_s: float


@dataclass
class LoggedTalk(Talk):
    """A talk that remembers what the user said."""

    heard: list[Heard] = field(default_factory=list)

    def user(self, clip, start=None, *, goes_on=False, marks=NO_MARKS):
        first, end = super().user(clip, start, goes_on=goes_on, marks=marks)
        self.heard.append(Heard(clip.text, first / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ))
        return first, end

    @property
    def said(self) -> list[Said]:
        """Utterances on `say` and `voice`, in order; a cut one ends where it was cut."""
        texts, words, start = [], [], 0
        row = self.timeline.streams.say.reshape(-1)
        for slot in np.flatnonzero(row):
            if not words:
                start = int(slot)
            if row[slot] in (tokens.END, tokens.STOP):
                texts.append((start, self.timeline.tokenizer.decode(words)))
                words = []
            else:
                words.append(int(row[slot]))
        on = np.r_[False, self.timeline.streams.voice_on.reshape(-1), False]
        edges = np.flatnonzero(on[1:] != on[:-1]).reshape(-1, 2)
        said = []
        for at, text in texts:
            first = at + 1
            last = next((int(stop) for begin, stop in edges if begin <= first < stop), first)
            spoken = Spoken(first, last)
            said.append(Said(text, spoken.starts / SAMPLE_RATE_HZ, spoken.ends / SAMPLE_RATE_HZ))
        return said

    @property
    def act(self) -> list[str]:
        """Names of everything on `act`, in order."""
        row = self.timeline.streams.act.reshape(-1)
        return [self.timeline.tokenizer.name(int(token)) for token in row[row != 0]]

    def arrivals(self) -> list[float]:
        """Seconds at which the last token of every text on `read` has been read."""
        ends = np.flatnonzero(self.timeline.streams.read.reshape(-1) == tokens.END)
        return [(int(slot) // NUM_SLOTS + 1) / 5 for slot in ends]

    def table(self) -> str:
        """The session as lines, to look at when a test fails."""
        return session_table(self.timeline.streams, self.timeline.tokenizer)


def talk_with(seed: int = 0, num_turns: int = 128, first_turn: int = 7) -> LoggedTalk:
    """A fresh talk of 25.6 s."""
    timeline = Timeline(num_turns, small_tokenizer(), first_turn=first_turn)

    def arrive(clip):
        return clip.samples.astype(np.float32) / 32768

    return LoggedTalk(timeline, MadeUp(), np.random.default_rng(seed), arrive, cursor=3000)


def is_one_of(texts: Collection[str], heard: str) -> bool:
    """Whether a request is one of those, with or without something around it."""
    return any(f" {text} " in f" {heard} " for text in texts)


def is_in(wording: Wordings, text: str) -> bool:
    """Whether it is a sentence of these wordings."""
    try:
        wording.parse(text)
    except KeyError:
        return False
    return True
