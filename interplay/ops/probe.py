"""Finds out how many rows a matrix product needs here before its bits stop depending on them.

Run once at start-up: processors and libraries differ, so the number is measured, never assumed.
Knows nothing of models.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F

from interplay.errors import ConfigError

MAX_ROWS = 32  # row counts that are tried, one by one
REFERENCE_ROWS = 64
ROW_COUNTS = (16, 17, 24, 32, 48, 64, 100, 128, 256, 1000, 2048, 4096)  # 16: `linear` pads to it


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
                f"this processor; at most {MAX_ROWS - 1} are allowed; use another dtype or run "
                "without the promise that training and serving agree bit for bit"
            )
        needed = max(needed, rows)
    return needed


def safe_shapes(
    shapes: Iterable[tuple[int, int]], dtype: torch.dtype, device: torch.device
) -> set[tuple[int, int]]:
    """The weight shapes (n, k) whose product gives a row the same bits at every row count tried."""
    return {shape for shape in set(shapes) if _is_safe(*shape, dtype, device)}


def _is_safe(n: int, k: int, dtype: torch.dtype, device: torch.device) -> bool:
    generator = torch.Generator().manual_seed(n * 65_537 + k)
    x = torch.randn(max(ROW_COUNTS), k, generator=generator).to(device, dtype)
    weight = torch.randn(n, k, generator=generator).to(device, dtype)
    with torch.no_grad():
        reference = F.linear(x, weight)
        return all(
            torch.equal(F.linear(x[-rows:], weight), reference[-rows:]) for rows in ROW_COUNTS
        )


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
