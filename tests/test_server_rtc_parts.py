"""The parts of WebRTC that need no peer: the books of the sound that is sent, and offers that are
broken in every way.
"""

import asyncio
import functools
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.clock import FakeClock
from interplay.errors import RequestError
from interplay.media.audio import resample
from interplay.server.auth import Visitor
from interplay.server.live_wire import SessionConfig
from interplay.server.pcm import to_pcm
from interplay.server.rtc_call import Call
from interplay.server.rtc_input import Ears, Eyes
from interplay.server.rtc_live import LiveCall
from interplay.server.rtc_offer import MAX_SDP_BYTES, Offer, read_offer
from interplay.server.rtc_speech import (
    FRAME_SAMPLES,
    KEPT_FRAMES,
    LEAD_FRAMES,
    MAX_WAITING_SAMPLES,
    SpeechQueue,
    SpeechTrack,
)
from interplay.turns.tokens import STOP
from tests.rtc_helpers import Client
from tests.server_helpers import advanced, beat, make_hub, refused

FRAMES_PER_TURN = 10


class Film(MediaStreamTrack):
    """A track of a few frames."""

    kind = "video"

    def __init__(self, frames: tuple[VideoFrame, ...]) -> None:
        super().__init__()
        self._frames = [*frames]

    async def recv(self) -> VideoFrame:
        if not self._frames:
            raise MediaStreamError
        return self._frames.pop(0)


class Threads(ThreadPoolExecutor):
    """One thread. num_open: pieces of work that are not done. names: who did some."""

    def __init__(self) -> None:
        super().__init__(1, "pictures")
        self.num_open, self.names = 0, set[str]()

    def submit(self, fn, /, *args, **kwargs):
        def work():
            self.names.add(threading.current_thread().name)
            return fn(*args, **kwargs)

        def close(_done) -> None:
            self.num_open -= 1

        self.num_open += 1
        future = super().submit(work)
        future.add_done_callback(close)
        return future


def tone(num_turns: int, rate_hz: int = 16_000) -> np.ndarray:
    times = np.arange(num_turns * rate_hz // 5) / rate_hz
    return (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)


def turns_of(samples: np.ndarray, rate_hz: int = 16_000) -> list[bytes]:
    return [to_pcm(turn) for turn in samples.reshape(-1, rate_hz // 5)]


def playing(rate_hz: int = 16_000) -> SpeechQueue:
    queue = SpeechQueue(rate_hz)
    queue.begin()
    return queue


def pop(queue: SpeechQueue, count: int) -> np.ndarray:
    return np.concatenate([queue.pop() for _ in range(count)])


@pytest.mark.parametrize("rate_hz", [16_000, 24_000])
def test_sound_that_is_sent_in_time_is_one_signal(rate_hz):
    sound, queue, frames = tone(10, rate_hz), playing(rate_hz), []
    for turn in turns_of(sound, rate_hz):
        assert queue.push(turn)
        frames.append(pop(queue, FRAMES_PER_TURN))
    sent = np.concatenate(frames)[LEAD_FRAMES * FRAME_SAMPLES :] / 32768
    whole = resample(sound, rate_hz, 48_000)[: len(sent)]
    assert np.abs(sent - whole).max() < 0.02
    assert queue.sent_ms == 2000 - 20 * LEAD_FRAMES and queue.pushed_ms == 2000


def test_nothing_is_kept_for_a_peer_that_does_not_listen_yet():
    queue = SpeechQueue(16_000)
    (first, second) = turns_of(tone(2))
    assert not queue.push(first)
    assert queue.sent_ms == queue.pushed_ms == 200
    assert not queue.pop().any()
    queue.begin()
    assert queue.push(second)
    assert not pop(queue, LEAD_FRAMES).any() and pop(queue, 4).any()
    assert queue.sent_ms == 200 + 4 * 20


def test_late_sound_is_thrown_away_when_the_model_is_quiet():
    queue, silence = playing(), bytes(6400)
    for turn in turns_of(tone(3)):  # three at once, after the engine was held up
        queue.push(turn)
    pop(queue, LEAD_FRAMES + 2)
    queue.push(silence)
    loud = np.abs(pop(queue, FRAMES_PER_TURN)).reshape(-1, FRAME_SAMPLES).max(axis=1) > 4000
    most = KEPT_FRAMES[0] + 2  # what a late turn adds, and what the resampler had held back
    assert loud[0] and loud.sum() <= most + 1 and not loud[most + 1 :].any()
    assert queue.sent_ms > 2 * 200, "what was thrown away is behind us"


def test_a_flush_says_what_was_sent_and_the_next_sound_is_new():
    queue = playing()
    queue.push(turns_of(tone(1))[0])
    pop(queue, LEAD_FRAMES + 5)
    assert (queue.flush(), queue.sent_ms, queue.pushed_ms) == (100, 200, 200)
    assert not pop(queue, 20).any(), "neither what waited nor what the resampler held back"
    queue.push(bytes(6400))
    assert not pop(queue, FRAMES_PER_TURN).any()


def test_a_peer_that_is_not_served_for_long_hears_the_newest_second():
    queue = playing()
    for turn in turns_of(tone(20)):
        queue.push(turn)
    assert queue.pushed_ms == 4000
    assert queue.sent_ms * 48 >= 4000 * 48 - MAX_WAITING_SAMPLES - 48 * 40


def test_late_turns_make_more_sound_wait_and_good_times_less():
    queue, silence = playing(), bytes(6400)
    for _ in range(20):
        queue.push(silence)
        pop(queue, 2 * FRAMES_PER_TURN)  # every second turn is missing
    assert queue._num_kept_frames == KEPT_FRAMES[1]
    for _ in range(8 * 50 + 1):
        queue.push(silence)
        pop(queue, FRAMES_PER_TURN)
    assert queue._num_kept_frames == KEPT_FRAMES[0]


def test_frames_of_the_track_count_on_without_sound():
    async def three() -> list[tuple[int | None, int]]:
        track = SpeechTrack(SpeechQueue(16_000))
        return [(frame.pts, frame.sample_rate) for frame in [await track.recv() for _ in range(3)]]

    assert asyncio.run(three()) == [(0, 48_000), (960, 48_000), (1920, 48_000)]


def test_what_was_sent_is_the_models_past():
    hub = make_hub()
    heard: list[int | None] = []

    async def talk() -> None:
        call = Call(hub, "127.0.0.1", 16_000)
        config = msgspec.convert({"model": "any"}, SessionConfig)
        adapter = LiveCall(hub, Visitor(), config).start(call)
        call._adapter = adapter
        session = adapter.session
        assert session is not None
        beat(hub)
        heard.append(session.seat.collect().half.num_played)  # nobody listened
        call._queue.begin()
        beat(hub)
        pop(call._queue, LEAD_FRAMES + 5)
        heard.append(session.seat.collect().half.num_played)  # it will all be played
        call.flush()
        heard.append(session.seat.collect().half.num_played)  # no more than 100 ms of it
        session.advance(advanced(session, say=(STOP,)), 1.0)
        assert call._queue.sent_ms == 400, "and after a yield only what came with it"
        await call.close()

    asyncio.run(talk())
    assert heard == [0, None, 1600]


def test_sound_of_a_track_is_mono_and_too_much_of_it_is_dropped():
    heard, refusals = [], []

    def hear(pcm: bytes) -> None:
        heard.append(pcm)
        if len(heard) == 3:
            raise RequestError("input_backpressure", "too much")

    ears = Ears(16_000, hear, refusals.append)
    both = np.full((1, 1920), 8000, np.int16)
    both[0, 1::2] = -4000
    for _ in range(20):
        frame = AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        ears.hear(frame)
    sound = np.frombuffer(b"".join(heard), np.int16)
    assert 0.3 * 16_000 < len(sound) <= 0.4 * 16_000
    assert abs(int(np.median(sound)) - 2000) <= 1
    assert [error.code for error in refusals] == ["input_backpressure"]


def test_only_the_newest_picture_is_seen_and_a_huge_one_is_refused():
    seen, refusals, clock = [], [], FakeClock()
    threads = Threads()
    eyes = Eyes(seen.append, refusals.append, clock, threads)

    async def show(*frames: VideoFrame) -> None:
        await eyes.watch(Film(frames))
        for _ in range(2):
            eyes.look()
            while eyes._is_time.is_set() or threads.num_open:
                await asyncio.sleep(0.001)

    async def film() -> None:
        sight = asyncio.create_task(eyes.see())
        await show(dark, light)
        await show(dark)
        for seconds in (0, 1, 10):
            clock.advance(seconds)
            await show(huge)
        sight.cancel()

    dark, light = (VideoFrame.from_ndarray(np.full((60, 80, 3), v, np.uint8)) for v in (9, 200))
    huge = VideoFrame(2000, 1200, "yuv420p")
    asyncio.run(film())
    assert [int(np.median(tiles[:, 1])) for tiles in seen] == [200, 9]
    assert int(np.median(seen[1][:, 0])) == 200, "a pair: the one before, and this one"
    assert threads.names == {"pictures_0"}, "never on the thread of the event loop"
    assert len(seen) == 2 and [e.code for e in refusals] == ["image_too_big"] * 2


def make_offer() -> str:
    async def offer() -> str:
        client = Client(video=True)
        try:
            return await client.offer()
        finally:
            await client.close()

    return asyncio.run(offer())


HUB = functools.cache(make_hub)
OFFER = make_offer()
LINES = OFFER.splitlines()
PLAIN = re.sub(r"^(m=\w+) \d+", r"\1 9", OFFER, flags=re.M)
DROPPED = {
    "a=mid": "a=mid",
    "a=group:BUNDLE": "BUNDLE",
    "a=ice-ufrag": "ice-ufrag",
    "a=ice-pwd": "ice-pwd",
    "a=fingerprint": "fingerprint",
    "a=setup": "a=setup",
    "a=rtcp-mux": "rtcp-mux",
    "a=sctp-port": "sctp-port",
    "m=audio": "audio",
    "m=application": "data channel",
}


def test_a_good_offer_loses_its_addresses_and_nothing_else():
    offer = read_offer(OFFER)
    assert offer.has_video and "a=candidate" in OFFER
    assert "a=candidate" not in offer.sdp and "127.0.0.1" not in offer.sdp
    assert {"a=rtcp-mux", "a=setup:actpass"} <= set(offer.sdp.splitlines())
    assert read_offer(offer.sdp).sdp == offer.sdp


@pytest.mark.parametrize("start", DROPPED)
def test_an_offer_without_a_needed_line_says_which(start):
    kept = [line for line in LINES if not line.startswith(start)]
    error = refused(read_offer, "\r\n".join(kept), "transport.sdp")
    assert (error.code, error.param) == ("invalid_sdp", "transport.sdp")
    assert DROPPED[start] in str(error) or start.startswith("m=")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=mid:1", "a=mid:0"),
        ("m=video", "m=smell"),
        ("m=application", "m=audio"),
        ("opus/48000/2", "opera/48000/2"),
        ("m=video 9", "m=video nine"),
        ("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000"),
        ("a=sctp-port:5000", "a=sctp-port:700000"),
        ("a=setup:actpass", "a=setup:never"),
        ("a=fingerprint:sha-", "a=fingerprint:md"),
        ("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1"),
        ("s=-\r\n", "s=-\r\na=ice-lite\r\n"),
        ("a=rtpmap:96 ", "a=rtpmap:300 "),
        ("a=extmap:1 ", "a=extmap:0 "),
        ("a=max-message-size:262144", "a=max-message-size:-1"),
    ],
)
def test_an_offer_with_a_wrong_value_is_refused(old, new):
    changed = PLAIN.replace(old, new)
    assert changed != PLAIN, "the line to be changed is there"
    assert refused(read_offer, changed).code == "invalid_sdp"


@pytest.mark.parametrize(
    "text",
    ["", "\0", "v=0", "m=", "m=audio", "hello\nworld", "a=" * 5000, "é" * 100, "m=audio 9 A 0"],
)
def test_what_is_no_offer_is_refused(text):
    assert refused(read_offer, text).code == "invalid_sdp"


def test_an_offer_may_not_be_long():
    error = refused(read_offer, OFFER + "a=x\r\n" * MAX_SDP_BYTES)
    assert error.code == "sdp_too_big"


@st.composite
def mangled(draw) -> str:
    """The offer with some lines lost, doubled, moved, cut, or with other letters and numbers."""
    lines = [*LINES]
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["drop", "double", "swap", "cut", "junk", "number"]))
        line = lines[place]
        if kind == "drop":
            del lines[place]
        elif kind == "double":
            lines.insert(draw(st.integers(0, len(lines))), line)
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[place], lines[other] = lines[other], line
        elif kind == "cut":
            lines[place] = line[: draw(st.integers(0, len(line)))]
        elif kind == "junk":
            lines[place] = line[:2] + draw(st.text(max_size=30))
        else:
            lines[place] = line.replace("1", str(draw(st.integers(-5, 2**40))))
    return "\r\n".join(lines)


def read(text: str) -> Offer | None:
    """None for what is refused, as documented."""
    try:
        return read_offer(text)
    except RequestError as error:
        assert error.code == "invalid_sdp" and "\n" not in str(error)
        return None


@settings(max_examples=100, deadline=None)
@given(mangled())
def test_a_mangled_offer_passes_or_is_refused_in_one_line(text):
    offer = read(text)
    if offer:
        assert read_offer(offer.sdp).has_video == offer.has_video, "what passes is understood"


@settings(max_examples=30, deadline=None)
@given(mangled())
def test_what_passes_is_answered_or_refused_without_a_trace(text):
    offer = read(text)
    if offer is None:
        return
    hub = HUB()
    troubles: list[dict] = []

    async def answer() -> str:
        asyncio.get_running_loop().set_exception_handler(lambda _, about: troubles.append(about))
        call = Call(hub, "127.0.0.1", 16_000)
        try:
            return await call.answer(offer)
        except RequestError as error:
            assert error.code == "invalid_sdp" and "\n" not in str(error)
            return ""
        finally:
            await call.close()

    text = asyncio.run(answer())
    assert not text or "m=application" in text
    assert not troubles and not hub.sessions
