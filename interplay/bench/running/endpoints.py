"""What is measured, by one word: `local:MODEL`, `live:URL`, `realtime:URL`, `cascade`,
`cascade:general`, `baseline:NAME`, `recorded`, `recorded:FOLDER`.

A local system plays on the logical clock unless told otherwise, a server always in real time.
Knows nothing of suites or scores.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from interplay.bench.playing.logical_clock import System, play
from interplay.bench.playing.stage import Synthesizer
from interplay.bench.systems.local import LocalSystem
from interplay.bench.systems.oracle import POLICIES, Oracle
from interplay.bench.systems.recorded import Recorded, Recordings
from interplay.bench.traces.trace import Trace
from interplay.data.item import Item
from interplay.errors import ConfigError
from interplay.model.checkpoint import Loaded

Kind = Literal["local", "live", "realtime", "cascade", "baseline", "recorded"]
Clock = Literal["logical", "wall"]
Play = Callable[[Sequence[Item]], Iterator[Trace]]
FORMS = (
    "local:MODEL, live:URL, realtime:URL, cascade, cascade:general, baseline:NAME, recorded, "
    "recorded:FOLDER"
)
GENERAL = "general"  # ear of the cascade
PATHS = {"live": "/live/sessions", "realtime": "/realtime"}
SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """target: a model, an address, a baseline's name, the ear of the cascade, or a folder of
    recordings; empty for its own ear and for runs that the data itself holds."""

    kind: Kind
    target: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.target}" if self.target else self.kind

    @property
    def is_remote(self) -> bool:
        return self.kind in PATHS


def parse_endpoint(text: str) -> Endpoint:
    """Raises ConfigError for anything but the forms above."""
    kind, _, target = text.partition(":")
    if kind in PATHS:
        return Endpoint(kind=kind, target=address(kind, target))  # type: ignore[arg-type]
    if kind == "local" and target:
        return Endpoint(kind="local", target=target)
    if text in ("cascade", f"cascade:{GENERAL}"):
        return Endpoint(kind="cascade", target=target)
    if kind == "recorded" and text != "recorded:":
        return Endpoint(kind="recorded", target=target)
    if kind == "baseline":
        if target not in POLICIES:
            raise ConfigError(f"no baseline {target!r}; baselines: {', '.join(POLICIES)}")
        return Endpoint(kind="baseline", target=target)
    raise ConfigError(f"no endpoint {text!r}; give one of {FORMS}")


def address(kind: str, url: str) -> str:
    """The WebSocket address of a protocol, from it or from the base URL that clients take
    (http://HOST:PORT/v1). Raises ConfigError for what is no such address."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.netloc:
        raise ConfigError(
            f"{url!r} is no address for {kind}:; give http://HOST:PORT/v1 or ws://HOST:PORT/v1"
            f"{PATHS[kind]}"
        )
    path = parts.path.rstrip("/") or "/v1"
    if not path.endswith(PATHS[kind]):
        path += PATHS[kind]
    query = parts.query or ("model=any" if kind == "realtime" else "")
    return urlunsplit((SCHEMES[parts.scheme], parts.netloc, path, query, ""))


def choose_clock(endpoint: Endpoint, asked: Clock | None) -> Clock:
    """Raises ConfigError for a server on the logical clock."""
    if endpoint.is_remote and asked == "logical":
        raise ConfigError(f"{endpoint} can only be played in real time; leave --clock out")
    return asked or ("wall" if endpoint.is_remote else "logical")


def open_endpoint(
    endpoint: Endpoint,
    *,
    clock: Clock,
    seed: int,
    synthesize: Synthesizer,
    own_voice: str,
    loaded: Loaded | None = None,
    num_sessions: int = 1,
) -> Play:
    """How items are played at it. num_sessions: at once in real time. loaded: of `local`."""
    if endpoint.is_remote:
        return _remote(endpoint, synthesize, num_sessions)
    system = open_system(
        endpoint,
        seed=seed,
        synthesize=synthesize,
        own_voice=own_voice,
        loaded=loaded,
        wall=clock == "wall",
    )
    if clock == "logical":
        return lambda items: play(items, system, synthesize)
    from interplay.bench.clients.wall import play_wall

    return lambda items: play_wall(items, system, synthesize, num_sessions=num_sessions)


def open_system(
    endpoint: Endpoint,
    *,
    seed: int,
    synthesize: Synthesizer,
    own_voice: str,
    loaded: Loaded | None = None,
    wall: bool = False,
) -> System:
    """A system of this process. wall: for real time."""
    if endpoint.kind == "baseline":
        return Oracle(endpoint.target, synthesize, own_voice)
    if endpoint.kind == "cascade":
        return _cascade(synthesize, endpoint.target == GENERAL, wall)
    if endpoint.kind == "recorded":
        return Recordings(Path(endpoint.target)) if endpoint.target else Recorded()
    assert loaded is not None, endpoint
    return LocalSystem(loaded, name=endpoint.target, seed=seed)


def _remote(endpoint: Endpoint, synthesize: Synthesizer, num_sessions: int) -> Play:
    from interplay.bench.clients.conversation import play_remote
    from interplay.bench.clients.live import LIVE_WIRES
    from interplay.bench.clients.realtime import REALTIME_WIRES

    wires = LIVE_WIRES if endpoint.kind == "live" else REALTIME_WIRES
    return lambda items: play_remote(
        endpoint.target, wires, items, synthesize, num_sessions=num_sessions
    )


def _cascade(synthesize: Synthesizer, general: bool, wall: bool) -> System:
    """As `interplay cascade` serves it: in its own voice. In real time it hears and thinks in a
    thread of its own, and goes on listening."""
    from interplay.bench.systems.cascade.system import Cascade  # its recogniser is slow to import

    executor = ThreadPoolExecutor(1) if wall else None
    return Cascade(synthesize=synthesize, general=general, executor=executor)
