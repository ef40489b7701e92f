"""What the cascade says: rules for the small models' world, or any OpenAI-compatible model.

It is asked when a turn of the user has ended, and only then, which is what a turn-based design can
do: a timer that is due waits until the user has spoken again. Knows nothing of sound.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol, runtime_checkable

from interplay.bench.wording.written import speakable
from interplay.data.texts import questions, vocabulary
from interplay.errors import BackgroundError, ConfigError

UNKNOWN = "i do not know"
_SAY = re.compile(r"^(?:please |can you )?say (.+?)(?: in (\w+) seconds?)?$")
_REMIND = re.compile(r"^remind me to (.+) every (?:(\w+) seconds|second)$")
_ASKS = ("who", "what", "where", "when", "how", "find", "search")
INSTRUCTIONS = (
    "You are a voice assistant. Answer in one short plain sentence: what you write is read aloud."
)


@runtime_checkable
class Replies(Protocol):
    """One conversation."""

    def reply(self, text: str, begin_s: float, end_s: float) -> str:
        """What to say to a turn, which sounded from begin_s to end_s; "" for nothing."""
        ...

    def read(self, text: str) -> str:
        """What to say to typed text."""
        ...

    def has_said(self, text: str) -> None:
        """Take this for a reply of its own."""
        ...


@dataclass
class Rules:
    """Closed questions by heart; repeats, reads aloud, keeps a clock; acknowledges the rest."""

    due: list[tuple[float, str]] = field(default_factory=list)
    last: str = ""
    clock_s: float | None = None

    def reply(self, text: str, begin_s: float, end_s: float) -> str:
        late = [words for at_s, words in self.due if at_s <= end_s]
        self.due = [one for one in self.due if one[0] > end_s]
        answer = self._answer(text, begin_s, end_s)
        if text and text not in vocabulary.REPEAT_ASK:
            self.last = text
        return " ".join([*late, answer]).strip()

    def read(self, text: str) -> str:
        return _by_heart().get(text, text)

    def has_said(self, text: str) -> None:
        """None of its rules asks what it said."""

    def _answer(self, text: str, begin_s: float, end_s: float) -> str:
        if not text or text in vocabulary.BACKCHANNELS:
            return ""
        if text in vocabulary.CANCELS:
            self.due = []
            return ""
        if text in vocabulary.CLOCK_START:
            self.clock_s = end_s
            return vocabulary.ACKNOWLEDGE
        if text in vocabulary.CLOCK_ASK and self.clock_s is not None:
            num_s = min(round(end_s - self.clock_s), len(vocabulary.NUMBERS) - 1)
            return f"{vocabulary.NUMBERS[num_s]} seconds"
        if text in vocabulary.REPEAT_ASK:
            return self.last or UNKNOWN
        if text in _by_heart():
            return _by_heart()[text]
        return self._request(text, end_s)

    def _request(self, text: str, end_s: float) -> str:
        said, timed = _SAY.match(text), _REMIND.match(text)
        if said and said[2] is None:
            return said[1]
        match = said or timed
        count = match and (match[2] or "one")
        if match and count in vocabulary.NUMBERS:
            self.due.append((end_s + vocabulary.NUMBERS.index(count), match[1]))
            return vocabulary.ACKNOWLEDGE
        return UNKNOWN if text.split()[0] in _ASKS else vocabulary.ACKNOWLEDGE


@cache
def _by_heart() -> dict[str, str]:
    known = [*questions.facts("train"), *questions.facts("test"), *questions.greetings()]
    return {question.text: question.answer for question in [*known, *questions.recitals()]}


class Chat:
    """A conversation with a Chat Completions endpoint. base_url: None takes OPENAI_BASE_URL."""

    def __init__(self, model: str, *, base_url: str | None = None, timeout_s: float = 20.0) -> None:
        try:
            import openai
        except ImportError as error:
            raise ConfigError(
                "a cascade with a language model needs the `background` extra: "
                "pip install interplay[background]"
            ) from error
        self._errors = openai.OpenAIError
        try:
            self._client = openai.OpenAI(base_url=base_url, timeout=timeout_s)
        except openai.OpenAIError as error:
            raise ConfigError(f"no language model for the cascade: {error}") from error
        self._model = model
        self._lines: list = [{"role": "system", "content": INSTRUCTIONS}]

    def reply(self, text: str, begin_s: float, end_s: float) -> str:
        return self.read(text) if text else ""

    def read(self, text: str) -> str:
        self._lines.append({"role": "user", "content": text})
        try:
            answer = self._client.chat.completions.create(model=self._model, messages=self._lines)
        except self._errors as error:
            raise BackgroundError(f"the cascade's language model {self._model}: {error}") from error
        written = answer.choices[0].message.content or ""
        self.has_said(written)
        return speakable(written)

    def has_said(self, text: str) -> None:
        self._lines.append({"role": "assistant", "content": text})
