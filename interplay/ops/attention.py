"""Attention whose rows do not depend on how the past was cut. Knows nothing of models or caches.

The CPU kernel walks over keys in blocks of 512: keys must begin at an absolute position that is
a multiple of 512 and be a multiple of 512 long; whole blocks that are masked change no bit.
"""

from functools import lru_cache, partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interplay.ops import causal

BLOCK = 512  # keys whose part of the softmax is summed on its own
QUERY_ROWS = 4  # query rows come in multiples: the kernel's last, short block keeps its recipe


def round_up(num: int, multiple: int = BLOCK) -> int:
    """The smallest multiple of `multiple` that is not below `num`."""
    return -(-num // multiple) * multiple


def visible(
    queries: Int[Tensor, "*b r 1"], keys: Int[Tensor, "*b 1 s"], window: int, prefix: int
) -> Bool[Tensor, "*b r s"]:
    """Which key positions a query position may look at: a causal window and a pinned prefix."""
    near = (keys > queries - window) & (keys <= queries)
    return near | ((keys < prefix) & (keys <= queries)) if prefix else near


def attend(
    q: Float[Tensor, "b h r d"],
    k: Float[Tensor, "b kvh s d"],
    v: Float[Tensor, "b kvh s d"],
    mask: Bool[Tensor, "b_or_1 1 r blocks"] | None,
) -> Float[Tensor, "b h r d"]:
    """Softmax attention with grouped key heads; mask is True where a query may look.

    Without a mask the rows are a whole sequence and attention is causal. The mask covers whole
    blocks of keys; keys that it has more columns than are filled up with zeros.
    """
    if mask is None:
        return _attend_causal(q, k, v)
    num_keys = mask.shape[-1]
    assert num_keys % BLOCK == 0, "keys come in whole blocks"
    if num_keys > k.shape[2]:
        k, v = (F.pad(x, (0, 0, 0, num_keys - x.shape[2])) for x in (k, v))
    b, heads, num_rows, _ = q.shape
    groups = heads // k.shape[1]
    # Query heads that share a key head become rows of one head: keys are not copied per head.
    q, mask = q.unflatten(1, (-1, groups)).flatten(2, 3), mask.repeat(1, 1, groups, 1)
    padding = -q.shape[2] % QUERY_ROWS
    if padding:
        q = F.pad(q, (0, 0, 0, padding))
        mask = torch.cat([mask, mask[:, :, -1:].expand(-1, -1, padding, -1)], dim=2)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return out[:, :, : groups * num_rows].reshape(b, heads, num_rows, -1)


def attend_windowed(
    q: Float[Tensor, "b h r d"],
    k: Float[Tensor, "b kvh r d"],
    v: Float[Tensor, "b kvh r d"],
    *,
    window: int,
    prefix: int,
) -> Float[Tensor, "b h r d"]:
    """Whole sequences of any length under a window: a block of rows at a time, which reads only
    the blocks of keys that it sees, so memory grows with the length and not with its square."""
    num_rows, pinned = q.shape[2], round_up(prefix)
    if _in_training(q) and not prefix and window % causal.BLOCK == 0:
        q, k, v = (F.pad(x, (0, 0, 0, -num_rows % causal.BLOCK)) for x in (q, k, v))
        forward = partial(_windowed_with_sums, window=window)
        return causal.windowed_attention(q, k, v, forward, window)[:, :, :num_rows]
    at = torch.arange(round_up(num_rows), device=q.device)
    pieces = []
    for first in range(0, num_rows, BLOCK):
        last = min(first + BLOCK, num_rows)
        oldest = max(0, first - window + 1) // BLOCK * BLOCK
        keys = at[: round_up(last)]
        keys = keys[(keys < pinned) | (keys >= oldest)]
        mask = visible(at[first:last, None], keys[None], window, prefix)[None, None]
        there = keys[keys < num_rows]
        pieces.append(attend(q[:, :, first:last], k[:, :, there], v[:, :, there], mask))
    return torch.cat(pieces, dim=2)


def _windowed_with_sums(q: Tensor, k: Tensor, v: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """`attend_windowed` and the logarithms of its sums of exponentials, [b, h, r]."""
    num_rows, groups = q.shape[2], q.shape[1] // k.shape[1]
    k, v = (F.pad(x, (0, 0, 0, -num_rows % BLOCK)) for x in (k, v))
    found = []
    for first in range(0, num_rows, BLOCK):
        last, oldest = min(first + BLOCK, num_rows), max(0, first - window + 1) // BLOCK * BLOCK
        seen = slice(oldest, round_up(last))
        rows = q[:, :, first:last]
        out, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            rows.unflatten(1, (-1, groups)).flatten(2, 3),
            k[:, :, seen],
            v[:, :, seen],
            0.0,
            False,
            attn_mask=_added(last - first, first - oldest, seen.stop - oldest, window, groups),
        )
        found.append((out.reshape(rows.shape), sums.reshape(rows.shape[:-1])))
    outs, all_sums = zip(*found, strict=True)
    return torch.cat(outs, dim=2), torch.cat(all_sums, dim=2)


@lru_cache(64)
def _added(num_rows: int, before: int, num_keys: int, window: int, groups: int) -> Tensor:
    """What a window adds to the scores of rows that have `before` of the keys before them; kept,
    for making it takes longer than what it is for."""
    at = torch.arange(before + num_rows)
    seen = visible(at[before:, None], torch.arange(num_keys)[None], window, 0)
    mask = torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill_(~seen, -torch.inf)
    return mask.repeat(groups, 1)[None, None]


def _in_training(q: Tensor) -> bool:
    """Whether rows are whole sequences in bfloat16 on a CPU: who serves there has float32."""
    return q.dtype == torch.bfloat16 and q.device.type == "cpu"


def _attend_causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    num_rows, groups = q.shape[2], q.shape[1] // k.shape[1]
    padding = -num_rows % BLOCK
    if padding:
        q, k, v = (F.pad(x, (0, 0, 0, padding)) for x in (q, k, v))
    if _in_training(q):
        return causal.causal_attention(q, k, v)[:, :, :num_rows]
    out = F.scaled_dot_product_attention(q, _expand(k, groups), _expand(v, groups), is_causal=True)
    return out[:, :, :num_rows]


def _expand(x: Tensor, groups: int) -> Tensor:
    """Repeat every key head for the query heads that share it; free when there is one."""
    if groups == 1:
        return x
    b, heads, s, d = x.shape
    return x[:, :, None].expand(b, heads, groups, s, d).reshape(b, heads * groups, s, d)
