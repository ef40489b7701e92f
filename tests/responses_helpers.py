"""What the tests of `responses` delegation share: a backend that does what a test says, and a
session that has it.
"""

from collections.abc import Mapping, Sequence

from interplay.background.broker import Broker, Budget
from interplay.background.contract import BackendSettings, Line, Result
from interplay.errors import BackgroundError
from interplay.server.limits import Limits
from interplay.server.live import LivePrimary
from tests.server_helpers import client, make_hub

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


class Backend:
    """Does nothing by itself: tests say what comes."""

    def __init__(self) -> None:
        self.settings = BackendSettings()
        self.begun: list[tuple[int, str]] = []
        self.given: list[tuple[int, dict[str, str]]] = []
        self.ready: list[Result] = []
        self.cancelled: list[int] = []
        self.is_dead = False

    def delegate(self, delegation, now_s: float) -> None:
        self.begun.append((delegation.id, delegation.question))
        self.lines: Sequence[Line] = delegation.conversation

    def cancel(self, delegation_id: int) -> None:
        self.cancelled.append(delegation_id)

    def results(self, now_s: float) -> list[Result]:
        if self.is_dead:
            raise BackgroundError("no route to http://10.0.0.1:8000")
        ready, self.ready = self.ready, []
        return ready

    def configure(self, settings: BackendSettings) -> None:
        self.settings = settings

    def give(self, delegation_id: int, outputs: Mapping[str, str]) -> None:
        self.given.append((delegation_id, dict(outputs)))

    def close(self) -> None:
        pass


def backed(
    *extensions: str, limits: Limits | None = None, **responses
) -> tuple[LivePrimary, Backend]:
    backend = Backend()
    hub = make_hub(
        delegations=lambda: Broker(backend, Budget(max_seconds=50)),
        limits=limits or Limits(close_s=0.0),
    )
    delegation = {"type": "responses", "responses": {"model": "gpt-5.6-luna", **responses}}
    return client(hub, *extensions, delegation=delegation), backend
