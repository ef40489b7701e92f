"""What happened in a conversation: both tracks, words, calls and compute time, micro-turn by
micro-turn.

The one value that the terminal, the page and the picture are drawn from. Time is seconds from
the first sample. Micro-turn i is heard until (i + 1) x 200 ms; what the model then emits sounds
during the micro-turn after it. Knows nothing of models, engines or drawing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from interplay.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TURN, SLOT_MS, TURN_S
from interplay.turns import tokens
from interplay.turns.tokens import COUNTS, FIRST_COUNT, SPECIALS, Tokenizer
from interplay.turns.types import PAD, InputHalf, OutputHalf

SLOT_S = SLOT_MS / 1000
SPOKEN_DB = -42.0  # louder than this, of full scale, somebody speaks
WITH_WORDS = {
    tokens.TEXT: "text",
    tokens.RESULT: "result",
    tokens.DELEGATE: "delegate",
    tokens.TIMER: "timer",
    tokens.EVERY: "every",
    tokens.NOTE: "note",
}
ALONE = {tokens.CLOCK: "clock", tokens.DUE: "due", tokens.CANCEL: "cancel"}
Timed = tuple[int, float]  # token id, when


@dataclass(kw_only=True)
class Word:
    """A word and when its first token came."""

    text: str
    time_s: float


@dataclass(kw_only=True)
class Event:
    """A call on `act` or an arrival on `read`.

    kind: `timer`, `every`, `clock`, `due`, `cancel`, `count`, `note`, `delegate`, `text`, `result`.
    seconds: of a timer or count, else None. is_open: its `<end>` has not come yet.
    """

    kind: str
    time_s: float
    end_s: float
    text: str = ""
    seconds: int | None = None
    is_open: bool = False


class WordReader:
    """Tokens of `heard` or `say` to words, as they come."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.words: list[Word] = []
        self._tokenizer = tokenizer
        self._is_open = False

    def push(self, timed: Iterable[Timed]) -> None:
        for token, time_s in timed:
            if token < len(SPECIALS):
                self._is_open = False
                continue
            piece = _printable(self._tokenizer.name(token))
            if piece.startswith(" ") or not self._is_open:
                self.words.append(Word(text=piece.strip(), time_s=time_s))
                self._is_open = True
            else:
                self.words[-1].text += piece


class EventReader:
    """Tokens of `act` or `read` to events, as they come."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.events: list[Event] = []
        self._tokenizer = tokenizer
        self._open: Event | None = None
        self._ids: list[int] = []

    def push(self, timed: Iterable[Timed]) -> None:
        for token, time_s in timed:
            self._read(token, time_s)

    def _read(self, token: int, time_s: float) -> None:
        event = self._open
        in_note = event is not None and event.kind == "note"
        if token == tokens.END:
            self._close()
        elif token in WITH_WORDS and not in_note:
            self._close()
            self._open = self._add(WITH_WORDS[token], time_s)
            self._open.is_open = True
        elif token in ALONE and not in_note:
            self._add(ALONE[token], time_s)
        elif event is None:
            if token in range(FIRST_COUNT, len(SPECIALS)):
                self._add("count", time_s).seconds = token - FIRST_COUNT
        elif not in_note and token < len(SPECIALS):
            self._count(event, token - FIRST_COUNT, time_s)
        else:
            event.end_s = time_s + SLOT_S
            self._ids.append(token)
            event.text = self._text()

    def _add(self, kind: str, time_s: float) -> Event:
        self.events.append(Event(kind=kind, time_s=time_s, end_s=time_s + SLOT_S))
        return self.events[-1]

    def _count(self, event: Event, seconds: int, time_s: float) -> None:
        """The first count after `<timer>` is its length; later ones are the countdown of others."""
        if event.kind in ("timer", "every") and event.seconds is None:
            event.seconds, event.end_s = seconds, time_s + SLOT_S
        else:
            self._add("count", time_s).seconds = seconds

    def _close(self) -> None:
        if self._open:
            self._open.is_open = False
        self._open, self._ids = None, []

    def _text(self) -> str:
        """Words, with what stands in a note written readably."""
        parts: list[str] = []
        for token in self._ids:
            name = self._tokenizer.name(token)
            if token >= len(SPECIALS):
                parts.append(_printable(name))
            elif name in COUNTS:
                parts.append(f" {token - FIRST_COUNT} s")
            else:
                parts.append(f" {name.strip('<>')}")
        return "".join(parts).strip()


@dataclass(kw_only=True)
class Tick:
    """Compute time of one micro-turn [ms]."""

    compute_ms: float


class Conversation:
    """Grows by one micro-turn per `add`. `title` names the model."""

    def __init__(self, tokenizer: Tokenizer, *, title: str) -> None:
        self.title = title
        self.heard, self.said = WordReader(tokenizer), WordReader(tokenizer)
        self.act, self.read = EventReader(tokenizer), EventReader(tokenizer)
        self.ticks: list[Tick] = []
        self.num_missed = 0
        self.num_deadlines = 0  # stays 0 where nobody waits for the clock
        self._user: list[np.ndarray] = []
        self._model: list[np.ndarray] = [np.zeros(SAMPLES_PER_TURN, np.int16)]

    def add(self, half: InputHalf, out: OutputHalf, compute_ms: float) -> None:
        """One micro-turn: what was heard and read, what the model emitted, how long it took."""
        start_s = self.length_s
        self._user.append(_int16(half.hear))
        self._model.append(_int16(out.voice))
        self.ticks.append(Tick(compute_ms=compute_ms))
        end_s = start_s + TURN_S
        self.heard.push(_timed(out.heard, end_s))
        self.said.push(_timed(out.say, end_s))
        self.act.push(_timed(out.act, end_s))
        self.read.push(_timed(half.read, start_s))

    @property
    def num_turns(self) -> int:
        return len(self.ticks)

    @property
    def length_s(self) -> float:
        """Seconds of the user's track."""
        return self.num_turns * TURN_S

    def tracks(self, last_s: float | None = None) -> Float32[np.ndarray, "T 2"]:
        """User and model, sample by sample beside each other, full scale 1.

        last_s: only so much of the end. The model's newest 200 ms have not sounded yet: the whole
        is one micro-turn longer than what was heard, padded with silence on the user's side.
        """
        count = self.num_turns + 1 if last_s is None else round(last_s / TURN_S)
        first = max(0, self.num_turns + 1 - count)
        silence = np.zeros(SAMPLES_PER_TURN, np.int16)
        user = np.concatenate([*self._user[first:], silence])
        model = np.concatenate(self._model[first:])
        return np.stack([user, model], axis=-1).astype(np.float32) / 32768

    def percentile_ms(self, percent: float) -> float:
        """Compute time that `percent` of the micro-turns stay below; 0 before the first."""
        if not self.ticks:
            return 0.0
        return float(np.percentile([tick.compute_ms for tick in self.ticks], percent))

    def deadlines(self) -> str:
        """How many were met, in words."""
        if not self.num_deadlines:
            return "no deadlines: as fast as it computes"
        met = self.num_deadlines - self.num_missed
        return f"{met} of {self.num_deadlines} deadlines met"


def utterances(words: list[Word], gap_s: float = 1.0) -> Iterator[tuple[float, float, str]]:
    """Words grouped where nothing came for `gap_s`: (start, time of the last word, text)."""
    group: list[Word] = []
    for word in words:
        if group and word.time_s - group[-1].time_s > gap_s:
            yield _utterance(group)
            group = []
        group.append(word)
    if group:
        yield _utterance(group)


def _utterance(group: list[Word]) -> tuple[float, float, str]:
    return group[0].time_s, group[-1].time_s, " ".join(word.text for word in group)


def loudness_db(
    samples: Float32[np.ndarray, " T"], block_s: float = SLOT_S
) -> Float32[np.ndarray, " N"]:
    """Root mean square of each block in dB of full scale, at least -90."""
    size = round(block_s * SAMPLE_RATE_HZ)
    blocks = samples[: len(samples) // size * size].reshape(-1, size)
    return np.float32(10) * np.log10(np.square(blocks).mean(1) + np.float32(1e-9))


def spans_of(is_on: np.ndarray, step_s: float, join_s: float = 0.3) -> list[tuple[float, float]]:
    """Stretches where a bool [N] is true, in seconds; gaps up to `join_s` are closed."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_on.astype(np.int8), [0]]))) * step_s
    spans: list[tuple[float, float]] = []
    for start, stop in edges.reshape(-1, 2).tolist():
        if spans and start - spans[-1][1] <= join_s:
            start = spans.pop()[0]
        spans.append((start, stop))
    return spans


def _timed(ids: Iterable[int], start_s: float) -> list[Timed]:
    return [(int(i), start_s + slot * SLOT_S) for slot, i in enumerate(ids) if i != PAD]


def _printable(piece: str) -> str:
    """An untrained model emits halves of letters and control characters, too."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in piece
    )


def _int16(samples: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
