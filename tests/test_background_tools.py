"""The built-in tools: what they answer, and what they refuse, whatever they are given."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.background import charts
from interplay.background.calculator import MAX_BITS, calculate, format_number
from interplay.background.charts import SCHEMA, check_spec, make_chart
from interplay.background.clocks import MAX_TIMERS, Timers, clock_tool, find_zone, say_duration
from interplay.background.echo import builtin_tools
from interplay.background.tool import Registry, Tool, ToolAnswer, check
from interplay.background.units import TABLE, UNITS, convert
from interplay.errors import ConfigError, ToolError

NOON = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
REGISTRY = Registry(builtin_tools(Timers(), now=lambda: NOON))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["mark", "data", "values", "url", "type", "x", "layer", "name"]), inner
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        ("-(7 // 2) % 5", 2),
        ("2^10", 1024),
        ("1e3 / 8", 125),
        ("sqrt(2) * sqrt(2)", 2.0000000000000004),
        ("max(1, 2.5) + round(2.346, 2)", 4.85),
        ("factorial(20)", 2432902008176640000),
        ("cos(pi) + log(e)", 0),
        (" 007 ".strip("0 ") + " + .5", 7.5),
    ],
)
def test_arithmetic(expression, value):
    assert calculate(expression) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "1 to 200"),
        ("1+" * 200 + "1", "1 to 200"),
        ("9**9**9", "too big"),
        ("9**99999", "too big"),
        ("factorial(999)", "0 to 200"),
        ("factorial(2.5)", "0 to 200"),
        ("factorial(200) ** 4", "too big"),
        ("1e308 * 10", "too big"),
        ("exp(1000)", "too big"),
        ("1 / 0", "zero"),
        ("0 ** -1", "zero"),
        ("(-8) ** 0.5", "no real value"),
        ("sqrt(-1)", "no value"),
        ("round(1, 99)", "0 to 15"),
        ("open('x')", "not arithmetic"),
        ("__import__(2)", "do not know"),
        ("sqrt", "do not know"),
        ("sqrt(1, 2)", "takes 1 numbers"),
        ("min(1)", "2 to 50"),
        ("pi.real", "not arithmetic"),
        ("(1, 2)", "not arithmetic"),
        ("max(*(1, 2))", "not arithmetic"),
        ("True + 1", "not arithmetic"),
        ("1 if 2 else 3", "not arithmetic"),
        ("1if 2 else 3", "not arithmetic"),
        ("0x1", "not arithmetic"),
        ("1j", "not arithmetic"),
        ("((((", "not arithmetic"),
        ("(" * 99 + "1", "not arithmetic"),
        ("lambda x", "not arithmetic"),
    ],
)
def test_arithmetic_refuses(expression, says):
    with pytest.raises(ToolError, match=says):
        calculate(expression)


PIECES = st.sampled_from([*"0123456789+-*/%(). e,^", "**", "//", "sqrt(", "factorial(", "pi"])


@given(st.text(max_size=40) | st.lists(PIECES, max_size=30).map("".join))
@settings(max_examples=100, deadline=5000)
def test_any_text_is_a_bounded_number_or_refused(text):
    try:
        value = calculate(text)
    except ToolError:
        return
    assert math.isfinite(value) if isinstance(value, float) else value.bit_length() <= MAX_BITS
    assert len(format_number(value)) <= 40


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (3.0, "3"),
        (0.1 + 0.2, "0.3"),
        (10**15, "1e+15"),
        (2**4000, "about 10 to the power of 1204"),
        (-1 / 3, "-0.3333333333"),
    ],
)
def test_numbers_as_written(value, text):
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("value", "source", "target", "result"),
    [
        (1, "mile", "km", 1.609344),
        (26.2, "Miles", " kilometres ", 42.1648128),
        (100, "C", "f", 212),
        (-40, "fahrenheit", "celsius", -40),
        (0, "kelvin", "celsius", -273.15),
        (1, "stone", "lbs", 14),
        (1, "imperial pint", "ml", 568.26125),
        (90, "km/h", "m/s", 25),
        (1, "GiB", "mib", 1024),
        (1, "year", "days", 365.25),
    ],
)
def test_units(value, source, target, result):
    assert convert(value, source, target) == pytest.approx(result, rel=1e-9)


@pytest.mark.parametrize("quantity", TABLE)
def test_every_unit_goes_there_and_back(quantity):
    names = [name for name, unit in UNITS.items() if unit.quantity == quantity]
    assert len(names) >= 4
    for name in names:
        assert convert(convert(3.7, name, names[0]), names[0], name) == pytest.approx(3.7)


@pytest.mark.parametrize(
    ("value", "source", "target", "says"),
    [
        (1, "parsec", "m", "do not know the unit parsec"),
        (1, "kg", "m", "mass.*length"),
        (-500, "celsius", "kelvin", "absolute zero"),
        (1e308, "miles", "mm", "too big"),
    ],
)
def test_units_refuse(value, source, target, says):
    with pytest.raises(ToolError, match=says):
        convert(value, source, target)


def test_the_clock_tells_here_and_elsewhere():
    tool = clock_tool(lambda: NOON)
    assert tool.run(0.0) == ToolAnswer(text="it is 12:05 on Sunday, March 1, 2026")
    answer = REGISTRY.call("clock", {"place": "Tokyo"}, 0.0)
    assert answer.text == "it is 21:05 in Tokyo on Sunday, March 1, 2026"
    assert find_zone("new york") is find_zone("America/New_York")
    for place in ("atlantis", "../../etc/passwd", "\0"):
        with pytest.raises(ToolError, match="do not know"):
            REGISTRY.call("clock", {"place": place}, 0.0)


def test_timers_ring_once_in_order_and_can_be_cancelled():
    timers = Timers()
    timers.set(60, "", 0.0)
    timers.set(5, "tea", 0.0)
    timers.set(7, "eggs", 0.0)
    assert timers.cancel("eggs") == 1 and timers.cancel("eggs") == 0
    assert timers.rings(4.9) == []
    rings = timers.rings(99.0)
    assert [ring.content for ring in rings] == ["time for tea", "your timer is up"]
    assert {(ring.delegation_id, ring.status, ring.urgency) for ring in rings} == {
        (None, None, "interrupt")
    }
    assert timers.rings(999.0) == [] and len(timers) == 0


def test_timer_tools_and_their_limits():
    registry = Registry(Timers().tools())
    assert registry.call("list_timers", {}, 0.0).text == "no timer is running"
    said = registry.call("set_timer", {"seconds": 90, "label": "tea"}, 10.0).text
    assert said == "timer set for tea, 1 minute 30 seconds"
    assert registry.call("list_timers", {}, 40.0).text == "tea in 1 minute"
    assert registry.call("cancel_timers", {"label": "tea"}, 41.0).text == "timer cancelled"
    with pytest.raises(ToolError, match="no such timer"):
        registry.call("cancel_timers", {}, 42.0)
    for seconds in (0, -1, 1e9, math.nan, True, "5"):
        with pytest.raises(ToolError, match="seconds"):
            registry.call("set_timer", {"seconds": seconds}, 0.0)
    for _ in range(MAX_TIMERS):
        registry.call("set_timer", {"seconds": 1}, 0.0)
    with pytest.raises(ToolError, match="20 timers already"):
        registry.call("set_timer", {"seconds": 1}, 0.0)


def test_durations_as_said():
    assert say_duration(0.2) == "0 seconds"
    assert say_duration(90061) == "1 day 1 hour 1 minute 1 second"


def test_a_chart_carries_its_data():
    arguments = {"kind": "bar", "labels": ["a", "b"], "values": [1, 2.5], "title": "T"}
    answer = REGISTRY.call("chart", arguments, 0.0)
    assert answer.ui and answer.ui.kind == "vega-lite"
    spec = dict(answer.ui.spec)
    assert spec["$schema"] == SCHEMA and spec["title"] == "T"
    assert spec["data"] == {
        "values": [{"label": "a", "value": 1}, {"label": "b", "value": 2.5}],
    }
    again = REGISTRY.call("chart", arguments, 0.0)
    assert again.ui and again.ui.id != answer.ui.id
    assert make_chart("line", [1, 2], [3, 4])["encoding"]["x"]["type"] == "quantitative"
    assert set(make_chart("arc", ["a"], [3])["encoding"]) == {"theta", "color"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "pie"}, "allowed: bar"),
        ({"values": []}, "1 to 500"),
        ({"values": [1]}, "a label per value"),
        ({"values": [1, math.inf]}, "values"),
        ({"values": [1, "2"]}, r"values\[1\] must be of type number"),
        ({"values": [0] * 501, "labels": [0] * 501}, "allowed: 0 to 500"),
        ({"labels": ["http://x.org/a", "b"]}, "addresses"),
        ({"colour": "red"}, "unknown 'colour'"),
        ({"title": "x" * 81}, "0 to 80"),
        ({"title": 7}, "type string"),
    ],
)
def test_charts_refuse(change, says):
    arguments = {"kind": "bar", "labels": ["a", "b"], "values": [1, 2]} | change
    with pytest.raises(ToolError, match=says):
        REGISTRY.call("chart", arguments, 0.0)


def _spec(**changes: Any) -> dict[str, Any]:
    return {"data": {"values": [{"a": 1}]}, "mark": "bar"} | changes


@pytest.mark.parametrize(
    "spec",
    [
        _spec(),
        _spec(title="Data: 2020, a metadata: chart"),
        _spec(encoding={"x": {"field": "a", "axis": {"format": ".2f"}}}),
        {"layer": [_spec(), {"data": None, "mark": "line"}]},
        {"data": {"name": "d"}, "datasets": {"d": [{"a": 1}]}, "mark": "line"},
        _spec(**{"$schema": "https://elsewhere.org/x.json"}),
        _spec(data={"sequence": {"start": 0, "stop": 12.7, "step": 0.1, "as": "x"}}),
        _spec(data={"sequence": {"start": 5, "stop": 0, "step": -1}}),
        _spec(data={"values": [{"steps": 12_000, "sequence": "a", "graticule": {"step": 0}}]}),
        _spec(encoding={"x": {"field": "a", "bin": {"step": 0.5}, "axis": {"tickCount": "week"}}}),
        _spec(data={"graticule": True}),
        _spec(data={"graticule": {"step": [15, 15], "stepMinor": [5, 10], "precision": 2.5}}),
        _spec(transform=[{"density": "a", "steps": 200, "groupby": ["b"]}]),
    ],
)
def test_specs_that_carry_their_data_pass(spec):
    assert check_spec(spec) == {**spec, "$schema": SCHEMA}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (_spec(data={"url": "data.csv"}), "inline"),
        (_spec(data={"values": [], "format": {"parse": "auto"}}), "inline"),
        (_spec(data={}), "inline"),
        (_spec(data="data.csv"), "inline"),
        ({"layer": [_spec(data={"URL": "x"})]}, "inline"),
        (_spec(config={"URL": "x"}), "'URL'"),
        (_spec(transform=[{"lookup": "a", "from": {"data": {"url": "x"}}}]), "inline"),
        (_spec(encoding={"href": {"value": "x"}}), "'href'"),
        (_spec(encoding={"url": {"field": "a"}}), "'url'"),
        (_spec(mark="image"), "images"),
        (_spec(mark={"type": "image"}), "images"),
        (_spec(usermeta={"embedOptions": {}}), "'usermeta'"),
        (_spec(title="see https://x.org"), "addresses"),
        (_spec(title="//x.org"), "addresses"),
        (_spec(title=" data:text/html,x"), "addresses"),
        (_spec(title=["javascript:alert(1)"]), "addresses"),
        (_spec(config={"background": "url(x)"}), "addresses"),
        (_spec(data={"values": [{"a": math.nan}]}), "finite"),
        (_spec(data={"values": {1, 2}}), "JSON"),
        (_spec(data={"values": ["x" * 300_000]}), "256 KiB"),
        (_spec(data={"sequence": {"start": 0, "stop": 1e12}}), "10000 values"),
        (_spec(data={"sequence": {"start": 0, "stop": 1, "step": 1e-12}}), "10000 values"),
        (_spec(data={"sequence": {"start": 0, "stop": 9, "step": 0}}), "10000 values"),
        (_spec(data={"sequence": {"start": 0, "stop": {"signal": "1e12"}}}), "10000 values"),
        (_spec(data={"sequence": {"start": 0, "stop": True}}), "10000 values"),
        (_spec(data={"sequence": [0, 1e12]}), "10000 values"),
        (_spec(data={"graticule": {"step": [1e-6, 1]}}), "1 degree"),
        (_spec(data={"graticule": {"stepMinor": {"signal": "x"}}}), "1 degree"),
        (_spec(data={"graticule": {"precision": 1e-9}}), "1 degree"),
        (_spec(data={"graticule": {"stepMajor": 0.1}}), "1 degree"),
        (_spec(transform=[{"density": "a", "steps": 1e12}]), "1000 steps"),
        (_spec(transform=[{"density": "a", "maxsteps": 1e12}]), "1000 steps"),
        (_spec(transform=[{"density": "a", "minsteps": "many"}]), "1000 steps"),
        (_spec(transform=[{"impute": "a", "key": "b", "keyvals": {"stop": 1e12}}]), "10000 values"),
        (
            _spec(encoding={"y": {"impute": {"keyvals": {"start": 0, "stop": 1e12}}}}),
            "10000 values",
        ),
        (_spec(encoding={"x": {"bin": {"maxbins": 1e12}}}), "1000 steps"),
        (_spec(encoding={"x": {"axis": {"tickCount": 1e12}}}), "1000 steps"),
        ({"data": {"values": []}}, "needs one of: mark"),
        ({}, "needs one of"),
    ],
)
def test_specs_that_load_or_are_none_are_refused(spec, says):
    with pytest.raises(ToolError, match=says):
        check_spec(spec)


def test_a_deep_spec_is_refused():
    deep: Any = 1
    for _ in range(40):
        deep = {"x": deep}
    with pytest.raises(ToolError, match="24 levels"):
        check_spec(_spec(config=deep))
    for _ in range(3000):
        deep = [deep]
    with pytest.raises(ToolError, match="JSON"):
        check_spec(_spec(config=deep))


@given(st.dictionaries(st.sampled_from(["mark", "data", "layer", "config"]), JSON))
@settings(deadline=None)
def test_any_spec_is_safe_or_refused(spec):
    try:
        text = json.dumps(check_spec(spec))
    except ToolError:
        return
    assert '"url"' not in text.replace(SCHEMA, "") and len(text) < charts.MAX_SPEC_BYTES + 100


@given(name=st.sampled_from([t.name for t in REGISTRY]), arguments=st.dictionaries(
    st.sampled_from(["expression", "value", "source", "target", "seconds", "label", "place",
                     "kind", "labels", "values", "spec", "id", "title", "x"]), JSON))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_arguments_are_answered_or_refused(name, arguments):
    try:
        answer = REGISTRY.call(name, arguments, 0.0)
    except ToolError as error:
        assert "\n" not in str(error) and len(str(error)) < 500
    else:
        assert isinstance(answer, ToolAnswer)


def test_tools_have_schemas_that_a_model_understands():
    for tool in REGISTRY:
        schema = tool.json_schema()
        json.dumps(schema)
        assert schema["type"] == "object" and tool.description.endswith(".")
        assert set(schema["required"]) <= set(schema["properties"])


def test_schema_checks_say_what_is_allowed():
    schema = {"type": "integer", "minimum": 1, "maximum": 3}
    check(2, schema)
    for value, says in ((0, "allowed: 1 to 3"), (1.5, "type integer"), (True, "not boolean")):
        with pytest.raises(ToolError, match=says):
            check(value, schema, "x")
    with pytest.raises(ToolError, match="the arguments lack a"):
        check({}, {"type": "object", "properties": {"a": {}}, "required": ["a"]})
    with pytest.raises(ToolError, match="not null"):
        check(None, {"type": "string"})


def test_registries_refuse_doubles_bad_names_and_unknown_tools():
    tool = Tool(name="a", description="A.", run=lambda now_s: ToolAnswer(text="a"))
    with pytest.raises(ConfigError, match="two tools"):
        Registry([tool, tool])
    with pytest.raises(ConfigError, match="a tool is called"):
        Tool(name="a b", description="A.", run=tool.run)
    with pytest.raises(ToolError, match="no tool 'b'; there are a"):
        Registry([tool]).call("b", {}, 0.0)
