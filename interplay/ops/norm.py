"""Root-mean-square norms over the last axis. Knows nothing of models."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def rms_norm(
    x: Float[Tensor, "*rows dim"], weight: Float[Tensor, " dim"], eps: float
) -> Float[Tensor, "*rows dim"]:
    """RMSNorm (Zhang and Sennrich 2019) of each row, in x's dtype."""
    return F.rms_norm(x, (x.shape[-1],), weight.to(x.dtype), eps)
