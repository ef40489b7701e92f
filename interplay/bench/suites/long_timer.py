"""long-timer: a timer of four minutes in a session of ten, with other talk all the time.

A question or a remark comes every ten seconds, before the request, while the timer runs and after
it. What is scored is the onset of the right words. Knows nothing of systems.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from interplay.bench.scoring import moments
from interplay.bench.scoring.answering import check_say, says
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome
from interplay.bench.suites.base import Suite
from interplay.bench.traces.trace import Trace
from interplay.bench.wording.rules import says as has_words
from interplay.data.heldout import duration_s
from interplay.data.item import At, Cue, Expect, Item, Noise, Say, Speak, When
from interplay.data.moments import ACK_S
from interplay.data.texts import questions, vocabulary
from interplay.data.texts.questions import Question, split_of
from interplay.data.timespeak import ONCE
from interplay.data.voices import random_voice

SEED_BASE = 8_000_000  # no training seed is near
SESSION_S, TIMER_S = 600.0, 240.0
TOLERANCE_S = 1.0
EVERY_S = 10.0  # between two things that the user says
LAST_ASKED = 34  # of these; the timer is over some ten seconds before the session
QUESTIONS = 0.6  # of what is said; the rest are remarks
CLEAR_S = 8.0  # before the time no question is asked: the answer would still sound
OVER = 0.5  # how often a remark comes where a question must not
GAP_S = 0.5  # silence that parts two utterances
ASKS = tuple(template.replace("{n} seconds", "four minutes") for template in ONCE)
KINDS = ("arithmetic", "opposite", "colour", "day")
_FACTS = {kind: [q for q in questions.facts("test") if q.kind == kind] for kind in KINDS}


def twin(num_items: int, seed: int) -> list[Item]:
    """`num_items` sessions."""
    return [_item(seed, number) for number in range(num_items)]


def _item(seed: int, number: int) -> Item:
    rng = np.random.default_rng([SEED_BASE, seed, number])
    voice, words = random_voice(rng, "test"), _words(rng)
    starts = [EVERY_S * k + float(rng.uniform(0.5, 2.5)) for k in range(int(SESSION_S / EVERY_S))]
    asked = int(rng.integers(1, LAST_ASKED))
    request = str(rng.choice(ASKS)).format(x=words)
    due_s = starts[asked] + TIMER_S  # or later by as much as the request takes
    cues: list[Cue] = []
    expect: list[Expect] = []
    for place, start_s in enumerate(starts):
        is_near = due_s - CLEAR_S < start_s < due_s + duration_s(request) + TOLERANCE_S
        if place == asked:
            text = request
            expect.append(At(text=(words,), after=len(cues), due_s=TIMER_S, tol_s=TOLERANCE_S))
        elif rng.random() < QUESTIONS and not is_near:
            question = _question(rng, words)
            text = question.text
            expect.append(Say(text=(question.answer,), after=len(cues)))
        elif is_near and rng.random() >= OVER:
            continue
        else:
            text = questions.statement(rng)
        cues.append(Speak(text=text, voice=voice, at=When(seconds=start_s)))
    return Item(
        kind="long_timer",
        seed=SEED_BASE + 1000 * seed + number,
        length_s=SESSION_S,
        cues=(*cues, Noise(level_db=float(rng.uniform(-65, -50)))),
        expect=tuple(expect),
        first_turn=int(rng.integers(300)),
    )


def _words(rng: np.random.Generator) -> str:
    """One or two words of the test split; no numbers, which are also in the request."""
    while True:
        text = questions.phrase(rng, 1, 2)
        if split_of(text) == "test" and not set(text.split()) & set(vocabulary.NUMBERS):
            return text


def _question(rng: np.random.Generator, words: str) -> Question:
    """One whose answer has none of the words that the timer has."""
    while True:
        pool = _FACTS[str(rng.choice(KINDS))]
        question = pool[int(rng.integers(len(pool)))]
        if not set(question.answer.split()) & set(words.split()):
            return question


def score(traces: Sequence[Trace]) -> Mapping[str, list[Outcome]]:
    """Outcomes of all rows."""
    found: dict[str, list[Outcome]] = {row.name: [] for row in ROWS}
    for trace in traces:
        errors_s = _errors_s(trace)
        found["long_timer_hit"].append(_hit(errors_s))
        found["long_timer_said"].append(Outcome(value=float(bool(errors_s))))
        if errors_s:
            found["long_timer_error_s"].append(Outcome(value=min(map(abs, errors_s))))
        found["long_timer_answers"] += [check_say(trace, expect) for expect in says(trace)]
    return found


def _errors_s(trace: Trace) -> list[float]:
    """By how much every utterance of the timer's words is late; what comes right after the request
    acknowledges it."""
    [expect] = [expect for expect in trace.item.expect if isinstance(expect, At)]
    span = trace.cues[expect.after]
    if span is None:
        return []
    wanted = [text.split() for text in expect.text]
    return [
        utterance.start_s - span[1] - expect.due_s
        for utterance in moments.utterances(trace, GAP_S)
        if utterance.start_s > span[1] + ACK_S and has_words(utterance.words, wanted, fuzzy=False)
    ]


def _hit(errors_s: Sequence[float]) -> Outcome:
    if not errors_s:
        return Outcome(value=0, notes=("missed",))
    if min(map(abs, errors_s)) > TOLERANCE_S + 1e-6:
        return Outcome(value=0, notes=("at_another_time",))
    if len(errors_s) > 1:
        return Outcome(value=0, notes=("said_again",))
    return Outcome(value=1)


def _row(name: str, what: str, reach: float | None = None, **kwargs) -> Row:
    return Row(name=f"long_timer_{name}", kind="long_timer", what=what, reach=reach, **kwargs)


ROWS = (
    _row(
        "hit",
        "a timer of four minutes in a session of ten, with talk all the time: its words begin "
        "within 1 s of their time, and at no other",
        reach=0.8,
    ),
    _row("said", "sessions in which the words are said at all, at whatever time"),
    _row(
        "error_s",
        "time between when they were due and the nearest time at which they were said; median",
        lower_is_better=True,
        unit="s",
        statistic="median",
    ),
    _row("answers", "questions of the same sessions answered rightly and in time"),
)
SUITE = Suite(
    name="long-timer",
    what="a timer of four minutes in a session of ten, with other talk all the time",
    rows=ROWS,
    twin=twin,
    score=score,
    how_to_get="no data to get: the suite is its own generator",
)
