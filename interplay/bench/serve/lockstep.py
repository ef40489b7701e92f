"""A server program on pretended time: its clock goes 200 ms ahead whenever a client has sent
another micro-turn, so a session of two hours takes as long as its model computes.

Engine, hub, adapters and sockets are those of `interplay serve`. A client sends one message per
micro-turn and waits for the answer. `GET /clock` answers with the seconds that have passed. Knows
nothing of what is measured.
"""

import argparse
import gc
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any

from interplay.engine.engine import Engine
from interplay.model.checkpoint import DEFAULT_MODEL, load_checkpoint
from interplay.server.limits import Limits
from interplay.server.run import ServeConfig, Serving, warm_up
from interplay.server.start import parse_bind

NO_LIMIT_S = 1e9
WATCH_S = 0.2  # how often a waiting clock looks whether it should stop
Message = MutableMapping[str, Any]


class GrantedClock:
    """Time that passes only as far as it is granted. is_over: whether nobody waits any more."""

    def __init__(self) -> None:
        self.is_over: Callable[[], bool] = lambda: False
        self._now_s = 0.0
        self._granted = threading.Semaphore(0)

    def now(self) -> float:
        return self._now_s

    def sleep_until(self, deadline_s: float) -> None:
        """Waits for one grant, whatever the distance."""
        while not self._granted.acquire(timeout=WATCH_S):
            if self.is_over():
                return
        self._now_s = max(self._now_s, deadline_s)

    def grant(self) -> None:
        """Let one sleep end."""
        self._granted.release()


class GrantingApp:
    """An ASGI application around another: every message of a client after its first one, once it
    has been obeyed, grants a micro-turn."""

    def __init__(self, app: Callable[..., Awaitable[None]], clock: GrantedClock) -> None:
        self._app, self._clock = app, clock

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/clock":
            await _answer(send, repr(self._clock.now()).encode())
        elif scope["type"] == "websocket":
            await self._app(scope, self._granting(receive), send)
        else:
            await self._app(scope, receive, send)

    def _granting(self, receive: Any) -> Any:
        num_messages = 0

        async def granting() -> Message:
            nonlocal num_messages
            if num_messages > 1:  # asking for the next one: the one before has been obeyed
                self._clock.grant()
            message = await receive()
            num_messages += message["type"] == "websocket.receive"
            return message

        return granting


async def _answer(send: Any, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def lockstep_serving(engine: Engine, port: int = 0) -> Serving:
    """A server whose clock its clients push, and that ends no session for its length."""
    clock = GrantedClock()
    limits = replace(Limits(), session_s=NO_LIMIT_S, idle_s=NO_LIMIT_S, max_lag_s=NO_LIMIT_S)
    serving = Serving(engine, ServeConfig(port=port), limits=limits, clock=clock)
    config = serving.server.config
    config.app = GrantingApp(config.app, clock)  # type: ignore[arg-type]
    clock.is_over = lambda: serving.hub.beats.is_stopping
    return serving


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--bind", default="127.0.0.1:0")
    parser.add_argument("--slots", type=int, default=1)
    args = parser.parse_args(words)
    engine = Engine(load_checkpoint(args.model), num_slots=args.slots)
    warm_up(engine)
    serving = lockstep_serving(engine, parse_bind(args.bind)[1])
    gc.collect()
    gc.freeze()
    serving.run()


if __name__ == "__main__":
    main(sys.argv[1:])
