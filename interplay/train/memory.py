"""Which allocator a training has: tensors of every size come and go, in several threads.

glibc's hands large ones back and maps new pages for every step; told to keep them it walks longer
and longer lists under one lock. Steps of two threads took 1.3 s with it, 1.75 s where it kept them
and 1.1 s with jemalloc (docs/log.md, 2026-12-01). Which one a process has is settled before it
begins. Knows nothing of training.
"""

import sys
from pathlib import Path

MAPS = Path("/proc/self/maps")
BETTER = ("jemalloc", "mimalloc", "tcmalloc")
ADVICE = (
    "memory is glibc's; steps on a CPU are about a sixth faster with jemalloc: apt install "
    "libjemalloc2, and LD_PRELOAD=libjemalloc.so.2 before the command"
)


def advice(maps: Path = MAPS) -> str | None:
    """What to do for a faster training, in one line; None where an allocator for threads is loaded
    or nobody can tell. maps: what is loaded, as Linux lists it."""
    if not sys.platform.startswith("linux") or not maps.exists():
        return None
    loaded = maps.read_text(encoding="utf-8", errors="replace")
    return None if any(name in loaded for name in BETTER) else ADVICE
