"""What a result was measured on: machine, versions, weights. Knows nothing of what was measured."""

import hashlib
import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from interplay import __version__

PACKAGES = ("torch", "numpy", "soundfile", "pocketsphinx", "jiwer", "webrtcvad-wheels")


def machine_facts() -> dict[str, Any]:
    """Of this machine and this Python, as JSON can hold it."""
    return {
        **versions(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def versions() -> dict[str, str]:
    """Of this package, Python and the packages that numbers depend on."""
    return {
        "interplay": __version__,
        "python": platform.python_version(),
        **versions_of(PACKAGES),
    }


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Of those that are installed."""
    return {name: found for name in packages if (found := _version(name))}


def cpu_name() -> str:
    """As the machine tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def file_sha256(path: Path | None) -> str | None:
    """Of the weights' file; None where there is none."""
    return None if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
