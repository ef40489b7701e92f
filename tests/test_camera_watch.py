"""Cameras that show nothing: when it is told, and that it is told once."""

import numpy as np

from interplay.media.camera_watch import AFTER_TURNS, TROUBLES, CameraWatch


def told(pictures, watch: CameraWatch | None = None) -> list[str | None]:
    watch = watch or CameraWatch()
    return [watch.look(picture) for picture in pictures]


def noisy(level: int, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(level + rng.integers(-2, 3, (count, 12, 40, 40, 3)), 0, 255).astype(np.uint8)


def test_a_camera_that_shows_something_is_not_talked_about():
    assert set(told(noisy(90, 40))) == {None}


def test_a_covered_camera_is_dark_after_three_seconds_and_only_once():
    found = told(noisy(2, 40))
    assert found.index("dark") == AFTER_TURNS - 1 and found.count("dark") == 1
    assert "frozen" not in told(np.zeros((40, 12, 40, 40, 3), np.uint8))


def test_a_camera_that_hangs_is_frozen_and_told_again_after_it_has_moved():
    still = np.repeat(noisy(90, 1), AFTER_TURNS + 1, axis=0)
    watch = CameraWatch()
    assert told(still, watch) == [None] * AFTER_TURNS + ["frozen"]
    assert set(told(noisy(90, 5, seed=1), watch)) == {None}
    assert told(still, watch)[-1] == "frozen"
    assert set(TROUBLES) == {"dark", "frozen"}
