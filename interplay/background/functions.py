"""Functions of the client, for a language model that works for it: what is offered, and the wait
for what came of a call.

Knows nothing of how a model is asked, or of protocols. Only `settings` is touched by another
thread than that of the loop.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interplay.background.chat_stream import ToolCall
from interplay.background.contract import BackendSettings, FunctionCall, Result, Usage


class ClientFunctions:
    """Those of one session's client. settings: taken by a piece of work when it begins."""

    def __init__(self) -> None:
        self.settings = BackendSettings()
        self._waiting: dict[int, asyncio.Future[Mapping[str, str]]] = {}

    async def ask(
        self,
        delegation_id: int,
        calls: Sequence[ToolCall],
        put: Callable[[Result], None],
        usage: Usage | None,
    ) -> Mapping[str, str]:
        """Have functions called; what came of them, by the ids of the calls. usage: so far."""
        if not calls:
            return {}
        wanted = [FunctionCall(id=c.id, name=c.name, arguments=c.arguments or "{}") for c in calls]
        future = self._waiting[delegation_id] = asyncio.get_running_loop().create_future()
        put(
            Result(
                delegation_id=delegation_id,
                status=None,
                urgency="silent",
                calls=wanted,
                usage=usage,
            )
        )
        try:
            return await future
        finally:
            del self._waiting[delegation_id]

    async def give(self, delegation_id: int, outputs: Mapping[str, str]) -> None:
        """What came of the calls; of no use when nobody waits any more."""
        future = self._waiting.get(delegation_id)
        if future and not future.done():
            future.set_result(outputs)


def request_of(
    settings: BackendSettings,
    tools: Sequence[Mapping[str, Any]],
    num_rounds: int,
    may_call: bool,
    max_tokens: int | None = None,
) -> dict[str, Any]:
    """The fields of a Chat Completions request that say what may be called and how long a reply
    may be. tools: the server's own, of which a function of the client hides its namesake.
    num_rounds: of calls before; what must be called must be called first only, or the work would
    never end. max_tokens: of one reply, at most, whatever the client wishes."""
    names = function_names(settings)
    offered = [tool for tool in tools if tool["function"]["name"] not in names]
    offered += [{"type": "function", "function": dict(f)} for f in settings.functions]
    request: dict[str, Any] = {}
    bounds = [bound for bound in (settings.max_tokens, max_tokens) if bound is not None]
    if bounds:
        request["max_tokens"] = min(bounds)
    if not (offered and may_call):
        return request
    request["tools"] = offered
    if settings.parallel_calls is not None:
        request["parallel_tool_calls"] = settings.parallel_calls
    choice = settings.function_choice
    if choice == "none" or (choice and not num_rounds):
        is_name = choice not in ("auto", "none", "required")
        named = {"type": "function", "function": {"name": choice}}
        request["tool_choice"] = named if is_name else choice
    return request


def function_names(settings: BackendSettings) -> set[str]:
    return {str(function["name"]) for function in settings.functions}
