"""The text tokenizer: byte-level BPE with control tokens. Knows nothing about sessions or models.

The `tokenizers` library does the work. Every word is encoded with its leading space, so a word
has one spelling in tokens wherever it stands. A tokenizer is trained here, or adopted from another
model; control tokens come first in both.
"""

import json
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
CONTROL_FLAGS = {
    **{"single_word": False, "lstrip": False, "rstrip": False, "normalized": False},
    "special": True,
}
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
    def adopt(cls, text: str) -> "Tokenizer":
        """Another model's byte-level BPE tokenizer, from the contents of its `tokenizer.json`.

        Its ids move up by FIRST_WORD, behind the control tokens; what it does to a text stays.
        Raises ConfigError for other kinds of tokenizers.
        """
        try:
            spec = json.loads(text)
            HfTokenizer.from_str(text)  # its own opinion, before anything is moved
            vocab, added = spec["model"]["vocab"], spec["added_tokens"]
            kinds = spec["model"]["type"], (spec["decoder"] or {}).get("type")
        except Exception as error:  # the library raises nothing narrower
            raise ConfigError(
                f"not a tokenizer that can be read ({error}); copy it again"
            ) from None
        if kinds != ("BPE", "ByteLevel"):
            raise ConfigError(
                f"a tokenizer of type {kinds[0]} with the decoder {kinds[1]}; only byte-level BPE "
                "can be used"
            )
        ids = vocab | {token["content"]: token["id"] for token in added}
        if clash := sorted(set(SPECIALS) & set(ids)):
            raise ConfigError(f"its token {clash[0]!r} is one of our control tokens; rename it")
        if sorted(ids.values()) != list(range(len(ids))):
            raise ConfigError(
                f"its {len(ids)} tokens have ids up to {max(ids.values())}; every id from 0 on "
                "must be used once; take the tokenizer.json that was published with the weights"
            )
        vocab = {name: FIRST_WORD + i for name, i in vocab.items()}
        control = {name: i for i, name in enumerate(SPECIALS)}
        spec["model"]["vocab"] = control | vocab
        spec["added_tokens"] = [
            *({"id": i, "content": name, **CONTROL_FLAGS} for name, i in control.items()),
            *(token | {"id": FIRST_WORD + token["id"]} for token in added),
        ]
        spec |= {"post_processor": None, "truncation": None, "padding": None}
        return cls.from_json(json.dumps(spec))

    @classmethod
    def from_json(cls, text: str) -> "Tokenizer":
        """Inverse of `to_json`. Raises ConfigError when the control tokens are not ours."""
        inner = HfTokenizer.from_str(text)
        if [inner.token_to_id(name) for name in SPECIALS] != list(range(len(SPECIALS))):
            raise ConfigError(
                "this tokenizer lacks the control tokens "
                f"{SPECIALS[0]} ... {SPECIALS[-1]} as its first {len(SPECIALS)} ids; "
                "use one made by `Tokenizer.train` or `Tokenizer.adopt`"
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

    @property
    def num_words(self) -> int:
        """Tokens that are not control tokens."""
        return self.vocab_size - FIRST_WORD

    def encode(self, text: str) -> list[int]:
        """Ids of a text without control tokens; words are lower-cased."""
        return [token for word in text.lower().split() for token in self.encode_word(word)]

    def encode_word(self, word: str) -> list[int]:
        """Ids of one word with its leading space (cached)."""
        ids = self._words.get(word)
        if ids is None:
            ids = self.encode_text(f" {word}")
            if len(self._words) < MAX_CACHED_WORDS:
                self._words[word] = ids
        return ids

    def encode_text(self, text: str) -> list[int]:
        """Ids of a written text as it stands: case, line ends and all."""
        return self._inner.encode(text, add_special_tokens=False).ids

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
