"""The past of many sessions: fixed arenas of keys and values. Knows nothing of layers or streams.

One slot of the arena holds one session: first the blocks that hold the pinned prefix, then the
window area, whose first column is the absolute position `base`, always a multiple of the
attention block. When the area is full the live part moves down by whole blocks. Nothing is
allocated after construction, so a session's memory does not grow with its age.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interplay.errors import SessionError
from interplay.ops.attention import BLOCK, attend, round_up, visible

ROLLBACK = 128  # positions that may always be taken back, compaction or not


class SlotValue(TypedDict):
    """One session's part of a cache: k, v [layers, kv_heads, columns, head_dim] and counters."""

    k: Tensor
    v: Tensor
    length: int
    base: int


@dataclass(frozen=True, kw_only=True)
class Append:
    """Where the rows of one pass go and what they see; valid until the next pass."""

    cache: "Cache"
    slots: list[int]
    columns: list[int]  # first arena column to write, per slot
    lengths: list[int]  # positions before these rows, per slot
    num_rows: int
    seen: slice  # arena columns that the pass reads

    @cached_property
    def mask(self) -> Bool[Tensor, "b 1 r s"]:
        """Which of the columns every row sees."""
        return self.cache.mask(self.slots, self.num_rows, self.seen)

    def attend(
        self,
        layer: int,
        q: Float[Tensor, "b h r d"],
        k: Float[Tensor, "b kvh r d"],
        v: Float[Tensor, "b kvh r d"],
    ) -> Float[Tensor, "b h r d"]:
        """Write one layer's new keys and values, then look at all that the rows may see."""
        return attend(q, *self.put(layer, k, v), self.mask)

    def put(
        self, layer: int, k: Float[Tensor, "b kvh r d"], v: Float[Tensor, "b kvh r d"]
    ) -> tuple[Float[Tensor, "b kvh s d"], Float[Tensor, "b kvh s d"]]:
        """Write one layer's new keys and values; return all that the pass reads."""
        return self._put(self.cache.k[layer], k), self._put(self.cache.v[layer], v)

    def _put(self, arena: Tensor, new: Tensor) -> Tensor:
        rows, first = self.num_rows, self.slots[0]
        together = self.slots == list(range(first, first + len(self.slots)))
        if together and len(set(self.columns)) == 1:
            column = self.columns[0]
            arena[first : first + len(self.slots), :, column : column + rows] = new
        else:
            for i, (slot, column) in enumerate(zip(self.slots, self.columns, strict=True)):
                arena[slot, :, column : column + rows] = new[i]
        if together:
            return arena[first : first + len(self.slots), :, self.seen]
        return arena[self.slots, :, self.seen]

    def commit(self) -> None:
        """Count the rows as past; before this they are as if never written."""
        length = self.cache.length.numpy()  # a torch operation per number takes a hundred times
        for slot in self.slots:
            length[slot] += self.num_rows


class Cache:
    """Keys and values of `num_slots` sessions, with a sliding window and a pinned prefix.

    k, v: [layers, slots, kv_heads, capacity, head_dim]. length: int64 [slots], positions so
    far. base: int64 [slots], absolute position of the window area's first column.
    A query at position p sees the keys p - window < key <= p, and every key < prefix.
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
        num_spare_blocks: int = 2,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ):
        assert window % BLOCK == 0 and num_spare_blocks >= 2
        self.window, self.prefix = window, prefix
        self.prefix_columns = round_up(prefix)
        self.area = window + num_spare_blocks * BLOCK
        shape = (num_layers, num_slots, num_kv_heads, self.prefix_columns + self.area, head_dim)
        self.k = torch.zeros(shape, dtype=dtype, device=device)
        self.v = torch.zeros(shape, dtype=dtype, device=device)
        self.length = torch.zeros(num_slots, dtype=torch.int64)
        self.base = torch.full((num_slots,), self.prefix_columns, dtype=torch.int64)

    @property
    def num_slots(self) -> int:
        """How many sessions fit."""
        return self.k.shape[1]

    @property
    def max_rows(self) -> int:
        """The most rows that one pass may append, whatever the lengths are."""
        return self.area - (self.window + ROLLBACK + BLOCK)

    def append(self, num_rows: int, named: Int[Tensor, " b"] | None = None) -> Append:
        """Make room for `num_rows` rows in each of the `named` slots, by default in all."""
        assert 0 < num_rows <= self.max_rows
        slots = list(range(self.num_slots)) if named is None else named.tolist()
        all_lengths = self.length.tolist()
        lengths = [all_lengths[slot] for slot in slots]
        for slot, length in zip(slots, lengths, strict=True):
            if self._column(slot, length + num_rows) > self.k.shape[3]:
                self._compact(slot)
        columns = [self._column(slot, at) for slot, at in zip(slots, lengths, strict=True)]
        return Append(
            cache=self,
            slots=slots,
            columns=columns,
            lengths=lengths,
            num_rows=num_rows,
            seen=self._seen(slots, max(columns) + num_rows),
        )

    def columns(self, slots: Int[Tensor, " b"], positions: Int[Tensor, "b r"]) -> Tensor:
        """Where these positions of `slots` lie now, int64 [b, r]."""
        later = self.prefix_columns + positions - self.base[slots][:, None]
        return torch.where(positions < self.prefix_columns, positions, later)

    def reset_slot(self, slot: int) -> None:
        """Forget the session in `slot`."""
        self.length[slot] = 0
        self.base[slot] = self.prefix_columns

    def truncate(self, slot: int, length: int) -> None:
        """Go back to an earlier length; `ROLLBACK` positions back is always possible.

        Raises SessionError when the keys that the earlier length needs are gone.
        """
        now, oldest = int(self.length[slot]), int(self.base[slot])
        if oldest > self.prefix_columns:
            oldest += self.window - 1
        else:
            oldest = 0
        if not oldest <= length <= now:
            raise SessionError(
                f"cannot go back to position {length}: the session can go back to any of "
                f"{oldest} to {now}; restore a saved state for an earlier one"
            )
        self.length[slot] = length

    def read_slot(self, slot: int) -> SlotValue:
        """The session in `slot` as a value: k, v [layers, kv_heads, columns, head_dim], counters.

        Only whole blocks that are still needed are copied; columns never written are zero.
        """
        length, base = int(self.length[slot]), int(self.base[slot])
        used = self._column(slot, length)
        k, v = (arena[:, slot, :, : round_up(used)].clone() for arena in (self.k, self.v))
        k[:, :, used:] = v[:, :, used:] = 0
        return {"k": k, "v": v, "length": length, "base": base}

    def write_slot(self, slot: int, value: SlotValue) -> None:
        """Put a session that `read_slot` returned into `slot` of this or an equal cache."""
        num_columns = value["k"].shape[2]
        if num_columns > self.k.shape[3] or value["base"] < self.prefix_columns:
            raise SessionError(
                f"a saved session with {num_columns} columns from position {value['base']} does "
                f"not fit a cache with {self.k.shape[3]} columns and a prefix of {self.prefix}; "
                "restore it into a cache with the same window and prefix"
            )
        self.k[:, slot, :, :num_columns] = value["k"]
        self.v[:, slot, :, :num_columns] = value["v"]
        self.length[slot], self.base[slot] = value["length"], value["base"]

    def _column(self, slot: int, position: int) -> int:
        if position <= self.prefix_columns:
            return position
        return self.prefix_columns + position - int(self.base[slot])

    def _first_needed(self, slot: int) -> int:
        """The first position, at the start of a block, that the next query can see."""
        return (int(self.length[slot]) - self.window + 1) // BLOCK * BLOCK

    def _seen(self, slots: list[int], end: int) -> slice:
        start = 0
        if not self.prefix:
            start = min(max(0, self._first_needed(s) - int(self.base[s])) for s in slots)
        return slice(start, round_up(end))

    def mask(self, slots: list[int], num_rows: int, seen: slice) -> Bool[Tensor, "b 1 r s"]:
        """Which of the columns `seen` the next rows of each slot see."""
        columns = torch.arange(seen.start, seen.stop)
        shift = (self.base[slots] - self.prefix_columns)[:, None]
        keys = columns + torch.where(columns >= self.prefix_columns, shift, 0)
        queries = self.length[slots][:, None] + torch.arange(num_rows)
        mask = visible(queries[:, :, None], keys[:, None, :], self.window, self.prefix)
        return mask[:, None].to(self.k.device)

    def _compact(self, slot: int) -> None:
        """Move the live columns down by whole blocks, block by block, so nothing is allocated."""
        first = (int(self.length[slot]) - ROLLBACK - self.window + 1) // BLOCK * BLOCK
        shift = first - int(self.base[slot])
        end = round_up(self._column(slot, int(self.length[slot])))
        for arena in (self.k, self.v):
            for column in range(self.prefix_columns + shift, end, BLOCK):
                to = column - shift
                arena[:, slot, :, to : to + BLOCK] = arena[:, slot, :, column : column + BLOCK]
        self.base[slot] = first
