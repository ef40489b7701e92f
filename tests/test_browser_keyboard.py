"""The page without eyes or mouse, in a real browser: tab order, focus, names, what is read out."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browser_helpers import browser, microphone_file, open_page, start, wait_for, wait_live
from scripted_engine import ScriptedEngine

from tests.server_helpers import server

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}}
# Where the focus is: its name, how it is marked, and whether something lies on it.
FOCUSED = """() => {
  const element = document.activeElement;
  if (element === document.body) return null;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const { left, right, top, bottom } = element.getBoundingClientRect();
  const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  return {
    name: element.id || element.textContent || element.ariaLabel,
    isMarked: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
    isFree: element.contains(hit),
  };
}"""
ENABLED = """() => [...document.querySelectorAll("a, button, input, [tabindex]")]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled)
  .map((element) => element.id || element.textContent || element.ariaLabel)"""
NAMELESS = re.compile(r"^\s*- (button|textbox|checkbox|link|img|region|form)(?! \")", re.M)


@pytest.fixture(scope="module")
def chrome(tmp_path_factory) -> Iterator[Any]:
    with browser(microphone_file(tmp_path_factory.mktemp("mic") / "mic.wav", 2.0)) as running:
        yield running


def walk(page) -> list[str]:
    """The names of what the tab key reaches, from the top of the page to its end; each is marked
    and in sight when it has the focus."""
    page.focus(".skip")
    for keys in ("Tab", "Shift+Tab"):  # what a key has brought here is marked
        page.keyboard.press(keys)
    names = []
    while (focused := page.evaluate(FOCUSED)) and focused["name"] not in names:
        assert focused["isMarked"] and focused["isFree"], focused
        names.append(focused["name"])
        page.keyboard.press("Tab")
    return names


@pytest.mark.parametrize("window", [{}, PHONE], ids=["desktop", "phone"])
def test_the_tab_key_reaches_every_control_in_order_and_shows_where_it_is(chrome, window):
    engine = ScriptedEngine(has_eyes=True)
    with (
        server(1, engine=engine) as serving,
        open_page(chrome, serving.port, **window) as (page, _, errors),
    ):
        assert walk(page) == page.evaluate(ENABLED)
        start(page)
        assert page.evaluate(FOCUSED)["name"] == "mute", "the button that had the focus is gone"
        engine.write(act="<delegate> the news <end>", heard="hello")
        page.wait_for_selector("#work form")
        reached = walk(page)
        assert reached == page.evaluate(ENABLED)
        controls = ["timeline", "transcript", "Your answer", "Answer"]
        assert reached[1:] == [*controls, "mute", "camera", "text", "send", "end"]
        page.focus("#end")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=The session has ended.")
        assert page.evaluate(FOCUSED) == {"name": "start", "isMarked": True, "isFree": True}
    assert not errors


def test_a_conversation_needs_no_mouse(chrome):
    with server(1, engine=ScriptedEngine()) as serving, open_page(chrome, serving.port) as opened:
        page, wire, errors = opened
        page.focus("#start")
        page.keyboard.press("Enter")
        wait_live(page)
        page.keyboard.press("Space")  # the focus is on mute
        assert page.get_attribute("#mute", "aria-pressed") == "true"
        page.keyboard.press("Space")
        assert page.get_attribute("#mute", "aria-pressed") == "false"
        page.focus(".skip")
        page.keyboard.press("Enter")
        wait_for(page, lambda: page.evaluate(FOCUSED)["name"] == "text", "the text box")
        page.keyboard.type("hello there")
        page.keyboard.press("Enter")
        page.wait_for_selector("#transcript li.typed:has-text('hello there')")
        page.focus("#end")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=The session has ended.")
        page.keyboard.press("Enter")  # the focus is on the button that starts again
        wait_live(page)
        kinds = [control["type"] for control in wire.controls]
        assert kinds == ["start", "mute", "mute", "text", "close", "start"]
    assert not errors


def test_everything_has_a_name_and_what_is_said_is_read_aloud_line_by_line(chrome):
    engine = ScriptedEngine(has_eyes=True)
    with server(1, engine=engine) as serving, open_page(chrome, serving.port) as (page, _, errors):
        before = page.locator("body").aria_snapshot()
        assert not NAMELESS.search(before) and '- button "Start talking"' in before
        start(page)
        log = page.get_by_role("log", name="Transcript, line by line")
        assert log.get_attribute("aria-live") == "polite" and log.inner_text() == ""
        engine.write(heard="is it raining")
        engine.write(say="not at the moment", act="<delegate> the news <end>")
        page.wait_for_selector("#transcript li.model p")
        wait_for(page, lambda: log.locator("p").count() == 2, "both lines to be over")
        assert log.locator("p").all_inner_texts() == [
            "You: is it raining",
            "Model: not at the moment",
        ]
        assert page.locator("#transcript").evaluate("(e) => e.closest('[aria-live]')") is None
        seen = page.locator("body").aria_snapshot()
        assert not NAMELESS.search(seen), seen
        for line in (
            '- button "Mute"',
            '- button "Camera"',
            '- button "End"',
            '- button "Answer"',
            '- textbox "Your answer"',
            '- textbox "Text for the model to read"',
        ):
            assert line in seen
        page.click("#mute")
        assert '- button "Muted" [pressed]' in page.locator("#composer").aria_snapshot()
        status = page.get_by_role("status")
        assert status.inner_text() == "Live"
        page.evaluate("socket.close(3000)")
        wait_for(page, lambda: status.inner_text() == "Reconnecting", "the state to be told")
        wait_live(page)
    assert not errors
