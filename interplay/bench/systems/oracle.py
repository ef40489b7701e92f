"""Trivial systems that a table must print beside every number: they know the script of the item.

Carries out the policies of bench.systems.policies. Knows nothing of models; the oracles go through
the same player, traces and scorers as a real system.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from interplay.bench.playing.stage import EMPTY, Emission, Stage, Synthesizer, is_wordless
from interplay.bench.systems.policies import POLICIES, Policy
from interplay.bench.traces.trace import Span, anchor_s
from interplay.bench.wording.written import NOTHING, speakable, timed_pieces
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
from interplay.data.texts.vocabulary import NUMBERS
from interplay.errors import ConfigError

BABBLE = "la lo"
LONG_TEXT = "one two three four five six seven eight nine ten"  # to be interrupted in
TO_ANYTHING = "yes"
BEAT_S = 2.0  # of the metronome
ECHO_TURNS = 3  # 0.6 s
_HEARD_LAG_S = 0.3


@dataclass
class _Mouth:
    """What an oracle still has to emit in one session. Times are of the item."""

    voice: np.ndarray  # float32 [T], rendered ahead
    say: list[tuple[float, str]] = field(default_factory=list)
    act: list[tuple[float, str]] = field(default_factory=list)
    num_heard: int = 0
    busy_until_s: float = 0.0
    done: set[int] = field(default_factory=set)  # expectations taken care of
    stopped_by: set[int] = field(default_factory=set)  # cues it yielded to, or has answered
    again: set[int] = field(default_factory=set)  # cues that went on after it had answered
    past: deque = field(default_factory=lambda: deque(maxlen=ECHO_TURNS))  # of the user's sound


class Oracle:
    """A `System` with one policy. Its voice is made by `synthesize`."""

    num_seats = 32

    def __init__(self, name: str, synthesize: Synthesizer, voice: str) -> None:
        if name not in POLICIES:
            raise ConfigError(f"no baseline {name!r}; there are {', '.join(POLICIES)}")
        self.name = name
        self._policy: Policy = POLICIES[name]
        self._synthesize = synthesize
        self._voice = voice
        self._mouths: dict[Stage, _Mouth] = {}

    def open(self, stage: Stage) -> None:
        mouth = _Mouth(voice=np.zeros(len(stage.model) + SAMPLES_PER_TURN, np.float32))
        self._mouths[stage] = mouth
        while self._policy.babbles and mouth.busy_until_s < stage.item.length_s:
            self._speak(mouth, BABBLE, mouth.busy_until_s)
        if self._policy.counts:
            for beat in range(1, int(stage.item.length_s / BEAT_S) + 1):
                self._speak(mouth, NUMBERS[1 + (beat - 1) % (len(NUMBERS) - 1)], beat * BEAT_S)

    def close(self, stage: Stage) -> None:
        del self._mouths[stage]

    def encode(self, control: str, text: str) -> list:
        return [*([control] if control else []), *text.split(), "<end>"]

    def step(self, stages: Sequence[Stage]) -> list[Emission]:
        return [self._step(stage, self._mouths[stage]) for stage in stages]

    def _step(self, stage: Stage, mouth: _Mouth) -> Emission:
        plays_s = stage.now_s + TURN_S  # when this output half sounds
        if self._policy.echoes:
            return _echo(stage, mouth, plays_s)
        if self._policy.yields == "always":
            self._yield(stage, mouth, plays_s)
        if self._policy.knows:
            for index, expect in enumerate(self._duties(stage.item)):
                if index not in mouth.done and self._attend(stage, mouth, expect, plays_s):
                    mouth.done.add(index)
        if self._policy.takes_all:
            self._take_all(stage, mouth, plays_s)
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
        if isinstance(expect, At):
            due_s = self._due_s(stage, expect)
            if due_s is None or due_s >= plays_s + TURN_S:
                return False
            self._speak(mouth, expect.text[0], max(due_s, plays_s))
            return True
        if isinstance(expect, StopBy) and policy.yields == "expected":
            span = stage.cues[expect.after]
            if span is None or plays_s < span[0] + TURN_S:
                return False
            _hush(mouth, plays_s)
            return True
        return False

    def _duties(self, item: Item) -> Sequence[Expect]:
        """What this policy cares about; one that acts once, of the earliest cue."""
        duties = _duties(item)
        if not self._policy.once:
            return duties
        first = [duty for duty in duties if isinstance(duty, Say)]
        return [*sorted(first, key=lambda say: say.after)[:1]]

    def _due_s(self, stage: Stage, expect: At) -> float | None:
        """When it would say what is due at a time; None while it would not."""
        policy, span = self._policy, stage.cues[expect.after]
        if span is None:
            return None
        if policy.early:
            return span[1] + policy.reaction_s
        if policy.keeps_time:
            anchor = anchor_s(expect, stage.cues, stage.user_words)
            return None if anchor is None else anchor + expect.due_s + self._error_s(stage, expect)
        if expect.due_s >= policy.endpoint_s or policy.once:
            return None
        end_s = span[1]
        for _, (begin_s, stop_s) in sorted(_begun(stage), key=lambda cue: cue[1]):
            if begin_s <= end_s + policy.endpoint_s:
                end_s = max(end_s, stop_s)
        return end_s + policy.endpoint_s + policy.reaction_s

    def _error_s(self, stage: Stage, expect: At) -> float:
        """By how much it misses a time: the same for ever for the same expectation of an item."""
        if not self._policy.jitter_s:
            return 0.0
        key = [stage.item.seed, expect.after, round(1000 * abs(expect.due_s))]
        return float(np.random.default_rng(key).normal(0.0, self._policy.jitter_s))

    def _yield(self, stage: Stage, mouth: _Mouth, plays_s: float) -> None:
        """Fall silent for good one micro-turn after a sound of the user began."""
        for cue, span in _sounds(stage):
            if not span[0] + TURN_S <= plays_s < span[1] + TURN_S:
                continue
            pause = stage.pauses.get(cue)
            if pause is not None and pause[0] <= plays_s < pause[1] + TURN_S:
                continue  # nothing sounds
            if mouth.busy_until_s > plays_s:
                _hush(mouth, plays_s)
                mouth.stopped_by.add(cue)
            for index, duty in enumerate(self._duties(stage.item)):
                if index in mouth.done and isinstance(duty, Say) and duty.after == cue:
                    mouth.done.discard(index)  # what it answered in a pause was not the whole turn
                    mouth.again.add(cue)

    def _take_all(self, stage: Stage, mouth: _Mouth, plays_s: float) -> None:
        """Say something to every sound that wants nothing and did not stop it."""
        wanted = {d.after for d in self._duties(stage.item) if isinstance(d, Say | At | Delegate)}
        for cue, _ in _sounds(stage):
            ready_s = self._ready_s(stage, mouth, cue)
            if cue in wanted | mouth.stopped_by or ready_s is None or ready_s >= plays_s + TURN_S:
                continue
            mouth.stopped_by.add(cue)
            self._speak(mouth, TO_ANYTHING, max(ready_s, plays_s))

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
            if mouth.busy_until_s > span[0] and policy.yields == "never":
                end_s = max(end_s, mouth.busy_until_s)
            pause = None if cue in mouth.again else stage.pauses.get(cue)
            if pause is not None and pause[1] - pause[0] >= policy.endpoint_s:
                end_s = pause[0]  # takes the pause for the end
        return max(end_s + policy.endpoint_s + policy.reaction_s, mouth.busy_until_s)

    def _speak(self, mouth: _Mouth, text: str, start_s: float) -> None:
        start_s = max(start_s, mouth.busy_until_s)
        speech = self._synthesize(speakable(text) or NOTHING, self._voice)
        start = round(start_s * SAMPLE_RATE_HZ)
        room = mouth.voice[start : start + len(speech.samples)]
        room += speech.samples[: len(room)].astype(np.float32) / 32768
        mouth.say += [(start_s + s, piece) for piece, s in timed_pieces(text, speech.words)]
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


def _begun(stage: Stage) -> list[tuple[int, Span]]:
    """Cues that have begun, with their spans; not those in which nothing is said."""
    return [
        (cue, span)
        for cue, span in enumerate(stage.cues)
        if span is not None and not is_wordless(stage.item.cues[cue])
    ]


def _sounds(stage: Stage) -> list[tuple[int, Span]]:
    """Those that sound."""
    return [each for each in _begun(stage) if isinstance(stage.item.cues[each[0]], Speak | Clip)]


def _echo(stage: Stage, mouth: _Mouth, plays_s: float) -> Emission:
    """The user's words, and their sound without what lies between them, 0.6 s late."""
    mouth.past.append(stage.hear)
    from_s = plays_s - ECHO_TURNS * TURN_S
    if from_s < 0 or len(mouth.past) < ECHO_TURNS:
        return Emission()
    times_s = from_s + np.arange(SAMPLES_PER_TURN) / SAMPLE_RATE_HZ
    spans = [span for _, span in _sounds(stage)]
    inside = np.zeros(SAMPLES_PER_TURN, bool)
    for begin_s, end_s in spans:
        inside |= (begin_s <= times_s) & (times_s < end_s)
    words = sorted(stage.user_words, key=lambda word: word[1])
    late_s = plays_s - from_s
    due = [(begin_s + late_s, f" {word}") for word, begin_s, _ in words]
    due = [piece for piece in due if plays_s <= piece[0] < plays_s + TURN_S]
    voice = np.where(inside, mouth.past[0], np.float32(0)).astype(np.float32)
    return Emission(say=_due(due, plays_s), voice=voice)


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
