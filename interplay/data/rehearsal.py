"""Families of behaviour practised without a sound: what users say stands on `heard` as if it had
been heard, what the model should say on `say` without a voice.

What a request asks for is learnt here from texts without end, at twice the pace and without long
waits; ears, gate and voice are not (`drill.muted`). Families in which something hangs on sound
alone cannot be rehearsed: a voice that begins or is cut, noise, people. Knows nothing of batches or
of what the families are.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_SLOT, SAMPLES_PER_TURN
from interplay.data.bank import Clip
from interplay.data.talk import NO_MARKS, Talk
from interplay.data.texts import questions, vocabulary
from interplay.data.texts.questions import Question
from interplay.data.texts.speakers import TRAIT, draw_pools, speakers
from interplay.data.texts.templates import Marks
from interplay.data.timeline import HEARD_DELAY, turn_with
from interplay.media.dmel import NUM_MELS
from interplay.turns.tokens import Tokenizer

TRIES = 400  # to find a text with something wanted in it
SHORTER = {
    "tell": "mention",
    "everyday": "mention",
    "human": "word",
}  # said instead: nobody has to listen for long
FAR = {*vocabulary.NUMBERS[9:], "thirty", "minute", "minutes"}  # nor to wait
TIMED = (
    "timer",
    "once",
    "reminder",
    "two",
    "moved",
    "instead",
    "event",
    "after_talk",
    "beat",
    "in_turn",
)
SUBFRAMES = 4


class Unspoken:
    """Clips without a sound, a word in each micro-turn: a source (data.talk) whose texts are drawn
    anew every time, as those of a corpus are."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._encode = tokenizer.encode_word
        rng = np.random.default_rng(0)
        self._pools = draw_pools(rng, phrases=2000, short=1000, statements=1000, traits=300)
        self._draw = speakers(self._pools)
        known = [*questions.facts("train"), *questions.greetings(), *questions.recitals()]
        self._questions = {question.text: question for question in known}

    def user(self, tag: str, rng: np.random.Generator) -> Clip:
        return self._clip(self._text(tag, rng), tag)

    def _text(self, tag: str, rng: np.random.Generator) -> str:
        draw = self._draw[SHORTER.get(tag, tag)]
        while not FAR.isdisjoint((text := draw(rng)).split()) and tag in TIMED:
            pass
        return text

    def user_where(
        self, tag: str, rng: np.random.Generator, wanted: Callable[[str], bool]
    ) -> Clip | None:
        texts = (self._text(tag, rng) for _ in range(TRIES))
        text = next((text for text in texts if wanted(text)), None)
        return None if text is None else self._clip(text, tag)

    def user_with(self, tag: str, rng: np.random.Generator, words: Collection[str]) -> Clip | None:
        """Whatever the kind: a few words that end with one of those wanted."""
        lead, _ = self._text("mention", rng).rsplit(" ", 1)
        return self._clip(f"{lead} {_one(list(words), rng)}", tag)

    def trait(self, rng: np.random.Generator) -> str:
        return _one(self._pools[TRAIT], rng)

    def own(self, text: str) -> Clip:
        return self._clip(text, "", role="own")

    def question(self, text: str) -> Question:
        return self._questions[text]

    def phrase(self, rng: np.random.Generator, max_words: int) -> str:
        while len((text := _one(self._pools["phrase"], rng)).split()) > max_words:
            pass
        return text

    def _clip(self, text: str, tag: str, role: str = "user") -> Clip:
        """Every word takes a micro-turn, or a slot for each of its tokens where it has more."""
        words, end = [], 0
        for number, word in enumerate(text.split()):
            start = end
            end += max(NUM_SLOTS, len(self._encode(word)) + (number == 0)) * SAMPLES_PER_SLOT
            words.append((word, start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ))
        num_frames = SUBFRAMES * (end // SAMPLES_PER_SLOT)
        return Clip(
            samples=np.zeros(end, np.int16),
            words=words,
            phones=[],
            text=text,
            voice="",
            engine="",
            role=role,
            tag=tag,
            mel=np.zeros((num_frames, NUM_MELS), np.float16) if role == "own" else None,
        )


@dataclass
class Rehearsal(Talk):
    """A talk of which nothing is heard: that the user has ended shows in the micro-turn in which no
    word comes any more."""

    def user(
        self,
        clip: Clip,
        start: int | None = None,
        *,
        goes_on: bool = False,
        marks: Marks = NO_MARKS,
    ) -> tuple[int, int]:
        first, end = super().user(clip, start, goes_on=goes_on, marks=marks)
        end += SAMPLES_PER_TURN
        if clip.words:  # one of many pieces may still be written in that micro-turn
            written = (self.timeline.heard_by[-1] - 1) // NUM_SLOTS
            end += SAMPLES_PER_TURN * max(0, written + 1 - turn_with(end + HEARD_DELAY))
        return first, end


def unheard(clip: Clip) -> np.ndarray:
    """What arrives of a clip at the microphone."""
    return np.zeros(len(clip.samples), np.float32)


def _one(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]
