"""Memory that stays with the process: asked of the C library, and what it does to page faults."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from interplay.train.memory import reuse_memory
assert {reuse} is False or reuse_memory()
def used(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20): torch.ones(10_000_000)
before = used()
for _ in range(10): torch.ones(10_000_000)
print(used() - before)
"""


def faults(reuse: bool) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(reuse=reuse)], capture_output=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
def test_large_tensors_get_the_pages_of_those_before_them():
    with_it = faults(reuse=True)
    assert with_it < 100  # of 10 x 9766 pages
    assert faults(reuse=False) > 10 * max(1, with_it)
