"""A test item: what the user's side does, on cue, and what is expected of the model, as values.

Knows nothing about how items are invented, played or scored. Cues are named by their index in
`Item.cues`. Words are lower-case, without punctuation; numbers are written out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Anchor = Literal["start", "voice", "delegate", "cue_start", "cue_end"]


@dataclass(frozen=True, kw_only=True)
class When:
    """A moment: `seconds` after an anchor; before it where negative ("start" only from 0 on).

    start: the item's first sample.
    voice: the model's voice is audible, the first time after cue `cue` ended (item start if
        None). The model may never speak: then the cue never comes.
    delegate: the model closes a delegation on `act`, the first after cue `cue` began.
    cue_start, cue_end: first and last sound (or token, or picture) of cue `cue`.
    """

    seconds: float
    after: Anchor = "start"
    cue: int | None = None


@dataclass(frozen=True, kw_only=True)
class Speak:
    """The user says a text in a synthetic voice (data.speech), with one pause inside if asked.

    pause_after_word: index of the word that `pause_s` of silence follows.
    """

    text: str
    voice: str
    at: When
    gain_db: float = 0.0
    pause_after_word: int | None = None
    pause_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A human recording of one word: float32 or int16 [T], 16 kHz mono."""

    samples: np.ndarray
    word: str
    at: When
    gain_db: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Type:
    """Text that arrives on `read` as `control words <end>`, four tokens in each micro-turn.

    control: "<text>" for what the user types, "<result>" for that of a delegation, "" for what the
    model is taken to have said itself: context, to which nobody wants a reply.
    """

    text: str
    at: When
    control: Literal["<text>", "<result>", ""] = "<text>"


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise under the whole user track; RMS level relative to full scale."""

    level_db: float


@dataclass(frozen=True, kw_only=True)
class Show:
    """The user's camera films for `length_s`: five frames per second, one in each micro-turn.

    frames: called when the item is played; frame k, uint8 [H, W, 3] of any size, is the picture at
    k / 5 s and lies in the k-th micro-turn of the cue, which begins with a micro-turn. The last
    frame stays if there are too few. A callable record (data.scenes, media.video_file) can be
    stored with its item, a bare function cannot.
    """

    frames: Callable[[], Iterable[np.ndarray]]
    length_s: float
    at: When


Cue = Speak | Clip | Type | Noise | Show


@dataclass(frozen=True, kw_only=True)
class Heard:
    """`heard` carries these words; the texts of all spoken cues together, in order."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Say:
    """The reply to cue `after` has one of the texts; its voice starts `within_s` after the end."""

    text: tuple[str, ...]
    after: int
    within_s: float = 2.0


@dataclass(frozen=True, kw_only=True)
class Silence:
    """The voice stays off between two moments."""

    start: When
    end: When


@dataclass(frozen=True, kw_only=True)
class NoTakeover:
    """The voice stays off in the pause inside the `Speak` at index `cue`."""

    cue: int


@dataclass(frozen=True, kw_only=True)
class StopBy:
    """The voice, on when cue `after` begins, is off `within_s` after that onset."""

    after: int
    within_s: float = 0.6


@dataclass(frozen=True, kw_only=True)
class KeepTalking:
    """The voice, on when cue `through` begins, goes on and completes the planned text.

    text: what the model is saying meanwhile, whole; alternatives.
    """

    through: int
    text: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class At:
    """One of the texts begins to sound `due_s` (± `tol_s`) after the end of cue `after`; before it
    where negative, in the course of a `Show`, whose end is known when it begins."""

    text: tuple[str, ...]
    after: int
    due_s: float
    tol_s: float = 0.6


@dataclass(frozen=True, kw_only=True)
class AtWord(At):
    """The same, but `due_s` after the end of word number `word` of a spoken cue, while nobody else
    speaks; the ends of its words are known when the cue begins."""

    word: int


@dataclass(frozen=True, kw_only=True)
class Delegate:
    """After cue `after`, `act` carries `<delegate> ... <end>` with all these words, in order."""

    words: str
    after: int


Expect = Heard | Say | Silence | NoTakeover | StopBy | KeepTalking | At | Delegate


@dataclass(frozen=True, kw_only=True)
class Item:
    """`length_s` seconds of one session. kind: which behaviour; seed: of everything random in it.

    first_turn: where the phase clock of the session stands when the item begins. subset: the part
    of a suite it belongs to. about: what else its suite needs to score it; JSON can hold it.
    """

    kind: str
    seed: int
    length_s: float
    cues: tuple[Cue, ...]
    expect: tuple[Expect, ...]
    first_turn: int = 0
    subset: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
