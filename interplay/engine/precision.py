"""Which number format the engine computes in, chosen once. Knows nothing of sessions.

Only weights that the model's own code would cast at every use are cast ahead; tables that it sums
in fp32 before casting stay as they are, so that serving gives the bits of the training forward.
"""

import copy

import torch

from interplay.model.interaction import InteractionModel

SUMMED_IN_FP32 = (
    "embed.tokens",
    "embed.streams",
    "embed.hear_slots",
    "embed.out_slots",
    "embed.phases.",
    "gate",
    "gate_bias",
)


def choose_dtype(wish: torch.dtype | None) -> tuple[torch.dtype, str]:
    """The format to compute in and the reason for it.

    Decided by the processor, not by a stopwatch: the same machine must give the same bits.
    """
    if wish is not None:
        return wish, "as asked for"
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.bfloat16, "this CPU multiplies bfloat16 natively"
    return torch.float32, "this CPU has no native bfloat16"


def cast_weights(model: InteractionModel, dtype: torch.dtype) -> InteractionModel:
    """The model itself if `dtype` is float32, else a copy with its matrices cast."""
    if dtype == torch.float32:
        return model
    model = copy.deepcopy(model)
    for name, parameter in model.named_parameters():
        if not name.startswith(SUMMED_IN_FP32):
            parameter.data = parameter.data.to(dtype)
    return model
