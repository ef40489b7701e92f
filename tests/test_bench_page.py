"""The page of a result: distributions, what went wrong first, timelines, what was also counted."""

from dataclasses import replace
from io import StringIO
from xml.etree import ElementTree

import pytest
from bench_helpers import (
    BACKCHANNEL,
    DELEGATE,
    INTERRUPT,
    PAUSE,
    QUESTION,
    SMALL,
    TIMER,
    oracle_trace,
    small_score,
    small_twin,
)
from rich.console import Console

from interplay.bench import report
from interplay.bench.item_json import item_id
from interplay.bench.outcomes import columns
from interplay.bench.page.charts import histogram, nice_step
from interplay.bench.page.page import page_html, worst_first
from interplay.bench.page.timeline import timeline
from interplay.bench.rows import Row
from interplay.bench.score import Outcome, summarize

ITEMS = (QUESTION, PAUSE, INTERRUPT, BACKCHANNEL, TIMER, DELEGATE)


def result(traces, name: str = "silent") -> dict:
    rows = {}
    for row in SMALL.rows:
        tagged = [(item_id(t.item), o) for t in traces for o in small_score([t])[row.name]]
        outcomes = [outcome for _, outcome in tagged]
        entry = report.entry(row, summarize(outcomes, row.statistic, 0), {"silent": 0.0})
        rows[row.name] = entry | {"suite": "small", "outcomes": columns(tagged)}
    return {"suite": "small", "model": name, "seed": 0, "commit": "abc", "rows": rows}


def test_the_worst_item_comes_first_and_says_why():
    right, wrong = small_twin(1, 0)
    traces = [oracle_trace("perfect", right), oracle_trace("silent", wrong)]
    (first, why), (second, nothing) = worst_first(result(traces))
    assert (first, second) == (item_id(wrong), item_id(right)) and nothing == []
    assert why == ["small_right (no response)", "small_latency_s (no response)"]


@pytest.mark.parametrize("what", ITEMS, ids=lambda what: what.kind)
@pytest.mark.parametrize("name", ["perfect", "silent"])
def test_timelines_are_well_formed_and_hold_what_was_said(what, name):
    drawn = timeline(oracle_trace(name, what))
    ElementTree.fromstring(drawn)
    assert ("moment never came" in drawn) == (
        name == "silent" and what in (INTERRUPT, BACKCHANNEL, DELEGATE)
    )
    if name == "perfect" and what is QUESTION:
        assert ">four</text>" in drawn and ">plus</text>" in drawn and "say “four”" in drawn


def test_histograms_tell_how_many_gave_nothing():
    drawn = histogram("x", [0.1, 0.2, 0.2, 1.0], "s", 6)
    assert "n 6, 2 without a value" in drawn and "median 0.2 s" in drawn
    ElementTree.fromstring(drawn)
    assert drawn.count('class="bar"') == 3
    ElementTree.fromstring(histogram("x", [], "s", 3))
    ElementTree.fromstring(histogram("x", [0.3], "s", 1))
    assert [nice_step(e, 10) for e in (1, 9, 20, 21, 0.03)] == pytest.approx(
        [0.1, 1, 2, 2.5, 0.005]
    )


def test_text_from_outside_stays_text(tmp_path):
    traces = [oracle_trace("silent", replace(QUESTION, subset="<b>x"))]
    html = page_html(result(traces, name="<script>alert(1)</script>"), traces)
    assert "<script>alert" not in html and "<b>x" not in html


def reported(row: str, system: str, value: float, source: str) -> dict:
    about = {"source": source, "date": "2026-05"}
    return {"suite": "small", "row": row, "system": system, "value": value, **about}


def test_numbers_of_others_stand_beside_a_row_or_below_the_table_with_their_sources():
    found = result([oracle_trace("perfect", what) for what in small_twin(1, 0)])
    found["published"] = [
        reported("small_right", "Somebody", 0.4, "a paper"),
        reported("small_right", "Somebody", 0.5, "another paper"),
        reported("small_right_judged", "Somebody", 0.75, "a judge's paper"),
        reported("small_right_judged", "Nobody", 0.5, "a judge's paper"),
        reported("small_right", "Elsewhere", 0.9, "x") | {"suite": "other"},
    ]
    html = page_html(found, [])
    assert '<td class="edge">40 %, 50 %</td>' in html
    assert html.count('<th class="edge">') == 1 and "Elsewhere" not in html
    assert "Somebody: a paper, 2026-05" in html and "Somebody: another paper, 2026-05" in html
    below = "not measured here: small_right_judged: Somebody 0.75, Nobody 0.5 (a judge"
    assert below in html


def one_row(outcomes: dict[str, Outcome], **row) -> dict:
    """A result with a single row; outcomes by item."""
    made = Row(name="r", kind="k", what="", reach=None, **row)
    score = summarize(list(outcomes.values()), made.statistic, 0)
    entry = report.entry(made, score, {}) | {"outcomes": columns([*outcomes.items()])}
    return {"suite": "s", "model": "m", "seed": 0, "commit": "abc", "rows": {"r": entry}}


def test_a_turn_that_never_came_is_no_latency_of_zero():
    none = Outcome(value=0, of=0, notes=("no_turn",))
    found = {"a": Outcome(value=0.4), "b": Outcome(value=0.6), "c": none, "d": none, "e": none}
    html = page_html(one_row(found, unit="s"), [])
    assert "n 5, 3 without a value" in html and "median 0.5 s" in html


@pytest.mark.parametrize(
    ("unit", "best", "middle", "worst"),
    [
        ("points", Outcome(value=300, of=3), Outcome(value=100, of=3), Outcome(value=0, of=3)),
        ("points", Outcome(value=400, of=4), Outcome(value=100, of=4), Outcome(value=0, of=4)),
        ("fraction", Outcome(value=6, of=6), Outcome(value=5, of=6), Outcome(value=0, of=6)),
    ],
)
def test_who_did_less_of_what_could_be_had_is_worse(unit, best, middle, worst):
    found = {"best": best, "middle": middle, "worst": worst, "out": Outcome(value=0, of=0)}
    ranked = worst_first(one_row(found, unit=unit))
    assert [name for name, _ in ranked] == ["worst", "middle", "best", "out"]
    assert [bool(why) for _, why in ranked] == [True, True, False, False]


def test_what_was_also_counted_is_told_everywhere():
    found = {"a": Outcome(value=1), "b": Outcome(value=0, notes=("no_response",))}
    made = one_row(found)
    made["rows"]["r"]["judge"] = "a-model"
    written = StringIO()
    for table in report.tables(made):
        Console(file=written, width=120).print(table)
    told = "no response 50 %, judge a-model"
    assert told in written.getvalue() and told in page_html(made, [])
    assert told in report.markdown(made | {"rows": {"r": made["rows"]["r"] | {"what": "x"}}}, "")
