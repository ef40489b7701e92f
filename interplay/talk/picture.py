"""The liveliest seconds of a conversation as one SVG file, light and dark by itself.

Made for README.md: no script, no link, no font from elsewhere. Knows nothing of how the
conversation came about.
"""

from collections.abc import Iterable
from html import escape

import numpy as np

from interplay.talk import lanes
from interplay.talk.conversation import Conversation
from interplay.talk.lanes import Label, Window

ROW_S = 12.0
WIDTH = 1000
GUTTER = 84
HEAD = 44
ROW_GAP = 14
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif"
LIGHT = {
    **{"bg": "#ffffff", "ink": "#1d2733", "muted": "#76828f", "grid": "#e9edf1"},
    **{"user": "#2f6fde", "model": "#d9662b", "both": "#e0458b22", "both-edge": "#e0458b66"},
    **{"act": "#dff3e4", "act-ink": "#1c6b3a", "wait": "#efe6fb", "wait-ink": "#6a3fb0"},
    **{"read": "#fdf0cf", "read-ink": "#85600b", "tick": "#9fb3c8", "late": "#d8264c"},
}
DARK = {
    **{"bg": "#0f1419", "ink": "#e4e9ee", "muted": "#8b98a5", "grid": "#222b34"},
    **{"user": "#6fa3ff", "model": "#ff9a5c", "both": "#ff6fae2b", "both-edge": "#ff6fae77"},
    **{"act": "#173524", "act-ink": "#8fe0ac", "wait": "#2b2144", "wait-ink": "#cdb2ff"},
    **{"read": "#3a3014", "read-ink": "#f3d27a", "tick": "#4a5d70", "late": "#ff5c7c"},
}
_CSS = """
text{font-family:FONT;fill:var(--ink);font-size:13px}
.grid{stroke:var(--grid)}.base{stroke:var(--grid)}
.time{fill:var(--muted);font-size:11px}
.wave.user{fill:var(--user)}.wave.model{fill:var(--model)}
.word.heard{fill:var(--user)}.word.said{fill:var(--model)}
.word{font-weight:600}
.tick{stroke-width:1;opacity:.35}
.tick.heard{stroke:var(--user)}.tick.said{stroke:var(--model)}
.overlap{fill:var(--both);stroke:var(--both-edge)}
.bar text{font-size:11.5px}
.bar rect{fill:var(--act)}.bar text{fill:var(--act-ink)}
.bar.delegate rect{fill:var(--wait)}.bar.delegate text{fill:var(--wait-ink)}
.bar.text rect,.bar.result rect{fill:var(--read)}
.bar.text text,.bar.result text{fill:var(--read-ink)}
.mark{font-size:11px;fill:var(--act-ink)}.mark.cancel{fill:var(--late)}
.deadline{stroke:var(--muted);stroke-dasharray:4 4;opacity:.7}
.tick-ok{fill:var(--tick)}.tick-late{fill:var(--late)}
.lane-name{font-weight:600}.lane-note{fill:var(--muted);font-size:11px}
"""
LANE_CSS = _CSS.replace("FONT", FONT)


def variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def lane_labels(x: float, labels: Iterable[Label] = lanes.LABELS) -> str:
    """Names of lanes, right-aligned at `x`, as SVG elements."""
    return "\n".join(
        f'<text class="lane-name" text-anchor="end" x="{x}" y="{y - 1:.1f}">{name}</text>'
        f'<text class="lane-note" text-anchor="end" x="{x}" y="{y + 12:.1f}">{note}</text>'
        for name, note, y in labels
    )


def liveliest(talk: Conversation) -> tuple[float, ...]:
    """Whole seconds at which two excerpts begin: the one with most talk and both speaking, the
    one with most calls and arrivals. In order of time; they share nothing if there is room."""
    words = [(word.time_s, 1) for word in [*talk.heard.words, *talk.said.words]]
    both = [(start_s, 5) for start_s, _ in lanes.overlap_spans(talk)]
    calls = [(e.time_s, 10) for e in talk.act.events if e.kind != "count"]
    calls += [(e.time_s, 10) for e in talk.read.events]
    acting = _best(calls + words, talk.length_s, ())
    return tuple(sorted((acting, _best(both * 2 + words, talk.length_s, (acting,)))))


def _best(points: list[tuple[float, int]], length_s: float, taken: tuple[float, ...]) -> float:
    starts = [float(start) for start in range(max(1, int(length_s - ROW_S) + 1))]
    free = [s for s in starts if all(abs(s - other) >= ROW_S for other in taken)]
    worth = [_worth(points, start) for start in free or starts]
    return (free or starts)[int(np.argmax(worth))]


def _worth(points: list[tuple[float, int]], start_s: float) -> int:
    """What happens in a row; it is worth less where something is cut off at an edge."""
    end_s = start_s + ROW_S
    cut = [t for t, _ in points for edge_s in (start_s, end_s) if abs(t - edge_s) < 0.9]
    return sum(w for t, w in points if start_s <= t < end_s) - 4 * len(cut)


def session_svg(talk: Conversation) -> str:
    """Two rows of 12 s each: where most happens."""
    px_per_s = (WIDTH - GUTTER - 12) / ROW_S
    starts = liveliest(talk)
    height = HEAD + len(starts) * (lanes.HEIGHT + ROW_GAP)
    rows = []
    for row, begin in enumerate(starts):
        window = Window(start_s=begin, end_s=begin + ROW_S, px_per_s=px_per_s)
        y = HEAD + row * (lanes.HEIGHT + ROW_GAP)
        rows.append(
            f'<g transform="translate(0 {y})">{lane_labels(GUTTER - 12)}'
            f'<svg x="{GUTTER}" y="0" width="{window.width}" height="{lanes.HEIGHT}">'
            f"{lanes.draw(talk, window)}</svg></g>"
        )
    style = (
        f"svg{{{variables(LIGHT)}}}"
        f"@media (prefers-color-scheme:dark){{svg{{{variables(DARK)}}}}}{LANE_CSS}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(_caption(talk))}">'
        f"<style>{style}</style>"
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="var(--bg)"/>'
        f'<text x="{GUTTER}" y="27" style="font-weight:600">{escape(_caption(talk))}</text>'
        f"{''.join(rows)}</svg>\n"
    )


def _caption(talk: Conversation) -> str:
    return (
        f"Two excerpts of {talk.length_s:.0f} s with {talk.title} · {talk.deadlines()} · compute "
        f"per 200 ms: median {talk.percentile_ms(50):.0f} ms, p99 {talk.percentile_ms(99):.0f} ms"
    )
