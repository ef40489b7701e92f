"""Recognisers and detectors that other packages add by entry points. Knows nothing of those that
are built in."""

from importlib.metadata import entry_points
from typing import Any

from interplay.errors import ConfigError


def names(group: str) -> list[str]:
    """Every name that installed packages add to a group."""
    return [point.name for point in entry_points(group=group)]


def plugin(group: str, name: str, kind: Any, *, what: str, gives: str) -> Any:
    """What a package adds to a group under this name, None if none does. kind: a protocol that can
    be checked. what, gives: for people, its kind and what it must have. Raises ConfigError for an
    object that is none."""
    for point in entry_points(group=group, name=name):
        made = point.load()()
        if not isinstance(made, kind):
            raise ConfigError(
                f"{point.value} of the {what} {name!r} gives a {type(made).__name__}; it has to "
                f"give an object with {gives}"
            )
        return made
    return None
