"""Words of `heard` and `say` as they come, with times on the session timeline. Knows nothing of
protocols.

Micro-turn i of the input covers [200 i, 200 (i + 1)) ms of the timeline; what the model emits
after it sounds one micro-turn later. Where a word was spoken is an estimate by what the model was
trained on: `heard` is written 280 ms or more after the end of a word, `say` up to 300 ms before
its sound.
"""

from dataclasses import dataclass

from interplay.clock import SLOT_MS, TURN_MS
from interplay.turns.tokens import SPECIALS, Tokenizer

HEARD_LAG_MS = 280
SAY_LEAD_MS = 300
WORD_MS = 300  # of a word whose length nobody measured
MAX_WORD_TOKENS = 32  # a model that never ends a word must not slow the server down
BROKEN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """A word or the next piece of one; a leading space opens a word. Times in milliseconds."""

    text: str
    start_ms: int
    end_ms: int


class Transcriber:
    """Tokens of one text stream to fragments."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._word: list[int] = []
        self._num_letters = 0
        self._end_ms = 0

    def heard(self, turn: int, ids: tuple[int, ...]) -> tuple[Fragment, ...]:
        """What the model wrote after micro-turn `turn` about the user's words."""
        end_ms = (turn + 1) * TURN_MS - HEARD_LAG_MS
        return self._fragments(ids, [(end_ms - WORD_MS, end_ms)] * len(ids))

    def said(self, turn: int, ids: tuple[int, ...]) -> tuple[Fragment, ...]:
        """What the model wrote after micro-turn `turn` to say."""
        begin_ms = (turn + 1) * TURN_MS
        starts = [begin_ms + slot * SLOT_MS for slot in range(len(ids))]
        return self._fragments(ids, [(start, start + SAY_LEAD_MS) for start in starts])

    def _fragments(
        self, ids: tuple[int, ...], spans: list[tuple[int, int]]
    ) -> tuple[Fragment, ...]:
        """Tokens of one word that come together are one fragment."""
        if not any(ids):  # mostly
            return ()
        fragments: list[Fragment] = []
        for token, (start_ms, end_ms) in zip(ids, spans, strict=True):
            text = self._piece(token)
            if not text:
                continue
            if fragments and not text.startswith(" "):
                first = fragments.pop()
                text, start_ms = first.text + text, first.start_ms
            else:
                start_ms = max(self._end_ms, start_ms)
            self._end_ms = max(start_ms, end_ms)
            fragments.append(Fragment(text=text, start_ms=start_ms, end_ms=self._end_ms))
        return tuple(fragments)

    def _piece(self, token: int) -> str:
        """The letters that a token adds; a letter of several tokens comes with its last one."""
        if token < len(SPECIALS):
            if token:
                self._word, self._num_letters = [], 0
            return ""
        opens = self._tokenizer.name(token).startswith(" ")
        if opens or len(self._word) >= MAX_WORD_TOKENS:
            self._word, self._num_letters = [], 0
        self._word.append(token)
        text = self._tokenizer.decode(self._word)
        if text.endswith(BROKEN):
            return ""
        text = "".join(letter if letter.isprintable() else BROKEN for letter in text)
        new = text[self._num_letters :]
        lead = " " if not self._num_letters and new else ""
        self._num_letters = len(text)
        return lead + new
