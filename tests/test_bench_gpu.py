"""The GPU figures, as far as a CPU can tell: bits, and one line where no GPU is."""

import pytest
import torch

from interplay.bench import gpu
from interplay.errors import DeviceError
from interplay.model import backbone
from interplay.ops import probe

CPU = torch.device("cpu")


def test_no_bit_differs_and_a_product_that_sees_the_row_count_is_found(monkeypatch):
    assert gpu.bits_differing(CPU, num_rows=90) == 0
    right = backbone.linear
    monkeypatch.setattr(backbone, "linear", lambda x, w: right(x, w) * (1 + (x.shape[1] == 4)))
    assert gpu.bits_differing(CPU, num_rows=90) > 100


@pytest.mark.parametrize("measure", [gpu.bandwidth, gpu.matmul_flops, gpu.decode_mbu])
def test_a_cpu_is_refused_in_one_line(measure):
    with pytest.raises(DeviceError, match="cpu is no GPU"):
        measure(CPU)


def test_the_library_keeps_the_shapes_whose_rows_are_alike(monkeypatch):
    monkeypatch.setattr(probe, "ROW_COUNTS", (16, 64))
    assert probe.safe_shapes([(64, 64), (64, 64)], torch.float32, CPU) == {(64, 64)}
    wrong = probe.F.linear
    monkeypatch.setattr(probe.F, "linear", lambda x, w: wrong(x, w) + len(x))
    assert probe.safe_shapes([(64, 64)], torch.float32, CPU) == set()
