"""The user of a test item as somebody who talks live: sound, typed text and camera on cue.

Knows nothing of where an item comes from or of the loop that plays it.
"""

import numpy as np

from interplay.bench.playing.stage import Stage
from interplay.bench.systems.local import emission
from interplay.bench.traces.trace import Trace
from interplay.data.item import Item
from interplay.data.speech import synthesize
from interplay.model.checkpoint import Loaded
from interplay.turns.tokens import END, SPECIALS
from interplay.turns.types import InputHalf, OutputHalf


class StagedUser:
    """A `talk.live.User` that does what an item says.

    film: what the camera showed in each micro-turn; the model gets it if it has eyes.
    """

    def __init__(self, item: Item, loaded: Loaded) -> None:
        self.film: list[np.ndarray | None] = []
        self._stage = Stage(item, synthesize)
        self._tokenizer = loaded.tokenizer
        self._has_eyes = loaded.config.see is not None

    def input(self, turn: int) -> InputHalf | None:
        """Micro-turn `turn`; None when the item is over."""
        stage = self._stage
        if stage.done:
            return None
        stage.begin_turn(self._encode)
        self.film.append(stage.frame)
        see = stage.see if self._has_eyes else None
        return InputHalf(hear=stage.hear, read=stage.read, see=see)

    def watch(self, out: OutputHalf) -> None:
        """What the model emitted in the newest micro-turn."""
        self._stage.end_turn(emission(out, self._tokenizer))

    @property
    def trace(self) -> Trace:
        """The record of what was played so far."""
        return self._stage.trace()

    def _encode(self, control: str, text: str) -> list[int]:
        opener = [SPECIALS.index(control)] if control else []
        return [*opener, *self._tokenizer.encode(text), END]
