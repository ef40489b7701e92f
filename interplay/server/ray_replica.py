"""One replica on Ray Serve: a whole server with its own model, clock and sessions, behind Ray's
HTTP proxy.

Knows nothing of the other replicas, and not who starts it.
"""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import ray  # pyright: ignore[reportMissingImports]  # an extra of its own
from ray import serve  # pyright: ignore[reportMissingImports]
from starlette.types import ASGIApp, Receive, Scope, Send

from interplay.background.broker import Broker
from interplay.background.choose import open_named
from interplay.clock import RealClock
from interplay.engine.engine import Engine
from interplay.engine.record import file_sha256
from interplay.model.checkpoint import load_checkpoint
from interplay.server.app import make_app
from interplay.server.auth import Auth
from interplay.server.host import stay_resident
from interplay.server.hub import Hub
from interplay.server.limits import Limits
from interplay.server.logs import start_logs
from interplay.server.places import FREE
from interplay.server.rtc import Calls, call_address
from interplay.server.run import warm_up

APP = "interplay"
HEALTH_S = 1.0  # how often Ray asks
SILENT_S = 5.0  # asked for so long no more: Ray may be stopping this replica

log = logging.getLogger("interplay.server")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a replica is made from. host: the address of WebRTC calls, which do not come through
    Ray; on a machine that does not have it, that of the machine. keys: as in the file of keys, but
    digests only. strict: as the option of the command."""

    model: str
    num_slots: int
    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    background: tuple[str, ...] = ()
    record_root: Path | None = None
    logs_ticks: bool = False
    strict: bool = False
    limits: Limits = field(default_factory=Limits)


@serve.ingress()
class Replica:
    """What Ray Serve makes N of."""

    def __init__(self, plan: Plan) -> None:
        start_logs(ticks=plan.logs_ticks)
        loaded = load_checkpoint(plan.model)
        engine = Engine(loaded, num_slots=plan.num_slots, strict=plan.strict)
        warm_up(engine)
        if plan.record_root and loaded.path:
            file_sha256(loaded.path)  # every record names it; now, so that no tick has to wait
        background = self._background = open_named(plan.background)
        place = serve.get_replica_context().replica_id.unique_id
        self._loop: asyncio.AbstractEventLoop | None = None
        self.hub = Hub(
            engine,
            RealClock(),
            self._hand_over,
            limits=plan.limits,
            record_root=plan.record_root,
            delegations=lambda: Broker(background.open()),
            place=place,
        )
        auth = Auth(
            plan.keys,
            max_sessions=plan.limits.key_sessions,
            is_live=self.hub.sessions.__contains__,
            place=place,
        )
        node = ray.util.get_node_ip_address()
        self._calls = Calls(self.hub, call_address(plan.host, node))
        self._app: ASGIApp = make_app(self.hub, auth, self._calls, plan.names)
        self._asked_s = time.monotonic()
        self.hub.start()
        stay_resident()
        gc.collect()
        gc.freeze()
        threading.Thread(target=self._watch, name="interplay-drain", daemon=True).start()

    def __serve_build_asgi_app__(self) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            self._loop = asyncio.get_running_loop()
            await self._app(scope, receive, send)

        return app

    def _hand_over(self, call: Callable[[], None]) -> None:
        if self._loop:  # before the first connection there is nobody to tell
            self._loop.call_soon_threadsafe(call)

    def check_health(self) -> None:
        """Ray asks; one that has failed is replaced."""
        self._asked_s = time.monotonic()
        if not self.hub.is_alive:
            raise RuntimeError("the engine has stopped")

    def record_routing_stats(self) -> dict[str, int]:
        """Ray asks, as often as it asks for health, and hands it to its routers."""
        return {FREE: self.hub.num_free}

    def _watch(self) -> None:
        """Ray stops a replica by sending it nothing new and waiting for its connections, and does
        not tell it. So: who is asked no more how it is while one is being stopped, drains."""
        while not self.hub.is_draining:
            time.sleep(HEALTH_S)
            if time.monotonic() - self._asked_s > SILENT_S and self._is_one_stopping():
                self._hand_over(self.hub.drain)
                return

    def _is_one_stopping(self) -> bool:
        try:
            app = serve.status().applications.get(APP)
        except Exception as error:  # mostly the controller is away; this thread has to go on asking
            line = (str(error).splitlines() or [""])[0]
            log.warning("Ray Serve does not say how it is: %s: %s", type(error).__name__, line)
            return False
        if app is None or app.status == "DELETING":
            return True
        counts = (state.replica_states.items() for state in app.deployments.values())
        return any(count and kind == "STOPPING" for each in counts for kind, count in each)

    async def __del__(self) -> None:
        """Ray calls it when the last connection has gone; calls, which it does not see, may still
        go on."""
        hub = getattr(self, "hub", None)
        if hub is None:
            return
        hub.drain()
        while hub.sessions:
            await asyncio.sleep(HEALTH_S)
        await self._calls.close()
        await asyncio.to_thread(hub.stop)
        self._background.close()
