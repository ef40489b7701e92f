"""What the machine does to a program that must be in time: takes its pages and its processor.

Knows nothing of ticks, sessions or models.
"""

import ctypes
import os
import sys
from typing import NamedTuple

if sys.platform != "win32":
    import resource

# mlockall(2): what there is, what will be, each page from when it is first touched
CURRENT, FUTURE, ON_FAULT = 1, 2, 4


class Waits(NamedTuple):
    """How often this thread waited so far. page_faults: for a page that had to be read from the
    disk; preemptions: for the processor, which was given to somebody else."""

    page_faults: int = 0
    preemptions: int = 0

    def since(self, before: "Waits") -> "Waits":
        return Waits(*(now - then for now, then in zip(self, before, strict=True)))


NOTHING = Waits()


def waits() -> Waits:
    """Of the calling thread (getrusage(2)); of the whole program where threads are not told apart,
    and nothing on Windows."""
    if sys.platform == "win32":
        return NOTHING
    usage = resource.getrusage(getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF))
    return Waits(page_faults=usage.ru_majflt, preemptions=usage.ru_nivcsw)


def stay_resident() -> str:
    """Keep in memory whatever this program touches (mlockall(2)): a kernel that reclaims what was
    not used for a while takes code and weights of a quiet server, and the tick that needs them
    again waits for the disk. Returns whether it was possible, and why not."""
    if sys.platform != "linux":
        return "may be paged out (no way to lock it here)"
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if hard != resource.RLIM_INFINITY and os.geteuid() != 0:
        return f"may be paged out (the limit is {hard >> 10} kB; `ulimit -l unlimited` lifts it)"
    if hard == resource.RLIM_INFINITY and soft != hard:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
    library = ctypes.CDLL(None, use_errno=True)
    if library.mlockall(CURRENT | FUTURE | ON_FAULT):
        return f"may be paged out ({os.strerror(ctypes.get_errno())})"
    return "locked"
