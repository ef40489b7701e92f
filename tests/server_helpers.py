"""What the tests of the server share: an engine without weights, a hub on pretended time, clients
that are adapters without a socket, and a server that really runs.
"""

import asyncio
import base64
import functools
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

from interplay.clock import TURN_S, FakeClock
from interplay.engine.engine import Engine
from interplay.errors import RequestError
from interplay.model.checkpoint import Loaded
from interplay.model.untrained import untrained
from interplay.server.auth import Visitor
from interplay.server.beats import Advanced
from interplay.server.delegations import NewDelegations
from interplay.server.engines import AnyEngine
from interplay.server.events import Ended, Notice, Turn
from interplay.server.hub import Hub
from interplay.server.limits import Limits
from interplay.server.live import LivePrimary
from interplay.server.logs import start_logs
from interplay.server.outbox import Outbox
from interplay.server.pcm import to_pcm
from interplay.server.run import ServeConfig, Serving, running
from interplay.server.seat import Collected
from interplay.server.served import Opening, ServedSession
from interplay.server.sockets import messages_of
from interplay.turns.types import InputHalf, OutputHalf

KEY = "k" * 32


@functools.cache
def loaded(speaks: str = "some", camera: bool = False) -> Loaded:
    return untrained("tiny", seed=1, speaks=speaks, camera=camera)


def make_engine(num_slots: int = 2, **kwargs) -> Engine:
    return Engine(loaded(**kwargs), num_slots=num_slots)


def make_hub(num_slots: int = 2, *, camera: bool = False, **kwargs) -> Hub:
    """A hub whose engine beats when `beat` says so; the tick and its delivery are one call. Closing
    waits for no speech, unless limits say so: an untrained model has no end of it."""
    kwargs.setdefault("limits", Limits(close_s=0.0))
    return Hub(make_engine(num_slots, camera=camera), FakeClock(), lambda call: call(), **kwargs)


def beat(hub: Hub, count: int = 1) -> None:
    for _ in range(count):
        assert isinstance(hub.clock, FakeClock)
        hub.clock.advance(TURN_S)
        hub.beats.beat()


def start(**session) -> str:
    about = {"model": "any", **session}
    return json.dumps({"type": "session.start", "event_id": "start", "session": about})


def client(hub: Hub, *extensions: str, visitor: Visitor | None = None, **session) -> LivePrimary:
    """A Live client whose session has been started."""
    adapter = LivePrimary(hub, visitor or Visitor())
    if extensions:
        session["interplay"] = {"extensions": extensions}
    adapter.receive(start(**session))
    return adapter


def obey(adapter: Any, message: str | bytes) -> None:
    """What a connection makes of a message, its pictures included."""
    later = adapter.receive(message)
    if later:
        later.finish()


def settle(hub: Hub) -> None:
    """Wait until everything that was recorded is on the disk."""
    done = threading.Event()
    assert hub.disk and hub.disk.post(done.set, is_last=True)
    assert done.wait(30)


def send(adapter: LivePrimary, kind: str, **fields) -> None:
    obey(adapter, json.dumps({"type": kind, **fields}))


def received(adapter: Any) -> list[dict]:
    """Every message that waits to be sent, as a client would read it."""
    messages = []
    for item in adapter.outbox.take():
        messages += messages_of(item, adapter)
    return [json.loads(message) for message in messages]


def kinds(messages: list[dict]) -> list[str]:
    return [message["type"] for message in messages]


def only(messages: list[dict], kind: str) -> list[dict]:
    return [message for message in messages if message["type"] == kind]


def pcm(seconds: float, rate_hz: int = 24_000, seed: int = 0) -> bytes:
    """Noise, loud enough not to be taken for quiet."""
    rng = np.random.default_rng(seed)
    return rng.integers(-9000, 9000, round(seconds * rate_hz), np.int16).tobytes()


def picture(width: int = 32, height: int = 24, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (200, 10, 10)).save(buffer, kind)
    return buffer.getvalue()


def emitted(speaks: bool = False, **streams) -> OutputHalf:
    """An output half by hand; with a voice, it is a loud tone."""
    pad = {name: (*streams.get(name, ()), 0, 0, 0, 0)[:4] for name in ("heard", "say", "act")}
    voice = np.full(3200, 0.5 * speaks, np.float32)
    return OutputHalf(**pad, voice_on=np.full(4, speaks), voice=voice)


def advanced(session: ServedSession, speaks: bool = False, **streams) -> Advanced:
    """A micro-turn that the model is made to have emitted."""
    output = emitted(speaks, **streams)
    half = InputHalf(hear=np.zeros(3200, np.float32))
    return Advanced(
        seat=session.seat,
        collected=Collected(half, 0, 0),
        output=output,
        pcm=to_pcm(output.voice),
        user_speaks=False,
    )


def opened(hub: Hub, **kwargs) -> tuple[ServedSession, Outbox]:
    """A session without any protocol."""
    outbox = Outbox(hub.limits.outbox_items)
    return hub.open(Opening(seed=3, **kwargs), outbox), outbox


def turns(outbox: Outbox) -> list[Turn]:
    return [item for item in outbox.take() if isinstance(item, Turn)]


def tidings(outbox: Outbox) -> list[str]:
    """Codes of notices and reasons of endings."""
    items = outbox.take()
    return [
        item.code if isinstance(item, Notice) else item.reason
        for item in items
        if isinstance(item, Notice | Ended)
    ]


def broken(*_args: object) -> NoReturn:
    """In the place of what is to fail."""
    raise ValueError("broken")


def ticks_without(hub: Hub, bad: ServedSession) -> Callable:
    """In the place of the engine's tick: one that fails with this session in it."""
    tick = hub.engine.tick
    return lambda halves: broken() if bad.seat.session in halves else tick(halves)


def refused(call, *args, **kwargs) -> RequestError:
    with pytest.raises(RequestError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return caught.value


@contextmanager
def logs_started() -> Iterator[None]:
    """The logs of a server; afterwards everything is as it was."""
    names = ("", "interplay", "uvicorn", "interplay.server.ticks")
    before = [(logging.getLogger(n), vars(logging.getLogger(n)).copy()) for n in names]
    start_logs(ticks=True)
    try:
        yield
    finally:
        for logger, values in before:
            vars(logger).update(values)
            logger.setLevel(values["level"])


@contextmanager
def server(
    num_slots: int = 2,
    limits: Limits | None = None,
    engine: Engine | AnyEngine | None = None,
    delegations: NewDelegations | None = None,
    **config,
) -> Iterator[Serving]:
    limits = replace(limits or Limits(), max_lag_s=60.0, close_s=0.0)  # on busy machines
    serving = Serving(
        engine or make_engine(num_slots),
        ServeConfig(port=0, **config),
        limits=limits,
        delegations=delegations,
    )
    with running(serving):
        yield serving


def url(serving: Serving, path: str, scheme: str = "ws") -> str:
    return f"{scheme}://127.0.0.1:{serving.port}{path}"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def next_of(connection, kind: str) -> dict:
    """The next message of a kind; the ones before it are skipped."""
    async with asyncio.timeout(30):
        while True:
            message = json.loads(await connection.recv())
            if message["type"] == kind:
                return message
