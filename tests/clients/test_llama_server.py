"""The background model against llama.cpp's server: replies in a stream, a tool call in two rounds,
cancelled work, and a server that dies."""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from interplay.background.address import parse_address
from interplay.background.broker import Broker, Budget
from interplay.background.chat import ChatBackground
from interplay.background.contract import UNREACHABLE, Result
from interplay.background.loop_thread import LoopThread

pytestmark = pytest.mark.clients
pytest.importorskip("xllamacpp")
pytest.importorskip("gguf")

PROGRAM = str(Path(__file__).parent.parent / "llama_program.py")
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def llama(tmp_path_factory) -> Iterator[tuple[str, subprocess.Popen]]:
    """Its address, and the program."""
    path = tmp_path_factory.mktemp("model") / "table.gguf"
    with (
        path.with_name("log").open("w") as log,
        subprocess.Popen(
            [sys.executable, PROGRAM, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdin and process.stdout
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), path.with_name("log").read_text()[-2000:]
        yield address, process
        process.kill()


@pytest.fixture(scope="module")
def broker(llama) -> Iterator[Broker]:
    loop = LoopThread()
    made = ChatBackground(parse_address(f"{llama[0]}/v1#table"), loop)
    yield Broker(made.open(), Budget(max_seconds=PATIENCE_S))
    made.close()
    loop.close()


def results_of(broker: Broker, until: int | None = None) -> list[Result]:
    """What comes on real time, until nothing is open or there are so many."""
    start_s, out = time.monotonic(), []
    while broker.open and (until is None or len(out) < until):
        assert time.monotonic() - start_s < PATIENCE_S, "nothing came"
        out += broker.poll(time.monotonic() - start_s)
        time.sleep(0.01)
    return out if until else out + broker.poll(PATIENCE_S)


def num_working(address: str) -> int:
    slots = httpx2.get(f"{address}/slots").json()
    return sum(slot["is_processing"] for slot in slots)


def test_a_reply_comes_whole_with_its_usage(broker):
    broker.delegate("hello", 0.0)
    results = results_of(broker)
    assert " ".join(r.content for r in results if r.content) == "Hello. And goodbye."
    last = results[-1]
    assert (
        last.status == "done" and last.usage and last.usage.input > 100 and last.usage.output >= 3
    )


def test_a_tool_call_is_read_and_its_result_brought_back(broker):
    """The server's model calls `calculate`, and says this only where a tool has said 42."""
    broker.delegate("what is six times seven", 0.0)
    results = results_of(broker)
    assert results[-1].status == "done"
    assert " ".join(r.content for r in results if r.content) == "It is forty two."


def test_words_come_while_it_writes_and_cancelled_work_ends_at_the_server_too(broker, llama):
    work = broker.delegate("go on without end", 0.0)
    assert results_of(broker, until=1)[0].content.startswith("Again.")
    assert num_working(llama[0]) == 1
    assert broker.cancel(work, 1.0)
    assert broker.poll(1.0)[-1].status == "cancelled"
    begin_s = time.monotonic()
    while num_working(llama[0]):
        assert time.monotonic() - begin_s < PATIENCE_S, "the server still writes"
        time.sleep(0.05)
    assert not broker.open


def test_a_server_that_dies_while_it_writes_is_said_and_logged(broker, llama, caplog):
    """The last one: it ends the server."""
    address, process = llama
    broker.delegate("go on without end", 0.0)
    assert results_of(broker, until=1)[0].content.startswith("Again.")
    with caplog.at_level(logging.WARNING):
        process.kill()
        ended = results_of(broker)[-1]
        broker.delegate("hello", 1.0)
        late = results_of(broker)[-1]
    assert (ended.status, late.status, late.content) == ("failed", "failed", UNREACHABLE)
    assert f"cannot reach {address}/v1" in caplog.text
