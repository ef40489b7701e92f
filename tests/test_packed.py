"""Packed weights: every kind holds the very values, in no more bytes than it needs."""

import pytest
import torch

from interplay.ops import packed
from interplay.ops.packed import INT8_MAX, PANEL, Kind, as_bytes, pack


def int8_rows(*shape):
    """Values that an int8 checkpoint gives back."""
    weight = torch.randn(*shape) * torch.rand(*shape[:-1], 1)
    scale = weight.abs().amax(-1) / INT8_MAX
    return (weight / scale[..., None]).round().to(torch.int8).float() * scale[..., None]


def unpack(found):
    """The weight that a packed one stands for."""
    rows = found.data.transpose(-1, -2).flatten(-3, -2)[..., : found.n, :].float()
    if found.scale is None:
        return rows
    return rows * found.scale[..., : found.n, None]


VALUES = {
    Kind.FULL: torch.randn,
    Kind.HALF: lambda *shape: torch.randn(*shape).half().float(),
    Kind.BYTE: int8_rows,
}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("shape", [(64, 64), (70, 192), (3, 13, 64)])
def test_nothing_is_lost(kind, shape):
    torch.manual_seed(len(shape))
    weight = VALUES[kind](*shape)
    found = pack(weight)
    assert found.kind == kind and torch.equal(unpack(found), weight)
    padded = -(-shape[-2] // PANEL) * PANEL * shape[-1] * weight[..., 0, 0].numel()
    scales = 0 if found.scale is None else 4 * found.scale.numel()
    assert found.num_bytes == {Kind.FULL: 4, Kind.HALF: 2, Kind.BYTE: 1}[kind] * padded + scales


def test_scales_are_found_for_all_rows_that_an_int8_file_can_hold():
    torch.manual_seed(0)
    weight = int8_rows(2000, 64)
    weight[7] = 0
    found = as_bytes(weight)
    assert found is not None
    values, scale = found
    assert values.dtype == torch.int8 and torch.equal(values * scale[:, None], weight)
    assert scale[7] == 0


@pytest.mark.parametrize("row", [5, packed.FIRST_ROWS + 5])
def test_one_value_between_two_bytes_is_noticed(row):
    torch.manual_seed(1)
    weight = int8_rows(2 * packed.FIRST_ROWS, 64)
    weight[row, 3] *= 1 + 2**-20
    assert as_bytes(weight) is None
    assert torch.equal(unpack(pack(weight)), weight)
