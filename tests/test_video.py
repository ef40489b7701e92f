"""Camera frames: fitted without distortion, cut into tiles in reading order, or refused."""

import numpy as np
import pytest

from interplay.errors import VideoError
from interplay.media.video import cut_tiles, fit_frame, tile_pairs


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


def test_shrinking_is_the_mean_of_areas():
    frame = noise(480, 640)
    means = frame.reshape(120, 4, 160, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(fit_frame(frame), means, atol=1.0)


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [
        (720, 1280, slice(15, 105), slice(0, 160)),
        (1280, 720, slice(0, 120), slice(46, 114)),
        (60, 80, slice(0, 120), slice(0, 160)),
        (40, 40, slice(0, 120), slice(20, 140)),
    ],
)
def test_proportions_are_kept_between_black_bars(height, width, rows, columns):
    fitted = fit_frame(np.full((height, width, 3), 200, np.uint8))
    inside = np.zeros((120, 160), bool)
    inside[rows, columns] = True
    assert fitted.dtype == np.uint8 and (fitted[inside] == 200).all() and not fitted[~inside].any()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5000), (3000, 1), (7, 13)])
def test_odd_sizes_have_a_picture(height, width):
    assert fit_frame(np.full((height, width, 3), 9, np.uint8)).max() == 9


def test_a_view_is_as_good_as_a_copy():
    frame = noise(480, 640)
    np.testing.assert_array_equal(fit_frame(frame[:, ::-1]), fit_frame(frame[:, ::-1].copy()))


def test_tiles_come_row_by_row():
    frame = noise(120, 160)
    tiles = cut_tiles(frame)
    assert tiles.shape == (12, 40, 40, 3)
    for i in range(12):
        y, x = i // 4 * 40, i % 4 * 40
        np.testing.assert_array_equal(tiles[i], frame[y : y + 40, x : x + 40])


def test_pairs_hold_the_moment_before_and_now():
    before, now = noise(120, 160), 255 - noise(120, 160)
    pairs = tile_pairs(before, now)
    assert pairs.shape == (12, 2, 40, 40, 3) and pairs.dtype == np.uint8
    np.testing.assert_array_equal(pairs[:, 0], cut_tiles(before))
    np.testing.assert_array_equal(pairs[:, 1], cut_tiles(now))
    first = tile_pairs(None, now)
    np.testing.assert_array_equal(first[:, 0], first[:, 1])


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((120, 160), np.uint8), r"shape \[120, 160\]; RGB"),
        (np.zeros((120, 160, 4), np.uint8), r"shape \[120, 160, 4\]; RGB"),
        (np.zeros((0, 160, 3), np.uint8), r"shape \[0, 160, 3\]; RGB"),
        (np.zeros((120, 160, 3), np.float32), "float32; uint8"),
    ],
)
def test_refusals_say_what_is_needed(frame, words):
    with pytest.raises(VideoError, match=words):
        tile_pairs(None, frame)
    with pytest.raises(VideoError, match=words):
        tile_pairs(frame, noise(120, 160))
