"""The suites by name; each is a module that is imported when it is asked for.

Knows nothing of what a suite plays or scores.
"""

import importlib
import importlib.util
from typing import Any

from interplay.bench.suites.base import Suite
from interplay.errors import ConfigError

NAMES = (
    "fdb1",
    "fdb15",
    "fdb3",
    "tau",
    "repcount",
    "pvqa",
    "charades",
    "ifeval",
    "voice-ifeval",
    "harmbench",
    "audiomc",
    "timespeak",
    "cuespeak",
    "stress",
)
BEHAVIOURS = "behaviours"  # the twins of all suites together


def available() -> list[str]:
    """The suites that are there, in the order of the list."""
    return [name for name in NAMES if importlib.util.find_spec(_module(name)) is not None]


def load_suite(name: str, judge: Any = None) -> Suite:
    """The suite of that name. judge: of bench.judges; suites that can be judged by it are. Raises
    ConfigError for one that is not there."""
    if name not in available():
        raise ConfigError(f"no suite {name!r}; suites: {', '.join(available()) or 'none'}")
    module = importlib.import_module(_module(name))
    if judge is not None and hasattr(module, "judged"):
        return module.judged(judge)
    return module.SUITE


def load_suites(name: str, judge: Any = None) -> list[Suite]:
    """One suite, or all of them for `behaviours`. Raises ConfigError as `load_suite`."""
    if name == BEHAVIOURS and available():
        return [load_suite(each, judge) for each in available()]
    return [load_suite(name, judge)]


def _module(name: str) -> str:
    return f"{__name__}.{name.replace('-', '_')}"
