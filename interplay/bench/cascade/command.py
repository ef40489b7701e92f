"""`interplay cascade`: the turn-based design behind the protocols of `interplay serve`.

Made to be measured, or talked to, beside a model. Knows nothing of how a server runs.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from interplay.bench.cascade.engine import CascadeEngine
from interplay.bench.cascade.replies import Chat, Rules
from interplay.bench.cascade.system import Cascade
from interplay.data.speech import synthesize
from interplay.server.auth import read_keys
from interplay.server.command import DEFAULT_BIND, DEFAULT_SLOTS, page_address, parse_bind
from interplay.server.logs import start_logs
from interplay.server.run import ServeConfig, Serving, warm_up


def add_arguments(parser: argparse.ArgumentParser) -> None:
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
        "--chat",
        metavar="MODEL",
        help="replies by this model at OPENAI_BASE_URL (default: rules for small talk)",
    )


def run(args: argparse.Namespace) -> int:
    host, port = parse_bind(args.bind)
    keys = tuple(read_keys(args.keys)) if args.keys else ()
    config = ServeConfig(host=host, port=port, keys=keys)
    with ThreadPoolExecutor(1, thread_name_prefix="cascade") as executor:
        cascade = Cascade(
            synthesize=synthesize,
            replies=partial(Chat, args.chat) if args.chat else Rules,
            executor=executor,
        )
        engine = CascadeEngine(cascade, num_slots=args.slots)
        warm_up(engine)
        serving = Serving(engine, config)
        print(f"{engine.num_slots} sessions at the same time; Ctrl-C lets them finish, twice stops")
        print(f"Page       {page_address(host, serving.port)} (open it in a browser and talk)")
        print(
            f"Protocols  base URL http://{host}:{serving.port}/v1 (Live and Realtime)", flush=True
        )
        start_logs(ticks=False)
        serving.run()
    return 0
