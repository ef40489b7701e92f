"""Positions of a session: laid out at once or piece by piece, in time order, found again."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interplay.turns.follow import STREAMS
from interplay.turns.layout import (
    TEXT_OUT,
    Emitted,
    Laid,
    Places,
    lay_out,
    num_positions,
    positions_per_turn,
    token_weights,
)
from interplay.turns.types import NUM_MELS, NUM_TILES, TILE_PX, Streams

ARRAYS = ("hear", "read", "turn", "see_on")
EMITTED = ("tokens", "latest", "follow", "voice", "voice_on")


def session(seed: int, num_turns: int, *, camera: bool, subframes: int = 1) -> Streams:
    """Every stream full of random values."""
    rng = np.random.default_rng(seed)
    frames = (num_turns, 4, subframes, NUM_MELS)
    text = {}
    for name in ("read", *TEXT_OUT):
        row = rng.integers(1, 99, size=(num_turns, 4), dtype=np.int32)
        text[name] = np.where(rng.random(row.shape) < 0.5, row, np.int32(0))
    tiles = (num_turns, NUM_TILES, 2, TILE_PX, TILE_PX, 3)
    return Streams(
        hear=rng.integers(16, size=frames, dtype=np.uint8),
        voice=rng.normal(size=frames).astype(np.float32),
        voice_on=rng.random((num_turns, 4)) < 0.5,
        see=rng.integers(256, size=tiles, dtype=np.uint8) if camera else None,
        first_turn=int(rng.integers(1000)),
        **text,
    )


def joined(parts: list[Laid]) -> Laid:
    previous = {n: np.concatenate([getattr(p.previous, n) for p in parts]) for n in EMITTED}
    arrays = {n: np.concatenate([getattr(p, n) for p in parts]) for n in ARRAYS}
    pictures = [p.see for p in parts if p.see is not None]
    see = np.concatenate(pictures) if pictures else None
    return Laid(**arrays, see=see, previous=Emitted(**previous))


def assert_same(one, other, names: tuple[str, ...]) -> None:
    for name in names:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.dtype == theirs.dtype, name
        np.testing.assert_array_equal(mine, theirs, err_msg=name)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_turns=st.integers(1, 7),
    cuts=st.sets(st.integers(1, 6)),
    camera=st.sampled_from(["never", "always", "partly"]),
    subframes=st.sampled_from([1, 4]),
)
def test_layout_of_all_is_append_of_each(seed, num_turns, cuts, camera, subframes):
    streams = session(seed, num_turns, camera=camera != "never", subframes=subframes)
    if camera == "partly":
        streams.see_on = np.random.default_rng(seed).random(num_turns) < 0.5
    whole, last = lay_out(streams)
    borders = [0, *sorted(c for c in cuts if c < num_turns), num_turns]
    parts, carry = [], None
    for start, stop in pairwise(borders):
        part, carry = lay_out(streams.cut(start, stop), carry)
        parts.append(part)
    pieces = joined(parts)
    assert_same(whole, pieces, ARRAYS)
    assert_same(whole.previous, pieces.previous, EMITTED)
    assert num_positions(streams) == Places.of(torch.from_numpy(whole.see_on)[None]).length
    assert carry is not None
    assert_same(last.emitted, carry.emitted, EMITTED)
    np.testing.assert_array_equal(last.memory, carry.memory)
    assert (whole.see is None) == (pieces.see is None) == (camera == "never")
    if camera != "never":
        assert_same(whole, pieces, ("see",))


def test_a_slot_reads_what_the_slot_before_it_emitted():
    streams = session(3, 2, camera=False)
    laid, last = lay_out(streams)
    emitted = np.stack([streams.heard, streams.say, streams.act], axis=-1).reshape(8, 3)
    read = laid.previous.tokens.reshape(8, 3)
    assert not read[0].any() and not laid.previous.voice_on[0, 0]
    np.testing.assert_array_equal(read[1:], emitted[:-1])
    np.testing.assert_array_equal(last.emitted.tokens, emitted[-1])
    assert laid.turn.tolist() == [streams.first_turn, streams.first_turn + 1]


def test_the_newest_word_stands_beside_its_successor():
    streams = session(5, 6, camera=False)
    laid, last = lay_out(streams)
    for column, name in enumerate(TEXT_OUT):
        newest = 0
        for slot, token in enumerate([0, *getattr(streams, name).reshape(-1)[:-1]]):
            assert laid.previous.tokens.reshape(-1, 3)[slot, column] == token
            assert laid.previous.latest.reshape(-1, 3)[slot, column] == newest
            newest = token or newest
    newest = 0
    for token, before in laid.read.reshape(-1, 2):
        assert before == newest
        newest = token or newest
    assert last.memory[0, STREAMS.index("read"), -1] == newest


def parts_of(see_on: torch.Tensor, dim: int = 5) -> tuple[torch.Tensor | None, ...]:
    batch, num_turns = see_on.shape
    hear, out = torch.randn(batch, num_turns, 4, dim), torch.randn(batch, num_turns, 4, dim)
    num_seen = int(see_on.sum())
    return torch.randn(num_seen, NUM_TILES, dim) if num_seen else None, hear, out


@pytest.mark.parametrize("camera", [False, True])
def test_positions_are_in_time_order_and_found_again(camera):
    see_on = torch.full((2, 3), camera)
    see, hear, out = parts_of(see_on)
    assert hear is not None and out is not None
    places, per_turn = Places.of(see_on), positions_per_turn(camera=camera)
    assert per_turn == (20 if camera else 8)
    x = places.interleave(see, hear, out)
    assert x.shape == (2, 3 * per_turn, 5)
    assert torch.equal(places.take(x, places.hear), hear)
    assert torch.equal(places.take(x, places.out), out)
    second = x[:, per_turn : 2 * per_turn]
    assert torch.equal(second[:, -8:-4], hear[:, 1]) and torch.equal(second[:, -4:], out[:, 1])
    if see is not None:
        assert torch.equal(second[:, :NUM_TILES], see[[1, 4]])


def test_a_session_with_a_camera_for_a_while_is_longer_by_its_tiles():
    see_on = torch.tensor([[False, True, False, True], [False, False, False, True]])
    see, hear, out = parts_of(see_on)
    assert see is not None and hear is not None and out is not None
    places = Places.of(see_on)
    x = places.interleave(see, hear, out)
    assert places.length == 4 * 8 + 2 * NUM_TILES
    first = [hear[0, 0], out[0, 0], see[0], hear[0, 1], out[0, 1], hear[0, 2], out[0, 2], see[1]]
    assert torch.equal(x[0], torch.cat([*first, hear[0, 3], out[0, 3]]))
    rest = [half[1, turn] for turn in range(3) for half in (hear, out)]
    last = torch.cat([*rest, see[2], hear[1, 3], out[1, 3]])
    assert torch.equal(x[1, : len(last)], last) and not x[1, len(last) :].any()
    assert torch.equal(places.take(x, places.out), out)


def test_empty_tokens_weigh_less():
    weights = token_weights(torch.tensor([[0, 7, 0, 1]]), pad_weight=0.25)
    assert weights.tolist() == [[0.25, 1.0, 0.25, 1.0]]
