"""Cameras that show nothing: when it is told, and that it is told once."""

import numpy as np
import pytest

from interplay.media.camera_watch import AFTER_S, TROUBLES, CameraWatch

NUM = 16  # pictures, the last of them 3 s after the first


def told(pictures, every_s: float = 0.2, watch: CameraWatch | None = None) -> list[str | None]:
    watch = watch or CameraWatch()
    return [watch.look(picture, k * every_s) for k, picture in enumerate(pictures)]


def noisy(level: int, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(level + rng.integers(-2, 3, (count, 12, 40, 40, 3)), 0, 255).astype(np.uint8)


def test_a_camera_that_shows_something_is_not_talked_about():
    assert set(told(noisy(90, 40))) == {None}


@pytest.mark.parametrize("every_s", [0.25, 1.0])
def test_a_covered_camera_is_dark_after_three_seconds_and_only_once(every_s: float):
    found = told(noisy(2, 20), every_s)
    assert found.index("dark") == AFTER_S / every_s and found.count("dark") == 1
    assert "frozen" not in told(np.zeros((40, 12, 40, 40, 3), np.uint8))


def test_a_camera_that_hangs_is_frozen_and_told_again_after_it_has_moved():
    still = np.repeat(noisy(90, 1), NUM + 2, axis=0)
    watch = CameraWatch()
    assert told(still, watch=watch) == [None] * NUM + ["frozen", None]
    assert set(told(noisy(90, 5, seed=1), watch=watch)) == {None}
    assert told(still, watch=watch).count("frozen") == 1
    assert set(TROUBLES) == {"dark", "frozen"}
