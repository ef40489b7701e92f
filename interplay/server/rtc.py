"""All WebRTC calls of a server, and whether there can be any: the library is an extra.

Knows nothing of protocols: whoever has an offer brings the adapter that speaks one.
"""

import asyncio
import logging
from collections.abc import Callable

from interplay.errors import RequestError
from interplay.server.hub import Hub
from interplay.server.media import MediaAdapter, Track
from interplay.server.sockets import CLOSE_S

log = logging.getLogger("interplay.server")

LIBRARIES = ("aiortc", "av")
INSTALL = "pip install 'interplay[webrtc]'"


class Calls:
    """The calls. address: of this machine, to which the server is bound."""

    def __init__(self, hub: Hub, address: str) -> None:
        self.hub, self.address = hub, address
        self._tasks: set[asyncio.Task[None]] = set()
        try:
            from interplay.server import rtc_call, rtc_offer
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in LIBRARIES:
                raise
            self._parts = None
        else:
            self._parts = rtc_offer.read_offer, rtc_call.Call

    @property
    def is_possible(self) -> bool:
        return self._parts is not None

    async def answer(
        self,
        offer: str,
        start: Callable[[Track], MediaAdapter],
        *,
        rate_hz: int,
        param: str = "sdp",
        has_eyes: bool = False,
        permits: Callable[[str | bytes], bool] | None = None,
    ) -> str:
        """Begin a call: the SDP answer to `offer`.

        start(track): the adapter of the call, asked for once the offer was found good. rate_hz: of
        its sound. param: name of the offer in the request. has_eyes: the session may be sent
        video. permits: which messages may reach the client; None: all. Raises RequestError; then
        there is no call and no session.
        """
        if self._parts is None:
            text = f"this server has no WebRTC; install it there with {INSTALL}, or use a WebSocket"
            raise RequestError("webrtc_missing", text)
        read_offer, make_call = self._parts
        checked = read_offer(offer, param)
        if checked.has_video and not has_eyes:
            text = "the offer has video, but the session was not asked to see; leave it out"
            raise RequestError("unsupported_value", text, param=param)
        self.hub.check_admits()
        call = make_call(self.hub, self.address, rate_hz, permits)
        try:
            answer = await call.answer(checked, param)
            adapter = start(call)
        except BaseException:
            await call.close()
            raise
        task = asyncio.create_task(call.run(adapter))
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        self.hub.metrics.rtc_calls.set(len(self._tasks))
        return answer

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.hub.metrics.rtc_calls.set(len(self._tasks))
        if not task.cancelled() and task.exception():
            log.error("a call ended badly", exc_info=task.exception())

    async def close(self) -> None:
        """End all calls; those that are about to end get a moment to do so in good form."""
        tasks = [*self._tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
