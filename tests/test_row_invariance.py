"""The guarantee: however a session is cut, batched or placed, every bit is the same."""

import dataclasses
import functools

import pytest
import torch

from interplay.model.backbone import Backbone, BackboneConfig

DENSE = BackboneConfig(dim=192, num_layers=2, num_heads=3, num_kv_heads=1, ff_dim=512, window=512)
KINDS = {
    "dense": DENSE,
    "prefix": dataclasses.replace(DENSE, prefix=100, num_layers=1),
    "groups": dataclasses.replace(DENSE, dim=128, num_heads=4, num_kv_heads=2, num_layers=1),
    "moe": dataclasses.replace(
        DENSE,
        dim=128,
        num_heads=2,
        num_layers=2,
        num_experts=5,
        num_experts_per_token=2,
        expert_ff_dim=64,
        shared_ff_dim=128,
    ),
}
NUM_ROWS = 1290  # longer than the window and not a multiple of anything
pytestmark = [
    pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=["bf16", "fp32"]),
    pytest.mark.parametrize("kind", KINDS),
]


@functools.cache
def build(kind, dtype):
    """A model to train (fp32 weights), its serving copy, rows, positions, the whole result."""
    torch.manual_seed(len(kind))
    config = KINDS[kind]
    trained = Backbone(config, zero_init_outputs=False)
    served = Backbone(config)
    served.load_state_dict(trained.state_dict())
    served.to(dtype)
    x = torch.randn(2, NUM_ROWS, config.dim).to(dtype)
    positions = torch.arange(NUM_ROWS).expand(2, -1)
    return trained, served, x, positions, trained(x, positions).detach()


@pytest.fixture
def setting(kind, dtype):
    """What `build` built, used without gradients."""
    with torch.inference_mode():
        yield build(kind, dtype)


def cuts(total, sizes):
    """Random (first, last) pairs that cover `total` rows."""
    first = 0
    while first < total:
        last = min(total, first + sizes[int(torch.randint(len(sizes), ()))])
        yield first, last
        first = last


def serve(model, x, positions, cache, sizes, slots=None):
    """All of x through the cache in random cuts."""
    out = [model(x[:, a:b], positions[:, a:b], cache, slots) for a, b in cuts(x.shape[1], sizes)]
    return torch.cat(out, dim=1)


@pytest.mark.parametrize("seed", range(2))
def test_chunked_equals_whole(setting, seed):
    _, model, x, positions, whole = setting
    torch.manual_seed(seed)
    sizes = [[16, 37, 129, 260], [10, 33, 66, 67, 131, 900]][seed]
    assert torch.equal(serve(model, x, positions, model.new_cache(2), sizes), whole)


def test_prefill_equals_decode(setting):
    _, model, x, positions, whole = setting
    cache = model.new_cache(1)
    model(x[:1, :1250], positions[:1, :1250], cache)
    tail = x[:1, 1250:], positions[:1, 1250:]
    assert torch.equal(serve(model, *tail, cache, [1, 1, 2, 3, 4]), whole[:1, 1250:])


def test_short_sequences_equal_long_ones(setting):
    model, _, x, positions, whole = setting
    for num_rows in (1, 20, 333, 512):
        assert torch.equal(model(x[:, :num_rows], positions[:, :num_rows]), whole[:, :num_rows])


def test_a_batch_equals_one_session(setting):
    model, served, x, positions, whole = setting
    assert torch.equal(model(x[1:], positions[1:]), whole[1:])
    cache = served.new_cache(1)
    assert torch.equal(serve(served, x[1:], positions[1:], cache, [50, 300]), whole[1:])


def test_sessions_of_different_lengths_share_a_batch(setting):
    _, model, x, positions, whole = setting
    cache = model.new_cache(4)
    for slot, row, length in ((3, 0, 1217), (1, 1, 40)):
        slots = torch.tensor([slot])
        part = slice(0, length)
        model(x[row : row + 1, part], positions[row : row + 1, part], cache, slots)
    starts = torch.tensor([1217, 40])
    for num_rows in (1, 4, 10, 1, 16):
        at = starts[:, None] + torch.arange(num_rows)
        rows = torch.stack([x[0, at[0]], x[1, at[1]]])
        out = model(rows, at, cache, torch.tensor([3, 1]))
        assert torch.equal(out[0], whole[0, at[0]]) and torch.equal(out[1], whole[1, at[1]])
        starts = starts + num_rows
    assert cache.length.tolist() == [0, 72, 0, 1249]


def test_going_back_and_on_again_changes_nothing(setting):
    _, model, x, positions, whole = setting
    cache = model.new_cache(2)
    serve(model, x[:, :1200], positions[:, :1200], cache, [200])
    state = cache.read_slot(0)
    model(torch.ones_like(x[:, :30]), positions[:, 1200:1230], cache)
    cache.truncate(0, 1200)
    cache.write_slot(1, state)
    out = serve(model, x[:1, 1200:].expand(2, -1, -1), positions[:, 1200:], cache, [16, 37])
    assert torch.equal(out, whole[:1, 1200:].expand(2, -1, -1))
