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

from interplay.bench.results import report
from interplay.bench.results.outcomes import columns
from interplay.bench.results.page.charts import histogram, nice_step
from interplay.bench.results.page.page import page_html, worst_first
from interplay.bench.results.page.timeline import timeline
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome, summarize
from interplay.bench.traces.item_json import item_id
from interplay.data.item import At

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


def test_what_is_expected_shares_lines_where_there_is_room():
    trace = oracle_trace("silent", TIMER)  # "tea" at 3.5 and 5.5 s
    rects = ElementTree.fromstring(timeline(trace)).findall("rect[@class='e']")
    assert len(rects) == 2 and len({rect.get("y") for rect in rects}) == 1
    close = [replace(each, due_s=each.due_s / 4) for each in TIMER.expect if isinstance(each, At)]
    trace = oracle_trace("silent", replace(TIMER, expect=tuple(close)))
    rects = ElementTree.fromstring(timeline(trace)).findall("rect[@class='e']")
    assert len({rect.get("y") for rect in rects}) == 2


def test_what_is_typed_is_shown():
    assert ">typed: a cat</text>" in timeline(oracle_trace("perfect", DELEGATE))


def test_words_of_one_time_stand_together():
    trace = oracle_trace("silent", QUESTION)
    words = tuple((word, 0.5, 1.5) for word in ("i", "like", "the", "box"))
    assert ">i like the box</text>" in timeline(replace(trace, user_words=words))


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


def test_what_others_reported_is_a_table_of_its_own():
    found = result([oracle_trace("perfect", what) for what in small_twin(1, 0)])
    found["suites"] = {"small": "two questions"}
    found["published"] = [
        reported("small_right_judged", "Somebody", 0.75, "a judge's paper"),
        reported("small_right", "Somebody", 0.4, "a paper"),
        reported("small_right", "Nobody", 0.5, "a paper"),
        reported("small_right", "Elsewhere", 0.9, "x") | {"suite": "other"},
    ]
    html = page_html(found, [])
    _, table = html.split("<h3>Beside what others reported</h3>")
    table, after = table.split("</table></div>", 1)
    heads, ours, judged, somebody, nobody = table.split("<tr")[1:]
    assert "<th>system</th><th>right</th><th>right judged</th>" in heads
    assert 'rowspan="2">a paper, 2026-05<' in somebody and "rowspan" not in nobody
    assert 'class="ours"' in ours and "<td>100 %</td><td>–</td>" in ours and "this run" in ours
    assert "<td>Somebody</td><td>–</td><td>75 %</td>" in judged
    assert "<td>Somebody</td><td>40 %</td><td>–</td>" in somebody
    assert "<td>Nobody</td><td>50 %</td><td>–</td>" in nobody
    assert "Elsewhere" not in html and "two questions" in html
    assert after.startswith('<p class="note">Not measured in this run without --judge: small_')
    assert "Beside what" not in page_html(found | {"published": []}, [])


def test_goals_have_columns_only_where_a_row_has_one():
    with_goal = page_html(result([oracle_trace("perfect", what) for what in small_twin(1, 0)]), [])
    assert "<th>reach</th>" in with_goal and 'class="pass"' in with_goal
    without = page_html(one_row({"a": Outcome(value=1)}), [])
    assert "<th>reach</th>" not in without and "report</small>" not in without
    assert without.count("<th>") == without.split("<tr>")[2].count("<td") == 4


def test_what_is_neither_better_nor_worse_is_no_failure():
    found = {"a": Outcome(value=-30.0), "b": Outcome(value=20.0)}
    ranked = worst_first(one_row(found, unit="wpm", lower_is_better=None))
    assert [why for _, why in ranked] == [[], []]


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
