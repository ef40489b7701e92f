"""A conversation from before that a new session goes on from: as many of its newest lines as fit
behind the instructions. Knows nothing of protocols or connections.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from interplay.background.contract import Line
from interplay.server.events import Notice
from interplay.server.served import LETTERS_PER_TOKEN, encode_text
from interplay.turns.tokens import Tokenizer


class Told(NamedTuple):
    """A message from before, in the words of a protocol. role: `user`, `assistant` or another."""

    role: str
    text: str

    def __str__(self) -> str:
        return f"{self.role}: {self.text}"


class Beginning(NamedTuple):
    """What a session reads before anything else. history: of that, what was said. num_left_out: of
    the messages, the oldest."""

    text: str
    history: tuple[Line, ...]
    num_left_out: int


def beginning(
    instructions: str, told: Sequence[Told], tokenizer: Tokenizer, max_tokens: int
) -> Beginning:
    """The instructions and the messages that fit. Raises RequestError when the instructions alone
    do not."""
    ids = encode_text(tokenizer, instructions, max_tokens, "session.instructions")
    num_left, kept = max_tokens - len(ids), list[Told]()
    for message in reversed(told):
        line = str(message)
        if len(line) > LETTERS_PER_TOKEN * num_left:
            break
        num_left -= len(tokenizer.encode(line))
        if num_left < 0:
            break
        kept.insert(0, message)
    text = "\n".join([instructions, *map(str, kept)]).strip()
    return Beginning(text, tuple(_said(kept)), len(told) - len(kept))


def _said(kept: Sequence[Told]) -> Iterator[Line]:
    for role, text in kept:
        if role == "user" or role == "assistant":
            yield Line(role=role, text=text, time_s=0.0)


def cut_notice(num_left_out: int, max_tokens: int) -> Notice:
    """What a client is told of lines that were left out."""
    text = (
        f"the oldest {num_left_out} messages from before the start are left out; with the "
        f"instructions they may have {max_tokens} tokens"
    )
    return Notice(code="history_cut", message=text)
