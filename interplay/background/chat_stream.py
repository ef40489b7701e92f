"""One streamed reply of a Chat Completions endpoint, put together from its chunks.

What a server sends is a stranger's data: everything is bounded, and what does not fit the
protocol is an error of that server. Knows nothing of tools, sessions or retries.
"""

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from interplay.background.contract import Usage
from interplay.errors import BackgroundError

MAX_REPLY_CHARS = 20_000
MAX_ARGUMENT_CHARS = 64_000
MAX_CALLS = 8  # in one reply
SENTENCE = re.compile(r".+?[.!?…](?=\s)\s*|.*?\n+\s*", re.S)
MIN_SENTENCE_CHARS = 12  # "1. " and "Dr. " are not said alone


@dataclass(kw_only=True)
class ToolCall:
    """A call as it grows: name and arguments come in pieces."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def parsed(self) -> dict[str, Any]:
        """The arguments. Raises BackgroundError when they are no JSON object."""
        try:
            value = json.loads(self.arguments or "{}")
        except (ValueError, RecursionError):
            raise BackgroundError("the arguments are not JSON") from None
        if not isinstance(value, dict):
            raise BackgroundError("the arguments are not a JSON object")
        return value

    def as_message(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": self.arguments or "{}"}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(kw_only=True)
class Reply:
    """Words and calls of one reply. `said` is how many characters were already passed on; usage:
    None where the server does not count."""

    text: str = ""
    said: int = 0
    calls: dict[int, ToolCall] = field(default_factory=dict)
    finish_reason: str = ""
    usage: Usage | None = None

    @property
    def unsaid(self) -> str:
        return self.text[self.said :].strip()

    def as_message(self) -> dict[str, Any]:
        calls = [call.as_message() for call in self.calls.values()]
        return {"role": "assistant", "content": self.text or None, "tool_calls": calls}


async def read_reply(chunks: AsyncIterator[Any], say: Callable[[str], None] | None = None) -> Reply:
    """The whole reply; `say` gets each sentence as soon as it is complete, the rest is `unsaid`.

    Raises BackgroundError when the stream ends before its end, breaks the protocol, or is too big.
    """
    reply = Reply()
    async for chunk in chunks:
        for choice in _items(chunk, "choices")[:1]:
            _take(reply, choice)
        reply.usage = _usage(chunk) or reply.usage
        if say:
            _say_sentences(reply, say)
    if not reply.finish_reason:
        raise BackgroundError("the reply broke off before its end")
    if any(not call.name for call in reply.calls.values()):
        raise BackgroundError("the reply calls a tool without a name")
    for index, call in reply.calls.items():
        call.id = call.id or f"call_{index}"  # some servers leave it out; each needs its own
    return reply


def _take(reply: Reply, choice: Any) -> None:
    delta = getattr(choice, "delta", None)
    reply.text += _text(delta, "content")
    if len(reply.text) > MAX_REPLY_CHARS:
        raise BackgroundError(f"the reply has more than {MAX_REPLY_CHARS} characters")
    for piece in _items(delta, "tool_calls"):
        index = getattr(piece, "index", None)
        index = index if isinstance(index, int) else len(reply.calls)
        if index not in reply.calls and len(reply.calls) >= MAX_CALLS:
            raise BackgroundError(f"the reply calls more than {MAX_CALLS} tools at once")
        call = reply.calls.setdefault(index, ToolCall())
        function = getattr(piece, "function", None)
        call.id = call.id or _text(piece, "id")
        call.name = call.name or _text(function, "name")
        call.arguments += _text(function, "arguments")
        if len(call.arguments) > MAX_ARGUMENT_CHARS:
            raise BackgroundError(f"a call has more than {MAX_ARGUMENT_CHARS} characters")
    reply.finish_reason = _text(choice, "finish_reason") or reply.finish_reason


def _say_sentences(reply: Reply, say: Callable[[str], None]) -> None:
    while match := SENTENCE.match(reply.text, reply.said):
        end = match.end()
        while end - reply.said < MIN_SENTENCE_CHARS:
            match = SENTENCE.match(reply.text, end)
            if match is None:
                return
            end = match.end()
        if sentence := reply.text[reply.said : end].strip():
            say(sentence)
        reply.said = end


def _usage(chunk: Any) -> Usage | None:
    """Of the chunk that has it, mostly the last one."""
    usage = getattr(chunk, "usage", None)
    if usage is None:
        return None
    return Usage(
        input=_count(usage, "prompt_tokens"),
        cached=_count(getattr(usage, "prompt_tokens_details", None), "cached_tokens"),
        output=_count(usage, "completion_tokens"),
        reasoning=_count(getattr(usage, "completion_tokens_details", None), "reasoning_tokens"),
    )


def _count(owner: Any, name: str) -> int:
    value = getattr(owner, name, None)
    return value if isinstance(value, int) and value >= 0 else 0


def _items(owner: Any, name: str) -> list[Any]:
    """A list inside a chunk; absent and null count as empty."""
    value = getattr(owner, name, None)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BackgroundError(f"the server does not keep to the protocol: {name} is no list")
    return value


def _text(owner: Any, name: str) -> str:
    value = getattr(owner, name, None)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BackgroundError(f"the server does not keep to the protocol: {name} is no text")
    return value
