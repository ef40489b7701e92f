"""Which event loop serves the sockets: uvloop where it is installed, else asyncio's own.

Measured beside each other (docs/log.md): a third of the time that sockets cost. Knows nothing of
what runs on it.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple


class Chosen(NamedTuple):
    """new_loop: makes an event loop. fact: its name and why, for commands to print."""

    new_loop: Callable[[], asyncio.AbstractEventLoop]
    fact: str


def choose_loop() -> Chosen:
    """The fastest loop there is here."""
    try:
        import uvloop
    except ImportError as error:
        return Chosen(asyncio.new_event_loop, f"asyncio (slower; no uvloop: {error})")
    return Chosen(uvloop.new_event_loop, f"uvloop {uvloop.__version__}")
