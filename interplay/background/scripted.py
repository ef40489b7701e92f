"""Delegations and a background model that answers from a fixed table, for the demo and tests.

`Handover` stands between a session's tokens and a backend: it collects the words that the model
delegates on `act` and turns results into tokens for `read`. Knows nothing of sound or clocks:
time is an argument, in seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from interplay.turns.tokens import DELEGATE, END, PAD_ID, RESULT, SPECIALS, Tokenizer

ANSWERS = {  # a word of the question -> the answer, in words that small models can say
    "weather": "cold wet wind",
    "far": "three hours by train",
    "wrote": "a famous writer",
    "invented": "a clever doctor",
    "price": "twenty gold",
    "open": "monday morning",
    "find": "near the station",
    "search": "near the station",
    "where": "near the river",
}
NO_ANSWER = "no answer"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came back. status: `done`, `failed` or `cancelled`; one of them, once."""

    delegation_id: int
    content: str
    status: str = "done"


@runtime_checkable
class Backend(Protocol):
    """A background model: work goes in once, its result comes out once."""

    def delegate(self, delegation_id: int, question: str, now_s: float) -> None: ...

    def results(self, now_s: float) -> list[Result]: ...


@dataclass
class ScriptedBackend:
    """Answers by the first word of the question that stands in `answers`, `delay_s` later."""

    answers: Mapping[str, str] = field(default_factory=lambda: ANSWERS)
    delay_s: float = 2.0
    _open: dict[int, tuple[float, str]] = field(default_factory=dict, repr=False)

    def delegate(self, delegation_id: int, question: str, now_s: float) -> None:
        self._open[delegation_id] = (now_s + self.delay_s, question)

    def results(self, now_s: float) -> list[Result]:
        """What has become ready by `now_s`; each delegation is given out once."""
        ready = [i for i, (due_s, _) in self._open.items() if due_s <= now_s]
        return [self._answer(i, self._open.pop(i)[1]) for i in ready]

    def _answer(self, delegation_id: int, question: str) -> Result:
        found = [self.answers[word] for word in question.split() if word in self.answers]
        if found:
            return Result(delegation_id=delegation_id, content=found[0])
        return Result(delegation_id=delegation_id, content=NO_ANSWER, status="failed")


class Handover:
    """From `act` to a backend and back to `read`, for one session."""

    def __init__(self, backend: Backend, tokenizer: Tokenizer) -> None:
        self.num_delegations = 0
        self.num_results = 0
        self._backend = backend
        self._tokenizer = tokenizer
        self._words: list[int] | None = None  # of the delegation being written, if any

    def watch(self, act: Iterable[int], now_s: float) -> None:
        """Tokens the model emitted on `act`: `<delegate> words <end>` becomes one delegation.

        Other control tokens between them belong to timers and are stepped over.
        """
        for token in act:
            if token == DELEGATE:
                self._words = []
            elif token == END and self._words is not None:
                self._delegate(self._tokenizer.decode(self._words), now_s)
                self._words = None
            elif self._words is not None and token != PAD_ID and token >= len(SPECIALS):
                self._words.append(token)

    def _delegate(self, question: str, now_s: float) -> None:
        if question:
            self._backend.delegate(self.num_delegations, question, now_s)
            self.num_delegations += 1

    def arrivals(self, now_s: float) -> list[int]:
        """Tokens for `read`: every result that has come, as `<result> words <end>`."""
        ids: list[int] = []
        for result in self._backend.results(now_s):
            self.num_results += 1
            ids += [RESULT, *self._tokenizer.encode(result.content), END]
        return ids
