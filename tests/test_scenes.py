"""Drawn scenes: the same film each time, and what they say happens is to be seen when they say."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from interplay.data.scenes import action, canvas, conduct, events, objects, pose, reps, visit
from interplay.data.scenes.film import STILL, Take
from interplay.data.scenes.room import Room
from interplay.data.scenes.setting import Setting

PLAIN = Room(kind="plain", wall=(200, 205, 215), floor=(120, 110, 100), seed=0)


def drawn(kind: str, seed: int = 3) -> Any:
    rng = np.random.default_rng(seed)
    if kind in ("reps", "action"):
        return (reps.draw_reps if kind == "reps" else action.draw_action)(rng, seed)
    if kind in conduct.KINDS:
        return conduct.draw_conduct(rng, seed, kind, 1)
    if kind in visit.KINDS:
        return visit.draw_visit(rng, seed, kinds=(kind,), staying=1)
    if kind in objects.KINDS:
        return objects.draw_objects(rng, seed, kind, 3.0)
    return events.draw_events(kind, rng, seed, 2)


def plainly(scene: Any) -> Any:
    """The same in good light, without noise, shaking or people who pass."""
    still = replace(STILL, noise=0.0)
    if hasattr(scene, "setting"):
        setting: Setting = replace(scene.setting, room=PLAIN, camera=still, passer=None)
        return replace(scene, setting=setting)
    scene = replace(scene, room=PLAIN, camera=still)
    return replace(scene, passer=None) if hasattr(scene, "passer") else scene


def change(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize("kind", ["reps", "action", "cat", "person", "slump", "cup", *events.KINDS])
def test_a_scene_is_the_same_film_each_time(kind):
    scene = drawn(kind)
    assert pickle.loads(pickle.dumps(scene)) == scene  # a value: it can be stored with its item
    frames = [frame for frame, _ in zip(scene(), range(6), strict=False)]
    assert all(np.array_equal(a, b) for a, b in zip(frames, scene(), strict=False))
    assert all(frame.shape == (120, 160, 3) and frame.dtype == np.uint8 for frame in frames)
    assert change(frames[0], next(iter(drawn(kind, seed=4)()))) > 5


def test_a_scene_has_five_frames_a_second():
    scene = drawn("cup")
    assert sum(1 for _ in scene()) == round(5 * scene.length_s)


@pytest.mark.parametrize("kind", events.KINDS)
def test_events_change_the_picture_when_they_say(kind):
    scene = plainly(drawn(kind))
    frames = list(scene())
    for event in scene.changes:
        first = int(np.ceil(event.time_s * 5 - 1e-9))  # the first frame that can show it
        assert change(frames[first], frames[first - 1]) > 0.3, event
        assert scene.shown(event.time_s) == event
        assert scene.shown(event.time_s - 0.001) != event


def test_the_body_rests_between_repetitions_and_is_far_in_the_middle():
    for seed in range(30):
        scene = reps.draw_reps(np.random.default_rng(seed), seed)
        assert 3 <= len(scene.cycles) <= 15
        for (start, end), (later, _) in zip(scene.cycles, scene.cycles[1:], strict=False):
            assert end <= later
            assert scene.reach((start + end) / 2) == pytest.approx(1)
            assert scene.reach(start) == pytest.approx(0) and scene.reach(end) < 1e-3
        assert all(0.8 - 1e-3 <= end - start <= 3.0 + 1e-3 for start, end in scene.cycles)
        assert scene.cycles[-1][1] + 1.0 <= scene.length_s


@pytest.mark.parametrize("exercise", ["lift", *pose.EXERCISES])
def test_every_movement_is_to_be_seen(exercise):
    kind = "lift" if exercise == "lift" else "squat"
    scene = replace(
        plainly(drawn("reps")), kind=kind, exercise=exercise, cycles=((0.4, 1.4),), length_s=2.0
    )
    frames = list(scene())
    assert change(frames[0], frames[1]) == 0
    assert change(frames[0], frames[4]) > 0.5
    assert change(frames[0], frames[9]) == 0


def test_a_person_stands_before_and_after():
    scene = drawn("action")
    standing = scene.pose(0.0)
    assert scene.pose(scene.end_s) == standing == scene.pose(scene.start_s - 0.01)
    assert scene.pose(scene.start_s + 0.5) != standing
    assert scene.end_s - scene.start_s >= 3 and scene.end_s + 1.5 <= scene.length_s + 1e-9


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", visit.KINDS)
def test_who_comes_in_is_first_seen_when_they_say(kind, seed):
    scene = visit.draw_visit(np.random.default_rng(seed), seed, kinds=(kind,))
    (entry,) = scene.entries(kind)
    assert scene.entries("bird") == [] and scene.exits(kind) in ([], [scene.visitors[0].leaves_s])
    scene = replace(scene, room=PLAIN, camera=replace(scene.camera, noise=0.0, shake=0.0))
    scene = replace(scene, camera=replace(scene.camera, flicker=0.0))
    frames = list(scene())
    body_s = 0.35 * scene.visitors[0].person.height / scene.visitors[0].speed_px
    empty, before = frames[0], int(5 * (entry - body_s)) - 1
    assert all(np.array_equal(frame, empty) for frame in frames[: max(0, before)])
    inside = frames[int(5 * (entry + 0.6))]
    assert change(empty, inside) > 0.1
    columns = np.flatnonzero((inside != empty).any((0, 2)))
    border = 0 if columns.min() < 159 - columns.max() else 159
    assert abs(columns - border).min() < 40  # from one of the sides


@pytest.mark.parametrize("kind", conduct.KINDS)
def test_a_rule_is_broken_when_they_say(kind):
    scene = plainly(replace(drawn(kind), tempo=0.0))
    ((start, end),) = scene.breaks
    assert scene.wrong(start) == pytest.approx(conduct.NEAR) == scene.wrong(end)
    assert scene.wrong((start + end) / 2) == 1 and scene.wrong(start - 0.6) == 0
    frames = list(scene())
    kept, broken = frames[int(5 * (start - 0.6))], frames[int(2.5 * (start + end))]
    assert change(frames[0], kept) == 0 and change(kept, broken) > 0.15


@pytest.mark.parametrize("kind", objects.KINDS)
def test_as_many_things_lie_there_as_it_says(kind):
    seen = [
        objects.draw_objects(np.random.default_rng(seed), seed, kind, 3.0) for seed in range(40)
    ]
    assert {scene.count(kind) for scene in seen} == set(range(objects.MOST + 1))
    scene = next(scene for scene in seen if scene.count(kind) == 2)
    empty = next(iter(plainly(replace(scene, things=()))()))
    things = next(iter(plainly(scene)()))
    assert change(empty, things) > 0.1
    feet = [thing.foot for scene in seen for thing in scene.things]
    assert all(0 < x < 160 and 66 < y < 120 for x, y in feet)


def test_shapes_cover_what_they_should():
    paper = canvas.Canvas((0, 0, 0))
    paper.box((80, 60), 40, 20, (255, 255, 255))
    assert (paper.pixels()[..., 0] > 127).sum() == pytest.approx(800, rel=0.08)
    paper = canvas.Canvas((0, 0, 0))
    paper.disc((80, 60), 20, (255, 255, 255))
    assert (paper.pixels()[..., 0] > 127).sum() == pytest.approx(np.pi * 400, rel=0.04)
    soft = paper.pixels()[..., 0]
    assert ((soft > 20) & (soft < 235)).sum() > 50  # edges


def test_a_mirrored_lens_shows_the_other_side_and_knows_its_edges():
    lens = canvas.Lens(zoom=1.25, pan=(4.0, 0.0))
    for seen in (lens, replace(lens, is_mirrored=True)):
        left, right = seen.edges()
        places = sorted(
            seen.see((x, 90.0))[0] / canvas.OVER - canvas.MARGIN_PX for x in seen.edges()
        )
        assert places == pytest.approx([0, 160]) and left < right
    turned = visit.mirrored(lens, 50.0)
    assert turned.see((50.0, 80.0)) == pytest.approx(lens.see((50.0, 80.0)))
    assert turned.see((60.0, 80.0)) == pytest.approx(lens.see((40.0, 80.0)))


@pytest.mark.parametrize("kind", ["reps", "person", "cat", "slump", "helmet", "gauge"])
def test_what_moves_is_marked_by_its_part(kind):
    """Where two frames differ, one of them shows something that has a name."""
    scene = plainly(drawn(kind))
    frames, parts = (np.stack(list(scene(Take(parts=parts)))) for parts in (False, True))
    assert parts.shape == (len(frames), 24, 32)
    differ = np.abs(np.diff(frames.astype(int), axis=0)).max(-1) > 60
    somewhere = np.maximum(parts[1:], parts[:-1]) > 0
    # a thing may be beside the middle of its cell: then it is in the middle of one beside it
    near = np.pad(somewhere, ((0, 0), (1, 1), (1, 1)))
    near = np.lib.stride_tricks.sliding_window_view(near, (3, 3), axis=(1, 2)).any((-1, -2))
    cells = differ.reshape(len(differ), 24, 5, 32, 5).any((2, 4))
    assert cells.sum() > 20 and (cells & near).sum() >= 0.95 * cells.sum()


def test_a_person_has_all_parts_and_a_table_what_lies_on_it():
    name = dict(enumerate(canvas.PARTS))
    person = plainly(reps.draw_reps(np.random.default_rng(1), 1, kind="jack"))
    seen = next(iter(person(Take(first=10, num=1, parts=True))))
    assert {name[int(k)] for k in np.unique(seen)} == {"nothing", "head", "arm", "torso", "leg"}
    height = {
        part: np.nonzero(seen == canvas.PARTS.index(part))[0].mean()
        for part in name.values()
        if (seen == canvas.PARTS.index(part)).any()
    }
    assert height["head"] < height["torso"] < height["leg"]
    cups = plainly(drawn("cup"))
    seen = next(iter(cups(Take(num=1, parts=True))))
    assert {name[int(k)] for k in np.unique(seen)} == {"nothing", *(t.kind for t in cups.things)}


def test_a_take_is_a_part_of_the_film_and_shakes_with_it():
    scene = plainly(drawn("person"))
    whole, part = list(scene()), list(scene(Take(first=4, num=3)))
    assert len(part) == 3 and all(
        np.array_equal(a, b) for a, b in zip(whole[4:], part, strict=False)
    )
    assert list(scene(Take(first=len(whole)))) == []
    shaken = replace(scene, camera=replace(scene.camera, shake=1.4))
    moved = [
        change(a, b) for a, b in zip(scene(Take(parts=True)), shaken(Take(parts=True)), strict=True)
    ]
    assert max(moved) > 0
