"""Memory of all sessions is taken at start-up or refused there. Knows nothing of sessions' content.

Linux gives zeroed memory only when it is written to, and kills whoever writes when there is none
left: a session would die because of the ones that came after it. So the arenas are weighed before
they are made, and written to once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from interplay.errors import ConfigError
from interplay.model.backbone import Backbone, BackboneConfig
from interplay.model.cache import Cache
from interplay.model.ring_cache import AnyCache, RingCache

MEMINFO = Path("/proc/meminfo")
OWN_GROUPS = Path("/proc/self/cgroup")  # lines of id:controllers:path
GROUPS = Path("/sys/fs/cgroup")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = ("memory.max", "memory.current", "inactive_file")
SPARE_BYTES = 64 << 20  # for everything else that a process takes while it runs
CPU = torch.device("cpu")


class NoRoomError(ConfigError):
    """So many sessions do not fit into the memory that is free."""


def free_bytes(device: torch.device = CPU) -> int | None:
    """What the machine and the container, or a GPU, can still give without swapping; None where
    they do not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    found = [line.split()[1] for line in _lines(MEMINFO) if line.startswith("MemAvailable:")]
    return min([*(1024 * int(kb) for kb in found[:1]), *_free_of_groups()], default=None)


def _free_of_groups() -> Iterator[int]:
    """What each control group that this process is in, and each around it, still allows.

    Inside a container the own group may be the root of what is mounted there, whatever its path.
    """
    for line in _lines(OWN_GROUPS):
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            root, names = GROUPS / "memory", VERSION_1
        elif not controllers:
            root, names = GROUPS, VERSION_2
        else:
            continue
        own = root / path.strip("/")
        for group in (own, *own.parents):
            if group.is_relative_to(root):
                yield from _free_of(group, *names)


def _free_of(group: Path, limit: str, used: str, cached: str) -> list[int]:
    """One number, or none without a limit. cached: what the kernel drops when memory is short."""
    try:
        most, taken = (int((group / name).read_text()) for name in (limit, used))
    except (OSError, ValueError):  # no such group, or `max`
        return []
    stat = dict(line.split()[:2] for line in _lines(group / "memory.stat"))
    return [max(0, most - taken + int(stat.get(cached, 0)))]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def slot_bytes(
    config: BackboneConfig, dtype: torch.dtype, kind: type[Cache] | type[RingCache] = Cache
) -> int:
    """Memory of one session's share of a cache, whatever the session's age."""
    weightless = kind(num_slots=1, dtype=dtype, device="meta", **_shape(config))
    return 2 * weightless.k.numel() * weightless.k.element_size()


def new_cache(backbone: Backbone, num_slots: int, dtype: torch.dtype) -> Cache:
    """Arenas for `num_slots` sessions, in memory that is there. Raises NoRoomError with the number
    of slots that would fit."""
    _weigh(num_slots, slot_bytes(backbone.config, dtype), CPU)
    try:
        cache = backbone.new_cache(num_slots, dtype)
    except RuntimeError as error:  # what torch raises when an allocation fails
        raise NoRoomError(f"no memory for {num_slots} session slots ({error}); use fewer") from None
    assert isinstance(cache, Cache), "on a CPU"
    _write(cache)
    return cache


def new_ring(
    config: BackboneConfig, num_slots: int, dtype: torch.dtype, device: torch.device
) -> RingCache:
    """The same as rings on any device, with one slot more, for scratch."""
    each = slot_bytes(config, dtype, RingCache)
    _weigh(num_slots, each, device, spare=SPARE_BYTES + each)
    ring = RingCache(num_slots=num_slots + 1, dtype=dtype, device=device, **_shape(config))
    _write(ring)
    return ring


def _shape(config: BackboneConfig) -> dict[str, Any]:
    return {
        "num_layers": config.num_layers,
        "num_kv_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "window": config.window,
        "prefix": config.prefix,
    }


def _weigh(num_slots: int, each: int, device: torch.device, spare: int = SPARE_BYTES) -> None:
    free = free_bytes(device)
    if free is not None and num_slots * each > free - spare:
        raise NoRoomError(
            f"{num_slots} session slots need {num_slots * each / 2**20:,.0f} MB and "
            f"{free / 2**20:,.0f} MB are free; at most {max(0, free - spare) // each} fit"
        )


def _write(cache: AnyCache) -> None:
    cache.k.zero_()
    cache.v.zero_()
