"""What replicas ask Ray for, and where its routers place newcomers, without Ray."""

import asyncio
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from interplay.server.hub import Hub
from tests.server_helpers import make_hub, opened


@pytest.fixture
def pretended(monkeypatch) -> Iterator[dict[str, Any]]:
    """The modules that need Ray, without it; what a deployment is made with."""
    asked: dict[str, Any] = {}

    def deployment(_: object, **options: Any) -> SimpleNamespace:
        asked.update(options)
        return SimpleNamespace(bind=lambda plan: plan)

    ray, serve, config, routing = (
        ModuleType(f"ray{name}")
        for name in ("", ".serve", ".serve.config", ".serve.request_router")
    )
    serve.ingress = lambda: lambda replica: replica  # type: ignore[attr-defined]
    serve.deployment = deployment  # type: ignore[attr-defined]
    serve.start = serve.run = lambda *_, **__: None  # type: ignore[attr-defined]
    ray.serve = serve  # type: ignore[attr-defined]
    ray.cluster_resources = lambda: {"CPU": 8.0, "GPU": 2.0}  # type: ignore[attr-defined]
    config.HTTPOptions = config.RequestRouterConfig = SimpleNamespace  # type: ignore[attr-defined]
    for name in ("FIFOMixin", "RequestRouter", "PendingRequest", "RunningReplica"):
        setattr(routing, name, type(name, (), {}))
    for module in (ray, serve, config, routing):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    ours = [f"interplay.server.ray_{name}" for name in ("replica", "router", "serve")]
    for name in ours:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield asked
    for name in ours:
        sys.modules.pop(name, None)


def test_replicas_ask_for_no_gpu_which_they_would_not_use(pretended):
    serving = importlib.import_module("interplay.server.ray_serve")
    plan = serving.Plan(model="tiny", num_slots=2)
    serving.deploy(plan, serving.RayConfig(num_replicas=2, host="127.0.0.1", port=1))
    assert pretended["ray_actor_options"] == {"num_cpus": 1.0}


def test_newcomers_are_placed_where_slots_are_free(pretended):
    replicas = importlib.import_module("interplay.server.ray_replica")
    router = importlib.import_module("interplay.server.ray_router").StickyRouter

    def replica(place: str, hub: Hub | None) -> SimpleNamespace:
        asked = SimpleNamespace(hub=hub)
        stats = replicas.Replica.record_routing_stats(asked) if hub else {}
        name = SimpleNamespace(unique_id=place)
        return SimpleNamespace(replica_id=name, routing_stats=stats)

    def places(session_id: str = "") -> list[list[str]]:
        request = sys.modules["ray.serve.request_router"].PendingRequest()
        request.metadata = SimpleNamespace(session_id=session_id)
        request.routing_context = SimpleNamespace()
        request.args = ()
        made = [replica("full", full), replica("free", free), replica("new", None)]
        ranks = asyncio.run(router.choose_replicas(None, made, request))
        assert request.routing_context.should_backoff
        return [[each.replica_id.unique_id for each in rank] for rank in ranks]

    full, free = make_hub(1), make_hub(2)
    opened(full)  # nobody is connected to it: only the slot tells
    opened(free)
    assert places() == [["free", "new"], ["full", "free", "new"]]
    assert places("full") == [["full"]], "who means one gets it"
    opened(free)
    assert places()[0] == ["new"]
