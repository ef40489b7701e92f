"""How the page looks in a real browser: contrast in light and dark, on a phone, in the low window
of a laptop.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from browser_helpers import browser, end, microphone_file, open_page, start, wait_for
from scripted_engine import ScriptedBackground, ScriptedEngine

from interplay.background.contract import Result
from tests.server_helpers import KEY, server

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
AA = 4.5  # contrast of text that WCAG 2.2 asks for, 1.4.3
LEAST_PX = 40  # of what a finger should hit
# Every text that can be read: [text, colour, backgrounds from the inside out].
TEXTS = """() => {
  const numbers = (css) => css.match(/[\\d.]+/g).map(Number);
  const grounds = (element) => {
    const found = [];
    for (let e = element; e; e = e.parentElement) {
      found.push(numbers(getComputedStyle(e).backgroundColor));
    }
    return found;
  };
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const [element, text] = [walker.currentNode.parentElement, walker.currentNode.data.trim()];
    if (!text || !element.checkVisibility() || element.closest(":disabled, noscript")) continue;
    texts.push([text, numbers(getComputedStyle(element).color), grounds(element)]);
  }
  for (const field of document.querySelectorAll("input:enabled[placeholder]")) {
    const { color } = getComputedStyle(field, "::placeholder");
    texts.push([field.placeholder, numbers(color), grounds(field)]);
  }
  return texts;
}"""
# Colours by which the timeline writes, each on what it writes on.
DRAWN = [("user", "bg"), ("model", "bg"), ("muted", "bg"), ("act-ink", "act"), ("wait-ink", "wait")]
COLOURS = """(names) => names.map((name) => {
  const css = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
  return css.match(/[0-9a-f]{2}/gi).slice(0, 3).map((digits) => parseInt(digits, 16));
})"""
# What can be used: its name, its size, and whether something lies on it once it is scrolled to.
CONTROLS = """() => [...document.querySelectorAll("button, input, #timeline, #transcript")]
  .filter((element) => element.checkVisibility() && !element.disabled)
  .map((element) => {
    const target = element.type === "checkbox" ? element.closest("label") : element;
    target.scrollIntoView({ block: "nearest" });
    const { left, right, top, bottom, width, height } = target.getBoundingClientRect();
    const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    return {
      name: element.id || element.textContent || element.ariaLabel,
      size: Math.min(width, height),
      isInside: left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight,
      isFree: target.contains(hit),
    };
  })"""
ABOVE = """([upper, lower]) => {
  const [a, b] = [upper, lower].map((id) => document.querySelector(id).getBoundingClientRect());
  return a.bottom <= b.top;
}"""
INSIDE = """([inner, outer]) => {
  const [a, b] = [inner, outer].map((id) => document.querySelector(id).getBoundingClientRect());
  return a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
}"""


@pytest.fixture(scope="module")
def chrome(tmp_path_factory) -> Iterator[Any]:
    with browser(microphone_file(tmp_path_factory.mktemp("mic") / "mic.wav", 2.0)) as running:
        yield running


@contextmanager
def talk(chrome, *, name: str = "scripted", keys=(), helps=True, record_root=None, **context):
    """A page with everything on it; yields it and what it complained about."""
    engine, helper = ScriptedEngine(name=name), ScriptedBackground()
    with (
        server(
            1,
            engine=engine,
            delegations=(lambda: helper) if helps else None,
            keys=keys,
            record_root=record_root,
        ) as serving,
        open_page(chrome, serving.port, reduced_motion="reduce", **context) as (page, _, errors),
    ):
        yield page, errors, engine, helper


def fill(page, engine: ScriptedEngine, helper: ScriptedBackground) -> None:
    """Transcript, panels, a message, and both switches that can be on."""
    engine.write(heard="what is the weather in paris", act="<timer> <t30> tea <end>")
    engine.write(act="<delegate> the weather in paris <end>")
    engine.write(act="<delegate> a table for two <end>")
    engine.write(act=f"<delegate> {'long' * 20} <end> <clock>")
    engine.write(act="<every> <t20> stand up <end> <note> timer <t30> tea <end> <due>")
    engine.speak(0.8, "sure i am looking that up <stop>")
    page.fill("#text", "and milk")
    page.press("#text", "Enter")
    page.click("#mute")
    page.wait_for_selector("#note:has-text('tea')")
    helper.bring(Result(delegation_id=1, content="light rain"))
    helper.bring(Result(delegation_id=2, content="nobody answers", status="failed"))
    page.wait_for_selector("#transcript li.model")


def luminance(rgb: np.ndarray) -> float:
    """Relative luminance, WCAG 2.2; rgb: 0 to 255."""
    part = np.asarray(rgb)[:3] / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """1 to 21, WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ground(layers: list[list[float]]) -> np.ndarray:
    """What is seen through backgrounds, given from the inside out; the outermost is opaque."""
    colour = np.full(3, np.nan)
    for *rgb, alpha in reversed([[*layer, 1.0][:4] for layer in layers]):
        colour = (
            np.array(rgb) if alpha == 1 else np.where(alpha, _mixed(rgb, colour, alpha), colour)
        )
    return colour


def _mixed(over: list[float], under: np.ndarray, alpha: float) -> np.ndarray:
    return alpha * np.array(over) + (1 - alpha) * under


def pale(page) -> list[tuple[str, float]]:
    """Texts that are hard to read."""
    texts = page.evaluate(TEXTS)
    assert len(texts) > 15, "there is something to read"
    found = [(text, contrast(np.array(ink), ground(layers))) for text, ink, layers in texts]
    return [(text, round(ratio, 2)) for text, ratio in found if not ratio >= AA]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_light_and_dark(chrome, scheme, tmp_path):
    with talk(chrome, color_scheme=scheme, record_root=tmp_path) as (page, errors, engine, helper):
        page.wait_for_selector("#keep")
        assert pale(page) == [], "before the session"
        start(page)
        assert pale(page) == [], "with empty panels"
        fill(page, engine, helper)
        page.wait_for_selector("#work li[data-state=failed]")
        assert pale(page) == [], "with full ones"
        body = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shade = luminance(np.array([int(part) for part in body[4:-1].split(",")]))
        assert shade > 0.8 if scheme == "light" else shade < 0.02
        inks, papers = (page.evaluate(COLOURS, list(names)) for names in zip(*DRAWN, strict=True))
        ratios = [contrast(ink, paper) for ink, paper in zip(inks, papers, strict=True)]
        assert min(ratios) >= AA, "what the timeline writes"
        end(page)
        assert pale(page) == [], "after it"
    assert not errors


def test_contrast_is_measured_as_the_standard_says():
    black, white, grey = np.zeros(3), np.full(3, 255.0), np.full(3, 119.0)
    assert contrast(black, white) == pytest.approx(21)
    assert contrast(grey, white) == pytest.approx(4.48, abs=0.01)
    half = ground([[0, 0, 0, 0], [0, 0, 0, 0.5], [255, 255, 255]])
    assert half.tolist() == [127.5] * 3


def test_on_a_phone_everything_is_in_reach_and_nothing_goes_sideways(chrome):
    with talk(chrome, name="a-model-with-a-long-name" * 3, helps=False, **PHONE) as opened:
        page, errors, engine, helper = opened

        def check(names: set[str]) -> None:
            for width in (320, 390):
                page.set_viewport_size({"width": width, "height": 844})
                controls = page.evaluate(CONTROLS)
                assert names <= {control["name"] for control in controls}
                bad = [c for c in controls if not (c["isInside"] and c["isFree"])]
                assert not bad and min(c["size"] for c in controls) >= LEAST_PX, controls
                sizes = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
                assert sizes == [width, width]

        check({"start"})
        assert page.is_hidden("#composer") and page.is_hidden("#numbers")
        start(page)
        fill(page, engine, helper)
        check({"timeline", "transcript", "mute", "text", "send", "end", "Answer"})
        page.evaluate("scrollTo(0, 0)")
        assert page.evaluate(ABOVE, ["#transcript", "#composer"]), "the newest words are in sight"
        assert page.is_visible("#lanes .user") and page.is_visible("#lanes .model")
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        assert page.evaluate(ABOVE, ["#numbers", "#composer"]), "at the end of the page"
        end(page)
        check({"start"})
    assert not errors


def test_on_a_phone_a_key_can_be_typed(chrome):
    with talk(chrome, keys=(KEY,), **PHONE) as (page, _, _, _):
        page.click("#start")
        page.wait_for_selector("#key[open]")
        sizes = page.locator("#key :is(input, button)").evaluate_all(
            "(all) => all.map((e) => e.getBoundingClientRect().height)"
        )
        assert len(sizes) == 3 and min(sizes) >= LEAST_PX
        assert page.evaluate(INSIDE, ["#key-form", "html"])
        page.click("#key-cancel")
        wait_for(page, lambda: page.inner_text("#state") == "Not connected", "the start again")


def test_in_the_low_window_of_a_laptop_nothing_lies_on_anything_else(chrome):
    with talk(chrome, viewport={"width": 1366, "height": 600}) as (page, errors, engine, helper):
        assert all(page.evaluate(INSIDE, [part, "#talk"]) for part in ("#lead", "#start"))
        assert page.evaluate(INSIDE, ["#welcome p:last-child", "#talk"])
        start(page)
        fill(page, engine, helper)
        assert page.evaluate("document.querySelector('#transcript').clientHeight") > 100
        assert page.evaluate(INSIDE, ["#stage", "main"])
        bad = [c for c in page.evaluate(CONTROLS) if not (c["isInside"] and c["isFree"])]
        assert not bad
    assert not errors
