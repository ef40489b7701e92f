"""Whether the library's Fourier transforms keep the rows of a batch independent, here.

A library may transform several rows at once and the last ones by another recipe, so it is tried
before it is trusted; where it fails, and on a GPU, transforms are matrix products (`ops.linear`),
which cost ten times as much. Knows nothing of vocoders.
"""

from functools import cache

import torch
from torch import Tensor

ROW_COUNTS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100)


def keeps_rows(x: Tensor, num_samples: int) -> bool:
    """Whether `torch.fft.rfft` and `irfft` of `num_samples` give each row of float32 `x` bits that
    do not depend on the other rows. False on any device but a CPU."""
    is_tried = x.device.type == "cpu" and x.dtype == torch.float32
    return is_tried and _probe(num_samples, torch.get_num_threads())


@cache
def _probe(num_samples: int, num_threads: int) -> bool:
    assert num_threads == torch.get_num_threads(), "part of the key: threads may share the rows"
    generator = torch.Generator().manual_seed(num_samples)
    with torch.inference_mode(False), torch.no_grad():
        x = torch.randn(2 * max(ROW_COUNTS), num_samples, generator=generator)
        spectrum = torch.fft.rfft(x)
        back = torch.fft.irfft(spectrum, n=num_samples)
        return all(
            torch.equal(torch.fft.rfft(x[begin : begin + rows]), spectrum[begin : begin + rows])
            and torch.equal(
                torch.fft.irfft(spectrum[begin : begin + rows], n=num_samples),
                back[begin : begin + rows],
            )
            for rows in ROW_COUNTS
            for begin in (0, 1, 3)
        )
