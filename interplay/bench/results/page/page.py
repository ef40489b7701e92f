"""A result as one HTML file that needs nothing else: tables beside what others reported, how times
are distributed, and the items that went wrong first, to look at and listen to.

Knows nothing of how a number was measured.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import zip_longest
from string import Template
from typing import Any

from interplay.bench.listening.recognisers import OWN
from interplay.bench.results.outcomes import by_item, from_columns
from interplay.bench.results.page.charts import histogram
from interplay.bench.results.page.timeline import card
from interplay.bench.results.report import baselines_of, cells, headings, notes_of, number, sections
from interplay.bench.scoring.rows import JUDGED
from interplay.bench.scoring.score import Outcome
from interplay.bench.traces.item_json import item_id
from interplay.bench.traces.trace import Trace
from interplay.bench.wording.rules import RULE

MAX_ITEMS = 12  # with sound, about 0.1 MB each
MARK_CLASSES = {True: "pass", False: "fail", None: ""}
TIMES = ("s", "ms")


def page_html(report: Mapping[str, Any], traces: Sequence[Trace]) -> str:
    """The whole page. traces: of the items that may be shown; the worst ones are."""
    template = Template(
        (files("interplay.bench.results.page") / "page.html").read_text(encoding="utf-8")
    )
    title = f"{report['suite']} · {report.get('endpoint', report['model'])}"
    return template.substitute(
        title=escape(title),
        subtitle="".join(f"<p>{escape(line)}</p>" for line in _subtitle(report)),
        tables="".join(tables_html(report)),
        charts=_charts(report),
        items=_items(report, traces),
        facts="".join(facts_html(report)),
    )


def _subtitle(report: Mapping[str, Any]) -> Iterator[str]:
    clock = {"wall": "in real time", "logical": "on the logical clock, computing takes no time"}
    parts = [f"seed {report['seed']}", clock.get(report.get("clock", ""), "")]
    data = report.get("data")
    parts.append(f"data {data}" if data else "items of our own generators")
    words = report.get("words_from")
    parts.append("words from the system's own text" if words == OWN else f"words from {words}")
    parts.append(f"speech found by {report['vad']}" if "vad" in report else "")
    judge = report.get("judge", RULE)
    parts.append("decided by rule" if judge == RULE else f"by rule, but rows _judged: by {judge}")
    yield ", ".join(part for part in parts if part and part != "words from None")
    yield (
        "Beside the system stand trivial ones, which know the script of every item and run through "
        "the same player and scorers. Intervals: 95 %, bootstrap over items. What others reported "
        "was measured on their data and clocks; it is beside ours, not equal to it."
    )


def tables_html(report: Mapping[str, Any]) -> Iterator[str]:
    """For each suite of a report a table of its rows, and one of what others reported."""
    for suite, rows in sections(report):
        baselines = baselines_of(rows)
        goals = any(row["reach"] is not None for row in rows.values())
        titles = headings(baselines)
        titles = titles if goals else [*titles[:3], *titles[5:]]
        body = "".join(_line(name, row, baselines, goals) for name, row in rows.items())
        yield f"<h2>{escape(suite)}</h2>"
        if what := (report.get("suites") or {}).get(suite):
            yield f'<p class="note">{escape(what)}</p>'
        yield _table("rows", f"<tr>{_cells('th', titles)}</tr>{body}")
        yield from _others_html(report, suite, rows)


def _table(kind: str, lines: str) -> str:
    return f'<div class="panel"><table class="{kind}">{lines}</table></div>'


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)


def _line(name: str, row: Mapping[str, Any], baselines: Sequence[str], goals: bool) -> str:
    """A row of the table. goals: whether any row of it has one."""
    line = cells(name, row, baselines)
    told = (row["what"], notes_of(row))
    what = "".join(f'<span class="what">{escape(each)}</span>' for each in told if each)
    html = [f"<td>{escape(name)}{what}</td>", f"<td><b>{escape(line[1])}</b></td>"]
    html += [f"<td><small>{escape(text)}</small></td>" for text in line[2 : 4 if goals else 3]]
    if goals:
        html.append(f'<td class="{MARK_CLASSES[row["passes"]]}">{escape(line[4])}</td>')
    return f"<tr>{''.join(html)}{_cells('td', line[5:])}</tr>"


def _others_html(
    report: Mapping[str, Any], suite: str, rows: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """What others reported of a suite: this run, then source by source a line for each system."""
    sources: dict[str, dict[str, dict[str, str]]] = {}
    for each in report.get("published") or []:
        if each["suite"] == suite:
            source = sources.setdefault(f"{each['source']}, {each['date']}", {})
            value = number(each["value"], _unit(each["row"], rows))
            source.setdefault(each["system"], {})[each["row"]] = value
    if not sources:
        return
    known = {name for source in sources.values() for values in source.values() for name in values}
    order = {name: index for index, name in enumerate(rows)}
    names = sorted(known, key=lambda name: (order.get(_by_rule(name), len(order)), name))
    ours = {name: number(rows[name]["value"], rows[name]["unit"]) for name in names if name in rows}
    mine = str(report.get("endpoint", report["model"]))
    heads = _cells(
        "th", ["system", *(n.removeprefix(f"{suite}_").replace("_", " ") for n in names)]
    )
    lines = [f'<tr class="short">{heads}<th class="source">source</th></tr>']
    for source, systems in {"this run": {mine: ours}, **sources}.items():
        span = f'<td class="source" rowspan="{len(systems)}">{escape(source)}</td>'
        for index, (system, values) in enumerate(systems.items()):
            texts = _cells("td", [system, *(values.get(name, "–") for name in names)])
            kind = ' class="ours"' if source == "this run" else ""
            lines.append(f"<tr{kind}>{texts}{'' if index else span}</tr>")
    yield "<h3>Beside what others reported</h3>"
    yield _table("others", "".join(lines))
    missing = [name for name in names if name not in rows]
    if missing:
        needs = " without --judge" if all(name.endswith(JUDGED) for name in missing) else ""
        yield f'<p class="note">Not measured in this run{needs}: {escape(", ".join(missing))}.</p>'


def _by_rule(row: str) -> str:
    """The row by rule beside a judged one."""
    return row.removesuffix(JUDGED)


def _unit(row: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """That of a row, or of the one by rule beside a judged one that was not measured."""
    found = rows.get(row) or rows.get(_by_rule(row))
    return found["unit"] if found else "number"


def _charts(report: Mapping[str, Any]) -> str:
    """How the times of every row that counts them are distributed."""
    charts = []
    for name, row in report["rows"].items():
        if row["unit"] in TIMES and row.get("outcomes", {}).get("value"):
            outcomes = [outcome for _, outcome in from_columns(row["outcomes"])]
            known = [o.known / o.of for o in outcomes if o.known is not None]
            if known:
                charts.append(histogram(name, known, row["unit"], len(outcomes)))
    if not charts:
        return ""
    return f'<h2>Distributions</h2><div class="charts">{"".join(charts)}</div>'


def worst_traces(rows: Mapping[str, Mapping[str, Any]], traces: Sequence[Trace]) -> list[Trace]:
    """Of the traces of one suite, those that its page can show. rows: name -> JSON entry."""
    by_id = {item_id(trace.item): trace for trace in traces}
    worst = [name for name, _ in _worst_first(rows) if name in by_id]
    return [by_id[name] for name in worst[:MAX_ITEMS]]


def _items(report: Mapping[str, Any], traces: Sequence[Trace]) -> str:
    by_id = {item_id(trace.item): trace for trace in traces}
    blame = worst_first(report)
    shown = [(name, why) for name, why in blame if name in by_id][:MAX_ITEMS]
    if not shown:
        return ""
    num_bad = sum(bool(why) for _, why in blame)
    note = (
        f"{num_bad} of {len(blame)} items failed in some row; {len(shown)} are shown, worst first. "
        "Left ear: the user; right ear: the system; boxes below: what is expected, and when. Click "
        "into a timeline to hear it from there."
    )
    cards = "".join(card(by_id[name], why) for name, why in shown)
    return f'<h2>What went wrong first</h2><p class="note">{note}</p>{cards}'


def worst_first(report: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """(item id, what failed) of all items, the one with most failures first.

    A failure is a try without success, an error where fewer is better, or a time that is missing;
    rows count alike, and how slow an answer was only breaks ties. Suites take turns: one with many
    rows would fill the page alone.
    """
    ranked = [_worst_first(rows) for _, rows in sections(report)]
    return [each for rank in zip_longest(*ranked) for each in rank if each is not None]


def _worst_first(rows: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    failures: dict[str, float] = {}
    slowness: dict[str, float] = {}
    why: dict[str, list[str]] = {}
    for row, values in rows.items():
        for name, outcomes in by_item(values).items():
            losses = [_loss(outcome, values) for outcome in outcomes if outcome.of]
            loss = sum(losses) / max(1, len(losses))
            failures[name] = failures.get(name, 0.0) + loss
            times = [o.known for o in outcomes if o.known is not None and values["unit"] in TIMES]
            slowness[name] = max([slowness.get(name, 0.0), *times])
            why.setdefault(name, [])
            if loss > 0:
                notes = dict.fromkeys(note for outcome in outcomes for note in outcome.notes)
                why[name].append(" ".join([row, *(f"({n.replace('_', ' ')})" for n in notes)]))
    names = sorted(failures, key=lambda name: (-failures[name], -slowness[name], name))
    return [(name, why[name]) for name in names]


def _loss(outcome: Outcome, row: Mapping[str, Any]) -> float:
    """0 for all that could be had, 1 for nothing of it. `of` is not 0."""
    if row.get("lower_is_better", False) is None:
        return 0.0
    if row["unit"] in TIMES or outcome.value is None:
        return float(outcome.value is None)
    share = outcome.value / outcome.of / (100 if row["unit"] == "points" else 1)
    return min(1.0, max(0.0, share if row.get("lower_is_better") else 1 - share))


def facts_html(report: Mapping[str, Any]) -> Iterator[str]:
    """What it was measured on, as terms and descriptions."""
    keys = ("commit", "endpoint", "clock", "num_items", "weights", "words_from", "vad", "judge")
    facts = {key: report.get(key) for key in keys} | report.get("judge_facts", {})
    for name, value in (facts | dict(report.get("machine") or {})).items():
        if value is not None:
            yield f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(str(value))}</dd>"
