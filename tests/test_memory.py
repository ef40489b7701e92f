"""Advice on the allocator: one line where glibc's is the only one, none elsewhere."""

from pathlib import Path

import pytest

from interplay.train import memory

LINE = "7f00-7f01 r-xp 0000 fe:00 11 /usr/lib/x86_64-linux-gnu/{}\n"


@pytest.mark.parametrize(
    ("library", "is_advised"),
    [("libc.so.6", True), ("libjemalloc.so.2", False), ("libtcmalloc.so.4", False)],
)
def test_whoever_has_glibc_alone_is_told_of_a_faster_one(
    tmp_path: Path, monkeypatch, library, is_advised
):
    monkeypatch.setattr(memory.sys, "platform", "linux")
    maps = tmp_path / "maps"
    maps.write_text(LINE.format("ld-linux-x86-64.so.2") + LINE.format(library))
    line = memory.advice(maps)
    assert (line is not None) == is_advised
    if line:
        assert "LD_PRELOAD=libjemalloc.so.2" in line and "\n" not in line


def test_other_systems_are_left_alone(tmp_path: Path, monkeypatch):
    assert memory.advice(tmp_path / "missing") is None
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    (tmp_path / "maps").write_text(LINE.format("libc.so.6"))
    assert memory.advice(tmp_path / "maps") is None
