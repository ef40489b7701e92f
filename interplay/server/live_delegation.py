"""What a client of the Live protocol wishes of delegation, checked: the type, and the settings of
the background model. What cannot be had is refused or remarked on, never ignored.

Knows nothing of connections or of who does the work.
"""

from dataclasses import replace
from typing import Any

import msgspec

from interplay.background.contract import BackendSettings
from interplay.background.tool import NAME
from interplay.errors import RequestError
from interplay.server.live_wire import (
    CallOutput,
    DelegationConfig,
    FunctionTool,
    MessageItem,
    ResponsesConfig,
)
from interplay.server.responses import MODEL
from interplay.server.served import ServedSession

PLACE = "session.delegation"
CHOICES = ("auto", "none", "required")
MAX_TOOLS = 64
MAX_OUTPUT = 32_768  # letters of what came of a call; frameworks send whatever a tool gave
UNUSED = ("reasoning", "text", "service_tier")  # settings that other backends have


def check_delegation(config: DelegationConfig | None) -> str:
    """The type. Raises RequestError for one that is not supported, and for settings of another."""
    if config is None:
        return "client"
    if config.type not in ("client", "responses"):
        raise _unsupported(
            f"the delegation type {config.type!r} is not supported here; use client or responses",
            "type",
        )
    for name, settings in (("responses", config.responses), ("decisions", config.decisions)):
        if settings is not None and name != config.type:
            raise _unsupported(
                f"the delegation type {config.type} has no settings {name!r}; leave them out", name
            )
    return config.type


def settings_of(config: ResponsesConfig, before: BackendSettings) -> BackendSettings:
    """What the backend is told from now on; what the client leaves out stays as it was before.

    Raises RequestError, with the field that cannot be had.
    """
    changes: dict[str, Any] = {}
    if config.instructions is not None:
        changes["instructions"] = config.instructions
    if config.tools is not None:
        changes["functions"] = _functions(config.tools)
    if config.tool_choice is not None:
        changes["function_choice"] = _choice(config.tool_choice)
    if config.parallel_tool_calls is not None:
        changes["parallel_calls"] = config.parallel_tool_calls
    if config.max_output_tokens is not None:
        changes["max_tokens"] = config.max_output_tokens
    settings = replace(before, **changes)
    names = [function["name"] for function in settings.functions]
    choice = settings.function_choice
    if choice is not None and choice not in (*CHOICES, *names):
        raise _unsupported(
            f"the function {choice[:64]!r} must be called but is not among the tools",
            "responses.tool_choice",
        )
    return settings


def _functions(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(tools) > MAX_TOOLS:
        raise _unsupported(f"{len(tools)} tools; send at most {MAX_TOOLS}", "responses.tools")
    found: dict[str, dict[str, Any]] = {}
    for index, tool in enumerate(tools):
        place = f"responses.tools[{index}]"
        if tool.get("type") != "function":
            raise _unsupported(
                f"tools of the type {str(tool.get('type'))[:40]!r} cannot be had; this server's "
                "own tools are set by its operator, a client may bring functions",
                f"{place}.type",
            )
        try:
            function = msgspec.convert(tool, FunctionTool)
        except msgspec.ValidationError as error:
            raise RequestError(
                "invalid_event", str(error)[:200], param=f"{PLACE}.{place}"
            ) from None
        if not NAME.fullmatch(function.name) or function.name in found:
            raise _unsupported(
                "a function needs a name of its own, 1 to 64 letters, digits, _ and -",
                f"{place}.name",
            )
        found[function.name] = {
            "name": function.name,
            "description": function.description or "",
            "parameters": function.parameters or {"type": "object", "properties": {}},
        }
    return [*found.values()]


def _choice(choice: str | dict[str, Any]) -> str:
    """`auto`, `none`, `required` or the name of a function."""
    if isinstance(choice, dict) and choice.get("type") == "function":
        return str(choice.get("name"))
    if isinstance(choice, str) and choice in CHOICES:
        return choice
    raise _unsupported(
        "this choice cannot be had; use auto, none, required or a function", "responses.tool_choice"
    )


def configure(session: ServedSession, config: DelegationConfig | None) -> list[tuple[str, str]]:
    """Tell the session's backend; returns code and text of every wish that changes nothing."""
    remarks = []
    if config and config.acknowledgement_delay_ms is not None:
        text = "the model itself decides when it acknowledges work"
        remarks.append(("acknowledgement_ignored", text))
    wishes = config.responses if config else None
    if wishes is None or session.backing is None:
        return remarks
    if wishes.model is not None:
        remarks.append(("backend_substituted", "this server has one background model"))
    unused = [name for name in UNUSED if getattr(wishes, name) is not None]
    if unused:
        text = f"the background model has no settings {', '.join(unused)}"
        remarks.append(("backend_setting_ignored", text))
    settings = settings_of(wishes, session.backing.settings)
    is_taken = session.backing.configure(settings)
    if not is_taken and settings != BackendSettings():
        text = "this server's background model takes no instructions and calls no functions"
        remarks.append(("backend_setting_ignored", text))
    return remarks


def describe_delegation(session: ServedSession) -> dict[str, Any]:
    """The protocol's words for how the work of a session is done."""
    if session.backing is None:
        return {"type": "client"}
    settings = session.backing.settings
    choice = settings.function_choice or "auto"
    named = choice if choice in CHOICES else {"type": "function", "name": choice}
    about = {
        "model": MODEL,
        "instructions": settings.instructions or None,
        "tools": [{"type": "function", **function} for function in settings.functions],
        "tool_choice": named,
        "parallel_tool_calls": settings.parallel_calls,
        "max_output_tokens": settings.max_tokens,
    }
    return {"type": "responses", "responses": about}


def add_item(session: ServedSession, item: dict[str, Any]) -> list[tuple[str, str]]:
    """`response.item.create`: what came of a call, or a message to the backend. Returns code and
    text of remarks. Raises RequestError for another kind of item."""
    backing = session.backing
    assert backing, "checked by the protocol"
    kinds = {"function_call_output": CallOutput, "message": MessageItem}
    kind = kinds.get(str(item.get("type", "message")))
    if kind is None:
        raise RequestError(
            "unsupported_value",
            f"items of the type {str(item.get('type'))[:40]!r} cannot be had; use "
            f"{' or '.join(kinds)}",
            param="item.type",
        )
    try:
        parsed = msgspec.convert(item, kind)
    except msgspec.ValidationError as error:
        raise RequestError("invalid_event", str(error)[:200], param="item") from None
    if isinstance(parsed, MessageItem):
        backing.add_question(_text(parsed.content))
        return []
    output = _text(parsed.output)
    backing.add_output(parsed.call_id, output[:MAX_OUTPUT])
    if len(output) <= MAX_OUTPUT:
        return []
    text = f"an output of {len(output)} letters; its first {MAX_OUTPUT} are passed on"
    return [("output_cut", text)]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content)


def _unsupported(message: str, place: str) -> RequestError:
    return RequestError("unsupported_value", message, param=f"{PLACE}.{place}")
