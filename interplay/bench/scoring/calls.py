"""Function calls of a system, and whether they are the expected ones.

`<call> name {"argument": value} <end>` on `act` is a call: of a system that calls functions itself,
or, over Live and Realtime, of its background model, noted by the client (bench.clients). Our model
hands work over in words, `<delegate> words <end>`; played without a background model, a suite that
knows which words stand for which function gives them as `phrases`, and each phrase found in a
delegation counts as one call (by rule: what a background model would have to make of it). Both
kinds count, in the order in which they came out. Knows nothing of suites or rows.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from interplay.bench.traces.trace import SLOT_S, Trace, is_control, normal

CALL, DELEGATE = "<call>", "<delegate>"
_NAMED = re.compile(r"\s*([^\s{]+)\s*(\{.*\})?\s*", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class FunctionCall:
    """time_s: when it was complete."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    time_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """Words that stand for a call: "track order {number}" -> function(number=the word there)."""

    function: str
    words: str

    def calls_in(self, text: str, time_s: float) -> list[tuple[int, FunctionCall]]:
        """(where, call) for every place of the text that has the phrase."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[a-z0-9']+)", re.escape(self.words))
        return [
            (found.start(), FunctionCall(name=self.function, args=found.groupdict(), time_s=time_s))
            for found in re.finditer(rf"\b{pattern}\b", text)
        ]


def calls_of(trace: Trace, phrases: Sequence[Phrase] = ()) -> list[FunctionCall]:
    """All function calls of a trace. One whose arguments are no JSON object has none."""
    found: list[FunctionCall] = []
    for name, text, time_s in _acts(trace):
        if name == CALL and (match := _NAMED.fullmatch(text)):
            found.append(
                FunctionCall(name=match[1], args=_arguments(match[2] or "{}"), time_s=time_s)
            )
        elif name == DELEGATE:
            words = " ".join(normal(text))
            meant = [call for phrase in phrases for call in phrase.calls_in(words, time_s)]
            found += [call for _, call in sorted(meant, key=lambda pair: pair[0])]
    return found


def _acts(trace: Trace) -> list[tuple[str, str, float]]:
    """(control token, text as it was written, end) of everything closed on `act`."""
    if not trace.act_pieces:
        return [(call.name, call.text, call.end_s) for call in trace.act]
    acts: list[tuple[str, str, float]] = []
    name, body = "", ""
    for piece, time_s in trace.act_pieces:
        if not is_control(piece):
            body += piece
            continue
        if name:
            acts.append((name, body, time_s + SLOT_S))
        name, body = ("" if piece == "<end>" else piece), ""
    return acts


def _arguments(text: str) -> dict[str, Any]:
    try:
        args = json.loads(text)
    except ValueError:
        return {}
    return args if isinstance(args, dict) else {}


SameArgs = Callable[[str, Mapping[str, Any], Mapping[str, Any]], bool | None]


def same_args(name: str, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> bool:
    """The exact mode of FDB v3: every expected argument is there and equal, but for case, edges
    and underscores; `$...` stands for a result nobody knows; further arguments do no harm."""
    return all(
        key in actual and (_is_reference(value) or _plain(value) == _plain(actual[key]))
        for key, value in expected.items()
    )


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("$")


def _plain(value: Any) -> Any:
    return value.lower().strip().replace("_", " ") if isinstance(value, str) else value


def passes(
    expected: Sequence[FunctionCall],
    actual: Sequence[FunctionCall],
    same: SameArgs = same_args,
) -> tuple[bool | None, str]:
    """(Pass@1 of one scenario, why not). The same functions, each as often; calls of one function
    are compared in order. None where `same` could not tell and nothing else was wrong."""
    wanted, called = Counter(c.name for c in expected), Counter(c.name for c in actual)
    if wanted != called:
        return False, "missing_call" if wanted - called else "unexpected_call"
    rest = list(actual)
    verdicts = []
    for call in expected:
        match = next(c for c in rest if c.name == call.name)
        rest.remove(match)
        verdicts.append(same(call.name, call.args, match.args))
    if False in verdicts:
        return False, "wrong_arguments"
    return (None, "unjudged") if None in verdicts else (True, "")
