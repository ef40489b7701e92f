"""Items as JSON and back, and the name that an item has on disk and in results.

Every part is written with its class, arrays with their bytes, so an item read back plays and
scores like the one written. A picture source that is a bare function cannot be stored: it comes
back as `NotStored`. Knows nothing of traces or of folders.
"""

import base64
import dataclasses
import hashlib
import importlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interplay.data.item import Item
from interplay.errors import RecordError

HASH_DIGITS = 10
OUR_OWN = "interplay."  # only classes of this package are made from what a file says


@dataclasses.dataclass(frozen=True)
class NotStored:
    """What stands for a function that was part of an item. Raises RecordError when called."""

    name: str

    def __call__(self, *_args: Any) -> Any:
        raise RecordError(f"{self.name} was not stored with the item; play the suite again")


def item_hash(item: Item) -> str:
    """SHA-256 over all that the item is, as hex digits."""
    return hashlib.sha256(json.dumps(encode(item), sort_keys=True).encode()).hexdigest()


def item_id(item: Item) -> str:
    """`SEED-HASH`: the same item always has the same, and no other item has it."""
    return f"{item.seed}-{item_hash(item)[:HASH_DIGITS]}"


def file_stem(item: Item) -> str:
    """`SUITE-FAMILY-SEED`: what the files of an item are called that others play or record."""
    return f"{item.kind}-{item.subset}-{item.seed}"


def encode(value: Any) -> Any:
    """A value of an item as what JSON can hold. Raises RecordError for what cannot be stored."""
    if isinstance(value, str | bool | int | float | None):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        packed = base64.b64encode(zlib.compress(np.ascontiguousarray(value).tobytes(), 1))
        return {"$array": value.dtype.str, "shape": list(value.shape), "zlib": packed.decode()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"$class": f"{type(value).__module__}:{type(value).__qualname__}", **fields}
    if isinstance(value, tuple):
        return {"$tuple": [encode(each) for each in value]}
    if isinstance(value, list):
        return [encode(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): encode(each) for key, each in value.items()}
    if isinstance(value, Path):
        return {"$path": str(value)}
    if callable(value):
        return {"$function": _name_of(value)}
    raise RecordError(f"an item holds a {type(value).__name__}, which cannot be stored")


def _name_of(function: Any) -> str:
    """Tells functions apart as far as their names do, and partial ones by what they were given."""
    inner = getattr(function, "func", function)
    name = f"{inner.__module__}:{inner.__qualname__}"
    return name if inner is function else f"{name} {function.args!r} {function.keywords!r}"


def decode(value: Any) -> Any:
    """What `encode` was given. Raises RecordError for what it did not write."""
    if isinstance(value, list):
        return [decode(each) for each in value]
    if not isinstance(value, dict):
        return value
    try:
        if "$array" in value:
            data = zlib.decompress(base64.b64decode(value["zlib"]))
            return np.frombuffer(data, value["$array"]).reshape(value["shape"]).copy()
        if "$tuple" in value:
            return tuple(decode(each) for each in value["$tuple"])
        if "$path" in value:
            return Path(value["$path"])
        if "$function" in value:
            return NotStored(value["$function"])
        if "$class" in value:
            return _make(value)
    except (KeyError, ValueError, TypeError, AttributeError, ImportError, zlib.error) as error:
        raise RecordError(f"a stored item cannot be read: {error}; play the suite again") from error
    return {key: decode(each) for key, each in value.items()}


def _make(value: dict[str, Any]) -> Any:
    module, name = value["$class"].split(":")
    if not module.startswith(OUR_OWN):
        raise ValueError(f"a class of {module}")
    kind: Any = getattr(importlib.import_module(module), name)
    if not hasattr(kind, "__dataclass_fields__"):
        raise ValueError(f"{name} is no record")
    return kind(**{key: decode(each) for key, each in value.items() if key != "$class"})
