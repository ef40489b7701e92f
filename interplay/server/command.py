"""`interplay serve`: what it accepts and prints. Knows nothing of how a server runs."""

import argparse
from pathlib import Path

from interplay.background.broker import Broker
from interplay.background.choose import ECHO, HELP, open_named
from interplay.engine.choose import DEVICES, PLAIN, open_engine
from interplay.engine.choose import HELP as HELP_DEVICE
from interplay.engine.record import file_sha256
from interplay.errors import ConfigError
from interplay.model.checkpoint import DEFAULT_MODEL, load_checkpoint
from interplay.server.auth import without_key
from interplay.server.run import ServeConfig
from interplay.server.start import add_place, place_of, serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help=f"name or file (default: {DEFAULT_MODEL})"
    )
    add_place(parser)
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
    config = place_of(args, names=tuple(args.allow), record_root=args.record)
    if args.ray is not None:
        return _run_on_ray(args, config)
    loaded = load_checkpoint(args.model)
    engine = open_engine(loaded, device=args.device, num_slots=args.slots, strict=args.strict)
    if args.record and loaded.path:
        file_sha256(loaded.path)  # every record names it; now, so that no tick has to wait for it
    background = open_named(args.background)
    try:
        serve(
            engine,
            config,
            delegations=lambda: Broker(background.open()),
            logs_ticks=args.log == "ticks",
        )
    finally:
        background.close()
    return 0


def _run_on_ray(args: argparse.Namespace, config: ServeConfig) -> int:
    if args.device != PLAIN:
        raise ConfigError(f"--ray runs the plain loop; leave --device {args.device} out, or --ray")
    if config.tls:
        raise ConfigError("--ray serves no TLS; leave --tls out and put a proxy in front of it")
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
        strict=args.strict,
    )
    ray_config = RayConfig(num_replicas=args.ray, host=config.host, port=config.port)
    load_checkpoint(args.model)  # what is wrong with it is told here, in one line
    serve_until_stopped(plan, ray_config)
    return 0
