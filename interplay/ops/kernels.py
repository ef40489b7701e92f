"""Which bodies the operations have here: torch's own, or the Triton kernels of `ops.triton`.

Chosen once per kind of device, at start, with a reason that commands print; nothing patches torch.
Knows nothing of models.
"""

import os
from importlib.util import find_spec

import torch
from torch import Tensor

from interplay.errors import ConfigError

SPLIT_K = {"CUBLAS_WORKSPACE_CONFIG": ":16:8", "CUBLASLT_WORKSPACE_SIZE": "1"}
OLDEST = (8, 0)  # compute capability: bfloat16 products

_chosen: set[str] = set()


def choose_kernels(device: torch.device, *, strict: bool = False) -> str:
    """Decide for `device` and say why. Call it before the first product on a GPU: the libraries
    read their workspace sizes once, and without a workspace they cannot split sums.

    strict: raise ConfigError on a GPU whose operations would be torch's own.
    """
    if device.type != "cuda":
        return "torch, whose CPU products are row-invariant under the contract"
    os.environ.update(SPLIT_K)
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_tf32 = False
    found = torch.cuda.get_device_capability(device)
    if find_spec("triton") is None:
        why = "triton is missing; pip install 'interplay[gpu]'"
    elif found < OLDEST:
        why = f"compute capability {found} is below {OLDEST}"
    elif failure := _why_none_runs(device):
        why = f"a kernel does not run: {failure}"
    else:
        _chosen.add("cuda")
        return "triton, whose sums have one order per weight shape"
    if strict:
        raise ConfigError(f"the kernels cannot be used on {device}: {why}; or run without --strict")
    return f"torch, rows depend on the batch: {why}"


def try_kernel(device: torch.device) -> None:
    """Run one tiny kernel and wait for it. Triton compiles a part of itself on each machine: that
    it is installed does not say that it works."""
    from interplay.ops.triton import norm

    norm.rms_norm(torch.ones(1, 16, device=device), torch.ones(16, device=device), 1e-6).cpu()


def _why_none_runs(device: torch.device) -> str:
    """What `try_kernel` fails with, in one line; empty if it runs."""
    try:
        try_kernel(device)
    except Exception as error:  # of a compiler, a driver, a library: no list would be whole
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return ""


def kernels_on(x: Tensor) -> bool:
    """Whether operations on `x` are to be Triton kernels."""
    return x.device.type in _chosen
