"""stress: what benchmarks on clean lines leave out, on the same questions line by line.

The user's channel carries the system's own echo at -20, -30 or -40 dB, or loses chunks of 200 ms,
or gets them a tick late; and a session lasts ten minutes with questions throughout. A question
counts when its answer is right, in time, complete, and the only thing said until the next one.
Knows nothing of systems.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from interplay.bench.scoring.answering import check_say, says
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites.base import Suite
from interplay.bench.traces.trace import Span, Trace
from interplay.clock import TURN_S
from interplay.data.heldout import duration_s
from interplay.data.item import Cue, Item, Noise, Say, Speak, When
from interplay.data.texts import questions
from interplay.data.texts.questions import Question
from interplay.data.voices import random_voice

SEED_BASE = 7_400_000
LINES: dict[str, tuple[str, float]] = {
    "clean": ("", 0.0),
    "echo_20": ("echo_db", -20.0),
    "echo_30": ("echo_db", -30.0),
    "echo_40": ("echo_db", -40.0),
    "drop_1": ("lost", 0.01),
    "drop_5": ("lost", 0.05),
    "late_1": ("late", 0.01),
    "late_5": ("late", 0.05),
}
LONG, NUM_MINUTES, EVERY_S = "long", 10, 10.0  # a question every ten seconds
ITEMS_PER_LONG = 25  # so many short sessions on each line, one long session
ANOTHER_S = 1.0  # a sound after so much silence is another utterance
_FACTS = [q for q in questions.facts("test") if q.kind != "greeting"]
_RECITALS = [q for q in questions.recitals() if 6 <= len(q.answer.split()) <= 9]


def twin(num_items: int, seed: int) -> list[Item]:
    """`num_items` short sessions, each on every line, and one long one for every 25 of them."""
    short = [_short(seed, number, line) for line in LINES for number in range(num_items)]
    num_long = math.ceil(num_items / ITEMS_PER_LONG)
    return [*short, *(_long(seed, number) for number in range(num_long))]


def _short(seed: int, number: int, line: str) -> Item:
    """Two questions and between them a recital, in which an echo has time to do harm."""
    rng = np.random.default_rng([SEED_BASE, seed, number])  # the same on every line
    asked = [_pick(rng, _FACTS), _pick(rng, _RECITALS), _pick(rng, _FACTS)]
    voice, at, length_s = random_voice(rng, "test"), When(seconds=0.6), 1.0
    cues: list[Cue] = []
    for index, question in enumerate(asked):
        cues.append(Speak(text=question.text, voice=voice, at=at))
        room_s = 2.6 + duration_s(question.answer)
        at = When(seconds=room_s, after="cue_end", cue=index)
        length_s += duration_s(question.text) + room_s
    length_s = math.ceil(length_s * 5) / 5
    return Item(
        kind="stress",
        subset=line,
        seed=SEED_BASE + number,
        length_s=length_s,
        cues=(*cues, Noise(level_db=float(rng.uniform(-65, -50)))),
        expect=tuple(Say(text=(q.answer,), after=i) for i, q in enumerate(asked)),
        first_turn=int(rng.integers(300)),
        about=_about(line, length_s, [SEED_BASE, seed, number, 1]),
    )


def _about(line: str, length_s: float, seed: Sequence[int]) -> Mapping[str, Any]:
    """What the line does (bench.playing.bad_line)."""
    key, amount = LINES[line]
    if key in ("lost", "late"):
        draws = np.random.default_rng(seed).random(round(length_s / TURN_S))
        return {key: [int(turn) for turn in np.flatnonzero(draws < amount)]}
    return {key: amount} if key else {}


def _long(seed: int, number: int) -> Item:
    """Ten minutes with one user, who asks a question every ten seconds."""
    rng = np.random.default_rng([SEED_BASE, seed, number, 2])
    voice = random_voice(rng, "test")
    asked = [_pick(rng, _FACTS) for _ in range(round(60 * NUM_MINUTES / EVERY_S))]
    starts = [EVERY_S * k + float(rng.uniform(0.5, 2.5)) for k in range(len(asked))]
    cues = [
        Speak(text=q.text, voice=voice, at=When(seconds=s))
        for q, s in zip(asked, starts, strict=True)
    ]
    return Item(
        kind="stress",
        subset=LONG,
        seed=SEED_BASE + 50_000 + number,
        length_s=60.0 * NUM_MINUTES,
        cues=(*cues, Noise(level_db=float(rng.uniform(-65, -50)))),
        expect=tuple(Say(text=(q.answer,), after=i) for i, q in enumerate(asked)),
        first_turn=int(rng.integers(300)),
    )


def _pick(rng: np.random.Generator, values: list[Question]) -> Question:
    return values[int(rng.integers(len(values)))]


def score(traces: Sequence[Trace]) -> Mapping[str, list[Outcome]]:
    """Outcomes of all rows."""
    outcomes: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        for expect in says(trace):
            span = trace.cues[expect.after]
            if span is None:
                continue
            outcome = _judged(trace, expect, span)
            row = f"stress_{trace.item.subset}"
            if trace.item.subset == LONG:
                row = f"stress_minute_{min(int(span[0] // 60) + 1, NUM_MINUTES)}"
            outcomes[row].append(outcome)
            silent = "no_response" in outcome.notes
            outcomes["stress_no_response"].append(
                Outcome(value=float(silent), group=trace.item.subset)
            )
    return outcomes


def _judged(trace: Trace, expect: Say, span: Span) -> Outcome:
    """The answer to one question, and whether it stayed the only thing said."""
    end_s = _next_question(trace, span)
    sounds = [(s, e) for s, e in trace.voice if e > span[1] and s < end_s]
    if not sounds:
        return Outcome(value=0, notes=("no_response",))
    outcome = check_say(trace, expect)
    if "no_response" in outcome.notes:  # it sounded, without a word
        return Outcome(value=0, notes=("wrong_words",))
    again = any(b[0] - a[1] > ANOTHER_S for a, b in pairwise(sounds))
    if outcome.value and again:
        return Outcome(value=0, notes=("spoke_again",))
    return outcome


def _next_question(trace: Trace, span: Span) -> float:
    later = [cue[0] for cue in trace.cues if cue is not None and cue[0] > span[0]]
    return min(later, default=trace.length_s)


def _row(name: str, what: str, *, lower: bool = False) -> Row:
    return Row(name=f"stress_{name}", kind="stress", what=what, reach=None, lower_is_better=lower)


_WHAT = {
    "clean": "questions answered rightly, and nothing else said; clean line",
    "echo_20": "the same with the system's own sound in the user's channel, 20 dB lower",
    "echo_30": "30 dB lower",
    "echo_40": "40 dB lower",
    "drop_1": "the same with 1 % of the 200 ms chunks silent",
    "drop_5": "5 % of the chunks silent",
    "late_1": "the same with 1 % of the chunks one tick late, in place of the next",
    "late_5": "5 % of the chunks late",
}
ROWS = (
    *(_row(line, _WHAT[line]) for line in LINES),
    *(
        _row(f"minute_{minute}", f"ten minutes of questions: right in minute {minute}")
        for minute in range(1, NUM_MINUTES + 1)
    ),
    _row("no_response", "questions after which nothing sounded, on all lines", lower=True),
)

SUITE = Suite(
    name="stress",
    what="own echo, lost and late chunks, and ten minutes without a break",
    rows=ROWS,
    twin=twin,
    score=score,
    how_to_get="no data to get: the suite is its own generator",
)
