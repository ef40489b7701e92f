"""`interplay serve`: what it accepts and prints. Knows nothing of how a server runs."""

import argparse
import gc
from pathlib import Path

from interplay.background.broker import Broker
from interplay.background.choose import ECHO, HELP, open_named
from interplay.engine.choose import DEVICES, PLAIN, open_engine
from interplay.engine.choose import HELP as HELP_DEVICE
from interplay.engine.record import file_sha256
from interplay.errors import ConfigError
from interplay.model.checkpoint import DEFAULT_MODEL, load_checkpoint
from interplay.server.auth import read_keys, without_key
from interplay.server.logs import start_logs
from interplay.server.rtc import INSTALL
from interplay.server.run import ServeConfig, Serving, warm_up

DEFAULT_BIND = "127.0.0.1:8765"
DEFAULT_SLOTS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help=f"name or file (default: {DEFAULT_MODEL})"
    )
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
        "--allow",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name by which pages and clients may call this server; repeat for more",
    )
    parser.add_argument(
        "--record", type=Path, metavar="DIR", help="keep sessions here whose client asks for it"
    )
    parser.add_argument(
        "--background",
        action="append",
        default=[],
        metavar="NAME",
        help=f"{HELP} (default: {ECHO}); clients may ask to do it themselves",
    )
    parser.add_argument(
        "--ray",
        type=int,
        metavar="N",
        help="as N replicas on Ray Serve, with --slots sessions each (see docs/protocol.md)",
    )
    parser.add_argument("--device", choices=DEVICES, default=PLAIN, help=HELP_DEVICE)
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse to start where only a slower way to compute is available",
    )
    parser.add_argument(
        "--log",
        choices=("sessions", "ticks"),
        default="sessions",
        help="what to log as JSON lines: sessions, or also every tick of each (default: sessions)",
    )


def run(args: argparse.Namespace) -> int:
    host, port = parse_bind(args.bind)
    config = ServeConfig(
        host=host,
        port=port,
        names=tuple(args.allow),
        keys=tuple(read_keys(args.keys)) if args.keys else (),
        record_root=args.record,
    )
    if args.ray is not None:
        return _run_on_ray(args, config)
    loaded = load_checkpoint(args.model)
    engine = open_engine(loaded, device=args.device, num_slots=args.slots, strict=args.strict)
    warm_up(engine)
    if args.record and loaded.path:
        file_sha256(loaded.path)  # every record names it; now, so that no tick has to wait for it
    background = open_named(args.background)
    serving = Serving(engine, config, delegations=lambda: Broker(background.open()))
    print("  ".join(f"{name}: {fact}" for name, fact in (engine.facts | serving.facts).items()))
    print(f"{engine.num_slots} sessions at the same time; Ctrl-C lets them finish, twice stops")
    place = f"http://{host}:{serving.port}"
    print(f"Page           {page_address(host, serving.port)} (open it in a browser and talk)")
    print(f"Live protocol  base URL {place}/v1 (openai SDK: client.live.connect())")
    webrtc = "yes" if serving.calls.is_possible else f"no; install it with {INSTALL}"
    print(f"WebRTC         {webrtc}", flush=True)
    gc.collect()
    gc.freeze()  # a full collection in the middle of a tick need not walk all that is loaded
    start_logs(ticks=args.log == "ticks")
    try:
        serving.run()
    finally:
        background.close()
    return 0


def page_address(host: str, port: int) -> str:
    """What to type into a browser of this machine: a microphone is only given to pages of
    loopback addresses and of https."""
    everywhere = host.strip("[]") in ("0.0.0.0", "::")
    return f"http://{'localhost' if everywhere else host}:{port}/"


def _run_on_ray(args: argparse.Namespace, config: ServeConfig) -> int:
    if args.device != PLAIN:
        raise ConfigError(f"--ray runs the plain loop; leave --device {args.device} out, or --ray")
    from interplay.server.ray_replica import Plan
    from interplay.server.ray_serve import RayConfig, serve_until_stopped

    path = Path(args.model)
    plan = Plan(
        model=str(path.resolve()) if path.is_file() else args.model,
        num_slots=args.slots,
        host=config.host,
        names=config.names,
        keys=tuple(without_key(line) for line in config.keys),
        background=tuple(args.background),
        record_root=args.record.resolve() if args.record else None,
        logs_ticks=args.log == "ticks",
    )
    ray_config = RayConfig(num_replicas=args.ray, host=config.host, port=config.port)
    load_checkpoint(args.model)  # what is wrong with it is told here, in one line
    serve_until_stopped(plan, ray_config)
    return 0


def parse_bind(text: str) -> tuple[str, int]:
    """`HOST:PORT`. Raises ConfigError for anything else."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"--bind is {text!r}; give HOST:PORT, for example {DEFAULT_BIND}")
    return host, int(port)
