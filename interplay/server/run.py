"""Runs the application in this process: event loop, engine thread, signals. Knows nothing of
protocols.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
import uvicorn

from interplay.clock import SAMPLES_PER_TURN, Clock, RealClock
from interplay.errors import ConfigError, DeviceError
from interplay.server.app import make_app
from interplay.server.auth import Auth
from interplay.server.delegations import NewDelegations
from interplay.server.engines import AnyEngine
from interplay.server.guard import is_loopback
from interplay.server.hub import Hub
from interplay.server.limits import CLOSE_BYTES, Limits
from interplay.server.loop import choose_loop
from interplay.server.rtc import Calls
from interplay.turns.types import InputHalf


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """names: by which the server may be called, beside localhost and bare addresses.
    record_root: where sessions are kept whose client asks for it; None: nowhere. tls: files with
    the certificate and its key, PEM; None: everything goes unencrypted."""

    host: str = "127.0.0.1"
    port: int = 8765
    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    record_root: Path | None = None
    tls: tuple[Path, Path] | None = None

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and not self.keys:
            raise ConfigError(
                f"{self.host} can be reached from other machines and no keys are set; add --keys "
                "FILE, or bind to 127.0.0.1"
            )
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port is {self.port}; use 0 to 65535, 0 chooses a free one")
        if self.tls:
            _check_tls(*self.tls)


def _check_tls(certificate: Path, key: Path) -> None:
    """Raises ConfigError for files that cannot be used."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password=lambda: "")  # nobody is asked for one
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{certificate} and {key} cannot be used for TLS ({reason}); give a certificate and "
            "its key without a password, as PEM files"
        ) from None


def warm_up(engine: AnyEngine) -> None:
    """The first micro-turn is slow; nobody should wait for it."""
    session = engine.open(seed=0, prefix="")
    engine.tick({session: InputHalf(hear=np.zeros(SAMPLES_PER_TURN, np.float32))})
    session.close()


LAST_WORDS_TICKS = 20  # of uvicorn, 2 s: after the last session, for what is still on its way


class Server(uvicorn.Server):
    """uvicorn, but a first SIGTERM or SIGINT drains, and only the next one stops at once."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self.hub = hub
        self._loop: asyncio.AbstractEventLoop | None = None
        self._num_drained_ticks = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.hub.is_draining or self._loop is None:
            super().handle_exit(sig, frame)
        else:
            self._loop.call_soon_threadsafe(self.hub.drain)

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second; true ends it."""
        self._loop = asyncio.get_running_loop()
        self._num_drained_ticks += self.hub.is_draining and not self.hub.sessions
        is_told = not self.server_state.connections or self._num_drained_ticks > LAST_WORDS_TICKS
        drained = self._num_drained_ticks > 0 and is_told
        return await super().on_tick(counter) or drained or not self.hub.is_alive


class Serving:
    """A server that is set up: hub, application and socket. loop: while it runs, else None.
    facts: what was chosen and why, for commands to print."""

    def __init__(
        self,
        engine: AnyEngine,
        config: ServeConfig,
        *,
        limits: Limits | None = None,
        delegations: NewDelegations | None = None,
        clock: Clock | None = None,
    ) -> None:
        """clock: of the micro-turns; None: the machine's. Raises ConfigError for unusable keys,
        DeviceError when the port cannot be had."""
        self._new_loop, fact = choose_loop()
        self.facts = {"event loop": fact}
        self.hub = Hub(
            engine,
            clock or RealClock(),
            self._hand_over,
            limits=limits,
            record_root=config.record_root,
            delegations=delegations,
        )
        auth = Auth(
            config.keys,
            max_sessions=self.hub.limits.key_sessions,
            is_live=self.hub.sessions.__contains__,
        )
        self.loop: asyncio.AbstractEventLoop | None = None
        self._socket = _listen(config.host, config.port)
        self.port = self._socket.getsockname()[1]
        self.calls = Calls(self.hub, self._socket.getsockname()[0])
        app = make_app(self.hub, auth, self.calls, config.names)
        self.server = Server(
            uvicorn.Config(
                app,
                ssl_certfile=config.tls[0] if config.tls else None,
                ssl_keyfile=config.tls[1] if config.tls else None,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="websockets-sansio",
                ws_max_size=CLOSE_BYTES,
                ws_per_message_deflate=False,  # sound does not shrink, and it costs a lot
                limit_concurrency=4 * engine.num_slots + 64,
                timeout_graceful_shutdown=2,
                server_header=False,
            ),
            self.hub,
        )

    def _hand_over(self, call: Callable[[], None]) -> None:
        if self.loop:
            self.loop.call_soon_threadsafe(call)

    def run(self) -> None:
        """Serve until a signal, in this thread."""
        with asyncio.Runner(loop_factory=self._new_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.hub.start()
        try:
            await self.server.serve(sockets=[self._socket])
        finally:
            await self.calls.close()
            await asyncio.to_thread(self.hub.stop)
            self.loop = None
            self._socket.close()
        if self.hub.beats.failure:
            raise self.hub.beats.failure


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen(128)  # now: who comes before the event loop waits, and is not refused
    except OSError as error:
        listener.close()
        raise DeviceError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another address with --bind"
        ) from None
    listener.setblocking(False)
    return listener


@contextmanager
def running(serving: Serving) -> Iterator[Serving]:
    """The same on a thread, for tests and measurements; stopped at the end."""
    thread = threading.Thread(target=serving.run, name="interplay-serve")
    thread.start()
    try:
        yield serving
    finally:
        serving.server.should_exit = True
        thread.join()
