"""Attention over a ring: the kernel against the plain body, and any cut = whole, bit for bit."""

import pytest
import torch

from interplay.errors import SessionError
from interplay.model import ring_cache
from interplay.model.backbone import Backbone, BackboneConfig
from interplay.model.cache import ROLLBACK
from interplay.model.ring_cache import RingCache
from interplay.ops import ring
from interplay.ops.triton import ring as k_ring
from tests.kernel_helpers import DEVICE, DTYPES, exact_dot, kernels_chosen  # noqa: F401

BLOCK, WINDOW, SLOTS = 64, 80, 3
NUM_ROWS, NUM_BEFORE = 250, 190  # more than the ring holds; rows whose results nobody asks for
SHAPE = (2, NUM_ROWS, 16)  # heads, positions, head_dim


@pytest.fixture(params=[0, 10], ids=["window", "prefix"])
def prefix(request):
    return request.param


@pytest.fixture
def session():
    """Queries of two heads, keys and values of one, of a session of NUM_ROWS positions."""
    torch.manual_seed(0)
    return [torch.randn(1, heads, *SHAPE[1:], device=DEVICE) for heads in (2, 1, 1)]


def stream(attend, session, prefix, cuts, dtype):
    """The session's last rows through a ring in slot 1, whose neighbours and free columns are
    NaN; the keys of the rows before them are written in steps."""
    pinned = -(-prefix // BLOCK) * BLOCK
    size = 192  # window, the rows of a pass, whole blocks
    k, v = (
        torch.full((SLOTS, 1, pinned + size, SHAPE[2]), torch.nan, device=DEVICE).to(dtype)
        for _ in range(2)
    )
    q, *new = (x.to(dtype) for x in session)
    out, first, slot = [], 0, torch.tensor([1], device=DEVICE)
    for num in [95, 95, *cuts]:
        at = torch.arange(first, first + num, device=DEVICE)
        columns = ring.ring_columns(at[None], pinned, size)[0]
        for arena, x in ((k, new[0]), (v, new[1])):
            arena[1, :, columns] = x[0][:, at]
        start = torch.tensor([first], device=DEVICE)
        sizes = {"window": WINDOW, "prefix": prefix, "prefix_columns": pinned, "block": BLOCK}
        if first >= NUM_BEFORE:
            out.append(attend(q[:, :, at], k, v, slot, start, **sizes))
        first += num
    return torch.cat(out, dim=2)


def seen(at, window, prefix):
    """The definition of what a row sees, written a second time."""
    key, query = at[None], at[:, None]
    return (key <= query) & ((key > query - window) | (key < prefix))


def whole(session, prefix):
    """The definition, in one piece."""
    q, k, v = session
    at = torch.arange(NUM_ROWS, device=DEVICE)
    mask = seen(at, WINDOW, prefix)
    scores = (q @ k.mT * SHAPE[2] ** -0.5).masked_fill(~mask, -torch.inf)
    return (scores.softmax(-1) @ v)[:, :, NUM_BEFORE:]


@DTYPES
def test_both_bodies_equal_the_definition(session, prefix, dtype, exact_dot):  # noqa: F811
    expected = whole([x.to(dtype).float() for x in session], prefix)
    error = 1e-5 if dtype == torch.float32 else 2e-2
    for attend in (ring.attend_ring, k_ring.attend_ring):
        out = stream(attend, session, prefix, [30, 30], dtype).float()
        torch.testing.assert_close(out, expected, rtol=error, atol=error)


def test_any_cut_gives_the_same_bits(session, prefix, exact_dot):  # noqa: F811
    once = stream(k_ring.attend_ring, session, prefix, [30, 30], torch.float32)
    cuts = [4, 1, 1, 33, 2, 19]
    assert sum(cuts) == NUM_ROWS - NUM_BEFORE
    assert torch.equal(stream(k_ring.attend_ring, session, prefix, cuts, torch.float32), once)


def test_whole_sequences_have_the_gradients_of_the_definition(monkeypatch, exact_dot):  # noqa: F811
    monkeypatch.setattr(ring, "BLOCK", BLOCK)
    torch.manual_seed(0)
    leaves = [torch.randn(1, h, 90, 16, device=DEVICE, requires_grad=True) for h in (2, 1, 1)]
    for window in (32, 100):
        at = torch.arange(90, device=DEVICE)
        mask = seen(at, window, 3)
        q, k, v = leaves
        plain = (q @ k.mT * 16**-0.5).masked_fill(~mask, -torch.inf).softmax(-1) @ v
        ours = ring.attend_whole(q, k, v, window=window, prefix=3)
        g = torch.randn_like(ours)
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-5)
        grads = [torch.autograd.grad(out, leaves, g) for out in (ours, plain)]
        torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-5)


KINDS = {
    "dense": BackboneConfig(
        dim=64, num_layers=1, num_heads=2, num_kv_heads=1, ff_dim=64, window=512
    ),
    "experts": BackboneConfig(
        dim=64,
        num_layers=1,
        num_heads=1,
        num_kv_heads=1,
        window=512,
        num_experts=3,
        expert_ff_dim=64,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_backbone_of_kernels_streams_as_it_trains(kind, kernels_chosen):  # noqa: F811
    torch.manual_seed(0)
    model = Backbone(KINDS[kind], zero_init_outputs=False).to(DEVICE)
    x = torch.randn(2, 7, 64, device=DEVICE)
    at = torch.arange(7, device=DEVICE).expand(2, -1)
    with torch.no_grad():
        once = model(x, at)
        cache = ring_cache.RingCache(
            num_layers=1, num_slots=3, num_kv_heads=1, head_dim=64, window=512, device=DEVICE
        )
        slots = torch.tensor([2, 0], device=DEVICE)
        parts = [model(x[:, a:b], at[:, a:b], cache, slots) for a, b in ((0, 4), (4, 5), (5, 7))]
    assert torch.equal(torch.cat(parts, dim=1), once)
    assert cache.length.tolist() == [7, 0, 7]


def test_a_plain_ring_computes_what_the_arena_computes():
    torch.manual_seed(0)
    config = BackboneConfig(
        dim=64, num_layers=2, num_heads=2, num_kv_heads=1, ff_dim=64, window=512, prefix=20
    )
    model = Backbone(config, zero_init_outputs=False)
    cache = RingCache(num_layers=2, num_slots=2, num_kv_heads=1, head_dim=64, window=512, prefix=20)
    x, at = torch.randn(1, 2300, 64), torch.arange(2300)[None]
    slots = torch.tensor([1])
    with torch.no_grad():
        expected = model(x, at)
        model(x[:, :2200], at[:, :2200], cache, slots)
        model(x[:, :100], at[:, 2200:], cache, slots)  # another past, taken back
        cache.truncate(1, 2200)
        saved = cache.read_slot(1)
        cache.write_slot(0, saved)
        for slot in (1, 0):
            out = model(x[:, 2200:], at[:, 2200:], cache, torch.tensor([slot]))
            torch.testing.assert_close(out, expected[:, 2200:], rtol=1e-4, atol=1e-4)
    with pytest.raises(SessionError, match="cannot go back to position 2000"):
        cache.truncate(1, 2300 - ROLLBACK - 172)
    other = RingCache(num_layers=2, num_slots=1, num_kv_heads=1, head_dim=64, window=1024)
    with pytest.raises(SessionError, match="does not fit a ring of 1536"):
        other.write_slot(0, saved)
