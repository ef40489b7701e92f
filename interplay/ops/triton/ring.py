"""Attention over a ring of keys as two Triton kernels: parts of the softmax, then their sum.

A part is one block of keys, which begins at an absolute multiple of its size: what it holds does
not depend on how many rows are asked or where the session was cut. Parts are combined in the order
of their positions; one that a row does not see has weight 0 and changes no bit. The plain body
with the same name is in `interplay.ops.ring`. Knows nothing of models or caches.
"""

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int
from torch import Tensor

ROWS = 16  # query rows of one program: rows times the heads that share a key head
KEYS = 64  # keys of one product


def attend_ring(
    q: Float[Tensor, "b h r d"],
    k: Float[Tensor, "slots kvh columns d"],
    v: Float[Tensor, "slots kvh columns d"],
    slots: Int[Tensor, " b"],
    first: Int[Tensor, " b"],
    *,
    window: int,
    prefix: int,
    prefix_columns: int,
    block: int,
) -> Float[Tensor, "b h r d"]:
    """Softmax attention of rows at positions first, first + 1, ..., whose keys are written."""
    assert block % KEYS == 0 and prefix_columns % block == 0
    assert k.stride() == v.stride() and k.stride()[2:] == (q.shape[3], 1)
    b, heads, num_rows, dim = q.shape
    kv_heads, columns = k.shape[1:3]
    groups = heads // kv_heads
    rows = num_rows * groups
    # Row i * groups + g is position i of query head g of the group.
    q = q.reshape(b, kv_heads, groups, num_rows, dim).transpose(2, 3).contiguous()
    q = q.view(b, kv_heads, rows, dim)
    tiles = triton.cdiv(rows, ROWS)
    ring = max(block, triton.cdiv(columns, block) * block - prefix_columns)
    spread = (ROWS - 1) // groups + 1  # positions in one tile, one more where it begins within one
    num_parts = prefix_columns // block + (window + spread - 1) // block + 2
    shape = (b, kv_heads, tiles, num_parts, ROWS)
    total = torch.empty(*shape, dim, dtype=torch.float32, device=q.device)
    top, mass = (torch.empty(shape, dtype=torch.float32, device=q.device) for _ in range(2))
    out = torch.empty_like(q)
    _parts[(b * kv_heads, tiles, num_parts)](
        q, k, v, slots, first, total, top, mass, rows, kv_heads, k.stride(0), k.stride(1),
        ring, window, prefix, prefix_columns, dim**-0.5,
        GROUPS=groups, DIM=dim, BLOCK=block, ROWS=ROWS, KEYS=KEYS,
    )  # fmt: skip
    _combine[(b * kv_heads, tiles)](total, top, mass, out, rows, num_parts, DIM=dim, ROWS=ROWS)
    out = out.view(b, kv_heads, num_rows, groups, dim).transpose(2, 3)
    return out.reshape(b, heads, num_rows, dim)


@triton.jit(do_not_specialize=["num_rows"])
def _parts(
    q_at, k_at, v_at, slots_at, first_at, total_at, top_at, mass_at, num_rows, kv_heads,
    slot_stride, head_stride, ring, window, prefix, prefix_columns, scale,
    GROUPS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr,
    KEYS: tl.constexpr,
):  # fmt: skip
    """One tile of rows against one block of keys: largest score, sum of weights, weighted sum."""
    pair, tile, part = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.program_id(2)
    start = tl.load(first_at + pair // kv_heads)
    row, dim = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, DIM)
    position = start + row // GROUPS
    pinned = prefix_columns // BLOCK
    oldest = tl.maximum(start + tile * ROWS // GROUPS - window + 1, prefix_columns) // BLOCK
    number = tl.where(part < pinned, part, oldest + part - pinned)
    first_key = number * BLOCK
    column = tl.where(
        part < pinned, first_key, prefix_columns + (first_key - prefix_columns) % ring
    )
    slot = tl.load(slots_at + pair // kv_heads)
    keys_from = slot * slot_stride + (pair % kv_heads) * head_stride + column * DIM
    at = (pair * num_rows + row)[:, None] * DIM + dim[None]
    q = tl.load(q_at + at, mask=(row < num_rows)[:, None], other=0.0)
    top = tl.full((ROWS,), float("-inf"), tl.float32)
    mass = tl.zeros((ROWS,), tl.float32)
    total = tl.zeros((ROWS, DIM), tl.float32)
    newest = start + (num_rows - 1) // GROUPS
    last = tl.minimum(BLOCK, start + (tile * ROWS + ROWS - 1) // GROUPS + 1 - first_key)
    for offset in range(0, last, KEYS):
        inner = offset + tl.arange(0, KEYS)
        key = first_key + inner
        lines = keys_from + inner[:, None] * DIM + dim[None]
        written = (key <= newest)[:, None]
        k = tl.load(k_at + lines, mask=written, other=0.0)
        v = tl.load(v_at + lines, mask=written, other=0.0)
        near = (key[None] > position[:, None] - window) | (key < prefix)[None]
        seen = near & (key[None] <= position[:, None])
        score = tl.dot(q, tl.trans(k), input_precision="ieee") * scale
        score = tl.where(seen, score, float("-inf"))
        higher = tl.maximum(top, tl.max(score, axis=1))
        base = tl.where(higher == float("-inf"), 0.0, higher)
        weight, keep = tl.exp(score - base[:, None]), tl.exp(top - base)
        mass = mass * keep + tl.sum(weight, axis=1)
        total = total * keep[:, None]
        total = tl.dot(weight.to(v.dtype), v, total, input_precision="ieee")
        top = higher
    place = ((pair * tl.num_programs(1) + tile) * tl.num_programs(2) + part) * ROWS
    place += tl.arange(0, ROWS)
    tl.store(top_at + place, top)
    tl.store(mass_at + place, mass)
    tl.store(total_at + place[:, None] * DIM + dim[None], total)


@triton.jit(do_not_specialize=["num_rows", "num_parts"])
def _combine(
    total_at, top_at, mass_at, out_at, num_rows, num_parts,
    DIM: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """The parts of one tile of rows, in the order of their positions."""
    pair, tile = tl.program_id(0).to(tl.int64), tl.program_id(1)
    inner, dim = tl.arange(0, ROWS), tl.arange(0, DIM)
    top = tl.full((ROWS,), float("-inf"), tl.float32)
    mass = tl.zeros((ROWS,), tl.float32)
    total = tl.zeros((ROWS, DIM), tl.float32)
    for part in range(0, num_parts):
        place = ((pair * tl.num_programs(1) + tile) * num_parts + part) * ROWS + inner
        part_top = tl.load(top_at + place)
        higher = tl.maximum(top, part_top)
        base = tl.where(higher == float("-inf"), 0.0, higher)
        keep, gain = tl.exp(top - base), tl.exp(part_top - base)
        mass = mass * keep + tl.load(mass_at + place) * gain
        more = tl.load(total_at + place[:, None] * DIM + dim[None])
        total = total * keep[:, None] + more * gain[:, None]
        top = higher
    row = tile * ROWS + inner
    there = (row < num_rows)[:, None]
    out = total / tl.where(mass > 0, mass, 1.0)[:, None]
    at = (pair * num_rows + row)[:, None] * DIM + dim[None]
    tl.store(out_at + at, out.to(out_at.dtype.element_ty), mask=there)
