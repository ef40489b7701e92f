"""How commands that serve begin: the options they share, what they print, and when they may serve.

Knows nothing of what is served: an engine is given.
"""

import argparse
import gc
from pathlib import Path

from interplay.errors import ConfigError
from interplay.server.auth import read_keys
from interplay.server.delegations import NewDelegations
from interplay.server.engines import AnyEngine
from interplay.server.host import stay_resident
from interplay.server.logs import start_logs
from interplay.server.rtc import INSTALL
from interplay.server.run import ServeConfig, Serving, warm_up

DEFAULT_BIND = "127.0.0.1:8765"
DEFAULT_SLOTS = 4


def add_place(parser: argparse.ArgumentParser) -> None:
    """Where a server listens, how many talk to it at once, and who may."""
    parser.add_argument(
        "--bind",
        default=DEFAULT_BIND,
        metavar="HOST:PORT",
        help=f"where to listen (default: {DEFAULT_BIND}); other hosts need --keys",
    )
    parser.add_argument(
        "--slots",
        type=int,
        default=DEFAULT_SLOTS,
        metavar="N",
        help=f"sessions at the same time (default: {DEFAULT_SLOTS})",
    )
    parser.add_argument(
        "--keys", type=Path, metavar="FILE", help="file of API keys, one per line; else no key"
    )
    parser.add_argument(
        "--tls",
        nargs=2,
        type=Path,
        metavar=("CERT", "KEY"),
        help="PEM files, for https and wss: browsers give a microphone to other machines only so",
    )


def place_of(
    args: argparse.Namespace, *, names: tuple[str, ...] = (), record_root: Path | None = None
) -> ServeConfig:
    """What the options of `add_place` ask for. Raises ConfigError for what cannot be."""
    host, port = parse_bind(args.bind)
    if args.slots < 1:
        raise ConfigError(f"--slots is {args.slots}; a server needs at least 1")
    if record_root and record_root.exists() and not record_root.is_dir():
        raise ConfigError(f"--record {record_root} is no folder; name a folder, which may be new")
    keys = tuple(read_keys(args.keys)) if args.keys else ()
    tls = (args.tls[0], args.tls[1]) if args.tls else None
    return ServeConfig(
        host=host, port=port, names=names, keys=keys, record_root=record_root, tls=tls
    )


def parse_bind(text: str) -> tuple[str, int]:
    """`HOST:PORT`. Raises ConfigError for anything else."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"--bind is {text!r}; give HOST:PORT, for example {DEFAULT_BIND}")
    return host, int(port)


def serve(
    engine: AnyEngine,
    config: ServeConfig,
    *,
    delegations: NewDelegations | None = None,
    logs_ticks: bool = False,
) -> None:
    """Warm up, say what was chosen and where to go, and serve until a signal."""
    warm_up(engine)
    serving = Serving(engine, config, delegations=delegations)
    facts = engine.facts | serving.facts | {"memory": stay_resident()}
    print("  ".join(f"{name}: {fact}" for name, fact in facts.items()))
    print(f"{engine.num_slots} sessions at the same time; Ctrl-C lets them finish, twice stops")
    page = page_address(config.host, serving.port, config.scheme)
    print(f"Page           {page} (open it in a browser and talk)")
    base = f"{config.scheme}://{config.host}:{serving.port}/v1"
    print(f"Live protocol  base URL {base} (openai SDK: client.live.connect())")
    print("Realtime       the same base URL (openai SDK: client.realtime.connect(model=...))")
    webrtc = "yes" if serving.calls.is_possible else f"no; install it with {INSTALL}"
    print(f"WebRTC         {webrtc}", flush=True)
    gc.collect()
    gc.freeze()  # a full collection in the middle of a tick need not walk all that is loaded
    start_logs(ticks=logs_ticks)
    serving.run()


def page_address(host: str, port: int, scheme: str = "http") -> str:
    """What to type into a browser of this machine: a microphone is only given to pages of
    loopback addresses and of https."""
    everywhere = host.strip("[]") in ("0.0.0.0", "::")
    return f"{scheme}://{'localhost' if everywhere else host}:{port}/"
