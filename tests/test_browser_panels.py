"""The panels and meters of the page in a real browser: timers, notes, work that is handed over,
what the model sees, numbers. They fill when the server's events come, and empty again.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser_helpers import (
    browser,
    camera_file,
    end,
    microphone_file,
    open_page,
    start,
    wait_for,
)
from scripted_engine import ScriptedBackground, ScriptedEngine

from interplay.background.contract import Result
from tests.server_helpers import server

pytestmark = pytest.mark.browser

# Of a canvas: the share of the pixels that are much redder, and much greener, than the rest.
SEEN = """() => {
  const canvas = document.getElementById("sight");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let [red, green] = [0, 0];
  for (let i = 0; i < data.length; i += 4) {
    red += data[i] > data[i + 1] + 80;
    green += data[i + 1] > data[i] + 60;
  }
  return [red, green].map((count) => count / (canvas.width * canvas.height));
}"""
# How high each bar of the compute times is, and whether it has the colour of the late ones.
BARS = """() => {
  const canvas = document.getElementById("compute");
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return Array.from({ length: 60 }, (_, bar) => {
    const at = (y) => 4 * (y * width + Math.floor(((bar + 0.4) * width) / 60));
    const rows = [...Array(height).keys()].filter((y) => data[at(y) + 3] > 200);
    const [r, g, b] = data.slice(at(height - 1));
    return { num: rows.length, isLate: r > 150 && g < 120 && b < 160 };
  });
}"""
LIVE = "(element) => element.closest('[aria-live]').ariaLive"
NO_MICROPHONE = """() => {
  navigator.mediaDevices.getUserMedia = async () => {
    throw new DOMException("", "NotFoundError");
  };
}"""
# The page does nothing for so long: no sound leaves it.
HANG = """(ms) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
}"""


@pytest.fixture(scope="module")
def chrome(tmp_path_factory) -> Iterator[Any]:
    """The microphone hears a second of noise, then three of a quiet room, and so on."""
    folder = tmp_path_factory.mktemp("media")
    noise = np.random.default_rng(1).standard_normal(16_000) * 0.2
    sound = microphone_file(folder / "mic.wav", noise, 3.0)
    with browser(sound, camera_file(folder / "clip.mjpeg")) as running:
        yield running


def texts(page, selector: str) -> list[str]:
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


def number(page, name: str) -> float:
    """The first number that a meter shows; NaN while it shows none."""
    first = page.inner_text(f"#m-{name}").split()[0]
    return float("nan") if first == "–" else float(first)


def test_timers_count_ring_and_go_and_notes_are_shown(chrome):
    engine = ScriptedEngine()
    with server(1, engine=engine) as serving, open_page(chrome, serving.port) as (page, _, errors):
        start(page)
        assert page.is_visible("#mind-empty") and not texts(page, "#timers li")
        engine.write(act="<timer> <t30> tea <end> <every> <t20> stand up <end>")
        page.wait_for_selector("#timers li >> nth=1")
        assert texts(page, "#timers .what") == ["Timer · tea", "Every · stand up"]
        assert page.is_hidden("#mind-empty")
        page.wait_for_selector("#timers li:first-child .left:has-text('0:01 of 30 s')")
        bar = page.locator("#timers progress").first
        before = bar.evaluate("(bar) => bar.value")
        wait_for(page, lambda: bar.evaluate("(bar) => bar.value") > before > 0, "the bar to grow")
        engine.write(act="<t7>")  # it counts by itself: the newest one
        page.wait_for_selector("#timers li:last-child .left:has-text('7 of 20 s')")
        engine.write(act="<due>")
        page.wait_for_selector("#timers li.due .left:text-is('due')")
        assert bar.evaluate("(bar) => bar.value") == 1
        engine.write(act="<note> timer <t30> tea <end>")
        page.wait_for_selector("#note:has-text('timer 30 s tea')")
        engine.write(act="<cancel> <note> <end>")
        page.wait_for_selector("#note:has-text('nothing')")
        assert not texts(page, "#timers li")
        end(page)
        assert page.is_visible("#mind-empty") and page.is_hidden("#note")
    assert not errors


def test_work_that_is_handed_over_is_shown_until_each_piece_has_ended(chrome):
    engine, helper = ScriptedEngine(), ScriptedBackground()
    with (
        server(1, engine=engine, delegations=lambda: helper) as serving,
        open_page(chrome, serving.port) as (page, _, errors),
    ):
        start(page)
        assert page.is_visible("#work-empty")
        for question in ("the weather in paris", "a table for two", "the news"):
            engine.write(act=f"<delegate> {question} <end>")
        page.wait_for_selector("#work li >> nth=2")
        assert texts(page, "#work .what") == ["the news", "a table for two", "the weather in paris"]
        assert page.is_hidden("#work-empty") and not page.locator("#work form").count()
        status = page.locator("#work li:last-child .left")
        taken = {status.inner_text()}
        wait_for(page, lambda: taken.add(status.inner_text()) or len(taken) > 2, "the time to run")
        assert status.evaluate("(e) => e.closest('[aria-live]').ariaLive") == "off", (
            "not read aloud"
        )
        helper.bring(Result(delegation_id=1, content="light rain", status=None))
        helper.bring(Result(delegation_id=1, content="later sun"))
        helper.bring(Result(delegation_id=2, content="nobody answers", status="failed"))
        page.wait_for_selector("#work li[data-state=failed] .answer:text-is('nobody answers')")
        page.wait_for_selector("#work li[data-state=done] .answer:text-is('light rain later sun')")
        assert status.inner_text().startswith("done, ")
        assert status.evaluate(LIVE) == "polite"
        end(page)
        assert page.locator("#work li[data-state=cancelled] .what").inner_text() == "the news"
        start(page)
        assert not texts(page, "#work li") and page.is_visible("#work-empty")
    assert not errors


def test_who_sits_at_the_page_answers_where_there_is_no_background_model(chrome):
    engine = ScriptedEngine()
    with server(1, engine=engine) as serving, open_page(chrome, serving.port) as (page, wire, _):
        start(page)
        assert page.inner_text("#work-empty").startswith("No background model is connected")
        engine.write(act="<delegate> the weather in paris <end>")
        page.fill("#work form input", "light rain")
        page.press("#work form input", "Enter")
        page.wait_for_selector("#work li[data-state=done] .answer:text-is('light rain')")
        assert not page.locator("#work form").count()
        words = engine.tokenizer.encode("light rain")
        wait_for(page, lambda: str(words)[1:-1] in str(engine.read), "the model to read it")
        (sent,) = (control for control in wire.controls if control["type"] == "answer")
        assert sent["text"] == "light rain"


def test_the_picture_that_the_model_sees_is_shown_while_the_camera_is_on(chrome):
    with (
        server(1, engine=ScriptedEngine(has_eyes=True)) as serving,
        open_page(chrome, serving.port) as (page, _, errors),
    ):
        start(page)
        assert page.inner_text("#sight-empty") == "The camera is off." and page.is_hidden("#sight")
        page.click("#camera")
        page.wait_for_selector("#sight")
        wait_for(page, lambda: page.evaluate(SEEN)[0] > 0.03, "the red disc")
        assert page.evaluate(SEEN)[1] > 0.5, "the green ground"
        assert page.get_attribute("#camera", "aria-pressed") == "true"
        page.click("#camera")
        page.wait_for_selector("#sight", state="hidden")
        assert page.evaluate(SEEN) == [0, 0] and page.is_visible("#sight-empty")
        assert page.get_attribute("#camera", "aria-pressed") == "false"
    assert not errors


def test_a_model_without_eyes_and_a_page_without_microphone_are_told(chrome):
    with server(1, engine=ScriptedEngine()) as serving, open_page(chrome, serving.port) as opened:
        page, wire, _ = opened
        page.evaluate(NO_MICROPHONE)
        start(page)
        assert page.is_disabled("#camera")
        assert page.inner_text("#sight-empty") == "This model has no eyes."
        assert page.inner_text("#state") == "Live, no microphone"
        page.wait_for_selector("#alerts p:has-text('You can still type')")
        page.click("#alerts button")
        assert not texts(page, "#alerts p")
        wait_for(page, lambda: len(wire.turns) > 3, "time to go on")


def test_meters_show_answers_deadlines_and_the_state_of_the_buffer(chrome):
    engine = ScriptedEngine()
    with server(1, engine=engine) as serving, open_page(chrome, serving.port) as (page, _, errors):
        assert set(texts(page, "#numbers dd")) == {"–"}
        start(page)
        wait_for(page, lambda: number(page, "compute") < 150, "times of computing")
        before = number(page, "late")
        assert page.locator("#m-late.bad").count() == (before > 0)
        engine.compute(0.3)
        wait_for(page, lambda: number(page, "late") > before, "a deadline that is missed")
        assert page.locator("#m-late.bad").count()
        assert int(page.inner_text("#m-late").split(" of ")[1]) > number(page, "late")
        bars = page.evaluate(BARS)
        late, others = ([b["num"] for b in bars if b["isLate"] == is_late] for is_late in (1, 0))
        assert max(others) < 26 < min(late), "24 rows are 200 ms, and 2 the line of the deadline"

        gaps, dry = number(page, "gaps"), number(page, "dry")
        page.evaluate(HANG, 1200)
        wait_for(page, lambda: number(page, "gaps") > gaps, "sound that came late")
        wait_for(page, lambda: number(page, "jitter") > 100, "jitter")
        assert page.inner_text("#m-buffer").endswith("ms") and number(page, "dry") >= dry

        assert page.inner_text("#m-answer") == "–"
        loud = "parseFloat(document.getElementById('mute').style.getPropertyValue('--level')) > 0.3"
        wait_for(page, lambda: page.evaluate(loud), "the user to speak")
        wait_for(page, lambda: not page.evaluate(loud), "the user to end")
        engine.speak(0.6)
        wait_for(page, lambda: number(page, "answer") > 0, "an answer")
        assert 0.2 < number(page, "answer") < 3 and number(page, "median") == number(page, "answer")
        end(page)
        start(page)
        assert page.inner_text("#m-answer") == "–", "another session"
    assert not errors
