"""Plain requests by rule: which of the built-in tools a sentence asks for, and with what.

A table of patterns over lower-case words, made for what a speech recogniser writes: no capitals,
little punctuation, numbers in words. Knows nothing of how tools work or who asks.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from interplay.background.spoken import FIGURES, figures
from interplay.background.units import UNITS

MAX_CHARS = 400
POLITE = re.compile(
    r"^(?:(?:hey|hello|hi|ok|okay|please|so|well|and|now|can you|could you|would you|will you|"
    r"i want you to|i would like you to|tell me|show me|give me|let me know)\b[ ,]*)+"
)
SECONDS = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "day": 86400}
DURATION = rf"(?:\d+(?:\.\d+)?|an?|half an?) (?:{'|'.join(SECONDS)})s?"
DURATIONS = rf"{DURATION}(?:(?: and|,)? {DURATION})*"
OPERATORS = (
    (r"\bto the power of\b", "**"),
    (r"\b(?:divided by|over)\b", "/"),
    (r"\b(?:multiplied by|times)\b|×|(?<=\d) ?x ?(?=\d)", "*"),
    (r"÷", "/"),
    (r"\bplus\b", "+"),
    (r"\bminus\b|−", "-"),
    (r"\bsquared\b", "** 2"),
    (r"\bcubed\b", "** 3"),
    (r"\b(?:the )?square root of (\d+(?:\.\d+)?)", r"sqrt(\1)"),
    (r"(\d+(?:\.\d+)?) ?(?:%|percent|per cent) of ", r"\1 / 100 * "),
    (r"(?<=\d),(?=\d{3}\b)", ""),
)
ARITHMETIC = re.compile(r"[0-9a-z .+\-*/%^()]*\d[0-9a-z .+\-*/%^()]*")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A tool and its arguments."""

    tool: str
    arguments: Mapping[str, Any]


Reader = Callable[[re.Match[str]], Call | None]


def understand(sentence: str) -> Call | None:
    """The call a sentence asks for, or None when no rule knows it."""
    text = " ".join(sentence[:MAX_CHARS].lower().replace("’", "'").split())
    text = figures(POLITE.sub("", text.rstrip("?!. ")))
    for pattern, read in RULES:
        match = pattern.fullmatch(text)
        call = read(match) if match else None
        if call:
            return call
    return None


def arithmetic(words: str) -> str | None:
    """An expression for the calculator, or None when these words are not one."""
    for pattern, symbol in OPERATORS:
        words = re.sub(pattern, symbol, words)
    return words.strip() if ARITHMETIC.fullmatch(words) else None


def duration_s(words: str) -> float:
    """Seconds of "1 hour and 20 minutes" or "half an hour"."""
    total = 0.0
    for amount, unit in re.findall(rf"(\S+|half an?) ({'|'.join(SECONDS)})s?\b", words):
        total += (float(amount) if FIGURES.fullmatch(amount) else 1.0) * SECONDS[unit]
    return total / 2 if re.match(r"half an?\b", words) else total


def _clock(match: re.Match[str]) -> Call:
    return Call(tool="clock", arguments={"place": (match.groupdict().get("place") or "").strip()})


def _calculate(match: re.Match[str]) -> Call | None:
    expression = arithmetic(match["what"])
    return Call(tool="calculate", arguments={"expression": expression}) if expression else None


def _calculate_if_clear(match: re.Match[str]) -> Call | None:
    """ "what is ..." asks for a sum only when something is done with numbers."""
    call = _calculate(match)
    is_clear = call and re.search(r"[-+*/%^]|sqrt", str(call.arguments["expression"]))
    return call if is_clear else None


def _convert(match: re.Match[str]) -> Call | None:
    if match["source"] not in UNITS and match["target"] not in UNITS:
        return None
    arguments = {
        "value": float(match["value"] or 1),
        "source": match["source"],
        "target": match["target"],
    }
    return Call(tool="convert_units", arguments=arguments)


def _set_timer(match: re.Match[str]) -> Call:
    arguments: dict[str, Any] = {"seconds": duration_s(match["time"])}
    if match.groupdict().get("label"):
        arguments["label"] = match["label"].strip()
    return Call(tool="set_timer", arguments=arguments)


def _list_timers(match: re.Match[str]) -> Call:
    return Call(tool="list_timers", arguments={})


def _cancel_timers(match: re.Match[str]) -> Call:
    return Call(tool="cancel_timers", arguments={"label": (match["label"] or "").strip()})


def _search(match: re.Match[str]) -> Call:
    return Call(tool="search_documents", arguments={"query": match["query"]})


def _chart(match: re.Match[str]) -> Call | None:
    """Either "apples 3, pears 5" or bare numbers, numbered from 1."""
    parts = re.findall(r"([a-z][a-z ]*?)?[ :]*(-?\d+(?:\.\d+)?)(?:,| and\b|$| )*", match["points"])
    if len(parts) < 2:
        return None
    names = [name.removeprefix("and ").strip() for name, _ in parts]
    labels: list[str | int] = list(range(1, len(parts) + 1)) if not any(names) else [*names]
    kind = {"pie": "arc", None: "bar" if any(names) else "line"}.get(match["kind"], match["kind"])
    values = [float(value) for _, value in parts]
    return Call(tool="chart", arguments={"kind": kind, "labels": labels, "values": values})


DOCUMENTS = r"(?:in |through )?(?:my |the )(?:notes|documents|files|papers)"
NUMBER = r"(?P<value>-?\d+(?:\.\d+)?|)(?:an? |the )?"
RULES: tuple[tuple[re.Pattern[str], Reader], ...] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (
            r"(?:what(?:'s| is) )?(?:the )?(?:current )?time(?: is it)?(?: now)?"
            r"(?: in (?P<place>[a-z_/ ]+?))?(?: now| right now)?",
            _clock,
        ),
        (
            r"what (?:time|day|date) is (?:it|today)(?: in (?P<place>[a-z_/ ]+?))?"
            r"(?: now| today| right now)?",
            _clock,
        ),
        (r"(?:what(?:'s| is) )?(?:the date|today's date)(?: today| of today)?", _clock),
        (r"(?:calculate|compute|work out|how much is) (?P<what>.+)", _calculate),
        (
            rf"(?:convert|change|turn) {NUMBER} ?(?P<source>\D+?) (?:to|into|in) (?P<target>.+)",
            _convert,
        ),
        (
            rf"how many (?P<target>[a-z ]+?) (?:are there in|are in|is in|are|is|make|in) "
            rf"{NUMBER} ?(?P<source>\D+)",
            _convert,
        ),
        (
            rf"(?:what(?:'s| is|are) |how much is )?{NUMBER} ?(?P<source>\D+?) (?:in|to) "
            r"(?P<target>.+)",
            _convert,
        ),
        (r"(?:what(?:'s| is) )?(?P<what>.+)", _calculate_if_clear),
        (
            rf"(?:set|start|make)(?: me)? an? (?:(?P<label>[a-z]+) )?timer (?:for|of) "
            rf"(?P<time>{DURATIONS})",
            _set_timer,
        ),
        (rf"(?:set|start|make)(?: me)? a (?P<time>{DURATIONS}) timer", _set_timer),
        (
            rf"(?:set|start|make)(?: me)? a timer (?:for|of) (?P<time>{DURATIONS}) "
            r"(?:for|called|named) (?P<label>.+)",
            _set_timer,
        ),
        (rf"remind me in (?P<time>{DURATIONS})(?: to| about| of)? (?P<label>.+)", _set_timer),
        (r"(?:what|which|list|how many) (?:are )?(?:my |the )?timers?.*", _list_timers),
        (
            r"(?:cancel|stop|delete) (?:all )?(?:of )?(?:my |the )?(?P<label>[a-z ]*?) ?timers?",
            _cancel_timers,
        ),
        (rf"(?:find|look for|look up|search for|search) (?P<query>.+?) {DOCUMENTS}", _search),
        (rf"(?:search|look) {DOCUMENTS} (?:for|about) (?P<query>.+)", _search),
        (rf"what (?:do|does) {DOCUMENTS} say (?:about|on) (?P<query>.+)", _search),
        (
            r"(?:draw |make |plot )?(?:me )?(?:an? |the )?(?:(?P<kind>bar|line|point|area|pie) )?"
            r"(?:chart|plot|graph)(?: of| with| for)? (?P<points>.+)",
            _chart,
        ),
        (r"(?P<kind>)plot (?P<points>.+)", _chart),
    )
)
