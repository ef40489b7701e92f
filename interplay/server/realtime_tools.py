"""Which of a client's functions gets what the model hands over.

The model hands over words; it does not choose among functions or fill in several parameters. So a
function is called when there is no doubt, and never otherwise. Knows nothing of sessions.
"""

from collections.abc import Sequence
from typing import Any

from interplay.server.realtime_wire import FunctionTool

NAMED = "function:"  # how a tool_choice that names a function begins


def target(tools: Sequence[FunctionTool], choice: str) -> tuple[FunctionTool, str | None] | None:
    """The function to call, and its parameter for the model's words (None: it takes none).

    choice: a tool_choice. None: there is no function that can be told apart as the right one.
    """
    if choice == "none":
        return None
    if choice.startswith(NAMED):
        tool = next(tool for tool in tools if NAMED + tool.name == choice)
        return (tool, place_of_words(tool)) if is_callable(tool) else None
    fitting = [(tool, place) for tool in tools if (place := place_of_words(tool))]
    return fitting[0] if len(fitting) == 1 else None


def place_of_words(tool: FunctionTool) -> str | None:
    """The one parameter that takes free words: the only required one, or the only one."""
    properties, required = _parameters(tool)
    names = required or [*properties]
    return names[0] if len(names) == 1 and _takes_words(properties.get(names[0])) else None


def is_callable(tool: FunctionTool) -> bool:
    """Whether it can be called with words alone, or with nothing."""
    return place_of_words(tool) is not None or not _parameters(tool)[1]


def _parameters(tool: FunctionTool) -> tuple[dict[str, Any], list[str]]:
    schema = tool.parameters or {}
    properties, required = schema.get("properties"), schema.get("required")
    return (
        properties if isinstance(properties, dict) else {},
        [name for name in required if isinstance(name, str)] if isinstance(required, list) else [],
    )


def _takes_words(schema: Any) -> bool:
    if not isinstance(schema, dict) or {"enum", "const", "format", "pattern"} & set(schema):
        return False
    kind = schema.get("type")
    return kind == "string" or (isinstance(kind, list) and "string" in kind)
