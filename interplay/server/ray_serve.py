"""`interplay serve --ray N`: starts N replicas on Ray Serve and stops them with grace.

In a cluster that runs already (RAY_ADDRESS names it) the same command again replaces them one
after the other. Knows nothing of what a replica does.
"""

import os
import signal
import threading
from dataclasses import dataclass
from typing import Any

import ray  # pyright: ignore[reportMissingImports]  # an extra of its own
from ray import serve  # pyright: ignore[reportMissingImports]
from ray.serve.config import (  # pyright: ignore[reportMissingImports]
    HTTPOptions,
    RequestRouterConfig,
)

from interplay.errors import ConfigError, DeviceError
from interplay.server.ray_replica import APP, HEALTH_S, Plan, Replica

ROUTER: Any = "interplay.server.ray_router.StickyRouter"
STOP_SLACK_S = 30.0  # beyond the time to drain
OBJECT_STORE_BYTES = 100 << 20  # nothing big travels between processes here
NICENESS = "RAY_worker_niceness"  # Ray's own name; read when a node starts


@dataclass(frozen=True, kw_only=True)
class RayConfig:
    """num_cpus: that each replica holds; a fast model needs no whole one."""

    num_replicas: int
    host: str
    port: int
    num_cpus: float = 1.0

    def __post_init__(self) -> None:
        if self.num_replicas < 1:
            raise ConfigError(f"--ray is {self.num_replicas}; use 1 or more replicas")


def deploy(plan: Plan, config: RayConfig) -> None:
    """Start the replicas, or replace those that run; returns when they are ready.

    Raises DeviceError when they do not get ready.
    """
    deployment = serve.deployment(
        Replica,
        name="replica",
        num_replicas=config.num_replicas,
        ray_actor_options={"num_cpus": config.num_cpus},  # no GPU: a replica's engine has none
        max_ongoing_requests=4 * plan.num_slots + 64,  # who is one too many is told so by a replica
        health_check_period_s=HEALTH_S,
        graceful_shutdown_wait_loop_s=1.0,
        graceful_shutdown_timeout_s=plan.limits.drain_s + STOP_SLACK_S,
        request_router_config=RequestRouterConfig(
            request_router_class=ROUTER,
            request_routing_stats_period_s=HEALTH_S,  # type: ignore[arg-type]
        ),
    )
    try:
        serve.start(http_options=HTTPOptions(host=config.host, port=config.port))
        serve.run(deployment.bind(plan), name=APP, route_prefix="/")
    except (RuntimeError, TimeoutError) as error:
        line = (str(error).splitlines() or ["no reason given"])[0]
        raise DeviceError(f"the replicas did not get ready: {line[:200]}") from None


def connect(config: RayConfig) -> bool:
    """To the cluster that RAY_ADDRESS names, or to a new one on this machine; says whether it is
    ours to stop. Raises DeviceError."""
    is_ours = not os.environ.get("RAY_ADDRESS")
    # twice: while new replicas begin, old ones finish
    num_cpus = max(os.cpu_count() or 1, round(2 * config.num_replicas * config.num_cpus + 1))
    new: dict[str, Any] = {
        "num_cpus": num_cpus,
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    os.environ.setdefault(NICENESS, "0")  # else 15: whoever has a clock to keep would starve
    try:
        ray.init(**(new if is_ours else dict[str, Any](log_to_driver=False)))
    except Exception as error:  # Ray raises `Exception` itself for a node that fails
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise DeviceError(f"Ray does not start or cannot be reached: {line[:200]}") from None
    return is_ours


def stop() -> None:
    """Let sessions finish, then end the replicas and Ray Serve."""
    serve.delete(APP)
    serve.shutdown()
    ray.shutdown()


def serve_until_stopped(plan: Plan, config: RayConfig) -> None:
    """The whole command: until SIGINT or SIGTERM on a cluster of our own; where the cluster is
    somebody else's, until the replicas are ready."""
    is_ours = connect(config)
    deploy(plan, config)
    print(f"replicas: {config.num_replicas}  sessions on each: {plan.num_slots}", flush=True)
    if not is_ours:
        print(f"they stay when this command ends; `serve.delete({APP!r})` stops them")
        return
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    while not asked.wait(1.0):
        pass
    print("draining", flush=True)
    stop()
