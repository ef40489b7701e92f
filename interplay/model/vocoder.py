"""The vocoder: log-mel frames to sound, hop by hop. Knows nothing of language models or sessions.

A source-filter synthesiser that a causal ConvNeXt drives. Per frame the network gives a pitch, a
spectral envelope and, per frequency, how much of it is noise; a band-limited pulse train and a
fixed noise are weighted, filtered with the envelope's minimum phase and overlap-added. The
network never has to invent a phase, which is what a few minutes of training cannot teach.

Streaming equals whole, bit for bit: products go through the row contract, everything else is
elementwise or per row, and the pulse phase is an integer, so that its running sum is exact.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interplay.clock import SAMPLE_RATE_HZ
from interplay.errors import ConfigError
from interplay.media.dmel import LOG_MEL_MAX, LOG_MEL_MIN, NUM_MELS, DmelConfig, filterbank
from interplay.ops.activation import silu
from interplay.ops.fourier import keeps_rows
from interplay.ops.linear import linear
from interplay.ops.norm import rms_norm
from interplay.ops.sums import row_sum

HOP = 200
DELAY_FRAMES = 2  # samples of frame k are sound [(k - 2) * HOP, (k - 1) * HOP)
SEGMENT = 2 * HOP  # one filter acts on this much excitation, Hann-windowed
FFT = 4 * HOP  # a segment and 25 ms for the filter to ring
NUM_FREQS = FFT // 2 + 1
NUM_OVERLAPS = FFT // HOP
NOISE_FRAMES = 256  # the noise repeats after 3.2 s
PHASE_STEPS = 1 << 32  # integer steps in one pitch period
PITCH_LOW_HZ, PITCH_HIGH_HZ = 60.0, 420.0
NUM_PITCHES = 128  # 26 cents apart
PITCH_REACH = 4  # bins around the best one that refine it
HARMONICS_BELOW_HZ = 7800.0

TRANSFORMS = ("dft", "inverse_dft", "minimum_phase")  # matrices where `keeps_rows` does not hold

State = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class VocoderConfig:
    """Sizes of the network that drives the synthesiser.

    dim: width of a frame, a multiple of 64; kernel: frames that one depthwise convolution sees;
    ff_mult: width of the inner layer in units of dim.
    """

    dim: int = 128
    num_layers: int = 6
    kernel: int = 7
    ff_mult: int = 3

    def __post_init__(self) -> None:
        if self.dim <= 0 or self.dim % 64:
            raise ConfigError(f"vocoder.dim is {self.dim}; use a multiple of 64, such as 128")
        if self.num_layers < 1 or self.kernel < 2 or self.ff_mult < 1:
            raise ConfigError(
                f"vocoder has num_layers {self.num_layers}, kernel {self.kernel}, ff_mult "
                f"{self.ff_mult}; use at least 1, 2 and 1"
            )


def pitch_bins_hz() -> Float[Tensor, " pitches"]:
    """The pitches that the network chooses from, spaced evenly in log frequency."""
    return torch.logspace(
        math.log10(PITCH_LOW_HZ), math.log10(PITCH_HIGH_HZ), NUM_PITCHES, dtype=torch.float64
    ).float()


def mel_to_freqs(num_freqs: int) -> Float[Tensor, "freqs mels"]:
    """Linear interpolation from mel centres to `num_freqs` frequencies from 0 to 8000 Hz."""
    filters = torch.from_numpy(filterbank(DmelConfig(subframes=4))).double()
    grid = torch.linspace(0, SAMPLE_RATE_HZ / 2, filters.shape[0], dtype=torch.float64)
    centres = (filters * grid[:, None]).sum(0) / filters.sum(0)
    freqs = torch.linspace(0, SAMPLE_RATE_HZ / 2, num_freqs, dtype=torch.float64)
    right = torch.searchsorted(centres, freqs).clamp(1, NUM_MELS - 1)
    share = (freqs - centres[right - 1]) / (centres[right] - centres[right - 1])
    share = share.clamp(0, 1)
    weights = torch.zeros(num_freqs, NUM_MELS, dtype=torch.float64)
    weights.scatter_(1, (right - 1)[:, None], (1 - share)[:, None])
    weights.scatter_(1, right[:, None], share[:, None])
    return weights.float()


def _fold() -> Float[Tensor, " fft"]:
    """Weights that make a cepstrum that of the minimum-phase filter."""
    weights = torch.zeros(FFT)
    weights[0] = weights[FFT // 2] = 1
    weights[1 : FFT // 2] = 2
    return weights


def _minimum_phase() -> Float[Tensor, "freqs freqs"]:
    """Log magnitude to the phase of the minimum-phase filter: the folded cepstrum as a matrix."""
    k = torch.arange(NUM_FREQS, dtype=torch.float64)
    angle = 2 * math.pi / FFT * k[:, None] * k[None]
    sides = torch.full((NUM_FREQS,), 2.0, dtype=torch.float64)
    sides[0] = sides[-1] = 1
    cepstrum = torch.cos(angle) * sides / FFT
    fold = torch.sin(angle)
    fold[:, 0] = fold[:, -1] = 0
    return (-2 * fold @ cepstrum).float()


def _dft(num_samples: int) -> Float[Tensor, "two_freqs samples"]:
    """Samples to real parts, then imaginary parts."""
    n = torch.arange(num_samples, dtype=torch.float64)
    angle = 2 * math.pi / FFT * torch.arange(NUM_FREQS, dtype=torch.float64)[:, None] * n
    return torch.cat([torch.cos(angle), -torch.sin(angle)])


def _inverse_dft() -> Float[Tensor, "fft two_freqs"]:
    """Real and imaginary parts to samples."""
    sides = torch.full((NUM_FREQS,), 2.0, dtype=torch.float64)
    sides[0] = sides[-1] = 1
    return (_dft(FFT) * torch.cat([sides, sides])[:, None] / FFT).T.contiguous().float()


def _noise_spectra(dft: Float[Tensor, "two_freqs segment"]) -> Float[Tensor, "frames two_freqs"]:
    """Spectra of windowed segments of one fixed, endlessly repeated noise of unit power."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(NOISE_FRAMES, HOP, generator=generator, dtype=torch.float64)
    return (torch.cat([noise.roll(1, 0), noise], dim=1) @ dft.T).float()


@cache
def _tables() -> dict[str, Tensor]:
    """The fixed tables of every vocoder, made once; nothing writes into them."""
    with torch.inference_mode(False), torch.device("cpu"):
        window = torch.hann_window(SEGMENT, periodic=True, dtype=torch.float64)
        dft = _dft(SEGMENT) * window
        return {
            "pitch_bins": pitch_bins_hz(),
            "mel_to_freqs": mel_to_freqs(NUM_FREQS),
            "minimum_phase": _minimum_phase(),
            "window": window.float(),
            "fold": _fold(),
            "dft": dft.float(),
            "inverse_dft": _inverse_dft(),
            "noise": _noise_spectra(dft),
        }


class ConvNeXtBlock(nn.Module):
    """Depthwise causal convolution over frames, then an inner layer (Liu et al. 2022)."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        dim, inner = config.dim, config.dim * config.ff_mult
        self.taps = nn.Parameter(torch.randn(config.kernel, dim) * config.kernel**-0.5)
        self.norm = nn.Parameter(torch.ones(dim))
        self.up = nn.Parameter(torch.randn(inner, dim) * dim**-0.5)
        self.up_bias = nn.Parameter(torch.zeros(inner))
        self.down = nn.Parameter(torch.randn(dim, inner) * 0.3 * inner**-0.5)

    def forward(
        self, x: Float[Tensor, "b f d"], past: Float[Tensor, "b p d"]
    ) -> tuple[Float[Tensor, "b f d"], Float[Tensor, "b p d"]]:
        """One layer; `past` holds the kernel - 1 frames before x. Returns (x, the next past)."""
        frames = torch.cat([past, x], dim=1)
        num_frames = x.shape[1]
        # A sum of shifted products: library convolutions change bits with the number of frames.
        mixed = frames[:, :num_frames] * self.taps[0]
        for i in range(1, len(self.taps)):
            mixed = mixed + frames[:, i : i + num_frames] * self.taps[i]
        inner = silu(linear(rms_norm(mixed, self.norm, 1e-6), self.up) + self.up_bias)
        return x + linear(inner, self.down), frames[:, num_frames:]


class Vocoder(nn.Module):
    """Log10 mel [B, F, 80] (hop 200 at 16 kHz, causal frames) to sound [B, F * 200].

    Two frames (25 ms) late, because a causal window says little about its newest samples.
    """

    pitch_bins: Tensor
    mel_to_freqs: Tensor
    minimum_phase: Tensor
    window: Tensor
    fold: Tensor
    dft: Tensor
    inverse_dft: Tensor
    noise: Tensor

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        dim, width = config.dim, config.kernel * NUM_MELS
        self.embed = nn.Parameter(torch.randn(dim, width) * width**-0.5)
        self.embed_bias = nn.Parameter(torch.zeros(dim))
        self.blocks = nn.ModuleList(ConvNeXtBlock(config) for _ in range(config.num_layers))
        self.norm = nn.Parameter(torch.ones(dim))
        self.pitch = nn.Parameter(torch.randn(NUM_PITCHES, dim) * dim**-0.5)
        self.pitch_bias = nn.Parameter(torch.zeros(NUM_PITCHES))
        self.filters = nn.Parameter(torch.zeros(2 * NUM_FREQS, dim))
        # From a mel magnitude to the gain of a source of unit power, and half noise at first.
        bias = torch.cat([torch.full((NUM_FREQS,), -0.1), torch.full((NUM_FREQS,), -1.0)])
        self.filters_bias = nn.Parameter(bias)
        for name, table in _tables().items():
            self.register_buffer(name, table, persistent=False)

    def initial_state(self, batch: int) -> State:
        """The state before any frame: silence, no pitch."""
        device, past = self.embed.device, self.config.kernel - 1

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(batch, *shape, dtype=dtype, device=device)

        state = {
            "mel": zeros(past, NUM_MELS),
            "pitch_hz": zeros(1),
            "phase": zeros(1, dtype=torch.int64),
            "frame": zeros(1, dtype=torch.int64),
            "pulses": zeros(1, HOP),
            "ringing": zeros(NUM_OVERLAPS - 1, FFT),
        }
        for i in range(self.config.num_layers):
            state[f"block{i}"] = zeros(past, self.config.dim)
        return state

    def forward(self, mel: Float[Tensor, "b f 80"]) -> Float[Tensor, "b samples"]:
        """The sound of a whole sequence from the initial state: [B, F * 200]."""
        return self.stream(mel, self.initial_state(mel.shape[0]))[0]

    def stream(
        self, mel: Float[Tensor, "b f 80"], state: State
    ) -> tuple[Float[Tensor, "b samples"], State]:
        """The next F frames: sound [B, F * 200] and the state to pass next time."""
        hidden, state = self.features(mel, state)
        return self.synthesize(mel, hidden, self.pitch_hz(self.pitch_logits(hidden)), state)

    def features(self, mel: Float[Tensor, "b f 80"], state: State) -> tuple[Tensor, State]:
        """What the network sees in each frame [B, F, dim], and the state moved on."""
        state = dict(state)
        scaled = (mel.clamp(LOG_MEL_MIN, LOG_MEL_MAX) + 3) / 2
        frames = torch.cat([state["mel"], scaled], dim=1)
        state["mel"] = frames[:, mel.shape[1] :]
        x = frames.unfold(1, self.config.kernel, 1).flatten(2)
        x = linear(x, self.embed) + self.embed_bias
        for i, block in enumerate(self.blocks):
            x, state[f"block{i}"] = block(x, state[f"block{i}"])
        return rms_norm(x, self.norm, 1e-6), state

    def pitch_logits(self, hidden: Float[Tensor, "b f d"]) -> Float[Tensor, "b f pitches"]:
        """Scores of `pitch_bins_hz` at sample (k * 200) of frame k."""
        return linear(hidden, self.pitch) + self.pitch_bias

    def pitch_hz(self, logits: Float[Tensor, "b f pitches"]) -> Float[Tensor, "b f"]:
        """The best pitch, refined by its neighbours (Kim et al. 2018)."""
        index = torch.arange(NUM_PITCHES, device=logits.device)
        near = (index - logits.argmax(-1, keepdim=True)).abs() <= PITCH_REACH
        weights = torch.exp(logits - logits.amax(-1, keepdim=True)) * near
        return row_sum(weights * self.pitch_bins) / row_sum(weights)

    def synthesize(
        self, mel: Float[Tensor, "b f 80"], hidden: Tensor, pitch_hz: Tensor, state: State
    ) -> tuple[Float[Tensor, "b samples"], State]:
        """Sound from features and a pitch track [B, F], which training takes from recordings."""
        pulses, state = self._excite(pitch_hz, state)
        with torch.no_grad():
            p_real, p_imag = self._spectrum(pulses)
        index = torch.arange(mel.shape[1], device=mel.device)
        noise = self.noise[(state["frame"] + index) % NOISE_FRAMES]
        state["frame"] = (state["frame"] + mel.shape[1]) % NOISE_FRAMES

        prior = linear(mel.clamp(LOG_MEL_MIN, LOG_MEL_MAX), self.mel_to_freqs) * math.log(10)
        raw = linear(hidden, self.filters) + self.filters_bias
        envelope = prior + raw[..., :NUM_FREQS]
        noisiness = 1 / (1 + torch.exp(-raw[..., NUM_FREQS:]))
        angle = self._phase(envelope)
        gain = torch.exp(envelope)
        real, imag = gain * torch.cos(angle), gain * torch.sin(angle)
        n_real, n_imag = noise.chunk(2, dim=-1)
        s_real = p_real * (1 - noisiness) + n_real * noisiness
        s_imag = p_imag * (1 - noisiness) + n_imag * noisiness
        frames = self._samples(s_real * real - s_imag * imag, s_real * imag + s_imag * real)
        return self._overlap_add(frames, state)

    def _spectrum(self, segments: Float[Tensor, "b f segment"]) -> tuple[Tensor, Tensor]:
        """Real and imaginary parts [B, F, 401] of Hann-windowed segments."""
        if keeps_rows(segments, FFT):
            found = torch.fft.rfft(segments * self.window, n=FFT)
            return found.real, found.imag
        real, imag = linear(segments, self.dft).chunk(2, dim=-1)
        return real, imag

    def _samples(self, real: Tensor, imag: Tensor) -> Float[Tensor, "b f fft"]:
        """What has that spectrum."""
        if keeps_rows(real, FFT):
            return torch.fft.irfft(torch.complex(real, imag), n=FFT)
        return linear(torch.cat([real, imag], dim=-1), self.inverse_dft)

    def _phase(self, envelope: Float[Tensor, "b f freqs"]) -> Float[Tensor, "b f freqs"]:
        """Log magnitude to the phase of the minimum-phase filter (the folded cepstrum)."""
        if keeps_rows(envelope, FFT):
            cepstrum = torch.fft.irfft(torch.complex(envelope, torch.zeros_like(envelope)), n=FFT)
            return torch.fft.rfft(cepstrum * self.fold).imag
        return linear(envelope, self.minimum_phase)

    @torch.no_grad()
    def _excite(self, pitch_hz: Float[Tensor, "b f"], state: State) -> tuple[Tensor, State]:
        """Segments [B, F, 400] of a pulse train of unit power that follows the pitch."""
        state = dict(state)
        batch, num_frames = pitch_hz.shape
        known = torch.where(state["pitch_hz"] > 0, state["pitch_hz"], pitch_hz[:, :1])
        before = torch.cat([known, pitch_hz[:, :-1]], dim=1)[..., None]
        ramp = torch.arange(1, HOP + 1, device=pitch_hz.device) / HOP
        track = before + (pitch_hz[..., None] - before) * ramp
        steps = (track * (PHASE_STEPS / SAMPLE_RATE_HZ)).to(torch.int64).flatten(1)
        phase = (state["phase"] + steps.cumsum(1)) % PHASE_STEPS
        state["phase"], state["pitch_hz"] = phase[:, -1:], pitch_hz[:, -1:]
        # Around zero, so that the pulse itself is where floats are finest.
        turn = (phase - (phase >= PHASE_STEPS // 2) * PHASE_STEPS).float() / PHASE_STEPS
        half = (turn * math.pi).view(batch, num_frames, HOP)
        num_harmonics = torch.floor(HARMONICS_BELOW_HZ / track)
        below = torch.sin(half)
        # The sum of all cosines below the limit, closed (Dirichlet's kernel).
        ratio = torch.sin((2 * num_harmonics + 1) * half) / (2 * below) - 0.5
        train = torch.where(below.abs() < 1e-4, num_harmonics, ratio)
        train = train * torch.sqrt(2 / num_harmonics)
        blocks = torch.cat([state["pulses"], train], dim=1)
        state["pulses"] = train[:, -1:]
        return torch.cat([blocks[:, :-1], blocks[:, 1:]], dim=-1), state

    def _overlap_add(self, frames: Float[Tensor, "b f fft"], state: State) -> tuple[Tensor, State]:
        num_frames, past = frames.shape[1], NUM_OVERLAPS - 1
        frames = torch.cat([state["ringing"], frames], dim=1)
        state["ringing"] = frames[:, num_frames:]
        out = frames[:, past:, :HOP]
        for i in range(1, NUM_OVERLAPS):
            out = out + frames[:, past - i : past - i + num_frames, i * HOP : (i + 1) * HOP]
        return out.flatten(1), state


def fade_out(
    chunk: Float[Tensor, "*b samples"], from_sample: int, ms: float = 10.0
) -> Float[Tensor, "*b samples"]:
    """Let a chunk of 16 kHz sound end: raised cosine from `from_sample` over `ms`, then silence.

    The rule at the ends of speech: speech starts from `initial_state`, and when it must stop, the
    chunk under way fades inside itself and the state is dropped.
    """
    num = round(ms * SAMPLE_RATE_HZ / 1000)
    position = torch.arange(chunk.shape[-1], device=chunk.device) - from_sample
    gain = 0.5 + 0.5 * torch.cos(math.pi * (position / num).clamp(0, 1))
    return chunk * torch.where(position >= num, torch.zeros_like(gain), gain)
