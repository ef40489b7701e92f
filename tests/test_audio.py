"""Sound files: what is converted, what is refused and how, what is written."""

import os
import resource

import numpy as np
import pytest
import soundfile

from interplay.errors import AudioError, DeviceError
from interplay.media.audio import (
    StreamingResampler,
    from_turns,
    read_audio,
    resample,
    to_turns,
    write_wav,
)


def tone(rate_hz: int, seconds: float = 0.5, hz: float = 440.0) -> np.ndarray:
    return 0.4 * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)


@pytest.mark.parametrize(
    ("name", "rate_hz", "num_channels", "subtype", "note"),
    [
        ("plain.wav", 16_000, 1, "PCM_16", ""),
        ("float.wav", 16_000, 1, "FLOAT", ""),
        ("bytes.wav", 16_000, 1, "PCM_U8", "mono 16000 Hz 8-bit -> mono 16000 Hz"),
        ("studio.wav", 96_000, 2, "PCM_24", "stereo 96000 Hz 24-bit -> mono 16000 Hz"),
        ("stereo.flac", 44_100, 2, "PCM_16", "stereo 44100 Hz -> mono 16000 Hz"),
        ("room.wav", 48_000, 8, "PCM_16", "8 channels 48000 Hz -> mono 16000 Hz"),
        ("phone.wav", 8_000, 1, "PCM_16", "mono 8000 Hz -> mono 16000 Hz"),
        ("music.ogg", 16_000, 1, "VORBIS", ""),
    ],
)
def test_every_form_is_converted_and_the_note_says_so(
    tmp_path, name, rate_hz, num_channels, subtype, note
):
    wave = np.repeat(tone(rate_hz)[:, None], num_channels, axis=1)
    soundfile.write(tmp_path / name, wave, rate_hz, subtype=subtype)
    audio = read_audio(tmp_path / name)
    assert audio.note == note
    assert audio.samples.dtype == np.float32 and audio.samples.shape == (8000,)
    middle = slice(1000, 7000)
    np.testing.assert_allclose(audio.samples[middle], tone(16_000)[middle], atol=0.02)


def test_channels_are_averaged(tmp_path):
    wave = np.stack([np.full(1600, 0.5), np.full(1600, -0.25)], axis=1)
    soundfile.write(tmp_path / "two.wav", wave, 16_000)
    np.testing.assert_allclose(read_audio(tmp_path / "two.wav").samples, 0.125, atol=1e-4)


def refused(path, *words: str) -> None:
    """The file is refused in one line that has these words and the path."""
    with pytest.raises(AudioError) as caught:
        read_audio(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    for word in words:
        assert word in message


def test_missing_folder_and_empty(tmp_path):
    refused(tmp_path / "nowhere.wav", "does not exist", "wav, flac")
    refused(tmp_path, "is a folder")
    (tmp_path / "empty.wav").touch()
    refused(tmp_path / "empty.wav", "empty (0 bytes)")
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    refused(tmp_path / "none.wav", "0 samples")
    soundfile.write(tmp_path / "blink.wav", np.zeros(2), 192_000)
    refused(tmp_path / "blink.wav", "shorter than one sample")


@pytest.mark.parametrize("name", ["a.wav", "a.txt", "a.raw", "a.flac"])
def test_not_sound(tmp_path, name):
    (tmp_path / name).write_bytes(b"The quick brown fox jumps over the lazy dog.\n" * 40)
    refused(tmp_path / name, "not a sound file")


@pytest.mark.parametrize("extension", ["wav", "flac", "aiff", "w64", "au", "mp3"])
@pytest.mark.parametrize("kept", [0.9, 0.5])
def test_truncated(tmp_path, capfd, extension, kept):
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    whole, cut = tmp_path / f"whole.{extension}", tmp_path / f"cut.{extension}"
    soundfile.write(whole, noise, 16_000)
    assert len(read_audio(whole).samples) == 16_000
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * kept)])
    refused(cut, "truncated")


def test_cut_inside_the_header(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(16_000), 16_000)
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:20])
    refused(tmp_path / "b.wav", "header is damaged")


def test_a_pipe_that_did_not_know_its_length_is_no_truncation(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(16_000), 16_000)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "b.wav").write_bytes(data)
    assert read_audio(tmp_path / "b.wav").samples.shape == (8000,)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(tmp_path, bad):
    wave = tone(16_000)
    wave[77] = bad
    soundfile.write(tmp_path / "bad.wav", wave, 16_000, subtype="FLOAT")
    refused(tmp_path / "bad.wav", "NaN or infinite")


@pytest.mark.parametrize("shape", [(5000,), (5000, 2)])
def test_written_wavs_read_back(tmp_path, shape):
    wave = np.random.default_rng(1).uniform(-1.2, 1.2, shape).astype(np.float32)
    write_wav(tmp_path / "a.wav", wave, 16_000)
    back, rate_hz = soundfile.read(tmp_path / "a.wav")
    assert rate_hz == 16_000
    np.testing.assert_allclose(back, np.clip(wave, -1, 1), atol=1e-4)
    assert os.listdir(tmp_path) == ["a.wav"]


def test_a_full_disk_leaves_the_old_file_and_no_draft(tmp_path):
    """A file size limit stands for the full disk: the write itself fails half way."""
    path = tmp_path / "a.wav"
    write_wav(path, np.zeros(10, np.float32), 16_000)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(DeviceError, match=r"cannot write .*a\.wav: .*MB free"):
            write_wav(path, np.zeros(50_000, np.float32), 16_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.wav"]


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "nowhere" / "a.wav", tmp_path / "file" / "a.wav", tmp_path):
        with pytest.raises(DeviceError, match="choose a folder that exists"):
            write_wav(path, np.zeros(10, np.float32), 16_000)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DeviceError, match="Permission denied"):
        write_wav(tmp_path / "a.wav", np.zeros(10, np.float32), 16_000)


def test_resampling_keeps_the_tone():
    up = resample(tone(16_000), 16_000, 24_000)
    assert up.dtype == np.float32 and len(up) == 12_000
    np.testing.assert_allclose(up[1000:-1000], tone(24_000)[1000:-1000], atol=2e-3)
    same = tone(16_000).astype(np.float32)
    assert resample(same, 16_000, 16_000) is same


def test_resampling_in_pieces_has_no_seam():
    wave = np.random.default_rng(2).standard_normal(9_600).astype(np.float32)
    stream = StreamingResampler(48_000, 16_000)
    pieces = [stream.push(wave[i : i + 960], last=i + 960 == 9_600) for i in range(0, 9_600, 960)]
    whole = StreamingResampler(48_000, 16_000).push(wave, last=True)
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-6)


RATES = [(24_000, 16_000), (16_000, 24_000), (8_000, 16_000)]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_resampled_stream_comes_within_a_quarter_of_a_millisecond(from_hz, to_hz):
    got = StreamingResampler(from_hz, to_hz).push(tone(from_hz).astype(np.float32), last=True)
    steepest = 0.4 * 2 * np.pi * 440
    want = tone(to_hz)
    assert abs(len(got) - len(want)) < 16
    assert np.abs(got[1000:-1000] - want[1000 : len(got) - 1000]).max() < 0.00025 * steepest


@pytest.mark.parametrize(("num_samples", "num_turns"), [(0, 0), (1, 1), (3200, 1), (6401, 3)])
def test_micro_turns_and_back(num_samples, num_turns):
    wave = np.arange(num_samples, dtype=np.float32)
    turns = to_turns(wave)
    assert turns.shape == (num_turns, 3200)
    np.testing.assert_array_equal(from_turns(turns)[:num_samples], wave)
    assert (from_turns(turns)[num_samples:] == 0).all()
