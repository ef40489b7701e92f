"""A conversation as lanes of an SVG picture: waveforms, words, calls and compute over time.

Draws any window of time at any scale as SVG elements; the page and the README's picture are put
together from such windows. Colours come from the CSS of whoever embeds the elements. Knows
nothing of files or pages.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

import numpy as np

from interplay.clock import TURN_MS, TURN_S
from interplay.talk.conversation import (
    SLOT_S,
    SPOKEN_DB,
    Conversation,
    Event,
    Word,
    loudness_db,
    spans_of,
)

CHAR_PX = 8.5  # width of a bold letter at 13 px
PILL_CHAR_PX = 6.4  # at 11.5 px
WORD_GAP_PX = 6.0
WORD_LEVELS = 3  # rows over which words are staggered
WORD_PX = 17
WAVE_PX = 46
PILL_PX = 20
PILL_LEVELS = 2
COMPUTE_PX = 36
WAVE_STEP_S = 0.02
WAVE_FLOOR_DB = -50.0  # nothing is drawn below
WAVE_PEAK_DB = -10.0  # fills the lane

# Tops of the lanes [px].
AXIS_Y = 14
HEARD_Y = 22
USER_Y = HEARD_Y + WORD_LEVELS * WORD_PX + 4
MODEL_Y = USER_Y + WAVE_PX + 8
SAID_Y = MODEL_Y + WAVE_PX + 4
ACT_Y = SAID_Y + WORD_LEVELS * WORD_PX + 12
MARK_Y = ACT_Y + PILL_LEVELS * PILL_PX
READ_Y = MARK_Y + 24
COMPUTE_Y = READ_Y + PILL_PX + 12
HEIGHT = COMPUTE_Y + COMPUTE_PX + 8

Label = tuple[str, str, float]  # name, what it shows, middle [px]
# The page and the picture write them beside the lanes.
LABELS: tuple[Label, ...] = (
    ("heard", "transcript", HEARD_Y + WORD_LEVELS * WORD_PX / 2),
    ("user", "sound in", USER_Y + WAVE_PX / 2),
    ("model", "sound out", MODEL_Y + WAVE_PX / 2),
    ("say", "its words", SAID_Y + WORD_LEVELS * WORD_PX / 2),
    ("act", "calls, timers", ACT_Y + 30),
    ("read", "text in", READ_Y + PILL_PX / 2),
    ("compute", "of 200 ms", COMPUTE_Y + COMPUTE_PX / 2),
)
MARKS = {"due": "●", "cancel": "✕"}


@dataclass(frozen=True, kw_only=True)
class Window:
    """Seconds [start_s, end_s) at `px_per_s`."""

    start_s: float
    end_s: float
    px_per_s: float

    @property
    def width(self) -> float:
        return self.x(self.end_s)

    def x(self, time_s: float) -> float:
        return round((time_s - self.start_s) * self.px_per_s, 1)

    def holds(self, start_s: float, end_s: float) -> bool:
        return start_s < self.end_s and end_s > self.start_s


@dataclass(frozen=True, kw_only=True)
class Bar:
    """An event as it is drawn: it lasts until what it waits for has come."""

    kind: str
    label: str
    start_s: float
    end_s: float


def draw(talk: Conversation, window: Window) -> str:
    """All lanes of a window as SVG elements, `HEIGHT` px high, from x = 0 on."""
    parts = [
        *_grid(window),
        *_overlaps(talk, window),
        *_waves(talk, window),
        *_words(talk.heard.words, window, HEARD_Y, "heard", up=True),
        *_words(talk.said.words, window, SAID_Y, "said", up=False),
        *_bars(act_bars(talk), window, ACT_Y, PILL_LEVELS),
        *_marks(talk.act.events, window),
        *_bars(read_bars(talk), window, READ_Y, 1),
        *_compute(talk, window),
    ]
    return "\n".join(parts)


def overlap_spans(talk: Conversation) -> list[tuple[float, float]]:
    """When both were speaking, in seconds."""
    tracks = talk.tracks()
    both = [loudness_db(np.ascontiguousarray(t)) > SPOKEN_DB for t in tracks.T]
    smooth = [_fill(on) for on in both]
    return [(s, e) for s, e in spans_of(smooth[0] & smooth[1], SLOT_S, join_s=0.1) if e - s >= 0.15]


def _fill(is_on: np.ndarray) -> np.ndarray:
    """Short gaps between sounds closed."""
    filled = np.zeros_like(is_on)
    for start_s, end_s in spans_of(is_on, SLOT_S):
        filled[round(start_s / SLOT_S) : round(end_s / SLOT_S)] = True
    return filled


def act_bars(talk: Conversation) -> list[Bar]:
    """Calls with words, each until it is due, cancelled or answered."""
    events = talk.act.events
    results = iter([event for event in talk.read.events if event.kind == "result"])
    bars = []
    for event in events:
        if event.kind in ("count", "due", "cancel"):
            continue
        end_s = event.end_s
        if event.kind == "delegate":
            answer = next(results, None)
            end_s = answer.time_s if answer else end_s
        elif event.kind in ("timer", "every", "clock"):
            closing = "due" if event.kind == "timer" else "cancel"
            end_s = _next(events, closing, event.end_s, end_s)
        bars.append(Bar(kind=event.kind, label=label(event), start_s=event.time_s, end_s=end_s))
    return bars


def read_bars(talk: Conversation) -> list[Bar]:
    return [
        Bar(kind=event.kind, label=label(event), start_s=event.time_s, end_s=event.end_s)
        for event in talk.read.events
        if event.kind in ("text", "result")
    ]


def label(event: Event) -> str:
    """An event in one line: `timer 3 s · birthday`."""
    length = "" if event.seconds is None else f" {event.seconds} s"
    return f"{event.kind}{length}" + (f" · {event.text}" if event.text else "")


def _next(events: Iterable[Event], kind: str, after_s: float, default_s: float) -> float:
    found = (e.time_s for e in events if e.kind == kind and e.time_s >= after_s)
    return next(found, default_s)


def _grid(window: Window) -> Iterator[str]:
    for second in range(int(np.ceil(window.start_s)), int(np.ceil(window.end_s))):
        x = window.x(second)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{AXIS_Y + 4}" y2="{HEIGHT}"/>'
        text = f"{second // 60}:{second % 60:02d}"
        yield f'<text class="time" x="{x + 3}" y="{AXIS_Y}">{text}</text>'


def _overlaps(talk: Conversation, window: Window) -> Iterator[str]:
    for start_s, end_s in overlap_spans(talk):
        if window.holds(start_s, end_s):
            x, width = window.x(start_s), (end_s - start_s) * window.px_per_s
            height = MODEL_Y + WAVE_PX - USER_Y + 4
            yield (
                f'<rect class="overlap" x="{x}" y="{USER_Y - 2}" width="{width:.1f}" '
                f'height="{height}" rx="5"><title>both speak</title></rect>'
            )


def _waves(talk: Conversation, window: Window) -> Iterator[str]:
    tracks = talk.tracks()
    for track, top, name in zip(tracks.T, (USER_Y, MODEL_Y), ("user", "model"), strict=True):
        middle = top + WAVE_PX / 2
        yield f'<line class="base" x1="0" x2="{window.width}" y1="{middle}" y2="{middle}"/>'
        outline = _outline(track, window, middle, WAVE_PX / 2, WAVE_STEP_S)
        yield f'<path class="wave {name}" d="{outline}"/>'


def overview(talk: Conversation, window: Window, height: float) -> str:
    """Only the two waveforms and where they overlap, `height` px high."""
    parts = [
        f'<rect class="overlap" x="{window.x(s)}" y="0" width="{(e - s) * window.px_per_s:.1f}" '
        f'height="{height}"/>'
        for s, e in overlap_spans(talk)
    ]
    step_s = 1.6 / window.px_per_s
    for track, share, name in zip(talk.tracks().T, (0.27, 0.73), ("user", "model"), strict=True):
        outline = _outline(track, window, height * share, height * 0.26, step_s)
        parts.append(f'<path class="wave {name}" d="{outline}"/>')
    return "".join(parts)


def _outline(
    track: np.ndarray, window: Window, middle: float, half_px: float, step_s: float
) -> str:
    """A closed outline of the loudness, mirrored; nothing is drawn where nobody speaks."""
    level = loudness_db(np.ascontiguousarray(track), step_s)
    first, last = (round(t / step_s) for t in (window.start_s, window.end_s))
    height = np.clip((level[first:last] - WAVE_FLOOR_DB) / (WAVE_PEAK_DB - WAVE_FLOOR_DB), 0, 1)
    height = height**1.8 * half_px
    path = []
    for start, stop in _nonzero_runs(height):
        x = [(first + i + 0.5) * step_s for i in range(start, stop)]
        run = list(zip(x, height[start:stop].tolist(), strict=True))
        top = [f"{window.x(t)} {middle - h:.1f}" for t, h in run]
        low = [f"{window.x(t)} {middle + h:.1f}" for t, h in run]
        path.append("M" + "L".join([*top, *reversed(low)]) + "Z")
    return "".join(path)


def _nonzero_runs(height: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], height > 0, [0]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _words(
    words: Iterable[Word], window: Window, top: float, name: str, *, up: bool
) -> Iterator[str]:
    """Each word at the time it came, on the level nearest to the sound that is free."""
    ends = [-1e9] * WORD_LEVELS
    for word in words:
        if not window.holds(word.time_s, word.time_s + SLOT_S):
            continue
        width = CHAR_PX * len(word.text)
        x = window.x(word.time_s)
        level = next((i for i, end in enumerate(ends) if end <= x), int(np.argmin(ends)))
        at = max(x, ends[level])
        if at + width > window.width:
            continue  # half a word would be cut off at the edge of the picture
        ends[level] = at + width + WORD_GAP_PX
        row = WORD_LEVELS - 1 - level if up else level
        baseline = top + row * WORD_PX + 13
        edge = USER_Y - 2 if up else SAID_Y - 2
        from_y = baseline + 3 if up else baseline - 11
        time = f'data-t="{word.time_s:.2f}"'
        yield f'<line class="tick {name}" x1="{x}" x2="{x}" y1="{from_y}" y2="{edge}"/>'
        yield (
            f'<text class="word {name}" {time} x="{at:.1f}" y="{baseline}">{escape(word.text)}'
            "</text>"
        )


def _bars(bars: Iterable[Bar], window: Window, top: float, num_levels: int) -> Iterator[str]:
    ends = [-1e9] * num_levels
    for bar in bars:
        x, right = window.x(bar.start_s), window.x(bar.end_s)
        width = max(right - x, PILL_CHAR_PX * len(bar.label) + 12)
        level = next((i for i, end in enumerate(ends) if end <= x), None)
        if not window.holds(bar.start_s, bar.end_s) or level is None:
            continue  # a third call at the same time stays in the record only
        ends[level] = x + width + 4
        x, width = max(0.0, x), min(width, x + width)
        y = top + level * PILL_PX
        yield (
            f'<g class="bar {bar.kind}"><title>{escape(bar.label)}</title>'
            f'<rect x="{x}" y="{y}" width="{width:.1f}" height="{PILL_PX - 3}" rx="8"/>'
            f'<text x="{x + 7:.1f}" y="{y + 12.5}">{escape(bar.label)}</text></g>'
        )


def _marks(events: Iterable[Event], window: Window) -> Iterator[str]:
    """Countdowns as small numbers, what is due as a dot."""
    for event in events:
        if event.kind in ("count", *MARKS) and window.holds(event.time_s, event.end_s):
            text = MARKS.get(event.kind, str(event.seconds))
            yield (
                f'<text class="mark {event.kind}" x="{window.x(event.time_s)}" y="{MARK_Y + 13}">'
                f"{text}</text>"
            )


def _compute(talk: Conversation, window: Window) -> Iterator[str]:
    """A bar per micro-turn; the dashed line is the deadline."""
    y = COMPUTE_Y
    yield f'<line class="deadline" x1="0" x2="{window.width}" y1="{y}" y2="{y}"/>'
    path = {"tick-ok": "", "tick-late": ""}
    for turn, tick in enumerate(talk.ticks):
        start_s = (turn + 1) * TURN_S
        if window.holds(start_s, start_s + TURN_S):
            high = min(1.0, tick.compute_ms / TURN_MS) * COMPUTE_PX
            width = TURN_S * window.px_per_s * 0.62
            name = "tick-late" if tick.compute_ms > TURN_MS else "tick-ok"
            x = window.x(start_s)
            path[name] += f"M{x} {y + COMPUTE_PX}v-{high:.1f}h{width:.1f}v{high:.1f}z"
    yield from (f'<path class="{name}" d="{d}"/>' for name, d in path.items() if d)
