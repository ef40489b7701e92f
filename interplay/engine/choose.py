"""Which engine runs a model: the plain loop, or ticks of fixed shapes. Knows nothing of commands.

Both have one API. The plain loop runs on the CPU; the ticks run on a GPU as captured graphs, or on
the CPU one operation after the other, which is how they are tried out without a GPU.
"""

import torch

from interplay.engine.engine import Engine
from interplay.engine.precision import GPU, PLAIN, STATIC, choose_device
from interplay.engine.static.engine import DeviceEngine
from interplay.model.checkpoint import Loaded

DEVICES = (PLAIN, STATIC, GPU)
HELP = (
    "cpu: the plain loop; cuda: ticks of fixed shapes on a GPU, captured as graphs; static: the "
    f"same ticks on the CPU, not captured (default: {PLAIN})"
)


def open_engine(
    loaded: Loaded, *, device: str = PLAIN, num_slots: int = 1, strict: bool = False
) -> Engine:
    """An engine on one of DEVICES. Raises DeviceError where there is no GPU, ConfigError where the
    sessions do not fit or, with `strict`, where only a slower way is available."""
    if device == PLAIN:
        return Engine(loaded, num_slots=num_slots, strict=strict)
    assert device in DEVICES
    where = torch.device("cpu") if device == STATIC else choose_device(device)
    return DeviceEngine(loaded, device=where, num_slots=num_slots, strict=strict)
