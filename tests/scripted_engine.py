"""An engine without a model, for tests of what is shown: it emits what a test wants, when it wants
it, and silence otherwise. And a background model of the same kind.
"""

import functools
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from interplay.background.contract import Line, Result
from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_TURN, TURN_S
from interplay.model.checkpoint import load_checkpoint
from interplay.turns.tokens import SPECIALS, Tokenizer
from interplay.turns.types import InputHalf, OutputHalf
from tests.server_helpers import emitted

PITCH_HZ = 220.0  # whole periods in a micro-turn: the tone has no clicks


@functools.cache
def tokenizer() -> Tokenizer:
    """Most words are one token."""
    return load_checkpoint("xs").tokenizer


class ScriptedSession:
    """Counts its micro-turns and nothing else."""

    def __init__(self) -> None:
        self.num_turns = 0

    def close(self) -> None:
        """There is nothing to give back."""


class ScriptedEngine:
    """For one session at a time. read: tokens that it was given."""

    num_slots = 1

    def __init__(self, *, has_eyes: bool = False, name: str = "scripted") -> None:
        self.facts = {"model": name}
        self.tokenizer = tokenizer()
        self.has_eyes = has_eyes
        self.read: list[int] = []
        self._script: deque[tuple[OutputHalf, float]] = deque()  # with seconds of computing

    def open(self, *, seed: int, prefix: str) -> ScriptedSession:
        return ScriptedSession()

    def tick(
        self, halves: Mapping[ScriptedSession, InputHalf]
    ) -> dict[ScriptedSession, OutputHalf]:
        """The next micro-turn of the script; it takes as long as the script says."""
        outputs = {}
        for session, half in halves.items():
            session.num_turns += 1
            self.read += half.read
            outputs[session], compute_s = self._script.popleft() if self._script else (emitted(), 0)
            time.sleep(compute_s)
        return outputs

    def write(self, **streams: str) -> None:
        """Emit these texts of `heard`, `say` and `act`, all from the next micro-turn on; control
        tokens by their names, `<timer> <t3> tea <end>`."""
        ids = {name: self._ids(text) for name, text in streams.items()}
        for start in range(0, max(map(len, ids.values())), NUM_SLOTS):
            parts = {name: tokens[start : start + NUM_SLOTS] for name, tokens in ids.items()}
            self._script.append((emitted(False, **parts), 0.0))

    def speak(self, seconds: float, words: str = "") -> None:
        """A loud tone; its words are written from its begin on."""
        tokens = self._ids(words)
        phase = 2 * np.pi * PITCH_HZ / SAMPLE_RATE_HZ * np.arange(SAMPLES_PER_TURN)
        tone = (0.3 * np.sin(phase)).astype(np.float32)
        for turn in range(round(seconds / TURN_S)):
            part = tokens[NUM_SLOTS * turn : NUM_SLOTS * (turn + 1)]
            self._script.append((replace(emitted(speaks=True, say=part), voice=tone), 0.0))

    def rest(self, seconds: float) -> None:
        """Nothing, before whatever is scripted next."""
        self._script.extend([(emitted(), 0.0)] * round(seconds / TURN_S))

    def compute(self, seconds: float) -> None:
        """Nothing, in so much time."""
        self._script.append((emitted(), seconds))

    def _ids(self, text: str) -> list[int]:
        ids = []
        for word in text.split():
            ids += [SPECIALS.index(word)] if word in SPECIALS else self.tokenizer.encode_word(word)
        return ids


class ScriptedBackground:
    """A background model that answers when a test does. questions: so far; the first has number
    1."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self._results: deque[Result] = deque()

    def bring(self, result: Result) -> None:
        self._results.append(result)

    def delegate(self, question: str, now_s: float, conversation: Sequence[Line]) -> int:
        self.questions.append(question)
        return len(self.questions)

    def cancel(self, delegation_id: int, now_s: float) -> bool:
        return True

    def interrupt(self) -> None:
        pass

    def poll(self, now_s: float, *, user_speaks: bool, model_speaks: bool) -> list[Result]:
        return [self._results.popleft() for _ in range(len(self._results))]

    def close(self, now_s: float) -> None:
        pass
