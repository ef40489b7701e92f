"""One WebSocket from its first message to its close: a task that reads, one that writes, and the
rules for both. Knows nothing of protocols; an `Adapter` speaks one.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from starlette.websockets import WebSocket, WebSocketDisconnect

from interplay.errors import RequestError
from interplay.server.events import Ended, Event
from interplay.server.hub import Hub
from interplay.server.limits import MAX_MESSAGE_BYTES, Bucket
from interplay.server.outbox import Outbox
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


@runtime_checkable
class Adapter(Protocol):
    """A protocol, for one connection.

    outbox: what is sent to it. session: None until it has one.
    """

    outbox: Outbox

    @property
    def session(self) -> ServedSession | None: ...

    def receive(self, message: str | bytes) -> None:
        """Obey one message. Raises RequestError when it cannot be obeyed."""
        ...

    def encode(self, event: Event) -> Sequence[str | bytes]:
        """The messages, text or binary, that tell the client of an event."""
        ...

    def refusal(self, error: RequestError, message: str | bytes) -> str:
        """The message that tells the client why `message` was not obeyed."""
        ...


async def serve_socket(
    websocket: WebSocket, adapter: Adapter, hub: Hub, subprotocol: str | None = None
) -> None:
    """Serve a connection until either side ends it."""
    await websocket.accept(subprotocol=subprotocol)
    tasks = [
        asyncio.create_task(_read(websocket, adapter, hub)),
        asyncio.create_task(_write(websocket, adapter, hub)),
        asyncio.create_task(_watch(adapter.outbox, hub)),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        codes = [task.result() for task in tasks if task in done]
        code = next((code for code in codes if code is not None), None)
    except Exception:
        log.exception("a connection failed")
        code = FAILED
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if adapter.session:
            hub.lose(adapter.session, adapter.outbox)
    if code is not None:
        await _close(websocket, code)


async def _read(websocket: WebSocket, adapter: Adapter, hub: Hub) -> int | None:
    """Returns the code to close with, None when the client has closed."""
    limits, loop = hub.limits, asyncio.get_running_loop()
    bucket = Bucket(limits.events_per_s, limits.events_burst, hub.clock.now())
    start_by = loop.time() + limits.start_s
    num_bytes, num_errors = hub.metrics.ws_bytes.labels("in"), 0
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
            _refuse(adapter, hub, RequestError("start_timeout", text), "")
            return await _finish(adapter)
        if message["type"] == "websocket.disconnect":
            return None
        data = message.get("text")
        data = message["bytes"] if data is None else data
        num_bytes.inc(len(data))
        if len(data) > MAX_MESSAGE_BYTES:  # where uvicorn is ours it has closed before
            return TOO_BIG
        try:
            if not bucket.take(1, hub.clock.now()):
                text = f"more than {limits.events_per_s:g} messages per second; send fewer"
                raise RequestError("rate_limited", text, retry_after_s=1.0)
            adapter.receive(data)
        except RequestError as error:
            num_errors += 1
            _refuse(adapter, hub, error, data)
            if error.code in FINAL:
                adapter.outbox.put(Ended(reason="refused", close_code=TOO_SLOW))
            elif num_errors >= limits.max_errors:
                return await _finish(adapter)
        if adapter.session:
            adapter.session.last_message_s = hub.clock.now()


def _refuse(adapter: Adapter, hub: Hub, error: RequestError, message: str | bytes) -> None:
    hub.metrics.rejects.labels(error.code).inc()
    adapter.outbox.put(adapter.refusal(error, message))


async def _finish(adapter: Adapter) -> None:
    """The last error is sent, then the writer closes for policy."""
    adapter.outbox.put(Ended(reason="refused", close_code=POLICY))
    await asyncio.sleep(CLOSE_S)


async def _write(websocket: WebSocket, adapter: Adapter, hub: Hub) -> int | None:
    num_bytes = hub.metrics.ws_bytes.labels("out")
    while True:
        item = await adapter.outbox.get()
        if isinstance(item, str | tuple):
            messages = (item,) if isinstance(item, str) else item
        else:
            messages = adapter.encode(item)
        try:
            for message in messages:
                num_bytes.inc(len(message))
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
