"""The camera in the player, drawn scenes and video files: the right picture at the right time."""

import numpy as np
import pytest
from bench_helpers import beep, item, said
from video_helpers import write_video

from interplay.bench.playing.camera import Camera
from interplay.bench.playing.logical_clock import play
from interplay.bench.playing.stage import Emission, Stage
from interplay.bench.systems.local import LocalSystem
from interplay.bench.systems.oracle import Oracle
from interplay.data.item import Item, Show, When
from interplay.errors import VideoError
from interplay.media.video import cut_tiles
from interplay.media.video_file import VideoFile
from interplay.model.untrained import untrained


def grey(value: int) -> np.ndarray:
    return np.full((120, 160, 3), value, np.uint8)


def film(num_frames: int, length_s: float, at: When) -> Show:
    return Show(frames=lambda: (grey(10 * k) for k in range(num_frames)), length_s=length_s, at=at)


def watched(stage: Stage) -> list:
    """The grey level of the pair seen in every micro-turn."""
    levels = []
    while not stage.done:
        stage.begin_turn(lambda control, text: [])
        see = stage.see
        levels.append(None if see is None else (int(see[0, 0, 0, 0, 0]), int(see[0, 1, 0, 0, 0])))
        stage.end_turn(Emission())
    return levels


def test_a_film_begins_with_a_micro_turn_and_frames_come_in_pairs():
    what = item(said("look"), film(4, 0.8, When(seconds=0.7)), length_s=2.0)
    stage = Stage(what, beep)
    assert watched(stage) == [
        *[None] * 4,  # 0.7 s is in the fourth micro-turn: the film waits for the next
        (0, 0),
        (0, 10),
        (10, 20),
        (20, 30),
        *[None] * 2,
    ]
    assert stage.trace().cues[1] == (pytest.approx(0.8), pytest.approx(1.6))


def test_a_film_can_follow_what_is_said():
    what = item(said("look"), film(2, 0.4, When(seconds=0.3, after="cue_end", cue=0)), length_s=2.0)
    stage = Stage(what, beep)
    # the word sounds from 0.5 to 0.7 s
    assert watched(stage) == [*[None] * 5, (0, 0), (0, 10), *[None] * 3]


def test_a_film_too_short_stays_on_its_last_picture():
    camera = Camera()
    camera.show(film(2, 0.8, When(seconds=0.0)), 0)
    levels = [camera.frame(turn)[0, 0, 0] for turn in range(4)]  # type: ignore[index]
    assert levels == [0, 10, 10, 10] and camera.frame(4) is None


def test_a_film_is_wound_on_by_whoever_looks_late():
    camera = Camera()
    camera.show(film(9, 1.8, When(seconds=0.0)), 0)
    pair = camera.tiles(5)
    assert pair is not None and set(pair[:, 0].flat) == {40} and set(pair[:, 1].flat) == {50}
    again = camera.tiles(5)
    assert again is not None and np.array_equal(pair, again)


def test_a_later_film_takes_the_place_of_an_earlier_one():
    camera = Camera()
    camera.show(film(5, 1.0, When(seconds=0.0)), 0)
    bright = Show(frames=lambda: [grey(200)], length_s=0.2, at=When(seconds=0.4))
    camera.show(bright, 2)
    assert [int(camera.frame(turn)[0, 0, 0]) for turn in range(4)] == [0, 10, 200, 30]  # type: ignore[index]


def test_a_film_without_frames_and_frames_of_another_kind_are_refused():
    camera = Camera()
    camera.show(Show(frames=list, length_s=1.0, at=When(seconds=0.0)), 0)
    with pytest.raises(VideoError, match=r"film of 1 s has no frames"):
        camera.frame(0)
    camera.show(Show(frames=lambda: [np.zeros((4, 4))], length_s=1.0, at=When(seconds=0.0)), 0)
    with pytest.raises(VideoError, match=r"RGB \[H, W, 3\] is needed"):
        camera.frame(0)


def test_pictures_are_made_for_those_who_look():
    def never():
        raise AssertionError("drawn for nobody")

    what = item(said("look"), Show(frames=never, length_s=1.0, at=When(seconds=0.6)), length_s=2.0)
    for name in ("silent", "perfect"):
        [trace] = play([what], Oracle(name, beep, "own"), beep)
        assert trace.cues[1] == (pytest.approx(0.6), pytest.approx(1.6))


def model_with(*, eyes: bool) -> LocalSystem:
    loaded = untrained("tiny", seed=1, speaks="always", camera=eyes)
    return LocalSystem(loaded, name="tiny", num_seats=1)


def filmed(frames) -> Item:
    show = Show(frames=frames, length_s=0.4, at=When(seconds=0.2))
    return item(show, length_s=1.0)


def test_a_model_with_eyes_is_shown_pictures():
    system = model_with(eyes=True)
    dark, bright = (
        next(play([filmed(lambda level=level: [grey(level)])], system, beep)).model
        for level in (0, 250)
    )
    assert not np.array_equal(dark, bright)


def test_a_model_without_eyes_is_shown_none():
    def never():
        raise AssertionError("shown to the blind")

    assert next(play([filmed(never)], model_with(eyes=False), beep)).model.any()


# ── video files ──────────────────────────────────────────────────────────────────────────────


def test_of_a_file_five_frames_a_second_are_seen(tmp_path):
    file = VideoFile(write_video(tmp_path / "v.mp4", [3 * k for k in range(60)]))
    facts = file.facts()
    assert (facts.length_s, facts.rate_hz) == (pytest.approx(2.0), pytest.approx(30.0))
    levels = [float(frame.mean()) for frame in file()][:10]
    assert levels == pytest.approx([18 * k for k in range(10)], abs=6)  # coded with loss


def test_a_slow_file_is_held_and_a_wide_one_gets_bars(tmp_path):
    file = VideoFile(write_video(tmp_path / "v.mp4", [40, 200], rate=2, size=(320, 120)))
    frames = list(file())
    levels = [float(frame[60].mean()) for frame in frames]
    assert levels[:3] == pytest.approx([40] * 3, abs=6)
    assert levels[3] == pytest.approx(200, abs=6)  # from 0.5 s on: at 0.6 s
    assert frames[3][0].max() < 20 and cut_tiles(frames[3]).shape == (12, 40, 40, 3)


def test_what_is_no_video_is_refused(tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(b"no video at all")
    for read in (VideoFile(path).facts, lambda: list(VideoFile(path)())):
        with pytest.raises(VideoError, match=r"v.mp4 cannot be read as video"):
            read()
    with pytest.raises(VideoError, match=r"none.mp4 cannot be read as video"):
        VideoFile(tmp_path / "none.mp4").facts()
