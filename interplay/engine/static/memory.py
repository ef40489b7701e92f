"""`turns.follow` and the reading of `read` once more, as torch operations of fixed shapes.

A tick that is one CUDA graph cannot leave the GPU between two slots. The tests hold both to the
same tokens. Knows nothing of models or of sound.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from interplay.turns.follow import (
    BORDER,
    CONTEXT,
    EXACT,
    FIRST_WORD,
    INSIDE,
    NO_BORDER,
    PAIRS,
    STREAMS,
    TOLD_APART,
)
from interplay.turns.types import PAD

READ = STREAMS.index("read")
_WRITTEN = [STREAMS.index(written) for written, _ in PAIRS]
_FOLLOWED = [STREAMS.index(followed) for _, followed in PAIRS]


def remember(memory: Int[Tensor, "b 4 M"], tokens: Int[Tensor, "b 4"]) -> Int[Tensor, "b 4 M"]:
    """The memory with one more token of each stream, newest last; empty ones are not kept."""
    longer = torch.cat([memory[..., 1:], tokens[..., None]], dim=-1)
    return torch.where((tokens != PAD)[..., None], longer, memory)


def follow(memory: Int[Tensor, "b 4 M"]) -> Int[Tensor, "b 7"]:
    """For each of PAIRS the word that came next the last time."""
    words = torch.where((memory < FIRST_WORD) & (memory != PAD), BORDER, memory)
    pairs = list(zip(EXACT, _WRITTEN, _FOLLOWED, strict=True))
    context = torch.stack(
        [(memory if is_exact else words)[:, i, -CONTEXT:] for is_exact, i, _ in pairs], dim=1
    )
    source = torch.stack(
        [memory[:, i] if is_exact else _inside(memory, words, i) for is_exact, _, i in pairs], dim=1
    )
    newest = context[..., -1:]
    newest = torch.where(newest == PAD, BORDER, newest)  # before the first word is a border, too
    context = torch.cat([context[..., :-1], newest], dim=-1)
    after = torch.stack([words[:, i, CONTEXT:] for i in _FOLLOWED], dim=1)
    agreed = torch.zeros_like(after)
    so_far = torch.ones_like(after, dtype=torch.bool)
    for back in range(1, CONTEXT + 1):
        before = source[..., CONTEXT - back : -back]
        so_far = so_far & (before == context[..., -back, None]) & (before != PAD)
        agreed = agreed + so_far
    agreed = torch.where((after == BORDER) & (newest == BORDER), 0, agreed)
    place = torch.arange(after.shape[-1], device=memory.device)
    last = (agreed.long() * len(place) + place).argmax(-1, keepdim=True)  # longest, then newest
    found = agreed.gather(-1, last) > 0
    as_they_are = [memory[:, i, CONTEXT:] for i in _FOLLOWED]
    after = torch.stack(
        [
            plain if is_apart else after[:, pair]
            for pair, (plain, is_apart) in enumerate(zip(as_they_are, TOLD_APART, strict=True))
        ],
        dim=1,
    )
    return torch.where(found, after.gather(-1, last), PAD)[..., 0].int()


def _inside(
    memory: Int[Tensor, "b 4 M"], words: Int[Tensor, "b 4 M"], stream: int
) -> Int[Tensor, "b M"]:
    """A stream as it is compared with what is written: some of its tokens are no border."""
    row = words[:, stream]
    for token in NO_BORDER.get(STREAMS[stream], ()):
        row = torch.where(memory[:, stream] == token, INSIDE, row)
    return row


def read_pairs(
    read: Int[Tensor, "b 4"], memory: Int[Tensor, "b 4 M"]
) -> tuple[Int[Tensor, "b 4 2"], Int[Tensor, "b 4 M"]]:
    """Each token of `read` with the newest word before it, and the memory with them."""
    pairs = []
    for token in read.unbind(1):
        pairs.append(torch.stack([token, memory[:, READ, -1]], dim=-1))
        others = [token if i == READ else torch.full_like(token, PAD) for i in range(len(STREAMS))]
        memory = remember(memory, torch.stack(others, dim=-1))
    return torch.stack(pairs, dim=1), memory
