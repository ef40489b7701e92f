"""Where slots of a cache stood, to go back to when what follows fails. Knows nothing of sessions.

A pass only adds positions, which count once it is done; but a cut and a pass after it write over
the newest ones. So a mark holds the lengths and a copy of the newest positions.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.model.ring_cache import AnyCache


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Lengths [b] of the slots [b], and their newest n positions; those of a session that has
    fewer are its first one, again and again."""

    cache: AnyCache
    slots: Int[Tensor, " b"]
    lengths: Int[Tensor, " b"]
    positions: Int[Tensor, "b n"]
    k: Float[Tensor, "b n layers kvh d"]
    v: Float[Tensor, "b n layers kvh d"]

    @staticmethod
    def of(cache: AnyCache, slots: Int[Tensor, " b"], num_newest: int) -> "Mark":
        """How `slots` stand now."""
        lengths = cache.length[slots]
        back = torch.arange(1, num_newest + 1, device=lengths.device)
        positions = (lengths[:, None] - back).clamp_min(0)
        rows, columns = slots[:, None], cache.columns(slots, positions)
        return Mark(
            cache=cache,
            slots=slots,
            lengths=lengths,
            positions=positions,
            k=cache.k[:, rows, :, columns],
            v=cache.v[:, rows, :, columns],
        )

    def go_back(self) -> None:
        """As if nothing had been: at most n positions were cut since, and ROLLBACK added."""
        cache, rows = self.cache, self.slots[:, None]
        columns = cache.columns(self.slots, self.positions)  # a cache may have moved them
        cache.k[:, rows, :, columns] = self.k
        cache.v[:, rows, :, columns] = self.v
        cache.length[self.slots] = self.lengths
