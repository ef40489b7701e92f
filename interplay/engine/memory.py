"""Memory of all sessions is taken at start-up or refused there. Knows nothing of sessions' content.

Linux gives zeroed memory only when it is written to, and kills whoever writes when there is none
left: a session would die because of the ones that came after it. So the arenas are weighed before
they are made, and written to once.
"""

from pathlib import Path

import torch

from interplay.errors import ConfigError
from interplay.model.backbone import Backbone, BackboneConfig
from interplay.model.cache import Cache

MEMINFO = Path("/proc/meminfo")
SPARE_BYTES = 64 << 20  # for everything else that a process takes while it runs


def free_bytes() -> int | None:
    """What the machine can still give without swapping; None where it does not tell."""
    try:
        lines = MEMINFO.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else None


def slot_bytes(config: BackboneConfig, dtype: torch.dtype) -> int:
    """Memory of one session's share of a cache, whatever the session's age."""
    weightless = Cache(
        num_layers=config.num_layers,
        num_slots=1,
        num_kv_heads=config.num_kv_heads,
        head_dim=config.head_dim,
        window=config.window,
        prefix=config.prefix,
        dtype=dtype,
        device="meta",
    )
    return 2 * weightless.k.numel() * weightless.k.element_size()


def new_cache(backbone: Backbone, num_slots: int, dtype: torch.dtype) -> Cache:
    """Arenas for `num_slots` sessions, in memory that is there. Raises ConfigError with the number
    of slots that would fit."""
    each, free = slot_bytes(backbone.config, dtype), free_bytes()
    if free is not None and num_slots * each > free - SPARE_BYTES:
        raise ConfigError(
            f"{num_slots} session slots need {num_slots * each / 2**20:,.0f} MB and "
            f"{free / 2**20:,.0f} MB are free; at most {max(0, free - SPARE_BYTES) // each} fit"
        )
    try:
        cache = backbone.new_cache(num_slots, dtype)
    except RuntimeError as error:  # what torch raises when an allocation fails
        raise ConfigError(f"no memory for {num_slots} session slots ({error}); use fewer") from None
    assert isinstance(cache, Cache), "on a CPU"
    cache.k.zero_()
    cache.v.zero_()
    return cache
