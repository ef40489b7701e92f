"""Damaged and hostile sound files and pictures: read, or refused in one line."""

import io
import struct
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from interplay.clock import FakeClock
from interplay.errors import AudioError, RequestError
from interplay.media.audio import read_audio
from interplay.server.camera import BURST, Camera
from tests.server_helpers import picture, refused

fuzz = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TONE = (np.sin(np.arange(800) / 8) / 4).astype(np.float32)


def sound(kind: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, TONE, 16_000, format=kind, subtype=subtype)
    return buffer.getvalue()


SOUNDS = [
    sound("WAV", "PCM_16"),
    sound("WAV", "FLOAT"),
    sound("WAV", "ULAW"),
    sound("FLAC", "PCM_16"),
    sound("OGG", "VORBIS"),
]


def wav(rate_hz: int = 16_000, channels: int = 1, bits: int = 16, size: int = 100) -> bytes:
    """A header that says what it likes, and 100 bytes of sound."""
    block = channels * bits // 8
    head = struct.pack(
        "<HHIIHH", 1, channels, rate_hz, rate_hz * block & 0xFFFFFFFF, block & 0xFFFF, bits
    )
    chunk = b"fmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", 36 + size & 0xFFFFFFFF) + b"WAVE" + chunk + bytes(100)


def damaged(originals: list[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes changed, cut out or put in at some places."""

    def change(data: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
        for at, length, new in cuts:
            start = at % (len(data) + 1)
            data = data[:start] + new + data[start + length :]
        return data

    cut = st.tuples(st.integers(0, 4000), st.integers(0, 8), st.binary(max_size=8))
    return st.builds(change, st.sampled_from(originals), st.lists(cut, max_size=6))


def check_sound(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        samples = read_audio(path).samples
    except AudioError as error:
        assert "\n" not in str(error)
    else:
        assert samples.dtype == np.float32 and samples.ndim == 1 and len(samples)
        assert np.isfinite(samples).all()


@fuzz
@given(data=damaged(SOUNDS))
def test_a_damaged_sound_file_is_sound_or_refused(tmp_path, data):
    check_sound(tmp_path / "any.wav", data)


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF",
        b"RIFF\xff\xff\xff\xffWAVE",
        wav(rate_hz=0),
        wav(rate_hz=0xFFFFFFFF),
        wav(channels=0),
        wav(channels=0xFFFF),
        wav(bits=0),
        wav(bits=13),
        wav(bits=0xFFFF),
        wav(size=0xFFFFFFFF),
        wav(size=0),
        b"fLaC" + bytes(200),
        b"OggS" + bytes(200),
        b"ID3" + bytes(200),
        b"\x00" * 1000,
        b"#!/bin/sh\necho\n",
    ],
    ids=range(16),
)
def test_headers_that_lie_are_refused_or_survived(tmp_path, data):
    check_sound(tmp_path / "any.wav", data)


def save(kind: str, mode: str = "RGB", **options) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (32, 24), 100 if mode in ("L", "I;16") else None).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    end = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + end


def png(width: int, height: int, *chunks: bytes, data: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + body + chunk(b"IEND", b"")


def bomb(kind: bytes, head: bytes) -> bytes:
    """A picture with a text of 80 MiB in 80 KiB; half a second to make."""
    return png(32, 24, chunk(kind, head + zlib.compress(bytes(80 << 20))))


PICTURES = [
    picture(),
    picture(kind="PNG"),
    save("JPEG", progressive=True),
    save("JPEG", "CMYK"),
    save("JPEG", "L"),
    save("PNG", "RGBA"),
    save("PNG", "I;16"),
    save("PNG", "P"),
    save("PNG", "1"),
]


@fuzz
@given(data=damaged(PICTURES) | st.binary(max_size=100))
def test_a_damaged_picture_is_seen_or_refused(data):
    try:
        tiles = Camera().tiles(data)
    except RequestError as error:
        assert error.code in ("invalid_image", "image_too_big") and "\n" not in str(error)
    else:
        assert tiles.shape == (12, 2, 40, 40, 3) and tiles.dtype == np.uint8


@pytest.mark.parametrize("data", PICTURES, ids=range(len(PICTURES)))
def test_every_kind_of_jpeg_and_png_is_seen(data):
    assert Camera().tiles(data).shape == (12, 2, 40, 40, 3)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (png(60_000, 60_000, data=bytes(100)), "image_too_big"),
        (png(1921, 1080), "image_too_big"),
        (png(0, 0), "invalid_image"),
        (png(0x7FFFFFFF, 1), "image_too_big"),
        (png(32, 24, data=bytes(10)), "invalid_image"),
        (partial(bomb, b"zTXt", b"a\0\0"), "invalid_image"),
        (partial(bomb, b"iTXt", b"a\0\1\0\0\0"), "invalid_image"),
        (save("GIF"), "invalid_image"),
        (save("BMP"), "invalid_image"),
        (save("TIFF"), "invalid_image"),
        (save("WEBP"), "invalid_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "invalid_image"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', ""),
        (b"https://example.org/cat.jpg", "invalid_image"),
        (b"\xff\xd8\xff\xe0" + bytes(1000), "invalid_image"),
    ],
    ids=range(15),
)
def test_pictures_that_are_too_much_or_something_else_are_refused(data, code):
    error = refused(Camera().tiles, data() if callable(data) else data)
    assert error.code == (code or "invalid_image")


def test_more_pictures_than_a_model_can_see_are_not_looked_at():
    clock = FakeClock()
    camera, film = Camera(clock), Camera(clock)
    for _ in range(round(BURST)):
        camera.admit()
        assert film.admits()
    for admit in (camera.admit, camera.admit, film.admits):
        error = refused(admit)
        assert (error.code, error.param) == ("picture_backpressure", "image")
        assert error.retry_after_s
    assert not film.admits(), "of a film it is told once"
    for _ in range(50):
        clock.advance(0.2)
        camera.admit()
        assert film.admits()
