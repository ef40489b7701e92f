"""A tick of fixed shapes whose every operation is a kernel: alone = in a batch = one training pass,
bit for bit; in Triton's interpreter, or on a GPU without capture."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interplay.engine.record import Recorder, read_record
from interplay.engine.replay import replay
from interplay.engine.static.engine import DeviceEngine
from interplay.model.untrained import untrained
from interplay.turns.types import InputHalf
from tests.kernel_helpers import exact_dot, kernels_chosen  # noqa: F401

CPU = torch.device("cpu")
pytestmark = [
    pytest.mark.usefixtures("kernels_chosen"),
    pytest.mark.skipif(torch.cuda.is_available(), reason="kernels run on the GPU then"),
]


@pytest.mark.parametrize("name", [pytest.param("tiny", marks=pytest.mark.slow), "tiny-moe"])
def test_a_tick_of_kernels_is_the_training_pass(name, tmp_path):
    loaded = untrained(name, seed=2, speaks="always")
    config = replace(loaded.config.backbone, num_layers=1)
    loaded.model.backbone.config, loaded.model.backbone.layers = (
        config,
        loaded.model.backbone.layers[:1],
    )
    loaded = replace(loaded, config=replace(loaded.config, backbone=config))
    sound = np.random.default_rng(0).normal(0, 0.1, (2, 3200)).astype(np.float32)
    one, two = (InputHalf(hear=hear) for hear in sound)
    alone, shared = (
        DeviceEngine(loaded, device=CPU, num_slots=num, dtype=torch.float32) for num in (1, 2)
    )
    single, other, both = alone.open(seed=7), shared.open(seed=1), shared.open(seed=7)
    with Recorder(tmp_path / "r", single) as recorder:
        expected = alone.tick({single: one})[single]
        recorder.add(one, expected)
    made = shared.tick({other: two, both: one})[both]
    assert np.array_equal(made.voice, expected.voice) and expected.voice.any()
    assert single.trace and both.trace
    for name, value in vars(single.trace.numbers).items():
        assert torch.equal(vars(both.trace.numbers)[name], value)
    report = replay(read_record(tmp_path / "r"), loaded)
    assert report.num_differing_bits == 0, str(report)
