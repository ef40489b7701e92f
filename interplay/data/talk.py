"""What a family works with: a timeline, clips to put on it, a die and a cursor.

Knows nothing of what the families are, of batches, noise or how clips were made.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.bank import Clip
from interplay.data.texts.questions import Question, borders
from interplay.data.texts.templates import Marks
from interplay.data.timeline import Spoken, Timeline

SECOND = SAMPLE_RATE_HZ
NO_MARKS = Marks()


@runtime_checkable
class Source(Protocol):
    """Where clips come from: `data.corpus.Corpus`."""

    def user(self, tag: str, rng: np.random.Generator) -> Clip: ...

    def user_where(
        self, tag: str, rng: np.random.Generator, wanted: Callable[[str], bool]
    ) -> Clip | None: ...

    def user_with(
        self, tag: str, rng: np.random.Generator, words: Collection[str]
    ) -> Clip | None: ...

    def trait(self, rng: np.random.Generator) -> str: ...

    def own(self, text: str) -> Clip: ...

    def question(self, text: str) -> Question: ...

    def phrase(self, rng: np.random.Generator, max_words: int) -> str: ...


@dataclass
class Talk:
    """What a family works with. cursor: the sample from which the user may speak again.

    slip_rate: share of the user's words that `heard` has a micro-turn early, and share that it
    has late.
    """

    timeline: Timeline
    source: Source
    rng: np.random.Generator
    arrive: Callable[[Clip], np.ndarray]
    cursor: int = 0
    slip_rate: float = 0.0

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def fits(self, seconds: float) -> bool:
        return self.cursor + seconds * SECOND <= self.timeline.num_samples

    def user(
        self,
        clip: Clip,
        start: int | None = None,
        *,
        goes_on: bool = False,
        marks: Marks = NO_MARKS,
    ) -> tuple[int, int]:
        """The clip is heard, the cursor moves behind it. goes_on: it is the rest of a sentence.
        marks: beside those that `borders` finds. Returns its first and last sample."""
        kinds = [-1, 1, 0]
        shares = [self.slip_rate, self.slip_rate, 1 - 2 * self.slip_rate]
        first, end = self.timeline.hear(
            clip,
            self.arrive(clip),
            self.cursor if start is None else start,
            borders=() if goes_on else {*borders(clip.text), *marks.quotes},
            waits=marks.waits,
            ends=marks.ends,
            slips=self.rng.choice(kinds, len(clip.words), p=shares).tolist(),
        )
        self.cursor = max(self.cursor, end)
        return first, end

    def reply(self, text: str, slot: int) -> Spoken:
        """The model says `text` from output slot `slot` on; the cursor moves behind its sound."""
        spoken = self.timeline.speak(self.source.own(text), slot)
        self.cursor = max(self.cursor, spoken.ends)
        return spoken

    def answer(self, text: str, end: int) -> Spoken:
        return self.reply(text, self.timeline.answer_slot(end))

    def rest(self, low: float = 0.3, high: float = 1.8) -> None:
        self.cursor += int(self.uniform(low, high) * SECOND)


def seconds(clip: Clip) -> float:
    return len(clip.samples) / SECOND
