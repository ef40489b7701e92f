"""WebRTC as a browser speaks it: a headless Chromium with a pretended microphone and camera calls
a really running server. Needs Chromium and playwright; run with -m browser.
"""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from interplay.server.limits import Limits
from interplay.server.run import Serving
from tests.server_helpers import make_engine, server, url

pytestmark = pytest.mark.browser

PATIENCE_S = 60
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]
CALL = """async (session) => {
  const peer = new RTCPeerConnection();
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  for (const track of media.getTracks()) peer.addTrack(track, media);
  peer.ontrack = (event) => {
    if (event.track.kind === "audio") {
      const player = new Audio();
      player.srcObject = event.streams[0];
      player.play();
    }
  };
  const channel = peer.createDataChannel("oai-events");
  window.call = { peer, channel, events: [] };
  channel.onmessage = (message) => window.call.events.push(JSON.parse(message.data));
  await peer.setLocalDescription();
  const sdp = peer.localDescription.sdp;
  const answer = await fetch("/v1/live/sessions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ session, transport: { type: "webrtc", sdp } }),
  });
  const made = await answer.json();
  if (answer.status !== 201) throw new Error(JSON.stringify(made));
  await peer.setRemoteDescription({ type: "answer", sdp: made.transport.sdp });
  return made.session.id;
}"""
HAS = "(kind) => window.call.events.some((event) => event.type === kind)"
ENERGY = """async () => {
  for (const report of (await window.call.peer.getStats()).values()) {
    if (report.type === "inbound-rtp" && report.kind === "audio") return report.totalAudioEnergy;
  }
  return 0;
}"""


@pytest.fixture(scope="module")
def seeing_server() -> Iterator[Serving]:
    with server(1, Limits(start_s=PATIENCE_S), engine=make_engine(1, camera=True)) as serving:
        yield serving


@pytest.fixture
def page(seeing_server) -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.fail("this test needs Chromium; on Debian: apt install chromium")
    with driver.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=FLAGS)
        window = browser.new_context(permissions=["microphone", "camera"])
        page = window.new_page()
        page.set_default_timeout(1000 * PATIENCE_S)
        page.goto(url(seeing_server, "/healthz", "http"))
        yield page
        browser.close()


def test_chromium_talks_listens_and_is_seen(seeing_server, page):
    about = {"model": "any", "interplay": {"extensions": ["video", "turns"]}}
    session_id = page.evaluate(CALL, about)
    session = seeing_server.hub.sessions[session_id]
    page.wait_for_function(HAS, arg="session.started")
    for _ in range(20 * PATIENCE_S):
        if page.evaluate(ENERGY) > 0 and session.seat._camera is not None:
            break
        page.wait_for_timeout(50)
    assert page.evaluate(ENERGY) > 0, "the model was heard"
    assert session.seat._camera is not None and session.seat._camera.max() > 100, "and it saw"
    page.evaluate('() => window.call.channel.send(JSON.stringify({ type: "session.close" }))')
    page.wait_for_function(HAS, arg="session.closed")
    assert not seeing_server.hub.sessions
    events = page.evaluate("() => window.call.events")
    assert "session.output_transcript.delta" in {event["type"] for event in events}
    assert not [event["error"] for event in events if event["type"] == "error"]
