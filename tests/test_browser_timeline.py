"""What the timeline draws, read off its pixels in a real browser: both lanes where somebody spoke
and nowhere else, where both spoke, timers and work, in light and dark.
"""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser_helpers import browser, microphone_file, open_page, start, wait_for
from scripted_engine import ScriptedEngine

from tests.server_helpers import server

pytestmark = pytest.mark.browser

WIDTH, AHEAD, PX_PER_S = 800, 44, 64  # of the canvas, as timeline.js draws it
# Which pixels of a canvas have one of the page's colours: one bit for each, row by row.
PIXELS = """(canvas, name) => {
  const pen = document.createElement("canvas").getContext("2d");
  pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
  pen.fillRect(0, 0, 1, 1);
  const colour = pen.getImageData(0, 0, 1, 1).data;
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const bits = new Uint8Array(Math.ceil((width * height) / 8));
  for (let i = 0; i < width * height; i += 1) {
    const isNear = colour.every((value, k) => Math.abs(value - data[4 * i + k]) < 8);
    if (isNear) bits[i >> 3] |= 128 >> (i & 7);
  }
  return [width, height, btoa(Array.from(bits, (byte) => String.fromCharCode(byte)).join(""))];
}"""
# A canvas with a conversation on it that the test describes; it stays at `window.drawn`.
DRAW = """async ({ width, sounds, marks, work, words, nowMs }) => {
  const { Timeline } = await import("/web/timeline.js");
  window.drawn?.canvas.remove();
  const canvas = document.createElement("canvas");
  canvas.style.width = `${width}px`;
  document.body.append(canvas);
  const timeline = new Timeline(canvas);
  for (const [who, beginMs, endMs] of sounds) {
    for (let ms = beginMs; ms < endMs; ms += 20) timeline.level(who, ms, 20, 0.3);
  }
  timeline.words("said", words, 0);
  timeline.marks = marks;
  for (const [id, question, beginMs, endMs] of work) {
    timeline.begin({ id, question, offset_ms: beginMs });
    if (endMs) timeline.end(id, endMs);
  }
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  timeline.draw(nowMs); // it has found its size, which empties a canvas
  window.drawn = { canvas, timeline, nowMs };
}"""
WORDS = ("sure", "i", "can", "do", "it")
NOTHING = {"width": WIDTH, "sounds": [], "marks": [], "work": [], "words": [], "nowMs": 8000}


@pytest.fixture(scope="module")
def chrome(tmp_path_factory) -> Iterator[Any]:
    """The microphone hears 0.6 s of noise, then 1.9 s of a quiet room, and so on."""
    noise = np.random.default_rng(1).standard_normal(9600) * 0.2
    with browser(
        microphone_file(tmp_path_factory.mktemp("mic") / "mic.wav", noise, 1.9)
    ) as running:
        yield running


@pytest.fixture(scope="module")
def page(chrome) -> Iterator[Any]:
    """It is loaded, and has no session."""
    engine = ScriptedEngine()
    with (
        server(1, engine=engine) as serving,
        open_page(chrome, serving.port) as (opened, _, errors),
    ):
        yield opened
    assert not errors


def pixels(page, colour: str, canvas: str = "drawn.canvas") -> np.ndarray:
    """[N, 2]: x and y of every pixel of a canvas that has this colour."""
    width, height, bits = page.evaluate(f"(name) => ({PIXELS})({canvas}, name)", colour)
    mask = np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8))[: width * height]
    return np.argwhere(mask.reshape(height, width))[:, ::-1]


def runs(values: np.ndarray, gap: int = 2) -> list[tuple[int, int]]:
    """First and last of each stretch of whole numbers without a gap."""
    numbers = np.unique(values)
    pieces = np.split(numbers, np.flatnonzero(np.diff(numbers) > gap) + 1)
    return [(int(piece[0]), int(piece[-1])) for piece in pieces if len(piece)]


def place(ms: float, now_ms: float = 8000) -> float:
    """Where a time is drawn [px]."""
    return WIDTH - AHEAD + (ms - now_ms) * PX_PER_S / 1000


def near(found: list[tuple[int, int]], times_ms: list[tuple[int, int]]) -> bool:
    """Whether stretches are those of these times."""
    expected = [(place(begin), place(end) - 1) for begin, end in times_ms]
    return len(found) == len(expected) and bool(np.allclose(found, expected, atol=2))


def test_each_lane_is_filled_where_somebody_spoke_and_nowhere_else(page):
    sounds = [("user", 1000, 3000), ("model", 2500, 4000), ("model", 5000, 6000)]
    page.evaluate(DRAW, NOTHING | {"sounds": sounds})
    user, model, both = (pixels(page, name) for name in ("user", "model", "both"))
    assert near(runs(user[:, 0]), [(1000, 3000)])
    assert near(runs(model[:, 0]), [(2500, 4000), (5000, 6000)])
    assert user[:, 1].max() < model[:, 1].min(), "one below the other"
    assert np.ptp(user[:, 1]) > 40 < np.ptp(model[:, 1]), "loud speech fills a lane"
    between = both[(both[:, 1] > user[:, 1].max()) & (both[:, 1] < model[:, 1].min())]
    assert near(runs(between[:, 0]), [(2500, 3000)]), "only where both spoke"


def test_who_hardly_speaks_at_the_same_time_or_at_all_is_not_drawn_as_an_overlap(page):
    sounds = [("user", 1000, 3000), ("model", 2900, 4000)]
    page.evaluate(DRAW, NOTHING | {"sounds": sounds})
    assert len(pixels(page, "both")) == 0
    page.evaluate(DRAW, NOTHING)
    assert not any(len(pixels(page, name)) for name in ("user", "model", "both", "act", "wait"))


def test_arrow_keys_scroll_back_and_end_returns(page):
    page.evaluate(DRAW, NOTHING | {"sounds": [("user", 1000, 3000)]})

    def after(key: str) -> list[tuple[int, int]]:
        page.evaluate(
            "(key) => { const { canvas, timeline, nowMs } = drawn;"
            " canvas.dispatchEvent(new KeyboardEvent('keydown', { key })); timeline.draw(nowMs); }",
            key,
        )
        return runs(pixels(page, "user")[:, 0])

    assert near(after("ArrowLeft"), [(3000, 5000)]), "2 s back: everything is 2 s further right"
    assert near(after("ArrowRight"), [(1000, 3000)])
    assert near(after("PageUp"), []), "10 s back it had not begun"
    assert near(after("End"), [(1000, 3000)])


def test_timers_and_work_of_the_same_moment_do_not_cover_each_other(page):
    marks = [{"kind": "timer", "ms": ms, "text": f"timer 30 s · {ms}"} for ms in (2000, 2200)]
    work = [("a", "the weather in paris", 1000, 5000), ("b", "a table for two", 1500, None)]
    page.evaluate(DRAW, NOTHING | {"marks": marks, "work": work})
    act, wait = pixels(page, "act"), pixels(page, "wait")
    first, second = runs(act[act[:, 1] == act[:, 1].min()][:, 0], gap=20)
    assert first[1] < second[0], "side by side"
    rows = runs(wait[:, 1], gap=1)
    assert len(rows) == 2, "one below the other"
    spans = [wait[(wait[:, 1] >= top) & (wait[:, 1] <= foot)][:, 0] for top, foot in rows]
    assert near([(int(x.min()), int(x.max())) for x in spans], [(1000, 5000), (1500, 8000)])
    words = [[f" {word}", 1000 + 10 * k, 1300] for k, word in enumerate(WORDS)]
    page.evaluate(DRAW, NOTHING | {"words": words})
    drawn = pixels(page, "model")
    assert len(runs(drawn[:, 1], gap=3)) == 2, "words that come at once take two rows"


def test_the_page_draws_what_it_hears_and_plays_and_changes_its_colours(chrome):
    """Bursts of 0.6 s from the microphone; 1 s and 0.6 s of the model, a second apart."""
    engine = ScriptedEngine()
    with server(1, engine=engine) as serving, open_page(chrome, serving.port) as (page, _, errors):
        start(page)
        engine.rest(1.0)
        engine.speak(1.0)
        engine.rest(1.0)
        engine.speak(0.6)
        engine.rest(1.0)
        canvas = "document.getElementById('timeline')"

        def seconds(colour: str) -> list[float]:
            """Of every stretch and every pause between them, oldest first."""
            edges = np.ravel(runs(pixels(page, colour, canvas)[:, 0], gap=8))
            return np.round(np.diff(edges) / PX_PER_S, 1).tolist()

        wait_for(page, lambda: len(seconds("model")) == 3, "both bursts of the model")
        wait_for(page, lambda: len(seconds("user")) >= 5, "three bursts of the user")
        assert np.allclose(seconds("model"), [1.0, 1.0, 0.6], atol=0.2)
        bursts, pauses = seconds("user")[::2], seconds("user")[1::2]
        assert max(bursts) < 1.5 and max(pauses) > 1, "the quiet room is not drawn"
        light = page.evaluate("getComputedStyle(document.body).getPropertyValue('--model')")
        page.emulate_media(color_scheme="dark")
        dark = "getComputedStyle(document.body).getPropertyValue('--model')"
        assert page.evaluate(dark) != light
        wait_for(page, lambda: len(pixels(page, "model", canvas)) > 500, "the colours of the dark")
        assert len(pixels(page, "user", canvas)) > 500
    assert not errors
