"""One WebSocket from its first message to its close: a task that reads, one that writes, and the
rules for both. Knows nothing of protocols; an `Adapter` speaks one.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from starlette.websockets import WebSocket, WebSocketDisconnect

from interplay.errors import RequestError
from interplay.server.events import Ended, Event
from interplay.server.hub import Hub
from interplay.server.later import Later
from interplay.server.limits import CLOSE_BYTES, MAX_MESSAGE_BYTES, Bucket
from interplay.server.outbox import Item, Outbox
from interplay.server.served import ServedSession

log = logging.getLogger("interplay.server")

CLOSE_S = 1.0  # for a peer that does not answer a close
POLICY, TOO_BIG, FAILED, TOO_SLOW = 1008, 1009, 1011, 1013
FINAL = (  # the connection has no use
    "no_free_slot",
    "too_many_sessions",
    "draining",
    "overloaded",
    "engine_failed",
)
PATIENT = (  # too fast, as after a stall: no mistakes of the client's
    "input_backpressure",
    "read_backpressure",
    "picture_backpressure",
)


@runtime_checkable
class Adapter(Protocol):
    """A protocol, for one connection.

    outbox: what is sent to it. session: None until it has one.
    """

    outbox: Outbox

    @property
    def session(self) -> ServedSession | None: ...

    def receive(self, message: str | bytes) -> Later | None:
        """Obey one message, or all of it but what is returned. Raises RequestError when it cannot
        be obeyed."""
        ...

    def encode(self, event: Event) -> Sequence[str | bytes]:
        """The messages, text or binary, that tell the client of an event."""
        ...

    def refusal(self, error: RequestError, message: str | bytes) -> str:
        """The message that tells the client why `message` was not obeyed."""
        ...


class Gate:
    """What comes from one client, message by message, within the limits of a connection."""

    def __init__(self, adapter: Adapter, hub: Hub) -> None:
        self.adapter, self.hub = adapter, hub
        limits = hub.limits
        self._bucket = Bucket(limits.events_per_s, limits.events_burst, hub.clock.now())
        self._errors_s: deque[float] = deque(maxlen=limits.max_errors)

    async def take(self, message: str | bytes) -> bool:
        """Obey a message, or answer why not; the next one may be taken once this has returned.
        Returns False after too many errors. Whoever has lost the session to another connection is
        not listened to."""
        adapter, limits, now_s = self.adapter, self.hub.limits, self.hub.clock.now()
        self.hub.metrics.bytes_in += len(message)
        if adapter.session and self.hub.is_replaced(adapter.session, adapter.outbox):
            return True
        try:
            if not self._bucket.take(1, now_s):
                text = f"more than {limits.events_per_s:g} messages per second; send fewer"
                raise RequestError("rate_limited", text, retry_after_s=1.0)
            if len(message) > MAX_MESSAGE_BYTES:
                raise too_big(len(message))
            later = adapter.receive(message)
            if later:
                await self._finish(later)
        except RequestError as error:
            self.refuse(error, message)
            if error.code in FINAL:
                adapter.outbox.put(Ended(reason="refused", close_code=TOO_SLOW))
            elif error.code not in PATIENT and self._is_one_too_many(now_s):
                return False
        if adapter.session:
            adapter.session.last_message_s = now_s
        return True

    async def _finish(self, later: Later) -> None:
        """Off the event loop, for which nobody else has to wait. The session may end meanwhile, or
        go to another connection; then nothing comes of it."""
        adapter, hub = self.adapter, self.hub
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(hub.pictures, later.work)
        session = adapter.session
        if session is None or session.id not in hub.sessions:
            return
        if not hub.is_replaced(session, adapter.outbox):
            later.then(result)

    def _is_one_too_many(self, now_s: float) -> bool:
        limits = self.hub.limits
        self._errors_s.append(now_s)
        is_full = len(self._errors_s) == limits.max_errors
        return is_full and now_s - self._errors_s[0] <= limits.errors_s

    def refuse(self, error: RequestError, message: str | bytes = "") -> None:
        self.hub.metrics.rejects.labels(error.code).inc()
        self.adapter.outbox.put(self.adapter.refusal(error, message))


def too_big(size: int) -> RequestError:
    text = (
        f"a message of {size} bytes; send at most {MAX_MESSAGE_BYTES}: smaller pictures, sound in "
        "several messages"
    )
    return RequestError("event_too_big", text)


async def serve_socket(
    websocket: WebSocket, adapter: Adapter, hub: Hub, subprotocol: str | None = None
) -> None:
    """Serve a connection until either side ends it."""
    code: int | None = None
    try:
        await websocket.accept(subprotocol=subprotocol)
        code = await _serve(websocket, adapter, hub)
    except OSError:  # of `accept`
        log.debug("a client was gone before it was let in")
    finally:
        if adapter.session:
            hub.lose(adapter.session, adapter.outbox)
    if code is not None:
        await _close(websocket, code)


async def _serve(websocket: WebSocket, adapter: Adapter, hub: Hub) -> int | None:
    """Returns the code to close with, None when the client has closed."""
    tasks = [
        asyncio.create_task(_read(websocket, adapter, hub)),
        asyncio.create_task(_write(websocket, adapter, hub)),
        asyncio.create_task(_watch(adapter.outbox, hub)),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        codes = [task.result() for task in tasks if task in done]
        return next((code for code in codes if code is not None), None)
    except Exception:  # it ends this connection and no other
        log.exception("a connection failed")
        return FAILED
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(websocket: WebSocket, adapter: Adapter, hub: Hub) -> int | None:
    """Returns the code to close with, None when the client has closed."""
    gate, limits = Gate(adapter, hub), hub.limits
    start_by = asyncio.get_running_loop().time() + limits.start_s
    while True:
        try:
            if adapter.session:
                message = await websocket.receive()
            else:
                async with asyncio.timeout_at(start_by):
                    message = await websocket.receive()
        except TimeoutError:
            if adapter.session:
                continue  # it has begun by itself
            text = f"no session was started within {limits.start_s:g} s"
            gate.refuse(RequestError("start_timeout", text))
            return await _finish(adapter)
        if message["type"] == "websocket.disconnect":
            return None
        data = message.get("text")
        data = message["bytes"] if data is None else data
        if len(data) > CLOSE_BYTES:  # where uvicorn is ours it has closed before
            return TOO_BIG
        if not await gate.take(data):
            return await _finish(adapter)


async def _finish(adapter: Adapter) -> None:
    """The last error is sent, then the writer closes for policy."""
    adapter.outbox.put(Ended(reason="refused", close_code=POLICY))
    await asyncio.sleep(CLOSE_S)


def messages_of(item: Item, adapter: Adapter) -> Sequence[str | bytes]:
    """What is sent for one item of an outbox."""
    if isinstance(item, str):
        return (item,)
    return item if isinstance(item, tuple) else adapter.encode(item)


async def _write(websocket: WebSocket, adapter: Adapter, hub: Hub) -> int | None:
    while True:
        item = await adapter.outbox.get()
        try:
            for message in messages_of(item, adapter):
                hub.metrics.bytes_out += len(message)
                if isinstance(message, str):
                    await websocket.send_text(message)
                else:
                    await websocket.send_bytes(message)
        except WebSocketDisconnect:
            return None
        if isinstance(item, Ended):
            return item.close_code


async def _watch(outbox: Outbox, hub: Hub) -> int:
    await outbox.overflow.wait()
    hub.metrics.output_overflows.inc()
    log.warning("connection closed: its reader is too slow")
    return TOO_SLOW


async def _close(websocket: WebSocket, code: int) -> None:
    """Close, but wait for nobody who has stopped reading."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await websocket.close(code)
    except (TimeoutError, WebSocketDisconnect, RuntimeError) as error:
        log.debug("a connection was closed by its peer first: %s", type(error).__name__)
