"""Charts as a tool: Vega-Lite specs with their data inside, checked before they go anywhere.

A spec comes from a language model and is drawn in the user's browser, so it is data of a stranger:
nothing in it may load anything. Knows nothing of drawing, sentences or sessions.
"""

import json
import math
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from interplay.background.contract import Ui
from interplay.background.tool import Tool, ToolAnswer
from interplay.errors import ToolError

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
MAX_SPEC_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_POINTS = 500  # of a chart by `chart`; a whole spec is bounded by its bytes
MAX_TITLE_CHARS = 80
MAX_SEQUENCE = 10_000  # values that a spec lets the renderer make of a few letters
MAX_STEPS = 1000  # of a density, of bins, of ticks
MIN_DEGREES = 1.0  # between lines on a map, and between points of a line
COUNTS = frozenset({"steps", "minsteps", "maxsteps", "maxbins", "tickCount"})
MARKS = ("bar", "line", "point", "area", "arc")
VIEWS = ("mark", "layer", "hconcat", "vconcat", "concat", "repeat", "facet")
# Whatever the renderer would fetch, follow, or take as settings of its own.
LOADS = frozenset({"url", "href", "src", "loader", "baseurl", "usermeta"})
ADDRESS = re.compile(r"//|^\s*(data|javascript|blob|file):\S|url\s*\(", re.I)
ROWS = frozenset({"values", "datasets"})  # whose names are those of the data
INLINE_DATA = frozenset({"values", "name", "sequence", "sphere", "graticule"})


def check_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The same spec as plain JSON, with `$schema` set, when it is safe to draw.

    Refused by ToolError: not JSON, NaN, more than 256 KiB or 24 levels, no view, data from
    anywhere but the spec itself, anything that looks like an address, links, images, settings
    of the renderer, and a few letters that would be drawn as millions of values or lines.
    """
    try:
        text = json.dumps(spec, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ToolError("a chart must be plain JSON with finite numbers") from None
    if len(text.encode()) > MAX_SPEC_BYTES:
        raise ToolError(f"a chart has at most {MAX_SPEC_BYTES // 1024} KiB, this has more")
    plain = json.loads(text)
    if not isinstance(plain, dict) or not any(view in plain for view in VIEWS):
        raise ToolError(f"a chart needs one of: {', '.join(VIEWS)}")
    plain.pop("$schema", None)
    for key, value in _walk(plain):
        _check_entry(key, value)
    for key, value in _walk(plain, ROWS):
        _check_size(key, value)
    return {"$schema": SCHEMA, **plain}


def _walk(root: Any, without: Container[str] = ()) -> Iterator[tuple[str, Any]]:
    """Every (key, value) inside; items of a list come under the list's key. without: keys whose
    values are not looked into."""
    pending = [("", root, 0)]
    while pending:
        key, node, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise ToolError(f"a chart has at most {MAX_DEPTH} levels, this has more")
        if depth:
            yield key, node
        if isinstance(node, dict):
            inside = ((name, value) for name, value in node.items() if name not in without)
            pending += [(name, value, depth + 1) for name, value in inside]
        elif isinstance(node, list):
            pending += [(key, value, depth + 1) for value in node]


def _check_entry(key: str, value: Any) -> None:
    if key.lower() in LOADS:
        raise ToolError(f"a chart must carry its data inside; {key!r} is not allowed")
    if isinstance(value, str) and ADDRESS.search(value):
        raise ToolError("a chart must not contain addresses")
    if key in ("mark", "type") and value == "image":
        raise ToolError("a chart must not contain images")
    if key == "data" and not _is_inline(value):
        allowed = ", ".join(sorted(INLINE_DATA))
        raise ToolError(f"a chart's data must be inline, with one of: {allowed}")


def _check_size(key: str, value: Any) -> None:
    """What makes much of little. Such sizes are plain numbers: a signal could be anything."""
    if key == "sequence" or (key == "keyvals" and isinstance(value, dict)):
        if not _num_values(value) <= MAX_SEQUENCE:
            raise ToolError(f"a sequence in a chart has at most {MAX_SEQUENCE} values")
    elif key in COUNTS and isinstance(value, dict | float | int | str):
        is_named = key == "tickCount" and isinstance(value, str)  # an interval, such as "week"
        if not is_named and not 0 <= _number(value) <= MAX_STEPS:
            raise ToolError(
                f"{key} in a chart is a number up to {MAX_STEPS}, as in {MAX_STEPS} steps"
            )
    elif key == "graticule" and isinstance(value, dict):
        for name in ("step", "stepMajor", "stepMinor", "precision"):
            degrees = value.get(name, MIN_DEGREES)
            for each in degrees if isinstance(degrees, list) else [degrees]:
                if not _number(each) >= MIN_DEGREES:
                    raise ToolError(f"{name} of a graticule is {MIN_DEGREES:g} degree or more")


def _num_values(sequence: Any) -> float:
    """How many values a sequence has, below 0 for none; NaN for what cannot be counted."""
    if not isinstance(sequence, dict):
        return math.nan
    start, stop, step = (
        _number(sequence.get(name, default))
        for name, default in (("start", 0), ("stop", None), ("step", 1))
    )
    return (stop - start) / step if step else math.nan


def _number(value: Any) -> float:
    """NaN, which no comparison holds for, where it is no number."""
    return float(value) if isinstance(value, int | float) and value is not True else math.nan


def _is_inline(data: Any) -> bool:
    """null is "no data"; the items of a list come one by one."""
    if isinstance(data, dict):
        return bool(data) and set(data) <= INLINE_DATA
    return data is None or isinstance(data, list)


def make_chart(
    kind: str,
    labels: Sequence[str | float],
    values: Sequence[float],
    title: str = "",
    label_title: str = "",
    value_title: str = "",
) -> dict[str, Any]:
    """A spec of one series. kind: one of `MARKS`. Labels that are all numbers make a number axis.

    Raises ToolError when there are no points, too many, or not one label per value.
    """
    if kind not in MARKS:
        raise ToolError(f"i cannot draw a {kind[:MAX_TITLE_CHARS]!r}; allowed: {', '.join(MARKS)}")
    if not 1 <= len(values) <= MAX_POINTS:
        raise ToolError(f"a chart has 1 to {MAX_POINTS} points, this has {len(values)}")
    if len(labels) != len(values):
        raise ToolError(f"a chart needs a label per value: {len(labels)} and {len(values)}")
    if not all(math.isfinite(value) for value in values):
        raise ToolError("a chart needs finite numbers")
    is_number_axis = kind != "bar" and not any(isinstance(label, str) for label in labels)
    across = {
        "field": "label",
        "type": "quantitative" if is_number_axis else "nominal",
        "title": label_title or None,
        "sort": None,
    }
    up = {"field": "value", "type": "quantitative", "title": value_title or None}
    spec: dict[str, Any] = {
        "data": {
            "values": [
                {"label": label, "value": value}
                for label, value in zip(labels, values, strict=True)
            ]
        },
        "mark": {"type": kind, "tooltip": True},
        "encoding": {"theta": up, "color": across} if kind == "arc" else {"x": across, "y": up},
    }
    if title:
        spec["title"] = title
    return check_spec(spec)


def chart_tools(next_id: Callable[[], int] | None = None) -> list[Tool]:
    """chart, from columns, and render_chart, from a whole spec. next_id: numbers the charts."""
    number = next_id or count(1).__next__

    def answer(spec: dict[str, Any], ui_id: str) -> ToolAnswer:
        shown = Ui(id=ui_id or f"chart-{number()}", kind="vega-lite", spec=spec)
        return ToolAnswer(text="the chart is on the screen", ui=shown)

    def chart(
        now_s: float,
        /,
        *,
        kind: str,
        labels: list[str | float],
        values: list[float],
        title: str = "",
        label_title: str = "",
        value_title: str = "",
    ) -> ToolAnswer:
        return answer(make_chart(kind, labels, values, title, label_title, value_title), "")

    def render_chart(now_s: float, /, *, spec: dict[str, Any], id: str = "") -> ToolAnswer:
        return answer(check_spec(spec), id)

    words = {"type": "string", "maxLength": MAX_TITLE_CHARS}
    return [
        Tool(
            name="chart",
            description="Show a chart of one series of numbers to the user.",
            parameters={
                "kind": {"type": "string", "enum": list(MARKS)},
                "labels": {"type": "array", "maxItems": MAX_POINTS},
                "values": {"type": "array", "items": {"type": "number"}, "maxItems": MAX_POINTS},
                "title": words,
                "label_title": words,
                "value_title": words,
            },
            required=("kind", "labels", "values"),
            run=chart,
        ),
        Tool(
            name="render_chart",
            description="Show a Vega-Lite v6 spec to the user. Data must be inline (data.values); "
            "addresses, links and images are refused. The same id replaces a chart.",
            parameters={"spec": {"type": "object"}, "id": words},
            required=("spec",),
            run=render_chart,
        ),
    ]
