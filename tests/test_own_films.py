"""Films and their captions: what is lost or makes no sense is told, with its second or line."""

import re

import numpy as np
import pytest
from own_helpers import write
from video_helpers import write_video

from interplay import cli
from interplay.media.video_file import VideoFile

CURE = "; get the whole film again, cut that part out, or convert it to a constant rate"
CAPTION = "1\n00:00:15,000 --> 00:00:18,000\nHello\n"


def refusal(capsys, folder) -> str:
    assert cli.main(["data", "import", str(folder), "--out", str(folder.parent / "out")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and not (folder.parent / "out").exists(), told
    return told


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def wipe(data: bytes) -> bytes:
    start, end = len(data) // 2, len(data) * 5 // 8
    return data[:start] + bytes(end - start) + data[end:]


@pytest.mark.parametrize(
    ("name", "damage", "line"),
    [
        ("film.mkv", cut, "no picture from here on can be read, and the film lasts 20.00 s"),
        ("film.avi", cut, "this picture is damaged|no picture from here on"),
        (
            "film.mkv",
            wipe,
            r"no picture until \S+ s can be read|this picture is|from here on it is",
        ),
        ("film.avi", wipe, "this picture is damaged|no picture from here on"),
    ],
)
def test_a_film_of_which_a_part_is_lost_is_told(tmp_path, capsys, name, damage, line):
    levels = np.random.default_rng(0).integers(0, 255, 160).tolist()
    film = write_video(tmp_path / "in" / name, levels, 8, (64, 48))
    assert len(VideoFile(film).whole()) == len(list(VideoFile(film)())) >= 100
    film.write_bytes(damage(film.read_bytes()))
    write(tmp_path / "in", "film.srt", CAPTION)
    assert re.search(rf"{name}, \d+\.\d\d s: ({line}).*{CURE}", refusal(capsys, tmp_path / "in"))


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("film.srt", "1\n-00:00:01,000 --> 00:00:02,000\nHi\n", "film.srt, line 2: '-00:00:01,000"),
        ("film.srt", "1\n00:00:01,000 --> - 00:00:02,000\nHi\n", "film.srt, line 2: '00:00:01,000"),
        ("film.srt", "1\n00:00:-1,000 --> 00:00:02,000\nHi\n", "film.srt, line 2: '00:00:-1,000"),
        ("film.vtt", "WEBVTT\n\n-00:01.000 --> 00:02.000\nHi\n", "film.vtt, line 3: '-00:01.000"),
    ],
)
def test_captions_with_times_below_zero_are_told(tmp_path, capsys, name, content, line):
    write_video(tmp_path / "in" / "film.mp4", [9] * 20, 5, (64, 48))
    write(tmp_path / "in", name, content)
    told = refusal(capsys, tmp_path / "in")
    assert line in told and "has a time that cannot be; give start --> end, as in 00:0" in told


def test_a_dash_in_what_is_said_is_no_time(tmp_path, capsys):
    write_video(tmp_path / "in" / "film.mp4", [9] * 20, 5, (64, 48))
    write(tmp_path / "in", "film.srt", "1\n00:00:01,000 --> 00:00:03,000\n- at 3 --> i go -\n")
    assert "'3' is no word that can be spelled" in refusal(capsys, tmp_path / "in")
