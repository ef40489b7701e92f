"""Trivial systems that a table must print beside every number: they know the script of the item.

silent        never emits anything
always        talks without end, about nothing
half_duplex   a flawless cascade: knows every word and answer, waits for 0.7 s of silence, then
              needs 0.2 s; deaf while it speaks, never yields, never speaks unasked
perfect       knows every word and answer and does all that the item expects, in time

Knows nothing of models; they go through the same player, traces and scorers as a real system.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from interplay.bench.stage import EMPTY, Emission, Stage, Synthesizer
from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_TURN, TURN_S
from interplay.data.item import (
    At,
    Clip,
    Delegate,
    Expect,
    Heard,
    Item,
    KeepTalking,
    Noise,
    Say,
    Show,
    Speak,
    StopBy,
    Type,
)

BABBLE = "la lo"
LONG_TEXT = "one two three four five six seven eight nine ten"  # to be interrupted in
_HEARD_LAG_S = 0.3


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How an oracle behaves. endpoint_s: silence after which it believes a turn has ended.

    reaction_s: from there to its first sound. yields: stops when the item expects it.
    keeps_time: speaks at due times without being asked. babbles: talks all the time.
    """

    knows: bool = True
    babbles: bool = False
    endpoint_s: float = 0.0
    reaction_s: float = 0.4
    yields: bool = True
    keeps_time: bool = True


POLICIES = {
    "silent": Policy(knows=False),
    "always": Policy(knows=False, babbles=True),
    "half_duplex": Policy(endpoint_s=0.7, reaction_s=0.2, yields=False, keeps_time=False),
    "perfect": Policy(),
}


@dataclass
class _Mouth:
    """What an oracle still has to emit in one session. Times are of the item."""

    voice: np.ndarray  # float32 [T], rendered ahead
    say: list[tuple[float, str]] = field(default_factory=list)
    act: list[tuple[float, str]] = field(default_factory=list)
    num_heard: int = 0
    busy_until_s: float = 0.0
    done: set[int] = field(default_factory=set)  # expectations taken care of


class Oracle:
    """A `System` with one policy. Its voice is made by `synthesize`."""

    num_seats = 32

    def __init__(self, name: str, synthesize: Synthesizer, voice: str) -> None:
        self.name = name
        self._policy = POLICIES[name]
        self._synthesize = synthesize
        self._voice = voice
        self._mouths: dict[Stage, _Mouth] = {}

    def open(self, stage: Stage) -> None:
        mouth = _Mouth(voice=np.zeros(len(stage.model) + SAMPLES_PER_TURN, np.float32))
        self._mouths[stage] = mouth
        while self._policy.babbles and mouth.busy_until_s < stage.item.length_s:
            self._speak(mouth, BABBLE, mouth.busy_until_s)

    def close(self, stage: Stage) -> None:
        del self._mouths[stage]

    def encode(self, control: str, text: str) -> list:
        return [control, *text.split(), "<end>"]

    def step(self, stages: Sequence[Stage]) -> list[Emission]:
        return [self._step(stage, self._mouths[stage]) for stage in stages]

    def _step(self, stage: Stage, mouth: _Mouth) -> Emission:
        plays_s = stage.now_s + TURN_S  # when this output half sounds
        if self._policy.knows:
            for index, expect in enumerate(_duties(stage.item)):
                if index not in mouth.done and self._attend(stage, mouth, expect, plays_s):
                    mouth.done.add(index)
        start = (stage.turn + 1) * SAMPLES_PER_TURN
        return Emission(
            heard=self._heard(stage, mouth) if self._policy.knows else EMPTY,
            say=_due(mouth.say, plays_s),
            act=_due(mouth.act, plays_s),
            voice=mouth.voice[start : start + SAMPLES_PER_TURN].copy(),
        )

    def _attend(self, stage: Stage, mouth: _Mouth, expect: Expect, plays_s: float) -> bool:
        """Do what an expectation asks if its moment falls into this output half."""
        policy = self._policy
        if isinstance(expect, Say | Delegate):
            ready_s = self._ready_s(stage, mouth, expect.after)
            if ready_s is None or ready_s >= plays_s + TURN_S:
                return False
            if isinstance(expect, Delegate):
                mouth.act += [(plays_s, "<delegate>"), *_spread(expect.words, plays_s)]
                mouth.act.append((plays_s, "<end>"))
            else:
                self._speak(mouth, expect.text[0], max(ready_s, plays_s))
            return True
        if isinstance(expect, At) and policy.keeps_time:
            span = stage.cues[expect.after]
            if span is None or span[1] + expect.due_s >= plays_s + TURN_S:
                return False
            self._speak(mouth, expect.text[0], max(span[1] + expect.due_s, plays_s))
            return True
        if isinstance(expect, StopBy) and policy.yields:
            span = stage.cues[expect.after]
            if span is None or plays_s < span[0] + TURN_S:
                return False
            _hush(mouth, plays_s)
            return True
        return False

    def _ready_s(self, stage: Stage, mouth: _Mouth, cue: int) -> float | None:
        """When an oracle would begin to answer a cue; None while it would wait."""
        span = stage.cues[cue]
        if span is None:
            return None
        policy = self._policy
        if isinstance(stage.item.cues[cue], Type):
            return max(span[1] + policy.reaction_s, mouth.busy_until_s)
        end_s = span[1]
        if policy.endpoint_s:
            if mouth.busy_until_s > span[0] and not policy.yields:
                end_s = max(end_s, mouth.busy_until_s)
            pause = stage.pauses.get(cue)
            if pause is not None and pause[1] - pause[0] >= policy.endpoint_s:
                end_s = pause[0]  # takes the pause for the end
        return max(end_s + policy.endpoint_s + policy.reaction_s, mouth.busy_until_s)

    def _speak(self, mouth: _Mouth, text: str, start_s: float) -> None:
        start_s = max(start_s, mouth.busy_until_s)
        speech = self._synthesize(text, self._voice)
        start = round(start_s * SAMPLE_RATE_HZ)
        room = mouth.voice[start : start + len(speech.samples)]
        room += speech.samples[: len(room)].astype(np.float32) / 32768
        mouth.say += [(start_s + s, f" {word}") for word, s, _ in speech.words]
        mouth.busy_until_s = start_s + len(speech.samples) / SAMPLE_RATE_HZ

    def _heard(self, stage: Stage, mouth: _Mouth) -> tuple[str, ...]:
        """Every word of the user, 0.3 s after it ended, if the item has anything to transcribe."""
        if not any(isinstance(expect, Heard) for expect in stage.item.expect):
            return EMPTY
        words = sorted(stage.user_words, key=lambda word: word[1])[mouth.num_heard :]
        due = [word for word, _, end_s in words if end_s + _HEARD_LAG_S < stage.now_s + TURN_S]
        due = due[:NUM_SLOTS]
        mouth.num_heard += len(due)
        return (*(f" {word}" for word in due), *EMPTY)[:NUM_SLOTS]


def _duties(item: Item) -> list[Expect]:
    """What the item expects, and the replies that its later cues wait for."""
    spoken = {expect.after for expect in item.expect if isinstance(expect, Say)}
    waited = {cue.at.cue for cue in item.cues if not isinstance(cue, Noise) and _waits(cue)}
    planned = [text for e in item.expect if isinstance(e, KeepTalking) for text in e.text]
    openers = [
        Say(text=(planned[0] if planned else LONG_TEXT,), after=cue)
        for cue in sorted({cue or 0 for cue in waited} - spoken)
    ]
    return [*openers, *item.expect]


def _waits(cue: Speak | Clip | Type | Show) -> bool:
    return cue.at.after == "voice"


def _spread(text: str, time_s: float) -> list[tuple[float, str]]:
    return [(time_s, f" {word}") for word in text.split()]


def _due(pieces: list[tuple[float, str]], plays_s: float) -> tuple[str, ...]:
    """Take up to four pieces whose time has come, each in the slot of its time if that is free."""
    slots: list[str] = list(EMPTY)
    slot = 0
    while pieces and slot < NUM_SLOTS and pieces[0][0] < plays_s + TURN_S:
        time_s, piece = pieces.pop(0)
        slot = max(slot, min(NUM_SLOTS - 1, int((time_s - plays_s) / TURN_S * NUM_SLOTS)))
        slots[slot] = piece
        slot += 1
    return tuple(slots)


def _hush(mouth: _Mouth, from_s: float) -> None:
    """Drop all that would sound from a moment on."""
    mouth.voice[round(from_s * SAMPLE_RATE_HZ) :] = 0
    mouth.say = [piece for piece in mouth.say if piece[0] < from_s]
    mouth.busy_until_s = min(mouth.busy_until_s, from_s)
