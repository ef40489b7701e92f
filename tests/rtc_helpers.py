"""A WebRTC client for the tests: aiortc on the other side, on loopback, in this process."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import httpx2
import numpy as np
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack, VideoStreamTrack
from av import AudioFrame, VideoFrame

from interplay.server.rtc_call import gather_on
from interplay.server.rtc_input import mono
from interplay.server.run import Serving
from tests.server_helpers import url

PATIENCE_S = 60  # of tests on a busy machine


class Noise(MediaStreamTrack):
    """Loud noise in 20 ms frames of 48 kHz, in real time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._num_frames, self._random = 0, np.random.default_rng(0)
        self._start_s: float | None = None

    async def recv(self) -> AudioFrame:
        now_s = asyncio.get_running_loop().time()
        self._start_s = now_s if self._start_s is None else self._start_s
        await asyncio.sleep(self._start_s + 0.02 * self._num_frames - now_s)
        samples = self._random.integers(-9000, 9000, (1, 960), np.int16)
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
        frame.pts = 960 * self._num_frames
        self._num_frames += 1
        return frame


class Red(VideoStreamTrack):
    """A red picture."""

    async def recv(self) -> VideoFrame:
        frame = VideoFrame.from_ndarray(np.full((120, 160, 3), [200, 10, 10], np.uint8))
        frame.pts, frame.time_base = await self.next_timestamp()
        return frame


def without_calls(serving: Serving) -> Serving:
    """The same once the calls of tests before are over, which a client that hangs up does not wait
    for."""
    deadline = time.monotonic() + PATIENCE_S
    while serving.calls._tasks:
        assert time.monotonic() < deadline, "a call goes on that nobody is in"
        time.sleep(0.01)
    return serving


class Client:
    """A peer with one data channel. events: all that came on it."""

    def __init__(self, *, video: bool = False, **channel: Any) -> None:
        config = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self.peer = RTCPeerConnection(config)
        self.events: list[dict] = []
        self.sound: list[np.ndarray] = []
        self._news = asyncio.Condition()
        self._tasks: list[asyncio.Task] = []
        self.is_over = asyncio.Event()
        self.peer.addTrack(Noise())
        if video:
            self.peer.addTrack(Red())
        # last, as aiortc would close a bundle whose first member it was
        self.channel = self.peer.createDataChannel("oai-events", **channel)
        self.peer.on("track", lambda track: self._spawn(self._hear(track)))
        self.channel.on("message", lambda text: self._spawn(self._add(json.loads(text))))
        self.channel.on("close", self.is_over.set)

    def _spawn(self, work) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _add(self, event: dict) -> None:
        async with self._news:
            self.events.append(event)
            self._news.notify_all()

    async def _hear(self, track: MediaStreamTrack) -> None:
        while True:
            frame = await track.recv()
            assert isinstance(frame, AudioFrame)
            async with self._news:
                self.sound.append(mono(frame))
                self._news.notify_all()

    async def offer(self) -> str:
        gather_on(self.peer, "127.0.0.1")
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def accept(self, sdp: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def until(self, is_true) -> Any:
        """Wait for the value of `is_true()` to be true; it is looked at whenever something came."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(is_true)
        return is_true()

    async def event(self, kind: str) -> dict:
        """The first event of a kind."""
        found = lambda: next((e for e in self.events if e["type"] == kind), None)  # noqa: E731
        return await self.until(found)

    def send(self, kind: str, **fields) -> None:
        self.channel.send(json.dumps({"type": kind, **fields}))

    def loudest(self) -> float:
        """Peak of all sound so far, full scale 1."""
        return max((float(np.abs(frame).max()) for frame in self.sound), default=0.0)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.peer.close()


def create_body(sdp: str, **session) -> dict:
    about = {"model": "any", **session}
    return {"session": about, "transport": {"type": "webrtc", "sdp": sdp}}


async def post(serving: Serving, body: Any, path: str = "/v1/live/sessions", **kwargs):
    """The answer of the server to a request for a call."""
    async with httpx2.AsyncClient(timeout=PATIENCE_S, verify=False) as http:  # no TLS here
        return await http.post(url(serving, path, "http"), json=body, **kwargs)


@asynccontextmanager
async def called(serving: Serving, *, video: bool = False, **session) -> AsyncIterator[Client]:
    """A Live client that has called the server; hangs up at the end."""
    client = Client(video=video)
    try:
        answer = await post(serving, create_body(await client.offer(), **session))
        assert answer.status_code == 201, answer.text
        await client.accept(answer.json()["transport"]["sdp"])
        yield client
    finally:
        await client.close()
