"""A server that does what a test says, for clients of the bench. Knows nothing of protocols."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.asyncio.server import serve


@contextmanager
def pretender(answer) -> Iterator[str]:
    """A server that does what `answer(connection)` does; its address."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    found: list[int] = []
    stop = asyncio.Event()

    async def run() -> None:
        async with serve(answer, "127.0.0.1", 0) as serving:
            found.append(next(iter(serving.sockets)).getsockname()[1])
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    ready.wait(10)
    try:
        yield f"ws://127.0.0.1:{found[0]}/"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
