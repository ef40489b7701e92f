"""FDB v3: are the right functions called when a request is spoken (arXiv 2604.04847).

Pass@1 in the exact mode of the published program: the functions called are the expected ones, as
often, with the expected arguments. A call is a call on `act`, or a delegation in which the words
for it stand (bench.scoring.calls says how words become calls). To `realtime:` and `live:` endpoints
the functions of official data are declared, and their calls noted and answered
(bench.playing.functions); a model without a background model can call none of them. Beside it:
share of requests that were answered aloud, time to the first sound, time to the first call; with a
judge also whether the reply shows that all was done. Knows nothing of systems.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from interplay.bench.playing.functions import GIVEN, OFFERED, read_functions, results
from interplay.bench.scoring.calls import (
    DELEGATE,
    FunctionCall,
    Phrase,
    SameArgs,
    calls_of,
    passes,
    same_args,
)
from interplay.bench.scoring.judges import Judge, ask, json_field
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites.base import Outcomes, Published, Suite
from interplay.bench.suites.post import reported
from interplay.bench.suites.tables import sound_of
from interplay.bench.traces.trace import Trace, span_at
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.heldout import SEED_BASE, duration_s
from interplay.data.item import Clip, Delegate, Item, Noise, Say, Speak, Type, When
from interplay.data.texts import vocabulary as words
from interplay.data.voices import random_voice
from interplay.errors import RecordError

REPLY_S = 30.0  # after a published request
AGENT = "TML's own with its background agent"
SYSTEM = (
    "You compare the arguments of a function call with the expected ones. Other spellings of the "
    "same date, place, name or unit are right, numbers may be off by 5 %, underscores are spaces, "
    "and an expected value that begins with $ may be anything plausible. Further arguments do no "
    'harm, a missing one is wrong. Answer with one JSON object: {"correct": true or false}'
)
REPLY_SYSTEM = (
    "You judge whether a voice assistant did what its user asked for, by what it said. You are "
    "given what it should have said in the end, and a transcript of all it said, which may lack "
    "punctuation. It is right if the same things were done, or are under way, with the same names "
    "and values; more detail is welcome. It is wrong if a part of the task is missing, something "
    "else was done, or the assistant cannot or will not do it. Answer with one JSON object: "
    '{"correct": true or false}'
)
PASS = Row(
    name="fdb3_pass1",
    kind="fdb3",
    what="requests with exactly the expected function calls, arguments compared as text",
    reach=None,
)
TURN = Row(name="fdb3_turn_rate", kind="fdb3", what="requests answered aloud", reach=None)
LATENCY = Row(
    name="fdb3_latency_s",
    kind="fdb3",
    what="end of the request → first sound of those that do not talk into it; median",
    reach=None,
    lower_is_better=True,
    unit="s",
    statistic="median",
)
TOOL = Row(
    name="fdb3_tool_latency_s",
    kind="fdb3",
    what="end of the request → first call or delegation; median; earlier ones count as they are",
    reach=None,
    lower_is_better=True,
    unit="s",
    statistic="median",
)
ROWS = (PASS, TURN, LATENCY, TOOL)
JUDGED = replace(
    PASS,
    name="fdb3_pass1_judged",
    what="the same, arguments compared by a judge (other spellings, ±5 %)",
)


def score(traces: Sequence[Trace]) -> Outcomes:
    found: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        found[PASS.name].append(_passed(trace, same_args))
        onset = _first_sound(trace)
        spoke = onset.value is not None or onset.notes == ("premature",)
        found[TURN.name].append(Outcome(value=float(spoke)))
        found[LATENCY.name].append(onset)
        found[TOOL.name].append(_first_act(trace))
    return found


REPLIED = Row(
    name="fdb3_reply_judged",
    kind="fdb3",
    what="response quality: what was said shows that all was done as asked, by a judge",
    reach=None,
)
JUDGED_PUBLISHED = tuple(
    Published(row=JUDGED.name, system=system, value=value, source="arXiv 2604.04847", date="2026")
    for system, value in (
        ("GPT-Realtime", 0.60),
        ("Gemini 3.1", 0.54),
        ("Gemini 2.5", 0.49),
        ("cascade", 0.45),
        ("Grok", 0.43),
        ("Ultravox", 0.41),
    )
)


def judged(judge: Judge) -> Suite:
    """The suite with rows of its own in which `judge` compares arguments, and reads the reply."""

    def passed(trace: Trace) -> Outcome:
        notes: list[str] = []

        def same(name: str, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> bool | None:
            if same_args(name, expected, actual):
                return True
            texts = (json.dumps(dict(args), sort_keys=True) for args in (expected, actual))
            user = "Function: {}\nExpected: {}\nActual: {}".format(name, *texts)
            verdict = ask(judge, SYSTEM, user, _correct)
            notes.extend(verdict.notes)
            return verdict.value

        outcome = _passed(trace, same)
        return replace(outcome, notes=tuple(dict.fromkeys((*outcome.notes, *notes))))

    def score_with(traces: Sequence[Trace]) -> Outcomes:
        compared = [passed(trace) for trace in traces]
        replies = [_replied(judge, trace) for trace in traces]
        return {**score(traces), JUDGED.name: compared, REPLIED.name: replies}

    published = (*SUITE.published, *JUDGED_PUBLISHED)
    return replace(SUITE, rows=(*ROWS, JUDGED, REPLIED), score=score_with, published=published)


def _replied(judge: Judge, trace: Trace) -> Outcome:
    """Who says nothing has done nothing that could be heard; nobody is asked."""
    wanted, said = trace.item.about.get("reply", ""), trace.written()
    if not wanted:
        return Outcome(value=0, of=0, notes=("no_reference_reply",))
    if not said.strip():
        return Outcome(value=0, notes=("empty",))
    verdict = ask(judge, REPLY_SYSTEM, f"Should have said: {wanted}\nSaid: {said}", _correct)
    of = float(verdict.value is not None)
    return Outcome(value=float(bool(verdict.value)), of=of, notes=verdict.notes)


def _correct(reply: str) -> bool | None:
    correct = json_field(reply, "correct")
    return correct if isinstance(correct, bool) else None


def _passed(trace: Trace, same: SameArgs) -> Outcome:
    about = trace.item.about
    phrases = [Phrase(**phrase) for phrase in about.get("phrases", ())]
    expected = [FunctionCall(name=c["function"], args=c.get("args", {})) for c in about["calls"]]
    passed, why = passes(expected, calls_of(trace, phrases), same)
    notes = (why,) if why else ()
    return Outcome(value=float(bool(passed)), of=float(passed is not None), notes=notes)


def _first_sound(trace: Trace) -> Outcome:
    """Seconds from the end of the request; none where the voice was on at that moment."""
    span = trace.cues[0]
    if span is None:
        return Outcome(value=None, notes=("cue_never_came",))
    if span_at(trace.voice, span[1]):
        return Outcome(value=None, notes=("premature",))
    onsets = [start for start, _ in trace.voice if start >= span[1]]
    if not onsets:
        return Outcome(value=None, notes=("no_response",))
    return Outcome(value=onsets[0] - span[1])


def _first_act(trace: Trace) -> Outcome:
    span = trace.cues[0]
    times = [call.time_s for call in calls_of(trace)]
    times += [call.end_s for call in trace.act if call.name == DELEGATE]
    if span is None or not times:
        return Outcome(value=None, notes=("no_call",))
    return Outcome(value=min(times) - span[1])


def load(folder: Path, n: int | None) -> list[Item]:
    """`*/input.wav` with `*/metadata.json` beside it, as released. Raises RecordError where
    nothing of the kind is there or a scenario has no expected calls. All scenarios offer the same
    functions: those of `functions.json`, or of all expected calls together."""
    paths = sorted(folder.glob("*/metadata.json"))
    if not paths:
        raise RecordError(
            f"{folder} has no */metadata.json; give the folder fdb_v3_data_released of the download"
        )
    scenarios = [_scenario(path) for path in paths]
    calls = [call for scenario in scenarios for call in scenario["expected_tool_calls"]]
    offered = read_functions(folder, calls)
    chosen = zip(paths[:n], scenarios, strict=False)
    return [_recorded(path, data, offered, k) for k, (path, data) in enumerate(chosen)]


def _scenario(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"cannot read {path}: {error}") from error
    data = data.get("scenario", data) if isinstance(data, dict) else {}
    calls = data.get("expected_tool_calls")
    if not isinstance(calls, list) or not all("function" in call for call in calls):
        raise RecordError(f"{path} lacks expected_tool_calls, a list with `function` and `args`")
    return data


def _recorded(path: Path, data: dict[str, Any], offered: list[dict[str, Any]], number: int) -> Item:
    calls = data["expected_tool_calls"]
    samples = sound_of("input.wav", f"{path}:1")
    return Item(
        kind="fdb3",
        seed=SEED_BASE + number,
        length_s=0.6 + len(samples) / SAMPLE_RATE_HZ + REPLY_S,
        cues=(Clip(samples=samples, word="speech", at=When(seconds=0.6)), Noise(level_db=-65.0)),
        expect=(),
        subset=str(data.get("difficulty", "")),
        about={
            "id": path.parent.name,
            "domain": data.get("domain", ""),
            "calls": calls,
            "reply": _reply(data),
            OFFERED: offered,
            GIVEN: results(calls),
        },
    )


def _reply(data: Mapping[str, Any]) -> str:
    """What the assistant says last in the dialogue that a scenario was made from."""
    turns = data.get("dialogue") or [{}]
    last = turns[-1] if isinstance(turns, list) else {}
    return str(last.get("ai", "")) if isinstance(last, Mapping) else ""


PHRASES = (  # of the twin: words of a request -> a function
    (Phrase(function="track_order", words="track order {number}"), words.NUMBERS),
    (Phrase(function="search_products", words="find a {product}"), words.NOUNS[:60]),
    (Phrase(function="book_train", words="book a train to {city}"), words.CITIES),
    (Phrase(function="set_alarm", words="wake me on {day}"), words.DAYS),
)
ROLLBACK = "rollback"
DIFFICULTIES = ("easy", "medium", ROLLBACK)


def twin(n: int, seed: int) -> list[Item]:
    """`n` requests each with one call, with two, and with one that corrects itself."""
    return [
        _made(difficulty, np.random.default_rng([seed, k, number, 0x5F]), seed * 100_000 + k)
        for number, difficulty in enumerate(DIFFICULTIES)
        for k in range(n)
    ]


def _made(difficulty: str, rng: np.random.Generator, number: int) -> Item:
    chosen = rng.choice(len(PHRASES), 1 + (difficulty == "medium"), replace=False)
    parts, calls, said = [], [], []
    for index in chosen:
        phrase, values = PHRASES[int(index)]
        slot = phrase.words[phrase.words.index("{") + 1 : -1]
        value, wrong = (str(v) for v in rng.choice(values, 2, replace=False))
        parts.append(phrase.words.format(**{slot: value}))
        calls.append({"function": phrase.function, "args": {slot: value}})
        first = phrase.words.format(**{slot: wrong})
        said.append(f"{first} no wait {parts[-1]}" if difficulty == ROLLBACK else parts[-1])
    text, meant = f"please {' and '.join(said)}", " and ".join(parts)
    result = " ".join(str(word) for word in rng.choice(words.CONTENT, 2, replace=False))
    arrival = When(seconds=1.0, after="delegate", cue=0)
    return Item(
        kind="fdb3",
        seed=SEED_BASE + number + 10_000 * DIFFICULTIES.index(difficulty),
        length_s=0.6 + duration_s(text) + 4.5 + duration_s(result) + 2.0,
        cues=(
            Speak(text=text, voice=random_voice(rng, "test"), at=When(seconds=0.6)),
            Type(text=result, at=arrival, control="<result>"),
            Noise(level_db=float(rng.uniform(-65, -50))),
        ),
        expect=(Delegate(words=meant, after=0), Say(text=(result,), after=1)),
        subset=difficulty,
        about={
            "calls": calls,
            "reply": result,
            "phrases": [{"function": p.function, "words": p.words} for p, _ in PHRASES],
        },
    )


SUITE = Suite(
    name="fdb3",
    what="function calls that a spoken request asks for",
    rows=ROWS,
    twin=twin,
    score=score,
    load=load,
    published=(
        *reported(PASS.name, 0.68, 0.52, 0.55, 0.48, 0.50, 0.58, 0.48, note=AGENT),
        *reported(REPLIED.name, 0.828, 0.80, 0.779, 0.685, 0.60, 0.81, 0.714, note=AGENT),
    ),
    how_to_get="fdb_v3_data_released, linked in v3/README.md of "
    "DanielLin94144/Full-Duplex-Bench on GitHub (CC BY-NC 4.0, 100 recordings); whether a "
    "published number was judged or compared as text is mostly not said.",
)
