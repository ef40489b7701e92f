"""Which token to take from logits. Knows nothing of streams or sessions.

The plain body; the kernel with the same name is in `ops.triton.sample`.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interplay.ops.kernels import kernels_on
from interplay.ops.random import uniform


def sample(
    logits: Float[Tensor, "b V"],
    seeds: Int[Tensor, " b"],
    positions: Int[Tensor, " b"],
    *,
    temperature: float,
    top_k: int = 0,
) -> Int[Tensor, " b"]:
    """One token per row: the likeliest if `temperature` is 0, else Gumbel-max (Maddison et al.
    2014) with one random number per token, of (seed, position). Equals go to the lower number.

    top_k: only tokens as likely as the top_k-th may be taken, 0 means all.
    """
    logits = logits.float()
    if temperature and top_k:
        least = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if kernels_on(logits):
        from interplay.ops.triton import sample

        return sample.sample(logits, seeds, positions, temperature=temperature)
    if not temperature:
        return logits.argmax(-1)
    random = uniform(seeds, positions, logits.shape[-1])
    gumbel = -torch.log(-torch.log(random)).float()
    return (logits / temperature + gumbel).argmax(-1)
