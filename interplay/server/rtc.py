"""All WebRTC calls of a server, and whether there can be any: the library is an extra.

Knows nothing of protocols: whoever has an offer brings the adapter that speaks one.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass

from interplay.errors import RequestError
from interplay.server.auth import Visitor
from interplay.server.hub import Hub
from interplay.server.media import MediaAdapter, Track
from interplay.server.sockets import CLOSE_S

log = logging.getLogger("interplay.server")

LIBRARIES = ("aiortc", "av")
RETRY_S = 5.0  # when a call may be tried again while others are set up
INSTALL = "pip install 'interplay[webrtc]'"


def call_address(host: str, node: str) -> str:
    """Where one of several servers can be called: at `host`, unless that is an address of another
    machine; then at `node`, the one by which this machine is known to the others."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host.strip("[]"), 0))
        except OSError:
            return node
        return probe.getsockname()[0]


@dataclass(eq=False, kw_only=True)
class _Caller:
    """Somebody with a call. name: by which it can be found. adapter: None until there is an
    answer."""

    visitor: Visitor
    name: str = ""
    adapter: MediaAdapter | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether no session has begun yet."""
        return self.adapter is None or self.adapter.session is None


class Calls:
    """The calls. address: of this machine, to which the server is bound."""

    def __init__(self, hub: Hub, address: str) -> None:
        self.hub, self.address = hub, address
        self._tasks: set[asyncio.Task[None]] = set()
        self._callers: set[_Caller] = set()
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
        visitor: Visitor,
        rate_hz: int,
        param: str = "sdp",
        has_eyes: bool = False,
        permits: Callable[[str | bytes], bool] | None = None,
        name: str = "",
    ) -> str:
        """Begin a call: the SDP answer to `offer`.

        start(track): the adapter of the call, asked for once the offer was found good. visitor: who
        calls. rate_hz: of its sound. param: name of the offer in the request. has_eyes: the session
        may be sent video. permits: which messages may reach the client; None: all. name: by which
        `find` finds it. Raises RequestError; then there is no call and no session.
        """
        if self._parts is None:
            text = f"this server has no WebRTC; install it there with {INSTALL}, or use a WebSocket"
            raise RequestError("webrtc_missing", text)
        read_offer, make_call = self._parts
        checked = read_offer(offer, param)
        if checked.has_video and not has_eyes:
            text = "the offer has video, but the session was not asked to see; leave it out"
            raise RequestError("unsupported_value", text, param=param)
        self._check_may_call(visitor)
        call = make_call(self.hub, self.address, rate_hz, permits)
        caller = _Caller(visitor=visitor, name=name)
        self._callers.add(caller)
        try:
            answer = await call.answer(checked, param)
            adapter = caller.adapter = start(call)
        except BaseException:
            self._callers.discard(caller)
            await call.close()
            raise
        task = asyncio.create_task(call.run(adapter))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._forget(task, caller))
        self.hub.metrics.rtc_calls.set(len(self._tasks))
        return answer

    def find(self, name: str) -> MediaAdapter | None:
        """Of a call that goes on."""
        return next((c.adapter for c in self._callers if name and c.name == name), None)

    def _check_may_call(self, visitor: Visitor) -> None:
        """A call takes what its session will take, from the offer on: one of the free places, and
        the one session of a secret. Raises RequestError."""
        self.hub.check_admits()
        waiting = [caller.visitor for caller in self._callers if caller.is_waiting]
        if visitor.secret and any(visitor.secret is other.secret for other in waiting):
            raise RequestError("secret_used", "this secret has begun a call; ask for a new one")
        if len(waiting) >= self.hub.num_free:
            raise RequestError(
                "no_free_slot",
                f"{len(waiting)} calls are about to take the free sessions of this server; try "
                f"again in {RETRY_S:g} s",
                retry_after_s=RETRY_S,
            )

    def _forget(self, task: asyncio.Task[None], caller: _Caller) -> None:
        self._tasks.discard(task)
        self._callers.discard(caller)
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
