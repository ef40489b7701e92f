"""What the tests of the core suite share: a beeping voice, one item of each kind, traces."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from interplay.bench.playing.logical_clock import play
from interplay.bench.scoring.answering import answer_acc, answer_latency
from interplay.bench.scoring.rows import Row
from interplay.bench.scoring.score import Outcome, value_of
from interplay.bench.suites.base import Published, Suite
from interplay.bench.systems.oracle import Oracle
from interplay.bench.traces import trace
from interplay.bench.traces.trace import Trace, Word
from interplay.data.item import (
    At,
    Delegate,
    Heard,
    Item,
    KeepTalking,
    NoTakeover,
    Say,
    Speak,
    StopBy,
    Type,
    When,
)

RATE = 16_000
AT_HALF = When(seconds=0.5)


@dataclass
class Tone:
    """Stand-in for a synthesiser: every word is 0.2 s of a tone."""

    samples: np.ndarray
    words: list
    phones: list = field(default_factory=list)


def beep(text: str, voice: str) -> Tone:
    words = text.split()
    times = [(word, 0.2 * i, 0.2 * (i + 1)) for i, word in enumerate(words)]
    return Tone(samples=_wave(len(words)), words=times)


@cache
def _wave(num_words: int) -> np.ndarray:
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(0.2 * RATE) * num_words) / RATE)
    return wave.astype(np.int16)


def said(text: str, at: When = AT_HALF, **kwargs) -> Speak:
    return Speak(text=text, voice="any", at=at, **kwargs)


def item(*cues, expect=(), kind="answer", seed=3, length_s=6.0) -> Item:
    return Item(kind=kind, seed=seed, length_s=length_s, cues=cues, expect=tuple(expect))


QUESTION = item(
    said("what is two plus two"),
    expect=[Heard(text="what is two plus two"), Say(text=("four", "it is four"), after=0)],
)
PAUSE = item(
    said("what is two plus two", pause_after_word=1, pause_s=1.2),
    expect=[NoTakeover(cue=0), Say(text=("four",), after=0)],
    kind="pause",
)
INTERRUPT = item(
    said("count"),
    said("what is two plus two", When(seconds=0.6, after="voice", cue=0)),
    expect=[StopBy(after=1), Say(text=("four",), after=1)],
    kind="interrupt",
)
BACKCHANNEL = item(
    said("count"),
    said("yes", When(seconds=0.6, after="voice", cue=0)),
    expect=[KeepTalking(through=1, text=("one two three four five six",))],
    kind="backchannel",
)
TIMER = item(
    said("say tea every two seconds"),
    expect=[At(text=("tea",), after=0, due_s=2.0), At(text=("tea",), after=0, due_s=4.0)],
    kind="timer",
    length_s=7.0,
)
DELEGATE = item(
    said("who was here"),
    Type(text="a cat", at=When(seconds=1.0, after="delegate", cue=0), control="<result>"),
    expect=[Delegate(words="who was here", after=0), Say(text=("a cat",), after=1, within_s=1.0)],
    kind="delegate",
)


def oracle_trace(name: str, what: Item) -> Trace:
    [played] = play([what], Oracle(name, beep, "own"), beep)
    return played


def hand_made(what: Item, *, say=(), voice=(), cues=((0.5, 1.5),), heard=(), act=(), **kwargs):
    """A trace from (word, time) and (start, end) of voice."""
    model = np.zeros(int(what.length_s * RATE), np.int16)
    for start, end in voice:
        model[int(start * RATE) : int(end * RATE)] = 3000
    return Trace(
        item=what,
        user=np.zeros_like(model),
        model=model,
        voice=trace.voice_spans(model),
        heard=tuple(Word(text=t, start_s=s, end_s=s + 0.05) for t, s in heard),
        say=tuple(Word(text=t, start_s=s, end_s=s + 0.05) for t, s in say),
        act=tuple(act),
        cues=tuple(cues),
        user_words=(),
        pauses=kwargs.get("pauses", {}),
    )


def values(outcomes) -> list:
    return [outcome.value for outcome in outcomes]


def notes(outcomes) -> list:
    return [note for outcome in outcomes for note in outcome.notes]


TYPED = item(Type(text="x", at=When(seconds=0.4)))


class Fixed:
    """A judge that gives one reply to everything and keeps what it was asked."""

    def __init__(self, reply: str) -> None:
        self.name, self.reply, self.asked = "fixed", reply, []

    def judge(self, system: str, user: str) -> str:
        self.asked.append(user)
        return self.reply


def value_in(row: Row, outcomes: Sequence[Outcome]) -> float | None:
    """The number of a row as `summarize` gives it, without drawing items ten thousand times for an
    interval."""
    return value_of([[outcome] for outcome in outcomes], row.statistic, row.weights)


def numbers(suite, traces) -> dict[str, float | None]:
    outcomes = suite.score(traces)
    assert list(outcomes) == [row.name for row in suite.rows]
    return {row.name: value_in(row, outcomes[row.name]) for row in suite.rows}


def small_twin(num_items: int, seed: int) -> list[Item]:
    kinds = [("easy", "what is two plus two", "four"), ("hard", "who was here", "a cat")]
    return [
        replace(
            item(said(asked), expect=[Say(text=(answer,), after=0)], length_s=5.0),
            seed=100 * seed + index,
            subset=subset,
        )
        for subset, asked, answer in kinds
        for index in range(num_items)
    ]


def small_score(traces):
    tries = [
        replace(outcome, group=trace.item.subset)
        for trace in traces
        for outcome in answer_acc(trace)
    ]
    times = [outcome for trace in traces for outcome in answer_latency(trace)]
    return {"small_right": tries, "small_latency_s": times}


SMALL = Suite(
    name="small",
    what="two questions",
    rows=(
        Row(name="small_right", kind="small", what="answered", reach=0.5, statistic="macro"),
        Row(
            name="small_latency_s",
            kind="small",
            what="time to the answer",
            reach=None,
            lower_is_better=True,
            unit="s",
            statistic="median",
        ),
    ),
    twin=small_twin,
    score=small_score,
    published=(
        Published(
            row="small_right", system="Somebody", value=0.4, source="a paper", date="2026-05"
        ),
    ),
)
