"""Memory of all sessions is taken at start-up or refused there. Knows nothing of sessions' content.

Linux gives zeroed memory only when it is written to, and kills whoever writes when there is none
left: a session would die because of the ones that came after it. So the arenas are weighed before
they are made, and written to once.
"""

from pathlib import Path
from typing import Any

import torch

from interplay.errors import ConfigError
from interplay.model.backbone import Backbone, BackboneConfig
from interplay.model.cache import Cache
from interplay.model.ring_cache import AnyCache, RingCache

MEMINFO = Path("/proc/meminfo")
SPARE_BYTES = 64 << 20  # for everything else that a process takes while it runs
CPU = torch.device("cpu")


class NoRoomError(ConfigError):
    """So many sessions do not fit into the memory that is free."""


def free_bytes(device: torch.device = CPU) -> int | None:
    """What the machine, or a GPU, can still give without swapping; None where it does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = MEMINFO.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else None


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
