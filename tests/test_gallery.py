"""The gallery: its scenes, the staged user beside the bench, what `interplay demo NAME` leaves."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench_helpers import DELEGATE, INTERRUPT, TIMER, beep, hand_made, oracle_trace

from interplay.bench import staged_user
from interplay.bench.demo import run
from interplay.bench.playing.logical_clock import play
from interplay.bench.staged_user import StagedUser
from interplay.bench.suites import NAMES, gallery, load_suite
from interplay.bench.suites.gallery import SCENES, checks, draw, row_name, verdict
from interplay.bench.systems.local import LocalSystem
from interplay.cli import build_parser
from interplay.clock import TURN_S
from interplay.data.item import At, Show
from interplay.errors import ConfigError
from interplay.media.video_file import VideoFile
from interplay.model.checkpoint import save_checkpoint
from interplay.model.untrained import untrained

FILMED = {"friend", "push-ups", "safety", "posture", "helmet", "leaving", "how-many"}


def shares(traces) -> dict[str, float]:
    """Row -> share of what is right."""
    rows = gallery.score(traces)
    return {
        name: sum(o.value or 0.0 for o in found) / len(found)
        for name, found in rows.items()
        if found
    }


def test_scenes_are_a_suite_of_their_own():
    assert len(SCENES) == 14 and "gallery" not in NAMES
    assert load_suite("gallery").rows == gallery.ROWS
    assert {row.name for row in gallery.ROWS} == {row_name(name) for name in SCENES}


@pytest.mark.parametrize("name", list(SCENES))
def test_a_scene_is_the_same_for_ever_and_another_for_another_seed(name: str):
    one, again, other = draw(name, 0), draw(name, 0), draw(name, 0, seed=1)
    assert one == again and one.cues != other.cues
    assert one.subset == name and one.expect
    assert any(isinstance(cue, Show) for cue in one.cues) == (name in FILMED)


@pytest.mark.parametrize("name", list(SCENES))
def test_only_who_does_what_is_expected_is_right(name: str):
    item = draw(name, 1)
    assert shares([oracle_trace("perfect", item)]) == {row_name(name): 1.0}
    assert shares([oracle_trace("silent", item)]) == {row_name(name): 0.0}


def test_what_is_due_lies_where_the_film_shows_it():
    item = draw("push-ups", 3)
    show = next(i for i, cue in enumerate(item.cues) if isinstance(cue, Show))
    film = item.cues[show]
    assert isinstance(film, Show)
    ends_s = [film.length_s + e.due_s for e in item.expect if isinstance(e, At)]
    assert ends_s == pytest.approx([end_s for _, end_s in film.frames.cycles])  # type: ignore


def test_every_kind_of_expectation_is_checked():
    for plain in (TIMER, INTERRUPT, DELEGATE):
        what = replace(plain, subset="breathe")
        right = list(checks(oracle_trace("perfect", what)))
        assert [expect for expect, _ in right] == list(what.expect)
        assert all(outcome.value == 1 for _, outcome in right)
        wrong = list(checks(oracle_trace("silent", what)))
        assert all(outcome.value == 0 and outcome.notes for _, outcome in wrong)


def test_the_right_words_at_another_time_count_against():
    tea = hand_made(
        replace(TIMER, subset="breathe"),
        say=[("tea", t) for t in (2.9, 4.9, 6.2)],
        voice=[(t, t + 0.2) for t in (3.0, 5.0, 6.3)],
        cues=((0.5, 1.0),),
    )
    assert [(e is None, o.value) for e, o in checks(tea)] == [(False, 1), (False, 1), (True, 0)]


@pytest.mark.parametrize("camera", [False, True])
def test_a_staged_user_talks_as_the_bench_plays(monkeypatch, camera: bool):
    monkeypatch.setattr(staged_user, "synthesize", beep)
    loaded = untrained("tiny", seed=1, speaks="always", camera=camera)
    item = replace(draw("friend", 0), length_s=9.0)
    system = LocalSystem(loaded, name="tiny", num_seats=1)
    [played] = play([item], system, beep)

    user = StagedUser(item, loaded)
    seed = (item.seed * 1_000_003) % 2**31
    session = system.engine.open(seed=seed, first_turn=item.first_turn)
    turn = 0
    while (half := user.input(turn)) is not None:
        assert (half.see is not None) == (camera and user.film[-1] is not None)
        user.watch(session.push(half))
        turn += 1
    live = user.trace
    assert turn == 45 == len(user.film) and any(frame is not None for frame in user.film)
    assert (live.model == played.model).all() and (live.user == played.user).all()
    assert live.say == played.say and live.cues == played.cues
    told = list(verdict(live))
    assert len(told) == len(list(checks(live))) and 'says "friend" at' in told[0]


def demo(tmp_path: Path, *words: str) -> int:
    path = tmp_path / "tiny.safetensors"
    if not path.exists():
        loaded = untrained("tiny", seed=1, speaks="always")
        save_checkpoint(path, loaded.model, None, loaded.tokenizer, loaded.facts)
    common = ["--model", str(path), "--out", str(tmp_path / "out"), "--fast"]
    return run(build_parser("demo").parse_args(["demo", *words, *common]))


def test_a_scene_leaves_a_page_a_clip_and_a_verdict(tmp_path: Path, monkeypatch, capsys):
    short = replace(draw("safety", 0), length_s=7.0)
    monkeypatch.setattr(gallery, "draw", lambda name, index: short)
    monkeypatch.setattr(staged_user, "synthesize", beep)
    assert demo(tmp_path, "safety") == 0
    told = capsys.readouterr().out
    assert "has no eyes" in told and 'no         says "watch your hand" at' in told
    page = (tmp_path / "out" / "timeline.html").read_text()
    assert page.count("data:image/jpeg") == 2 and ">camera</text>" in page
    clip = VideoFile(tmp_path / "out" / "clip.mp4")
    frames, sound = list(clip()), clip.sound()
    assert len(frames) == 35 and sound is not None
    assert len(sound) / 16000 == pytest.approx(35 * TURN_S + 0.2, abs=0.15)
    assert frames[0].mean() < 30 < frames[-1].mean()  # dark until the film begins
    assert np.abs(sound).max() > 0.01
    assert json.loads((tmp_path / "out" / "record" / "record.json").read_text())


def test_a_scene_without_a_camera_has_no_camera_lane(tmp_path: Path, monkeypatch, capsys):
    short = replace(draw("barge-in", 0), length_s=3.0)
    monkeypatch.setattr(gallery, "draw", lambda name, index: short)
    monkeypatch.setattr(staged_user, "synthesize", beep)
    demo(tmp_path, "barge-in")
    assert "stops within 0.6 s" in capsys.readouterr().out
    assert ">camera</text>" not in (tmp_path / "out" / "timeline.html").read_text()
    assert not (tmp_path / "out" / "clip.mp4").exists()


def test_scenes_are_listed_and_others_refused(tmp_path: Path, capsys):
    assert demo(tmp_path, "list") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(SCENES)
    with pytest.raises(ConfigError, match="no scene 'dance'; the scenes are friend, translate"):
        demo(tmp_path, "dance")
    with pytest.raises(ConfigError, match="for the recorded talk"):
        demo(tmp_path, "friend", "--script", "x.json")
    assert not (tmp_path / "out").exists()
