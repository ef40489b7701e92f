"""Finds out how many rows a matrix product needs here before its bits stop depending on them.

Run once at start-up: processors and libraries differ, so the number is measured, never assumed.
Knows nothing of models.
"""

import os
from collections.abc import Iterable

import torch
import torch.nn.functional as F

from interplay.errors import ConfigError

MAX_ROWS = 32  # row counts that are tried, one by one
REFERENCE_ROWS = 64
# Of a tick that decodes 1, 2, ... sessions, reads their input halves, or is a batch of training.
ROW_COUNTS = (*range(1, 33), 48, 64, 96, 100, 128, 192, 256, 384, 512, 768, 1000, 1024, 1536, 2048,
              3072, 4096, 6000, 8192)  # fmt: skip


# What oneDNN is told to leave tiles alone with, before torch is loaded: rows then keep their bits.
ISA, WITHOUT_TILES = "ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16"
BY_TILES = f"rows depend on each other in this CPU's bfloat16, unless {ISA}={WITHOUT_TILES}"


def has_tiles() -> bool:
    """Whether products in bfloat16 are done by tiles (AMX), whose recipe hangs on the number of
    rows: up to 129 of them, and not for every shape, so that no probe of few rows finds it."""
    most = os.environ.get(ISA, "ALL").upper()
    may = most in ("ALL", "DEFAULT") or "AMX" in most
    return may and torch.cpu._is_amx_tile_supported()


def probe_rows(shapes: Iterable[tuple[int, int]], dtype: torch.dtype) -> int:
    """The smallest row count from which every weight shape (n, k) gives the same bits.

    Raises ConfigError when there is none up to 32: this processor cannot keep the guarantee.
    """
    needed = 1
    for n, k in sorted(set(shapes)):
        rows = _first_safe(n, k, dtype)
        if rows > MAX_ROWS:
            raise ConfigError(
                f"a {n} x {k} product in {dtype} changes its bits with up to {rows - 1} rows on "
                f"this processor; at most {MAX_ROWS - 1} are allowed; training and serving cannot "
                f"agree bit for bit here: {_cure(dtype)}"
            )
        needed = max(needed, rows)
    return needed


def _cure(dtype: torch.dtype) -> str:
    if dtype == torch.bfloat16 and has_tiles():
        return f"compute in float32, or set {ISA}={WITHOUT_TILES}"
    return "use another processor or another build of torch"


def safe_shapes(
    shapes: Iterable[tuple[int, int]],
    dtype: torch.dtype,
    device: torch.device,
    *,
    min_rows: int = 1,
) -> set[tuple[int, int]]:
    """The weight shapes (n, k) whose product gives a row the same bits at every row count tried:
    ROW_COUNTS from `min_rows` on, to which `linear` fills up."""
    counts = sorted({max(min_rows, rows) for rows in ROW_COUNTS})
    return {shape for shape in set(shapes) if _is_safe(*shape, dtype, device, counts)}


def _is_safe(n: int, k: int, dtype: torch.dtype, device: torch.device, counts: list[int]) -> bool:
    generator = torch.Generator().manual_seed(n * 65_537 + k)
    x = torch.randn(counts[-1], k, generator=generator).to(device, dtype)
    weight = torch.randn(n, k, generator=generator).to(device, dtype)
    with torch.no_grad():
        reference = F.linear(x, weight)
        return all(torch.equal(F.linear(x[-rows:], weight), reference[-rows:]) for rows in counts)


def _first_safe(n: int, k: int, dtype: torch.dtype) -> int:
    generator = torch.Generator().manual_seed(n * 65_537 + k)
    x = torch.randn(REFERENCE_ROWS, k, generator=generator).to(dtype)
    weight = torch.randn(n, k, generator=generator).to(dtype)
    with torch.no_grad():
        reference = F.linear(x, weight)
        for rows in range(MAX_ROWS, 0, -1):
            if not torch.equal(F.linear(x[:rows], weight), reference[:rows]):
                return rows + 1
    return 1
