"""What the tests of the page share: a Chromium with a wav file as microphone and a drawn clip as
camera, and what went over the wire and out of the loudspeaker.
"""

import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageDraw

from interplay.background.contract import Line, Result, Ui
from interplay.server import page_wire

PATIENCE_MS = 120_000  # for anything: the machine may be busy with something else
# Everything that is played is also measured, 50 times a second; and when sound was thrown away.
LISTEN = """
window.heard = [];
window.flushes = [];
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode) {
    const meter = new AnalyserNode(this.context, { fftSize: 1024 });
    const samples = new Float32Array(meter.fftSize);
    connect.call(this, meter);
    const timer = setInterval(() => {
      meter.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
      heard.push([performance.now(), Math.sqrt(power)]);
      if (this.context.state === "closed") clearInterval(timer);
    }, 20);
  }
  return connect.call(this, target, ...rest);
};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  window.socket = this;
  if (typeof data !== "string" && new Uint8Array(data.buffer)[1] === 1) {
    flushes.push(performance.now());
  }
  return send.call(this, data);
};
"""


def chromium() -> str:
    """The browser of this machine."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if found is None:
        pytest.fail("these tests need Chromium; on Debian: apt install chromium")
    return found


@dataclass
class Wire:
    """What the page and the server sent each other."""

    sent: list[page_wire.Input] = field(default_factory=list)
    controls: list[dict] = field(default_factory=list)
    turns: list[tuple[int, dict]] = field(default_factory=list)
    num_sockets: int = 0

    def watch(self, socket: Any) -> None:
        self.num_sockets += 1
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._received)

    def _sent(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.controls.append(json.loads(message))
        else:
            parsed = page_wire.parse(message)
            assert isinstance(parsed, page_wire.Input)
            self.sent.append(parsed)

    def _received(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            size = page_wire.OUTPUT.size
            _, _, _, index, num_bytes = page_wire.OUTPUT.unpack_from(message)
            self.turns.append((index, json.loads(message[size : size + num_bytes])))


@contextmanager
def browser(microphone: Path, camera: Path | None = None) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
        "--autoplay-policy=no-user-gesture-required",
    ]
    if camera:
        flags.append(f"--use-file-for-fake-video-capture={camera}")
    with sync_playwright() as driver:
        running = driver.chromium.launch(
            executable_path=chromium(), args=flags, timeout=PATIENCE_MS
        )
        try:
            yield running
        finally:
            running.close()


@contextmanager
def open_page(browser: Any, port: int, **context: Any) -> Iterator[tuple[Any, Wire, list[str]]]:
    """A page that is loaded, its wire, and what it complained about."""
    window = browser.new_context(permissions=["microphone", "camera"], **context)
    window.add_init_script(LISTEN)
    page = window.new_page()
    page.set_default_timeout(PATIENCE_MS)
    wire, complaints = Wire(), []
    page.on("websocket", wire.watch)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.goto(f"http://127.0.0.1:{port}/")
    try:
        yield page, wire, complaints
    finally:
        window.close()


def wait_for(page: Any, condition: Callable[[], Any], what: str) -> Any:
    """Lets the browser run until the condition holds."""
    for _ in range(PATIENCE_MS // 50):
        if result := condition():
            return result
        page.wait_for_timeout(50)
    seen = page.evaluate("document.body.innerText").replace("\n", " ")
    pytest.fail(f"waited {PATIENCE_MS / 1000:.0f} s for {what}; the page says: {seen[-400:]}")


def wait_live(page: Any) -> None:
    """Until the session runs."""

    # not by the driver's own `wait_for_function`: it compiles text, which the page forbids
    def is_live() -> bool:
        state = page.evaluate("document.body.dataset.state")
        assert state != "over", "the server ended the session, see its log"
        return state == "live"

    wait_for(page, is_live, "a session")


def start(page: Any) -> None:
    """Begin to talk."""
    page.click("#start")
    wait_live(page)


def end(page: Any) -> None:
    """End the session and wait until the page says so."""
    page.click("#end")
    page.wait_for_selector("text=The session has ended.")


def microphone_file(path: Path, *parts: np.ndarray | float) -> Path:
    """A wav of sounds at 16 kHz and pauses in seconds; Chromium plays it again and again."""
    rng = np.random.default_rng(0)
    pieces = [
        rng.standard_normal(round(16_000 * part)) * 3e-4 if isinstance(part, float) else part
        for part in parts
    ]
    soundfile.write(path, np.concatenate(pieces), 16_000, subtype="PCM_16")
    return path


def camera_file(path: Path, num_frames: int = 20) -> Path:
    """A red disc that moves over green, as Motion JPEG."""
    frames = []
    for step in range(num_frames):
        image = Image.new("RGB", (320, 240), (20, 120, 60))
        left = 20 + 10 * step
        ImageDraw.Draw(image).ellipse((left, 80, left + 80, 160), fill=(220, 30, 30))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=95)
        frames.append(buffer.getvalue())
    path.write_bytes(b"".join(frames))
    return path


class ChartBackground:
    """A background model that answers nothing, but shows a chart once the session runs."""

    def __init__(self, spec: dict) -> None:
        self._waiting = [Ui(id="one", kind="vega-lite", spec=spec)]

    def delegate(self, question: str, now_s: float, conversation: list[Line]) -> int:
        raise AssertionError("an untrained model was not expected to ask")

    def cancel(self, delegation_id: int, now_s: float) -> bool:
        raise AssertionError("nothing was handed over")

    def interrupt(self) -> None:
        pass

    def poll(self, now_s: float, *, user_speaks: bool, model_speaks: bool) -> list[Result]:
        shown, self._waiting = self._waiting, []
        return [Result(delegation_id=None, status=None, ui=ui) for ui in shown]

    def close(self, now_s: float) -> None:
        pass
