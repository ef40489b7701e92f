"""numpy keeps no second thread busy beside the ticks of a command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os
{first}
import numpy
numpy.ones((512, 512)) @ numpy.ones((512, 512))
print(len(os.listdir("/proc/self/task")))
"""
LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def num_threads(first: str) -> int:
    env = {name: value for name, value in os.environ.items() if name not in LIMITS}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=first)],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted by Linux")
def test_a_command_multiplies_small_matrices_with_one_thread():
    if len(os.sched_getaffinity(0)) > 1:
        assert num_threads("") > 1  # else there is nothing to prevent
    assert num_threads("import interplay.cli") == 1
