"""Gives every process that runs tests what they run under (each_process.py). The one that hands
them out to workers runs none, and need not wait until torch is imported.
"""

import os

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a test that reaches for a hub fails at once
# Read when a process starts: workers of a run and programs that tests start, which share the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin take others' time
# Where bfloat16 is done by tiles rows depend on each other (interplay/ops/probe.py).
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if is_worker or not config.getoption("numprocesses", None):
        config.pluginmanager.import_plugin("each_process")
