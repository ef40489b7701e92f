"""The cache: what a query sees, what stays in memory, and states as values."""

import pytest
import torch

from interplay.errors import SessionError
from interplay.model.cache import ROLLBACK, Cache


def make(num_slots=2, prefix=0, window=512) -> Cache:
    return Cache(
        num_layers=1, num_slots=num_slots, num_kv_heads=1, head_dim=4, window=window, prefix=prefix
    )


def write(cache, num_rows, slots=None):
    """Append rows whose keys say their own position; return what the pass saw."""
    past = cache.append(num_rows, None if slots is None else torch.tensor(slots))
    at = cache.length[past.slots][:, None] + torch.arange(num_rows)
    rows = at.float()[:, None, :, None].expand(-1, 1, -1, 4)
    keys, values = past.put(0, rows, -rows)
    mask = past.mask
    past.commit()
    assert torch.equal(keys, -values)
    return keys[:, 0, :, 0], mask[:, 0]


@pytest.mark.parametrize("prefix", [0, 20, 600])
def test_every_query_sees_its_window_and_the_prefix(prefix):
    cache = make(num_slots=1, prefix=prefix)
    torch.manual_seed(prefix)
    while int(cache.length[0]) < 5_000:
        start = int(cache.length[0])
        num_rows = int(torch.randint(1, cache.max_rows + 1, ()))
        keys, mask = write(cache, num_rows)
        for row in (0, num_rows - 1):
            position = start + row
            near = set(range(max(0, position - 511), position + 1))
            pinned = set(range(min(prefix, position + 1)))
            assert set(keys[0][mask[0, row]].long().tolist()) == near | pinned


def test_memory_stays_the_same_for_hours():
    cache = make(num_slots=1)
    pointers = cache.k.data_ptr(), cache.v.data_ptr()
    for _ in range(100):
        keys, _ = write(cache, 300)
        assert keys.shape[1] <= cache.k.shape[3]
    assert (cache.k.data_ptr(), cache.v.data_ptr()) == pointers
    assert int(cache.length[0]) == 30_000 and int(cache.base[0]) % 512 == 0


def test_slots_advance_by_themselves():
    cache = make(num_slots=3)
    write(cache, 5, [1])
    before = cache.read_slot(1)
    keys, mask = write(cache, 2, [2, 0])
    assert cache.length.tolist() == [2, 5, 2]
    assert keys.shape == (2, 512) and mask.shape == (2, 2, 512)
    after = cache.read_slot(1)
    assert torch.equal(before["k"], after["k"]) and after["length"] == 5


def test_rows_that_are_not_committed_never_were():
    cache = make(num_slots=1)
    write(cache, 9)
    before = cache.read_slot(0)
    cache.append(4).put(0, torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    after = cache.read_slot(0)
    assert after["length"] == 9 and torch.equal(before["k"], after["k"])


@pytest.mark.parametrize("prefix", [0, 20])
def test_a_state_can_be_moved_to_another_slot(prefix):
    cache, other = make(prefix=prefix), make(num_slots=3, prefix=prefix)
    for _ in range(7):
        write(cache, 250)
    other.write_slot(2, cache.read_slot(1))
    mine, my_mask = write(cache, 6, [1])
    theirs, their_mask = write(other, 6, [2])
    assert torch.equal(mine[my_mask[:, 0]], theirs[their_mask[:, 0]])


def test_only_the_live_part_is_saved():
    cache = make()
    write(cache, 3)
    assert cache.read_slot(0)["k"].shape == (1, 1, 512, 4)


def test_a_state_of_another_shape_is_refused():
    cache = make(window=2048)
    for _ in range(8):
        write(cache, 300)
    with pytest.raises(SessionError, match="does not fit"):
        make().write_slot(0, cache.read_slot(0))


def test_going_back_is_always_possible_for_a_while():
    cache = make(num_slots=1)
    torch.manual_seed(0)
    for _ in range(60):
        write(cache, int(torch.randint(1, cache.max_rows, ())))
        length = int(cache.length[0])
        back = max(0, length - ROLLBACK)
        cache.truncate(0, back)
        keys, mask = write(cache, 1)
        seen = keys[0][mask[0, 0]].long().tolist()
        assert sorted(seen) == list(range(max(0, back - 511), back + 1))
    with pytest.raises(SessionError, match="can go back to any of"):
        cache.truncate(0, 3)
    with pytest.raises(SessionError, match="cannot go back"):
        cache.truncate(0, int(cache.length[0]) + 1)


def test_a_reset_slot_is_empty():
    cache = make()
    for _ in range(8):
        write(cache, 300)
    cache.reset_slot(0)
    keys, mask = write(cache, 1, [0])
    assert mask.sum() == 1 and keys[0, 0] == 0 and int(cache.length[1]) == 2_400
