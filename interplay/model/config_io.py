"""Config dataclasses as plain dictionaries and back. Knows nothing of what a config means."""

import dataclasses
import types
import typing
from typing import Any, TypeVar

from interplay.errors import ConfigError

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """A config, nested ones too, as what JSON can hold."""
    return dataclasses.asdict(config)


def from_dict(cls: type[T], data: Any, where: str = "config") -> T:
    """Inverse of `to_dict`. Raises ConfigError for unknown, missing or wrongly typed keys.

    where: how to name this part in messages, such as `config.backbone`.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{where} is {data!r}; a table of keys is needed")
    assert dataclasses.is_dataclass(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise ConfigError(
            f"{where} has the unknown key {unknown[0]!r}; the keys are {', '.join(fields)}"
        )
    for name, field in fields.items():
        has_default = (
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING
        )
        if name not in data and not has_default:
            raise ConfigError(f"{where} lacks the key {name!r}; add it")
    hints = typing.get_type_hints(cls)
    return cls(**{name: _value(hints[name], data[name], f"{where}.{name}") for name in data})


def _value(hint: Any, value: Any, where: str) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if value is None:
            return None
        (hint,) = [option for option in typing.get_args(hint) if option is not type(None)]
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, where)  # type: ignore[arg-type]
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where} is {value!r}; {hint.__name__} is needed")
    return value
