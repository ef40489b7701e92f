"""The text tokenizer: byte-level BPE with control tokens. Knows nothing about sessions or models.

The `tokenizers` library does the work. Every word is encoded with its leading space, so a word
has one spelling in tokens wherever it stands.
"""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer as HfTokenizer
from tokenizers import decoders, models, pre_tokenizers, trainers

from interplay.errors import ConfigError
from interplay.turns.follow import FIRST_WORD
from interplay.turns.types import PAD

MAX_COUNT = 60
MAX_CACHED_WORDS = 50_000  # a server meets words without end
CONTROL = (
    "<pad>",  # nothing in this slot
    "<end>",  # closes a text on any stream
    "<stop>",  # say: yield now, the words not yet spoken are dropped
    "<text>",  # read: words to be read aloud; heard: a sentence, or words quoted in it, begin
    "<result>",  # read: an answer from the background model
    "<through>",  # read: from now on talk on, whatever is heard; answer to nothing but texts
    "<delegate>",  # act: hand what was heard to the background model
    "<timer>",  # act: say something once, later
    "<every>",  # act: say something again and again
    "<clock>",  # act: count seconds upwards
    "<due>",  # act: a timer has come
    "<cancel>",  # act: drop timers and clocks
    "<note>",  # act: what is running, rewritten every 10 s
)
COUNTS = tuple(f"<t{k}>" for k in range(MAX_COUNT + 1))  # seconds, as one token each
SPECIALS = CONTROL + COUNTS
assert len(SPECIALS) == FIRST_WORD
PAD_ID = PAD
(END, STOP, TEXT, RESULT, THROUGH, DELEGATE, TIMER, EVERY, CLOCK, DUE, CANCEL, NOTE) = range(
    1, len(CONTROL)
)
FIRST_COUNT = len(CONTROL)


def count_token(seconds: int) -> int:
    """Token id of a whole number of seconds, 0 to 60. Raises ConfigError outside."""
    if not 0 <= seconds <= MAX_COUNT:
        raise ConfigError(f"a count of {seconds} s has no token; allowed are 0 to {MAX_COUNT} s")
    return FIRST_COUNT + seconds


class Tokenizer:
    """Text <-> token ids below `vocab_size`; control tokens come first, `<pad>` is 0."""

    def __init__(self, inner: HfTokenizer) -> None:
        inner.encode_special_tokens = True  # "<end>" in a user's text is text, not the token
        self._inner = inner
        self._words: dict[str, list[int]] = {}

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int = 1024) -> "Tokenizer":
        """Learn merges from lower-case texts (Sennrich et al. 2016, on bytes as in GPT-2)."""
        inner = HfTokenizer(models.BPE())
        inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        inner.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=list(SPECIALS),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        inner.train_from_iterator(texts, trainer)
        return cls(inner)

    @classmethod
    def from_json(cls, text: str) -> "Tokenizer":
        """Inverse of `to_json`. Raises ConfigError when the control tokens are not ours."""
        inner = HfTokenizer.from_str(text)
        if [inner.token_to_id(name) for name in SPECIALS] != list(range(len(SPECIALS))):
            raise ConfigError(
                "this tokenizer lacks the control tokens "
                f"{SPECIALS[0]} ... {SPECIALS[-1]} as its first {len(SPECIALS)} ids; "
                "use one made by `Tokenizer.train`"
            )
        return cls(inner)

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        return cls.from_json(Path(path).read_text(encoding="utf-8"))

    def to_json(self) -> str:
        return self._inner.to_str()

    @property
    def vocab_size(self) -> int:
        return self._inner.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Ids of a text without control tokens; words are lower-cased."""
        return [token for word in text.lower().split() for token in self.encode_word(word)]

    def encode_word(self, word: str) -> list[int]:
        """Ids of one word with its leading space (cached)."""
        ids = self._words.get(word)
        if ids is None:
            ids = self._inner.encode(word, add_special_tokens=False).ids
            if len(self._words) < MAX_CACHED_WORDS:
                self._words[word] = ids
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of the ids; control tokens are left out."""
        return self._inner.decode(
            [int(i) for i in ids if i >= len(SPECIALS)], skip_special_tokens=False
        ).strip()

    def name(self, token: int) -> str:
        """One token as a person would want to see it."""
        if token < len(SPECIALS):
            return SPECIALS[token]
        return self._inner.decode([token])
