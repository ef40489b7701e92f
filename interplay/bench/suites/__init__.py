"""The suites by name; each is a module that is imported when it is asked for.

Knows nothing of what a suite plays or scores.
"""

import importlib

from interplay.bench.scoring.judges import Judge
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
    "translate",
    "stress",
    "delegate",
)
BEHAVIOURS = "behaviours"  # the twins of all suites above together
# the same items as elsewhere in other voices; hours of sessions; to look at, not to compare by
ALONE = ("voices", "long-timer", "gallery")


def load_suite(name: str, judge: Judge | None = None) -> Suite:
    """The suite of that name. judge: suites that can be judged by it are.

    Raises ConfigError for one that is not there.
    """
    if name not in (*NAMES, *ALONE):
        raise ConfigError(f"no suite {name!r}; suites: {', '.join((*NAMES, *ALONE))}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    if judge is not None and hasattr(module, "judged"):
        return module.judged(judge)
    return module.SUITE


def load_suites(name: str, judge: Judge | None = None) -> list[Suite]:
    """One suite, or all of them for `behaviours`. Raises ConfigError as `load_suite`."""
    return [load_suite(each, judge) for each in (NAMES if name == BEHAVIOURS else (name,))]
