"""The vocoder, Griffin-Lim and the vocoder's training, on small sizes and drawn sounds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from interplay.errors import AudioError, ConfigError
from interplay.media.dmel import DmelConfig, log_mel
from interplay.model.griffin_lim import GriffinLim
from interplay.model.vocoder import (
    DELAY_FRAMES,
    FFT,
    HOP,
    Vocoder,
    VocoderConfig,
    fade_out,
    pitch_bins_hz,
)
from interplay.ops.fourier import keeps_rows
from interplay.train.pitch import track_pitch
from interplay.train.vocoder import (
    SpectralLoss,
    VocoderTrainer,
    VocoderTraining,
    train_vocoder,
)

SMALL = VocoderConfig(dim=64, num_layers=2, kernel=3, ff_mult=1)
SHORT = VocoderTraining(num_steps=3, batch=2, crop_frames=32, log_every=2, save_every=2)


def tone(pitch_hz: float, seconds: float = 1.0) -> np.ndarray:
    """A buzz with falling harmonics, RMS about 0.1."""
    t = np.arange(int(seconds * 16000)) / 16000
    harmonics = range(1, int(4000 / pitch_hz))
    waves = [np.cos(2 * np.pi * h * pitch_hz * t + h * h) / h for h in harmonics]
    return (0.1 * np.sum(waves, axis=0)).astype(np.float32)


def mel_of(sound: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(log_mel(sound, DmelConfig(subframes=4)))[None]


def random_mel(batch: int, num_frames: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, num_frames, 80, generator=generator) * 1.5 - 2


def small_vocoder() -> Vocoder:
    torch.manual_seed(0)
    vocoder = Vocoder(SMALL).eval()
    torch.nn.init.normal_(vocoder.filters, std=0.02)
    return vocoder


def stream_in(synthesiser, mel: torch.Tensor, cuts: list[int]) -> torch.Tensor:
    state, out = synthesiser.initial_state(mel.shape[0]), []
    for part in mel.split(cuts, dim=1):
        sound, state = synthesiser.stream(part, state)
        assert sound.shape == (mel.shape[0], part.shape[1] * HOP)
        out.append(sound)
    return torch.cat(out, dim=1)


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@torch.no_grad()
def test_stream_equals_whole(threads: int) -> None:
    mel, vocoder = random_mel(2, 24), small_vocoder()
    whole = vocoder(mel)
    assert whole.isfinite().all() and whole.std() > 1e-4
    for cuts in ([4] * 6, [8, 4, 12], [20, 4]):
        assert torch.equal(stream_in(vocoder, mel, cuts), whole)


@torch.no_grad()
def test_transforms_of_the_library_and_matrices_say_the_same(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mel, vocoder = random_mel(2, 24), small_vocoder()
    by_library = vocoder(mel)
    assert keeps_rows(mel, FFT), "else this compares matrices with themselves"
    monkeypatch.setattr("interplay.model.vocoder.keeps_rows", lambda *_: False)
    whole = vocoder(mel)
    assert torch.allclose(by_library, whole, atol=1e-5 * float(whole.abs().max()))
    assert not torch.equal(by_library, whole)
    assert torch.equal(stream_in(vocoder, mel, [8, 4, 12]), whole)


def test_transforms_are_not_trusted_in_other_formats() -> None:
    assert not keeps_rows(torch.zeros(1, dtype=torch.float64), FFT)
    assert not keeps_rows(torch.zeros(1, device="meta"), FFT)


@torch.no_grad()
def test_row_does_not_depend_on_batch_and_state_is_a_value() -> None:
    mel, vocoder = random_mel(3, 12), small_vocoder()
    whole = vocoder(mel)
    assert torch.equal(vocoder(mel[1:2]), whole[1:2])
    assert torch.equal(stream_in(vocoder, mel[1:2], [4, 8]), whole[1:2])
    _, state = vocoder.stream(mel[:, :4], vocoder.initial_state(3))
    first = vocoder.stream(mel[:, 4:], state)[0]
    assert torch.equal(vocoder.stream(mel[:, 4:], state)[0], first)


@torch.no_grad()
def test_shipped_size_streams_exactly() -> None:
    torch.manual_seed(0)
    vocoder, mel = Vocoder(VocoderConfig()).eval(), random_mel(1, 32)
    assert torch.equal(stream_in(vocoder, mel, [4, 4, 16, 8]), vocoder(mel))


@torch.no_grad()
def test_vocoder_follows_pitch_and_level_before_training() -> None:
    """The structure alone, told the pitch, gives the right harmonics at about the right level."""
    sound, vocoder = tone(200.0), Vocoder(VocoderConfig()).eval()
    mel = mel_of(sound)
    hidden, state = vocoder.features(mel, vocoder.initial_state(1))
    pitch = torch.full(mel.shape[:2], 200.0)
    made = vocoder.synthesize(mel, hidden, pitch, state)[0][0].numpy()
    spectrum = np.abs(np.fft.rfft(made[4000:12000]))
    strongest = 2 * int(np.argmax(spectrum))
    assert strongest % 200 in (0, 2, 198)
    assert 0.3 < made[4000:12000].std() / sound[4000:12000].std() < 3


def test_pitch_decoding_finds_a_bin_and_refines_it() -> None:
    bins, vocoder = pitch_bins_hz(), small_vocoder()
    logits = torch.full((1, 1, 128), -20.0)
    logits[..., 40] = 10.0
    assert vocoder.pitch_hz(logits).item() == pytest.approx(bins[40].item(), rel=1e-4)
    logits[..., 41] = 10.0
    assert bins[40] < vocoder.pitch_hz(logits).item() < bins[41]


@pytest.mark.parametrize("pitch_hz", [75.0, 131.0, 220.0, 390.0])
def test_track_pitch(pitch_hz: float) -> None:
    found, voicing = track_pitch(tone(pitch_hz), pitch_bins_hz().numpy())
    assert found.shape == voicing.shape == (80,)
    assert np.abs(found[5:-5] / pitch_hz - 1).max() < 0.01
    assert voicing[5:-5].min() > 0.9
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    assert np.median(track_pitch(noise, pitch_bins_hz().numpy())[1]) < 0.5


def test_griffin_lim_stream_equals_whole(threads: int) -> None:
    mel, synthesiser = random_mel(2, 12), GriffinLim(num_iterations=1)
    whole = synthesiser(mel)
    assert whole.isfinite().all() and whole.std() > 1e-4
    for cuts in ([4] * 3, [8, 4]):
        assert torch.equal(stream_in(synthesiser, mel, cuts), whole)
    assert torch.equal(synthesiser(mel[-1:]), whole[-1:])


def test_griffin_lim_is_close_and_iterations_help() -> None:
    sound = tone(180.0)
    real = torch.from_numpy(sound[None, : -DELAY_FRAMES * HOP])
    errors = []
    for num in (0, 12):
        made = GriffinLim(num_iterations=num)(mel_of(sound))[:, DELAY_FRAMES * HOP :]
        skip = 10 * HOP
        errors.append(SpectralLoss()(made[:, skip:], real[:, skip:]).item())
    assert errors[1] < 0.7 * errors[0]
    assert 0.8 < made[:, skip:].std() / real[:, skip:].std() < 1.2


def test_fade_out() -> None:
    faded = fade_out(torch.ones(2, 800), from_sample=100, ms=10)
    assert torch.equal(faded[:, :101], torch.ones(2, 101))
    assert torch.equal(faded[:, 260:], torch.zeros(2, 540))
    assert faded[0, 180].item() == pytest.approx(0.5)
    assert (faded[0, 1:] <= faded[0, :-1]).all()
    assert torch.equal(fade_out(torch.ones(800), from_sample=800), torch.ones(800))


def test_training_repeats_and_resumes_exactly(tmp_path: Path, capsys) -> None:
    sounds = [tone(150.0), tone(210.0, 1.3)]
    whole = train_vocoder(sounds, SMALL, SHORT, tmp_path / "whole")
    assert "step 3" in capsys.readouterr().out
    assert len((tmp_path / "whole" / "log.jsonl").read_text().splitlines()) == 2

    begun = VocoderTrainer(sounds, SMALL, SHORT)
    begun.advance()
    (tmp_path / "cut").mkdir()
    begun.save(tmp_path / "cut" / "checkpoint.pt")
    resumed = train_vocoder(sounds, SMALL, SHORT, tmp_path / "cut")
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_training_lowers_the_loss() -> None:
    config = VocoderTraining(num_steps=24, batch=2, crop_frames=32, warmup_steps=5)
    trainer = VocoderTrainer([tone(150.0), tone(210.0)], SMALL, config)
    losses = [trainer.advance() for _ in range(24)]
    for name in ("spectral", "pitch"):
        first, last = (np.mean([x[name] for x in part]) for part in (losses[:5], losses[-5:]))
        assert last < 0.9 * first, name


def test_spectral_loss_ignores_phase_but_not_pitch() -> None:
    real = torch.from_numpy(tone(200.0))[None]
    loss = SpectralLoss()
    assert loss(real, real).item() < 1e-6
    assert loss(-real, real).item() < 1e-6
    assert loss(torch.from_numpy(tone(230.0))[None], real).item() > 0.3


def test_wrong_configs_say_what_is_allowed() -> None:
    with pytest.raises(ConfigError, match="multiple of 64"):
        VocoderConfig(dim=100)
    with pytest.raises(ConfigError, match="at least 1, 2 and 1"):
        VocoderConfig(num_layers=0)
    with pytest.raises(ConfigError, match="exactly one"):
        VocoderTraining()
    with pytest.raises(ConfigError, match="at least 32"):
        VocoderTraining(num_steps=1, crop_frames=10)
    with pytest.raises(AudioError, match=r"longest of 1 recordings has 0\.10 s"):
        train_vocoder([tone(200.0, 0.1)], SMALL, SHORT)
