"""Functions that an item offers to a system, and what comes back when it calls them.

A data set that tells only which calls it expects is read for what can be called: every function in
it, with all the arguments that it is ever given. Declarations that lie beside it are taken instead.
What calls give is made up: it holds a value wherever an expected argument refers to a result, as in
`$RESULT_0.flights[0].flight_id`. Knows nothing of protocols or scores.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from interplay.errors import RecordError

OFFERED = "functions"  # of `Item.about`: declarations, as protocols take them
GIVEN = "results"  # of `Item.about`: name of a function -> what its calls give, in order
FILE = "functions.json"
DONE = {"status": "success"}
_REFERENCE = re.compile(r"\$RESULT_(\d+)((?:\.\w+|\[\d+\])+)")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),  # before int, which it is, too
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)
Expected = Mapping[str, Any]  # {"function": name, "args": {name: value}}


class Functions:
    """Those of one item while it is played. about: of the item."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        self.offered: list[dict[str, Any]] = list(about.get(OFFERED, ()))
        self._given: Mapping[str, Sequence[Any]] = about.get(GIVEN, {})
        self._num_calls: Counter[str] = Counter()

    def result(self, name: str) -> str:
        """What the next call of a function gives, as JSON; the last one again when there is none
        left."""
        given = self._given.get(name) or [DONE]
        self._num_calls[name] += 1
        return json.dumps(given[min(self._num_calls[name], len(given)) - 1])


def read_functions(folder: Path, calls: Iterable[Expected]) -> list[dict[str, Any]]:
    """Declarations from `functions.json` in a folder (a list, as in `tools` of Chat Completions or
    of Realtime), else from all expected calls. Raises RecordError for a file that is none."""
    path = folder / FILE
    if not path.exists():
        return declared(calls)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"cannot read {path}: {error}") from error
    tools = [tool.get("function", tool) for tool in found] if _are_objects(found) else []
    if (
        not tools
        or not _are_objects(tools)
        or not all(isinstance(t.get("name"), str) for t in tools)
    ):
        raise RecordError(
            f'{path} is no list of functions; give [{{"name": ..., "description": ..., '
            '"parameters": a JSON schema}, ...], or leave the file out'
        )
    return [_tool(t["name"], t.get("description"), t.get("parameters")) for t in tools]


def declared(calls: Iterable[Expected]) -> list[dict[str, Any]]:
    """Declarations of all functions that are called, by name. An argument is required where no call
    is without it; its type is that of its values, none where they differ or are references."""
    values: dict[str, dict[str, list[Any]]] = {}
    counts: Counter[str] = Counter()
    for call in calls:
        counts[call["function"]] += 1
        known = values.setdefault(call["function"], {})
        for name, value in call.get("args", {}).items():
            known.setdefault(name, []).append(value)
    return [_declaration(name, values[name], counts[name]) for name in sorted(values)]


def _declaration(name: str, args: Mapping[str, Sequence[Any]], count: int) -> dict[str, Any]:
    properties = {arg: _schema(args[arg]) for arg in sorted(args)}
    required = [arg for arg in sorted(args) if len(args[arg]) == count]
    schema = {"type": "object", "properties": properties, "required": required}
    return _tool(name, None, schema)


def _tool(name: str, description: str | None, parameters: Any) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "description": description or f"{name.replace('_', ' ')}.",
        "parameters": parameters or {"type": "object", "properties": {}},
    }


def _schema(values: Sequence[Any]) -> dict[str, str]:
    plain = [v for v in values if not (isinstance(v, str) and v.startswith("$"))]
    names = {next((n for kind, n in _TYPES if isinstance(v, kind)), "") for v in plain}
    if names == {"integer", "number"}:
        names = {"number"}
    return {"type": names.pop()} if len(names) == 1 and "" not in names else {}


def results(calls: Sequence[Expected]) -> dict[str, list[Any]]:
    """Name of a function -> what its expected calls give, in order."""
    given: list[dict[str, Any]] = [dict(DONE) for _ in calls]
    for call in calls:
        for value in call.get("args", {}).values():
            found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
            if found and int(found[1]) < len(given):
                _put(given[int(found[1])], [name or int(k) for name, k in _STEP.findall(found[2])])
    by_name: dict[str, list[Any]] = {}
    for call, result in zip(calls, given, strict=True):
        by_name.setdefault(call["function"], []).append(result)
    return by_name


def _put(result: Any, steps: Sequence[str | int]) -> None:
    """Make a place in a result, and something to be found there."""
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        new: Any = {} if isinstance(following, str) else []
        new = f"{step}-1" if following is None else new
        if isinstance(step, int) and isinstance(result, list):
            result += [{} for _ in range(step + 1 - len(result))]
            result[step] = result[step] or new
            result = result[step]
        elif isinstance(step, str) and isinstance(result, dict):
            result = result.setdefault(step, new)
        else:
            return  # two references that contradict each other: the first one stands


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
