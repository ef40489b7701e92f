"""One item of a result page: two lanes on one time axis, what was expected below, and its sound.

Knows nothing of rows; it is told in words what went wrong.
"""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

import numpy as np
import soundfile
from jaxtyping import Int16

from interplay.bench.playing.stage import is_wordless
from interplay.bench.scoring.timing import moment
from interplay.bench.traces.trace import Span, Trace, anchor_s
from interplay.clock import SAMPLE_RATE_HZ
from interplay.data.item import (
    At,
    Delegate,
    Expect,
    Heard,
    KeepTalking,
    Noise,
    NoTakeover,
    Say,
    Show,
    Silence,
    StopBy,
    Type,
)

PX_PER_S = 80.0
LEFT = 64
LINES, LINE = 3, 12  # of words, and the height of one
LANE, GAP, WORDS = 44, 10, 6 + LINES * LINE  # heights: a lane's sound, between lanes, words
LETTER = 6.2  # its width, about
BIN_S = 0.05
EXPECT_HEIGHT = 18
LOUDEST_DB, SOFTEST_DB = 0.0, -50.0


def card(trace: Trace, why: Sequence[str]) -> str:
    """The item as HTML. why: what failed, row by row."""
    item = trace.item
    kind = "" if item.subset and item.kind.endswith(item.subset) else item.kind
    name = " · ".join(part for part in (item.subset, kind, f"seed {item.seed}") if part)
    told = "; ".join(f"<b>{escape(each)}</b>" for each in why) or "nothing failed"
    return (
        f'<article class="item"><h3>{escape(name)}</h3><p class="why">{told}</p>'
        f'<div class="scroll" data-px="{PX_PER_S}" data-left="{LEFT}">{timeline(trace)}'
        f'<div class="cursor"></div></div>'
        f'<audio controls preload="metadata" src="{sound(trace)}"></audio></article>'
    )


def sound(trace: Trace) -> str:
    """Both tracks as a data URI: the user left, the system right; Opus, or FLAC without it."""
    stereo = np.stack([trace.user, trace.model], axis=1)
    buffer = io.BytesIO()
    has_opus = "OPUS" in soundfile.available_subtypes("OGG")
    form, subtype = ("OGG", "OPUS") if has_opus else ("FLAC", "PCM_16")
    soundfile.write(buffer, stereo, SAMPLE_RATE_HZ, format=form, subtype=subtype)
    kind = "audio/ogg" if has_opus else "audio/flac"
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def timeline(trace: Trace) -> str:
    """Two lanes with words, and a line for every expectation."""
    boxes = _boxes([found for e in trace.item.expect if (found := _expected(trace, e))])
    top = 18
    user_top = top + WORDS
    model_top = user_top + LANE + GAP
    below = model_top + LANE + WORDS + 4
    num_lines = max((box.line + 1 for box in boxes), default=0)
    height = below + num_lines * (EXPECT_HEIGHT + 3) + 6
    width = LEFT + trace.length_s * PX_PER_S + 30
    parts = [
        *_axis(trace.length_s, height),
        *_cues(trace, user_top),
        *_lane("user", "u", trace.user, user_top),
        *_lane("system", "m", trace.model, model_top),
        *_words([(w, s) for w, s, _ in trace.user_words], user_top - 6 - (LINES - 1) * LINE, "u"),
        *_words([(w.text, w.start_s) for w in trace.say], model_top + LANE + 12, "m"),
        *_expectations(boxes, below),
    ]
    return (
        f'<svg width="{width:.0f}" height="{height:.0f}" role="img" '
        f'aria-label="timeline of the item">{"".join(parts)}</svg>'
    )


def _x(time_s: float) -> float:
    return LEFT + time_s * PX_PER_S


def _axis(length_s: float, height: float) -> Iterator[str]:
    for second in range(int(length_s) + 1):
        x = _x(second)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="14" y2="{height - 4:.0f}"/>'
        yield f'<text class="dim" x="{x:.1f}" y="11" text-anchor="middle">{second} s</text>'


def _cues(trace: Trace, top: float) -> Iterator[str]:
    """Where the user's cues lie; those that never came are told at the side."""
    for index, (cue, span) in enumerate(zip(trace.item.cues, trace.cues, strict=True)):
        if isinstance(cue, Noise) or span is None or is_wordless(cue):
            continue
        text = getattr(cue, "text", None) or getattr(cue, "word", "") or type(cue).__name__
        yield (
            f'<rect class="us" x="{_x(span[0]):.1f}" y="{top}" rx="3" height="{LANE}" '
            f'width="{max(2.0, (span[1] - span[0]) * PX_PER_S):.1f}">'
            f"<title>cue {index}: {escape(str(text))}</title></rect>"
        )
        if isinstance(cue, Show | Type):  # what is said has its words above it
            shown = "film" if isinstance(cue, Show) else f"typed: {_short(cue.text, 80)}"
            yield f'<text class="u" x="{_x(span[0]) + 5:.1f}" y="{top + 13}">{escape(shown)}</text>'


def _lane(name: str, colour: str, track: Int16[np.ndarray, " T"], top: float) -> Iterator[str]:
    """Loudness as bars around the middle, in decibels."""
    middle = top + LANE / 2
    yield f'<text x="4" y="{middle + 4:.0f}">{name}</text>'
    end = _x(len(track) / SAMPLE_RATE_HZ)
    yield f'<line class="grid" x1="{LEFT}" x2="{end:.0f}" y1="{middle}" y2="{middle}"/>'
    size = int(BIN_S * SAMPLE_RATE_HZ)
    frames = track[: len(track) // size * size].reshape(-1, size).astype(np.float32) / 32768
    level_db = 10 * np.log10(np.square(frames).mean(1) + 1e-12)
    share = np.clip((level_db - SOFTEST_DB) / (LOUDEST_DB - SOFTEST_DB), 0, 1)
    wide = BIN_S * PX_PER_S - 1
    marks = [
        f"M{_x(i * BIN_S):.1f} {middle - h * LANE / 2:.1f}h{wide:.1f}v{h * LANE:.1f}h-{wide:.1f}z"
        for i, h in enumerate(share)
        if h > 0.02
    ]
    if marks:
        yield f'<path class="{colour}" d="{"".join(marks)}"/>'


def _words(words: Sequence[tuple[str, float]], top: float, colour: str) -> Iterator[str]:
    """On a few lines, so that neighbours do not overlap; a word that finds no room is left out.
    Words of which only one time is known stand together."""
    ends = [0.0] * LINES
    for start_s, group in groupby(words, key=lambda word: word[1]):
        x, text = _x(start_s), " ".join(word for word, _ in group)
        line = next((i for i, end in enumerate(ends) if end <= x), None)
        if line is None:
            continue
        ends[line] = x + LETTER * len(text) + 5
        y = top + LINE * line
        yield f'<text class="{colour}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


@dataclass(frozen=True, kw_only=True)
class _Box:
    """An expectation on the page; span: None where its moment never came."""

    text: str
    span: Span | None
    line: int


def _boxes(expected: Sequence[tuple[str, Span | None]]) -> list[_Box]:
    """Each on the first line on which nothing before it reaches into its place."""
    ends: list[float] = []
    boxes = []
    for text, span in expected:
        shown = text if span else f"{text} (its moment never came)"
        x, width = (LEFT, 0.0) if span is None else (_x(span[0]), (span[1] - span[0]) * PX_PER_S)
        line = next((i for i, end in enumerate(ends) if end <= x), len(ends))
        ends[line:] = [x + max(width, LETTER * len(shown) + 10), *ends[line + 1 :]]
        boxes.append(_Box(text=shown, span=span, line=line))
    return boxes


def _expectations(boxes: Sequence[_Box], top: float) -> Iterator[str]:
    for box in boxes:
        y = top + box.line * (EXPECT_HEIGHT + 3)
        if box.span is None:
            yield f'<text class="dim" x="{LEFT}" y="{y + 13:.0f}">{escape(box.text)}</text>'
            continue
        x, width = _x(box.span[0]), max(3.0, (box.span[1] - box.span[0]) * PX_PER_S)
        yield (
            f'<rect class="e" x="{x:.1f}" y="{y}" rx="3" height="{EXPECT_HEIGHT}" '
            f'width="{width:.1f}"/>'
            f'<text x="{x + 5:.1f}" y="{y + 13:.0f}">{escape(box.text)}</text>'
        )


def _expected(trace: Trace, expect: Expect) -> tuple[str, Span | None] | None:
    """What is written for an expectation, and where it lies; None if it has no place in time."""
    if isinstance(expect, Heard):
        return None
    if isinstance(expect, Silence):
        start_s, end_s = moment(trace, expect.start), moment(trace, expect.end)
        return "silence", None if start_s is None or end_s is None else (start_s, end_s)
    if isinstance(expect, NoTakeover):
        return "no takeover", trace.pauses.get(expect.cue)
    cue = trace.cues[expect.through if isinstance(expect, KeepTalking) else expect.after]
    text, offsets = _told(expect)
    if cue is None:
        return text, None
    anchor = cue[0] if isinstance(expect, StopBy) else cue[1]
    if isinstance(expect, At):
        anchor = anchor_s(expect, trace.cues, trace.user_words) or anchor
    if isinstance(expect, KeepTalking):
        return text, cue
    return text, (max(0.0, anchor + offsets[0]), anchor + offsets[1])


def _told(expect: Expect) -> tuple[str, Span]:
    """Text, and from and to when after its anchor."""
    if isinstance(expect, Say):
        return f"say “{_short(expect.text[0])}”", (0.0, expect.within_s)
    if isinstance(expect, At):
        late = (expect.due_s - expect.tol_s, expect.due_s + expect.tol_s)
        return f"at “{_short(expect.text[0])}”", late
    if isinstance(expect, StopBy):
        return "stop", (0.0, expect.within_s)
    if isinstance(expect, Delegate):
        return f"delegate “{_short(expect.words)}”", (0.0, 2.0)
    if isinstance(expect, KeepTalking):
        return "keep talking", (0.0, 0.0)
    return type(expect).__name__, (0.0, 1.0)


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
