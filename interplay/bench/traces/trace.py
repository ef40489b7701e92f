"""What one item left behind: both sound tracks, words and calls with times, cue times.

The one format every scorer reads. All times are seconds from the first sample of the item; a
sound sample t of either track has the time t / 16000. Knows nothing of systems or of scores.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int16

from interplay.clock import SAMPLE_RATE_HZ, SLOT_MS
from interplay.data.item import At, AtWord, Item

SLOT_S = SLOT_MS / 1000
FRAME_S = 0.01
FRAME = int(FRAME_S * SAMPLE_RATE_HZ)
AUDIBLE_DB = -45.0  # of full scale, per frame
MAX_GAP_S = 0.3  # shorter gaps lie inside one stretch of voice
MIN_SPAN_S = 0.05  # shorter sounds are clicks
MAX_PACE_ERROR = 0.005  # of a server's sound against the clock
VOICE_LAG_S = 1.0  # the voice of a word follows it on `say` by at most this
_NOT_WORD = re.compile(r"[^a-z0-9' ]+")
Span = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word of `heard` or `say`, and when its first and last token came out."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class Call:
    """Control token `name` on `act` and the words up to the next control token."""

    name: str
    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """One played item.

    user, model: int16 [T], 16 kHz, time-aligned. voice: stretches where the model's track is
    audible. cues: start and end of every cue, None where it never came (or is a Noise).
    user_words: (word, start, end) of everything the user said. pauses: cue index -> its pause.
    say_pieces, act_pieces: the two streams as they were written, capitals, marks and line breaks
    kept: (piece, when it came out). transcribed: `say` is what a recogniser heard (it wrote
    nothing about sound without words), not what the system wrote. detected: where a detector that
    was asked for finds speech of the user and of the model; `voice` is from it, too.
    In real time alone: errors: what the server reported. pace: seconds of sound that a server sends
    in a second, None where that is not known. walls: of every micro-turn, when its sound of the
    user was complete and handed over, and when the first sound that plays in it was there.
    """

    item: Item
    user: Int16[np.ndarray, " T"]
    model: Int16[np.ndarray, " T"]
    voice: tuple[Span, ...]
    heard: tuple[Word, ...]
    say: tuple[Word, ...]
    act: tuple[Call, ...]
    cues: tuple[Span | None, ...]
    user_words: tuple[tuple[str, float, float], ...]
    pauses: dict[int, Span]
    say_pieces: tuple[tuple[str, float], ...] = ()
    act_pieces: tuple[tuple[str, float], ...] = ()
    transcribed: bool = False
    detected: tuple[tuple[Span, ...], tuple[Span, ...]] | None = None
    errors: tuple[str, ...] = ()
    pace: float | None = None
    walls: tuple[tuple[float | None, float | None], ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What befell the whole item, to be counted beside every score."""
        found = ("server_error",) if self.errors else ()
        if self.pace is None or abs(self.pace - 1) <= MAX_PACE_ERROR:
            return found
        return (*found, "sound_runs_fast" if self.pace > 1 else "sound_runs_slow")

    @property
    def length_s(self) -> float:
        return len(self.model) / SAMPLE_RATE_HZ

    def written(self, start_s: float = 0.0, end_s: float = math.inf) -> str:
        """What came out on `say` in [start_s, end_s), as it was written; where only words are
        known, they are joined by spaces."""
        if not self.say_pieces:
            return " ".join(word.text for word in self.say if start_s <= word.start_s < end_s)
        pieces = [piece for piece, time_s in self.say_pieces if start_s <= time_s < end_s]
        return "".join(piece for piece in pieces if not is_control(piece)).strip()

    def spoken(self) -> list[Word]:
        """Words of `say` that a listener could hear: voice sounds within a second of them."""
        return [
            word
            for word in self.say
            if overlaps(self.voice, word.start_s - FRAME_S, word.start_s + VOICE_LAG_S)
        ]


def audible(track: Int16[np.ndarray, " T"]) -> Bool[np.ndarray, " N"]:
    """Whether each 10 ms frame is louder than -45 dB of full scale (RMS)."""
    frames = track[: len(track) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float32) / 32768
    return np.square(frames).mean(1) > 10 ** (AUDIBLE_DB / 10)


def voice_spans(track: Int16[np.ndarray, " T"]) -> tuple[Span, ...]:
    """Stretches of audible sound: gaps up to 0.3 s joined, then sounds under 50 ms dropped."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], audible(track), [0]]).astype(np.int8)))
    spans: list[list[float]] = []
    for start, stop in edges.reshape(-1, 2) * FRAME_S:
        if spans and start - spans[-1][1] <= MAX_GAP_S + FRAME_S / 2:
            spans[-1][1] = stop
        else:
            spans.append([start, stop])
    return tuple((float(s), float(e)) for s, e in spans if e - s >= MIN_SPAN_S - FRAME_S / 2)


def merged(spans: Iterable[Span], max_gap_s: float) -> list[Span]:
    """Spans in order of their start, joined where the gap between two is at most `max_gap_s`."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= max_gap_s + 1e-9:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def laid_out(
    pieces: Iterable[tuple[float, Int16[np.ndarray, " _"]]], num_samples: int
) -> Int16[np.ndarray, " T"]:
    """A track of sounds that begin at times in seconds; what lies outside of it is cut away, a
    later piece covers an earlier one."""
    track = np.zeros(num_samples, np.int16)
    for start_s, samples in pieces:
        start = round(start_s * SAMPLE_RATE_HZ)
        skip, start = max(0, -start), max(0, start)
        part = samples[skip : skip + max(0, num_samples - start)]
        track[start : start + len(part)] = part
    return track


def overlaps(spans: Iterable[Span], start_s: float, end_s: float) -> bool:
    """Whether any of the spans has time in common with [start_s, end_s]."""
    return any(s < end_s and e > start_s for s, e in spans)


def span_at(spans: Iterable[Span], time_s: float) -> Span | None:
    """The span that covers a moment, if any."""
    return next(((s, e) for s, e in spans if s <= time_s < e), None)


def words_of(pieces: Sequence[tuple[str, float]]) -> tuple[Word, ...]:
    """Words from (piece, time) in order; a piece with leading space opens a word.

    Control tokens ("<...>") close the word before them and are left out.
    """
    groups: list[list[tuple[str, float]]] = []
    is_open = False
    for piece, time_s in pieces:
        if is_control(piece):
            is_open = False
            continue
        if piece[:1].isspace() or not is_open:
            groups.append([])
        groups[-1].append((piece, time_s))
        is_open = True
    words = []
    for group in groups:
        for text in normal("".join(piece for piece, _ in group)):
            words.append(Word(text=text, start_s=group[0][1], end_s=group[-1][1] + SLOT_S))
    return tuple(words)


def calls_of(pieces: Sequence[tuple[str, float]]) -> tuple[Call, ...]:
    """Calls from the pieces of `act`: every control token except `<end>` opens one."""
    calls, name, body, start_s = [], None, [], 0.0
    for piece, time_s in [*pieces, ("<end>", pieces[-1][1] if pieces else 0.0)]:
        if not is_control(piece):
            body.append(piece)
            continue
        if name is not None:
            text = " ".join(normal("".join(body)))
            calls.append(Call(name=name, text=text, start_s=start_s, end_s=time_s + SLOT_S))
        name, body, start_s = (None if piece == "<end>" else piece), [], time_s
    return tuple(calls)


def is_control(piece: str) -> bool:
    return piece.startswith("<") and piece.endswith(">") and len(piece) > 2


def normal(text: str) -> list[str]:
    """Lower-case words without punctuation: what is compared everywhere."""
    return _NOT_WORD.sub(" ", text.lower().replace("’", "'")).split()


def anchor_s(
    expect: At, cues: Sequence[Span | None], user_words: Iterable[tuple[str, float, float]]
) -> float | None:
    """The moment from which `due_s` of an expectation counts; None where its cue has not come."""
    span = cues[expect.after]
    if span is None or not isinstance(expect, AtWord):
        return None if span is None else span[1]
    first_s, last_s = span[0] - 1e-6, span[1] + 1e-6
    inside = [end for _, start, end in user_words if first_s <= start and end <= last_s]
    return sorted(inside)[expect.word]


def to_int16(samples: Float32[np.ndarray, " T"]) -> Int16[np.ndarray, " T"]:
    """Full scale 1 -> int16, clipped."""
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
