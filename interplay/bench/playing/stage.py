"""One item while it is played: cues become sound, tokens and pictures as their moments come.

Time is the micro-turn index. Knows nothing about who answers: whatever plays is told what the
user does in micro-turn i, and hands back what it emitted, which sounds in micro-turn i + 1.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8
from scipy.fft import irfft, next_fast_len, rfft

from interplay.bench.playing.bad_line import arriving
from interplay.bench.playing.camera import Camera
from interplay.bench.traces.trace import (
    FRAME,
    FRAME_S,
    SLOT_S,
    Span,
    Trace,
    audible,
    calls_of,
    is_control,
    to_int16,
    voice_spans,
    words_of,
)
from interplay.clock import NUM_SLOTS, SAMPLE_RATE_HZ, SAMPLES_PER_TURN, TURN_S
from interplay.data.item import Clip, Cue, Item, Noise, Show, Speak, Type, When
from interplay.errors import UnsupportedError

FADE = SAMPLE_RATE_HZ * 3 // 1000
FLOOR_DB = -60.0  # a microphone is never digitally silent
LONG_S = 60.0  # of an item: the sound of more than a few such takes much memory
EMPTY = ("",) * NUM_SLOTS
SOUNDLESS = "soundless"  # of `Item.about`: nobody can listen to it
QUIET_S = "quiet_s"  # of `Item.about`: it ends when the model has been quiet for so long
TimedWord = tuple[str, float, float]


@runtime_checkable  # the tests check signatures while they run
class Speech(Protocol):
    """What a synthesiser returns: int16 [T] at 16 kHz and the times of its words and phones."""

    @property
    def samples(self) -> np.ndarray: ...

    @property
    def words(self) -> list[TimedWord]: ...

    @property
    def phones(self) -> list[tuple[int, float, float]]: ...


Synthesizer = Callable[[str, str], Speech]


@dataclass(frozen=True, kw_only=True)
class Emission:
    """What a system emits in one output half: text pieces per slot ("" for none), sound.

    A piece that opens a word has a leading space; control tokens are spelled "<name>".
    """

    heard: tuple[str, ...] = EMPTY
    say: tuple[str, ...] = EMPTY
    act: tuple[str, ...] = EMPTY
    voice: Float32[np.ndarray, " 3200"] = field(
        default_factory=lambda: np.zeros(SAMPLES_PER_TURN, np.float32)
    )


def num_turns(item: Item) -> int:
    """Micro-turns an item lasts."""
    return math.ceil(item.length_s / TURN_S - 1e-9)


def is_wordless(cue: Cue) -> bool:
    """Whether a cue is a stretch of a recording in which nobody says anything."""
    return isinstance(cue, Clip) and not cue.word


class Stage:
    """The user's side of one item, and the record of the model's side.

    An item lasts its length. One with `quiet_s` in `about` lasts at most that long: it ends as soon
    as the model, after all that the user does, has answered and then been quiet (no sound, nothing
    on `say` or `act`) for `quiet_s` seconds. Who has not answered yet is waited for to the end.
    """

    def __init__(self, item: Item, synthesize: Synthesizer) -> None:
        self.item = item
        self.turn = 0
        self.num_turns = num_turns(item)
        self.cues: list[Span | None] = [None] * len(item.cues)
        self.user_words: list[TimedWord] = []
        self.pauses: dict[int, Span] = {}
        self.read: tuple = ()  # tokens of `read` in this micro-turn
        self.pieces: dict[str, list[tuple[str, float]]] = {"heard": [], "say": [], "act": []}
        self._synthesize = synthesize
        self._camera = Camera()
        self._queue: deque = deque()
        self._user = _noise(item, self.num_turns * SAMPLES_PER_TURN)
        self.model = np.zeros(len(self._user), np.int16)
        self._pending = {i for i, cue in enumerate(item.cues) if not isinstance(cue, Noise)}
        self._has_answered = False

    @property
    def now_s(self) -> float:
        """When the current micro-turn begins."""
        return self.turn * TURN_S

    @property
    def done(self) -> bool:
        return self.turn >= self.num_turns or self._has_fallen_quiet()

    @property
    def hear(self) -> Float32[np.ndarray, " 3200"]:
        """The user's channel in the current micro-turn, as a system gets it. Raises
        UnsupportedError where the item has no sound."""
        if self.item.about.get(SOUNDLESS):
            raise UnsupportedError(
                "these items are stored runs: only who spoke when is known, nothing can be heard; "
                "score them with --endpoint recorded"
            )
        return arriving(self.item.about, self.turn, self._user, self.model)

    @property
    def see(self) -> UInt8[np.ndarray, "12 2 40 40 3"] | None:
        """The camera's tile pairs in the current micro-turn, None while it is off.

        Pictures are made when they are asked for: a system without eyes costs none.
        """
        return self._camera.tiles(self.turn)

    @property
    def frame(self) -> UInt8[np.ndarray, "120 160 3"] | None:
        """The camera's picture in the current micro-turn, None while it is off."""
        return self._camera.frame(self.turn)

    def begin_turn(self, encode: Callable[[str, str], list]) -> None:
        """Start the cues that are due; `encode(control, text)` gives tokens for `read`."""
        self._has_answered = self._has_answered or self._answers()
        for index in sorted(self._pending):
            cue = self.item.cues[index]
            assert not isinstance(cue, Noise)
            moment_s = self._moment(cue.at)
            if moment_s is None or moment_s >= self.now_s + TURN_S:
                continue
            self._pending.discard(index)
            self.cues[index] = self._start(index, max(moment_s, self.now_s), encode)
        self.read = tuple(self._queue.popleft() for _ in range(min(NUM_SLOTS, len(self._queue))))

    def end_turn(self, emitted: Emission) -> None:
        """Keep what the model emitted in this micro-turn; it sounds in the next one."""
        self.turn += 1
        for name, pieces in self.pieces.items():
            for slot, piece in enumerate(getattr(emitted, name)):
                if piece:
                    pieces.append((piece, self.now_s + slot * SLOT_S))
        if not self.done:
            start = self.turn * SAMPLES_PER_TURN
            self.model[start : start + SAMPLES_PER_TURN] = to_int16(emitted.voice)

    def trace(self) -> Trace:
        """The record of the whole item, as long as it has lasted."""
        num_turns = min(self.turn, self.num_turns) if self.done else self.num_turns
        model = self.model[: num_turns * SAMPLES_PER_TURN]
        return Trace(
            item=self.item,
            user=to_int16(self._streamed(num_turns)),
            model=model,
            voice=voice_spans(model),
            heard=words_of(self.pieces["heard"]),
            say=words_of(self.pieces["say"]),
            act=calls_of(self.pieces["act"]),
            say_pieces=tuple(self.pieces["say"]),
            act_pieces=tuple(self.pieces["act"]),
            cues=tuple(self.cues),
            user_words=tuple(sorted(self.user_words, key=lambda word: word[1])),
            pauses=self.pauses,
        )

    def _streamed(self, num_turns: int) -> Float32[np.ndarray, " T"]:
        turns = range(num_turns)
        return np.concatenate([arriving(self.item.about, t, self._user, self.model) for t in turns])

    def _user_end_s(self) -> float | None:
        """When the last cue ended; None while one is still to come or under way."""
        if self._pending:
            return None
        end_s = max((span[1] for span in self.cues if span is not None), default=0.0)
        return end_s if end_s <= self.now_s else None

    def _answers(self) -> bool:
        """Whether the model has sounded in the micro-turn before, or written, after the user."""
        end_s = self._user_end_s() if QUIET_S in self.item.about else None
        if end_s is None or self.turn == 0:
            return False
        begin_s = self.now_s - TURN_S
        frames = np.flatnonzero(audible(self._past(1)))
        sounds = len(frames) > 0 and begin_s + (frames[-1] + 1) * FRAME_S > end_s
        return bool(sounds) or self._writes_after(end_s)

    def _has_fallen_quiet(self) -> bool:
        if QUIET_S not in self.item.about:
            return False
        quiet_s, end_s = float(self.item.about[QUIET_S]), self._user_end_s()
        if end_s is None or not (self._has_answered or self._writes_after(end_s)):
            return False
        since_s = self.now_s - quiet_s + 1e-9
        is_over = end_s <= since_s and not self._writes_after(since_s)
        return is_over and not audible(self._past(math.ceil(quiet_s / TURN_S - 1e-9))).any()

    def _past(self, num_turns: int) -> np.ndarray:
        """int16 [T] of the model in the last micro-turns."""
        first = max(0, self.turn - num_turns)
        return self.model[first * SAMPLES_PER_TURN : self.turn * SAMPLES_PER_TURN]

    def _writes_after(self, time_s: float) -> bool:
        newest = (pieces[-1:] for name, pieces in self.pieces.items() if name != "heard")
        return any(at_s >= time_s for pieces in newest for _, at_s in pieces)

    def _moment(self, when: When) -> float | None:
        """Seconds at which a `When` falls, or None while its anchor has not come."""
        if when.after == "start":
            return when.seconds
        if when.after in ("cue_start", "cue_end"):
            span = self.cues[when.cue or 0]
            anchor_s = span and span[when.after == "cue_end"]
        else:
            after_s = 0.0
            if when.cue is not None:
                span = self.cues[when.cue]
                if span is None:
                    return None
                after_s = span[1] if when.after == "voice" else span[0]
            anchor_s = self._first_voice(after_s)
            if when.after == "delegate":
                anchor_s = self._first_delegation(after_s)
        return None if anchor_s is None else anchor_s + when.seconds

    def _first_voice(self, after_s: float) -> float | None:
        """First audible moment of the model from `after_s` on; its sound is known to t1."""
        first = int(after_s / FRAME_S)
        known = self.model[first * FRAME : (self.turn + 1) * SAMPLES_PER_TURN]
        frames = np.flatnonzero(audible(known))
        return float(first + frames[0]) * FRAME_S if len(frames) else None

    def _first_delegation(self, after_s: float) -> float | None:
        """When the first delegation that began after `after_s` was closed."""
        is_open = False
        for piece, time_s in self.pieces["act"]:
            if is_open and is_control(piece):
                return time_s + SLOT_S
            is_open = is_open or (piece == "<delegate>" and time_s >= after_s)
        return None

    def _start(self, index: int, start_s: float, encode: Callable[[str, str], list]) -> Span:
        """Put a cue on its track; returns its span."""
        cue = self.item.cues[index]
        if isinstance(cue, Type):
            tokens = encode(cue.control, cue.text)
            ahead = len(self._queue)
            self._queue.extend(tokens)
            begin, end = ahead // NUM_SLOTS, -(-(ahead + len(tokens)) // NUM_SLOTS)
            return self.now_s + begin * TURN_S, self.now_s + end * TURN_S
        if isinstance(cue, Show):
            turn = math.ceil(start_s / TURN_S - 1e-6)
            self._camera.show(cue, turn)
            return turn * TURN_S, turn * TURN_S + cue.length_s
        start_s = round(start_s * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        if isinstance(cue, Clip):
            samples = _as_float(cue.samples)
            first_s, last_s = 0.0, len(samples) / SAMPLE_RATE_HZ
            words = [(word, first_s, last_s) for word in cue.word.split()]
        else:
            assert isinstance(cue, Speak)
            samples, words, pause = _speak(cue, self._synthesize)
            first_s, last_s = words[0][1], words[-1][2]
            if pause is not None:
                self.pauses[index] = (start_s + pause[0], start_s + pause[1])
        self._mix(samples * 10 ** (cue.gain_db / 20), start_s)
        self.user_words += [(word, start_s + s, start_s + e) for word, s, e in words]
        return start_s + first_s, start_s + last_s

    def _mix(self, samples: np.ndarray, start_s: float) -> None:
        start = round(start_s * SAMPLE_RATE_HZ)
        room = self._user[start : start + len(samples)]
        room += samples[: len(room)]


def _speak(cue: Speak, synthesize: Synthesizer) -> tuple[np.ndarray, list[TimedWord], Span | None]:
    """Sound and words of a spoken cue; a pause opens at the border between two words."""
    speech = synthesize(cue.text, cue.voice)
    samples, words = _as_float(speech.samples), list(speech.words)
    if cue.pause_after_word is None:
        return samples, words, None
    first = cue.pause_after_word + 1
    cut = round(words[first - 1][2] * SAMPLE_RATE_HZ)
    before, after = samples[:cut].copy(), samples[cut:].copy()
    fade = np.linspace(1, 0, FADE, dtype=np.float32)  # a cut wave would click
    before[-FADE:] *= fade
    after[:FADE] *= fade[::-1]
    gap = round(cue.pause_s * SAMPLE_RATE_HZ)
    later = [(w, s + gap / SAMPLE_RATE_HZ, e + gap / SAMPLE_RATE_HZ) for w, s, e in words[first:]]
    pause = (float(words[first - 1][2]), float(later[0][1]))
    track = np.concatenate([before, np.zeros(gap, np.float32), after])
    return track, [*words[:first], *later], pause


def _noise(item: Item, length: int) -> Float32[np.ndarray, " T"]:
    """The floor, plus what the item's Noise cues ask for (pink: equal power per octave)."""
    levels_db = tuple(cue.level_db for cue in item.cues if isinstance(cue, Noise))
    kept = _room if length <= LONG_S * SAMPLE_RATE_HZ else _long_room
    return kept(item.seed, levels_db, length).copy()


def _make_room(seed: int, levels_db: tuple[float, ...], length: int) -> Float32[np.ndarray, " T"]:
    rng = np.random.default_rng([seed, 0xF100])
    track = rng.standard_normal(length, dtype=np.float32)
    track *= np.float32(10 ** (FLOOR_DB / 20))
    for level_db in levels_db:
        # half the time where the length has a large prime factor
        padded = next_fast_len(length, real=True)
        spectrum = np.asarray(rfft(rng.standard_normal(length, dtype=np.float32), padded))
        spectrum /= np.sqrt(np.arange(1, len(spectrum) + 1, dtype=np.float32))
        pink = np.asarray(irfft(spectrum, padded))[:length]
        track += pink * np.float32(10 ** (level_db / 20) / pink.std())
    return track


# several systems meet an item soon after each other, or the items of a small suite
_room, _long_room = lru_cache(16)(_make_room), lru_cache(4)(_make_room)


def _as_float(samples: np.ndarray) -> Float32[np.ndarray, " T"]:
    if samples.dtype == np.int16:
        return samples.astype(np.float32) / 32768
    return np.asarray(samples, np.float32)
