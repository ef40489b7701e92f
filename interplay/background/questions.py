"""What the model hands over, read off the tokens of `act`. Knows nothing of who does the work."""

from collections.abc import Iterable

from interplay.turns.tokens import DELEGATE, END, SPECIALS, Tokenizer

MAX_TOKENS = 512  # of a question; what a model that does not stop writes after them is left out


class DelegationReader:
    """`<delegate> words <end>` on `act` becomes a question; other control tokens between them
    belong to timers and are stepped over."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._words: list[int] | None = None

    def push(self, act: Iterable[int]) -> list[str]:
        """Questions that were completed by these tokens."""
        questions = []
        for token in act:
            if token == DELEGATE:
                self._words = []
            elif token == END and self._words is not None:
                question = self._tokenizer.decode(self._words)
                questions += [question] if question else []
                self._words = None
            elif self._words is not None and token >= len(SPECIALS):
                self._words += [token] if len(self._words) < MAX_TOKENS else []
        return questions
