"""Trains the vocoder on recordings. Knows nothing of language models or how the sound was made.

Spectra at four resolutions and the mel spectrum are compared, never samples: two sounds that
differ in phase alone are the same. The pitch is learned from recordings (`train/pitch.py`) and,
while training, also taken from there, so that the filter learns beside the right harmonics.
Some of the mels are those that the language model says beside a recording (`train/said.py`): it
blurs, and the vocoder is what has to make speech of that.
"""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from torch import Tensor

from interplay.clock import SAMPLE_RATE_HZ
from interplay.errors import AudioError, ConfigError
from interplay.media.dmel import DmelConfig, dequantize, filterbank, log_mel, quantize
from interplay.model.vocoder import DELAY_FRAMES, HOP, Vocoder, VocoderConfig, pitch_bins_hz
from interplay.train.pitch import track_pitch

MEL = DmelConfig(subframes=4)
FFT_SIZES = (256, 512, 1024, 2048)
MAGNITUDE_FLOOR = 1e-3  # below it two magnitudes are the same: -90 dB of full scale
SETTLE_FRAMES = 8  # a crop begins inside speech: its first frames are not compared
PITCH_BLUR_BINS = 1.0


@dataclass(frozen=True, kw_only=True)
class VocoderTraining:
    """How to train; give `num_steps`, or `budget_s` seconds of wall clock, preparation included.

    noise, coarse_share: how mels of recordings are spoilt. said_share: of the crops, those with a
    mel that a model said, where there are any.

    Only `num_steps` gives the same weights for the same seed: a clock never ticks twice alike.
    """

    num_steps: int | None = None
    budget_s: float | None = None
    batch: int = 8
    crop_frames: int = 64
    peak_lr: float = 1.5e-3
    warmup_steps: int = 50
    ema: float = 0.995
    noise: float = 0.1
    coarse_share: float = 0.25
    said_share: float = 0.6
    gain_db: tuple[float, float] = (-18.0, 3.0)
    pitch_weight: float = 0.2
    mel_weight: float = 1.0
    seed: int = 0
    log_every: int = 50
    save_every: int = 500

    def __post_init__(self) -> None:
        if (self.num_steps is None) == (self.budget_s is None):
            raise ConfigError(
                f"vocoder training has num_steps {self.num_steps} and budget_s {self.budget_s}; "
                "give exactly one of them"
            )
        if self.crop_frames <= SETTLE_FRAMES + FFT_SIZES[-1] // HOP:
            raise ConfigError(f"crop_frames is {self.crop_frames}; use at least 32")


@dataclass(frozen=True)
class Said:
    """float32 [F * 200] samples at 16 kHz and the log10 mel [F, 80] that a model says for them."""

    samples: Float32[np.ndarray, " T"]
    mel: Float32[np.ndarray, "F 80"]


@dataclass(frozen=True)
class _Recording:
    is_said: bool
    samples: Tensor  # [F * HOP], delayed by DELAY_FRAMES as the vocoder is
    mel: Tensor  # [F, 80]
    pitch_hz: Tensor  # [F]
    voicing: Tensor  # [F]


def _prepare(
    samples: Float32[np.ndarray, " T"], said: Float32[np.ndarray, "F 80"] | None = None
) -> _Recording:
    samples = samples[: len(samples) // HOP * HOP].astype(np.float32)
    pitch_hz, voicing = track_pitch(samples, pitch_bins_hz().numpy())
    late = np.pad(samples, (DELAY_FRAMES * HOP, 0))[: len(samples)]
    mel = log_mel(samples, MEL) if said is None else said
    tensors = [torch.from_numpy(x) for x in (late, mel, pitch_hz, voicing)]
    return _Recording(said is not None, *tensors)


class _Crops:
    """Batches that depend on the seed and the step only, so that a resumed run sees the same."""

    def __init__(
        self, sounds: Sequence[np.ndarray], config: VocoderTraining, said: Sequence[Said] = ()
    ) -> None:
        shortest = config.crop_frames * HOP
        usable = [s for s in sounds if len(s) > shortest]
        if not usable:
            longest = max((len(s) for s in sounds), default=0) / SAMPLE_RATE_HZ
            raise AudioError(
                f"the longest of {len(sounds)} recordings has {longest:.2f} s; give some of more "
                f"than {shortest / SAMPLE_RATE_HZ:.2f} s at 16 kHz"
            )
        self.config = config
        self.recordings = [_prepare(s) for s in usable]
        self.recordings += [_prepare(s.samples, s.mel) for s in said if len(s.samples) > shortest]
        lengths = np.array([len(r.mel) for r in self.recordings], np.float64)
        is_said = np.array([r.is_said for r in self.recordings])
        if is_said.any():
            for chosen, share in ((is_said, config.said_share), (~is_said, 1 - config.said_share)):
                lengths[chosen] *= share / lengths[chosen].sum()
        self.shares = lengths / lengths.sum()

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Samples [B, L * HOP], mel [B, L, 80], pitch [B, L] and voicing [B, L] of one step."""
        rng = np.random.default_rng((self.config.seed, step))
        num = self.config.crop_frames
        rows = []
        for i in rng.choice(len(self.recordings), self.config.batch, p=self.shares):
            r = self.recordings[i]
            start = int(rng.integers(len(r.mel) - num + 1))
            part = slice(start, start + num)
            gain_db = rng.uniform(*self.config.gain_db)
            samples = r.samples[start * HOP : (start + num) * HOP] * 10 ** (gain_db / 20)
            mel = (r.mel[part] + gain_db / 20).numpy()
            mel = mel if r.is_said else self._spoil(mel, rng)
            rows.append((samples, torch.from_numpy(mel), r.pitch_hz[part], r.voicing[part]))
        samples, mel, pitch_hz, voicing = (torch.stack(x) for x in zip(*rows, strict=True))
        return samples, mel, pitch_hz, voicing

    def _spoil(self, mel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A mel as a language model would give it: noisy, or rounded to the 16 coarse bins."""
        if rng.random() < self.config.coarse_share:
            return dequantize(quantize(mel.astype(np.float32)))
        noise = rng.normal(0, self.config.noise, mel.shape)
        return (mel + noise).astype(np.float32)


class SpectralLoss:
    """Multi-resolution STFT loss (Yamamoto et al. 2020) plus the distance of log mels."""

    def __init__(self, mel_weight: float = 1.0) -> None:
        self.mel_weight = mel_weight
        self.filters = torch.from_numpy(filterbank(MEL))
        self.windows = {n: torch.hann_window(n) for n in FFT_SIZES}

    def magnitude(self, x: Float[Tensor, "b t"], n: int) -> Float[Tensor, "b freqs frames"]:
        """STFT magnitudes with hop n // 4, from whole windows only."""
        z = torch.stft(x, n, n // 4, window=self.windows[n], center=False, return_complex=True)
        return torch.sqrt(z.real**2 + z.imag**2 + 1e-9)

    def __call__(self, made: Float[Tensor, "b t"], real: Float[Tensor, "b t"]) -> Tensor:
        """The mean over resolutions of log distance and spectral convergence, and the mel term."""
        total = torch.zeros(())
        for n in FFT_SIZES:
            a, b = self.magnitude(made, n), self.magnitude(real, n)
            floor = MAGNITUDE_FLOOR * n / 256
            distance = ((a + floor).log() - (b + floor).log()).abs().mean()
            norms = (
                torch.linalg.vector_norm(b - a, dim=(1, 2)),
                torch.linalg.vector_norm(b, dim=(1, 2)),
            )
            total = total + (distance + (norms[0] / (norms[1] + floor)).mean()) / len(FFT_SIZES)
            if n == MEL.n_fft:
                mels = [(m.transpose(1, 2) @ self.filters + 1e-5).log() for m in (a, b)]
                total = total + self.mel_weight * (mels[0] - mels[1]).abs().mean()
        return total


def _pitch_loss(logits: Tensor, pitch_hz: Tensor, voicing: Tensor) -> Tensor:
    """Cross-entropy with a blurred target, as far as a frame is voiced."""
    bins = pitch_bins_hz().log2()
    place = (pitch_hz.log2() - bins[0]) / (bins[1] - bins[0])
    index = torch.arange(len(bins))
    target = torch.softmax(-(((index - place[..., None]) / PITCH_BLUR_BINS) ** 2) / 2, dim=-1)
    weight = voicing * (voicing > 0.5)
    loss = -(target * F.log_softmax(logits, dim=-1)).sum(-1)
    return (loss * weight).sum() / (weight.sum() + 1)


def _learning_rate(config: VocoderTraining, step: int, progress: float) -> float:
    warm = min(1.0, (step + 1) / config.warmup_steps)
    return config.peak_lr * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


class VocoderTrainer:
    """One run: the vocoder, its slow average, the optimiser and how far it has come."""

    def __init__(
        self,
        sounds: Sequence[np.ndarray],
        model: VocoderConfig,
        config: VocoderTraining,
        start: Vocoder | None = None,
        said: Sequence[Said] = (),
    ) -> None:
        start_s = time.monotonic()
        torch.manual_seed(config.seed)
        self.config, self.model_config = config, model
        self.vocoder, self.average = Vocoder(model), Vocoder(model)
        if start is not None:
            self.vocoder.load_state_dict(start.state_dict())
        self.average.load_state_dict(self.vocoder.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.vocoder.parameters(), lr=config.peak_lr, betas=(0.8, 0.95), weight_decay=0.01
        )
        self.loss = SpectralLoss(config.mel_weight)
        self.crops = _Crops(sounds, config, said)
        self.step, self.elapsed_s = 0, time.monotonic() - start_s

    @property
    def progress(self) -> float:
        """How much of the run is done, 0..1."""
        if self.config.num_steps is not None:
            return min(1.0, self.step / self.config.num_steps)
        assert self.config.budget_s is not None
        return min(1.0, self.elapsed_s / self.config.budget_s)

    def advance(self) -> dict[str, float]:
        """One step; returns the losses and the learning rate."""
        start_s = time.monotonic()
        samples, mel, pitch_hz, voicing = self.crops.batch(self.step)
        state = self.vocoder.initial_state(len(mel))
        hidden, state = self.vocoder.features(mel, state)
        made, _ = self.vocoder.synthesize(mel, hidden, pitch_hz, state)
        skip = SETTLE_FRAMES * HOP
        spectral = self.loss(made[:, skip:], samples[:, skip:])
        pitch = _pitch_loss(self.vocoder.pitch_logits(hidden), pitch_hz, voicing)
        self.optimizer.zero_grad()
        (spectral + self.config.pitch_weight * pitch).backward()
        torch.nn.utils.clip_grad_norm_(self.vocoder.parameters(), 5.0)
        lr = _learning_rate(self.config, self.step, self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self._follow()
        self.step += 1
        self.elapsed_s += time.monotonic() - start_s
        return {"spectral": spectral.item(), "pitch": pitch.item(), "lr": lr}

    @torch.no_grad()
    def _follow(self) -> None:
        keep = min(self.config.ema, (self.step + 1) / (self.step + 10))
        pairs = zip(self.average.parameters(), self.vocoder.parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, 1 - keep)

    def save(self, path: Path) -> None:
        """Everything needed to go on; written beside and moved, so that a crash leaves the old."""
        state = {
            "vocoder": self.vocoder.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Go on from `save`."""
        state = torch.load(path, weights_only=True)
        self.vocoder.load_state_dict(state["vocoder"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]


def train_vocoder(
    sounds: Sequence[Float32[np.ndarray, " _"]],
    model: VocoderConfig,
    config: VocoderTraining,
    out: Path | None = None,
    *,
    start: Vocoder | None = None,
    said: Sequence[Said] = (),
) -> Vocoder:
    """A vocoder for the voices in `sounds` (16 kHz, full scale 1): its slow average, in eval mode.

    out: a folder for log.jsonl and checkpoint.pt; a checkpoint found there is continued.
    start: a trained one to begin with. said: mels of the model that will speak through it.
    Raises AudioError when no recording is as long as a crop.
    """
    trainer = VocoderTrainer(sounds, model, config, start, said)
    checkpoint = None if out is None else out / "checkpoint.pt"
    if checkpoint is not None:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        if checkpoint.exists():
            trainer.load(checkpoint)
    while trainer.progress < 1:
        losses = trainer.advance()
        if trainer.step % config.log_every == 0 or trainer.progress >= 1:
            _report(trainer, losses, out)
        if checkpoint is not None and (
            trainer.step % config.save_every == 0 or trainer.progress >= 1
        ):
            trainer.save(checkpoint)
    return trainer.average.eval()


def _report(trainer: VocoderTrainer, losses: dict[str, float], out: Path | None) -> None:
    line = {"step": trainer.step, "elapsed_s": round(trainer.elapsed_s, 2), **losses}
    print(
        f"vocoder {trainer.progress:4.0%}  step {trainer.step}  {trainer.elapsed_s:.0f} s  "
        f"spectral {losses['spectral']:.3f}  pitch {losses['pitch']:.3f}",
        flush=True,
    )
    if out is not None:
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
