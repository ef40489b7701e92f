"""The page in a real browser: speech in, transcript, the model's sound out, interruption; camera,
charts, keys, lost connections. Run with `make test-browser`.

Nothing here depends on how fast the machine is: the shipped model may miss its deadlines.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browser_helpers import (
    ChartBackground,
    browser,
    camera_file,
    end,
    microphone_file,
    open_page,
    start,
    wait_for,
    wait_live,
)
from PIL import Image

from interplay.background.charts import make_chart
from interplay.engine.engine import Engine
from interplay.engine.record import read_record
from interplay.model.checkpoint import load_checkpoint
from interplay.server.limits import Limits
from interplay.server.run import ServeConfig, Serving, running, warm_up
from tests.server_helpers import KEY, make_engine

pytestmark = pytest.mark.browser

AUDIO = Path(__file__).parent.parent / "examples" / "audio"
PATIENT = Limits(max_lag_s=60.0)
LOUD, QUIET = 0.01, 0.002  # of full scale
# A flush with sound just before it and half a second of silence right after it.
STOPPED = """([loud, quiet]) => flushes.some((time) => {
  const max = (from, to) => Math.max(
    ...heard.filter(([t]) => t > time + from && t < time + to).map(([, level]) => level));
  return max(-600, 0) > loud && max(150, 650) < quiet;
})"""


def spoken(name: str) -> np.ndarray:
    sound, rate_hz = soundfile.read(AUDIO / f"{name}.flac", dtype="float32")
    assert rate_hz == 16_000
    return sound


@contextmanager
def served(engine: Engine, delegations=None, **config) -> Iterator[Serving]:
    warm_up(engine)
    serving = Serving(
        engine, ServeConfig(port=0, **config), limits=PATIENT, delegations=delegations
    )
    with running(serving):
        yield serving


@pytest.fixture(scope="module")
def silent_microphone(tmp_path_factory) -> Path:
    return microphone_file(tmp_path_factory.mktemp("mic") / "silence.wav", 2.0)


def test_a_person_talks_is_understood_hears_the_model_and_interrupts_it(tmp_path):
    """The microphone says `count to twelve`, and while that is answered `stop`, over and over."""
    asks, stops = spoken("count_to_twelve"), spoken("human_stop")
    microphone = microphone_file(tmp_path / "mic.wav", 3.0, asks, 2.6, stops, 5.0)
    engine = Engine(load_checkpoint("xs"), num_slots=1)
    with (
        served(engine) as serving,
        browser(microphone) as chrome,
        open_page(chrome, serving.port) as (page, wire, complaints),
    ):
        start(page)
        page.wait_for_selector("#transcript li.user:has-text('count')")
        page.wait_for_selector("#transcript li.model:has-text('two')")
        heard = f"heard.some(([, level]) => level > {LOUD})"
        wait_for(page, lambda: page.evaluate(heard), "the sound of the model")
        wait_for(page, lambda: any(turn["yields"] for _, turn in wire.turns), "the model to yield")
        wait_for(
            page, lambda: page.evaluate(STOPPED, [LOUD, QUIET]), "the sound to stop at a yield"
        )
        page.wait_for_selector("#transcript li.model del", state="attached")
        flushed = [(s.played_ms, s.flushed_ms) for s in wire.sent if s.flushed_ms is not None]
        assert flushed and all(played <= received for played, received in flushed)
        acknowledged = [one.played_ms for one in wire.sent]
        assert max(acknowledged) > 1000
        wait_for(page, lambda: page.inner_text("#m-answer") != "–", "an answer to be timed")
        end(page)
    assert not complaints


def test_camera_chart_text_and_mute_reach_the_other_side(tmp_path, silent_microphone):
    spec = make_chart("bar", ["mon", "tue", "wed"], [3, 5, 4], title="Cups of tea")
    engine = make_engine(1, speaks="some", camera=True)
    with (
        served(engine, lambda: ChartBackground(spec)) as serving,
        browser(silent_microphone, camera_file(tmp_path / "clip.mjpeg")) as chrome,
        open_page(chrome, serving.port) as (page, wire, complaints),
    ):
        start(page)
        page.click("#camera")
        pictures = wait_for(page, lambda: [s.picture for s in wire.sent if s.picture], "a picture")
        seen = np.asarray(Image.open(io.BytesIO(pictures[0])).convert("RGB"), int)
        assert seen.shape == (120, 160, 3)
        red, green = seen[..., 0], seen[..., 1]
        assert (red > green + 80).mean() > 0.03, "the disc"
        assert (green > red + 60).mean() > 0.5, "the ground"
        assert page.is_visible("#sight")

        page.wait_for_selector("figure[data-drawn]")
        frame = next(f for f in page.frames if f.url.endswith("chart.html"))
        assert frame.evaluate("origin") == "null"
        assert frame.evaluate(DRAWN_PIXELS) > 100
        assert frame.evaluate("fetch('/readyz').then(() => 'loaded', () => 'refused')") == "refused"

        page.fill("#text", "hello there")
        page.press("#text", "Enter")
        page.wait_for_selector("#transcript li.typed:has-text('hello there')")
        page.click("#mute")
        assert page.get_attribute("#mute", "aria-pressed") == "true"
        sent = [control["type"] for control in wire.controls]
        assert sent == ["start", "text", "mute"]
        (session,) = serving.hub.sessions.values()
        wait_for(page, lambda: session.seat.is_muted, "the server to hear of it")
        assert not page.evaluate("violations")
    assert [text for text in complaints if "readyz" not in text and "fetch" not in text] == []


DRAWN_PIXELS = """() => {
  const canvas = document.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, i) => i % 4 === 3 && value > 0).length;
}"""


def test_a_lost_connection_is_taken_up_again_and_nothing_comes_twice(silent_microphone):
    with (
        served(make_engine(1)) as serving,
        browser(silent_microphone) as chrome,
        open_page(chrome, serving.port) as (page, wire, _),
    ):
        start(page)
        wait_for(page, lambda: len(wire.turns) > 5, "some micro-turns")
        (session,) = serving.hub.sessions.values()
        for _ in range(2):
            num_sockets = wire.num_sockets
            page.evaluate("socket.close(3000)")
            wait_for(page, lambda n=num_sockets: wire.num_sockets > n, "a new connection")
            wait_live(page)
            before = len(wire.turns)
            wait_for(page, lambda n=before: len(wire.turns) > n + 5, "more of them")
        assert [*serving.hub.sessions.values()] == [session]
        kinds = [control["type"] for control in wire.controls]
        assert kinds == ["start", *["resume", "mute"] * 2], "what is muted is told with every line"
        assert not any(c["on"] for c in wire.controls if c["type"] == "mute")
        indices = [index for index, _ in wire.turns]
        assert set(range(max(indices))) <= set(indices)
        assert wire.controls[-2]["last_turn"] >= 5


def test_who_wants_a_record_ticks_a_box_where_the_server_keeps_them(tmp_path, silent_microphone):
    with (
        served(make_engine(1), record_root=tmp_path) as serving,
        browser(silent_microphone) as chrome,
        open_page(chrome, serving.port) as (page, wire, _),
    ):
        page.check("#record")
        start(page)
        page.wait_for_selector("#state:has-text('recorded')")
        wait_for(page, lambda: len(wire.turns) > 2, "some micro-turns")
        end(page)
    (folder,) = tmp_path.iterdir()
    assert len(read_record(folder)) > 2


def test_a_key_is_asked_for_and_a_wrong_one_is_told(silent_microphone):
    with (
        served(make_engine(1), keys=(KEY,)) as serving,
        browser(silent_microphone) as chrome,
        open_page(chrome, serving.port) as (page, _, _),
    ):
        page.click("#start")
        page.wait_for_selector("#key[open]")
        page.fill("#key-field", "not the key")
        page.click("#key .primary")
        page.wait_for_selector("#key-why:has-text('does not know')")
        page.fill("#key-field", KEY)
        page.press("#key-field", "Enter")
        wait_live(page)
        end(page)
        page.click("#start")  # not asked again
        wait_live(page)
