"""`interplay cascade`: the turn-based design behind the protocols of `interplay serve`.

Made to be measured, or talked to, beside a model. Knows nothing of how a server runs.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from interplay.bench.systems.cascade.engine import CascadeEngine
from interplay.bench.systems.cascade.replies import Chat, Rules
from interplay.bench.systems.cascade.system import Cascade
from interplay.data.speech import synthesize
from interplay.server.start import add_place, place_of, serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    parser.add_argument(
        "--general",
        action="store_true",
        help="hear general English (default: the vocabulary of the small models)",
    )
    parser.add_argument(
        "--chat",
        metavar="MODEL",
        help="replies by this model at OPENAI_BASE_URL (default: rules for small talk)",
    )


def run(args: argparse.Namespace) -> int:
    config = place_of(args)
    with ThreadPoolExecutor(1, thread_name_prefix="cascade") as executor:
        cascade = Cascade(
            synthesize=synthesize,
            replies=partial(Chat, args.chat) if args.chat else Rules,
            general=args.general,
            executor=executor,
        )
        serve(CascadeEngine(cascade, num_slots=args.slots), config)
    return 0
