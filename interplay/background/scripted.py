"""Delegations and a background model that answers from a fixed table, for the demo and tests.

`Handover` stands between a session's tokens and a backend: it collects the words that the model
delegates on `act`, gives them to the session's broker and turns results into tokens for `read`.
Knows nothing of sound or clocks: time is an argument, in seconds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from interplay.background.broker import Broker, Budget
from interplay.background.contract import Backend, Delegation, Line, Result
from interplay.background.questions import DelegationReader
from interplay.turns.tokens import END, RESULT, Tokenizer

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


@dataclass
class ScriptedBackend:
    """Answers by the first word of the question that stands in `answers`, `delay_s` later."""

    answers: Mapping[str, str] = field(default_factory=lambda: ANSWERS)
    delay_s: float = 2.0
    _open: dict[int, tuple[float, str]] = field(default_factory=dict, repr=False)

    def delegate(self, delegation: Delegation, now_s: float) -> None:
        self._open[delegation.id] = (now_s + self.delay_s, delegation.question)

    def cancel(self, delegation_id: int) -> None:
        self._open.pop(delegation_id, None)

    def results(self, now_s: float) -> list[Result]:
        """What has become ready by `now_s`; each delegation is given out once."""
        ready = [i for i, (due_s, _) in self._open.items() if due_s <= now_s]
        return [self._answer(i, self._open.pop(i)[1]) for i in ready]

    def close(self) -> None:
        self._open.clear()

    def _answer(self, delegation_id: int, question: str) -> Result:
        found = [self.answers[word] for word in question.split() if word in self.answers]
        if found:
            return Result(delegation_id=delegation_id, content=found[0])
        return Result(
            delegation_id=delegation_id,
            content=NO_ANSWER,
            status="failed",
            reason="no word of the question is in the table",
        )


class Handover:
    """From `act` to a backend and back to `read`, for one session.

    conversation: gives what was said so far, asked for whenever something is delegated.
    """

    def __init__(
        self,
        backend: Backend,
        tokenizer: Tokenizer,
        *,
        budget: Budget | None = None,
        conversation: Callable[[], Sequence[Line]] = tuple,
    ) -> None:
        self.broker = Broker(backend, budget)
        self.num_results = 0
        self._conversation = conversation
        self._tokenizer = tokenizer
        self._questions = DelegationReader(tokenizer)

    @property
    def num_delegations(self) -> int:
        return self.broker.num_delegations

    def watch(self, act: Iterable[int], now_s: float) -> None:
        """Tokens the model emitted on `act`: `<delegate> words <end>` becomes one delegation."""
        for question in self._questions.push(act):
            self.broker.delegate(question, now_s, self._conversation())

    def arrivals(
        self, now_s: float, *, user_speaks: bool = False, model_speaks: bool = False
    ) -> list[int]:
        """Tokens for `read`: every result with something to say, as `<result> words <end>`."""
        ids: list[int] = []
        for result in self.broker.poll(now_s, user_speaks=user_speaks, model_speaks=model_speaks):
            self.num_results += 1
            if result.content and result.urgency != "silent":
                ids += [RESULT, *self._tokenizer.encode(result.content), END]
        return ids
