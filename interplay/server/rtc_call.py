"""One WebRTC peer from its offer to its end: sound and pictures on media tracks, messages on a
data channel, all for the session of one `MediaAdapter`.

The library does ICE, DTLS, SRTP, SCTP and Opus. Knows nothing of protocols and of HTTP.
"""

import asyncio
import ipaddress
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from aiortc import (
    InvalidStateError,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamTrack

from interplay.clock import TURN_MS
from interplay.errors import RequestError
from interplay.server.events import Ended
from interplay.server.hub import CLOSE_CODES, Hub
from interplay.server.media import MediaAdapter
from interplay.server.rtc_input import Ears, Eyes
from interplay.server.rtc_offer import Offer
from interplay.server.rtc_speech import SpeechQueue, SpeechTrack
from interplay.server.served import ServedSession
from interplay.server.sockets import CLOSE_S, POLICY, Adapter, Gate, messages_of

log = logging.getLogger("interplay.server")

LOOK_S = 0.12  # after a tick: the newest picture is for the next one
MAX_BUFFERED_BYTES = 1 << 20  # in the data channel; after that the outbox has to wait
MAX_WAITING_BYTES = 4 << 20  # of messages that come while a picture is decoded

Permits = Callable[[str | bytes], bool]


class Call:
    """A peer; for its adapter, the track that sound goes to.

    address: the one that the server is bound to. rate_hz: of the adapter's sound. permits: which
    of the messages may reach the client; None: all of them.
    """

    def __init__(
        self, hub: Hub, address: str, rate_hz: int, permits: Permits | None = None
    ) -> None:
        self.hub = hub
        self._address, self._permits = address, permits
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._queue = SpeechQueue(rate_hz)
        self._speech = SpeechTrack(self._queue)
        self._adapter: MediaAdapter | None = None
        self._gate: Gate | None = None
        self._eyes: Eyes | None = None
        self._tracks: list[MediaStreamTrack] = []
        self._channel: RTCDataChannel | None = None
        self._has_channel, self._has_room = asyncio.Event(), asyncio.Event()
        self._waiting: deque[str | bytes] = deque()
        self._has_message = asyncio.Event()
        self._is_over = asyncio.Event()  # nobody is there any more, or nobody should be
        self._tasks: list[asyncio.Task[None]] = []

    async def answer(self, offer: Offer, param: str = "sdp") -> str:
        """The SDP answer. Raises RequestError, about `param`, when there can be none."""
        peer = self._peer
        spoken = RTCRtpReceiver.getCapabilities("audio")
        codecs = [c for c in spoken.codecs if c.mimeType.lower() == "audio/opus"] if spoken else []
        peer.addTransceiver(self._speech).setCodecPreferences(codecs)
        peer.on("track", self._tracks.append)
        peer.on("datachannel", self._open_channel)
        peer.on("connectionstatechange", self._check_state)
        try:
            await peer.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            gather_on(peer, self._address)
            await peer.setLocalDescription(await peer.createAnswer())
            check_candidates(peer, self._address)
        except Exception as error:  # of what strangers send; the library fails in every way
            log.info("an offer was not understood: %s", type(error).__name__)
            text = f"this offer cannot be answered ({type(error).__name__}); send another one"
            raise RequestError("invalid_sdp", text, param=param) from error
        return peer.localDescription.sdp

    def play(self, pcm: bytes) -> None:
        """The next 200 ms of the model's sound. It was played when it was sent; what was thrown
        away is silence in the model's past, as far as that can still be changed."""
        session = self._session
        is_sent = self._queue.push(pcm)
        if session and is_sent:
            session.played(self._queue.sent_ms, None)
        elif session:  # nobody listens yet
            session.played(session.now_ms - TURN_MS, session.now_ms)
        if self._eyes:
            asyncio.get_running_loop().call_later(LOOK_S, self._eyes.look)

    def flush(self) -> None:
        """Throw away the sound that was not sent yet."""
        sent_ms = self._queue.flush()
        if self._session:
            self._session.played(sent_ms, self._queue.pushed_ms)

    @property
    def _session(self) -> ServedSession | None:
        """None also when another connection has taken it up."""
        session = self._adapter.session if self._adapter else None
        if self._adapter and session and self.hub.is_replaced(session, self._adapter.outbox):
            return None
        return session

    async def run(self, adapter: MediaAdapter) -> None:
        """Serve the peer until either side ends it."""
        gate = self._gate = Gate(adapter, self.hub)
        self._adapter = adapter
        try:
            for track in self._tracks:
                if track.kind == "audio":
                    ears = Ears(adapter.rate_hz, self._hear, self._miss)
                    self._begin(ears.listen(track))
                else:
                    self._eyes = Eyes(self._see, gate.refuse, self.hub.clock, self.hub.pictures)
                    self._begin(self._eyes.watch(track))
                    self._begin(self._eyes.see())
            self._begin(self._obey(gate))
            for work in (self._write(adapter), self._watch(adapter)):
                self._begin(work).add_done_callback(lambda _: self._is_over.set())
            self._begin(self._settle(adapter))
            await self._is_over.wait()
        finally:
            await self.close()

    async def _settle(self, adapter: MediaAdapter) -> None:
        """Who has a channel soon has a session, with sound or without, and so its limits."""
        await self._has_channel.wait()
        await asyncio.sleep(adapter.settle_s)
        adapter.begin()

    def _hear(self, pcm: bytes) -> None:
        """Sound is a sign of life. Before there is a session nobody hears it."""
        if self._session and self._adapter:
            self._session.last_message_s = self.hub.clock.now()
            self._adapter.hear(pcm)

    def _miss(self, error: RequestError) -> None:
        """Sound that comes in a burst after a stall is no mistake of the client's: it is dropped
        and counted, and nobody is told."""
        self.hub.metrics.rejects.labels(error.code).inc()

    def _see(self, tiles: np.ndarray) -> None:
        if self._session:
            self._session.see(tiles)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._check)
        self._tasks.append(task)
        return task

    def _check(self, task: asyncio.Task[None]) -> None:
        """What fails here ends this call and no other."""
        if not task.cancelled() and task.exception():
            log.error("a call failed", exc_info=task.exception())
            self._is_over.set()

    async def close(self) -> None:
        """Give everything back; the session goes, or waits to be taken up again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._adapter:
            ended = Ended(reason="lost", close_code=CLOSE_CODES["lost"])
            self._adapter.outbox.put(ended)  # for those who are told what the client is
        if self._adapter and self._adapter.session:
            self.hub.lose(self._adapter.session, self._adapter.outbox)
        self._speech.stop()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._peer.close()
        except TimeoutError:
            log.warning("a peer did not close in time")

    def _check_state(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            self._is_over.set()

    def _open_channel(self, channel: RTCDataChannel) -> None:
        if self._channel is not None:
            channel.close()
            self._refuse(
                "second_channel", f"one data channel is served; {channel.label[:40]!r} not"
            )
            return
        self._channel = channel
        channel.bufferedAmountLowThreshold = MAX_BUFFERED_BYTES // 2
        channel.on("bufferedamountlow", self._has_room.set)
        channel.on("message", self._receive)
        channel.on("close", self._is_over.set)
        lossy = channel.maxRetransmits is not None or channel.maxPacketLifeTime is not None
        if lossy or not channel.ordered:
            text = "the data channel must keep all messages in order; create it without options"
            self._refuse("unsupported_value", text)
            self._end_for_policy()
        self._has_channel.set()

    def _refuse(self, code: str, message: str) -> None:
        if self._gate:
            self._gate.refuse(RequestError(code, message))

    def _end_for_policy(self) -> None:
        if self._adapter:
            self._adapter.outbox.put(Ended(reason="refused", close_code=POLICY))

    def _receive(self, message: str | bytes) -> None:
        """Called by the library, which must not see an error of ours."""
        num_waiting, num_bytes = len(self._waiting), sum(map(len, self._waiting))
        is_burst = num_waiting >= self.hub.limits.events_burst
        if is_burst or num_bytes + len(message) > MAX_WAITING_BYTES:
            text = f"{num_waiting} messages wait to be obeyed already; send fewer at once"
            self._refuse("rate_limited", text)
        else:
            self._waiting.append(message)
            self._has_message.set()

    async def _obey(self, gate: Gate) -> None:
        """What came on the data channel, one message after the other."""
        while True:
            await self._has_message.wait()
            self._has_message.clear()
            while self._waiting:
                if not await gate.take(self._waiting.popleft()):
                    self._end_for_policy()

    async def _watch(self, adapter: Adapter) -> None:
        await adapter.outbox.overflow.wait()
        self.hub.metrics.output_overflows.inc()
        log.warning("a call ends: its reader is too slow")

    async def _write(self, adapter: Adapter) -> None:
        """From the outbox to the data channel, once there is one, until the session has ended."""
        try:
            async with asyncio.timeout(self.hub.limits.start_s):
                await self._has_channel.wait()
        except TimeoutError:
            log.warning("a call ends: no data channel came within %g s", self.hub.limits.start_s)
            return
        while True:
            item = await adapter.outbox.get()
            for message in messages_of(item, adapter):
                await self._send(message)
            if isinstance(item, Ended):
                await self._close_channel()
                return

    async def _send(self, message: str | bytes) -> None:
        channel = self._channel
        if channel is None or (self._permits and not self._permits(message)):
            return
        while channel.bufferedAmount > MAX_BUFFERED_BYTES:
            self._has_room.clear()
            await self._has_room.wait()
        try:
            channel.send(message)
        except InvalidStateError:
            self._is_over.set()
        except ValueError:  # longer than the client says it can take
            text = f"an event of {len(message)} letters is longer than the client can take"
            self._refuse("event_too_big", text)
        else:
            self.hub.metrics.bytes_out += len(message)

    async def _close_channel(self) -> None:
        """What was sent arrives before the end does, but nobody is waited for very long."""
        assert self._channel is not None
        self._channel.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._is_over.wait()
        except TimeoutError:
            log.debug("a peer did not close its data channel")


def gather_on(peer: RTCPeerConnection, address: str) -> None:
    """Let a peer, whose remote description is set, be reachable at one address of this machine
    only; at all of them when `address` is 0.0.0.0 or ::.

    The library has no setting for that and leaves loopback out, so this reaches into it;
    `check_candidates` makes sure that it has worked.
    """
    if peer.sctp is None or ipaddress.ip_address(address).is_unspecified:
        return
    connection = peer.sctp.transport.transport.iceGatherer._connection
    gather = connection.get_component_candidates

    async def gather_here(component: int, addresses: list[str], timeout: int = 5) -> list[Any]:
        return await gather(component=component, addresses=[address], timeout=timeout)

    connection.get_component_candidates = gather_here


def check_candidates(peer: RTCPeerConnection, address: str) -> None:
    """Raises RuntimeError when the peer is reachable nowhere, or elsewhere than at `address`."""
    assert peer.sctp is not None
    found = {c.ip for c in peer.sctp.transport.transport.iceGatherer.getLocalCandidates()}
    if not found or (found != {address} and not ipaddress.ip_address(address).is_unspecified):
        raise RuntimeError(f"media would be on {sorted(found)}, not on {address}")
