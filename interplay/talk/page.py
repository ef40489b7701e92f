"""A conversation as one HTML file that needs nothing else: lanes, sound, transcript, numbers.

The sound is inside as FLAC while it is small enough, else the page plays the wav file beside it.
Knows nothing of how the conversation came about.
"""

import base64
import io
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from string import Template

import soundfile

from interplay.clock import SAMPLE_RATE_HZ, TURN_S
from interplay.talk import film, lanes, picture
from interplay.talk.conversation import Conversation, utterances
from interplay.talk.film import Film
from interplay.talk.lanes import Window

PX_PER_S = 92.0
MAX_SOUND_BYTES = 6_000_000
PAGE_COLOURS = {"page": "#f4f6f8"}, {"page": "#090d11"}
NAMES_PX = 96
OVERVIEW = (1000, 56)


def page_html(talk: Conversation, *, subtitle: str, sound_name: str, seen: Film = ()) -> str:
    """The whole page. sound_name: the wav file beside it, for long conversations. seen: what was
    before the user's camera."""
    labels, pictures, height = list(lanes.LABELS), "", lanes.HEIGHT
    length_s = talk.length_s + TURN_S
    drawn_s = length_s + 1.0  # room for the last word
    window = Window(start_s=0.0, end_s=drawn_s, px_per_s=PX_PER_S)
    small = Window(start_s=0.0, end_s=length_s, px_per_s=OVERVIEW[0] / length_s)
    if film.is_shown(seen):
        labels.append(("camera", "before it", height + film.LANE_PX / 2))
        pictures = "\n".join(film.lane(seen, window, height))
        height += film.LANE_PX
    light, dark = PAGE_COLOURS
    template = Template((files("interplay.talk") / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(f"A conversation with {talk.title}"),
        subtitle=escape(subtitle),
        light=picture.variables(picture.LIGHT | light),
        dark=picture.variables(picture.DARK | dark),
        lane_css=picture.LANE_CSS,
        font=picture.FONT,
        cards="".join(_cards(talk)),
        overview=lanes.overview(talk, small, OVERVIEW[1]),
        length=_clock(length_s),
        seconds=f"{length_s:.2f}",
        px_per_s=PX_PER_S,
        width=f"{window.width:.0f}",
        height=height,
        names=picture.lane_labels(NAMES_PX - 12, labels),
        names_box=f"0 0 {NAMES_PX} {height}",
        lanes=lanes.draw(talk, window) + pictures,
        transcript="".join(_transcript(talk)),
        audio=sound_source(talk, sound_name),
        footer=_footer(),
    )


def sound_source(talk: Conversation, sound_name: str) -> str:
    """What `<audio src>` plays: a data URL, or the name of the file where that grows too big."""
    buffer = io.BytesIO()
    soundfile.write(buffer, talk.tracks(), SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    if len(encoded) > MAX_SOUND_BYTES:
        return escape(sound_name)
    return f"data:audio/flac;base64,{encoded}"


def _cards(talk: Conversation) -> Iterator[str]:
    overlap_s = sum(end - start for start, end in lanes.overlap_spans(talk))
    num_calls = sum(event.kind not in ("count", "due") for event in talk.act.events)
    if talk.num_deadlines:
        met = talk.num_deadlines - talk.num_missed
        late = " late" if talk.num_missed else ""
        yield _card(f"{met} / {talk.num_deadlines}", "deadlines met", late)
    yield _card(f"{talk.percentile_ms(50):.0f} ms", "median compute")
    yield _card(f"{talk.percentile_ms(99):.0f} ms", "p99 compute")
    yield _card(str(len(talk.heard.words)), "words heard")
    yield _card(str(len(talk.said.words)), "words said")
    yield _card(f"{overlap_s:.1f} s", "both speaking")
    yield _card(str(num_calls), "calls on act")
    yield _card(_clock(talk.length_s + TURN_S), "length")


def _card(value: str, name: str, kind: str = "") -> str:
    return f'<div class="card{kind}"><b>{escape(value)}</b><span>{escape(name)}</span></div>'


def _transcript(talk: Conversation) -> Iterator[str]:
    lines = [(start, "heard", "user", text) for start, _, text in utterances(talk.heard.words)]
    lines += [(start, "said", "model", text) for start, _, text in utterances(talk.said.words)]
    lines += [
        (event.time_s, "act", "act", lanes.label(event))
        for event in talk.act.events
        if event.kind not in ("count", "note")
    ]
    lines += [(bar.start_s, "read", "read", bar.label) for bar in lanes.read_bars(talk)]
    for start_s, kind, who, text in sorted(lines):
        yield (
            f'<li class="{kind}" data-t="{start_s:.2f}"><button><time>{_clock(start_s)}</time>'
            f'<span class="who">{who}</span><span class="what">{escape(text)}</span></button></li>'
        )


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def _footer() -> str:
    return (
        "User on the left channel, model on the right. Every decision to speak, wait, stop or "
        "call was the model's own."
    )
