"""The user of a test item as somebody who talks live: sound, typed text and camera on cue.

Knows nothing of where an item comes from or of the loop that plays it.
"""

from collections.abc import Iterator

import numpy as np

from interplay.bench.local import emission
from interplay.bench.stage import Stage
from interplay.bench.suites.gallery import checks
from interplay.bench.trace import Trace, anchor_s
from interplay.data.item import At, Delegate, Expect, Item, Say, Speak, StopBy
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

    def verdict(self) -> Iterator[str]:
        """What was expected, line by line, and what came of it."""
        trace = self.trace
        for expect, outcome in checks(trace):
            what = describe(expect, trace) if expect else "said at a time that is not its own"
            mark, why = ("yes", "") if outcome.value else ("no", f" ({', '.join(outcome.notes)})")
            yield f"{mark:<10} {what}{why.replace('_', ' ')}"

    def _encode(self, control: str, text: str) -> list[int]:
        return [SPECIALS.index(control), *self._tokenizer.encode(text), END]


def describe(expect: Expect, trace: Trace) -> str:
    """One expectation in words, with the second at which it is due."""
    match expect:
        case At():
            anchor = anchor_s(expect, trace.cues, trace.user_words)
            came = anchor is not None
            when = f"at {anchor + expect.due_s:.1f} s" if came else "after what never came"
            return f'says "{expect.text[0]}" {when}'
        case Say():
            cue = trace.item.cues[expect.after]
            asked = cue.text if isinstance(cue, Speak) else "what was asked"
            return f'says "{expect.text[0]}" to "{asked}"'
        case StopBy():
            return f"stops within {expect.within_s:g} s when interrupted"
        case Delegate():
            return f'hands over "{expect.words}"'
    return type(expect).__name__
