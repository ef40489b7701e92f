"""The past of many sessions on a GPU: keys and values in rings, counters on the device.

Unlike `model.cache` nothing ever moves and no pass asks the host anything: where rows are written
and what they see follows from the lengths, which live beside the keys. So a whole tick can be one
CUDA graph. Knows nothing of layers or streams.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.errors import SessionError
from interplay.model.cache import ROLLBACK, Cache, SlotValue
from interplay.ops.attention import round_up
from interplay.ops.ring import BLOCK, attend_ring, ring_columns


@dataclass(frozen=True, kw_only=True)
class RingAppend:
    """Where the rows of one pass go; valid until the next pass."""

    cache: "RingCache"
    slots: Int[Tensor, " b"]
    first: Int[Tensor, " b"]  # position of the first row, per slot
    num_rows: int
    columns: Int[Tensor, "b r"]

    def attend(
        self,
        layer: int,
        q: Float[Tensor, "b h r d"],
        k: Float[Tensor, "b kvh r d"],
        v: Float[Tensor, "b kvh r d"],
    ) -> Float[Tensor, "b h r d"]:
        """Write one layer's new keys and values, then look at all that the rows may see."""
        cache = self.cache
        for arena, new in ((cache.k[layer], k), (cache.v[layer], v)):
            arena[self.slots[:, None], :, self.columns] = new.transpose(1, 2)
        return attend_ring(
            q, cache.k[layer], cache.v[layer], self.slots, self.first,
            window=cache.window, prefix=cache.prefix, prefix_columns=cache.prefix_columns,
        )  # fmt: skip

    def commit(self) -> None:
        """Count the rows as past; before this they are as if never written."""
        self.cache.length[self.slots] = self.first + self.num_rows


class RingCache:
    """Keys and values of `num_slots` sessions, with a sliding window and a pinned prefix.

    k, v: [layers, slots, kv_heads, columns, head_dim]. length: int64 [slots], positions so far, on
    the same device. Columns are those of `ops.ring`.
    """

    def __init__(
        self,
        *,
        num_layers: int,
        num_slots: int,
        num_kv_heads: int,
        head_dim: int,
        window: int,
        prefix: int = 0,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.window, self.prefix = window, prefix
        self.prefix_columns = round_up(prefix, BLOCK)
        self.ring = round_up(window, BLOCK) + BLOCK
        shape = (num_layers, num_slots, num_kv_heads, self.prefix_columns + self.ring, head_dim)
        self.k = torch.zeros(shape, dtype=dtype, device=device)
        self.v = torch.zeros(shape, dtype=dtype, device=device)
        self.length = torch.zeros(num_slots, dtype=torch.int64, device=device)

    @property
    def num_slots(self) -> int:
        """How many sessions fit."""
        return self.k.shape[1]

    @property
    def max_rows(self) -> int:
        """The most rows that one pass may append: what rolls back must still be there."""
        return self.ring - self.window - ROLLBACK

    def append(self, num_rows: int, slots: Int[Tensor, " b"] | None = None) -> RingAppend:
        """Places for `num_rows` rows in each of `slots` (all of them by default)."""
        assert 0 < num_rows <= self.max_rows
        device = self.k.device
        slots = torch.arange(self.num_slots, device=device) if slots is None else slots
        first = self.length[slots]
        positions = first[:, None] + torch.arange(num_rows, device=device)
        columns = self.columns(slots, positions)
        return RingAppend(cache=self, slots=slots, first=first, num_rows=num_rows, columns=columns)

    def columns(self, slots: Int[Tensor, " b"], positions: Int[Tensor, "b r"]) -> Tensor:
        """Where these positions lie, int64 [b, r]; it is the same in all `slots`."""
        return ring_columns(positions, self.prefix_columns, self.ring)

    def reset_slot(self, slot: int) -> None:
        """Forget the session in `slot`."""
        self.length[slot] = 0

    def truncate(self, slot: int, length: int) -> None:
        """Go back to an earlier length, at most `ROLLBACK` positions.

        Raises SessionError when the keys that the earlier length needs may be gone.
        """
        now = int(self.length[slot])
        if not max(0, now - ROLLBACK) <= length <= now:
            raise SessionError(
                f"cannot go back to position {length}: the session can go back to any of "
                f"{max(0, now - ROLLBACK)} to {now}; restore a saved state for an earlier one"
            )
        self.length[slot] = length

    def read_slot(self, slot: int) -> SlotValue:
        """The session in `slot` as a value on the host; columns of no use any more come along."""
        length = int(self.length[slot])
        used = min(length, self.k.shape[3])
        k, v = (arena[:, slot, :, : round_up(used)].cpu().clone() for arena in (self.k, self.v))
        k[:, :, used:] = v[:, :, used:] = 0
        return {"k": k, "v": v, "length": length, "base": self.prefix_columns}

    def write_slot(self, slot: int, value: SlotValue) -> None:
        """Put a session that `read_slot` returned into `slot` of this or an equal cache."""
        columns = value["k"].shape[2]
        fits = columns == min(round_up(value["length"]), self.k.shape[3])
        if not fits or value["base"] != self.prefix_columns:
            raise SessionError(
                f"a saved session with {columns} columns does not fit a ring of {self.ring} after "
                f"a prefix of {self.prefix_columns}; restore it on the kind of device that saved it"
            )
        self.k[:, slot, :, :columns] = value["k"].to(self.k.device)
        self.v[:, slot, :, :columns] = value["v"].to(self.v.device)
        self.length[slot] = value["length"]


AnyCache = Cache | RingCache
