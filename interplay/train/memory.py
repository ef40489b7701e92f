"""Memory that a step has given back is kept for the next one.

glibc maps every large tensor anew and hands it back when it is freed, so every step writes to pages
that the kernel must first find and clear. Without that training is about a tenth faster on two
cores (docs/log.md, 2026-12-01). Knows nothing of training.
"""

import ctypes
import sys

# Of malloc.h, glibc 2.36 (mallopt(3)).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
MOST = 2**31 - 1  # what the call can carry
PAD_BYTES = 2**28


def reuse_memory() -> bool:
    """From now on freed memory stays with this process, all of it in one arena; threads that have
    allocated already keep theirs. Returns whether the C library knows how: others are left as they
    are."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: MOST, M_TOP_PAD: PAD_BYTES, M_ARENA_MAX: 1}
    return all([mallopt(name, value) == 1 for name, value in settings.items()])
