"""A tool that a background model may call: its name, its parameters as a JSON schema, its function.

Knows nothing of any particular tool, model or protocol.
"""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from interplay.background.contract import Ui
from interplay.errors import ConfigError, ToolError

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what Chat Completions allows
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


@dataclass(frozen=True, kw_only=True)
class ToolAnswer:
    """What a tool found: words, and something to show beside them."""

    text: str
    ui: Ui | None = None


ToolFunction = Callable[..., ToolAnswer | Awaitable[ToolAnswer]]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool. run: called with the session's time [s] and the arguments by name; it may be a
    coroutine function. It raises ToolError, in words that can be said aloud.

    schema: the whole JSON schema where `parameters` is not enough; then the tool itself checks.
    Raises ConfigError on a name that models could not call.
    """

    name: str
    description: str
    run: ToolFunction
    parameters: Mapping[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ConfigError(
                f"a tool is called {self.name!r}; allowed are 1 to 64 letters, digits, _ and -"
            )

    def json_schema(self) -> dict[str, Any]:
        """Of its parameters, as an object (JSON Schema 2020-12)."""
        if self.schema is not None:
            return dict(self.schema)
        return {
            "type": "object",
            "properties": dict(self.parameters),
            "required": list(self.required),
            "additionalProperties": False,
        }


class Registry:
    """Tools by name. Raises ConfigError when two have the same."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ConfigError(f"two tools are called {tool.name!r}; rename one of them")
            self._tools[tool.name] = tool

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def get(self, name: str) -> Tool:
        """Raises ToolError, listing what there is."""
        if name not in self._tools:
            raise ToolError(f"there is no tool {name[:80]!r}; there are {', '.join(self._tools)}")
        return self._tools[name]

    def call(self, name: str, arguments: Mapping[str, Any], now_s: float) -> ToolAnswer:
        """Run a tool that is a plain function, here and now. Raises ToolError."""
        tool = self.get(name)
        if inspect.iscoroutinefunction(tool.run):
            raise ToolError(f"{name} can only be called by a language model")
        check(arguments, tool.json_schema())
        answer = tool.run(now_s, **arguments)
        assert isinstance(answer, ToolAnswer)
        return answer

    async def call_async(
        self, name: str, arguments: Mapping[str, Any], now_s: float, timeout_s: float = 30.0
    ) -> ToolAnswer:
        """Run any tool without stopping the loop; plain functions run in a thread.

        Raises ToolError, also when it takes longer than `timeout_s`.
        """
        tool = self.get(name)
        try:
            async with asyncio.timeout(timeout_s):
                if not inspect.iscoroutinefunction(tool.run):
                    return await asyncio.to_thread(self.call, name, arguments, now_s)
                if tool.schema is None:
                    check(arguments, tool.json_schema())
                return await tool.run(now_s, **arguments)
        except TimeoutError:
            raise ToolError(f"{name} took longer than {timeout_s:g} seconds") from None


def check(value: Any, schema: Mapping[str, Any], where: str = "the arguments") -> None:
    """Hold a value against the part of JSON Schema that our own tools use: type, properties,
    required, additionalProperties, enum, minimum, maximum, minLength, maxLength, items, maxItems.

    Raises ToolError with the place and what is allowed there.
    """
    kind = schema.get("type")
    if kind is not None:
        is_bool = isinstance(value, bool) and kind != "boolean"  # to Python, True is a number
        if is_bool or not isinstance(value, TYPES[kind]):
            raise ToolError(f"{where} must be of type {kind}, not {_kind_of(value)}")
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(str(option) for option in schema["enum"])
        raise ToolError(f"{where} is {str(value)[:80]!r}; allowed: {allowed}")
    if isinstance(value, int | float):
        _check_range(value, schema, where)
    elif isinstance(value, str | list):
        _check_length(value, schema, where)
    if isinstance(value, dict) and "properties" in schema:
        _check_object(value, schema, where)
    for index, item in enumerate(value if isinstance(value, list) and "items" in schema else ()):
        check(item, schema["items"], f"{where}[{index}]")


def _check_range(value: float, schema: Mapping[str, Any], where: str) -> None:
    low, high = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    if not (low <= value <= high and abs(value) < float("inf")):  # also refuses NaN
        raise ToolError(f"{where} is {str(value)[:40]}; allowed: {low:g} to {high:g}")


def _check_length(value: str | list, schema: Mapping[str, Any], where: str) -> None:
    unit = "Length" if isinstance(value, str) else "Items"
    low, high = schema.get(f"min{unit}", 0), schema.get(f"max{unit}", float("inf"))
    if not low <= len(value) <= high:
        raise ToolError(f"{where} has the length {len(value)}; allowed: {low} to {high}")


def _check_object(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> None:
    properties = schema["properties"]
    missing = [name for name in schema.get("required", ()) if name not in value]
    unknown = [name for name in value if name not in properties]
    if missing:
        raise ToolError(f"{where} lack {', '.join(missing)}")
    if unknown and not schema.get("additionalProperties", True):
        allowed = ", ".join(properties) or "none"
        raise ToolError(f"{where} have an unknown {str(unknown[0])[:80]!r}; allowed: {allowed}")
    for name, item in value.items():
        if name in properties:
            check(item, properties[name], name)


def _kind_of(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
    return names.get(type(value), "null" if value is None else "object")
