"""What the machine takes from a program, and memory that it may not take."""

import subprocess
import sys

import pytest

from interplay.server.host import Waits


def test_what_was_waited_for_meanwhile():
    assert Waits(3, 7).since(Waits(1, 2)) == Waits(page_faults=2, preemptions=5)


@pytest.mark.skipif(sys.platform != "linux", reason="mlockall is of Linux")
def test_memory_is_locked_or_it_is_said_why_not():
    code = """
import re
from interplay.server.host import stay_resident
told = stay_resident()
touched = bytearray(b"x") * 8_000_000
locked_kb = int(re.search(r"VmLck:\\s+(\\d+)", open("/proc/self/status").read())[1])
assert (told == "locked") == (locked_kb > 8_000), (told, locked_kb)
assert told == "locked" or told.startswith("may be paged out ("), told
"""
    subprocess.run([sys.executable, "-c", code], check=True)
