"""A server program of our own to be measured, and the numbers that it shows.

Knows nothing of what is measured.
"""

import asyncio
import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from interplay.errors import DeviceError, InterplayError
from interplay.server.beats import LATE
from interplay.server.host import Waits

START_S = 120.0  # on a busy machine
Numbers = dict[str, float]


def read_numbers(port: int) -> Numbers:
    """The numbers without labels that the server's `/metrics` shows."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return parse_numbers(answer.read().decode())


def parse_numbers(text: str) -> Numbers:
    """Of Prometheus' text format."""
    lines = text.splitlines()
    pairs = [line.split() for line in lines if not line.startswith("#") and "{" not in line]
    return {name: float(value) for name, value in pairs}


def change(before: Numbers, after: Numbers) -> Numbers:
    """How far every number went."""
    return {name: value - before.get(name, 0.0) for name, value in after.items()}


def late_ticks(log: Iterable[bytes]) -> list[dict[str, Any]]:
    """What a server's log says of each tick that was not done in time (server.beats)."""
    lines = [json.loads(line) for line in log if line.startswith(b"{")]
    late = [line for line in lines if line["message"] == LATE]
    names = ("sessions", "ms", "model_cpu_ms", *Waits._fields)
    return [{name: line[name] for name in names} for line in late]


@contextmanager
def first_error() -> Iterator[None]:
    """Of clients that run side by side the first user's error is raised, alone: the others mostly
    follow from it."""
    try:
        yield
    except BaseExceptionGroup as group:
        known, others = group.split(InterplayError)
        if known is None or others is not None:
            raise
        error: BaseException = known
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


@contextmanager
def server_program(
    model: str,
    num_slots: int,
    program: Sequence[str] = ("interplay", "serve"),
    log: IO[bytes] | None = None,
) -> Iterator[int]:
    """`interplay serve` on a free port of this machine, which is given; ended afterwards.

    program: another module, and its first words, that takes the same options. log: where its log
    goes. Raises DeviceError when it does not come up.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--model", model, "--bind", f"127.0.0.1:{port}", "--slots", str(num_slots)]
    child = subprocess.Popen(
        [sys.executable, "-m", *program, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if log is None else log,
    )
    try:
        asyncio.run(_wait_for(port, child))
        yield port
    finally:
        child.terminate()
        child.wait()


async def _wait_for(port: int, child: subprocess.Popen) -> None:
    loop = asyncio.get_running_loop()
    give_up_s = loop.time() + START_S
    while child.poll() is None and loop.time() < give_up_s:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.2)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise DeviceError(
        f"the server did not come up on port {port}; run `interplay serve` to see what it says"
    )
